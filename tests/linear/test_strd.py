"""The linear problems of NIST's Statistical Reference Datasets: six digits of the certified coefficients, and a bound
that is one.

Filip's polynomial of degree 10, centred and in units of spread, has a condition number of 1e9: of its square, that of
the sums of products, nothing is left in float64. What is asked is what double precision can give.
"""

import json
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from descend.linear import LinearRegression, Ridge

PROBLEMS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "nist.json").read_text())
DIGITS = 1e-6


def table(name: str) -> tuple[Any, Any, Any]:
    """Features, targets and certified coefficients, of which an intercept is the first."""
    problem = PROBLEMS[name]
    rows = np.array(problem["rows"], np.float64)
    X = np.hstack([rows[:, 1:] ** power for power in range(1, problem["degree"] + 1)])
    return X, rows[:, 0], np.array(problem["coefficients"])


def solved(A: list[list[Fraction]], b: list[Fraction]) -> list[Fraction]:
    """The solution of a system of equations, by elimination."""
    rows = [[*row, value] for row, value in zip(A, b, strict=True)]
    for i in range(len(rows)):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(len(rows)):
            if k != i:
                rows[k] = [a - rows[k][i] * c for a, c in zip(rows[k], rows[i], strict=True)]
    return [row[-1] for row in rows]


def squares_above(model: Any, X: Any, y: Any) -> tuple[float, float]:
    """Half the mean square of a model above the least that there is, and that least: in fractions, so exactly."""
    ones = [[Fraction(1)]] * len(y) if model.fit_intercept else [[]] * len(y)
    A = [[*map(Fraction, row), *one] for row, one in zip(X.tolist(), ones, strict=True)]
    b, columns = [Fraction(value) for value in y.tolist()], list(zip(*A, strict=True))
    product = lambda u, v: sum(one * other for one, other in zip(u, v, strict=True))
    best = solved([[product(u, v) for u in columns] for v in columns], [product(v, b) for v in columns])
    found = [Fraction(float(value)) for value in [*model.coef_, model.intercept_][: len(columns)]]
    least, squares = (sum((value - product(row, w)) ** 2 for row, value in zip(A, b, strict=True)) / (2 * len(b))
                      for w in (best, found))
    return float(squares - least), float(least)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("model", [LinearRegression(), Ridge(alpha=0.0)], ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("name", PROBLEMS)
def test_coefficients_are_the_certified_ones(name: str, model: Any, kind: str) -> None:
    X, y, certified = table(name)
    model.set_params(fit_intercept=PROBLEMS[name]["intercept"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X if kind == "dense" else sparse.csr_array(X), y)
    found = np.append(model.intercept_, model.coef_) if model.fit_intercept else model.coef_
    np.testing.assert_allclose(found, certified, rtol=DIGITS)
    assert model.stop_reason_.name == "converged"


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_bound_is_a_bound(name: str) -> None:
    """Of the columns as they are in float64, in which powers are rounded."""
    X, y, _ = table(name)
    model = LinearRegression(fit_intercept=PROBLEMS[name]["intercept"]).fit(X, y)
    above, least = squares_above(model, X, y)
    assert above <= model.duality_gap_ + 1e-15 * least
    assert 2 * len(y) * least == pytest.approx(PROBLEMS[name]["squares"], rel=1e-8, abs=1e-20)
