"""Convolutional networks for images."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from descend._facts import Facts
from descend._flags import as_flag
from descend._scaling import centre_and_unit
from descend._tree import Tree
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.neural._augmentation import Augment
from descend.neural._classifier import NeuralClassifier
from descend.neural._estimator import NetworkInit
from descend.neural._lenet import MIN_SIDE, LeNet
from descend.neural._residual import Residual
from descend.observers import Observer

MODELS = ("residual", "lenet")
# By default, images move by up to one part in so many of their shorter side: by a pixel, of MNIST's 28.
SHIFT_DIVISOR = 28
# By default, so many pixels are seen, which is what a training costs; in no fewer and no more epochs.
PIXELS_SEEN, MIN_EPOCHS, MAX_EPOCHS = 6e8, 14, 100
# Images; where there are more, batches are larger, and of fewer images there would be too few steps in an epoch.
LARGE_SET, SMALL_BATCH, LARGE_BATCH = 20_000, 64, 128
# Numbers of a picture that a saved network may ask for: files may be anybody's.
LARGEST_PICTURE = 2**20
# That an export is checked on.
DRAWN_PICTURES = 16


class ConvClassifier(NeuralClassifier):
    """A convolutional network that tells classes of images apart, trained to lower the cross-entropy.

    Images are an array `(count, height, width)`, or `(count, height, width, channels)`. Those of type uint8 stay so
    until a step takes them, and count from 0 to 255; others are centred and scaled by the mean and the spread of all
    their pixels. `descend.neural` says what the settings and attributes are that all estimators share. Besides:

    - `model`: "residual", a small residual network with batch normalisation; or "lenet", as in "Dive into Deep
      Learning".
    - `width`: the channels of the residual network's first layers.
    - `shift`: by how many pixels, at the most, an image is moved along both axes, anew each time that it is seen in
      training; "auto" is a twenty-eighth of the shorter side.
    - `flip`: whether half of them are mirrored, left to right; off, because letters and digits would become others.
    - `dropout`: the share of the last features that is left out at random in training.
    - `batch_size`: "auto" is 64, and 128 above 20,000 images.
    - `epochs`: by default, as many as 600 million pixels make, but 14 at the least and 100 at the most.

    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> model = ConvClassifier(width=8, epochs=8, batch_size=16, random_state=0)
    >>> _ = model.fit(digits.images[:600], digits.target[:600])
    >>> bool(model.score(digits.images[600:], digits.target[600:]) > 0.8)
    True

    **Raises** `InputError` for settings that mean nothing, and for arrays that are no images.
    """

    _block = 256

    def __init__(
        self,
        model: str = "residual",
        *,
        width: int = 32,
        shift: float | str = "auto",
        flip: bool = False,
        dropout: float = 0.0,
        optimizer: Any = "auto",
        batch_size: int | str = "auto",
        epochs: float | None = None,
        seconds: float | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int = 10,
        ema: float | None = None,
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
    ):
        self.model = model
        self.width = width
        self.shift = shift
        self.flip = flip
        self.dropout = dropout
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.epochs = epochs
        self.seconds = seconds
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.ema = ema
        self.precision = precision
        self.random_state = random_state
        self.warm_start = warm_start
        self.observers = observers
        self.checkpoint = checkpoint

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> "ConvClassifier":
        """Train on images `X` and their classes `y`; the rest is as in the other classifiers."""
        if len(X) != len(y):
            raise InputError(f"there are {len(X):,} images, but {len(y):,} classes")
        super().fit(X, y, sample_weight, X_val=X_val, y_val=y_val)
        return self

    def _inputs(self, X: Any, reset: bool) -> np.ndarray:
        images = as_images(X)
        # Bytes stay bytes until a step takes them: as numbers of single precision they would be four times as large.
        if reset:
            self.image_shape_, self.are_bytes_ = images.shape[1:], images.dtype == np.uint8
            self._epochs = int(np.clip(PIXELS_SEEN / math.prod(images.shape[:3]), MIN_EPOCHS, MAX_EPOCHS))
            self.centre_, self.scale_ = _units(images)
        else:
            refuse_unlike(X, images, self.image_shape_, self.are_bytes_)
        return images

    def _init_network(self, inputs: Tree, outputs: int, rng: np.random.Generator) -> NetworkInit:
        shape, units = inputs.shape[1:], (self.centre_, 1 / self.scale_)
        shift = round(min(shape[:2]) / SHIFT_DIVISOR) if self.shift == "auto" else int(self.shift)
        augment = Augment(shift, self.flip) if shift or self.flip else None
        if self.model == "lenet":
            return NetworkInit(LeNet.drawn(shape, outputs, *units, self.dropout, rng), augment=augment)
        network, state = Residual.drawn(shape, outputs, *units, self.dropout, self.width, rng)
        return NetworkInit(network, state, augment)

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"shape": list(self.image_shape_), "bytes": self.are_bytes_, "centre": self.centre_,
                "scale": self.scale_}, {}

    def _take_inputs(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[Tree, int]:
        shape = told.wholes("shape")
        if len(shape) != 3 or math.prod(shape) > LARGEST_PICTURE:
            told.refuse("shape", f"height, width and channels, {LARGEST_PICTURE:,} numbers at the most", shape)
        if self.model == "lenet" and min(shape[:2]) < MIN_SIDE:
            told.refuse("shape", f"at least {MIN_SIDE} pixels high and wide", shape)
        self.image_shape_, self.are_bytes_ = shape, told.truth("bytes")
        self.centre_, self.scale_ = told.number("centre"), told.number("scale", float(np.finfo(np.float32).tiny))
        size = LeNet.size(shape, outputs) if self.model == "lenet" else Residual.size(shape, outputs, self.width)
        return np.broadcast_to(0.0, (1, *shape)), size

    def _drawn_rows(self) -> np.ndarray:
        rng, shape = np.random.default_rng(0), (DRAWN_PICTURES, *self.image_shape_)
        if self.are_bytes_:
            return rng.integers(0, 256, shape).astype(np.uint8)
        return (rng.normal(size=shape) * self.scale_ + self.centre_).astype(np.float32)

    def _described(self, size: str) -> str:
        height, width, channels = self.image_shape_
        return f"{self.model} network, {size}, on {'grey' if channels == 1 else 'colour'} pictures of {height}×{width}"

    def _batch_size(self, count: int) -> int:
        if self.batch_size != "auto":
            return super()._batch_size(count)
        return min(SMALL_BATCH if count <= LARGE_SET else LARGE_BATCH, count)

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.model not in MODELS:
            raise InputError(f"model must be one of {', '.join(MODELS)}, but is {self.model!r}")
        if self.shift != "auto" and not (isinstance(self.shift, int | np.integer) and self.shift >= 0):
            raise InputError(f'shift must be "auto", or a number of pixels of at least 0, but is {self.shift!r}')
        as_flag("flip", self.flip)
        if not self.width >= 1:
            raise InputError(f"width must be at least 1, but is {self.width}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be at least 0 and less than 1, but is {self.dropout}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags


def as_images(X: Any) -> np.ndarray:
    """Images as an array `(count, height, width, channels)`, of uint8 if they were, else of float32.

    **Raises** `InputError` if the array has other axes, nothing in it, or numbers that are none.
    """
    try:
        images = np.asarray(X)
    except ValueError:
        raise InputError("the images differ in size: bring all to one height and width") from None
    if images.ndim not in (3, 4):
        raise InputError("images must be an array (count, height, width), or (count, height, width, channels), "
                         f"but have the shape {images.shape}")
    if not images.size:
        raise InputError(f"there are no images, but an array of shape {images.shape}")
    if not (images.dtype == bool or np.issubdtype(images.dtype, np.number)) or np.iscomplexobj(images):
        raise InputError(f"images must be arrays of real numbers, but are of type {images.dtype}")
    if images.dtype != np.uint8:
        images = images.astype(np.float32, copy=False)
        if not np.isfinite(images).all():
            image, *place = np.argwhere(~np.isfinite(images))[0].tolist()
            raise InputError(f"image {image} has a pixel that is {images[image][tuple(place)]}, at row {place[0]} and "
                             f"column {place[1]}: mend it or leave it out")
    return images if images.ndim == 4 else images[..., None]


def refuse_unlike(X: Any, images: np.ndarray, shape: tuple[int, ...], are_bytes: bool) -> None:
    """Refuse images, given as `X`, of another shape than those trained on, or bytes where those were none.

    **Raises** `InputError`.
    """
    if images.shape[1:] != shape:
        ours, theirs = ("×".join(map(str, each)) for each in (shape, images.shape[1:]))
        raise InputError(f"the images are {theirs} (height×width×channels), but those trained on were {ours}")
    if (images.dtype == np.uint8) != are_bytes:
        kind = "bytes, uint8" if are_bytes else "other numbers than bytes"
        raise InputError(f"the images are of type {np.asarray(X).dtype}, but those trained on were {kind}: give them "
                         "in the same units")


def _units(images: np.ndarray) -> tuple[float, float]:
    """What networks subtract from pixels, and what they divide them by."""
    # Of bytes it is known what they range over, and pictures that come later are in the same units for certain.
    if images.dtype == np.uint8:
        return 0.0, 255.0
    centre, unit = centre_and_unit(images.reshape(-1, 1))
    return float(centre[0]), float(unit[0])
