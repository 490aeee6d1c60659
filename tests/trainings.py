"""A short training of each kind on the command line, and what comes of it, to the last bit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

MODELS = ("model.safetensors", "policy.safetensors")
TIMES = ("seconds", "steps_per_second", "tokens_per_second")  # of the facts, which are others each time
WORDS = ("quiet", "loud", "red", "green", "house", "river", "sun", "stone", "bird", "tree")


def table(folder: Path) -> str:
    rng, rows = np.random.default_rng(0), 300
    frame = pd.DataFrame(rng.normal(size=(rows, 5)), columns=list("abcde"))
    frame["f"] = rng.choice(WORDS, rows)
    frame["t"] = np.where(frame["a"] + frame["a"] * frame["b"] + rng.normal(0, 0.3, rows) > 0, "over", "under")
    frame.to_csv(folder / "table.csv", index=False)
    return "table.csv"


def texts(folder: Path) -> str:
    rng = np.random.default_rng(0)
    written = [" ".join(rng.choice(WORDS, 8)) + f" {i}" for i in range(300)]
    labels = ["in" if "house" in text else "out" for text in written]
    pd.DataFrame({"text": written, "label": labels}).to_csv(folder / "texts.csv", index=False)
    return "texts.csv"


def pictures(folder: Path) -> str:
    rng = np.random.default_rng(0)
    for name, least in (("dark", 0), ("light", 60)):
        (folder / "pictures" / name).mkdir(parents=True, exist_ok=True)
        for i in range(60):
            pixels = rng.integers(least, least + 150, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{i}.png")
    return "pictures"


def text(folder: Path) -> str:
    (folder / "jugs.txt").write_text("pack my box with five dozen jugs. " * 42)
    return "jugs.txt"


def environment(_: Path) -> str:
    return "CartPole-v1"


KINDS: dict[str, tuple[str, Callable[[Path], str], tuple[str, ...]]] = {
    "linear": ("fit", table, ("--target", "t", "--model", "linear")),
    "mlp": ("fit", table, ("--target", "t", "--model", "mlp", "--epochs", "6")),
    "both": ("fit", table, ("--target", "t", "--epochs", "4")),
    "pictures": ("fit", pictures, ("--epochs", "3", "--learning-rate", "0.01")),
    "texts": ("fit", texts, ("--target", "label", "--epochs", "4", "--learning-rate", "0.01")),
    "lm": ("lm", text, ("--size", "tiny", "--context", "8", "--steps", "100")),
    "rl": ("rl", environment, ("--steps", "3072")),
    "seeds": ("rl", environment, ("--steps", "4096", "--seeds", "2")),
}


def training(kind: str, folder: Path) -> tuple[str, ...]:
    """The arguments of a training of this kind, whose input is written to the folder."""
    command, write, options = KINDS[kind]
    return command, write(folder), *options, "--quiet"


def outcome_of(run: Path) -> dict[str, Any]:
    """All that a run's folder holds of how the training went, but for how long it took."""
    found: dict[str, Any] = {name: (run / name).read_bytes() for name in MODELS if (run / name).exists()}
    for name in ("samples.json", "coefficients.csv"):
        found[name] = (run / name).read_text() if (run / name).exists() else None
    history = pd.read_parquet(run / "history.parquet")
    found["history"] = {name: (str(column.dtype), column.to_numpy().tobytes()) for name, column in history.items()}
    metrics = json.loads((run / "metrics.json").read_text())
    found["metrics"] = {name: value for name, value in metrics.items() if name not in TIMES}
    return found
