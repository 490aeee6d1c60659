"""What processes share: networks from small to large, on examples that are drawn, as no score is asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._workloads import cross_entropy, gpt, next_token, perceptron

ROWS = 8192
# A model at its start, its loss, and examples.
Made = tuple[Any, Callable[[Any, Any], Any], Any]


def small() -> Made:
    """A perceptron 64-32-10."""
    return perceptron(64, 32, 10)(((), ())), cross_entropy, _labelled(64, 10)


def large() -> Made:
    """A perceptron 784-512-512-10."""
    return perceptron(784, 512, 512, 10)(((), ())), cross_entropy, _labelled(784, 10)


def letters() -> Made:
    """A GPT of two layers over 64 characters."""
    return gpt(((), ())), next_token, np.random.default_rng(1).integers(0, 128, (ROWS, 65)).astype(np.uint8)


WORKLOADS: dict[str, Callable[[], Made]] = {"small": small, "large": large, "gpt": letters}


def _labelled(columns: int, classes: int) -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, columns)).astype(np.float32), rng.integers(0, classes, ROWS).astype(np.int32)
