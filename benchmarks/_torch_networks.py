"""Three networks in plain PyTorch, as their users write them: LeNet, a small GPT, and a recurrent network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks._austen import austen
from benchmarks._images import fashion_mnist

IMAGES, CONTEXT, WIDTH, HEADS, LAYERS = 6000, 64, 64, 4, 2
CHARACTERS = 400_000  # of the novels


@dataclass(frozen=True)
class Workload:
    """A network at its start, its loss, and its examples: to train on, and held out."""

    name: str
    module: Callable[[], nn.Module]
    loss: Callable[[Any, Any], Tensor]
    data: Callable[[], tuple[Any, Any]]
    batch_size: int


def lenet() -> nn.Module:
    """LeNet, with rectifiers and a dropout."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Dropout(0.1), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


class Block(nn.Module):
    """A layer of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """Attention, and a perceptron for each position."""
        parts = self.qkv(self.before(x)).chunk(3, dim=2)
        q, k, v = (part.view(*x.shape[:2], HEADS, -1).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return x + self.mlp(self.after(x))


class GPT(nn.Module):
    """A small GPT over characters, whose table is also its last layer."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(characters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.last = nn.Sequential(*(Block() for _ in range(LAYERS))), nn.LayerNorm(WIDTH)
        nn.init.normal_(self.table.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """The scores of what follows each character."""
        x = self.table(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.last(self.blocks(x)) @ self.table.weight.T


class Recurrent(nn.Module):
    """A GRU over characters."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.table, self.cells = nn.Embedding(characters, 32), nn.GRU(32, 96, batch_first=True)
        self.head = nn.Linear(96, characters)

    def forward(self, tokens: Tensor) -> Tensor:
        """The scores of what follows each character."""
        return self.head(self.cells(self.table(tokens))[0])


def classified(module: Any, batch: Any) -> Tensor:
    """The cross-entropy of images' classes."""
    images, classes = batch
    return functional.cross_entropy(module(images), classes)


def followed(module: Any, batch: Any) -> Tensor:
    """The cross-entropy of what follows each character."""
    (windows,) = batch
    return functional.cross_entropy(module(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())


def images() -> tuple[Any, Any]:
    """A part of Fashion-MNIST, and 2,000 images held out."""
    X, y = fashion_mnist()
    pixels = torch.from_numpy(X[: IMAGES + 2000].astype(np.float32) / 255)[:, None]
    classes = torch.from_numpy(y[: IMAGES + 2000].astype(np.int64))
    return (pixels[:IMAGES], classes[:IMAGES]), (pixels[IMAGES:], classes[IMAGES:])


def windows() -> tuple[Any, Any]:
    """A part of Jane Austen's novels as windows of characters, of which the last 512 are held out."""
    text = np.frombuffer(austen()[:CHARACTERS].encode("ascii", "replace"), np.uint8)
    tokens = np.unique(text, return_inverse=True)[1].astype(np.int64)
    count = len(tokens) // (CONTEXT + 1)
    cut = torch.from_numpy(tokens[: count * (CONTEXT + 1)].reshape(count, CONTEXT + 1))
    return (cut[:-512],), (cut[-512:],)


def characters() -> int:
    """How many different characters the novels' part has."""
    return int(max(part[0].max() for part in windows())) + 1


WORKLOADS = (
    Workload("LeNet, 6,000 images", lenet, classified, images, 64),
    Workload("GPT, characters of Austen", lambda: GPT(characters()), followed, windows, 16),
    Workload("GRU, characters of Austen", lambda: Recurrent(characters()), followed, windows, 16),
)
