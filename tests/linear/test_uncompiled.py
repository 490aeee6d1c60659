"""Small matrices are gone through in NumPy: the same as Numba's kernels do, but for rounding, and nothing compiled."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from descend.linear import GammaRegressor, HuberRegressor, LogisticRegression, PoissonRegressor, Ridge
from descend.linear._kernels import lbfgs, uncompiled, uncompiled_lbfgs
from descend.linear._losses import GAMMA, HUBER, LOGISTIC, POISSON, SQUARED, SQUARED_HINGE, Loss
from descend.linear.problems.intercept import best_shift
from descend.linear.problems.matrix import NO_OFFSET, Matrix, Rows
from descend.linear.problems.multinomial import MultinomialProblem
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem

ROWS, COLUMNS, CLASSES = 301, 7, 4


def _made(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, (ROWS, COLUMNS)) * (rng.random((ROWS, COLUMNS)) < 0.6)
    return {"C": X, "F": np.asfortranarray(X), "float32": X.astype(np.float32), "sparse": sparse.csr_array(X)}[kind]


def _weights(kind):
    s = np.random.default_rng(1).random(ROWS)
    return {"one": np.array([1 / ROWS]), "many": s / s.sum()}[kind]


kinds = pytest.mark.parametrize("kind", ["C", "F", "float32", "sparse"])
weighed = pytest.mark.parametrize("weights", ["one", "many"])


def _both(monkeypatch, work):
    """What `work` gives in NumPy, and as it is compiled."""
    made = []
    for most in (2**18, -1):
        monkeypatch.setattr(uncompiled, "SMALL_PASS", most)
        monkeypatch.setattr(uncompiled, "FEW_ROWS", most)
        made.append(work())
    return made


def _agree(one, other, rtol=1e-12):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


def _targets(kind, rng):
    """Of classes; of counts, zeros among them; of numbers above 0."""
    if kind.classes:
        return np.where(rng.random(ROWS) < 0.4, 1, -1).astype(np.int8)
    return rng.gamma(2.0, size=ROWS) if kind is GAMMA else rng.poisson(1.0, ROWS).astype(float)


@pytest.mark.parametrize("loss", [GAMMA, HUBER, LOGISTIC, POISSON, SQUARED, SQUARED_HINGE], ids=str)
def test_a_loss_of_arrays_is_that_of_numbers(loss):
    rng = np.random.default_rng(9)
    y, z, old, about = _targets(loss, rng), *rng.normal(size=(2, ROWS)) * 2, (1.35, 0.8)
    values, slopes = loss.in_numpy.evaluate(z, y, *about)
    foreseen, conjugates = loss.in_numpy.foresee(z, y, old, *about)
    numbers, by_row = Loss(loss, *about), list(zip(z, y, old, strict=True))
    expected = [numbers.feasible(numbers.slope(c, b) + numbers.curvature(c, b) * (a - c), b) for a, b, c in by_row]
    _agree([values, slopes, loss.in_numpy.curvature(z, y, *about), foreseen, conjugates],
           [[numbers.value(a, b) for a, b, _ in by_row], [numbers.slope(a, b) for a, b, _ in by_row],
            [numbers.curvature(a, b) for a, b, _ in by_row], expected,
            [numbers.conjugate(r, b) for r, (_, b, _) in zip(expected, by_row, strict=True)]])


@kinds
@weighed
@pytest.mark.parametrize("with_dual", [True, False])
@pytest.mark.parametrize("has_offset", [True, False])
def test_a_pass(monkeypatch, kind, weights, with_dual, has_offset):
    rng = np.random.default_rng(2)
    rows = Rows(_targets(LOGISTIC, rng), _weights(weights))
    offset, old = rng.normal(size=ROWS) if has_offset else NO_OFFSET, rng.normal(size=ROWS) * 5
    w = rng.normal(size=COLUMNS)

    def work():
        z = old.copy()
        sums = Matrix(_made(kind)).sweep(w, 0.3, Loss(LOGISTIC), rows, z, with_dual, offset)
        return *sums, z

    plain, compiled = _both(monkeypatch, work)
    _agree(plain, compiled)
    assert np.any(plain[3]) == with_dual


@kinds
@weighed
def test_moments_and_a_hessian(monkeypatch, kind, weights):
    rng = np.random.default_rng(3)
    rows = Rows(np.ones(ROWS), _weights(weights))
    z, unit = rng.normal(size=ROWS) * 3, rng.random(COLUMNS) + 0.5
    centre = np.zeros(COLUMNS) if kind == "sparse" else rng.normal(size=COLUMNS)

    def work():
        matrix = Matrix(_made(kind))
        return *matrix.moments(rows.s), np.tril(matrix.hessian(Loss(LOGISTIC), rows, z, centre, unit))

    _agree(*_both(monkeypatch, work), rtol=1e-11)


@kinds
def test_products(monkeypatch, kind):
    rng = np.random.default_rng(10)
    w, v, centre = rng.normal(size=COLUMNS), rng.normal(size=ROWS), rng.normal(size=COLUMNS) * (kind != "sparse")

    def work():
        matrix = Matrix(_made(kind))
        return matrix.scores(w, 0.3, centre), *matrix.sums(v, centre)

    _agree(*_both(monkeypatch, work))


def test_the_best_intercept_is_where_the_slopes_balance():
    rng = np.random.default_rng(4)
    y, z, s = np.where(rng.random(ROWS) < 0.1, 1.0, -1.0), rng.normal(size=ROWS) * 9, _weights("many")
    shift = best_shift(Loss(LOGISTIC), Rows(y, s), z, 0.01)
    assert abs(np.sum(s * -y / (1 + np.exp(y * (z + shift)))) + 0.01) < 1e-15


def test_the_best_intercept_is_that_of_compiled_functions(monkeypatch):
    rng = np.random.default_rng(4)
    rows, z = Rows(np.where(rng.random(ROWS) < 0.1, 1.0, -1.0), _weights("many")), rng.normal(size=ROWS) * 9
    plain, compiled = _both(monkeypatch, lambda: best_shift(Loss(LOGISTIC), rows, z, 0.01))
    assert compiled == pytest.approx(plain, rel=1e-12)


@kinds
@weighed
@pytest.mark.parametrize("with_dual", [True, False])
def test_a_pass_of_several_classes(monkeypatch, kind, weights, with_dual):
    rng = np.random.default_rng(5)
    rows = Rows(rng.integers(0, CLASSES, ROWS), _weights(weights))
    old, V = rng.normal(size=(ROWS, CLASSES)) * 3, rng.normal(size=(COLUMNS + 1, CLASSES))

    def work():
        problem = MultinomialProblem(Matrix(_made(kind)), rows, CLASSES, Penalty.ridge(np.full(COLUMNS, 0.1)))
        z, p = old.copy(), np.empty_like(old)
        done = problem.passes.sweep(V, z, with_dual)
        loss = problem.passes.probabilities(z, p)
        spread = problem.passes.tilted(np.arange(1.0, CLASSES + 1), p)
        problem.passes.tilt(np.arange(1.0, CLASSES + 1), p)
        reached = problem.passes.scores(V, np.empty_like(z))
        return *done, z, loss, *spread, p, reached, problem.passes.sums(old), problem.passes.class_sums()

    _agree(*_both(monkeypatch, work))


@kinds
@weighed
def test_a_hessian_of_several_classes(monkeypatch, kind, weights):
    rng = np.random.default_rng(6)
    rows, z = Rows(rng.integers(0, CLASSES, ROWS), _weights(weights)), rng.normal(size=(ROWS, CLASSES))

    def work():
        problem = MultinomialProblem(Matrix(_made(kind)), rows, CLASSES, Penalty.ridge(np.full(COLUMNS, 0.1)))
        return problem.hessian(z), np.tril(problem.hessian_blocks(z))

    _agree(*_both(monkeypatch, work), rtol=1e-11)


def test_vectors_of_lbfgs():
    rng = np.random.default_rng(7)
    u, g, old_u, old_g = rng.normal(size=(4, 50))
    root, penalty = rng.random(50) + 0.5, np.where(np.arange(50) % 3, 0.2, 0.0)

    def work(kernels):
        step, change, scaled = np.zeros((3, 50), np.float32)
        back = np.zeros(50)
        numbers = (*kernels.keep(3, 47, u, g, old_u, old_g, root, step, change), *kernels.gap(3, 47, g, penalty),
                   *kernels.back(3, 47, g, root, 0.7, step, back))
        kernels.scaled(3, 47, g, root, scaled)
        return *numbers, step, change, scaled, back

    _agree(work(uncompiled_lbfgs), work(lbfgs))


@pytest.mark.parametrize("classes", [2, CLASSES])
@pytest.mark.parametrize("kind", ["C", "sparse"])
def test_a_fit(monkeypatch, kind, classes):
    X = _made(kind)
    y = np.asarray(X @ np.random.default_rng(8).normal(size=(COLUMNS, classes))).argmax(axis=1)

    def work():
        model = LogisticRegression(tol=1e-10).fit(X, y)
        assert model.stop_reason_.name == "converged"
        return model.coef_, model.intercept_

    _agree(*_both(monkeypatch, work), rtol=1e-4)


@pytest.mark.processes
def test_nothing_is_compiled_for_small_tables(tmp_path):
    script = """
import numpy as np
from descend.linear import LogisticRegression, Ridge
X = np.random.default_rng(0).normal(size=(60, 3))
for y in (X[:, 0] > 0, np.digitize(X[:, 1], [-0.5, 0.5])):
    LogisticRegression().fit(X, y).predict_proba(X)
Ridge().fit(X, X @ [1.0, 2.0, 3.0]).predict(X)
"""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "JAX_PLATFORMS": "cpu", "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert [file.name for file in tmp_path.rglob("*.nbi")] == []


def _by_threads(work):
    """What `work` gives where BLAS has one thread, and where it has two."""
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            found.append(work())
    return found


# More than the numbers from which on BLAS divides a product of two vectors among threads.
LONG = 20_001


@pytest.mark.parametrize("model", [Ridge(), HuberRegressor(), PoissonRegressor(), GammaRegressor()],
                         ids=lambda model: type(model).__name__)
def test_threads_of_blas_change_no_bit_of_a_fit(model):
    rng = np.random.default_rng(11)
    X, weights = rng.normal(size=(LONG, 1)), rng.random((6, LONG))
    y = np.exp(X[:, 0] / 3) * rng.gamma(2.0, size=LONG) + 1e-9

    one, two = _by_threads(lambda: [[*model.fit(X, y, sample_weight=s).coef_, model.intercept_] for s in weights])
    assert one == two


def test_threads_of_blas_change_no_bit_of_a_gradient():
    rng = np.random.default_rng(12)
    matrix, targets, s = Matrix(rng.normal(size=(LONG, 1))), rng.normal(size=(20, LONG)), np.array([1 / LONG])
    sweep = lambda y: matrix.sweep(np.ones(1), 0.3, Loss(SQUARED), Rows(y, s), np.zeros(LONG), with_dual=False)
    one, two = _by_threads(lambda: [sweep(y).g.tolist() for y in targets])
    assert one == two


def test_a_trial_beyond_all_numbers_warns_of_nothing():
    X = np.random.default_rng(13).random((ROWS, 2)) + 1.0
    problem = ScalarProblem(Matrix(X), Rows(np.ones(ROWS), _weights("many")), Loss(GAMMA),
                            Penalty.ridge(np.full(2, 0.1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        beyond = problem.evaluate(np.array([0.0, 0.0, -1e4]), problem.score_buffer())
    assert not np.isfinite(beyond.value)
