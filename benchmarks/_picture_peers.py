"""What people use for few pictures: histograms and a support vector machine; a small residual network in PyTorch."""

import time

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional

# Of the network: a batch, its first layers' channels, the highest rate, and pixels that a picture is moved by.
BATCH, WIDTH, RATE, SHIFT = 64, 32, 2e-3, 2
# From so many pixels on, the first layer skips every second one.
LARGE_SIDE = 48


def machine(X: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Histograms of gradients by scikit-image, and of colours; a support vector machine, its C by three folds."""
    search = GridSearchCV(SVC(), {"C": [1, 3, 10, 30, 100]}, cv=3).fit(_histograms(X), y)
    said: np.ndarray = search.predict(_histograms(others))
    return said


def _histograms(images: np.ndarray) -> np.ndarray:
    from skimage.feature import hog

    cell = max(2, images.shape[1] // 6)
    is_grey = images.ndim == 3
    shapes = [hog(image, 9, (cell, cell), (2, 2), channel_axis=None if is_grey else -1) for image in images]
    if is_grey:
        return np.array(shapes)
    colours = [np.histogramdd(image.reshape(-1, 3), 4, [(0, 256)] * 3)[0].ravel() for image in images]
    return np.hstack([shapes, 2 * np.sqrt(np.array(colours) / np.prod(images.shape[1:3]))])


class Block(nn.Module):
    """Two convolutions beside what came in."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
        )
        self.beside = nn.Identity() if channels == outputs else nn.Conv2d(channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Both added."""
        return functional.relu(self.inner(x) + self.beside(x))


def network(X: np.ndarray, y: np.ndarray, others: np.ndarray, seconds: float) -> np.ndarray:
    """A residual network, trained for so long on a processor: AdamW, a rate that rises and falls, pictures moved and
    mirrored. On one thread, as two that wait for each other are slow where other work is on the same cores."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    pixels, classes, channels = _as_pixels(X), torch.from_numpy(y.astype(np.int64)), 1 if X.ndim == 3 else 3
    stride = 2 if X.shape[1] >= LARGE_SIDE else 1
    module = nn.Sequential(
        nn.Conv2d(channels, WIDTH, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
        Block(WIDTH, WIDTH), nn.MaxPool2d(2), Block(WIDTH, 2 * WIDTH), nn.MaxPool2d(2), Block(2 * WIDTH, 4 * WIDTH),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * WIDTH, int(y.max()) + 1),
    )
    _train(module, pixels, classes, seconds, mirrored=channels == 3)
    module.eval()
    with torch.no_grad():
        return torch.cat([module(part).argmax(1) for part in _as_pixels(others).split(256)]).numpy()


def _train(module: nn.Module, pixels: Tensor, classes: Tensor, seconds: float, mirrored: bool) -> None:
    rule = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=0.05)
    begin = time.process_time()
    while (spent := (time.process_time() - begin) / seconds) < 1:
        for group in rule.param_groups:
            group["lr"] = RATE * min(spent / 0.05, 0.5 + 0.5 * np.cos(np.pi * spent))
        rows = torch.randint(len(pixels), (BATCH,))
        batch = functional.pad(pixels[rows], (SHIFT,) * 4, mode="replicate")
        top, left = torch.randint(2 * SHIFT + 1, (2,)).tolist()
        batch = batch[:, :, top : top + pixels.shape[2], left : left + pixels.shape[3]]
        if mirrored and torch.rand(()) < 0.5:
            batch = batch.flip(3)
        rule.zero_grad()
        functional.cross_entropy(module(batch), classes[rows], label_smoothing=0.1).backward()
        rule.step()


def _as_pixels(images: np.ndarray) -> Tensor:
    pixels = torch.from_numpy(images).float().div(127.5).sub(1)
    return pixels[:, None] if images.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
