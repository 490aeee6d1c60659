"""A small residual network, with normalisation over the batch."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._tree import Tree
from descend.neural._convolution import conv2d, conv2d_skipping, mean_pool, space_to_depth
from descend.neural._pictured import PictureNetwork
from descend.neural._weights import filled, weights

# PyTorch's. Of the momentum there are two meanings: here it is the share of the new batch, as there, and not of the
# old.
BATCH_NORM_MOMENTUM, BATCH_NORM_EPS = 0.1, 1e-5
# Pixels along the shorter side: from here on, there are squares of 2×2, and another block.
MIN_SQUARES_SIDE, MIN_BLOCK_SIDE = 20, 8
# Times the first width: further doubling would put most weights where the image is smallest.
MAX_WIDENING = 8


class RunningStatistics(NamedTuple):
    """The running mean and variance of a layer's channels."""

    mean: Array
    var: Array


class ConvBatchNorm(eqx.Module):
    """A convolution, and its outputs in units of their spread over the batch: `gain · (y − mean) / √(var + ε) + bias`.

    After training, mean and variance are the running ones, which each batch moves a tenth of the way to its own.

    Reference: Ioffe and Szegedy, "Batch normalization", arXiv 1502.03167.
    """

    kernel: Array
    gain: Array
    bias: Array

    @classmethod
    def drawn(
        cls, side: int, channels: int, outputs: int, rng: np.random.Generator, gain: float = 1.0
    ) -> "ConvBatchNorm":
        """One with weights drawn for rectifiers (He et al., arXiv 1502.01852)."""
        kernel = rng.normal(0, np.sqrt(2 / (side * side * channels)), (side, side, channels, outputs))
        return cls(weights(kernel), filled(outputs, gain), filled(outputs))

    def __call__(
        self, x: Array, running: RunningStatistics, training: bool, stride: int = 1
    ) -> tuple[Array, RunningStatistics]:
        """The outputs, and the running statistics after the batch; `stride`: from one window to the next, 1 or 2."""
        convolved = conv2d if stride == 1 else conv2d_skipping
        y = convolved(x, self.kernel, len(self.kernel) // 2)
        return batch_norm(y, self.gain, self.bias, running, training)

    @property
    def fresh(self) -> RunningStatistics:
        """The running statistics before the first batch."""
        return RunningStatistics(filled(len(self.bias)), filled(len(self.bias), 1.0))


def batch_norm(
    x: Array, gain: Array, bias: Array, running: RunningStatistics, training: bool
) -> tuple[Array, RunningStatistics]:
    """Each channel of `x` in units of its spread, and the running statistics, which take the variance without bias.

    In training, the spread is that of the batch, else the running one. In half precision, sums are in single.
    """
    mean, var = running
    if training:
        # 1. The batch's own mean and variance, in two passes: the mean of squares minus the squared mean would lose all
        #    digits of channels that are far from 0.
        count = x.size // x.shape[-1]
        mean = _mean(x, mean.dtype)
        var = _mean(jnp.square(x - mean.astype(x.dtype)), mean.dtype)
        # 2. What is kept for use after training is the variance without bias, as in PyTorch, though what the batch
        #    itself is divided by has it: Ioffe and Szegedy do so, too. No gradient flows through what is kept.
        now = RunningStatistics(mean, var * (count / max(count - 1, 1)))
        moved = lambda old, new: old + BATCH_NORM_MOMENTUM * (new - old)
        running = jax.tree.map(moved, running, jax.lax.stop_gradient(now))
    # 3. One product and one sum for each number, instead of four operations.
    scale = gain / jnp.sqrt(var + BATCH_NORM_EPS)
    return x * scale.astype(x.dtype) + (bias - mean * scale).astype(x.dtype), running


def _mean(x: Array, dtype: np.dtype) -> Array:
    """The mean of each channel; first over pixels, so that several threads can share the work."""
    return x.astype(dtype).reshape(len(x), -1, x.shape[-1]).mean(1).mean(0)


class Block(eqx.Module):
    """Two layers, and what came in added to what they give: `φ(shortcut(x) + second(φ(first(x))))`.

    `shortcut`: a layer of 1×1, where there are to be more channels than came in.
    """

    first: ConvBatchNorm
    second: ConvBatchNorm
    shortcut: ConvBatchNorm | None

    @classmethod
    def drawn(cls, channels: int, outputs: int, rng: np.random.Generator) -> "Block":
        """One that begins with what came in, because the gain of its second layer is zero (Goyal, arXiv 1706.02677)."""
        first = ConvBatchNorm.drawn(3, channels, outputs, rng)
        second = ConvBatchNorm.drawn(3, outputs, outputs, rng, gain=0.0)
        return cls(first, second, None if channels == outputs else ConvBatchNorm.drawn(1, channels, outputs, rng))

    def __call__(
        self, x: Array, running: list[RunningStatistics], training: bool
    ) -> tuple[Array, list[RunningStatistics]]:
        """The outputs, and the running statistics of all layers after the batch."""
        y, one = self.first(x, running[0], training)
        y, two = self.second(jax.nn.relu(y), running[1], training)
        if self.shortcut is None:
            return jax.nn.relu(x + y), [one, two]
        x, three = self.shortcut(x, running[2], training)
        return jax.nn.relu(x + y), [one, two, three]

    @property
    def fresh(self) -> list[RunningStatistics]:
        """The running statistics before the first batch."""
        return [layer.fresh for layer in (self.first, self.second, self.shortcut) if layer is not None]


class Residual(PictureNetwork):
    """A layer, and blocks, between which the image is halved and the width doubled; then a mean over pixels.

    Large images are first cut into squares of 2×2, which become channels. `centre`, `rescale`: as in `LeNet`.

    Reference: He et al., "Deep residual learning for image recognition", arXiv 1512.03385.
    """

    stem: ConvBatchNorm
    blocks: list[Block]
    weight: Array
    bias: Array
    centre: float
    rescale: float
    dropout: float
    begins_with_squares: bool
    sees: tuple[int, int, int]

    @classmethod
    def drawn(
        cls, shape: tuple[int, ...], outputs: int, centre: float, rescale: float, dropout: float, width: int,
        rng: np.random.Generator,
    ) -> tuple["Residual", list[Any]]:
        """One for images of a shape, and the state that it begins with."""
        # Squares of 2×2 as channels: the first layers are those that cost most, and so see a quarter of the places.
        height, across, channels = shape
        side = min(height, across)
        squares = side >= MIN_SQUARES_SIDE
        side, channels = (side // 2, 4 * channels) if squares else (side, channels)
        stem, blocks = ConvBatchNorm.drawn(3, channels, width, rng), [Block.drawn(width, width, rng)]
        features = width
        while side >= MIN_BLOCK_SIDE:
            wider = min(2 * features, MAX_WIDENING * width)
            blocks.append(Block.drawn(features, wider, rng))
            side, features = side // 2, wider
        weight = weights(rng.normal(0, np.sqrt(1 / features), (features, outputs)))
        state = [stem.fresh, *(block.fresh for block in blocks)]
        network = cls(stem=stem, blocks=blocks, weight=weight, bias=filled(outputs), centre=centre, rescale=rescale,
                      dropout=dropout, begins_with_squares=squares, sees=(height, across, shape[2]))
        return network, state

    @staticmethod
    def size(shape: tuple[int, ...], outputs: int, width: int) -> int:
        """How many weights one for images of a shape has."""
        layer = lambda side, channels, outputs: (side * side * channels + 2) * outputs
        side, channels = min(shape[:2]), shape[2]
        side, channels = (side // 2, 4 * channels) if side >= MIN_SQUARES_SIDE else (side, channels)
        size, features = layer(3, channels, width) + 2 * layer(3, width, width), width
        while side >= MIN_BLOCK_SIDE:
            wider = min(2 * features, MAX_WIDENING * width)
            size += layer(3, features, wider) + layer(3, wider, wider)
            size += 0 if wider == features else layer(1, features, wider)
            side, features = side // 2, wider
        return size + (features + 1) * outputs

    def of_seen(self, x: Array, state: Tree, training: bool) -> tuple[Array, Tree]:
        """The features of pictures as it sees them, and the state after the batch."""
        x = (x - self.centre) * self.rescale
        x, first = self.stem(space_to_depth(x) if self.begins_with_squares else x, state[0], training)
        x = jax.nn.relu(x)
        after: list[Any] = [first]
        for number, (block, before) in enumerate(zip(self.blocks, state[1:], strict=True)):
            x, ran = block(mean_pool(x) if number else x, before, training)
            after.append(ran)
        return x.mean((1, 2)), after
