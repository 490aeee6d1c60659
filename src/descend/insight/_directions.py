"""Directions to look along: those of a descent, or drawn ones in proportion to the parameters."""

from typing import Any

import jax
import numpy as np

from descend._tree import Tree
from descend.engine.curvature import flat
from descend.engine.run import Run
from descend.errors import InputError


def along_the_way(runs: list[Run], free: np.ndarray, count: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The orthonormal directions in which runs lie furthest from the last of them, the places of the runs along these,
    and the share of their squared distances that each direction has.

    **Raises** `InputError` if the runs do not lie in so many.
    """
    points = np.stack([flat(run.state.params) for run in runs])
    apart = (points - points[-1])[np.isfinite(points).all(axis=1)] * free
    # From the products of the runs with each other, of which there are few, beside the parameters.
    squares, vectors = np.linalg.eigh(apart @ apart.T)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    if len(squares) < count or not squares[count - 1] > 1e-12 * max(squares[0], 1e-300):
        raise InputError(f"the snapshots, of which {len(apart)} are finite, do not span {count} "
                         f"direction{'s' * (count > 1)}: look along='random', or along fewer axes")
    axes = [apart.T @ vectors[:, i] / np.sqrt(squares[i]) for i in range(count)]
    # Signs are free: the descent comes from the right, and from above.
    axes = [axis if (points[0] - points[-1]) @ axis >= 0 else -axis for axis in axes]
    return axes, (points - points[-1]) @ np.stack(axes, axis=1), squares[:count] / squares.sum()


def filter_normalized(numbers: Tree, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random direction whose part in each filter is as long as the filter, and that leaves biases alone.

    A filter is what leads to one unit: all numbers of an array of at least two axes with one place on its last axis, or
    in Equinox's own layers on its first. Where there is no such array, one as long as all parameters.

    Reference: Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", arXiv 1712.09913.
    """
    drawn = [_drawn(*pair, rng) for pair in zip(jax.tree.leaves(numbers), _unit_axes(numbers), strict=True)]
    direction = np.concatenate([part.ravel() for part in drawn]) * free
    if direction.any():
        return direction
    direction = rng.normal(size=len(free)) * free
    return direction / np.linalg.norm(direction) * (np.linalg.norm(flat(numbers) * free) or 1.0)


def _drawn(leaf: Any, axis: int, rng: np.random.Generator) -> np.ndarray:
    array = np.asarray(leaf, np.float64)
    if array.ndim < 2:
        return np.zeros(array.shape)
    others = tuple(i for i in range(array.ndim) if i != axis % array.ndim)
    part = rng.normal(size=array.shape)
    length = lambda x: np.sqrt((x**2).sum(axis=others, keepdims=True))
    return part * length(array) / np.maximum(length(part), 1e-300)


def _unit_axes(numbers: Tree) -> list[int]:
    """The axis of each array along which units lie."""
    is_layer = lambda node: type(node).__module__.startswith("equinox.nn")
    of_node = lambda node: jax.tree.map(lambda _: 0 if is_layer(node) else -1, node)
    return jax.tree.leaves(jax.tree.map(of_node, numbers, is_leaf=is_layer))
