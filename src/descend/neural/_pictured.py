"""What networks of pictures share: they bring a picture to what they look at, and end with a linear layer."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._tree import Tree
from descend.neural._network import Network
from descend.neural.perceptron import apply_dropout

# What red, green and blue add to grey, by which Pillow makes grey pictures, too (Recommendation ITU-R BT.601).
GREY_OF_COLOURS = (0.299, 0.587, 0.114)


class PictureNetwork(Network):
    """Features of pictures, and a linear layer on them.

    `sees`: height, width and channels that it looks at; pictures of others are brought to these. `dropout`: the share
    of the features that is left out in training.
    """

    weight: eqx.AbstractVar[Array]
    bias: eqx.AbstractVar[Array]
    sees: eqx.AbstractVar[tuple[int, int, int]]
    dropout: eqx.AbstractVar[float]

    def of_seen(self, x: Array, state: Tree, training: bool) -> tuple[Array, Tree]:
        """The features of pictures as it sees them, and the state after the batch."""
        raise NotImplementedError

    def features(self, inputs: Array, state: Tree, training: bool = False) -> tuple[Array, Tree]:
        """The features of pictures, (count, features), and the state after the batch."""
        return self.of_seen(brought_to(inputs.astype(self.weight.dtype), self.sees), state, training)

    def __call__(self, inputs: Array, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        x, after = self.features(inputs, state, key is not None)
        if self.dropout and key is not None:
            x = apply_dropout(x, self.dropout, key)
        return x @ self.weight + self.bias, after

    @property
    def is_random(self) -> bool:
        """It has a state, and so differs in training from use."""
        return True


def brought_to(x: Array, shape: tuple[int, int, int]) -> Array:
    """Pictures, (count, height, width, channels), as ones of this shape; those that are so already stay the same.

    >>> brought_to(jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1), (1, 4, 1))[0, 0, :, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    height, width, channels = shape
    if x.shape[3] != channels:
        x = x @ jnp.asarray(_mixing(x.shape[3], channels), x.dtype)
    if x.shape[1:3] != (height, width):
        rows, columns = (jnp.asarray(_resizing(*sizes), x.dtype)
                         for sizes in ((x.shape[1], height), (x.shape[2], width)))
        x = jnp.einsum("hi,niwc->nhwc", rows, x)
        x = jnp.einsum("wj,nhjc->nhwc", columns, x)
    return x


def _mixing(channels: int, wanted: int) -> np.ndarray:
    """Grey is as much of each colour."""
    return np.array(GREY_OF_COLOURS)[:, None] if wanted == 1 else np.ones((channels, wanted)) / channels


def _resizing(length: int, wanted: int) -> np.ndarray:
    """What each pixel of an axis adds to each of the new ones, (wanted, length): linearly less by its distance.

    Where pixels become fewer, a new one is a mean over all that it covers.
    """
    scale = length / wanted
    centres = (np.arange(wanted) + 0.5) * scale
    apart = np.abs(np.arange(length) + 0.5 - centres[:, None]) / max(scale, 1.0)
    shares = np.maximum(1 - apart, 0)
    return shares / shares.sum(axis=1, keepdims=True)
