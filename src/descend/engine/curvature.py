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
from descend.engine.evaluating import accepted, next_batch
from descend.engine.loss import AuxiliaryState
from descend.engine.run import Run

# Parameters, up to which the whole Hessian is taken.
MAX_DENSE = 100
# Above, products with the Hessian at the most, and numbers of the vectors that are then held.
MAX_PRODUCTS, MAX_NUMBERS = 60, 2**25


@dataclass(frozen=True)
class Around:
    """The loss of a run on its data, as a function of the parameters as one vector, without anything random in it.

    `free`: the parameters that its rule can move from there; the others are constants of the function.
    """

    run: Run
    numbers: Tree
    batch: Any
    free: np.ndarray

    @classmethod
    def of(cls, run: Run) -> "Around":
        """Around the parameters where a test of convergence looks."""
        numbers, rule = accepted(run), run.descent.optimizer
        return cls(run, numbers, next_batch(run), flat(rule.free(run.state.optimizer, numbers)).astype(bool))

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
        tangent = self._tree(np.zeros_like(x) if v is None else v)
        with precision(self.numbers):
            carried = self.run.state.carried.for_evaluation
            value, gradient, product = self.run.descent.without_data.run(
                _looked, self._tree(x), tangent, self.batch, carried
            )
            return float(value), self.free * flat(gradient), self.free * flat(product)

    def value(self, x: np.ndarray) -> float:
        """The loss at x."""
        return self.at(x)[0]

    def hessian(self) -> np.ndarray:
        """That of the free parameters, a column at a time."""
        x, n = self.here, int(self.free.sum())
        rows = np.array([self.at(x, unit)[2][self.free] for unit in np.eye(len(x))[self.free]]).reshape(n, n)
        return (rows + rows.T) / 2

    def residuals(self) -> tuple[np.ndarray, np.ndarray]:
        """The residuals of a sum of squares, and their Jacobian."""
        with precision(self.numbers):
            carried = self.run.state.carried.for_evaluation
            r, columns = self.run.descent.without_data.run(_with_jacobian, self.numbers, self.batch, carried)
            leaves = [np.asarray(leaf, np.float64).reshape(r.size, -1) for leaf in jax.tree.leaves(columns)]
            return flat(r), np.concatenate(leaves, axis=1)

    def allowed(self, x: np.ndarray) -> np.ndarray:
        """The nearest vector that the rule's bounds allow."""
        with precision(self.numbers):
            return flat(self.run.descent.optimizer.feasible(self._tree(x)))

    def _tree(self, x: np.ndarray) -> Tree:
        leaves = jax.tree.leaves(self.numbers)
        treedef: Any = jax.tree.structure(self.numbers)
        ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
        parts = np.split(x, ends)
        return treedef.unflatten(
            [part.astype(leaf.dtype).reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        )


def flat(tree: Tree) -> np.ndarray:
    """The numbers of a tree, as one vector in double precision."""
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)])


def _looked(descent: Descent, params: Tree, v: Tree, batch: Any, carried: AuxiliaryState) -> Any:
    def gradient(params: Tree) -> Any:
        output, grads = descent.value_and_grad(params, batch, carried)
        return grads, output.value

    grads, product, value = jax.jvp(gradient, (params,), (v,), has_aux=True)
    return value, grads, product


def _with_jacobian(descent: Descent, params: Tree, batch: Any, carried: AuxiliaryState) -> Any:
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
    values, vectors, residual = _lanczos(around, gradient)
    others, ways, _ = _lanczos(around, around.free * np.random.default_rng(0).normal(size=len(gradient)))
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


def _lanczos(around: Around, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Ritz values and vectors of the Hessian from a vector, and the norm of what is left of it when `Hp = start` is
    solved among them."""
    length = float(np.linalg.norm(start))
    if length == 0:
        return np.zeros(0), np.zeros((len(start), 0)), 0.0
    here, basis = around.here, [start / length]
    diagonal: list[float] = []
    beside: list[float] = []
    most = max(2, min(MAX_PRODUCTS, len(start), MAX_NUMBERS // len(start)))
    while len(diagonal) < most:
        w = around.at(here, basis[-1])[2]
        diagonal.append(float(basis[-1] @ w))
        known = np.stack(basis)
        # Twice, because once leaves what rounding has left.
        for _ in range(2):
            w = w - known.T @ (known @ w)
        beside.append(float(np.linalg.norm(w)))
        if not beside[-1] > 10 * around.epsilon * max(map(abs, diagonal)):
            beside[-1] = 0.0
            break
        basis.append(w / beside[-1])
    k = len(diagonal)
    small = np.diag(diagonal) + np.diag(beside[: k - 1], 1) + np.diag(beside[: k - 1], -1)
    if not np.isfinite(small).all():
        return np.full(1, math.nan), np.zeros((len(start), 1)), math.inf
    values, vectors = np.linalg.eigh(small)
    with np.errstate(divide="ignore", invalid="ignore"):
        last = length * float(vectors[-1] @ (vectors[0] / values))
    residual = abs(beside[-1] * last) if beside[-1] else 0.0
    return values, np.stack(basis[:k], axis=1) @ vectors, residual if math.isfinite(residual) else math.inf
