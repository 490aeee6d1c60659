"""What `descend doctor` examines of each kind of run: the training as its command made it, or a sentence why not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from refusal import refused

from descend.errors import InputError
from descend.rl import PPO
from descend.tasks.begun import begun

JUGS = "pack my box with five dozen jugs. " * 42
WORDS = {"work": "meeting report budget office deadline", "play": "beach party music picnic dancing"}


def paint(folder="photos", count=30):
    rng = np.random.default_rng(0)
    for name, tone in (("dusk", 60), ("noon", 190)):
        Path(folder, name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.clip(rng.normal(tone, 20, (5, 5, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(Path(folder, name, f"{number}.png"))
    return folder


def mails(rows=120):
    rng, labels = np.random.default_rng(0), np.array(["play", "work"])[np.arange(rows) % 2]
    texts = [" ".join(rng.choice([*WORDS[label].split(), "the", "a", "for"], 6)) for label in labels]
    pd.DataFrame({"text": texts, "label": labels}).to_csv("mails.csv", index=False)
    return "mails.csv"


def jugs():
    Path("jugs.txt").write_text(JUGS)
    return "jugs.txt"


def recorded(run):
    """What the command recorded of its training, by step."""
    return pd.read_parquet(Path(run, "history.parquet"))


def losses(start, steps):
    return start.run.advance(steps)[1].columns["loss"]


BRIEF = ("--epochs", 2, "--batch-size", 16, "--learning-rate", 0.01)


def test_a_table_is_begun_as_the_command_began_it(descend):
    options = ("--target", "target", "--model", "mlp", *BRIEF, "--out", "run", "--quiet")
    assert descend("fit", "sample:wine", *options).code == 0
    start = begun(Path("run"), "sample:wine")
    np.testing.assert_array_equal(losses(start, 6), recorded("run")["loss"][:6])
    assert len(start.judged[1]) == json.loads(Path("run/metrics.json").read_text())["held_out"]


def test_texts_are_begun_as_the_command_began_it_and_examined(descend):
    assert descend("fit", mails(), "--target", "label", *BRIEF, "--out", "run", "--quiet").code == 0
    start = begun(Path("run"), "mails.csv")
    np.testing.assert_array_equal(losses(start, 6), recorded("run")["loss"][:6])
    assert len(start.judged[1]) == json.loads(Path("run/metrics.json").read_text())["held_out"]
    # Where what it was trained on lies, its folder says.
    said = descend("doctor", "run", "--seconds", 1)
    assert (said.code, said.err) == (0, "")
    assert "report: run/doctor.html" in said.out
    assert f"The training on {Path('mails.csv').resolve()}" in Path("run/doctor.html").read_text()


def write(asked):
    Path("run").mkdir()
    Path("run/run.json").write_text(json.dumps(asked))


LANGUAGE = {"size": "tiny", "tokenizer": "bytes", "context": None, "epochs": None, "steps": 9, "seconds": None,
            "seed": 0}
POLICY = {"algorithm": "ppo", "steps": None, "seconds": None, "seed": 0, "seeds": None}


@pytest.mark.parametrize(("asked", "source", "told"), [
    ({"table": "a", "settings": {}}, (), "a, which run was trained on, lay where its folder does not say: name it"),
    ({"table": "a", "source": "gone.csv", "settings": {}}, (), "is not at gone.csv any more: name it with --data"),
    ({"environment": "CartPole-v1", "settings": POLICY}, ("a.csv",), "is of a policy, which learns from what it plays"),
    ({"text": "jugs.txt", "digest": "no", "settings": LANGUAGE}, ("jugs.txt",), "was trained on another text than"),
    ({"table": "a", "settings": {"target": "y"}}, ("photos",), "was trained on a table, and photos has pictures"),
    ({"collection": "a", "settings": {"target": "y"}}, ("mails.csv",), "was trained on pictures, and mails.csv is a"),
    ({"collection": "a", "digest": "no", "settings": {"target": "y"}}, ("photos",), "on another collection than"),
    ({"table": "a", "settings": {"target": "y", "seed": -1}}, ("mails.csv",), "run/run.json is damaged"),
    ({"settings": {}}, ("mails.csv",), "run/run.json is damaged"),
    ({"environment": "CartPole-v1", "settings": POLICY | {"steps": "2"}}, (), "run.json: settings: steps must be"),
])  # fmt: skip
def test_what_is_refused(descend, asked, source, told):
    paint(count=2), mails(), jugs()
    write(asked)
    refused(descend("doctor", "run", *source), told)


def test_a_text_without_a_held_out_end(descend):
    from hashlib import sha256

    Path("short.txt").write_text(JUGS[:80])
    write({"text": "short.txt", "digest": sha256(JUGS[:80].encode()).hexdigest(), "settings": LANGUAGE})
    refused(descend("doctor", "run", "short.txt"), "nothing of the text is held out")


def test_an_environment_that_cannot_be_replayed():
    gymnasium = pytest.importorskip("gymnasium")
    with pytest.raises(InputError, match="CartPole-v1 is played by Gymnasium, whose own state is in no run"):
        PPO().begun(lambda: gymnasium.make("CartPole-v1"))


@pytest.mark.slow
def test_a_rate_that_was_found_is_found_again(descend, monkeypatch):
    monkeypatch.setattr("descend.tasks.images.ladder.MOST_FOR_KERNEL", 0)  # the network alone
    assert descend("fit", paint(), "--epochs", 20, "--out", "run", "--quiet").code == 0
    start = begun(Path("run"), "photos")
    assert repr(start.run.descent.optimizer) == json.loads(Path("run/metrics.json").read_text())["optimizer"]
    np.testing.assert_array_equal(losses(start, 20), recorded("run")["loss"][:20])
