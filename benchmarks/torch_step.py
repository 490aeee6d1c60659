"""What a step of `TorchOptimizer` costs, compiled, beside PyTorch's own optimizers with `fused=True`.

Milliseconds of `step()` alone, on gradients that are there; and the rate at which parameters, gradients and slots go
through memory, each read once and, but for the gradients, written once. The models are 16 matrices of 1024×1024, and
48 arrays of mixed sizes as in a small transformer, in float32.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

import descend
from benchmarks._rows import PAUSE, Row, alternately
from descend.torch import TorchOptimizer

PACKAGES = ("descend", "torch")
REPEATS = 15
MODELS: dict[str, tuple[list[tuple[int, ...]], int]] = {
    "16.8 M in 16 matrices": ([(1024, 1024)] * 16, 10),
    "1.6 M in 48 arrays": ([(256, 384), (384,), (384, 96), (96,)] * 12, 100),
}  # shapes, and steps at a time


def rows() -> Iterator[Row]:
    """Each rule on each model."""
    rules: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "Adam": (descend.Adam(1e-3), lambda params: torch.optim.Adam(params, fused=True)),
        "AdamW": (descend.AdamW(1e-3), lambda params: torch.optim.AdamW(params, fused=True)),
        "SGD, momentum": (
            descend.SGD(1e-3, momentum=0.9), lambda params: torch.optim.SGD(params, 1e-3, momentum=0.9, fused=True)
        ),
    }
    for model, (shapes, steps) in MODELS.items():
        count = sum(map(math.prod, shapes))
        for name, (rule, peer) in rules.items():
            ours, theirs = TorchOptimizer(parameters(shapes), rule, compiled=True), peer(parameters(shapes))
            seconds = alternately([_steps(ours, steps), _steps(theirs, steps)], REPEATS, PAUSE)
            each = [1e3 * time / steps for time in seconds]
            traffic = 1e-6 * 4 * count * (3 + 2 * len(rule.slots))
            yield Row(f"{name}, {model}", "torch.optim, fused", "step", "ms", each[0], each[1])
            yield Row(f"{name}, {model}", "torch.optim, fused", "memory", "GB/s", traffic / each[0], traffic / each[1])


def parameters(shapes: list[tuple[int, ...]]) -> list[torch.Tensor]:
    """Parameters with gradients."""
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    for p in params:
        p.grad = 1e-2 * torch.randn(p.shape, generator=generator)
    return params


def _steps(optimizer: Any, steps: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(steps):
            optimizer.step()

    return run
