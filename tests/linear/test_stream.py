"""Learning block by block: exact for squares, nearly so for other losses, and whatever the units of columns are."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier

from descend.linear._losses import HINGE, INSENSITIVE, LOGISTIC, PINBALL, POISSON, SQUARED, SQUARED_HINGE, Loss
from descend.linear.streaming import stream as stream_module
from descend.linear.streaming.stream import Stream

ONE = np.array([1.0])


def table(rows: int, columns: int, seed: int = 0, decades: float = 0.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    z = X @ rng.normal(size=columns)
    return X * np.logspace(-decades / 2, decades / 2, columns) + 1, z


def streamed(loss: Loss, l2: float, X: Any, y: Any, s: Any = ONE, block: int = 100, intercept: bool = True) -> Stream:
    stream = Stream(loss, X.shape[1], intercept)
    for start in range(0, X.shape[0], block):
        part = slice(start, start + block)
        stream.update(X[part], y[part], s[part] if s.size > 1 else s, l2)
    return stream


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("block", [7, 1000])
def test_squares_are_those_of_a_fit_to_all_rows(block: int, weighted: bool, intercept: bool) -> None:
    X, z = table(500, 6)
    rng = np.random.default_rng(1)
    y = z + rng.normal(size=500)
    s = rng.uniform(0.5, 2, 500) if weighted else ONE
    wanted = Ridge(alpha=2.0, fit_intercept=intercept, solver="svd").fit(X, y, s if weighted else None)
    stream = streamed(Loss(SQUARED), 2.0, X, y, s, block, intercept)
    np.testing.assert_allclose(stream.coef, wanted.coef_, atol=1e-9)
    assert stream.intercept == pytest.approx(wanted.intercept_, abs=1e-9)


def test_logistic_loses_less_than_the_noise_of_the_data() -> None:
    X, z = table(20_000, 10)
    y = np.where(np.random.default_rng(1).random(20_000) < 1 / (1 + np.exp(-z)), 1, -1)
    mean_loss = lambda w, b: np.logaddexp(0, -y * (X @ w + b)).mean()
    best = LogisticRegression(tol=1e-8, max_iter=1000).fit(X, y)
    stream = streamed(Loss(LOGISTIC), 1.0, X, y, block=500)
    # A fit to all rows is itself d/2n away from the truth.
    assert mean_loss(stream.coef, stream.intercept) - mean_loss(best.coef_[0], best.intercept_) < 11 / (2 * 20_000)


def test_sparse_rows_and_single_precision_learn_the_same() -> None:
    X, z = table(300, 5)
    y = np.where(z > 0, 1, -1)
    dense = streamed(Loss(LOGISTIC), 1.0, X, y)
    np.testing.assert_allclose(streamed(Loss(LOGISTIC), 1.0, sparse.csr_array(X), y).u, dense.u, rtol=1e-8)
    np.testing.assert_allclose(streamed(Loss(LOGISTIC), 1.0, X.astype(np.float32), y).u, dense.u, rtol=1e-3)


@pytest.mark.parametrize("loss", [Loss(HINGE), Loss(SQUARED_HINGE)])
def test_margins_classify_as_well_as_a_regression(loss: Loss) -> None:
    X, z = table(5_000, 8)
    y = np.where(z + np.random.default_rng(1).normal(size=5_000) > 0, 1, -1)
    stream = streamed(loss, 1.0, X, y)
    best = LogisticRegression().fit(X, y).score(X, y)
    assert (np.sign(X @ stream.coef + stream.intercept) == y).mean() > best - 0.01


@pytest.mark.parametrize(("loss", "share"), [(Loss(PINBALL, 0.5), 0.5), (Loss(INSENSITIVE, 0.1), 0.5)])
def test_corners_find_the_middle(loss: Loss, share: float) -> None:
    X, z = table(5_000, 4)
    y = z + np.random.default_rng(1).laplace(size=5_000)
    stream = streamed(loss, 0.0, X, y)
    assert (y < X @ stream.coef + stream.intercept).mean() == pytest.approx(share, abs=0.03)


def test_counts() -> None:
    X, z = table(5_000, 3)
    y = np.random.default_rng(1).poisson(np.exp(np.clip(0.3 * z, -2, 2))).astype(float)
    stream = streamed(Loss(POISSON), 0.0, X, y)
    assert np.exp(X @ stream.coef + stream.intercept).mean() == pytest.approx(y.mean(), rel=0.02)


@pytest.mark.parametrize("decades", [0.0, 6.0])
def test_many_columns_row_by_row(monkeypatch: pytest.MonkeyPatch, decades: float) -> None:
    """On sparse rows, better than scikit-learn's SGD after one pass, also where columns have other units."""
    monkeypatch.setattr(stream_module, "QUADRATIC_COLUMNS", 0)
    rng = np.random.default_rng(0)
    X = sparse.random_array((20_000, 2_000), density=0.005, rng=rng, format="csr")
    X.data[:] = rng.normal(size=X.nnz)
    z = X @ rng.normal(size=2_000)
    y = np.where(rng.random(20_000) < 1 / (1 + np.exp(-2 * z)), 1, -1)
    X = sparse.csr_array(X @ sparse.diags_array(np.logspace(-decades / 2, decades / 2, 2_000)))
    train, test = slice(0, 15_000), slice(15_000, None)
    stream = streamed(Loss(LOGISTIC), 1.0, X[train], y[train], block=1000)
    peer = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0).partial_fit(
        sparse.csr_matrix(X[train]), y[train], classes=[-1, 1])
    loss = lambda scores: np.logaddexp(0, -y[test] * scores).mean()
    ours = loss(X[test] @ stream.coef + stream.intercept)
    assert ours < loss(np.asarray(sparse.csr_matrix(X[test]) @ peer.coef_[0]) + peer.intercept_)
    assert ours < np.log(2) - 0.05


def test_a_row_without_weight_teaches_nothing() -> None:
    X, z = table(200, 3)
    y = np.where(z > 0, 1, -1)
    s = np.r_[np.ones(150), np.zeros(50)]
    np.testing.assert_allclose(streamed(Loss(LOGISTIC), 1.0, X, y, s, 200).u,
                               streamed(Loss(LOGISTIC), 1.0, X[:150], y[:150], block=200).u, rtol=1e-9)


def hashed(X: Any, width: int, seed: int = 0) -> tuple[Any, Any]:
    """The same columns, scattered among many that are 0 everywhere; and where they are."""
    places = np.random.default_rng(seed).choice(width, X.shape[1], replace=False)
    rows, columns = X.nonzero()
    return sparse.csr_array((X[rows, columns], (rows, places[columns])), shape=(X.shape[0], width)), places


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", [Loss(SQUARED), Loss(LOGISTIC), Loss(SQUARED_HINGE)])
def test_of_many_columns_those_count_that_were_seen(loss: Loss, intercept: bool) -> None:
    """Also if some are seen later than others: what is kept then grows."""
    X, z = table(2_000, 6)
    X[:700, 4:], X[:300, 2:] = 0.0, 0.0
    y = z if loss.kind == SQUARED else np.where(z > 0, 1, -1)
    wide, places = hashed(X, 5_000)
    few, many = streamed(loss, 2.0, X, y, intercept=intercept), streamed(loss, 2.0, wide, y, intercept=intercept)
    np.testing.assert_allclose(many.coef[places], few.coef, rtol=1e-6, atol=1e-9)
    assert many.intercept == pytest.approx(few.intercept, rel=1e-6, abs=1e-9)
    assert np.count_nonzero(many.coef) == 6


@pytest.mark.parametrize("kind", [LOGISTIC, SQUARED, HINGE])
@pytest.mark.parametrize("unit", [1.0, 1e3])
def test_where_columns_become_too_many_rows_go_on_from_what_was_learnt(
    kind: int, unit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "QUADRATIC_COLUMNS", 30)
    rng = np.random.default_rng(0)
    X = np.zeros((9_000, 40))
    X[np.arange(9_000), rng.integers(0, 30, 9_000)] = 1
    X[6_000:, 30:] = rng.random((3_000, 10)) < 0.1
    z = X @ rng.normal(size=40)
    numbers, signs = unit * (z + 0.3 * rng.normal(size=9_000)), np.where(z + rng.logistic(size=9_000) > 0, 1, -1)
    y = numbers if kind == SQUARED else signs
    wide, _ = hashed(X, 2_000)

    def loss(stream: Stream) -> float:
        scores = wide @ stream.coef + stream.intercept
        return float(np.mean((scores - y) ** 2 if kind == SQUARED else np.sign(scores) != y))

    stream = streamed(Loss(kind), 1.0, wide[:6_000], y[:6_000], block=1_000)
    before = loss(stream)
    for start in range(6_000, 9_000, 500):
        part = slice(start, start + 500)
        stream.update(wide[part], y[part], ONE, 1.0)
        assert loss(stream) <= before * 1.05
    assert stream.coef.size == 2_000
