"""Convolution and pooling, against PyTorch and loops over NumPy arrays, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.neural._convolution import conv2d, max_pool

RNG = np.random.default_rng(0)
# Height, width, channels in and out, side of the kernel, padding: the layers of our networks, and odd ones.
CASES = [
    (28, 28, 1, 6, 5, 2), (14, 14, 6, 16, 5, 0), (14, 14, 4, 8, 3, 1), (14, 12, 16, 8, 3, 1), (7, 9, 24, 5, 3, 1),
    (9, 70, 2, 4, 3, 1), (5, 5, 2, 3, 5, 0), (6, 6, 8, 40, 1, 0), (13, 11, 2, 3, 3, 2),
]  # fmt: skip


def by_loops(x, kernel, padding):
    """Each output by itself: the window of the padded image times the kernel, summed."""
    side = len(kernel)
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    rows, columns = (length - side + 1 for length in x.shape[1:3])
    y = np.empty((len(x), rows, columns, kernel.shape[-1]))
    for r in range(rows):
        for c in range(columns):
            y[:, r, c] = np.einsum("nijc,ijco->no", x[:, r : r + side, c : c + side], kernel)
    return y


def drawn(height, width, channels, outputs, side):
    return RNG.normal(size=(3, height, width, channels)), RNG.normal(size=(side, side, channels, outputs))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_is_that_of_loops(case):
    *shape, padding = case
    x, kernel = drawn(*shape)
    with jax.enable_x64(True):
        y = jax.jit(conv2d, static_argnums=2)(jnp.asarray(x), jnp.asarray(kernel), padding)
    np.testing.assert_allclose(y, by_loops(x, kernel, padding), rtol=1e-12, atol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_and_its_gradients_are_pytorchs(case):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    *shape, padding = case
    x, kernel = drawn(*shape)
    theirs = [torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(kernel.transpose(3, 2, 0, 1))]
    for tensor in theirs:
        tensor.requires_grad_()
    y = torch.nn.functional.conv2d(*theirs, padding=padding)
    weight = RNG.normal(size=y.shape)
    (y * torch.tensor(weight)).sum().backward()

    def loss(x, kernel):
        return (conv2d(x, kernel, padding) * weight.transpose(0, 2, 3, 1)).sum()

    with jax.enable_x64(True):
        grads = jax.jit(jax.grad(loss, (0, 1)))(jnp.asarray(x), jnp.asarray(kernel))
    np.testing.assert_allclose(grads[0], theirs[0].grad.numpy().transpose(0, 2, 3, 1), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(grads[1], theirs[1].grad.numpy().transpose(2, 3, 1, 0), rtol=1e-11, atol=1e-11)


SIZES = [(4, 6, 3), (5, 7, 2), (2, 2, 1)]


@pytest.mark.parametrize("shape", SIZES)
def test_pooling_is_the_largest_of_each_square(shape):
    x = RNG.normal(size=(3, *shape))
    y = max_pool(jnp.asarray(x, jnp.float32))
    for r in range(shape[0] // 2):
        for c in range(shape[1] // 2):
            largest = x[:, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].max((1, 2))
            np.testing.assert_array_equal(y[:, r, c], largest.astype(np.float32))


@pytest.mark.peers
@pytest.mark.parametrize("shape", SIZES)
def test_pooling_and_its_gradient_are_pytorchs(shape):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    x = RNG.normal(size=(3, *shape))
    theirs = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    y = torch.nn.functional.max_pool2d(theirs, 2)
    weight = RNG.normal(size=y.shape)
    (y * torch.tensor(weight)).sum().backward()
    with jax.enable_x64(True):
        grad = jax.grad(lambda x: (max_pool(x) * weight.transpose(0, 2, 3, 1)).sum())(jnp.asarray(x))
    np.testing.assert_array_equal(grad, theirs.grad.numpy().transpose(0, 2, 3, 1))
