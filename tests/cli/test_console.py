"""What the command line prints commands no terminal; an error is a line, and with --debug its trace."""

import ast
import copy
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusal import refused

import descend.cli
from descend._text import visible
from descend.cli._console import Console, say
from descend.engine.storing import read_arrays, write_arrays
from descend.observers import Progress
from descend.observers.progress import ProgressBar
from descend.stopping import Best

TITLE, TURNED = "\x1b]0;mine\x07", "\u202e"  # sets a window's title; turns the order of the letters that follow
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def table(name):
    """A table whose names command a terminal."""
    rng = np.random.default_rng(0)
    kinds = rng.choice([f"a{TURNED}", "b\x9b2J"], 60)
    frame = pd.DataFrame({f"size{TITLE}": rng.normal(size=60), "more": rng.normal(size=60), f"kind{TURNED}": kinds})
    frame[f"class{TITLE}"] = np.where(frame.iloc[:, 0] > 0, f"high{TURNED}", "low\x9b2J")
    frame.to_csv(name, index=False)
    return frame.columns[-1]


def test_names_of_anybodys_command_no_terminal(descend):
    name = f"t{TITLE}.csv"
    target = table(name)
    printed = ""
    for command in (
        ("fit", name, "--target", target, "--model", "linear", "--epochs", 2, "--out", f"r{TITLE}"),
        ("fit", name, "--target", target, "--model", "linear", "--epochs", 2, "--json"),
        ("predict", f"r{TITLE}", name, "-o", f"out{TURNED}.csv"),
        ("fit", name),
        ("fit", name, "--target", f"none{TITLE}"),
        ("fit", name, "--target", target, f"more{TITLE}"),
        ("fit", name, f"--more{TITLE}"),
        ("predict", f"none{TITLE}", name, "-o", "out.csv"),
        ("optimizers", f"none{TURNED}"),
        (f"none{TITLE}",),
    ):
        said = descend(*command)
        printed += said.out + said.err
    assert not COMMANDS.search(printed)
    assert printed.count("\\u001b]0;mine") > 5
    run = Path(f"r{TITLE}")
    assert pd.read_csv(f"out{TURNED}.csv")["prediction"].isin([f"high{TURNED}", "low\x9b2J"]).all()
    for file in ("report.html", "metrics.json", "run.json"):
        assert not COMMANDS.search((run / file).read_text())


@pytest.mark.parametrize("terminal", [True, False])
def test_nor_do_live_lines(terminal):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120)
    told = Progress(1, 2, None, {"loss": 1.0}, {f"error{TITLE}": 1.0}, Best(), 1.0, 1.0, 1.0, None)
    with ProgressBar(f"env{TITLE}{TURNED}", console) as bar:
        bar(told)
        bar(Progress(**vars(told) | {"reason": descend.cli.import_module("descend.stopping").Reason("budget", "", 2)}))
    say(console, f"wrote {TITLE}\nand more")
    assert not re.search("[\x07\u202e]|\x1b\\]", out.getvalue())
    assert "mine" in out.getvalue()
    assert "\\nand more" in out.getvalue()


def test_colours_are_still_told():
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="standard").print("[red]red[/red]")
    assert "\x1b[31mred" in out.getvalue()


def test_a_text_means_the_same_to_json_and_keeps_its_lines():
    assert visible("a\tb\r\nc\nש\u200d") == "a\tb\nc\nש\u200d"
    assert visible("\x9b\x7f\u2066") == "\\u009b\\u007f\\u2066"


def test_all_that_is_printed_comes_through_one_place():
    """No module of the command line prints by itself, or takes a console that is not ours."""
    found = []
    for path in Path(descend.cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom | ast.Import) else []
            foreign = isinstance(node, ast.ImportFrom) and node.module in ("rich.console", "rich", "typer")
            if (foreign and {"Console", "console", "echo", "secho", "print"} & set(names)) or (
                isinstance(node, ast.Name) and node.id == "print"
            ):
                found.append(path.name)
    assert set(found) == {"_console.py"}


@pytest.fixture
def broken(monkeypatch):
    """A fault of our own, with a message of more than a line."""

    def fail(_source, _as_written):
        raise KeyError("no such\nkey\x1b[2J")

    monkeypatch.setattr("descend.tasks.common.reading.read_table", fail)


def test_a_fault_of_ours_is_a_line_that_says_so(descend, broken):
    said = descend("fit", "t.csv", "--target", "t")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert said.err.startswith("descend: this is a fault of descend, and none of yours (KeyError: ")
    assert "run the same with --debug to see the trace" in said.err


def test_the_trace_is_shown_to_whoever_asks(descend, broken):
    said = descend("fit", "t.csv", "--target", "t", "--debug")
    *trace, last = said.err.splitlines()
    assert said.code == 1
    assert trace[0] == "Traceback (most recent call last):"
    assert "in fail" in said.err
    assert last.startswith("descend: this is a fault of descend")
    assert not COMMANDS.search(said.err)


def test_a_refusal_has_a_trace_too(descend):
    plain = descend("fit", "none.csv", "--target", "t")
    traced = descend("--debug", "fit", "none.csv", "--target", "t")
    refused(plain, "no file 'none.csv'")
    assert traced.code == 2
    assert traced.err.startswith("Traceback (most recent call last):")
    assert traced.err.endswith(plain.err)


def test_no_memory_is_no_fault_of_ours(descend, monkeypatch):
    def fail(_source, _as_written):
        raise MemoryError("Unable to allocate 3.5 TiB")

    monkeypatch.setattr("descend.tasks.common.reading.read_table", fail)
    refused(descend("fit", "t.csv", "--target", "t"), "there is not enough memory (Unable to allocate 3.5 TiB)")


def test_debug_is_told_of(descend):
    for command in ((), ("fit",), ("rl", "play")):
        assert "With --debug, an error is shown with its whole trace." in descend(*command, "--help").out


BEGUN = ("fit", "sample:iris", "--target", "target", "--model", "linear", "--epochs", 2, "--out", "run", "--quiet")


CHANGES = (
    lambda facts: facts.pop("best"),
    lambda facts: facts["best"].update(value="low", more=1),
    lambda facts: facts.update(identity=3),
    lambda facts: facts.update(stride="wide"),
    lambda facts: facts.update(run=None),
    lambda facts: facts.update(reason={"name": 3}),
    lambda facts: facts.update(search={"rate": 1}),
    lambda facts: facts.update(planned="many"),
    lambda facts: facts.update(planned=0),
    lambda facts: facts.update(planned=1.5),
)


def test_a_checkpoint_with_other_facts_is_refused(descend):
    """Behind a right checksum, as another version or another program may have written it."""
    assert descend(*BEGUN).code == 0
    path = Path("run/checkpoints/linear.safetensors")
    arrays, facts = read_arrays(path)
    del facts["format"]
    for change in CHANGES:
        changed = copy.deepcopy(facts)
        change(changed)
        write_arrays(path, arrays, changed)
        Path(f"{path}.older").unlink(missing_ok=True)
        refused(descend(*BEGUN, "--resume"), "linear.safetensors")


def test_damaged_notes_of_a_language_model_are_refused(descend):
    Path("t.txt").write_text("pack my box with five dozen jugs. " * 9)
    run = ("lm", "t.txt", "--size", "tiny", "--context", 8, "--seconds", 0.01, "--out", "run", "--quiet", "--resume")
    assert descend(*run).code == 0
    path = Path("run", "samples.json")
    for content in ("", '[{"step": "x", "loss": 1, "text": ""}]'):
        path.write_text(content)
        refused(descend(*run), path.name)
