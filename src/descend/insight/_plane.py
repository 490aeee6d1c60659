"""The loss on a line or a plane through parameters, point by point."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend._tree import Tree
from descend.engine.curvature import Around
from descend.engine.descent import Descent
from descend.engine.identity import usable_cores
from descend.engine.loss import AuxiliaryState
from descend.engine.many import on_threads
from descend.insight._looks import size_of

PART = 2**18  # bytes of a batch that are looked at together: what a network makes of them then stays in a cache
BLOCK = 64  # points between two reports of progress
NEAR = 1e-5  # of the loss, by which a mean of means may differ from the mean for rounding

Told = Callable[[int, int], object]  # of so many points, so many are done


@dataclass(frozen=True)
class Plane:
    """The loss at `centre + Σ tᵢ axesᵢ`, on the batch that it is looked at around the centre."""

    around: Around
    axes: tuple[np.ndarray, ...]

    def losses(self, at: np.ndarray, progress: Told | None = None) -> np.ndarray:
        """The loss at each row of coordinates, on all cores; what is held does not grow with their number."""
        found: list[float] = []
        for begin in range(0, len(at), BLOCK):
            found += on_threads(self._loss, list(at[begin : begin + BLOCK]), threads=usable_cores())
            if progress is not None:
                progress(len(found), len(at))
        return np.array(found)

    def loss_of(self, numbers: Tree) -> float:
        """The loss at other parameters, wherever they lie."""
        return self._evaluated(np.zeros(len(self.axes)), *self._parts, numbers)

    def _loss(self, at: np.ndarray) -> float:
        return self._evaluated(at, *self._parts, self.around.numbers)

    def _evaluated(self, at: np.ndarray, parts: Any, rest: Any, centre: Tree) -> float:
        with precision(self.around.numbers):
            descent, carried = self.around.run.descent.without_data, self.around.carried
            return float(descent.run(_on_a_plane, centre, self._directions, list(at), parts, rest, carried))

    @cached_property
    def _directions(self) -> list[Tree]:
        """The axes, where the loss is evaluated."""
        with precision(self.around.numbers):
            return [jax.device_put(self.around.tree(axis)) for axis in self.axes]

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        """The batch as a stack of parts and what is left of it, if the loss is the mean of theirs, which is found out;
        else as it is.

        A loss that is a sum, or looks at all rows together, as normalisation of batches does, is none.
        """
        batch, whole = self.around.batch, (None, self.around.batch)
        leaves = jax.tree.leaves(batch)
        if not leaves or not all(np.ndim(leaf) and len(leaf) == size_of(batch) for leaf in leaves):
            return whole
        rows = size_of(batch)
        size = min(rows, max(1, PART * rows // max(sum(leaf.nbytes for leaf in leaves), 1)))
        if size > rows // 2:
            return whole
        many = rows // size
        with precision(self.around.numbers):
            stacked = lambda leaf: leaf[: many * size].reshape(many, size, *leaf.shape[1:])
            rest = jax.tree.map(lambda leaf: leaf[many * size :], batch) if rows % size else None
            parts = jax.tree.map(stacked, batch), rest
        corners = (np.zeros(len(self.axes)), np.ones(len(self.axes)))
        each = [[self._evaluated(at, stack, rest, self.around.numbers) for at in corners]
                for stack, rest in (parts, whole)]
        return parts if np.allclose(each[0], each[1], rtol=NEAR, atol=0.0) else whole


def _on_a_plane(
    descent: Descent, centre: Tree, axes: list[Tree], at: list[Any], parts: Any, rest: Any, carried: AuxiliaryState
) -> Any:
    """The loss at a point: of the rest of a batch, or the mean over all parts and that."""
    numbers = centre
    for t, axis in zip(at, axes, strict=True):
        numbers = jax.tree.map(lambda p, a, t=t: p + jnp.asarray(t, p.dtype) * a, numbers, axis)
    of = lambda batch: descent.evaluate(numbers, batch, carried).value
    if parts is None:
        return of(rest)
    many, size = jax.tree.leaves(parts)[0].shape[:2]
    total, rows = size * jax.lax.map(of, parts).sum(), many * size
    if rest is None:
        return total / rows
    left = size_of(rest)
    return (total + left * of(rest)) / (rows + left)
