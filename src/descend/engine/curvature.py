"""A run's loss around a point: its value, gradient and curvature, as functions of one vector of NumPy's."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend._tree import Tree
from descend.engine.descent import Descent
from descend.engine.evaluating import accepted, given, next_batch
from descend.engine.lanczos import lanczos
from descend.engine.loss import AuxiliaryState
from descend.engine.run import Run
from descend.sources import Batch

# Parameters, up to which the whole Hessian is taken.
MAX_DENSE = 100
# Products with the Hessian, where there are more.
MAX_PRODUCTS = 60


@dataclass(frozen=True)
class Around:
    """The loss of a run on its data, as a function of the parameters as one vector.

    `carried`: what passes through the loss. `free`: the parameters that its rule can move from there; the others are
    constants of the function.
    """

    run: Run
    numbers: Tree
    batch: Any
    carried: AuxiliaryState
    free: np.ndarray

    @classmethod
    def of(cls, run: Run) -> "Around":
        """Around the parameters where a test of convergence looks, without anything random."""
        numbers = accepted(run)
        return cls(run, numbers, next_batch(run), run.state.carried.for_evaluation, _free(run, numbers))

    @classmethod
    def looked_at(cls, run: Run, data: Any = None) -> "Around":
        """Around the parameters that the run's verbs look at: on the next batch as the next step sees it, or on data,
        without anything random."""
        numbers, batch, carried = given(run, data)
        return cls(run, numbers, batch, carried, _free(run, numbers))

    @property
    def here(self) -> np.ndarray:
        """The parameters, as a vector."""
        return flat(self.numbers)

    @property
    def epsilon(self) -> float:
        """The rounding error of the dtype."""
        return float(max(jnp.finfo(leaf.dtype).eps for leaf in jax.tree.leaves(self.numbers)))

    def at(self, x: np.ndarray, v: np.ndarray | None = None) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss at x, its gradient, and the product of its Hessian with v."""
        tangent = self.tree(np.zeros_like(x) if v is None else v)
        with precision(self.numbers):
            value, gradient, product = self.run.descent.without_data.run(
                _looked, self.tree(x), tangent, self.batch, self.carried
            )
            return float(value), self.free * flat(gradient), self.free * flat(product)

    def value(self, x: np.ndarray) -> float:
        """The loss at x."""
        return self.at(x)[0]

    def hessian(self) -> np.ndarray:
        """That of the free parameters, a column at a time."""
        x, n = self.here, int(self.free.sum())
        rows = np.array([self.at(x, unit)[2][self.free] for unit in np.eye(len(x))[self.free]]).reshape(n, n)
        # Symmetric but for rounding, which eigenvalues should not see.
        return (rows + rows.T) / 2

    def residuals(self) -> tuple[np.ndarray, np.ndarray]:
        """The residuals of a sum of squares, and their Jacobian."""
        with precision(self.numbers):
            descent = self.run.descent.without_data
            r, columns = descent.run(_with_jacobian, self.numbers, self.batch, self.carried)
            leaves = [np.asarray(leaf, np.float64).reshape(r.size, -1) for leaf in jax.tree.leaves(columns)]
            return flat(r), np.concatenate(leaves, axis=1)

    def allowed(self, x: np.ndarray) -> np.ndarray:
        """The nearest vector that the rule's bounds allow."""
        with precision(self.numbers):
            return flat(self.run.descent.optimizer.feasible(self.tree(x)))

    def tree(self, x: np.ndarray) -> Tree:
        """A vector as a tree like the numbers of the parameters."""
        leaves = jax.tree.leaves(self.numbers)
        treedef: Any = jax.tree.structure(self.numbers)
        ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
        parts = np.split(x, ends)
        return treedef.unflatten(
            [part.astype(leaf.dtype).reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        )


def _free(run: Run, numbers: Tree) -> np.ndarray:
    """Which of the parameters its rule can move."""
    return flat(run.descent.optimizer.free(run.state.optimizer, numbers)).astype(bool)


def flat(tree: Tree) -> np.ndarray:
    """The numbers of a tree, as one vector in double precision."""
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)])


def _looked(descent: Descent, params: Tree, v: Tree, batch: Batch, carried: AuxiliaryState) -> Any:
    def gradient(params: Tree) -> Any:
        output, grads = descent.value_and_grad(params, batch, carried)
        return grads, output.value

    grads, product, value = jax.jvp(gradient, (params,), (v,), has_aux=True)
    return value, grads, product


def _with_jacobian(descent: Descent, params: Tree, batch: Batch, carried: AuxiliaryState) -> Any:
    residuals = descent.functions(batch, carried)["residual_fn"]
    return residuals(params), jax.jacfwd(residuals)(params)


# --------------------------------------------------------------------------------------------------------- directions


@dataclass(frozen=True)
class Directions:
    """Directions, as columns, by the curvature along them: `upwards`, with the curvatures `upward`; `flat`, where there
    is none but for rounding; `downwards`, with `downward`.

    `curvatures`: all that were found. `fall`: what the quadratic model expects along those upwards; `most`: with the
    directions that were not looked at. `are_all`: whether there are none of these.
    """

    upwards: np.ndarray
    upward: np.ndarray
    flat: np.ndarray
    downwards: np.ndarray
    downward: np.ndarray
    curvatures: np.ndarray
    fall: float
    most: float
    are_all: bool

    @property
    def least(self) -> float:
        """The least curvature."""
        return float(self.curvatures.min(initial=math.inf)) if len(self.curvatures) else 0.0

    @property
    def greatest(self) -> float:
        """The greatest curvature."""
        return float(self.curvatures.max(initial=-math.inf)) if len(self.curvatures) else 0.0


def directions(around: Around, gradient: np.ndarray) -> Directions | None:
    """The directions along which the curvature is told; `None` if it is not finite."""
    if around.free.sum() > MAX_DENSE:
        return _by_products(around, gradient)
    hessian, g = around.hessian(), gradient[around.free]
    if not np.isfinite(hessian).all():
        return None
    # In units that make all parameters alike: else one that is steep hides all that are flat.
    units = _units(hessian)
    values, vectors = np.linalg.eigh(units[:, None] * hessian * units)
    ways = np.zeros((len(gradient), len(g)))
    ways[around.free] = units[:, None] * vectors
    return _sorted(values, ways, vectors.T @ (units * g), around.epsilon)


def _units(hessian: np.ndarray) -> np.ndarray:
    """Units of the parameters in which the largest entry of each row is 1, whatever they were before.

    Reference: Ruiz, "A scaling algorithm to equilibrate both rows and columns norms in matrices", 2001.
    """
    units = np.ones(len(hessian))
    for _ in range(20):
        largest = np.abs(units[:, None] * hessian * units).max(axis=1, initial=0.0)
        units = units / np.sqrt(np.where(largest > 0, largest, 1.0))
    return units


def _sorted(values: np.ndarray, ways: np.ndarray, slopes: np.ndarray, epsilon: float) -> Directions:
    """Directions by the curvature along them, of which each is but 0 if rounding hides it."""
    limit = 8 * max(len(values), 4) * epsilon * float(np.abs(values).max(initial=0.0))
    up, down = values > limit, values < -limit
    fall = float((slopes[up] ** 2 / values[up]).sum() / 2)
    return Directions(ways[:, up], values[up], ways[:, ~(up | down)], ways[:, down], values[down],
                      values, fall, fall, True)


def _by_products(around: Around, gradient: np.ndarray) -> Directions | None:
    """From products alone: by Lanczos's method from the gradient, which tells of the fall, and from a random direction,
    which tells of ways down that the gradient has no part in."""
    values, vectors, residual = _from(around, gradient)
    others, ways, _ = _from(around, around.free * np.random.default_rng(0).normal(size=len(gradient)))
    if not (np.isfinite(values).all() and np.isfinite(others).all()):
        return None
    mine = _sorted(values, vectors, vectors.T @ gradient, around.epsilon)
    theirs = _sorted(others, ways, np.zeros(len(others)), around.epsilon)
    least = float(min(mine.upward.min(initial=math.inf), theirs.upward.min(initial=math.inf)))
    most = mine.fall + (residual**2 / (2 * least) if math.isfinite(least) else math.inf * residual)
    downwards = np.hstack([mine.downwards[:, :1], theirs.downwards[:, :1]])
    downward = np.concatenate([mine.downward[:1], theirs.downward[:1]])
    flat = theirs.flat[:, :1]
    both = np.concatenate([values, others])
    return Directions(theirs.upwards[:, :1], theirs.upward[:1], flat, downwards, downward, both, mine.fall, most,
                      False)


def _from(around: Around, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Ritz values and vectors of the Hessian from a vector, and the norm of what is left of it when `Hp = start` is
    solved among them."""
    length = float(np.linalg.norm(start))
    if length == 0:
        return np.zeros(0), np.zeros((len(start), 0)), 0.0
    here = around.here
    found = lanczos(lambda v: around.at(here, v)[2], start, MAX_PRODUCTS, around.epsilon)
    if found is None:
        return np.full(1, math.nan), np.zeros((len(start), 1)), math.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        last = length * float(found.within[-1] @ (found.within[0] / found.values))
    residual = abs(found.beside * last) if found.beside else 0.0
    return found.values, found.vectors, residual if math.isfinite(residual) else math.inf
