"""Nonlinear least squares: `least_squares(residuals, params, data)`, with standard errors of what was estimated."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._tree import Tree, split
from descend.engine.curvature import Around
from descend.engine.progress import Observer
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.optimizers import LevenbergMarquardt
from descend.sources import as_data
from descend.stopping import Convergence, Stop
from descend.training import Result, Trainer

DEFAULT_STEPS = 10_000
# Of the sum of squares: estimates are then known to far less than their standard errors.
SUM_TOLERANCE = 1e-15


@dataclass(frozen=True, repr=False)
class LeastSquares(Result):
    """Where a least-squares fit ended, why, and how sure its estimates are.

    What a `Result` has, and: `residuals`, one vector; `sum_of_squares`; `degrees_of_freedom`, the number of residuals
    less that of the parameters; `covariance`, `s² (JᵀJ)⁻¹` with `s² = sum_of_squares / degrees_of_freedom`, its rows in
    the order of the parameters as one vector; `standard_errors`, the roots of its diagonal, a tree like `params`.

    The errors are those of the model that is linear at `params`, for independent residuals of one variance. Where the
    residuals do not determine a parameter, or are not more than the parameters, its error is infinite.
    """

    @cached_property
    def residuals(self) -> np.ndarray:
        """The residuals at `params`."""
        return self._derivatives[0]

    @property
    def sum_of_squares(self) -> float:
        """`Σ rᵢ²`, twice the loss."""
        return float(self.residuals @ self.residuals)

    @property
    def degrees_of_freedom(self) -> int:
        """How many residuals there are more than parameters."""
        return self.residuals.size - self._derivatives[1].shape[1]

    @cached_property
    def covariance(self) -> np.ndarray:
        """The estimates' covariance."""
        jacobian = self._derivatives[1]
        n = jacobian.shape[1]
        # Nothing is left to tell the variance of the residuals by.
        if self.degrees_of_freedom <= 0:
            return np.full((n, n), np.inf)
        # 1. Columns in units of their norms, so that no unit of a parameter decides what is rounding.
        norms = np.linalg.norm(jacobian, axis=0)
        scale = np.where(norms > 0, norms, 1.0)
        _, singular, right = np.linalg.svd(jacobian / scale, full_matrices=False)
        # 2. Directions that rounding hides are not determined by the residuals.
        known = singular > max(jacobian.shape) * np.finfo(float).eps * singular[0]
        # 3. (JᵀJ)⁻¹ by singular values: the product JᵀJ would lose half of the digits.
        half = right[known].T / singular[known] / scale[:, None]
        covariance = self.sum_of_squares / self.degrees_of_freedom * half @ half.T
        # 4. A parameter with a share in such a direction may be anything.
        undetermined = np.any(np.abs(right[~known]) > 1e-6, axis=0)
        covariance[undetermined, undetermined] = np.inf
        return covariance

    @property
    def standard_errors(self) -> Tree:
        """The estimates' standard errors."""
        numbers, _ = split(self.params)
        leaves = jax.tree.leaves(numbers)
        treedef: Any = jax.tree.structure(numbers)
        parts = np.split(np.sqrt(np.diag(self.covariance)), np.cumsum([np.size(leaf) for leaf in leaves])[:-1])
        shaped = [part.reshape(np.shape(leaf)) for part, leaf in zip(parts, leaves, strict=True)]
        return treedef.unflatten(shaped)

    @cached_property
    def _derivatives(self) -> tuple[np.ndarray, np.ndarray]:
        """The residuals and their derivatives."""
        return Around.of(self.run).residuals()


def least_squares(
    residuals: Callable[..., Any],
    params: Tree,
    data: Any = None,
    *,
    optimizer: Any = None,
    steps: int | None = None,
    seconds: float | None = None,
    stop: Stop | Sequence[Stop] | None = None,
    observers: Sequence[Observer] = (),
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool = False,
    watch: Any = None,
    snapshots: bool | float = False,
    dtype: Any = np.float64,
) -> LeastSquares:
    """Fit a model by least squares: `min ½ Σ rᵢ(θ)²`, from `params`.

    **Arguments**

    - `residuals`: `residuals(params)`, or with data `residuals(params, data)`: an array, or a pytree of arrays, whose
      squares are added up: what was measured less what the model gives. It is differentiated and compiled by JAX.
    - `params`: where to begin, any pytree, as for `minimize`; and so are `observers`, `checkpoint`, `resume`, `watch`
      and `snapshots`.
    - `data`: a pytree of arrays with a common first axis; all of it at each step.
    - `optimizer`: by default `LevenbergMarquardt()`; `LBFGS()` where a Jacobian of residuals × parameters is too large.
    - `steps`, `seconds`: the budget; by default 10,000 steps, each an evaluation of the residuals.
    - `stop`: by default `Convergence(1e-15)`: what the sum of squares can still fall by is no more than its rounding.
    - `dtype`: of the parameters.

    **Returns** a `LeastSquares`: a `Result` with residuals, covariance and standard errors. The minimum is one near the
    start; there may be others.

    **Raises** `InputError` for what `minimize` raises it for.

    >>> import jax.numpy as jnp, numpy as np
    >>> x = np.array([1.0, 2.0, 3.0, 5.0, 7.0, 10.0])                     # NIST's BoxBOD
    >>> y = np.array([109.0, 149.0, 149.0, 191.0, 213.0, 224.0])
    >>> fit = least_squares(lambda b: y - b[0] * (1 - jnp.exp(-b[1] * x)), [100.0, 0.75])
    >>> fit.params.round(4).tolist(), fit.standard_errors.round(4).tolist(), round(fit.sum_of_squares, 5)
    ([213.8094, 0.5472], [12.3545, 0.1046], 1168.00888)
    """
    if not callable(residuals):
        raise InputError(f"residuals must be a function of the parameters, but is a {type(residuals).__name__}")
    given = dict(locals())
    result = Trainer.begin(
        **{name: given[name] for name in FORWARDED},
        loss=half_sum_of_squares(residuals),
        optimizer=LevenbergMarquardt() if optimizer is None else optimizer,
        steps=DEFAULT_STEPS if steps is None and seconds is None else steps,
        stop=Convergence(SUM_TOLERANCE) if stop is None else stop,
        batch_size=None if data is None else len(jax.tree.leaves(as_data(data)[0])[0]),
    ).to_the_end()
    return LeastSquares(**{field.name: getattr(result, field.name) for field in fields(result)})


FORWARDED = ("params", "data", "seconds", "observers", "checkpoint", "resume", "watch", "snapshots", "dtype")


def half_sum_of_squares(residuals: Callable[..., Any]) -> Callable[..., Any]:
    """`½ Σ rᵢ²`, as a loss that brings its `residuals`."""

    @functools.wraps(residuals)
    def loss(*args: Any, **named: Any) -> Any:
        return sum(jnp.sum(jnp.square(r)) for r in _checked(residuals(*args, **named))) / 2

    loss.residuals = residuals  # type: ignore[attr-defined]
    return loss


def _checked(residuals: Tree) -> list[Any]:
    """The arrays of residuals.

    **Raises** `InputError` if there are none, or they are no real floating-point numbers.
    """
    arrays = [jnp.asarray(leaf) for leaf in jax.tree.leaves(residuals)]
    kinds = {str(array.dtype) for array in arrays if not jnp.issubdtype(array.dtype, jnp.floating)}
    if kinds or not arrays:
        raise InputError("residuals must return arrays of real floating-point numbers, but "
                         + (f"return {min(kinds)}" if kinds else "return none"))
    return arrays
