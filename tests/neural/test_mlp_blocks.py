"""Perceptrons on tables larger than memory: as good as in memory, the same bits however they are read, refusals."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from descend import Adam
from descend.errors import InputError
from descend.linear import Blocks
from descend.neural import MLPClassifier, MLPRegressor
from descend.neural import _block_rows as reading
from descend.neural import _block_survey as surveying
from descend.neural._hashed_rows import HashedRows
from descend.neural._sparse_rows import SparseRows

ROWS, GROUP = 3000, 250
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (8,), "optimizer": Adam(0.02), "epochs": 2, "random_state": 0}


def table(rows: int = ROWS) -> pd.DataFrame:
    """Whether a flight is late depends on a product, which no linear model tells; the farther the later in the file."""
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"city": rng.choice(["Rome", "Oslo", "Bern"], rows), "far": np.sort(rng.normal(5e3, 50, rows)),
                          "day": rng.normal(size=rows)})
    z = (found["far"] - 5e3) / 50 * np.where(found["city"] == "Rome", 1, -1) + 0.2 * rng.logistic(size=rows)
    return found.assign(z=z, late=np.where(z > 0, "yes", "no"))


TABLE = table()


def written(folder: Path, files: int, rows: pd.DataFrame = TABLE, target: str = "late") -> Blocks:
    """The same row groups in so many files."""
    folder.mkdir(exist_ok=True)
    columns = ["city", "far", "day", target]
    for number, part in enumerate(np.array_split(np.arange(len(rows)), files)):
        rows.iloc[part][columns].to_parquet(folder / f"part-{number:02}.parquet", row_group_size=GROUP)
    return Blocks(folder / "*.parquet", target)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Blocks:
    return written(tmp_path_factory.mktemp("flights") / "three", 3)


@pytest.fixture(scope="module")
def fitted(blocks: Blocks) -> MLPClassifier:
    return MLPClassifier(**SETTINGS).fit(blocks)


def numbers(model: Any) -> list[np.ndarray]:
    return [*model.network_.weights, *model.network_.biases]


def test_is_as_good_as_on_the_same_rows_in_memory(blocks: Blocks) -> None:
    long = SETTINGS | {"epochs": 8}
    there = MLPClassifier(**long).fit(blocks)
    X = np.column_stack([*(TABLE["city"] == city for city in ("Rome", "Oslo", "Bern")), TABLE[["far", "day"]]])
    here = MLPClassifier(**long).fit(X, TABLE["late"])
    assert here.score(X, TABLE["late"]) > 0.88
    assert there.score(blocks) == pytest.approx(here.score(X, TABLE["late"]), abs=0.02)
    assert there.loss_ == pytest.approx(here.loss_, abs=0.04)
    assert len(there.validation_scores_) == 8
    assert there.n_iter_ in (8, 9)  # rounded up


def test_numbers_are_predicted_in_their_units(tmp_path: Path) -> None:
    rows = TABLE.assign(z=TABLE["z"] * 40 - 900)
    blocks = written(tmp_path, 2, rows, "z")
    model = MLPRegressor(**SETTINGS | {"epochs": 8}).fit(blocks)
    assert model.score(blocks) > 0.8
    assert np.corrcoef(model.predict(blocks), rows["z"])[0, 1] ** 2 > 0.8
    np.testing.assert_allclose([model.centre_[0], model.unit_[0]], [rows["z"].mean(), rows["z"].std(ddof=0)])
    model.save(tmp_path / "model.safetensors")
    loaded = MLPRegressor.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(blocks), model.predict(blocks))


def test_the_same_bits_twice_and_however_row_groups_are_divided_among_files(
    tmp_path: Path, blocks: Blocks, fitted: MLPClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in (blocks, written(tmp_path / "one", 1), written(tmp_path / "twelve", 12)):
        for mine, theirs in zip(numbers(MLPClassifier(**SETTINGS).fit(other)), numbers(fitted), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    monkeypatch.setattr(reading, "WINDOW_BYTES", 20_000)
    few = MLPClassifier(**SETTINGS).fit(blocks)
    assert (np.asarray(few.network_.weights[0]) != fitted.network_.weights[0]).any()  # rows of other windows meet


@pytest.mark.parametrize("share", [0.37, 1.21])
def test_goes_on_in_the_middle_of_a_window_to_the_same_bits(
    tmp_path: Path, blocks: Blocks, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(reading, "WINDOW_BYTES", 40_000)
    whole = MLPClassifier(**SETTINGS).fit(blocks)
    kept = SETTINGS | {"checkpoint": tmp_path / "run.safetensors"}
    MLPClassifier(**kept | {"epochs": share}).fit(blocks)
    again = MLPClassifier(**kept).fit(blocks)
    assert again.loss_curve_ == whole.loss_curve_
    for mine, theirs in zip(numbers(again), numbers(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_checkpoint_of_other_rows_is_refused(tmp_path: Path, blocks: Blocks) -> None:
    kept = SETTINGS | {"checkpoint": tmp_path / "run.safetensors", "epochs": 0.2}
    MLPClassifier(**kept).fit(blocks)
    other = written(tmp_path / "other", 3, TABLE.assign(day=TABLE["day"].where(TABLE.index != 77, 3.0)))
    with pytest.raises(Exception, match="source"):
        MLPClassifier(**kept).fit(other)


def test_windows_are_bounded_and_rows_that_are_held_out_are_not_among_them(
    blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "MOST_HELD_OUT", 200)
    monkeypatch.setattr(reading, "WINDOW_BYTES", 20_000)
    found = surveying.survey(blocks, 5, 0.5, of_numbers=False)
    assert 50 < len(found.held_out) <= 200
    np.testing.assert_array_equal(found.y, TABLE["late"][found.held_out])
    rows = reading.BlockRows(found, found.held_out, lambda y: ((y == "yes").astype(np.int32), None))
    assert rows.window * (found.rows.row_bytes + 16) <= 20_000
    source = rows.source(64)
    place, far = source.init(jax.random.key(0)), []
    while int(place.epoch) == 0:
        batch, place = source.draw(place, None)
        far += batch[0][:, found.rows.is_number].tolist()
    kept = np.delete(TABLE[["far", "day"]].to_numpy(), found.held_out, axis=0)
    assert len(rows) == len(kept)
    back = np.array(far[: len(kept)]) * found.rows.scale[found.rows.is_number] + found.rows.mean[found.rows.is_number]
    np.testing.assert_allclose(np.sort(np.abs(back).sum(1)), np.sort(np.abs(kept).sum(1)), rtol=1e-5)
    assert (surveying.survey(blocks, 6, 0.5, of_numbers=False).held_out[:9] != found.held_out[:9]).any()


def test_a_row_group_that_is_large_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WINDOW_BYTES", 40_000)
    TABLE[["far", "day", "late"]].to_parquet(tmp_path / "t.parquet", row_group_size=ROWS)
    found = surveying.survey(Blocks(tmp_path / "t.parquet", "late", rows=50), 0, 0.0, of_numbers=False)
    rows = reading.BlockRows(found, found.held_out, lambda y: (y == "yes", None))
    sizes = [len(rows.read([i])[1]) for i in range(len(rows._parts))]
    assert sum(sizes) == ROWS
    assert 50 < max(sizes) <= rows.window / 4
    far = np.abs(np.concatenate([rows.read([i])[0] for i in range(len(sizes))])[:, found.rows.is_number])
    wanted = (TABLE[["far", "day"]] - TABLE[["far", "day"]].mean()) / TABLE[["far", "day"]].std(ddof=0)
    np.testing.assert_allclose(np.sort(far, axis=1), np.sort(np.abs(wanted), axis=1), rtol=1e-3, atol=1e-4)


def test_numbers_are_centred_and_levels_that_nobody_has_are_no_inputs(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = pd.DataFrame({"a": [1.0, 2.0, None, 6.0], "b": ["x", None, "y", "x"], "c": [7.0] * 4, "y": [0, 1, 0, 1]})
    rows.to_parquet(path, row_group_size=2)
    found = surveying.survey(Blocks(path, "y"), 0, 0.0, of_numbers=False)
    # a, that a is missing, and three levels of b; c is the same everywhere.
    assert len(found.rows.columns) == 5
    ((inputs, _, _),) = [reading.BlockRows(found, found.held_out, lambda y: (y, None)).read([0, 1])]
    (a,) = np.flatnonzero(found.rows.is_number)
    known = rows["a"].dropna()
    np.testing.assert_allclose(np.abs(inputs[:, a]), np.abs((rows["a"].fillna(3) - 3) / known.std(ddof=0)), rtol=1e-6)
    others = np.delete(np.abs(inputs), a, axis=1)
    assert sorted(map(tuple, others.T.astype(int))) == sorted([(0, 0, 1, 0), (1, 0, 0, 1), (0, 1, 0, 0), (0, 0, 1, 0)])


def test_a_first_layer_has_a_row_for_each_level_that_was_seen_and_rows_are_sparse(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"who": rng.integers(0, 300, 2000).astype(str), "y": rng.integers(0, 2, 2000)})
    rows.to_parquet(tmp_path / "t.parquet")
    model = MLPClassifier(**SETTINGS | {"epochs": 0.1}).fit(Blocks(tmp_path / "t.parquet", "y"))
    inputs = model.network_.weights[0].shape[0]
    assert rows["who"].nunique() - 2 <= inputs <= rows["who"].nunique()  # some hashes may be one
    assert model.n_features_in_ == 2**18
    assert model.coefs_[0].shape == (inputs, 8)
    assert isinstance(model._hashed, HashedRows)
    (block,) = Blocks(tmp_path / "t.parquet").features()
    assert isinstance(model._hashed.of(block), SparseRows)
    # Of a level that was not seen, nothing is known: the scores are those of no level.
    new = model.predict_proba(Blocks(pd.DataFrame({"who": ["nobody", "no one"]})))
    np.testing.assert_array_equal(new[0], new[1])


def test_classes_have_the_weights_that_they_have_in_memory(blocks: Blocks) -> None:
    model = MLPClassifier(**SETTINGS, class_weight={"yes": 3.0, "no": 1.0})
    found = surveying.survey(blocks, 0, 0.1, of_numbers=False)
    _, encode = model._learn_outputs(found)
    places, weights = encode(TABLE["late"].to_numpy())
    assert weights is not None
    assert weights.mean() == pytest.approx(1, abs=1e-6)
    assert weights[places == 1][0] == pytest.approx(3 * weights[places == 0][0])
    _, encode = model.set_params(class_weight="balanced")._learn_outputs(found)
    places, weights = encode(TABLE["late"].to_numpy())
    assert weights is not None
    assert weights[places == 1].sum() == pytest.approx(weights[places == 0].sum(), rel=1e-5)


def test_it_is_stored_and_predicts_the_same_a_block_at_a_time(
    tmp_path: Path, blocks: Blocks, fitted: MLPClassifier
) -> None:
    fitted.save(tmp_path / "model.safetensors")
    loaded = MLPClassifier.load(tmp_path / "model.safetensors")
    given = fitted.predict_proba(blocks)
    assert given.shape == (ROWS, 2)
    np.testing.assert_array_equal(loaded.predict_proba(Blocks(blocks.path)), given)  # without a target, too
    np.testing.assert_allclose(fitted.predict_proba(Blocks(TABLE.iloc[:50])), given[:50], rtol=1e-5)
    with pytest.raises(InputError, match="is not exported to ONNX"):
        loaded.to_onnx(tmp_path / "model.onnx")


def test_csv_is_read_from_its_beginning_for_each_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WINDOW_BYTES", 20_000)
    TABLE[["city", "far", "day", "late"]].to_csv(tmp_path / "t.csv", index=False)
    model = MLPClassifier(**SETTINGS | {"epochs": 5}).fit(Blocks(tmp_path / "t.csv", "late", rows=200))
    assert model.score(Blocks(tmp_path / "t.csv", "late")) > 0.8


def test_a_file_that_changes_or_goes_in_the_middle_is_told_of(tmp_path: Path) -> None:
    blocks = written(tmp_path / "t", 2)
    found = surveying.survey(blocks, 0, 0.1, of_numbers=False)
    rows = reading.BlockRows(found, found.held_out, lambda y: (y == "yes", None))
    rows.read([0, 11])
    written(tmp_path / "t", 2, TABLE.assign(day=1.0))
    with pytest.raises(InputError, match=r"part-00.parquet' is not what it was when the fit began"):
        rows.read([0])
    written(tmp_path / "t", 2, TABLE.iloc[:2600])
    with pytest.raises(InputError, match=r"part-01.parquet' (is not what it was|cannot be read further)"):
        rows.read([11])
    (tmp_path / "t" / "part-01.parquet").unlink()
    with pytest.raises(InputError, match=r"there is no file '.*part-01.parquet'"):
        rows.read([7])


class Vanishing:
    """An observer that takes the files away."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, progress: Any) -> None:
        self.path.unlink(missing_ok=True)


def test_a_fit_whose_file_goes_ends_on_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WINDOW_BYTES", 20_000)
    blocks = written(tmp_path, 1)
    model = MLPClassifier(**SETTINGS | {"epochs": 50, "observers": [Vanishing(tmp_path / "part-00.parquet")]})
    with pytest.raises(InputError, match="there is no file"):
        model.fit(blocks)


@pytest.mark.parametrize(("settings", "more", "message"), [
    ({}, {"target": None}, "the blocks have no target"),
    ({}, {"target": "nobody"}, "has no column 'nobody'"),
    ({}, {"target": "day"}, "more than 1,000 different values"),
    ({}, {"offset": "day"}, "has an offset, 'day', which MLPClassifier does not know"),
    ({"optimizer": "lbfgs"}, {}, "'lbfgs' searches on all rows"),
    ({"batch_size": 10_000}, {}, "batch_size must be between 1 and the 2,?[67]"),
    ({"hidden_layer_sizes": (0,)}, {}, "hidden_layer_sizes"),
])
def test_refusals(blocks: Blocks, settings: dict[str, Any], more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MLPClassifier(**SETTINGS | settings).fit(Blocks(**{"path": blocks.path, "target": "late"} | more))


@pytest.mark.parametrize(("rows", "message"), [
    ({"x": [1.0, 2.0], "y": [1.0, float("nan")]}, r"the target 'y' has values that are no numbers \(NaN\)"),
    ({"x": [1.0, 2.0], "y": [1.0, None]}, "the target 'y' has missing values"),
    ({"x": [1.0, float("inf")], "y": [1.0, 2.0]}, "column 'x' has infinite values"),
    ({"x": [1.0, 1.0], "y": [1.0, 2.0]}, "has no column that differs from row to row"),
    ({"x": [], "y": []}, "has no rows"),
    ({"x": [1.0, 2.0], "y": ["a", "b"]}, "is not a column of numbers"),
    ({"x": [[1.0], [2.0]], "y": [1.0, 2.0]}, "column 'x' holds list"),
])
def test_refusals_of_what_nothing_is_learnt_from(tmp_path: Path, rows: dict[str, Any], message: str) -> None:
    parquet.write_table(pa.table(rows), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=message):
        MLPRegressor(**SETTINGS | {"batch_size": 1}).fit(Blocks(tmp_path / "t.parquet", "y"))


def test_one_class_and_files_whose_columns_differ_are_refused(tmp_path: Path) -> None:
    blocks = written(tmp_path, 2, TABLE.assign(late="no"))
    with pytest.raises(InputError, match="y holds 1 class"):
        MLPClassifier(**SETTINGS).fit(blocks)
    TABLE[["city", "late"]].to_parquet(tmp_path / "part-02.parquet")
    with pytest.raises(InputError, match=r"part-02.parquet' has no column"):
        MLPClassifier(**SETTINGS).fit(blocks)


def test_refusals_of_what_the_fit_was_not_to(blocks: Blocks, fitted: MLPClassifier) -> None:
    memory = MLPClassifier((4,), optimizer=Adam(0.01), epochs=0.1).fit(TABLE[["far", "day"]].to_numpy(), TABLE["late"])
    with pytest.raises(InputError, match="the fit was to rows in memory"):
        memory.predict(blocks)
    with pytest.raises(InputError, match="the fit was to Blocks"):
        fitted.predict(TABLE[["far", "day"]])
    with pytest.raises(InputError, match="the fit was to Blocks"):
        fitted.partial_fit(TABLE[["far", "day"]], TABLE["late"])
    with pytest.raises(InputError, match="has no column 'day', which the fit had"):
        fitted.predict(Blocks(TABLE[["city", "far"]]))
    with pytest.raises(InputError, match=r"column 'city' of the dataframe holds \w+, and in the fit it had words"):
        fitted.predict(Blocks(TABLE.assign(city=1.5)))
    with pytest.raises(InputError, match=r"give Blocks\(…, hashed=262144\)"):
        fitted.predict(Blocks(blocks.path, hashed=64))
    with pytest.raises(InputError, match="the target has the class 'maybe', which the fit has not"):
        fitted._numbers(np.array(["no", "maybe"]), "the target", "the fit")
    with pytest.raises(InputError, match="pass it alone"):
        MLPClassifier(**SETTINGS).fit(blocks, TABLE["late"])
    with pytest.raises(InputError, match="pass it alone"):
        fitted.score(blocks, TABLE["late"])
    assert MLPClassifier(**SETTINGS).fit(TABLE[["far", "day"]].to_numpy(), TABLE["late"])._hashed is None
