"""`descend fit` and `descend predict` of tables larger than memory, which these are said to be."""

import io
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest

import descend as package
from cli.conftest import made
from descend._saved import read_file
from descend.linear import LogisticRegression
from descend.neural import _block_rows as reading
from descend.studio.runs.entry import KINDS
from descend.tasks.blocks import progress
from descend.tasks.blocks.files import GivenRows, TableFiles
from descend.tasks.blocks.preparing import prepare_blocks
from descend.tasks.common import sources
from descend.tasks.common.settings import Settings
from descend.tasks.loading import stored_model

ROWS = 3000


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Whether a flight is late depends on a product, which no linear model tells; how much it costs, on a sum."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"city": rng.choice(["Rome", "Oslo", "Bern"], rows), "far": rng.normal(5e3, 50, rows),
                          "day": rng.normal(size=rows)})
    z = (frame["far"] - 5e3) / 50 * np.where(frame["city"] == "Rome", 1, -1) + 0.1 * rng.logistic(size=rows)
    frame["late"] = np.where(z > 0, "yes", "no").astype(object)
    frame["price"] = 3 * frame["far"] + 40 * (frame["city"] == "Oslo") + rng.normal(0, 9, rows)
    return frame


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of Parquet, of which some rows have no target."""
    folder, rows = tmp_path_factory.mktemp("far") / "flights", table(ROWS)
    rows.loc[::100, "late"] = None
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(ROWS), 3)):
        rows.drop(columns="price").iloc[part].to_parquet(folder / f"part-{number}.parquet", row_group_size=250)
    return folder


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("far") / "prices.csv"
    table(1500).drop(columns="late").to_csv(path, index=False)
    return path


@pytest.fixture(scope="module", autouse=True)
def little_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_memory", lambda: 10_000)
        yield


@pytest.fixture(scope="module")
def run(flights: Path, little_memory: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("runs") / "flights", flights, "--target", "late", "--epochs", 8)


@pytest.fixture(scope="module")
def of_prices(prices: Path, little_memory: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    test = tmp_path_factory.mktemp("far") / "test.parquet"
    table(300, seed=1).to_parquet(test)
    folder = tmp_path_factory.mktemp("runs") / "prices"
    return made(folder, prices, "--target", "price", "--model", "linear", "--test", test)


def facts(run: Path) -> dict[str, Any]:
    return json.loads((run / "metrics.json").read_text())


def frame(flights: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(file) for file in sorted(flights.iterdir())], ignore_index=True)


def test_what_a_run_is(run: Path) -> None:
    told = facts(run)
    assert {file.name for file in run.iterdir()} >= {"run.json", "metrics.json", "report.html", "history.parquet",
                                                     "model.safetensors", "checkpoints"}
    assert (told["task"], told["model"]) == ("binary", "mlp")
    assert "the perceptron loses less on rows not trained on than the linear model" in told["why"]
    assert told["score"] > 0.85
    assert told["validation"]["linear"] < 0.75
    assert told["rows"] == ROWS - ROWS / 100
    assert told["dropped"] == ROWS / 100
    assert told["linear"]["reason"] == "converged"
    assert told["linear"]["relative_gap"] < 1e-6
    assert "is read block by block" in told["notes"][0]
    assert KINDS[next(iter(json.loads((run / "run.json").read_text())))] == "table"  # as the studio lists it
    page = (run / "report.html").read_text()
    for words in ("What was taken for what", "How the training went", "proved by the duality gap", "<td>city<td>"):
        assert words in page


def held_out(flights: Path) -> GivenRows:
    return prepare_blocks(TableFiles.of(str(flights)), Settings("late"), lambda _: ()).held_out.inputs


def test_the_score_is_that_of_rows_that_nothing_learnt_from(run: Path, flights: Path) -> None:
    """As who holds out the same rows himself, in memory."""
    prepared = prepare_blocks(TableFiles.of(str(flights)), Settings("late"), lambda _: ())
    rows = prepared.held_out.inputs
    found = stored_model(run).predict(rows).argmax(axis=1)
    assert facts(run)["score"] == pytest.approx(np.mean(found == prepared.held_out.targets))
    assert facts(run)["held_out"] == len(found)


def test_the_linear_model_is_that_of_the_other_rows(run: Path, flights: Path, tmp_path: Path) -> None:
    """The same fit to a file that has no others; and no fit to all rows."""
    prepared = prepare_blocks(TableFiles.of(str(flights)), Settings("late"), lambda _: ())
    learnt = [batch.to_pandas() for shard in prepared.blocks.shards() for batch in shard.batches()]
    whole = frame(flights).dropna(subset="late")
    chances = [LogisticRegression.load(run / "checkpoints" / "linear.safetensors").predict_proba(held_out(flights))]
    for number, rows in enumerate((pd.concat(learnt), whole)):
        rows.to_parquet(path := tmp_path / f"{number}.parquet", index=False)
        alone = LogisticRegression(tol=1e-10).fit(package.linear.Blocks(path, "late"))
        chances.append(alone.predict_proba(held_out(flights)))
    np.testing.assert_allclose(chances[0], chances[1], atol=1e-3)
    assert np.abs(chances[0] - chances[2]).max() > 5e-3


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_predictions_stand_beside_the_columns(run: Path, flights: Path, descend: Callable, ending: str) -> None:
    said = descend("predict", run, flights, "-o", f"late.{ending}")
    assert (said.code, said.out) == (0, f"{ROWS:,} predictions in late.{ending}, column 'prediction'\n")
    found = pd.read_parquet("late.parquet") if ending == "parquet" else pd.read_csv("late.csv")
    whole = frame(flights)
    pd.testing.assert_frame_equal(found[whole.columns].fillna(""), whole.fillna(""), check_dtype=False)
    rows = GivenRows("rows", rows_given=pyarrow.Table.from_pandas(whole[["far", "day", "city"]]))
    chances = stored_model(run).predict(rows)
    np.testing.assert_allclose(found[["probability of no", "probability of yes"]], chances, rtol=1e-6, atol=1e-9)
    assert found["prediction"].tolist() == np.array(["no", "yes"])[chances.argmax(axis=1)].tolist()
    known = whole["late"].notna()
    assert (found["prediction"] == whole["late"])[known].mean() > 0.85


def test_predictions_of_a_pipe_and_of_other_formats_are_the_same(
    run: Path, flights: Path, descend: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = descend("predict", run, flights / "part-0.parquet", "-o", "-")
    assert "which is done block by block" in descend("predict", run, flights, "-o", "some.json").err
    monkeypatch.setattr(sources, "_memory", lambda: 10**9)
    descend("predict", run, flights / "part-0.parquet", "-o", "some.json")
    one, other = pd.read_csv(io.StringIO(piped.out)), pd.read_json("some.json")
    assert len(one) == ROWS / 3
    np.testing.assert_allclose(one["probability of yes"], other["probability of yes"], rtol=1e-9)


def test_numbers_are_scored_on_the_rows_of_another_file(of_prices: Path, prices: Path, descend: Callable) -> None:
    told = facts(of_prices)
    assert (told["task"], told["model"], told["held_out"]) == ("regression", "linear", 300)
    rows = table(300, seed=1)
    rows.drop(columns=["price", "late"]).to_parquet("new.parquet")
    assert descend("predict", of_prices, "new.parquet", "-o", "said.parquet", "--quiet").code == 0
    said = pd.read_parquet("said.parquet")["prediction"]
    assert told["score"] == pytest.approx(1 - ((said - rows["price"]) ** 2).sum() / rows["price"].var(ddof=0) / 300)
    assert told["score"] > 0.98
    assert "What is left over" in (of_prices / "report.html").read_text()


def test_the_estimator_of_a_run(run: Path, of_prices: Path, flights: Path) -> None:
    model = package.load_model(run)
    assert type(model).__name__ == "MLPClassifier"
    assert model.classes_.tolist() == ["no", "yes"]
    assert set(model.predict(package.linear.Blocks(flights))) == {"no", "yes"}
    assert type(package.load_model(of_prices)).__name__ == "Ridge"


def interrupt_once(*args: Any, seen: list[int]) -> None:
    if not seen:
        seen.append(1)
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("when", ["linear", "mlp"])
def test_ctrl_c_saves_and_the_same_command_goes_on(
    run: Path, flights: Path, descend: Callable, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    seen: list[int] = []
    owner, name = (progress.Passes, "read") if when == "linear" else (reading.BlockRows, "read")
    before = getattr(owner, name)

    def interrupted(*args: Any) -> Any:
        interrupt_once(seen=seen)
        return before(*args)

    monkeypatch.setattr(owner, name, interrupted)
    command = ("fit", flights, "--target", "late", "--epochs", 8, "--out", "again")
    said = descend(*command)
    assert said.code == 130
    assert "the same command with --resume --out again" in said.out
    told = facts(Path("again"))
    assert told["reason"] == "interrupted" or told["linear"]["reason"] == "interrupted"
    assert set(told["validation"]) == ({"linear"} if when == "linear" else {"linear", "mlp"})
    assert descend(*command, "--resume", "--quiet").code == 0
    told, whole = facts(Path("again")), facts(run)
    assert told["linear"]["reason"] == "converged"
    assert told["score"] == whole["score"]
    ours, theirs = (read_file(each)[0] for each in (Path("again"), run))
    for key in ours:
        if key.startswith("network/"):
            np.testing.assert_array_equal(ours[key], theirs[key])


@pytest.mark.parametrize(("options", "words"), [
    (["--fast"], "--fast is for tables that fit into memory"),
    (["--weights", "far"], "--weights is for tables that fit"),
    (["--hidden-layers", 2], "--hidden-layers is for"),
    (["--processes", 2], "--processes is for tables that fit"),
    (["--skip-damaged"], "--skip-damaged is for"),
    (["--column", "far=number"], "--column is for"),
    (["--model", "resnet"], "there is no model 'resnet'"),
    (["--drop", "farr"], "has no column 'farr': did you mean 'far'"),
    (["--drop", "late"], "as --target and as --drop"),
    (["--drop", "far", "--drop", "day", "--drop", "city"], "no column to predict"),
    (["--test", "none.parquet"], "none.parquet"),
    (["--task", "regression"], "holds labels such as"),
], ids=lambda value: "-".join(map(str, value))[:30] if isinstance(value, list) else "")  # fmt: skip
def test_what_is_not_known_is_refused_and_nothing_is_written(
    flights: Path, descend: Callable, options: list[Any], words: str
) -> None:
    said = descend("fit", flights, "--target", "late", *options)
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not Path("runs").exists()


def test_what_else_is_refused(run: Path, flights: Path, descend: Callable) -> None:
    assert "--target names the column to predict: flights has city" in descend("fit", flights).err
    assert "has no column 'lat': did you mean 'late'" in descend("fit", flights, "--target", "lat").err
    assert "not replayed" in descend("doctor", run).err
    frame(flights).drop(columns="far").to_parquet("less.parquet")
    assert "has no column 'far'" in descend("predict", run, "less.parquet", "-o", "x.csv").err
    frame(flights).assign(far="near").to_parquet("other.parquet")
    assert "column 'far' of other holds" in descend("predict", run, "other.parquet", "-o", "x.csv").err
    assert "intervals are for models" in descend("predict", run, flights, "-o", "x.csv", "--interval", 0.9).err
    assert descend("export", run, "x.onnx").code == 2
    assert not Path("x.csv").exists()
    frame(flights).assign(late="maybe").to_parquet("maybe.parquet")
    said = descend("fit", flights, "--target", "late", "--test", "maybe.parquet")
    assert "'maybe' in some rows, which is none of the classes" in said.err


def test_what_folders_tell_is_learnt_from_and_predicted_from(descend: Any) -> None:
    rows = table(600)
    rows["price"] += 1000 * (rows["city"] == "Bern")
    for city, part in rows.drop(columns="late").groupby("city"):
        Path(f"prices/city={city}").mkdir(parents=True)
        part.drop(columns="city").to_parquet(f"prices/city={city}/part.parquet", index=False)
    run = made(Path("run"), "prices", "--target", "price", "--model", "linear")
    # Without the city, what Bern costs more would be missed.
    assert facts(run)["score"] > 0.98
    assert descend("predict", run, "prices", "-o", "told.parquet").code == 0
    told = pd.read_parquet("told.parquet")
    assert set(told["city"]) == {"Rome", "Oslo", "Bern"}
    assert (told["prediction"] - told["price"]).abs().max() < 60
