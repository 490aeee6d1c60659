"""Convolution as products of matrices, and pooling.

Inside a compiled loop on a CPU, XLA's own convolution is many times slower than outside. Products of matrices are fast
in both, so that what costs time is to lay out their factors: these copy long stretches of numbers, and few of them.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

# Numbers in a row of a window, below which a product with so short rows is slow.
NARROW_ROW = 32
# Times the arithmetic that is needed, up to which a product with long rows is still the faster one.
MAX_EXTRA_ARITHMETIC = 6


def conv2d(x: Array, kernel: Array, padding: int = 0) -> Array:
    """Images `(count, height, width, channels)` conv2d with a kernel `(side, side, channels, outputs)`.

        y[n, r, s] = Σᵢⱼ x[n, r + i, s + j] · kernel[i, j]          x with `padding` zeros around it

    >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv2d(image, jnp.ones((2, 2, 1, 1)))[0, :, :, 0].tolist()
    [[8.0, 12.0], [20.0, 24.0]]
    """
    side, _, channels, _ = kernel.shape
    columns = x.shape[2] + 2 * padding - side + 1
    how = _by_rows if side * channels <= NARROW_ROW and columns <= MAX_EXTRA_ARITHMETIC * side else _by_shifts
    return how(x, kernel, padding, columns)


def conv2d_skipping(x: Array, kernel: Array, padding: int) -> Array:
    """The same with every second window along both axes: of squares of 2×2 as channels, which is little more to do.

        y[n, r, s] = Σᵢⱼ x[n, 2r + i, 2s + j] · kernel[i, j]

    For windows of an odd side, with half of it around the image.

    >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv2d_skipping(image, jnp.ones((3, 3, 1, 1)), 1)[0, :, :, 0].tolist()
    [[8.0, 12.0], [20.0, 24.0]]
    """
    side, _, channels, outputs = kernel.shape
    if side == 1:
        return conv2d(every_second(every_second(x, 1), 2), kernel)
    # 1. As many zeros as the last window needs, and a row and a column of zeros at the kernel's end, so that it is
    #    whole squares.
    squares = (side + 1) // 2
    edges = [(padding, 2 * ((length + 1) // 2 + squares - 1) - length - padding) for length in x.shape[1:3]]
    x = space_to_depth(jnp.pad(x, ((0, 0), *edges, (0, 0))))
    # 2. The kernel's squares as channels, in the same order.
    kernel = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0))).reshape(squares, 2, squares, 2, channels, outputs)
    return conv2d(x, kernel.transpose(0, 2, 1, 3, 4, 5).reshape(squares, squares, 4 * channels, outputs))


def every_second(x: Array, axis: int) -> Array:
    """Every second place along an axis, from the first one on; as a slice, which indices with steps are not always."""
    return jax.lax.slice_in_dim(x, 0, None, stride=2, axis=axis)


def space_to_depth(x: Array) -> Array:
    """Images with each square of 2×2 as four times the channels; an odd last row or column is left out."""
    count, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    squares = x[:, : 2 * rows, : 2 * columns].reshape(count, rows, 2, columns, 2, channels)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(count, rows, columns, 4 * channels)


def max_pool(x: Array) -> Array:
    """The largest number in each square of 2×2; an odd last row or column is left out.

    >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return _as_squares(x).max((2, 4))


def mean_pool(x: Array) -> Array:
    """The mean of each square of 2×2; an odd last row or column is left out."""
    return _as_squares(x).mean((2, 4))


def _as_squares(x: Array) -> Array:
    count, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    return x[:, : 2 * rows, : 2 * columns].reshape(count, rows, 2, columns, 2, channels)


def _by_rows(x: Array, kernel: Array, padding: int, columns: int) -> Array:
    """Half rows of the image, one below the other, times a matrix that gives half a row of the outputs.

    Most of the matrix is zeros: more arithmetic than is needed, in a much better shape. Whole rows would need more
    still, and parts of a third or less give products whose shape is worse again.
    """
    side, _, channels, outputs = kernel.shape
    count, height, _, _ = x.shape
    # 1. Cut the rows of the image into halves that overlap by what a window reaches over.
    parts = 2 if columns % 2 == 0 else 1
    length, reach = columns // parts, columns // parts + side - 1
    x = jnp.pad(x, ((0, 0), (0, 0), (padding, padding), (0, 0)))
    cut = jnp.stack([x[:, :, i * length : i * length + reach] for i in range(parts)], axis=2)
    under = _stacked_rows(cut.reshape(count, height, parts, reach * channels), side, padding)
    # 2. A matrix that has the kernel's numbers wherever a column of the image lies in the window of a column of the
    #    outputs.
    place = np.arange(reach)[:, None, None] == np.arange(length)[:, None] + np.arange(side)
    matrix = jnp.einsum("wsj,ijco->iwcso", jnp.asarray(place, kernel.dtype), kernel)
    # 3. One product for all of it.
    y = under.reshape(-1, side * reach * channels) @ matrix.reshape(-1, length * outputs)
    return y.reshape(count, -1, columns, outputs)


def _by_shifts(x: Array, kernel: Array, padding: int, columns: int) -> Array:
    """The rows of the windows are in the factors of one product, and their columns are added up after it.

    So a number is copied `side` times before and after, and not `side²` times, as in a patch for each window.
    """
    side, _, channels, outputs = kernel.shape
    count, _, width, _ = x.shape
    # 1. Every number's product with every column of the kernel, before it is known which of them belong together.
    matrix = kernel.transpose(0, 2, 1, 3).reshape(side * channels, side * outputs)
    under = _stacked_rows(x, side, padding)
    parts = (under.reshape(-1, side * channels) @ matrix).reshape(count, -1, width, side, outputs)
    # 2. Added up, each column of the kernel shifted to where it belongs.
    y = jnp.zeros((), x.dtype)
    for j in range(side):
        shift = j - padding
        before, first, last = max(-shift, 0), max(shift, 0), min(width, columns + shift)
        part = parts[:, :, :, j][:, :, first:last]
        # The zeros around the image come in here, so that no product is made with them.
        y += jnp.pad(part, ((0, 0), (0, 0), (before, columns - before - (last - first)), (0, 0)))
    return y


def _stacked_rows(x: Array, side: int, padding: int) -> Array:
    """The rows of the images that windows lie on, along the last axis; zeros beyond the border."""
    x = jnp.pad(x, ((0, 0), (padding, padding), *[(0, 0)] * (x.ndim - 2)))
    rows = x.shape[1] - side + 1
    return jnp.concatenate([x[:, i : i + rows] for i in range(side)], axis=-1)
