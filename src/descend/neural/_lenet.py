"""LeNet, as "Dive into Deep Learning" trains it."""


import jax
import numpy as np
from jaxtyping import Array

from descend._tree import Tree
from descend.errors import InputError
from descend.neural._convolution import conv2d, max_pool
from descend.neural._network import Network
from descend.neural._weights import filled, weights
from descend.neural.perceptron import apply_dropout

# Pixels along each axis, of which the two convolutions and maxima leave one.
MIN_SIDE = 12


class LeNet(Network):
    """Two convolutions of 5×5, each with a rectifier and the largest of 2×2, then layers of 120 and 84.

    `rescale`: what images are multiplied by, after `centre` was subtracted. `dropout`: the share of the two layers that
    is left out in training; none in the book.

    Reference: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998; with
    rectifiers and maxima as in Zhang, Lipton, Li and Smola, "Dive into Deep Learning", section 12.11.
    """

    kernels: list[Array]
    matrices: list[Array]
    biases: list[Array]
    centre: float
    rescale: float
    dropout: float

    @classmethod
    def drawn(
        cls, shape: tuple[int, ...], outputs: int, centre: float, rescale: float, dropout: float,
        rng: np.random.Generator,
    ) -> "LeNet":
        """One for images of a shape, with weights as in Glorot and Bengio (2010), and biases of zero.

        **Raises** `InputError` for images that are too small for it.
        """
        height, width, channels = shape
        if min(height, width) < MIN_SIDE:
            raise InputError(f"LeNet needs images of at least {MIN_SIDE}×{MIN_SIDE} pixels, but these are "
                             f'{height}×{width}: take model="residual"')
        flat = (height // 2 - 4) // 2 * ((width // 2 - 4) // 2) * 16
        kernels = [_glorot((5, 5, channels, 6), rng), _glorot((5, 5, 6, 16), rng)]
        matrices = [_glorot((m, n), rng) for m, n in ((flat, 120), (120, 84), (84, outputs))]
        biases = [filled(n) for n in (6, 16, 120, 84, outputs)]
        return cls(kernels, matrices, biases, centre, rescale, dropout)

    @staticmethod
    def size(shape: tuple[int, ...], outputs: int) -> int:
        """How many weights one for images of a shape has."""
        flat = (shape[0] // 2 - 4) // 2 * ((shape[1] // 2 - 4) // 2) * 16
        layers = ((25 * shape[2], 6), (25 * 6, 16), (flat, 120), (120, 84), (84, outputs))
        return sum((m + 1) * n for m, n in layers)

    def __call__(self, inputs: Array, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        first, second = self.kernels
        x = (inputs.astype(first.dtype) - self.centre) * self.rescale
        # The rectifier after the maximum, which is the same, on a quarter of the numbers.
        x = jax.nn.relu(max_pool(conv2d(x, first, padding=2)) + self.biases[0])
        x = jax.nn.relu(max_pool(conv2d(x, second)) + self.biases[1])
        x = x.reshape(x.shape[0], -1)
        for i, (W, b) in enumerate(zip(self.matrices[:-1], self.biases[2:-1], strict=True)):
            x = jax.nn.relu(x @ W + b)
            if self.dropout and key is not None:
                x = apply_dropout(x, self.dropout, jax.random.fold_in(key, i))
        return x @ self.matrices[-1] + self.biases[-1], state

    @property
    def is_random(self) -> bool:
        """Whether anything is left out in training."""
        return self.dropout > 0


def _glorot(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    *window, m, n = shape
    # Glorot and Bengio's: variances are kept on the way forward and on the way back, as far as one number can do both.
    bound = np.sqrt(6 / ((m + n) * np.prod(window)))
    return weights(rng.uniform(-bound, bound, shape))
