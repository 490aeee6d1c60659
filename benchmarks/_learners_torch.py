"""PyTorch as a learner: eager or compiled, with images' channels first or last, and a fused optimizer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch._dynamo.config
import torch._inductor.config
from torch import nn
from torch.nn import functional

from benchmarks._learners import RATE, Layers, Problem
from benchmarks._torch_gpt import Model
from descend.neural._gpt import GPT


class Torch:
    """The documented loop, over batches that are tensors already."""

    def __init__(self, problem: Problem, compiled: bool, channels_last: bool = False):
        self.name = f"PyTorch, {'compiled' if compiled else 'eager'}{', channels last' if channels_last else ''}"
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        network = problem.start
        model: Any = Model(network) if isinstance(network, GPT) else _layered(problem.layers)
        self._model = model.to(memory_format=self._layout)
        self._start = [parameter.detach().clone() for parameter in self._model.parameters()]
        self._batches = problem.batches(self._converted)
        torch._dynamo.config.recompile_limit = 64  # all models here are of one function, and each counts
        torch._inductor.config.compile_threads = 1  # processes of its own would take the cores from the others
        self._loss: Any = torch.compile(self._eager, dynamic=False) if compiled else self._eager
        self.restart()

    def restart(self) -> None:
        """Go back to the first weights."""
        with torch.no_grad():
            for parameter, first in zip(self._model.parameters(), self._start, strict=True):
                parameter.copy_(first)
        self._rule = torch.optim.Adam(self._model.parameters(), RATE, fused=True)
        self._made = 0

    def train(self, steps: int) -> None:
        """Make some steps."""
        for i in range(self._made, self._made + steps):
            self._rule.zero_grad()
            self._loss(*self._batches[i % len(self._batches)]).backward()
            self._rule.step()
        self._made += steps

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """What the network makes of inputs."""
        with torch.no_grad():
            return self._model(self._converted(inputs)).numpy()

    def _eager(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(self._model(inputs).flatten(0, -2), targets.flatten())

    def _converted(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array if array.dtype == np.float32 else array.astype(np.int64))
        return tensor.permute(0, 3, 1, 2).contiguous(memory_format=self._layout) if array.ndim == 4 else tensor


def _layered(layers: Layers) -> nn.Sequential:
    """A perceptron, or LeNet, with these weights."""
    modules: list[nn.Module] = []
    for W, _ in layers:
        modules += list(_convolution(W)) if W.ndim == 4 else [nn.Linear(*W.shape), nn.ReLU()]
    flat = next((i for i, module in enumerate(modules) if isinstance(module, nn.Linear)), 0)
    network = nn.Sequential(*modules[:flat], nn.Flatten(), *modules[flat:-1])
    with torch.no_grad():
        for parameter, array in zip(network.parameters(), _arrays(layers), strict=True):
            parameter.copy_(torch.tensor(array))
    return network


def _convolution(W: np.ndarray) -> Iterator[nn.Module]:
    side, _, channels, outputs = W.shape
    yield nn.Conv2d(channels, outputs, side, padding=2 if channels == 1 else 0)
    yield nn.ReLU()
    yield nn.MaxPool2d(2)


def _arrays(layers: Layers) -> Iterator[np.ndarray]:
    """The weights with their axes in PyTorch's order, in which channels come before places."""
    channels = 1
    for W, b in layers:
        if W.ndim == 4:
            channels = W.shape[3]
            yield W.transpose(3, 2, 0, 1)
        else:
            yield W.reshape(-1, channels, W.shape[1]).swapaxes(0, 1).reshape(W.shape).T
            channels = 1
        yield b
