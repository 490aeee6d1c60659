"""Seconds to a relative suboptimality of 1e-2, 1e-4 and 1e-6 of linear models, beside every solver that installs.

Ours is a whole `fit` with defaults but for `tol`, which is the target itself. A peer is fitted with its own tolerance
ever tighter, until it is there: what counts is the fit that first was, a median of three if it takes less than a
second. All are fitted to some of the rows before, so that what they compile is no part of it. The objective is
evaluated by this module, in float64; the optimum is the best value of all solvers. A peer that did not reach a target
within its tolerances, its iterations, or ten seconds of fits (the last of which may take longer) has "inf". The peers
keep their best documented settings for the problem as it is; those that penalise the intercept (liblinear, snapml) are
given a large constant feature, and for `LinearSVC`, whose solver it slows down, also a small one.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn import linear_model, svm

from benchmarks import _linear_data as tables
from benchmarks._rows import Row

PACKAGES = ("descend", "numba", "numpy", "scipy", "scikit-learn", "celer", "skglm", "glum", "snapml", "cyanure")
TARGETS = (1e-2, 1e-4, 1e-6)
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10)
PATIENCE, QUICK = 10.0, 1.0  # seconds
FEW = 2000  # rows
Coefficients = tuple[np.ndarray, np.ndarray]
Fit = Callable[[float], Coefficients]


@dataclass(frozen=True)
class Workload:
    """A problem: its data, its objective, our estimator, and the peers by name."""

    name: str
    data: Callable[[], tables.Data]
    objective: Callable[[Any, np.ndarray, Coefficients], float]
    ours: Callable[..., Any]
    peers: dict[str, Callable[..., Any]]


def rows() -> Iterator[Row]:
    """Each workload, each peer, each target."""
    for workload in workloads():
        yield from compared(workload)


def compared(workload: Workload) -> Iterator[Row]:
    """One workload's rows."""
    X, y = workload.data()
    y = encoded(y)
    warm(workload.ours, X, y)
    fitted(workload.ours, X, y, TARGETS[0])  # kernels that some of the rows did not need
    ours = [timed(partial(fitted, workload.ours, X, y, tol)) for tol in TARGETS]
    values = [workload.objective(X, y, coefficients) for _, coefficients in ours]
    best = min(workload.objective(X, y, fitted(workload.ours, X, y, 1e-10)), *values)
    enough = best + 0.5 * min(TARGETS) * abs(best)
    reached = {name: attempts(workload, make, X, y, enough) for name, make in workload.peers.items()}
    optimum = min([best, *(v for tries in reached.values() for _, v in tries)])
    for target, (seconds, _), value in zip(TARGETS, ours, values, strict=True):
        mine = seconds if value - optimum <= target * abs(optimum) else np.inf
        for name, tries in reached.items():
            theirs = min((time for time, v in tries if v - optimum <= target * abs(optimum)), default=np.inf)
            yield Row(workload.name, name, f"to {target:g}", "s", mine, theirs)


def attempts(workload: Workload, make: Callable[..., Any], X: Any, y: np.ndarray,
             enough: float) -> list[tuple[float, float]]:
    """Seconds and objective of a peer at its tolerances, until it is good enough, no better, or time is up."""
    tries: list[tuple[float, float]] = []
    warm(make, X, y)
    for tol in TOLERANCES:
        try:
            seconds, coefficients = timed(partial(fitted, make, X, y, tol))
        except Exception as error:  # a peer may fail on a problem in any way: it has then not reached the target
            warnings.warn(f"{workload.name}: {error}", stacklevel=1)
            break
        tries.append((seconds, workload.objective(X, y, coefficients)))
        is_still = len(tries) > 2 and tries[-1][1] == tries[-2][1] == tries[-3][1]
        if sum(time for time, _ in tries) > PATIENCE or tries[-1][1] <= enough or is_still:
            break
    return tries


def warm(make: Callable[..., Any], X: Any, y: np.ndarray) -> None:
    """Have compiled what is compiled at the first fit."""
    with suppress(Exception):  # if it cannot be fitted, this will be seen later
        some = slice(None, None, -(-len(y) // FEW))
        fitted(make, X[some], y[some], TOLERANCES[0])


def timed(fit: Callable[[], Coefficients]) -> tuple[float, Coefficients]:
    """Seconds of a fit, the median of three if it is quick, after one that is not counted; and what it found."""
    seconds: list[float] = []
    while len(seconds) < 4:
        time.sleep(0.03)
        begin = time.perf_counter()
        result = fit()
        seconds.append(time.perf_counter() - begin)
        if seconds[-1] > QUICK:
            return seconds[-1], result
    return float(np.median(seconds[1:])), result


def fitted(make: Callable[..., Any], X: Any, y: np.ndarray, tol: float) -> Coefficients:
    """Coefficients, one row a class, and intercepts."""
    model = make(tol, len(y))
    with warnings.catch_warnings(action="ignore"):  # of convergence: what was reached is looked at
        model.fit(X, y)
    return np.atleast_2d(model.coef_), np.atleast_1d(np.asarray(model.intercept_, np.float64))


def encoded(y: np.ndarray) -> np.ndarray:
    """Classes as numbers from 0; numbers as they are."""
    return y if y.dtype.kind == "f" else np.unique(y, return_inverse=True)[1]


def logistic(X: Any, y: np.ndarray, coefficients: Coefficients) -> float:
    """The mean loss, and half the squared coefficients over the number of rows: C = 1."""
    w, b = coefficients
    z = np.asarray(X @ w.T) + b
    if z.shape[1] == 1:
        z = np.hstack([np.zeros_like(z), z])
    loss = logsumexp(z, axis=1) - z[np.arange(len(y)), y]
    return float(loss.mean() + 0.5 * np.sum(w**2) / len(y))


def squared_hinge(X: Any, y: np.ndarray, coefficients: Coefficients) -> float:
    """One class against the others, for each class: C = 1."""
    w, b = coefficients
    z = np.asarray(X @ w.T) + b
    side = np.where(y[:, None] == np.arange(z.shape[1]) if z.shape[1] > 1 else y[:, None] == 1, 1, -1)
    return float(np.sum(np.maximum(1 - side * z, 0) ** 2) / len(y) + 0.5 * np.sum(w**2) / len(y))


def least_squares(l1: float, l2: float, X: Any, y: np.ndarray, coefficients: Coefficients) -> float:
    """Half the mean squared error and the penalties."""
    w, b = coefficients
    return float(0.5 * np.mean((X @ w[0] + b - y) ** 2) + l1 * np.abs(w).sum() + 0.5 * l2 * np.sum(w**2) / len(y))


def workloads() -> Iterator[Workload]:
    """All problems."""
    from descend.linear import Lasso, LinearSVC, LogisticRegression, Ridge

    ours = lambda tol, _: LogisticRegression(tol=tol)
    dense = _sklearn("lbfgs", "newton-cholesky", "sag", "saga", "liblinear") | _sgd() | _glum() | _snap() | _cyanure()
    wide = _sklearn("lbfgs", "newton-cholesky", "saga", "liblinear") | _sgd() | _snap() | _cyanure()
    many = _sklearn("lbfgs", "newton-cholesky", "saga")
    yield Workload("logistic 300,000×50", tables.dense_logistic, logistic, ours, dense)
    scaled = partial(tables.dense_logistic, decades=6.0)
    yield Workload("logistic 300,000×50, six decades", scaled, logistic, ours, dense)
    yield Workload("adult 45,222×104", tables.adult, logistic, ours, dense)
    yield Workload("health 171,067×136", tables.health, logistic, ours, dense)
    yield Workload("flights 3,000,000×496, sparse", tables.flights, logistic, ours, wide)
    yield Workload("letters 20,000×16, 26 classes", tables.letters, logistic, ours, many)
    yield Workload("20 Newsgroups, multinomial", tables.newsgroups, logistic, ours, _sklearn("lbfgs", "saga"))
    yield Workload("20 Newsgroups, LinearSVC", tables.newsgroups, squared_hinge,
                   lambda tol, _: LinearSVC(tol=tol), _svc())
    yield Workload("Lasso 10,000×2,000", tables.lasso, partial(least_squares, 0.2, 0.0),
                   lambda tol, _: Lasso(alpha=0.2, tol=tol), _lasso(0.2))
    yield Workload("Ridge, diamonds 53,940×26", tables.diamonds, partial(least_squares, 0.0, 1.0),
                   lambda tol, _: Ridge(alpha=1.0, tol=tol), _ridge())


def _sklearn(*solvers: str) -> dict[str, Callable[..., Any]]:
    settings: dict[str, dict[str, Any]] = {
        "lbfgs": {"max_iter": 2000}, "newton-cholesky": {"max_iter": 100}, "sag": {"max_iter": 100},
        "saga": {"max_iter": 100}, "liblinear": {"max_iter": 1000, "intercept_scaling": 100.0},
    }
    make = lambda solver, tol, _: linear_model.LogisticRegression(solver=solver, tol=tol, **settings[solver])
    return {f"scikit-learn {solver}": partial(make, solver) for solver in solvers}


def _sgd() -> dict[str, Callable[..., Any]]:
    return {"scikit-learn SGD, averaged": lambda tol, n: linear_model.SGDClassifier(
        loss="log_loss", alpha=1 / n, average=True, tol=tol, max_iter=100, random_state=0
    )}


def _svc() -> dict[str, Callable[..., Any]]:
    make = lambda dual, scaling, tol, _: svm.LinearSVC(dual=dual, tol=tol, max_iter=10_000, intercept_scaling=scaling)
    return {f"scikit-learn liblinear{', dual' * dual}, intercept × {scaling:g}": partial(make, dual, scaling)
            for dual in (True, False) for scaling in (1.0, 10.0)}


def _lasso(alpha: float) -> dict[str, Callable[..., Any]]:
    plain = lambda tol, _: linear_model.Lasso(alpha, tol=tol, max_iter=100_000)
    peers = {
        "scikit-learn Lasso": plain,
        "scikit-learn Lasso, precompute": lambda tol, _: plain(tol, 0).set_params(precompute=True),
        "scikit-learn Lasso, random": lambda tol, _: plain(tol, 0).set_params(selection="random", random_state=0),
    }
    return peers | {
        f"{package} Lasso": partial(lambda module, tol, _: module.Lasso(alpha, tol=tol), module)
        for package in ("celer", "skglm") if (module := _installed(package))
    }


def _ridge() -> dict[str, Callable[..., Any]]:
    make = lambda solver, tol, _: linear_model.Ridge(1.0, solver=solver, tol=tol)
    return {f"scikit-learn {solver}": partial(make, solver)
            for solver in ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga")}


def _glum() -> dict[str, Callable[..., Any]]:
    module = _installed("glum")
    return {} if module is None else {"glum irls-ls": lambda tol, n: module.GeneralizedLinearRegressor(
        family="binomial", alpha=1 / n, l1_ratio=0, solver="irls-ls", gradient_tol=tol, max_iter=1000
    )}


def _snap() -> dict[str, Callable[..., Any]]:
    module = _installed("snapml")
    return {} if module is None else {"snapml": lambda tol, _: _Dense(module.LogisticRegression(
        regularizer=1.0, n_jobs=2, tol=tol, fit_intercept=True, intercept_scaling=100.0, max_iter=100
    ))}


def _cyanure() -> dict[str, Callable[..., Any]]:
    module = _installed("cyanure.estimators")
    return {} if module is None else {"cyanure": lambda tol, n: module.LogisticRegression(
        penalty="l2", lambda_1=1 / n, tol=tol, verbose=False, max_iter=100, fit_intercept=True
    )}


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


class _Dense:
    """A peer that takes scipy's older sparse matrices alone."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Any, y: np.ndarray) -> None:
        self.model.fit(sparse.csr_matrix(X) if sparse.issparse(X) else X, y)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)
