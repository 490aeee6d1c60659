"""Any optimizer of `descend` as a solver: mini-batches of rows through the engine, an epoch an iteration.

The coordinates are those of all solvers (columns centred and in units of their spread), so a rate means the same
whatever the units of the table are. Rows stay where they are in memory, and are drawn batch by batch.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from descend.engine.run import advance
from descend.errors import InputError
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Problem
from descend.linear.solvers.convergence import Iterates
from descend.minimize import minimize
from descend.optimizers import Optimizer
from descend.sources import HostArrays

BATCH_ROWS = 256

def minibatch(problem: Problem, u: Array, rule: Optimizer, epochs: int) -> Iterates:
    """Descend from u by this rule; schedules that end with the budget end after so many epochs."""
    rows = problem.matrix.shape[0]
    batch = min(BATCH_ROWS, rows)
    each = -(-rows // batch)
    source = (_SparseRows if problem.matrix.is_sparse else HostArrays)(_data(problem), batch)
    fit = minimize(
        _loss(problem), u, source, optimizer=rule.over(each * epochs), steps=1, stop=[], dtype=np.float64
    )
    run, z = fit.run, problem.score_buffer()
    yield problem.certified(problem.evaluate(u, z, bounded=False), z)
    for epoch in range(1, epochs + 1):
        while run.step < epoch * each:
            before = run.step
            run, _ = advance(run, epoch * each - before)
            if run.step == before:
                return "a step of the optimizer is not finite"
        yield problem.certified(problem.evaluate(np.array(run.eval_params, np.float64), z, bounded=False), z)
    return f"{epochs} epochs were made"


def _data(problem: Problem) -> Any:
    y, s = problem.rows
    count = problem.matrix.shape[0]
    return problem.matrix.X, np.asarray(y, np.float64), np.broadcast_to(s * count, (count,))


def _loss(problem: Problem) -> Callable[[Any, Any], Any]:
    """The problem on a batch of rows, differentiable by JAX."""
    (kind, *_), (p, mu) = problem.loss, problem.loss.parameters
    row_loss = kind.in_jax
    if row_loss is None:
        raise InputError(f"an optimizer as solver needs the loss in JAX, too ({kind.name}): choose solver='auto'")
    centre, unit = problem.standardisation
    l2, l1 = problem.curvature_of_penalty, problem.threshold
    with_intercept = 1.0 if problem.intercept else 0.0

    def loss(u: Any, batch: Any) -> Any:
        X, y, weights = batch
        w, b = u[:-1] * unit, u[-1] * with_intercept
        # Of a sparse matrix a batch has the columns and values of each row.
        z = b + ((w[X[0]] * X[1]).sum(1) if isinstance(X, tuple) else (X - centre) @ w)
        linear_term = problem.linear_term * (b - centre @ w)
        return (weights * row_loss(z, y, p, mu)).mean() + 0.5 * l2 @ u**2 + l1 @ jnp.abs(u) + linear_term

    return loss


class _SparseRows(HostArrays):
    """Batches of rows of a sparse matrix: each row's columns and values, filled up to the longest row by zeros."""

    def __init__(self, data: Any, batch_size: int) -> None:
        X, y, weights = data
        super().__init__((np.arange(X.shape[0]), y, weights), batch_size)
        self._X, self._longest = X, max(int(np.diff(X.indptr).max()), 1)

    def draw(self, cursor: Any, params: Any) -> Any:
        (rows, y, weights), after = super().draw(cursor, params)
        part = self._X[rows]
        columns = np.zeros((len(rows), self._longest), np.int32)
        values = np.zeros((len(rows), self._longest))
        filled = np.arange(self._longest) < np.diff(part.indptr)[:, None]
        columns[filled], values[filled] = part.indices, part.data
        return ((columns, values), y, weights), after
