"""The residual networks of which weights are to be had: ResNet-18, -34, -50 and their kin, as torchvision has them."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._facts import Facts
from descend.neural._pictured import PictureNetwork
from descend.neural._residual import ConvBatchNorm, RunningStatistics
from descend.neural._weights import filled, weights

STAGES = 4
# The first layer's windows, and pixels from one to the next.
STEM_SIDE, STEM_STRIDE = 7, 2
# What follows a block of three layers is four times as wide as they are.
WIDENING = 4
# Of a file, which may be anybody's: far more than any network has.
MOST_BLOCKS, MOST_CHANNELS = 100, 4096
# Of ImageNet's pictures, in red, green and blue, of numbers from 0 to 1; by torchvision's recipes. Grey is their mean.
IMAGENET_MEAN, IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# What is subtracted from each channel's pixels, and what they are multiplied by then.
Units = tuple[tuple[float, ...], tuple[float, ...]]


class LayerShape(NamedTuple):
    """A convolution: the side of its windows, channels before and after it, and pixels from one window to the next."""

    side: int
    inputs: int
    outputs: int
    stride: int = 1


class BlockShape(NamedTuple):
    """The layers of a block, and the one beside them, if there is one."""

    layers: tuple[LayerShape, ...]
    shortcut: LayerShape | None

    @property
    def parts(self) -> tuple[LayerShape, ...]:
        """All of them, that beside the others last."""
        return self.layers if self.shortcut is None else (*self.layers, self.shortcut)


@dataclass(frozen=True)
class ResNetShape:
    """A network by its numbers: `depths`, the blocks of each stage; `width`, the channels of the first one; `is_deep`,
    whether blocks have three layers and not two; `channels` of a picture."""

    depths: tuple[int, ...]
    width: int
    is_deep: bool
    channels: int

    @property
    def stem(self) -> LayerShape:
        """The first layer."""
        return LayerShape(STEM_SIDE, self.channels, self.width, STEM_STRIDE)

    @property
    def stages(self) -> Iterator[list[BlockShape]]:
        """The blocks of each stage; the first of a stage halves the picture, but for that of the first one."""
        before = self.width
        for stage, depth in enumerate(self.depths):
            inner, stride = self.width * 2**stage, 1 if stage == 0 else 2
            after = inner * (WIDENING if self.is_deep else 1)
            yield [self._block(before if number == 0 else after, inner, after, stride if number == 0 else 1)
                   for number in range(depth)]
            before = after

    @property
    def features(self) -> int:
        """How many there are at the end."""
        return self.width * 2 ** (STAGES - 1) * (WIDENING if self.is_deep else 1)

    @property
    def blocks(self) -> list[BlockShape]:
        """Those of all stages."""
        return [block for stage in self.stages for block in stage]

    @property
    def layers(self) -> list[LayerShape]:
        """All of them in order, that beside a block after those in it."""
        return [self.stem, *(layer for block in self.blocks for layer in block.parts)]

    def nested(self, each: Iterable[Any]) -> list[Any]:
        """What there is of each layer, in order: that of the first, and a list for each block."""
        rest = iter(each)
        return [next(rest), *([next(rest) for _ in block.parts] for block in self.blocks)]

    @property
    def name(self) -> str:
        """What it is called, by the layers on the longest way through it."""
        return f"ResNet-{2 + sum(self.depths) * (3 if self.is_deep else 2)}"

    def size(self, outputs: int) -> int:
        """How many weights one with so many outputs has."""
        of_layers = sum((each.side**2 * each.inputs + 2) * each.outputs for each in self.layers)
        return of_layers + (self.features + 1) * outputs

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self) | {"depths": list(self.depths)}

    @classmethod
    def of_facts(cls, told: Facts) -> "ResNetShape":
        """What `facts` gave, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """
        depths = told.wholes("depths")
        if len(depths) != STAGES or not all(1 <= depth <= MOST_BLOCKS for depth in depths):
            told.refuse("depths", f"{STAGES} of 1 to {MOST_BLOCKS}", depths)
        return cls(depths, told.whole("width", 1, MOST_CHANNELS), told.truth("is_deep"), told.whole("channels", 1, 3))

    def _block(self, before: int, inner: int, after: int, stride: int) -> BlockShape:
        # The window of 3×3 is what skips, as in torchvision, and not the first layer, as in the paper.
        layers = (LayerShape(1, before, inner), LayerShape(3, inner, inner, stride), LayerShape(1, inner, after))
        plain = (LayerShape(3, before, inner, stride), LayerShape(3, inner, after))
        beside = LayerShape(1, before, after, stride) if before != after or stride > 1 else None
        return BlockShape(layers if self.is_deep else plain, beside)


class ResNetBlock(eqx.Module):
    """Layers with a rectifier after each, the last of them after what came in was added, or what the `shortcut` made of
    it."""

    layers: list[ConvBatchNorm]
    shortcut: ConvBatchNorm | None
    strides: tuple[int, ...]

    def __call__(
        self, x: Array, running: list[RunningStatistics], training: bool
    ) -> tuple[Array, list[RunningStatistics]]:
        """The outputs, and the running statistics of all layers after the batch."""
        y, after = x, []
        for number, (layer, stride) in enumerate(zip(self.layers, self.strides, strict=True)):
            y, ran = layer(jax.nn.relu(y) if number else y, running[number], training, stride)
            after.append(ran)
        if self.shortcut is not None:
            x, ran = self.shortcut(x, running[-1], training, max(self.strides))
            after.append(ran)
        return jax.nn.relu(x + y), after


class ResNet(PictureNetwork):
    """A layer of 7×7, the largest of 3×3, four stages of blocks, and a mean over pixels.

    `centre`, `rescale`: what is subtracted from each channel's pixels, and what they are multiplied by then.

    Reference: He et al., "Deep residual learning for image recognition", arXiv 1512.03385.
    """

    stem: ConvBatchNorm
    blocks: list[ResNetBlock]
    weight: Array
    bias: Array
    centre: tuple[float, ...]
    rescale: tuple[float, ...]
    sees: tuple[int, int, int]
    dropout: float

    @classmethod
    def of(
        cls, shape: ResNetShape, layers: Iterable[ConvBatchNorm], sees: tuple[int, int, int], outputs: int,
        units: Units, dropout: float, rng: np.random.Generator,
    ) -> "ResNet":
        """One of these layers, with another linear one drawn."""
        stem, *rest = shape.nested(layers)
        blocks = []
        for block, parts in zip(shape.blocks, rest, strict=True):
            count = len(block.layers)
            beside = parts[count] if block.shortcut else None
            blocks.append(ResNetBlock(parts[:count], beside, tuple(each.stride for each in block.layers)))
        weight = weights(rng.normal(0, np.sqrt(1 / shape.features), (shape.features, outputs)))
        centre, rescale = units
        return cls(stem=stem, blocks=blocks, weight=weight, bias=filled(outputs), centre=centre, rescale=rescale,
                   sees=sees, dropout=dropout)

    @property
    def layers(self) -> list[ConvBatchNorm]:
        """All of them in the order of its shape's."""
        of_blocks = ([*block.layers, *([] if block.shortcut is None else [block.shortcut])] for block in self.blocks)
        return [self.stem, *(layer for parts in of_blocks for layer in parts)]

    def of_seen(self, x: Array, state: Any, training: bool) -> tuple[Array, Any]:
        """The features of pictures as it sees them, and the state after the batch."""
        centre, rescale = (jnp.asarray(np.array(each), x.dtype) for each in (self.centre, self.rescale))
        x, first = self.stem((x - centre) * rescale, state[0], training, STEM_STRIDE)
        x = max_of_three(jax.nn.relu(x))
        after: list[Any] = [first]
        for block, before in zip(self.blocks, state[1:], strict=True):
            x, ran = block(x, before, training)
            after.append(ran)
        return x.mean((1, 2)), after


def pixel_units(channels: int, of_bytes: bool, centre: float, scale: float) -> Units:
    """What is subtracted from each channel, and what it is multiplied by: by ImageNet's numbers, of bytes.

    Other numbers are in units of their own spread, as pictures are by ImageNet's.
    """
    if not of_bytes:
        return (centre,) * channels, (1 / scale,) * channels
    mean: tuple[float, ...] = IMAGENET_MEAN
    spread: tuple[float, ...] = IMAGENET_SPREAD
    if channels != len(mean):
        mean, spread = ((float(np.mean(each)),) * channels for each in (mean, spread))
    return tuple(255 * each for each in mean), tuple(1 / (255 * each) for each in spread)


def max_of_three(x: Array) -> Array:
    """The largest of each 3×3, from one to the next two pixels on; of numbers of at least 0.

    >>> max_of_three(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    for axis in (1, 2):
        length = (x.shape[axis] + 1) // 2
        edge = [(0, 0)] * x.ndim
        edge[axis] = (1, 2 * length - x.shape[axis])
        # Zeros around it are never more than what is there.
        x = jnp.pad(x, edge)
        at = lambda begin, x=x, axis=axis, length=length: jax.lax.slice_in_dim(
            x, begin, begin + 2 * length - 1, stride=2, axis=axis)
        x = jnp.maximum(jnp.maximum(at(0), at(1)), at(2))
    return x


def drawn_layers(shape: ResNetShape, rng: np.random.Generator) -> list[ConvBatchNorm]:
    """Layers of a shape with weights drawn for rectifiers."""
    return [ConvBatchNorm.drawn(each.side, each.inputs, each.outputs, rng) for each in shape.layers]
