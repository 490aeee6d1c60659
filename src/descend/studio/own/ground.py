"""A model's loss as something to race on: its height on planes, and how it curves."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from descend import SGD, begin
from descend._arrays import precision
from descend._tree import Tree, named_leaves
from descend.engine.curvature import Around
from descend.engine.descent import Descent
from descend.engine.loss import AuxiliaryState
from descend.errors import InputError
from descend.insight.spectrum import any_direction, krylov
from descend.studio.own.model_file import Model, blaming

MAX_SIZE = 2**20
# Points of one call of a program: between two calls it can be asked to give up.
POINTS = 192
# With the Hessian, of which the largest eigenvalue is found to some percent.
HESSIAN_PRODUCTS = 16


class Ground:
    """A model's loss on all of its data, as a function of the parameters as one vector.

    **Raises** `InputError` for a loss that cannot be descended on, or is not finite at `params`.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        with blaming(model.path, alone=True):
            self.run = begin(model.loss, model.params, model.data, state=model.state, optimizer=SGD(0.1),
                             batch_size=model.batch_size, dtype=model.dtype)
            around = Around.looked_at(self.run, model.data)
            self.around = replace(around, carried=self.run.state.carried.for_evaluation)
            self.start = self.around.here
            self._refuse_size()
            self.run.loss_and_grad(model.data)
            if not np.isfinite(self.loss):
                raise InputError(f"the loss at params is {self.loss}: begin where it is finite")

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return len(self.start)

    @property
    def is_plane(self) -> bool:
        """Whether the parameters are a plane themselves."""
        return self.size == 2

    @property
    def rows(self) -> int:
        """Of the data; 0 where there are none."""
        return 0 if self.model.data is None else len(jax.tree.leaves(self.around.batch)[0])

    @property
    def axes(self) -> list[str]:
        """What two parameters are called."""
        return [f"{name}[{i}]" if leaf.size > 1 else name
                for name, leaf in named_leaves(self.around.numbers).items() for i in range(leaf.size)]

    @property
    def loss(self) -> float:
        """At the file's own parameters."""
        return float(next(self.heights(self.start, np.zeros((2, self.size)), np.zeros((1, 2))))[0])

    def heights(self, origin: np.ndarray, axes: np.ndarray, places: np.ndarray) -> Iterator[np.ndarray]:
        """The loss at `origin + places @ axes`, some places after the other, in the order of the places."""
        around = self.around
        with blaming(self.model.path), precision(around.numbers):
            plane = around.tree(origin), [around.tree(axis) for axis in axes]
            for first in range(0, len(places), POINTS):
                part = places[first : first + POINTS]
                filled = np.pad(part, ((0, POINTS - len(part)), (0, 0)), "edge").astype(axes.dtype)
                found = around.run.descent.without_data.run(_heights, *plane, filled, around.batch, around.carried)
                yield np.asarray(found, np.float64)[: len(part)]

    def sharpness_of_two(self, points: np.ndarray, divisors: np.ndarray) -> np.ndarray:
        """Of two parameters, the largest eigenvalue of `D^−½ H D^−½` at each point: of the exact Hessian."""
        around, found = self.around, []
        with precision(around.numbers):
            for first in range(0, len(points), POINTS):
                parts = [each[first : first + POINTS] for each in (points, divisors)]
                filled = [np.pad(part, ((0, POINTS - len(part)), (0, 0)), "edge") for part in parts]
                found.append(around.run.descent.without_data.run(
                    _sharpness, around.numbers, *filled, around.batch, around.carried)[: len(parts[0])])
        return np.concatenate(found)

    def sharpness(self, point: np.ndarray, divisor: np.ndarray) -> float:
        """The largest eigenvalue of `D^−½ H D^−½`, by products with the Hessian; NaN where it cannot be told."""
        there = replace(self.around, numbers=self.around.tree(point))
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / np.sqrt(divisor)
        if not np.isfinite(scale).all():
            return float("nan")
        with blaming(self.model.path):
            found = krylov(there, HESSIAN_PRODUCTS, any_direction(there, np.random.default_rng(0)), scale)
        return float("nan") if found is None else float(found.values[-1])

    def _refuse_size(self) -> None:
        if self.size == 1:
            raise InputError("there is one parameter, and a surface is over two or more: race on a formula of x and y "
                             "without y, or write a loss of two")
        if self.size > MAX_SIZE:
            raise InputError(f"there are {self.size:,} parameters, and ways of at most {MAX_SIZE:,} are kept: "
                             "take a smaller model, or look at a run with descend.insight.landscape")


def _heights(
    descent: Descent, origin: Tree, axes: list[Tree], places: jax.Array, batch: Any, carried: AuxiliaryState
) -> Any:
    def height(place: jax.Array) -> Any:
        moved = lambda p, u, v: p + jnp.asarray(place[0] * u + place[1] * v, p.dtype)
        return descent.evaluate(jax.tree.map(moved, origin, *axes), batch, carried).value

    # One after the other: a batch of them would take as many times the memory.
    return jax.lax.map(height, places)


def _sharpness(
    descent: Descent, like: Tree, points: jax.Array, divisors: jax.Array, batch: Any, carried: AuxiliaryState
) -> Any:
    tree: Callable[[Any], Any] = ravel_pytree(like)[1]
    hessian = jax.hessian(lambda x: descent.evaluate(tree(x), batch, carried).value)

    def one(at: tuple[jax.Array, jax.Array]) -> Any:
        point, divisor = at
        (a, b), (_, d) = hessian(point) / jnp.sqrt(jnp.outer(divisor, divisor))
        return (a + d) / 2 + jnp.hypot((a - d) / 2, b)

    return jax.lax.map(one, (points, divisors))
