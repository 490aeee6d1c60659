"""Offsets of rows: scores that are given, whose coefficient is 1."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize, sparse, special
from sklearn.base import clone
from sklearn.metrics import d2_tweedie_score

from descend.errors import InputError
from descend.linear import (
    Blocks,
    GammaRegressor,
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
TIME, S = rng.uniform(0.1, 5, 120), rng.uniform(0.2, 2, 120)
LOG = np.log(TIME)
COSTS = TIME * rng.gamma(2, np.exp(X @ [0.5, -0.3, 0.2]))
COUNTS = rng.poisson(TIME * np.exp(X @ [0.5, -0.3, 0.2])).astype(float)
LABELS = (X @ [1.0, -1.0, 0.0] + LOG + rng.logistic(size=120) > 0).astype(int)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "accelerated"])
@pytest.mark.parametrize(("power", "y"), [(1.0, COUNTS), (1.4, COUNTS), (2.0, COSTS)])
def test_an_exposure_is_a_rate_of_rows_that_weigh_more(power: float, y: Any, solver: str) -> None:
    """ℓ(z + log t, y) is t^(2 − power) ℓ(z, y/t), so that exposures may also be divided by."""
    weight = S * TIME ** (2 - power)
    alpha = 0.1
    model = TweedieRegressor(power=power, alpha=alpha, tol=1e-13, solver=solver, max_iter=20_000)
    model.fit(X, y, S, offset=LOG)
    other = TweedieRegressor(power=power, alpha=alpha * S.sum() / weight.sum(), tol=1e-13).fit(X, y / TIME, weight)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)
    assert model.intercept_ == pytest.approx(other.intercept_, abs=1e-6)
    np.testing.assert_allclose(model.predict(X, offset=LOG), TIME * other.predict(X), rtol=1e-5)
    assert model.loss_curve_[-1] * S.sum() == pytest.approx(other.loss_curve_[-1] * weight.sum(), rel=1e-12)


@pytest.mark.parametrize("penalty", [{"C": 1.0}, {"C": np.inf}, {"C": 0.3, "l1_ratio": 1.0}], ids=["l2", "none", "l1"])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_logistic_minima_are_those_of_scipy(penalty: Any, container: Any) -> None:
    model = LogisticRegression(**penalty, tol=1e-12, max_iter=5000).fit(container(X), LABELS, S, offset=LOG)
    assert model.stop_reason_.name == "converged"
    l1 = penalty.get("l1_ratio", 0.0) / penalty["C"]
    l2 = (1 - penalty.get("l1_ratio", 0.0)) / penalty["C"]
    y = 2 * LABELS - 1

    def objective(v: Any) -> Any:
        w, b = v[:3] - v[3:6], v[6]
        z = X @ w + b + LOG
        r = -S * y * special.expit(-y * z)
        g = X.T @ r + l2 * w
        value = S @ np.logaddexp(0, -y * z) + 0.5 * l2 * w @ w + l1 * v[:6].sum()
        return value, np.concatenate([g + l1, l1 - g, [r.sum()]])

    bounds = [(0, None)] * 6 + [(None, None)]
    best = optimize.minimize(objective, np.zeros(7), jac=True, bounds=bounds, options={"ftol": 1e-16, "gtol": 1e-12})
    assert model.loss_curve_[-1] * S.sum() == pytest.approx(best.fun, rel=1e-8)
    np.testing.assert_allclose(model.coef_[0], best.x[:3] - best.x[3:6], atol=1e-4)
    z = X @ model.coef_[0] + model.intercept_[0] + LOG
    np.testing.assert_allclose(model.predict_proba(container(X), offset=LOG)[:, 1], special.expit(z), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(container(X), offset=LOG), z > 0)


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_the_same_offset_of_all_rows_is_part_of_the_intercept(shift: float) -> None:
    for model, y in ((PoissonRegressor(tol=1e-12), COUNTS), (LogisticRegression(tol=1e-12), LABELS)):
        alone = model.fit(X, y).coef_.ravel(), np.ravel(model.intercept_)
        model.fit(X, y, offset=np.full(120, shift))
        np.testing.assert_allclose(model.coef_.ravel(), alone[0], atol=1e-6)
        np.testing.assert_allclose(np.ravel(model.intercept_) + shift, alone[1], atol=1e-6)


def test_one_row_has_an_offset_too() -> None:
    model = PoissonRegressor(alpha=1.0, tol=1e-12).fit([[1.0]], [4.0], offset=[np.log(2.0)])
    assert model.predict([[1.0]])[0] == pytest.approx(2.0, rel=1e-6)


def test_rows_without_weight_are_left_out_with_their_offsets() -> None:
    weight = np.where(np.arange(120) < 60, 1.0, 0.0)
    model = PoissonRegressor(tol=1e-12).fit(X, COUNTS, weight, offset=LOG)
    other = PoissonRegressor(tol=1e-12).fit(X[:60], COUNTS[:60], offset=LOG[:60])
    np.testing.assert_array_equal(model.coef_, other.coef_)


def test_what_knows_no_offset_refuses_it(tmp_path: Any) -> None:
    with pytest.raises(InputError, match="offset has the shape"):
        GammaRegressor().fit(X, COSTS, offset=LOG[:5])
    with pytest.raises(InputError, match="offset is -inf at row 3: it must be finite"):
        GammaRegressor().fit(X, COSTS, offset=np.where(np.arange(120) == 3, -np.inf, 0.0))
    with pytest.raises(InputError, match="offset is given with 3 classes"):
        LogisticRegression().fit(X, np.arange(120) % 3, offset=LOG)
    for solver in ("dual", "sgd", "svrg"):
        with pytest.raises(InputError, match="offset"):
            LogisticRegression(solver=solver).fit(X, LABELS, offset=LOG)
    with pytest.raises(InputError, match="beside a file: name the column"):
        PoissonRegressor().fit(Blocks(tmp_path, "y"), offset=LOG)
    with pytest.raises(InputError, match="offset is given with 3 classes"):
        LogisticRegression().partial_fit(X, np.arange(120) % 3, classes=[0, 1, 2], offset=LOG)


def written(path: Any, y: Any, log: Any = LOG) -> Any:
    lines = [",".join(map(repr, map(float, row))) for row in np.column_stack([X, log, y])]
    path.write_text("\n".join(["a,b,c,log,y", *lines]))
    return Blocks(path, "y", hashed=16, rows=50, offset="log")


@pytest.mark.parametrize(("model", "y"), [
    (PoissonRegressor(alpha=0.1), COUNTS), (GammaRegressor(alpha=0.1), COSTS), (LogisticRegression(), LABELS),
], ids=["poisson", "gamma", "logistic"])
def test_a_column_of_a_file_is_its_offset(model: Any, y: Any, tmp_path: Any) -> None:
    blocks = written(tmp_path / "rows.csv", y)
    parts = list(blocks)
    assert [len(part) for part in parts] == [3, 3, 3]
    hashed, targets = sparse.vstack([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    np.testing.assert_array_equal(np.concatenate([part[2] for part in parts]), LOG)
    found = model.set_params(tol=1e-10).fit(blocks).coef_.copy()
    told, score = model.predict(blocks), model.score(blocks)
    assert model.stop_reason_.name == "converged"
    other = model.fit(hashed, targets, offset=LOG)
    np.testing.assert_allclose(found, other.coef_, atol=1e-5)
    np.testing.assert_allclose(told, other.predict(hashed, offset=LOG), rtol=1e-4)
    assert score == pytest.approx(other.score(hashed, targets, offset=LOG), rel=1e-4)


def test_a_files_offset_that_is_none(tmp_path: Any) -> None:
    blocks = written(tmp_path / "rows.csv", LABELS)
    for model in (Ridge(), LinearSVC()):
        with pytest.raises(InputError, match=r"the file has an offset, 'log', which .* does not know: leave it out"):
            model.fit(blocks)
        with pytest.raises(InputError, match="does not know: leave it out"):
            model.fit(X[:, :1] @ np.ones((1, 16)), LABELS).predict(blocks)
    with pytest.raises(InputError, match="has no column 'when'"):
        PoissonRegressor().fit(replace(blocks, offset="when"))
    with pytest.raises(InputError, match="'y' is both target and offset"):
        PoissonRegressor().fit(replace(blocks, offset="y"))
    with pytest.raises(InputError, match="offset is given with 3 classes"):
        LogisticRegression(multi_class="ovr").fit(written(tmp_path / "three.csv", np.arange(120) % 3))
    with pytest.raises(InputError, match="'log' has values that are missing or not finite"):
        PoissonRegressor().fit(written(tmp_path / "gaps.csv", COUNTS, np.where(LOG > 1, np.nan, LOG)))
    (tmp_path / "words.csv").write_text("a,log,y\n1,x,2\n2,y,3\n")
    with pytest.raises(InputError, match="the offset 'log' is not a column of numbers"):
        PoissonRegressor().fit(Blocks(tmp_path / "words.csv", "y", offset="log"))


@pytest.mark.parametrize(("model", "y"), [(PoissonRegressor(alpha=0.1), COUNTS), (LogisticRegression(), LABELS)])
def test_the_first_block_is_learnt_as_by_a_fit(model: Any, y: Any) -> None:
    more = {"classes": [0, 1]} if isinstance(model, LogisticRegression) else {}
    model.set_params(tol=1e-10)
    found = clone(model).partial_fit(X, y, offset=LOG, **more)
    other = clone(model).fit(X, y, offset=LOG)
    np.testing.assert_allclose(found.coef_, other.coef_, atol=1e-2)
    for start in range(0, 120, 40):
        part = slice(start, start + 40)
        found = clone(model).partial_fit(X[part], y[part], offset=LOG[part], **more) if not start else (
            found.partial_fit(X[part], y[part], offset=LOG[part]))
    np.testing.assert_allclose(found.coef_, other.coef_, atol=0.2)


def test_row_by_row_what_an_offset_explains_is_not_learnt() -> None:
    """Of many hashed columns, of which none matters: the counts are those of the exposure alone."""
    draws = np.random.default_rng(3)
    rows = sparse.random_array((4000, 3000), density=2e-3, rng=draws, format="csr")
    log = draws.normal(size=4000)
    y = draws.poisson(np.exp(log)).astype(float)
    known = PoissonRegressor(alpha=0.0).partial_fit(rows, y, offset=log)
    assert len(known.coef_) > 1024
    other = PoissonRegressor(alpha=0.0).partial_fit(rows, y)
    assert known.score(rows, y, offset=log) > 0.9 * d2_tweedie_score(y, np.exp(log), power=1)
    assert known.score(rows, y, offset=log) > other.score(rows, y) + 0.2
