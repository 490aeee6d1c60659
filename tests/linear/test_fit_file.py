"""A fit to a file: the minimum of a fit to the same rows in memory, in blocks of any size, and clear refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from descend._blocks import shards
from descend._blocks.files import Blocks
from descend.errors import InputError
from descend.linear import (
    SVC,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from descend.linear._losses import LOGISTIC, Loss
from descend.linear.problems.matrix import Rows
from descend.linear.streaming import survey as module
from descend.linear.streaming.partitioned import Meaning, Partitioned
from descend.linear.streaming.source import source_of_blocks

ROWS = 4000


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"city": rng.choice(["Rome", "Oslo", "Bern"], ROWS), "far": rng.normal(5e3, 1e3, ROWS)})
    z = (table["far"] - 5e3) / 1e3 + (table["city"] == "Rome") + rng.logistic(size=ROWS)
    return table.assign(late=np.where(z > 0, "yes", "no"), kind=np.digitize(z, [-1, 1]), z=z,
                        count=rng.poisson(np.exp(z / 4)))


def blocks_of(path: Path, table: pd.DataFrame, target: str, **settings: Any) -> Blocks:
    table[["city", "far", target]].to_parquet(path)
    return Blocks(path, target, **{"hashed": 64, "rows": 700} | settings)


def in_memory(blocks: Blocks) -> tuple[Any, np.ndarray]:
    parts = list(blocks)
    return sparse.vstack([X for X, _ in parts], format="csr"), np.concatenate([y for _, y in parts])


@pytest.mark.parametrize(("target", "model"), [
    ("late", LogisticRegression(tol=1e-9)),
    ("late", LogisticRegression(tol=1e-9, class_weight="balanced", fit_intercept=False)),
    ("late", LinearSVC(tol=1e-9, C=0.1)),
    ("late", LogisticRegression(tol=1e-9, solver="lbfgs")),
    ("kind", LogisticRegression(tol=1e-9, multi_class="ovr", class_weight={0: 2.0, 1: 1.0, 2: 0.5})),
    ("z", Ridge(tol=1e-9)),
    ("z", LinearSVR(tol=1e-9, loss="squared_epsilon_insensitive", epsilon=0.3)),
    ("count", PoissonRegressor(tol=1e-9, alpha=0.1)),
], ids=lambda value: value if isinstance(value, str) else type(value).__name__)
def test_the_minimum_is_that_of_rows_in_memory(tmp_path: Path, table: pd.DataFrame, target: str, model: Any,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_ROWS", 300)  # so that it is one, and the passes have something to do
    blocks = blocks_of(tmp_path / "flights.parquet", table, target)
    model.fit(blocks)
    assert model.stop_reason_.name == "converged", model.stop_reason_
    w, b, given = model.coef_, np.atleast_1d(model.intercept_), model.predict(next(iter(blocks))[0])
    model.set_params(solver="auto").fit(*in_memory(blocks))
    # A relative gap of 1e-9 leaves the coefficients a relative error of about its root.
    np.testing.assert_allclose(w, model.coef_, rtol=1e-4, atol=1e-4 * np.abs(model.coef_).max())
    np.testing.assert_allclose(b, np.atleast_1d(model.intercept_), rtol=1e-4, atol=1e-4)
    assert np.mean(given == model.predict(next(iter(blocks))[0])) > 0.99 or target in ("z", "count")


def test_least_squares_without_a_penalty_have_a_minimum_too(tmp_path: Path, table: pd.DataFrame) -> None:
    """The levels of a category add up to the intercept's column, so there are many; their predictions are the same."""
    blocks = blocks_of(tmp_path / "flights.parquet", table, "z")
    given = LinearRegression().fit(blocks).predict(next(iter(blocks))[0])
    np.testing.assert_allclose(given, LinearRegression().fit(*in_memory(blocks)).predict(next(iter(blocks))[0]),
                               rtol=1e-6, atol=1e-6)


def test_the_blocks_size_and_the_number_of_hashed_columns_do_not_matter(tmp_path: Path, table: pd.DataFrame) -> None:
    models = [LogisticRegression(tol=1e-10).fit(blocks_of(tmp_path / "flights.parquet", table, "late", **settings))
              for settings in ({"rows": 100}, {"rows": 10**6}, {"hashed": 2**18})]
    scores = [np.sort(model.coef_[np.abs(model.coef_) > 0]) for model in models]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(scores[0])), np.sort(np.abs(scores[2])), rtol=1e-6)
    assert models[2].n_features_in_ == 2**18


def test_it_begins_where_it_was(tmp_path: Path, table: pd.DataFrame) -> None:
    blocks = blocks_of(tmp_path / "flights.parquet", table, "late")
    model = LogisticRegression(warm_start=True, tol=1e-9).fit(blocks)
    end = model.loss_curve_[-1]
    assert model.fit(blocks).loss_curve_[0] == pytest.approx(end, rel=1e-9)


@pytest.mark.parametrize(("model", "target", "message"), [
    (Lasso(), "z", "as it is set is not fitted to files"),
    (LogisticRegression(C=np.inf), "late", "as it is set is not fitted to files"),
    (LinearSVC(loss="hinge"), "late", "as it is set is not fitted to files"),
    (HuberRegressor(), "z", "is not fitted to files here"),
    (SVC(), "late", "is not fitted to files"),
    (LogisticRegression(solver="svrg"), "late", "solver is 'svrg': a fit to a file knows"),
    (LogisticRegression(), "kind", 'pass multi_class="ovr"'),
    (LogisticRegression(), "z", "more than 1,000 different values"),
    (Ridge(), "late", "is not a column of numbers"),
    (PoissonRegressor(), "z", "must not be negative"),
])
def test_refusals(tmp_path: Path, table: pd.DataFrame, model: Any, target: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model.fit(blocks_of(tmp_path / "flights.parquet", table, target))


def test_refusals_of_what_is_no_table_to_learn_from(tmp_path: Path, table: pd.DataFrame) -> None:
    blocks = blocks_of(tmp_path / "flights.parquet", table, "late")
    with pytest.raises(InputError, match="pass it alone"):
        LogisticRegression().fit(blocks, table["late"])
    with pytest.raises(InputError, match="no target"):
        LogisticRegression().fit(Blocks(blocks.path))
    with pytest.raises(InputError, match="has no rows"):
        LogisticRegression().fit(blocks_of(tmp_path / "empty.parquet", table[:0], "late"))
    with pytest.raises(InputError, match="1 class"):
        LogisticRegression().fit(blocks_of(tmp_path / "one.parquet", table[table["late"] == "yes"], "late"))


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path, table: pd.DataFrame) -> None:
    blocks = blocks_of(tmp_path / "flights.parquet", table, "late")
    found = module.survey(source_of_blocks(blocks))
    matrix = Partitioned(found, Meaning(found.labels, 1))
    for changed in (table[:-1], table.assign(city="Turin")):
        blocks_of(tmp_path / "flights.parquet", changed, "late")
        with pytest.raises(InputError, match="was changed while it was read"):
            matrix.sweep(np.zeros(matrix.shape[1]), 0.0, Loss(LOGISTIC), Rows(np.array([]), np.ones(1)),
                         matrix.score_buffer())


def test_a_file_that_goes_after_it_was_opened_is_told_as_one_that_is_not_there(tmp_path: Path, table: pd.DataFrame,
                                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(tmp_path / "flights.parquet", table, "late")
    opened = shards.opened_file

    def opened_and_gone(*given: Any) -> Any:
        found = opened(*given)
        (tmp_path / "flights.parquet").unlink()
        return found

    (part,) = blocks.shards()
    monkeypatch.setattr(shards, "opened_file", opened_and_gone)
    with pytest.raises(InputError, match=r"there is no file '.*flights\.parquet': check its name"):
        list(part)
