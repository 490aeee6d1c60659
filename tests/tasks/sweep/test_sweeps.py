"""`descend.sweep`: what it returns and tells, how it goes on, and what it refuses."""

import itertools
import signal

import numpy as np
import pandas as pd
import pytest

import descend
from descend import InputError
from descend._locks import is_held
from descend.engine.identity import usable_cores
from descend.tasks.sweep.trial import Trial
from enforced import without_types

SETTLED = {"target": "y", "model": "linear", "epochs": 8, "batch_size": 16}
OVER = {"learning_rate": [1e-4, 0.3], "seed": range(2)}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table whose target is a sum of two columns, but for some noise."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    file = tmp_path_factory.mktemp("tables") / "sums.csv"
    frame.assign(y=frame["a"] + frame["b"] + rng.normal(0, 0.1, 80)).to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def swept(table, told, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweeps") / "s"
    return descend.sweep(table, over=OVER, out=str(out), observers=[told.append], **SETTLED)


def test_what_comes_of_it(swept, table):
    assert (swept.settings["learning_rate"], swept.settings["seed"] in (0, 1)) == (0.3, True)
    assert swept.table["reason"].tolist() == ["budget", "budget", "halved", "halved"]
    # 64 rows in batches of 16.
    assert swept.table["steps"].tolist() == [32, 32, 16, 16]
    pd.testing.assert_frame_equal(swept.table, pd.read_csv(swept.path / "trials.csv"))
    frame = pd.read_csv(table)
    assert np.corrcoef(swept.winner.predict(frame), frame["y"])[0, 1] > 0.9
    assert swept.winner is swept.winner
    assert swept.facts["held_out"] == 16
    assert swept.told[0].startswith("Trials are compared by the mean square of errors on 64 rows, validated in each")
    assert repr(swept) == f"Swept(path={swept.path!r}, settings={swept.settings!r})"


def test_observers_are_told_of_each_trial_in_each_round(swept, told):
    first, second = told[:4], told[4:]
    assert [(each.share, each.made, each.trials) for each in first] == [(0.5, made, 4) for made in (1, 2, 3, 4)]
    assert [(each.share, each.made, each.trials) for each in second] == [(1.0, 1, 2), (1.0, 2, 2)]
    assert {tuple(each.settings.values()) for each in first} == set(itertools.product((1e-4, 0.3), range(2)))
    assert {each.settings["learning_rate"] for each in second} == {0.3}
    assert min(each.loss for each in second) == swept.table.iloc[0, 2]


def test_nothing_is_printed_or_kept_from_others(swept, table, capfd, tmp_path):
    descend.sweep(table, over={"seed": [0, 1]}, out=tmp_path / "s", halving=False, **SETTLED)
    assert capfd.readouterr() == ("", "")
    assert not any(map(is_held, tmp_path.rglob(".lock")))


def test_an_interrupted_sweep_goes_on_to_the_same_end(swept, table, tmp_path, monkeypatch):
    made, further = [], Trial.further

    def interrupted(trial, *given):
        further(trial, *given)
        made.append(trial.name)
        if len(made) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trial, "further", interrupted)
    out = tmp_path / "s"
    with pytest.raises(KeyboardInterrupt, match="the same call with resume=True and out=") as ended:
        descend.sweep(table, over=OVER, out=out, **SETTLED)
    assert str(out) in str(ended.value)
    assert not (out / "trials.csv").exists()
    assert not is_held(out / ".lock")
    found = len(list(out.glob("*/trial.json")))
    again = descend.sweep(table, over=OVER, out=out, resume=True, **SETTLED)
    pd.testing.assert_frame_equal(again.table.drop(columns="seconds"), swept.table.drop(columns="seconds"))
    # Four trials in the first round, and two in the second; those in hand at the interruption are gone on with.
    assert 6 <= len(made) <= 6 + usable_cores()
    assert found >= 3
    model = lambda folder: (folder / "winner/model.safetensors").read_bytes()
    assert model(out) == model(swept.path)


def test_a_shared_one_comes_out_as_alone(swept, table, tmp_path):
    shared = descend.sweep(table, over=OVER, out=tmp_path / "s", shared=True, **SETTLED)
    pd.testing.assert_frame_equal(shared.table.drop(columns="seconds"), swept.table.drop(columns="seconds"))
    assert not is_held(shared.path / ".lock")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"over": {}}, 'over must say which settings vary, as in over={"learning_rate": [0.01, 0.1]}'),
        ({"over": [0.1]}, "over must say which settings vary"),
        ({"over": {"colour": [1]}}, "--over colour: there is no such setting to vary"),
        ({"over": {1: [1]}}, "--over 1: there is no such setting to vary"),
        ({"over": {"seed": 3}}, "--over seed: 3 is no list of values, and no text such as 0.001:1:log:9"),
        ({"over": {"seed": [1.5]}}, "--over seed: 1.5 is no whole number"),
        ({"over": {"seed": [True]}}, "--over seed: True is no whole number"),
        ({"over": {"optimizer": [0.1]}}, "--over optimizer: 0.1 is no text"),
        ({"over": {"learning_rate": []}}, "--over learning_rate: it has no values"),
        ({"over": {"learning_rate": [0.1, 0.1]}}, "--over learning_rate: 0.1 comes twice"),
        ({"over": {"learning_rate": [0.1, np.nan]}}, "the learning rate must be a number above 0, but is nan"),
        ({"over": {"learning_rate": "0.1:1"}}, "--over learning_rate: '0.1:1' is no range"),
        ({"over": {"seed": itertools.count()}}, "--over seed: it has more than 500 values"),
        ({"over": {"seed": range(40), "batch_size": range(1, 41)}}, "40 × 40 are 1,600 trials, and 500 is the most"),
        ({"over": {"seed": [0, 1]}, "seed": 0}, "--seed and --over seed settle the same"),
        ({"epochs": "many"}, "epochs: 'many' is no number"),
        ({"hold_out": "half"}, "hold_out: 'half' is no number"),
        ({"seconds": 1}, "sweep has no setting 'seconds': choose one of learning_rate, batch_size"),
        ({"colour": 1}, "sweep has no setting 'colour'"),
        ({"drop": "a"}, "drop must be a list, but is 'a': write ['a']"),
        ({"column": {"c": "number"}}, "sums has no column 'c'"),
        ({"target": 3}, "target: 3 is no text"),
        ({"target": None}, "sums is a table: say with --target which column to predict, one of a, b, y"),
        ({"halving": 0}, "halving must be True or False, but is 0"),
        ({"fast": "yes"}, "fast must be True or False, but is 'yes'"),
        ({"shared": True}, "say with out= which folder the processes share"),
        ({"skip_damaged": True}, "--skip-damaged is for pictures, and sums is a table"),
    ],
)
def test_what_cannot_be_swept_is_refused(table, given, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with without_types(), pytest.raises(InputError) as error:
        descend.sweep(table, **{"over": {"learning_rate": [0.1, 0.2]}, **SETTLED, **given})
    assert part in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_taken_is_refused(swept, table):
    with pytest.raises(InputError, match="exists already: give --resume"):
        descend.sweep(table, over=OVER, out=swept.path, **SETTLED)
    with pytest.raises(InputError, match=r"was begun with another epochs, 8\.0 and not 9\.0"):
        descend.sweep(table, over=OVER, out=swept.path, resume=True, **{**SETTLED, "epochs": 9})
