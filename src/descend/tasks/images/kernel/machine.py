"""A kernel on gradients and colours: pictures are told by which of those learnt from they are like."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from descend._facts import Facts, checked_array
from descend.neural.images import LARGEST_PICTURE, as_images, refuse_unlike
from descend.tasks.images.kernel.colours import colours_of
from descend.tasks.images.kernel.gradients import gradients_of
from descend.tasks.images.kernel.solving import Kernel, best_kernel

# Pictures that others are compared with, at the most; and pictures whose features are had at a time.
LANDMARKS, PICTURES_AT_ONCE = 1500, 256


class HogClassifier(ClassifierMixin, BaseEstimator):
    """Classes of pictures by histograms of oriented gradients, colours, and ridge regression with a kernel.

    What the kernel is, and the penalty, is what loses least on pictures left out, each in turn, which is known exactly
    (`descend.tasks.images.kernel.ridge`). Nothing in it is random but which pictures others are compared with, where
    there are more than 1,500: drawn by `random_state`.

    Attributes: `classes_`; `image_shape_`; `left_out_`, the probabilities of each picture learnt from by what the
    others say; `kernel_`, `penalty_`, `sharpness_`.
    """

    KIND: ClassVar[str] = "HogClassifier"

    def __init__(self, random_state: int = 0):
        self.random_state = random_state

    def fit(self, X: Any, y: Any, enough: Callable[[], bool] = lambda: False) -> "HogClassifier":
        """Learn from pictures and their classes; `enough`: whether to make do with the kernels tried so far."""
        images = as_images(X)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.image_shape_, self.are_bytes_ = images.shape[1:], images.dtype == np.uint8
        low, high = (0.0, 255.0) if self.are_bytes_ else (float(images.min()), float(images.max()))
        self.low_, self.unit_ = low, max(high - low, float(np.finfo(np.float32).tiny))
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
        alike = self.kernel_(*self._apart(self._features(images)))
        return softmax(self.sharpness_ * (alike @ self.weights_[:-1] + self.weights_[-1]), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def describe(self) -> str:
        """What it is, in a few words."""
        told = f" and {self.kernel_.share:.0%} as much of colours" if self.kernel_.share else ""
        return (f"kernel on histograms of gradients{told}, {len(self.landmarks_[0]):,} pictures to compare with, at a "
                f"penalty of {self.penalty_:.3g}")

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it predicts by, as facts for JSON, and arrays by name."""
        facts = {"kind": self.KIND, "shape": list(self.image_shape_), "bytes": bool(self.are_bytes_), "low": self.low_,
                 "unit": self.unit_, "share": self.kernel_.share, "steepness": self.kernel_.steepness,
                 "distances": self.distances_, "penalty": self.penalty_, "sharpness": self.sharpness_}
        return facts, {"gradients": self.landmarks_[0], "colours": self.landmarks_[1], "weights": self.weights_}

    @classmethod
    def from_parts(cls, told: Facts, arrays: Mapping[str, np.ndarray], outputs: int) -> "HogClassifier":
        """What `parts` took apart, for so many classes, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """
        made, least = cls(), float(np.finfo(np.float32).tiny)
        shape = told.wholes("shape")
        if len(shape) != 3 or min(shape) < 1 or math.prod(shape) > LARGEST_PICTURE:
            told.refuse("shape", f"height, width and channels, {LARGEST_PICTURE:,} numbers at the most", shape)
        made.image_shape_, made.are_bytes_, made.classes_ = shape, told.truth("bytes"), np.arange(outputs)
        made.low_, made.unit_ = told.number("low"), told.number("unit", least)
        made.kernel_ = Kernel(told.number("share", 0), told.number("steepness", 0))
        made.penalty_, made.sharpness_ = told.number("penalty", 0), told.number("sharpness", 0)
        distances = told.numbers("distances")
        if len(distances) != 2 or min(distances) <= 0:
            told.refuse("distances", "two above 0", distances)
        made.distances_ = list(distances)
        # As many numbers as a picture of this shape has, which is had by taking those of one.
        widths = [each.shape[1] for each in made._features(np.zeros((1, *shape), np.float32))]
        count = max(len(arrays.get("gradients", ())), 1)
        made.landmarks_ = [checked_array(arrays, name, told.where, (count, width), "f")
                           for name, width in zip(("gradients", "colours"), widths, strict=True)]
        made.weights_ = checked_array(arrays, "weights", told.where, (count + 1, outputs), "f")
        return made

    def _features(self, images: np.ndarray) -> list[np.ndarray]:
        """Gradients and colours."""
        blocks = ((images[start : start + PICTURES_AT_ONCE].astype(np.float32) - self.low_) / self.unit_
                  for start in range(0, len(images), PICTURES_AT_ONCE))
        each = [(gradients_of(block), colours_of(block)) for block in blocks]
        return [np.concatenate(parts) for parts in zip(*each, strict=True)]

    def _apart(self, features: list[np.ndarray]) -> list[np.ndarray]:
        """How far pictures are from those that they are compared with, by gradients and by colours."""
        return [_squared_distances(one, other) / unit
                for one, other, unit in zip(features, self.landmarks_, self.distances_, strict=True)]


def _squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squares = [np.square(each, dtype=np.float64).sum(axis=1) for each in (one, other)]
    return np.maximum(squares[0][:, None] + squares[1] - 2.0 * (one @ other.T), 0.0)


def _mean_distance(features: np.ndarray) -> float:
    """Of pairs, squared: twice the variance; above 0, as pictures may be all alike."""
    return max(2.0 * float(features.var(axis=0, dtype=np.float64).sum()), 1e-9)
