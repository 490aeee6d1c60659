"""Training on tables: what is held out, what is scaled, which model is chosen."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from descend.engine.history import History
from descend.errors import InputError
from descend.stopping import Reason
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table import preparing, training
from descend.tasks.table.candidates import Candidate
from descend.tasks.table.linear.model import Linear
from descend.tasks.table.networks import training as ensembles
from descend.tasks.table.networks.training import Networks
from descend.tasks.table.preparing import prepare
from descend.tasks.table.training import fit_table

RNG = np.random.default_rng(0)


def table(rows=60, **columns):
    frame = pd.DataFrame({"x": RNG.normal(5, 2, rows), "z": RNG.choice(["u", "v"], rows)} | columns)
    return Table(frame, "t", "0")


def numbers(rows=60):
    return table(rows, t=RNG.normal(100, 30, rows))


def classes(*names):
    return table(len(names), t=list(names))


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", 0.0), ("batch_size", -1), ("epochs", float("inf")), ("seconds", float("nan")), ("seed", 2**32),
     ("hold_out", 1.0), ("optimizer", "magic")],
)
def test_settings_refuse_what_makes_no_sense(name, value):
    with pytest.raises(InputError, match=name.replace("_", " ")):
        Settings("t", **{name: value})


@pytest.mark.parametrize(("share", "held"), [(0.2, 12), (0.5, 30), (0.01, 2)])
def test_a_share_of_the_rows_is_held_out(share, held):
    prepared = prepare(numbers(), Settings("t", hold_out=share))
    assert len(prepared.held_out) == len(prepared.held_out_rows) == len(prepared.held_out_target) == held
    assert len(prepared.rows) == len(prepared.targets) == 60 - held


def test_every_class_is_held_out_and_learnt_from():
    prepared = prepare(classes(*"aabbccddee" * 2), Settings("t", hold_out=0.1))
    assert sorted(prepared.held_out_target) == list("abcde")
    assert set(prepared.targets) == set(range(5))


def test_held_out_rows_leave_no_trace_in_what_is_learnt():
    data = numbers()
    first = prepare(data, Settings("t"))
    frame = data.frame.copy()
    frame.loc[first.held_out_target.index, ["x", "t"]] *= 1000
    second = prepare(dataclasses.replace(data, frame=frame), Settings("t"))
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.targets, second.targets)
    assert first.scale == second.scale


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_numbers_are_learnt_in_a_unit_of_their_own(factor):
    prepared = prepare(table(t=factor * RNG.normal(100, 30, 60)), Settings("t"))
    np.testing.assert_allclose([prepared.targets.mean(), prepared.targets.std()], [0, 1], atol=1e-5)
    assert prepared.scale.centre / factor == pytest.approx(100, rel=0.2)


def test_each_fold_has_its_share_of_each_class():
    prepared = prepare(classes(*"ab" * 50), Settings("t"))
    assert prepared.members == 5
    assert np.bincount(prepared.folds * 2 + prepared.targets).tolist() == [8] * 10


def test_a_large_table_has_one_member_that_is_validated_on_a_tenth(monkeypatch):
    monkeypatch.setattr(preparing, "LARGE", 40)
    prepared = prepare(numbers(), Settings("t"))
    assert prepared.members == 1
    assert set(prepared.folds) == set(range(10))


def test_rows_without_a_target_are_dropped():
    prepared = prepare(table(t=[None, *RNG.normal(size=59)]), Settings("t"))
    assert prepared.dropped == 1
    assert len(prepared.rows) + len(prepared.held_out_rows) == 59


@pytest.fixture(scope="module")
def fitted():
    return fit_table(classes(*"ab" * 30), Settings("t", "linear", epochs=2))


@pytest.fixture(scope="module")
def candidate(fitted):
    """Makes candidates that did as told."""

    def make(architecture, merits, reason="budget"):
        networks = fitted.model.predictor
        networks = Networks(dataclasses.replace(networks.shape, architecture=architecture), networks.ensemble)
        score, merits = float(np.mean(merits)), np.array(merits, float)
        return Candidate(networks, score, merits, "", Reason(reason, "", 1), History(), seconds=1.0)

    return make


EVEN = [0, 1] * 50


@pytest.mark.parametrize(
    ("linear", "mlp", "chosen", "why"),
    [
        (EVEN, EVEN, "linear", "not clearly ahead"),
        (EVEN, [1] * 100, "mlp", "clearly ahead of the linear model: 1.0000 against 0.5000 .* give or take 0.0500"),
        ([1] * 100, EVEN, "linear", "not clearly ahead"),
        (EVEN, [1, *EVEN[1:]], "linear", "not clearly ahead"),
        # The same rows are right for both, but for a few: a small lead is a sure one.
        ([0] * 6 + [1] * 94, [1] * 100, "mlp", "clearly ahead"),
        (EVEN, [np.nan] * 100, "linear", "mlp, gave numbers that are not finite"),
        ([-np.inf] * 100, EVEN, "mlp", "linear, gave numbers that are not finite"),
    ],
)
def test_the_perceptron_is_chosen_where_it_is_clearly_ahead(candidate, linear, mlp, chosen, why):
    best, words = training._choose([candidate("linear", linear), candidate("mlp", mlp)], Settings("t"))
    assert best.predictor.architecture == chosen
    assert re.search(why, words)


@pytest.mark.parametrize(("reason", "why"), [("interrupted", "the interruption"), ("budget", "the time was up")])
def test_one_candidate_alone_is_explained(candidate, reason, why):
    assert training._choose([candidate("linear", EVEN, reason)], Settings("t"))[1].endswith(f"before {why}")


def test_an_interruption_is_the_reason_whichever_model_it_hit(fitted, candidate):
    linear, mlp = candidate("linear", EVEN), candidate("mlp", EVEN, "interrupted")
    assert dataclasses.replace(fitted, chosen=linear, candidates=(linear, mlp)).reason.name == "interrupted"
    assert dataclasses.replace(fitted, chosen=linear, candidates=(linear,)).reason.name == "budget"
    linear, mlp = candidate("linear", EVEN, "interrupted"), candidate("mlp", EVEN)
    assert dataclasses.replace(fitted, chosen=mlp, candidates=(linear, mlp)).reason.name == "interrupted"


def test_the_second_model_has_the_time_that_the_first_left(fitted, candidate, monkeypatch):
    given = []

    def train(architecture, prepared, settings, seconds, *rest):
        given.append(seconds)
        return candidate(architecture, EVEN)

    monkeypatch.setattr(training, "train_ensemble", train)
    monkeypatch.setattr(training, "fit_linear", lambda *args: train("linear", None, None, args[1]))
    for seconds in (10.0, 0.5):
        training.train(fitted.prepared, Settings("t", seconds=seconds))
    assert given == [5.0, 9.0, 0.25]


def test_side_by_side_the_models_are_those_that_are_trained_in_turn():
    data = classes(*"abc" * 20)
    at_once = fit_table(data, Settings("t"))
    in_turn = fit_table(data, Settings("t", seconds=1000.0))
    for one, other in zip(at_once.candidates, in_turn.candidates, strict=True):
        assert one.predictor.architecture == other.predictor.architecture
        parts = (candidate.predictor.to_parts()[1] for candidate in (one, other))
        assert all(np.array_equal(*pair) for pair in zip(*(part.values() for part in parts), strict=True))
    assert at_once.why == in_turn.why


def test_an_error_in_one_model_ends_the_other(fitted, monkeypatch):
    def fails(*_):
        raise ValueError("broken")

    ended = []
    monkeypatch.setattr(training, "train_ensemble", fails)
    monkeypatch.setattr(training, "linear_model", lambda *args: ended.append(args[-1].wait(60)))
    with pytest.raises(ValueError, match="broken"):
        training.train(fitted.prepared, Settings("t"))
    assert ended == [True]


@pytest.mark.parametrize("settings", [{}, {"epochs": 60}], ids=["solved", "descended"])
def test_predictions_are_in_the_units_of_the_target(settings):
    data = table(t=1e6 + 1e4 * RNG.normal(size=60))
    data.frame["t"] += 1e5 * data.frame["x"]
    fitted = fit_table(data, Settings("t", "linear", **settings))
    predicted = fitted.model.predict(fitted.prepared.held_out_rows)
    assert np.corrcoef(predicted, fitted.prepared.held_out_target)[0, 1] > 0.9
    assert predicted.mean() == pytest.approx(fitted.prepared.held_out_target.mean(), rel=0.1)


def test_prediction_by_blocks_is_that_of_all_at_once(fitted, monkeypatch):
    rows = np.repeat(fitted.prepared.rows, 3, axis=0)
    whole = fitted.model.predict(rows)
    monkeypatch.setattr(ensembles, "BLOCK", 50)
    np.testing.assert_allclose(fitted.model.predict(rows), whole, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({}, Linear), ({"seconds": 9.0}, Linear), ({"seed": 3}, Linear), ({"optimizer": "sgd"}, Networks),
     ({"learning_rate": 0.1}, Networks), ({"batch_size": 8}, Networks), ({"epochs": 1}, Networks)],
)
def test_a_linear_model_is_solved_unless_a_descent_in_steps_was_asked_for(settings, kind):
    fitted = fit_table(classes(*"ab" * 10), Settings("t", "linear", **settings))
    assert isinstance(fitted.model.predictor, kind)
    assert (fitted.linear is fitted.model.predictor) == (kind is Linear)
