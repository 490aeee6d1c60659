"""Convolutional networks for images."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from descend._facts import Facts
from descend._flags import as_flag
from descend._saved import Savable
from descend._scaling import centre_and_unit
from descend._tree import Tree
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.neural._augmentation import Augment
from descend.neural._classifier import NeuralClassifier
from descend.neural._estimator import NetworkInit
from descend.neural._lenet import MIN_SIDE, LeNet
from descend.neural.resnet_files import write_weights
from descend.neural.starting import LARGEST_PICTURE, Plan, Start
from descend.observers import Observer
from descend.optimizers import AdamW
from descend.schedules.trapezium import Trapezium

MODELS = ("residual", "lenet")
# By default, images move by up to one part in so many of their shorter side: by a pixel, of MNIST's 28.
SHIFT_DIVISOR = 28
# By default, so many pixels are seen, which is what a training costs; in no fewer and no more epochs.
PIXELS_SEEN, MIN_EPOCHS, MAX_EPOCHS = 6e8, 14, 100
# With a start: times that pictures are seen, the highest rate, the share of steps in which it rises, and the decay.
START_EPOCHS, START_RATE, START_RISE, START_DECAY = 20, 1e-3, 0.1, 0.05
# Images; where there are more, batches are larger, and of fewer images there would be too few steps in an epoch.
LARGE_SET, SMALL_BATCH, LARGE_BATCH = 20_000, 64, 128
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
    - `start`: weights to start from, in place of `model` and `width`: a file in the format safetensors of a ResNet in
      torchvision's layout, or of a network that `save` wrote, or the folder of a run of pictures. All layers but the
      last are its own, and are trained on, at a rate of 0.001 where nobody says. Of a file in torchvision's layout,
      bytes are centred and scaled as ImageNet's are, and pictures of less than 64 pixels are enlarged to that. A run's
      network sees pictures in the size that it was trained on. Grey is as much of each colour.
    - `shift`: by how many pixels, at the most, an image is moved along both axes, anew each time that it is seen in
      training; "auto" is a twenty-eighth of the shorter side.
    - `flip`: whether half of them are mirrored, left to right; off, because letters and digits would become others.
    - `dropout`: the share of the last features that is left out at random in training.
    - `batch_size`: "auto" is 64, and 128 above 20,000 images.
    - `epochs`: by default, as many as 600 million pixels make, but 14 at the least and 100 at the most; with a `start`
      20.

    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> model = ConvClassifier(width=8, epochs=8, batch_size=16, random_state=0)
    >>> _ = model.fit(digits.images[:600], digits.target[:600])
    >>> bool(model.score(digits.images[600:], digits.target[600:]) > 0.8)
    True

    **Raises** `InputError` for settings that mean nothing, and for arrays that are no images.
    """

    _block = 256
    _unsaved: ClassVar[frozenset[str]] = Savable._unsaved | {"start"}

    def __init__(
        self,
        model: str = "residual",
        *,
        width: int = 32,
        start: str | Path | Start | None = None,
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
        self.start = start
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
            self.plan_ = Plan(self.image_shape_, self.width)
            if (start := self._started()) is not None:
                self._epochs, self.plan_ = START_EPOCHS, start.plan_for(self.image_shape_)
        else:
            refuse_unlike(X, images, self.image_shape_, self.are_bytes_)
        return images

    def _init_network(self, inputs: Tree, outputs: int, rng: np.random.Generator) -> NetworkInit:
        shape, units = inputs.shape[1:], (self.centre_, self.scale_)
        shift = round(min(shape[:2]) / SHIFT_DIVISOR) if self.shift == "auto" else int(self.shift)
        augment = Augment(shift, self.flip) if shift or self.flip else None
        if self.model == "lenet":
            drawn = LeNet.drawn(shape, outputs, self.centre_, 1 / self.scale_, self.dropout, rng)
            return NetworkInit(drawn, augment=augment)
        network, state = self.plan_.drawn(outputs, (self.are_bytes_, *units), self.dropout, rng)
        if (start := self._started()) is not None:
            network, state = start.put_into(network)
        return NetworkInit(network, state, augment)

    def _started(self) -> Start | None:
        """What is started from."""
        return self.start if self.start is None or isinstance(self.start, Start) else Start.read(self.start)

    def _rule(self, inputs: Tree, batch_size: int) -> Any:
        """With a start, no rate is tried out: a high one would have lost the start by then."""
        if self.start is None or not (isinstance(self.optimizer, str) and self.optimizer == "auto"):
            return super()._rule(inputs, batch_size)
        epochs = self._epochs if self.epochs is None else self.epochs
        steps = max(1.0, math.ceil(epochs * len(inputs) / batch_size))
        return AdamW(Trapezium(START_RATE, max(1.0, START_RISE * steps), steps), weight_decay=START_DECAY)

    def save_weights(self, path: str | Path) -> None:
        """Write the network that was started from a ResNet to a file in torchvision's layout: its names, in the format
        safetensors. PyTorch loads it by `model.load_state_dict(safetensors.torch.load_file(path))`.

        Pictures are to be given to it as `describe` and the class tell: centred and scaled as ImageNet's, of one size.

        **Raises** `InputError` for a network of another kind, and where nothing can be written.
        """
        check_is_fitted(self)
        if self.plan_.resnet is None:
            raise InputError(f"this is a {self.model} network, which torchvision has no layout for: save keeps it")
        write_weights(Path(path), self.network_, self.state_, self.plan_.resnet)

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        facts = {"shape": list(self.image_shape_), "bytes": self.are_bytes_, "centre": self.centre_,
                 "scale": self.scale_}
        # Where it is not what the settings say.
        is_another = self.plan_ != Plan(self.image_shape_, self.width)
        return facts | ({"plan": self.plan_.facts()} if is_another else {}), {}

    def _take_inputs(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[Tree, int]:
        shape = told.wholes("shape")
        if len(shape) != 3 or math.prod(shape) > LARGEST_PICTURE:
            told.refuse("shape", f"height, width and channels, {LARGEST_PICTURE:,} numbers at the most", shape)
        if self.model == "lenet" and min(shape[:2]) < MIN_SIDE:
            told.refuse("shape", f"at least {MIN_SIDE} pixels high and wide", shape)
        self.image_shape_, self.are_bytes_ = shape, told.truth("bytes")
        self.centre_, self.scale_ = told.number("centre"), told.number("scale", float(np.finfo(np.float32).tiny))
        self.plan_ = Plan(shape, self.width)
        if told.has("plan"):
            self.plan_ = Plan.of_facts(told.inner("plan"))
        size = LeNet.size(shape, outputs) if self.model == "lenet" else self.plan_.size(outputs)
        return np.broadcast_to(0.0, (1, *shape)), size

    def _drawn_rows(self) -> np.ndarray:
        rng, shape = np.random.default_rng(0), (DRAWN_PICTURES, *self.image_shape_)
        if self.are_bytes_:
            return rng.integers(0, 256, shape).astype(np.uint8)
        return (rng.normal(size=shape) * self.scale_ + self.centre_).astype(np.float32)

    def _described(self, size: str) -> str:
        height, width, channels = self.image_shape_
        kind = self.plan_.resnet.name if self.plan_.resnet else f"{self.model} network"
        return f"{kind}, {size}, on {'grey' if channels == 1 else 'colour'} pictures of {height}×{width}"

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
        if self.start is not None and self.model == "lenet":
            raise InputError('start is for residual networks: leave model="lenet" out, or start')
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
