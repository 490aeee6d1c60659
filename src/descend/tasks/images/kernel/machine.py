"""A kernel on gradients and colours: pictures are told by which of those learnt from they are like."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from scipy.special import softmax

from descend._arrays import Array, namespace
from descend._facts import Facts, checked_array
from descend.neural.images import as_images, refuse_unlike
from descend.neural.starting import LARGEST_PICTURE
from descend.tasks.images.classifier import PictureClassifier
from descend.tasks.images.kernel.colours import colours_of
from descend.tasks.images.kernel.gradients import gradients_of
from descend.tasks.images.kernel.solving import Kernel, best_kernel

# Pictures that others are compared with, at the most; and pictures whose features are had at a time, and their pixels.
LANDMARKS, PICTURES_AT_ONCE, PIXELS_AT_ONCE = 1500, 256, 2**20
# Of tones, from the darkest to the brightest: pictures may be all of one.
LEAST_UNIT = 1e-30
# Along a side, of pictures that an export is checked on.
PATCHES = (2, 4, 8, 2**10)


class HogClassifier(PictureClassifier):
    """Classes of pictures by histograms of oriented gradients, colours, and ridge regression with a kernel.

    What the kernel is, and the penalty, is what loses least on pictures left out, each in turn, which is known exactly
    (`descend.tasks.images.kernel.ridge`). Nothing in it is random but which pictures others are compared with, where
    there are more than 1,500: drawn by `random_state`.

    Attributes: `classes_`; `image_shape_`; `left_out_`, the probabilities of each picture learnt from by what the
    others say; `kernel_`, `penalty_`, `sharpness_`.
    """

    def __init__(self, random_state: int = 0):
        self.random_state = random_state

    def fit(self, X: Any, y: Any, enough: Callable[[], bool] = lambda: False) -> "HogClassifier":
        """Learn from pictures and their classes; `enough`: whether to make do with the kernels tried so far."""
        images = as_images(X)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.image_shape_, self.are_bytes_ = images.shape[1:], images.dtype == np.uint8
        low, high = (0.0, 255.0) if self.are_bytes_ else (float(images.min()), float(images.max()))
        self.low_, self.unit_ = low, max(high - low, LEAST_UNIT)
        rows = np.sort(np.random.default_rng(self.random_state).permutation(len(images))[:LANDMARKS])
        features = self._features(images)
        self.landmarks_ = [each[rows] for each in features]
        self.distances_ = [_mean_distance(each) for each in self.landmarks_]
        found = best_kernel(self._apart(features), rows, numbers, enough)
        self.kernel_, self.penalty_, self.sharpness_ = found.kernel, found.penalty, found.sharpness
        self.weights_, self.left_out_ = found.weights, found.left_out
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`."""
        images = as_images(X)
        refuse_unlike(X, images, self.image_shape_, self.are_bytes_)
        return softmax(self._scores(self._features(images)), axis=1)

    def describe(self) -> str:
        """What it is, in a few words."""
        told = f" and {self.kernel_.share:.0%} as much of colours" if self.kernel_.share else ""
        return (f"kernel on histograms of gradients{told}, {len(self.landmarks_[0]):,} pictures to compare with, at a "
                f"penalty of {self.penalty_:.3g}")

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it predicts by, as facts for JSON, and arrays by name."""
        facts = {"shape": list(self.image_shape_), "bytes": bool(self.are_bytes_), "low": self.low_,
                 "unit": self.unit_, "share": self.kernel_.share, "steepness": self.kernel_.steepness,
                 "distances": self.distances_, "penalty": self.penalty_, "sharpness": self.sharpness_}
        return facts, {"gradients": self.landmarks_[0], "colours": self.landmarks_[1], "weights": self.weights_}

    def take_parts(self, told: Facts, arrays: Mapping[str, np.ndarray], outputs: int) -> None:
        """What `parts` gave, for so many classes, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """
        shape = told.wholes("shape")
        if len(shape) != 3 or min(shape) < 1 or math.prod(shape) > LARGEST_PICTURE:
            told.refuse("shape", f"height, width and channels, {LARGEST_PICTURE:,} numbers at the most", shape)
        self.image_shape_, self.are_bytes_ = shape, told.truth("bytes")
        self.low_, self.unit_ = told.number("low"), told.number("unit", LEAST_UNIT)
        self.kernel_ = Kernel(told.number("share", 0), told.number("steepness", 0))
        self.penalty_, self.sharpness_ = told.number("penalty", 0), told.number("sharpness", 0)
        distances = told.numbers("distances")
        if len(distances) != 2 or min(distances) <= 0:
            told.refuse("distances", "two above 0", distances)
        self.distances_ = list(distances)
        # As many numbers as a picture of this shape has, which is had by taking those of one.
        widths = [each.shape[1] for each in self._features(np.zeros((1, *shape), np.float32))]
        count = max(len(arrays.get("gradients", ())), 1)
        self.landmarks_ = [checked_array(arrays, name, told.where, (count, width), "f")
                           for name, width in zip(("gradients", "colours"), widths, strict=True)]
        self.weights_ = checked_array(arrays, "weights", told.where, (count + 1, outputs), "f")

    def _features(self, images: np.ndarray) -> list[np.ndarray]:
        """Gradients and colours."""
        at_once = max(min(PICTURES_AT_ONCE, PIXELS_AT_ONCE // math.prod(images.shape[1:3])), 1)
        blocks = (images[start : start + at_once] for start in range(0, len(images), at_once))
        return [np.concatenate(parts) for parts in zip(*map(self._features_of, blocks), strict=True)]

    def _features_of(self, images: Array) -> list[Array]:
        """Gradients and colours of a few pictures."""
        # Of bytes, this changes nothing: their differences are told exactly.
        tones = (namespace(images).astype(images, np.float32) - self.low_) / (self.unit_ / 255)
        return [gradients_of(tones), colours_of(tones)]

    def _apart(self, features: Sequence[Array]) -> list[Any]:
        """How far pictures are from those that they are compared with, by gradients and by colours."""
        return [_squared_distances(one, other) / unit
                for one, other, unit in zip(features, self.landmarks_, self.distances_, strict=True)]

    def _scores(self, features: Sequence[Array]) -> Any:
        """Of what the logarithms of probabilities are, but for what is added to all of a picture."""
        alike = self.kernel_(*self._apart(features))
        return self.sharpness_ * (alike @ self.weights_[:-1] + self.weights_[-1])

    def _in_jax(self, rows: Any) -> Any:
        return jax.nn.softmax(self._scores(self._features_of(rows)), axis=1)

    def _drawn_rows(self) -> np.ndarray:
        """Patches of any tone, from coarse ones to single pixels, and their means."""
        rng, (height, width, channels) = np.random.default_rng(0), self.image_shape_
        sizes = [max(max(height, width) // cells, 1) for cells in PATCHES]
        patches = [rng.uniform(size=(-(-height // size), -(-width // size), channels)).repeat(size, 0).repeat(size, 1)
                   [:height, :width] for size in sizes for _ in range(len(PATCHES))]
        drawn = np.stack([*patches, *((one + other) / 2 for one, other in pairwise(patches))]) * self.unit_ + self.low_
        return drawn.astype(np.uint8 if self.are_bytes_ else np.float32)


def _squared_distances(one: Array, other: np.ndarray) -> Array:
    """In double precision: weights may be large, and small distances are differences of large numbers."""
    xp = namespace(one)
    one, other = xp.astype(one, np.float64), other.astype(np.float64)
    squares = [xp.sum(each * each, axis=1) for each in (one, other)]
    return xp.maximum(squares[0][:, None] + squares[1] - 2.0 * (one @ other.T), 0.0)


def _mean_distance(features: np.ndarray) -> float:
    """Of pairs, squared: twice the variance; above 0, as pictures may be all alike."""
    return max(2.0 * float(features.var(axis=0, dtype=np.float64).sum()), 1e-9)
