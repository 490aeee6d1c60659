"""What `docs/extending.md` shows must run, and do what it says."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import NearestCentroid

from descend import begin, load
from descend.errors import CheckpointError, InputError
from descend.optimizers import WeightDecay
from descend.tasks.common.folder import RunFolder
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.loading import stored_model
from descend.tasks.table import Findings, Section, register, registry
from descend.tasks.table.task import table_task

TRUE = np.array([1.0, -2.0, 0.5])


@pytest.fixture
def names(shown, monkeypatch):
    names = shown("extending.md")
    # What is registered here is nothing that other tests should find.
    monkeypatch.setattr(registry, "_candidates", [*registry.candidates()])
    register(names["NearestMean"]())
    return names


@pytest.mark.parametrize("fit", ["fit", "streamed", "halved"])
def test_the_line_is_found(names, fit):
    np.testing.assert_allclose(names[fit].params, TRUE, atol=1e-3)


def test_steps_of_one_length_come_as_near_as_they_are_long(names):
    np.testing.assert_allclose(names["signed"].params, TRUE, atol=0.05)


def test_what_a_loss_returns_besides_is_recorded(names):
    assert names["largest"].shape == (300,)
    assert names["largest"][-1] < 1e-3 < names["largest"][0]


def test_the_rate_is_halved(names):
    assert names["rates"][[0, 99, 100, 299]].tolist() == pytest.approx([0.1, 0.1, 0.05, 0.025])


def test_a_rule_is_an_optimizer_like_all_others(names, tmp_path):
    """Modifiers, forks, and a file that has to be given the code again."""
    data, rule = (names["X"], names["y"]), WeightDecay(names["Signed"](0.01), 0.1)
    run = begin(names["loss"], np.zeros(3, np.float32), data, optimizer=rule, batch_size=20)
    ahead = run.fork(learning_rate=0.02).advance(1)[0]
    np.testing.assert_allclose(np.abs(ahead.params), 0.02, rtol=1e-6)
    ahead.save(tmp_path / "run")
    with pytest.raises(CheckpointError, match="give optimizer="):
        load(tmp_path / "run", loss=names["loss"], data=data)
    again = load(tmp_path / "run", loss=names["loss"], data=data, optimizer=rule)
    np.testing.assert_array_equal(again.params, ahead.params)


def test_a_walk_ends_at_five(names):
    assert names["walks"]
    world, state = names["Walk"](), jnp.zeros(())
    for _ in range(5):
        state, reward, ended = world.step(state, 1, jax.random.key(0))
        assert bool(ended) == (float(state) == 5)
    assert ended
    assert reward == -1


RNG = np.random.default_rng(0)
RINGS = pd.DataFrame(RNG.normal(size=(150, 2)), columns=["x", "y"])
RINGS["t"] = np.repeat(list("abc"), 50)
RINGS[["x", "y"]] += np.repeat([[0, 0], [3, 0], [0, 3]], 50, axis=0)


def fitted(**settings):
    task = table_task(Table(RINGS, "rings", ""), Settings("t", **settings))
    run = task.train(task.prepare())
    return task, run, task.judge(run)


def test_a_model_for_tables_is_asked_for_reported_on_stored_and_predicts(names, tmp_path):
    assert registry.names()[-1] == "means"
    task, run, outcome = fitted(model="means")
    training, held_out = run.prepared.training, run.prepared.held_out
    peer = NearestCentroid().fit(training.inputs, training.targets)
    np.testing.assert_array_equal(outcome.predicted, peer.predict(held_out.inputs))
    validated = cross_val_predict(NearestCentroid(), training.inputs, training.targets,
                                  cv=PredefinedSplit(run.prepared.folds))
    assert run.validation == {"means": np.mean(validated == training.targets)}
    facts = task.metrics(run, outcome)
    assert (facts["model"], facts["why"], facts["optimizer"]) == ("means", "means was asked for", "closed form")
    task.save(RunFolder(tmp_path, {}), run, outcome, facts)
    assert "The model is means: means was asked for." in (tmp_path / "report.html").read_text()
    loaded = stored_model(tmp_path).predict_frame(RINGS)
    assert loaded.frame[loaded.column].tolist() == [
        run.prepared.target.classes[number] for number in peer.predict(run.prepared.encoder.transform(RINGS))]


def test_a_model_for_tables_is_chosen_where_it_is_clearly_ahead(names, monkeypatch):
    """Here the simplest is a rival that knows nothing."""
    monkeypatch.setattr(registry, "_candidates", registry.candidates()[-1:])
    means = names["NearestMean"]

    class Blind(means):
        name, title = "blind", "blind"

        def fit(self, prepared, context):
            made = super().fit(prepared, context)
            return replace(made, name="blind", out_of_fold=np.full_like(made.out_of_fold, 1 / 3))

        def findings(self, trained, prepared, target, is_chosen):
            section = Section("What it sees", html="<p>nothing</p>")
            return Findings(section, {"sees": 0}, "sees nothing", {"sight.txt": b"none"})

    monkeypatch.setattr(registry, "_candidates", [Blind(), means()])
    task, run, outcome = fitted()
    assert (run.chosen.name, [each.name for each in run.trained]) == ("means", ["blind", "means"])
    assert run.why.startswith("the nearest class mean is clearly ahead of the blind: ")
    facts = task.metrics(run, outcome)
    assert facts["blind"] == {"sees": 0}
    assert "<h2>What it sees</h2><p>nothing</p>" in task.report(run, outcome, facts)
    assert ("blind", "sees nothing") in task.summary(run, outcome, facts)
    assert task.files(outcome) == {"sight.txt": b"none"}


def test_a_model_that_is_not_registered_is_refused_on_a_line(names, tmp_path, monkeypatch):
    task, run, outcome = fitted(model="means")
    task.save(RunFolder(tmp_path, {}), run, outcome, task.metrics(run, outcome))
    monkeypatch.setattr(registry, "_candidates", registry.candidates()[:-1])
    with pytest.raises(CheckpointError, match="of the kind 'means', which is none that is registered") as caught:
        stored_model(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="there is no model 'means': choose one of auto, linear, mlp"):
        fitted(model="means")


def test_a_name_is_registered_once(names):
    with pytest.raises(InputError, match="there is a model 'means' already"):
        register(names["NearestMean"]())


def test_it_learns_no_numbers(names):
    frame = RINGS.assign(t=np.linspace(0, 1, 150))
    task = table_task(Table(frame, "rings", ""), Settings("t", model="means"))
    with pytest.raises(InputError, match="the nearest class mean cannot learn this target, which is for regression"):
        task.train(task.prepare())
