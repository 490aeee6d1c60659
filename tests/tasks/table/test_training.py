"""Training on tables: what is held out, what is scaled, which model is chosen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.stopping import Reason
from descend.tasks.common import dividing
from descend.tasks.common.examples import hold_out
from descend.tasks.common.fitted import Trained
from descend.tasks.common.linear.model import Linear
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.table import registry, training
from descend.tasks.table.candidate import Candidate
from descend.tasks.table.networks import training as networks
from descend.tasks.table.networks.training import Networks
from descend.tasks.table.perceptron import MLP
from descend.tasks.table.task import fit_table, table_task

RNG = np.random.default_rng(0)


def prepare(table, settings):
    return table_task(table, settings).prepare()


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
     ("hold_out", 1.0), ("optimizer", "magic"), ("metric", "f1")],
)
def test_settings_refuse_what_makes_no_sense(name, value):
    with pytest.raises(InputError, match=name.replace("_", " ")):
        Settings("t", **{name: value})


def test_seeds_can_be_compared_on_the_same_rows():
    table = numbers()
    one, other = (prepare(table, Settings("t", seed=seed, split_seed=5)) for seed in (5, 6))
    alone = prepare(table, Settings("t", seed=5))
    for again in (other, alone):
        np.testing.assert_array_equal(again.folds, one.folds)
        np.testing.assert_array_equal(again.training.inputs, one.training.inputs)
    assert not np.array_equal(prepare(table, Settings("t", seed=6)).folds, one.folds)


@pytest.mark.parametrize(("share", "held"), [(0.2, 12), (0.5, 30), (0.01, 2)])
def test_a_share_of_the_rows_is_held_out(share, held):
    prepared = prepare(numbers(), Settings("t", hold_out=share))
    assert len(prepared.held_out.inputs) == len(prepared.held_out.targets) == held
    assert len(prepared.training.inputs) == len(prepared.training.targets) == 60 - held


def test_every_class_is_held_out_and_learnt_from():
    prepared = prepare(classes(*"aabbccddee" * 2), Settings("t", hold_out=0.1))
    assert sorted(prepared.held_out.targets) == list(range(5))
    assert set(prepared.training.targets) == set(range(5))


def test_held_out_rows_leave_no_trace_in_what_is_learnt():
    data = numbers()
    first = prepare(data, Settings("t"))
    _, held_out = hold_out(60, Target("regression", (), ""), None, Settings("t"), "rows")
    frame = data.frame.copy()
    frame.loc[held_out, ["x", "t"]] *= 1000
    second = prepare(replace(data, frame=frame), Settings("t"))
    np.testing.assert_array_equal(first.training.inputs, second.training.inputs)
    np.testing.assert_array_equal(first.training.targets, second.training.targets)
    assert (second.held_out.targets == 1000 * first.held_out.targets).all()
    assert first.scale == second.scale


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_numbers_are_learnt_in_a_unit_of_their_own(factor):
    prepared = prepare(table(t=factor * RNG.normal(100, 30, 60)), Settings("t"))
    np.testing.assert_allclose([prepared.training.targets.mean(), prepared.training.targets.std()], [0, 1], atol=1e-5)
    assert prepared.scale.centre / factor == pytest.approx(100, rel=0.2)


def test_each_fold_has_its_share_of_each_class():
    prepared = prepare(classes(*"ab" * 50), Settings("t"))
    assert prepared.members == 5
    assert np.bincount(prepared.folds * 2 + prepared.training.targets).tolist() == [8] * 10


@pytest.mark.parametrize(("large", "huge", "members", "parts"), [(100, 100, 5, 5), (40, 100, 3, 10), (40, 40, 1, 10)])
def test_the_larger_a_table_the_fewer_members_it_has(monkeypatch, large, huge, members, parts):
    monkeypatch.setattr(dividing, "LARGE_TABLE", large)
    monkeypatch.setattr(dividing, "HUGE_TABLE", huge)
    prepared = prepare(numbers(), Settings("t"))
    assert prepared.members == members
    assert set(prepared.folds) == set(range(parts))


def test_where_a_model_is_wanted_soon_it_has_one_member_and_fewer_steps():
    usual, fast = (Settings("t", fast=fast) for fast in (False, True))
    prepared = prepare(numbers(), fast)
    assert (prepared.members, prepared.validated_on) == (1, "on a fifth of the rows")
    assert prepared.validated.mean() == pytest.approx(0.2, abs=0.02)
    epochs = [networks.descent(MLP, prepared, settings, None)["epochs"] for settings in (usual, fast)]
    assert epochs[1] == pytest.approx(epochs[0] / 3)
    assert networks.descent(MLP, prepared, Settings("t", fast=True, epochs=7), None)["epochs"] == 7
    with pytest.raises(InputError, match="--fast and --best are opposites"):
        Settings("t", fast=True, best=True)


def test_rows_without_a_target_are_dropped():
    prepared = prepare(table(t=[None, *RNG.normal(size=59)]), Settings("t"))
    assert prepared.dropped == 1
    assert len(prepared.training) + len(prepared.held_out) == 59


@pytest.fixture(scope="module")
def fitted():
    return fit_table(classes(*"ab" * 30), Settings("t", "linear", epochs=2))


@pytest.fixture
def stand_ins(fitted, monkeypatch):
    """Candidates in place of those that there are: each does what it is told, and notes with what time."""

    class StandIn(Candidate):
        def __init__(self, name, aside, does):
            self.name, self.title, self.runs_aside, self.does = name, name, aside, does

        def fit(self, prepared, context):
            given.append(context.seconds)
            reason = self.does(context) or "budget"
            chances = np.eye(2)[prepared.training.targets]
            return Trained(self.name, fitted.chosen.predictor, "", Reason(reason, "", 1), 1.0, out_of_fold=chances)

    given = []

    def use(**does):
        made = [StandIn(name, number == 0, what) for number, (name, what) in enumerate(does.items())]
        monkeypatch.setattr(registry, "_candidates", made)
        return given

    return use


def test_an_interruption_is_the_reason_whichever_model_it_hit(fitted):
    done, cut = (replace(fitted.chosen, reason=Reason(name, "", 1)) for name in ("budget", "interrupted"))
    assert replace(fitted, chosen=done, trained=(done, cut)).reason.name == "interrupted"
    assert replace(fitted, chosen=done, trained=(done,)).reason.name == "budget"
    assert replace(fitted, chosen=done, trained=(cut, done)).reason.name == "interrupted"


def test_the_second_model_has_the_time_that_the_first_left(fitted, stand_ins):
    given = stand_ins(a=lambda _: None, b=lambda _: None)
    for seconds in (10.0, 0.5):
        training.train(fitted.prepared, Settings("t", seconds=seconds))
    assert given == [5.0, 9.0, 0.25]


def test_who_is_interrupted_begins_no_other(fitted, stand_ins):
    given = stand_ins(a=lambda _: "interrupted", b=lambda _: None)
    why = training.train(fitted.prepared, Settings("t", seconds=9.0)).why
    assert given == [4.5]
    assert why == "only the a was trained before the interruption"


def test_side_by_side_the_models_are_those_that_are_trained_in_turn():
    data = classes(*"abc" * 20)
    at_once = fit_table(data, Settings("t"))
    in_turn = fit_table(data, Settings("t", seconds=1000.0))
    for one, other in zip(at_once.trained, in_turn.trained, strict=True):
        assert one.name == other.name
        parts = (candidate.predictor.to_parts()[1] for candidate in (one, other))
        assert all(np.array_equal(*pair) for pair in zip(*(part.values() for part in parts), strict=True))
    assert at_once.why == in_turn.why


def test_some_are_tried_only_where_the_best_is_asked_for_or_they_by_name(fitted, stand_ins, monkeypatch):
    stand_ins(a=lambda _: None, b=lambda _: None)
    monkeypatch.setattr(registry.candidates()[1], "only_best", True)
    tried = lambda *how, **settings: [each.name for each in training.train(
        fitted.prepared, Settings("t", *how, **settings)).trained]
    assert (tried(), tried(best=True), tried("b")) == (["a"], ["a", "b"], ["b"])


def test_the_reason_names_the_metric_that_was_asked_for(fitted, stand_ins):
    stand_ins(a=lambda _: None, b=lambda _: None)
    why = training.train(fitted.prepared, Settings("t", metric="auc")).why
    assert why.startswith("by 1 − AUC, the a loses less on rows not trained on than the b: 0 against 0")
    with pytest.raises(InputError, match="--metric mae: the target is classes: choose one of log-loss, accuracy, "):
        fit_table(classes(*"ab" * 10), Settings("t", metric="mae"))


def test_an_error_in_one_model_ends_the_other(fitted, stand_ins):
    def fails(_):
        raise ValueError("broken")

    ended = []
    stand_ins(a=lambda context: ended.append(context.interrupted.wait(60)), b=fails)
    with pytest.raises(ValueError, match="broken"):
        training.train(fitted.prepared, Settings("t"))
    assert ended == [True]


def test_what_learns_no_such_target_is_left_out_or_refused(fitted, stand_ins, monkeypatch):
    stand_ins(a=lambda _: None, b=lambda _: None)
    second = registry.candidates()[1]
    monkeypatch.setattr(second, "suits", lambda target: target.kind == "regression", raising=False)
    done = training.train(fitted.prepared, Settings("t"))
    assert [each.name for each in done.trained] == ["a"]
    assert done.why == "only the a suits the target"
    with pytest.raises(InputError, match="the b cannot learn this target, which is for binary"):
        training.train(fitted.prepared, Settings("t", "b"))


@pytest.mark.parametrize("predictions", [None, np.ones(3), np.ones((48, 3))], ids=["none", "few", "classes"])
def test_a_candidate_without_predictions_of_unseen_rows_is_refused(fitted, stand_ins, monkeypatch, predictions):
    stand_ins(a=lambda _: None)
    (only,) = registry.candidates()
    made = replace(fitted.chosen, name="a", out_of_fold=predictions)
    monkeypatch.setattr(only, "fit", lambda prepared, context: made, raising=False)
    with pytest.raises(InputError, match=r"model a should give predictions .* of shape \(48, 2\), but gives"):
        training.train(fitted.prepared, Settings("t"))


@pytest.mark.parametrize("settings", [{}, {"epochs": 60}], ids=["solved", "descended"])
def test_predictions_are_in_the_units_of_the_target(settings):
    data = table(t=1e6 + 1e4 * RNG.normal(size=60))
    data.frame["t"] += 1e5 * data.frame["x"]
    fitted = fit_table(data, Settings("t", "linear", **settings))
    held_out = fitted.prepared.held_out
    predicted = fitted.model.predict(held_out.inputs)
    assert np.corrcoef(predicted, held_out.targets)[0, 1] > 0.9
    assert predicted.mean() == pytest.approx(held_out.targets.mean(), rel=0.1)


def test_prediction_by_blocks_is_that_of_all_at_once(fitted, monkeypatch):
    rows = np.repeat(fitted.prepared.training.inputs, 3, axis=0)
    whole = fitted.model.predict(rows)
    monkeypatch.setattr(networks, "ROWS_AT_ONCE", 50)
    np.testing.assert_allclose(fitted.model.predict(rows), whole, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({}, Linear), ({"seconds": 9.0}, Linear), ({"seed": 3}, Linear), ({"optimizer": "sgd"}, Networks),
     ({"learning_rate": 0.1}, Networks), ({"batch_size": 8}, Networks), ({"epochs": 1}, Networks)],
)
def test_a_linear_model_is_solved_unless_a_descent_in_steps_was_asked_for(settings, kind):
    fitted = fit_table(classes(*"ab" * 10), Settings("t", "linear", **settings))
    assert isinstance(fitted.model.predictor, kind)
    assert bool(registry.candidates()[0].findings(fitted.chosen, fitted.prepared, "t", True).facts) == (kind is Linear)
