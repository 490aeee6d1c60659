"""`descend lm` and `descend generate`: what they write, say, go on with and refuse."""

import errno
import json
import math
import os
import signal
import warnings
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from refusal import refused

from descend.cli._console import Console
from descend.engine.storing import write_arrays
from descend.neural import LanguageModel
from descend.neural.language import Sample
from descend.tasks.begun import begun
from enforced import without_types

TEXT = "pack my box with five dozen jugs. " * 42
OPTIONS = ("--size", "tiny", "--context", 8, "--steps", 120)


@pytest.fixture
def text(descend):
    Path("jugs.txt").write_text(TEXT)
    return "jugs.txt"


def test_a_run(descend, text, monkeypatch):
    monkeypatch.setattr("descend.insight._outlook.MIN_VALIDATIONS", 2)
    said = descend("lm", text, *OPTIONS)
    assert (said.code, said.err) == (0, "")
    for part in ("validation loss", "tokens/s", "The validation loss was lowest at the end", "perplexity",
                 "descend generate runs/jugs --prompt TEXT"):
        assert part in said.out
    folder = Path("runs/jugs")
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoints", "history.parquet", "metrics.json", "model.safetensors", "report.html", "run.json",
        "samples.json",
    ]
    facts = json.loads((folder / "metrics.json").read_text())
    assert facts["tokens"] == facts["bytes"] == len(TEXT)
    assert 1 < facts["perplexity"] < 20
    history = pd.read_parquet(folder / "history.parquet")
    assert history["step"].tolist() == list(range(120))
    report = (folder / "report.html").read_text()
    samples = json.loads((folder / "samples.json").read_text())
    assert [sample["step"] for sample in samples] == (history["step"][history["validation_loss"].notna()] + 1).tolist()
    assert "<script src" not in report
    assert "What it wrote as it learnt" in report
    assert facts["verdict"][0] in report.split("What stands out at the end")[1]

    # What the doctor examines is this very training, judged as it was validated.
    start, step = begun(folder, text), samples[0]["step"]
    run, trace = start.run.advance(step)
    np.testing.assert_array_equal(trace.columns["loss"], history["loss"][:step])
    assert start.judged(run.params) == samples[0]["loss"]

    wrote = descend("generate", folder, "--prompt", "pack", "--length", 30, "--temperature", 0)
    assert wrote.code == 0
    assert wrote.out.startswith("pack")
    assert len(wrote.out) == 4 + 30 + 1
    hot = ("--temperature", 3)
    write = lambda seed: descend("generate", folder, "--prompt", "my", "--length", 20, *hot, "--seed", seed).out
    again = [write(seed) for seed in (1, 1, 2)]
    assert again[0] == again[1]
    assert again[0] != again[2]
    for options, part in (
        (("--temperature", -1), "temperature must be at least 0, but is -1"),
        (("--top-k", 0), "top_k must be at least 1, but is 0"),
        (("--top-p", 2), "top_p must be above 0 and at most 1, but is 2"),
        (("--stop", ""), "the stop text is empty"),
        (("--prompt", ""), "the prompt is empty"),
    ):
        refused(descend("generate", folder, *options), part)
    ended = descend("generate", folder, "--prompt", "pack", "--length", 30, "--temperature", 0, "--stop", wrote.out[14])
    assert ended.out.rstrip("\n") == "pack" + wrote.out[4:].partition(wrote.out[14])[0]
    refused(descend("lm", text, *OPTIONS, "--out", folder), "exists already")
    refused(descend("lm", text, *OPTIONS, "--seed", 1, "--resume"), "was begun with another seed, 0 and not 1")
    Path("jugs.txt").write_text(TEXT[1:])
    refused(descend("lm", text, *OPTIONS, "--resume"), "was begun with 'jugs.txt' as it was then, and")


@pytest.fixture
def books(descend, text):
    """A folder, and the run of it and of a text beside it."""
    Path("books/more").mkdir(parents=True)
    for name, words in {"one.txt": "a mad dog. ", "more/two.md": "vex ox. ", "more/copy.md": "vex ox. "}.items():
        Path("books", name).write_text(words * 40)
    Path("books/cover.png").write_bytes(b"\x89PNG\0\xff")
    said = descend("lm", "books", text, *OPTIONS[:4], "--steps", 20, "--no-insight")
    assert (said.code, said.err) == (0, "")
    return said.out


def test_several_texts(books):
    for part in ("left out, the same as another: books/more/two.md", "left out, not in Unicode: books/cover.png",
                 "of 3 texts"):
        assert part in books
    facts = json.loads(Path("runs/books/metrics.json").read_text())
    # Each text but the last ends with a line.
    assert (facts["texts"], facts["bytes"]) == (3, len(TEXT) + 40 * 11 + 40 * 8 + 2)
    assert "books and 1 more" in Path("runs/books/report.html").read_text()
    assert begun(Path("runs/books"), "books").run.step == 0


def test_the_folder_that_one_is_in_is_called_by_its_name(descend, text):
    said = descend("lm", ".", *OPTIONS[:-1], 1, "--no-insight", "--out", "../run")
    assert (said.code, said.err) == (0, "")
    assert f"reading {Path.cwd().name}\n" in said.out
    assert f"<h1>A language model of {Path.cwd().name}</h1>" in Path("../run/report.html").read_text()


def test_a_score(descend, books):
    said = descend("lm", "score", "runs/books", "jugs.txt")
    assert (said.code, said.err) == (0, "")
    bits = LanguageModel.load("runs/books").bits_per_byte(Path("jugs.txt"))
    assert said.out.startswith(f"{bits:.4f} bits per byte: {math.ceil(bits * len(TEXT) / 8):,} bytes instead of 1,428")
    assert f"perplexity {2**bits:.4f} per token" in said.out
    assert "from up to 8 before it, and from 4 or more" in said.out
    assert "very text" not in said.out
    Path("empty.txt").write_bytes(b"")
    refused(descend("lm", "score", "runs/books", "empty.txt"), "'empty.txt' is empty")
    refused(descend("lm", "score", "none", "jugs.txt"), "there is no folder none")


def test_fine_tuning(descend, books):
    Path("new.txt").write_text("my dog has a box. " * 40)
    options = ("--from", "runs/books", "--steps", 10, "--quiet", "--no-insight")
    assert descend("lm", "new.txt", *options) == (0, "", "")
    told = json.loads(Path("runs/new/run.json").read_text())
    assert (told["start"], told["settings"]["size"]) == (str(Path("runs/books").absolute()), None)
    assert begun(Path("runs/new"), "new.txt").run.params.shape.context == 8
    refused(descend("lm", "new.txt", *options, "--context", 16), "context is to be 16, but is 8 in runs/books")
    refused(descend("lm", "new.txt", "--from", "none"), "none has no language model")
    # What it started from is another model by now.
    model = LanguageModel.load("runs/books")
    model.network_ = LanguageModel.load("runs/new").network_
    model.save("runs/books")
    refused(descend("lm", "new.txt", *options, "--resume"), "was begun with another start")
    refused(descend("doctor", "runs/new", "new.txt"), "was begun with the weights in", "which are others by now")


@pytest.mark.parametrize("held", [10**6, 100])
def test_interrupted_and_resumed(descend, text, monkeypatch, held):
    monkeypatch.setattr("descend.neural.gathering.HELD_BYTES", held)
    options, command = (*OPTIONS, "--quiet", "--out"), import_module("descend.cli.lm")
    assert descend("lm", text, *options, "whole").code == 0
    ctrl_c = lambda _, progress: progress.reason or os.kill(os.getpid(), signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(command._Scribe, "__call__", ctrl_c)
        assert descend("lm", text, *options, "run") == (130, "", "")
    assert json.loads(Path("run/metrics.json").read_text())["stopped"].startswith("interrupted")
    assert descend("lm", text, *options, "run", "--resume") == (0, "", "")
    for name in ("model.safetensors", "history.parquet"):
        assert Path("run", name).read_bytes() == Path("whole", name).read_bytes()


def test_a_text_larger_than_memory_stays_in_its_file(descend, text, monkeypatch):
    monkeypatch.setattr("descend.neural.gathering.HELD_BYTES", 100)
    said = descend("lm", text, *OPTIONS[:-1], 1, "--no-insight")
    assert said.code == 0
    assert f"{len(TEXT):,} bytes of text stay in their files, and are read where they are needed" in said.out
    assert json.loads(Path("runs/jugs/metrics.json").read_text())["bytes"] == len(TEXT)


@pytest.mark.parametrize(
    ("content", "options", "part"),
    [
        (b"forty bytes are less than a window has. ", (), "the text has 40 tokens, but a window"),
        (b"", (), "'t.txt' is empty"),
        (b"abc\xff" * 99, ("--tokenizer", "characters"), "not UTF-8 (the byte 0xff at position 3)"),
        (TEXT.encode(), ("--steps", 0), "steps must be a number above 0, but is 0"),
        (TEXT.encode(), ("--context", 1), "context must be at least 2, but is 1"),
        (TEXT.encode(), ("--out", "t.txt"), "t.txt exists already"),
    ],
)
def test_refused_texts(descend, content, options, part):
    Path("t.txt").write_bytes(content)
    refused(descend("lm", "t.txt", *options), part)
    assert [path.name for path in Path().iterdir()] == ["t.txt"]


def test_no_text(descend):
    refused(descend("lm", "none.txt"), "no file 'none.txt'")
    refused(descend("lm", "."), "there is no text in what was named")


@pytest.mark.peers
def test_pairs_need_utf8(descend):
    pytest.importorskip("tokenizers", reason="what merges pairs")
    Path("t.txt").write_bytes(b"abc\xff" * 99)
    refused(descend("lm", "t.txt", "--tokenizer", "bpe"), "not UTF-8 (the byte 0xff at position 3)")


def test_unknown_characters(descend, text):
    options = ("--steps", 1, "--tokenizer", "characters", "--quiet", "--no-insight")
    assert descend("lm", text, *OPTIONS[:4], *options).code == 0
    assert "verdict" not in json.loads(Path("runs/jugs/metrics.json").read_text())
    refused(descend("generate", "runs/jugs", "--prompt", "my Dog"), "the character 'D' is not among the")


def test_other_folders(descend):
    refused(descend("generate", "none"), "there is no folder none")
    Path("empty").mkdir()
    refused(descend("generate", "empty"), "empty has no language model")
    write_arrays(Path("empty/model.safetensors"), {}, {"version": 2, "kind": "linear"})
    refused(descend("generate", "empty"), "has a model, but no language model")


def test_samples_that_cannot_be_written_are_tried_again(tmp_path, monkeypatch):
    command, broken = import_module("descend.cli.lm"), [True]
    write = command.RunFolder.write_json

    def write_json(self, name, content):
        if name == "samples.json" and broken:
            broken.clear()
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self.path / name))
        write(self, name, content)

    monkeypatch.setattr(command.RunFolder, "write_json", write_json)
    model, told = SimpleNamespace(samples_=[]), []
    folder = command.RunFolder(tmp_path / "run", {})
    with without_types(), command._Scribe(model, folder, Console(quiet=True)) as scribe:
        for step in (1, 2):
            model.samples_.append(Sample(step, 0.5, "a"))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                scribe(None)
            told.append([str(warning.message).split(": ")[1] for warning in caught])
    assert told == [["it is tried again with the next sample, and at the end"], []]
    assert [sample["step"] for sample in json.loads((tmp_path / "run" / "samples.json").read_text())] == [1, 2]
