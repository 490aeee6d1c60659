"""Stochastic gradient descent, plain and with variance reduction, one row a step.

    SGD:   u ← u − η ∇f_i(u),                          η = η₀/√(1 + epoch), the epoch's mean is what counts
    SVRG:  u ← u − η (∇f_i(u) − ∇f_i(ũ) + ∇F(ũ)),       ũ: where the epoch began

The rate comes from the data: the inverse of the greatest curvature of a row's loss. An epoch begins with the gradient
of all rows, which is also what the certificate needs.

Reference: Bottou (2010), "Large-scale machine learning with stochastic gradient descent"; Johnson and Zhang (2013),
"Accelerating stochastic gradient descent using predictive variance reduction".
"""

import math

import numpy as np

from descend.errors import InputError
from descend.linear._kernels import stochastic
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Problem
from descend.linear.problems.scalar import ScalarProblem, scalar
from descend.linear.solvers.convergence import Iterates


def sgd(problem: Problem, u: Array) -> Iterates:
    """Descend from u by plain steps; near the minimum it only creeps."""
    return _epochs(scalar(problem, "sgd"), u, reduced=False)


def svrg(problem: Problem, u: Array) -> Iterates:
    """Descend from u by steps whose variance vanishes at the minimum."""
    return _epochs(scalar(problem, "svrg"), u, reduced=True)


def _epochs(problem: ScalarProblem, u: Array, reduced: bool) -> Iterates:
    if problem.has_offset:
        raise InputError("stochastic steps know no offset here: choose solver='auto'")
    if not problem.penalty.is_smooth:
        raise InputError("stochastic steps have no l1 penalty here: choose solver='auto', or 'coordinate'")
    matrix, rows, (centre, unit) = problem.matrix, problem.rows, problem.standardisation
    rng, count, decay = np.random.default_rng(0), matrix.shape[0], problem.curvature_of_penalty[:-1]
    rate = _rate(problem, reduced)
    z, number = problem.score_buffer(), 0
    while True:
        # 1. The gradient of all rows, which variance reduction is about, and which the certificate needs anyway.
        point = problem.certified(problem.evaluate(u, z, bounded=False), z)
        yield point
        u, order = point.u.copy(), rng.permutation(count)
        pull = point.gradient.copy()
        # Which is added for u as it moves.
        pull[:-1] -= decay * u[:-1]
        pull = pull if reduced else np.append(np.zeros(len(unit)), problem.linear_term)
        # 2. Variance-reduced steps keep their rate, as their noise vanishes with the distance; plain ones must slow
        #    down.
        eta = rate if reduced else rate / math.sqrt(1 + number)
        weights = rows.s
        common = (
            problem.intercept,
            problem.loss.kind.address_of("slope"),
            *problem.loss.parameters,
            rows.y,
            weights,
            z,
        )
        if matrix.is_sparse:
            X = matrix.X
            stochastic.sparse_epoch(order, X.data, X.indices, X.indptr, unit, *common, u, pull, decay, eta, reduced)
        else:
            # Of plain steps the mean over the epoch counts: their noise averages out, the last step's does not. Of a
            # sparse matrix no mean is kept, which would take a pass over all columns for each row.
            mean = np.zeros_like(u)
            stochastic.epoch(
                order, matrix.X, centre, unit, *common, u, pull, decay, np.full(count, eta), reduced, mean
            )
            u = u if reduced else mean
        number += 1
        if not np.isfinite(u).all():
            return "a step along a row's gradient left all finite numbers"


def _rate(problem: ScalarProblem, reduced: bool) -> float:
    """The inverse of the greatest curvature that a row's loss can have, of its weight and of its penalty."""
    bend = problem.loss.curvature_bound
    if problem.loss.kind.corners:
        bend = bend if math.isfinite(bend) else 1.0
    elif math.isinf(bend):
        raise InputError(f"the loss has no greatest curvature to choose a rate by ({problem.loss.kind.name}): choose "
                         "solver='auto'")
    matrix, (centre, unit), s = problem.matrix, problem.standardisation, problem.rows.s
    if matrix.is_sparse:
        X = matrix.X
        longest = stochastic.longest_sparse_row(X.data, X.indices, X.indptr, unit, problem.intercept)
    else:
        longest = stochastic.longest_row(matrix.X, centre, unit, problem.intercept)
    heaviest = float(s.max()) * matrix.shape[0]
    return (0.5 if reduced else 1.0) / (bend * heaviest * longest + float(problem.curvature_of_penalty.max()))
