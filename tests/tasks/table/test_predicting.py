"""Predictions beside a table's columns."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save

from descend._facts import Facts
from descend.errors import CheckpointError, InputError
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.model import TableModel
from descend.tasks.table.task import fit_table

FRAME = pd.DataFrame({"x": np.arange(40.0), "t": np.arange(40) % 4 // 2})


@pytest.fixture(scope="module")
def model():
    return fit_table(Table(FRAME, "t", "0"), Settings("t", "linear", epochs=1)).model


def test_classes_are_named_as_in_the_target(model):
    out = model.predict_frame(FRAME).frame
    assert list(out) == ["x", "t", "prediction", "probability of 0", "probability of 1"]
    assert set(out["prediction"]) <= {"0", "1"}
    np.testing.assert_array_equal(out["prediction"] == "1", out["probability of 1"] > 0.5)
    assert list(FRAME) == ["x", "t"]


@pytest.mark.parametrize("name", ["prediction", "probability of 1"])
def test_columns_of_the_same_names_are_kept(model, name):
    out = model.predict_frame(FRAME.assign(**{name: -7.0})).frame
    assert (out[name] == -7).all()
    assert list(out)[3:] == ["prediction 2", "probability of 0 2", "probability of 1 2"]
    assert list(model.predict_frame(out).frame)[-3:] == ["prediction 3", "probability of 0 3", "probability of 1 3"]


def test_a_table_that_lacks_columns_is_refused_by_name(model):
    with pytest.raises(InputError, match="lacks the column 'x'"):
        model.predict_frame(FRAME[["t"]])


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, 400)
    frame = pd.DataFrame({"x": x, "t": 5 * x + rng.normal(size=400)})
    return frame, fit_table(Table(frame.head(300), "t", "0"), Settings("t", "linear")).model


def test_intervals_of_numbers_are_two_columns(numbers):
    frame, model = numbers
    out = model.predict_frame(frame.tail(100), 0.9).frame
    assert list(out) == ["x", "t", "prediction", "low", "high"]
    held = (out["low"] <= out["t"]) & (out["t"] <= out["high"])
    assert 0.8 < held.mean() < 1
    # Errors have a spread of 1, so that nine in ten are within 1.64 of it.
    assert (out["high"] - out["low"]).mean() == pytest.approx(2 * 1.64, rel=0.2)
    assert list(model.predict_frame(frame.assign(low=0), 0.9).frame)[2:] == ["low", "prediction 2", "low 2", "high 2"]


def test_sets_of_classes_are_one_column(model):
    out = model.predict_frame(FRAME, 0.9).frame
    assert list(out)[-1] == "possible"
    for row in out.itertuples():
        possible = row.possible.split(" | ")
        assert possible[0] == row.prediction
        assert set(possible) <= {"0", "1"}
    with pytest.raises(InputError, match=r"intervals of 0\.999 need more rows than the model was validated on"):
        model.predict_frame(FRAME, 0.999)


def through_disk(facts, arrays):
    return TableModel.from_parts(Facts(json.loads(json.dumps(facts)), "model"), load(save(arrays)))


def test_intervals_and_temperature_are_stored_with_the_model(numbers, model):
    frame, of_numbers = numbers
    of_classes = replace(model, temperature=1.7)
    for one, table in ((of_numbers, frame), (of_classes, FRAME)):
        again = through_disk(*one.to_parts())
        pd.testing.assert_frame_equal(again.predict_frame(table, 0.8).frame, one.predict_frame(table, 0.8).frame)
    again = through_disk(*replace(of_numbers, conformal=None).to_parts())
    with pytest.raises(InputError, match="knows of no errors that intervals could be made of"):
        again.predict_frame(frame, 0.8)
    facts, arrays = of_classes.to_parts()
    for wrong in ({"temperature": 0}, {"temperature": "1"}, {"conformal": {}}, {"version": 3}):
        with pytest.raises(CheckpointError):
            through_disk(facts | wrong, arrays)
