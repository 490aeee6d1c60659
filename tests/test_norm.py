"""The norm of a tree, however its numbers are divided among arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend._tree import norm, scaled_norm

SHAPES = {
    "a number": [()],
    "a prime": [(37,)],
    "a prime by a prime": [(37, 101)],
    "rows of one": [(1, 4096), (4096, 1), (1, 1)],
    "one that is large": [(300, 301)],
    "a perceptron": [(64, 32), (32,), (32, 10), (10,)],
    "filters": [(5, 5, 6, 16), (5, 5, 1, 6)],
    "many alike": [(16, 16), (16,)] * 100,
    "many numbers": [()] * 100,
    "many that are large": [(128, 130)] * 20,
    "many that differ": [(n, n + 1) for n in range(2, 60)],
}


def drawn(shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("measure", [norm, scaled_norm])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_the_norm_is_that_of_all_numbers(measure, shapes):
    arrays = drawn(shapes)
    expected = np.sqrt(sum(np.sum(a.astype(np.float64) ** 2) for a in arrays))
    np.testing.assert_allclose(jax.jit(measure)(arrays), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_a_scaled_norm_neither_overflows_nor_vanishes(size):
    arrays = [np.full((40, 40), size, np.float32)] * 50
    np.testing.assert_allclose(jax.jit(scaled_norm)(arrays), size * 40 * np.sqrt(50), rtol=1e-5)


def test_what_is_not_finite_shows():
    arrays = drawn(SHAPES["many alike"])
    arrays[77][3] = np.nan
    assert np.isnan(norm(arrays))


@pytest.mark.parametrize("shape", [(2**14,), (2, 2**13), (2**7, 2**7), (2**20,)])
def test_rounding_errors_grow_with_the_logarithm_of_the_count(shape):
    """Equal numbers, whose running sum would be rounded the same way again and again."""
    array = np.full(shape, np.sqrt(0.1), np.float32)
    expected = np.sqrt(array.astype(np.float64).ravel()[0] ** 2 * array.size)
    assert abs(float(jax.jit(norm)(array)) / expected - 1) < np.log2(array.size) * np.finfo(np.float32).eps


def test_many_arrays_that_are_alike_take_no_kernels_of_their_own():
    def kernels(count):
        text = jax.jit(norm).lower([jnp.ones((16, 16))] * count).compile().as_text()
        return text.count("fusion(") + text.count("reduce(")

    assert kernels(400) <= kernels(20) + 4
