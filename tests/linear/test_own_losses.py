"""What a loss is made of: functions that belong together; and a loss of one's own, which a module alone brings."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize

import enforced
from descend.errors import InputError
from descend.linear import LossRegressor, _losses
from descend.linear._losses import Loss
from descend.linear._losses.loss import Kind
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.solve import solve

KINDS = [kind for kind in vars(_losses).values() if isinstance(kind, Kind)]
SCORES = np.array([-6.0, -1.3, -0.2, 0.0, 0.41, 1.7, 5.0])
named = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def loss_of(kind: Kind) -> Loss:
    return Loss(kind, 1.3 if kind.concomitant_scale or kind is _losses.TWEEDIE else 0.4, 0.7)


def targets(kind: Kind) -> list[float]:
    return [-1.0, 1.0] if kind.classes else [0.3, 1.0, 40.0]


@named
def test_slope_and_curvature_are_derivatives(kind: Kind) -> None:
    loss, h = loss_of(kind), 1e-5
    for y in targets(kind):
        for z in SCORES + 0.0123:  # away from corners
            size = 1 + abs(loss.value(z, y)) + loss.curvature(z, y)
            assert (loss.value(z + h, y) - loss.value(z - h, y)) / (2 * h) == pytest.approx(
                loss.slope(z, y), abs=1e-7 * size)
            assert (loss.slope(z + h, y) - loss.slope(z - h, y)) / (2 * h) == pytest.approx(
                loss.curvature(z, y), abs=1e-7 * size)


@named
def test_the_conjugate_is_the_greatest_of_its_lines(kind: Kind) -> None:
    """Fenchel and Young: rz − ℓ(z) ≤ ℓ*(r), and equal where r is the slope of the loss without smoothing."""
    for y in targets(kind):
        loss = loss_of(kind)
        if kind.concomitant_scale:  # its conjugate is that at a scale of nothing
            loss = loss._replace(mu=1e-12)
        loss = loss._replace(mu=0.0) if kind.corners else loss
        slopes = [loss.slope(z, y) for z in SCORES]
        for z, r in zip(SCORES, slopes, strict=True):
            best = loss.conjugate(r, y)
            near = 1e-12 * (1 + abs(r * z)) + 1e-11 * kind.concomitant_scale
            assert r * z - loss.value(z, y) == pytest.approx(best, rel=1e-12, abs=near)
            assert loss.feasible(r, y) == r
            for other in SCORES:
                assert r * other - loss.value(other, y) <= best + 1e-11 * (1 + abs(r * other) + loss.value(other, y))
        for r in (-1e3, 1e3):
            assert np.isfinite(loss.conjugate(loss.feasible(r, y), y))
            assert loss.feasible(r, y) == r or loss.conjugate(r, y) == np.inf


@named
def test_a_kind_is_copied_by_its_name(kind: Kind) -> None:
    make, arguments = kind.__reduce__()
    assert make(*arguments) is kind


OWN = '''
from math import atanh, cosh, log, tanh

import numpy as np
from numba import njit

from descend.linear._losses.loss import Kind

WEIGHT = {weight}


@njit(cache=True)
def value(z, y, p, mu):
    return WEIGHT * log(cosh(z - y))


@njit(cache=True)
def slope(z, y, p, mu):
    return WEIGHT * tanh(z - y)


@njit(cache=True)
def curvature(z, y, p, mu):
    return WEIGHT * (1 - tanh(z - y) ** 2)


@njit(cache=True)
def feasible(r, y, p, mu):
    return min(max(r, -WEIGHT), WEIGHT)


@njit(cache=True)
def conjugate(r, y, p, mu):
    share = r / WEIGHT
    if abs(share) > 1:
        return np.inf
    rest = log(2.0) if abs(share) == 1 else share * atanh(share) + 0.5 * log(1 - share * share)
    return r * y + WEIGHT * rest


KIND = Kind(__name__, curvature_bound=lambda _p, _mu: WEIGHT, strictly_convex=True)
'''


def own_loss(folder: Path, text: str) -> Any:
    """The module of a loss that is written by a user, or was changed by one."""
    (folder / "my_log_cosh.py").write_text(text)
    importlib.invalidate_caches()
    there = sys.modules.get("my_log_cosh")
    return importlib.reload(there) if there else importlib.import_module("my_log_cosh")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # which is not made anew within a second of the last change
    yield tmp_path
    sys.modules.pop("my_log_cosh", None)


def test_a_loss_of_ones_own_is_certified_and_compiled_anew_when_it_changes(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.standard_t(2, 60)
    rows, l2 = Rows(y, np.array([1 / 60])), np.full(3, 0.1)
    for weight in (1.0, 3.0):
        kind = own_loss(folder, OWN.format(weight=weight)).KIND
        problem = ScalarProblem(Matrix(X), rows, Loss(kind), Penalty(l2, np.zeros(3)))
        solution = solve(problem, ConvergenceMonitor(1e-10, 100))
        assert solution.reason.name == "converged"
        w, b = problem.to_user(solution.u)

        def objective(v: Any, weight: float = weight) -> float:
            return float(weight * np.log(np.cosh(X @ v[:3] + v[3] - y)).mean() + 0.05 * v[:3] @ v[:3])

        best = optimize.minimize(objective, np.zeros(4), tol=1e-10)
        assert solution.value == pytest.approx(best.fun, rel=1e-10)
        np.testing.assert_allclose(np.append(w, b), best.x, atol=1e-4)


def test_a_loss_that_lacks_a_function_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="my_log_cosh has no conjugate: each is a compiled function"):
        own_loss(folder, OWN.format(weight=1.0).replace("def conjugate", "def something_else"))


def test_a_regression_by_a_loss_takes_losses_of_numbers() -> None:
    for loss, told in (("squared", "it must be a Kind"), (_losses.HINGE, "loss is Hinge"), (_losses.HUBER, "a scale")):
        with enforced.without_types(), pytest.raises(InputError, match=told):
            LossRegressor(loss).fit([[1.0], [2.0]], [1.0, 2.0])
