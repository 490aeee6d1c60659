"""`minimize`: every descent ends with a named reason, gives the right parameters, and can be looked on at."""

import contextlib
import dataclasses
import itertools
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go
import pytest

from descend import SGD, Adam, GradientTolerance, History, Plateau, load, minimize, schedules
from descend.engine.run import Trace
from descend.optimizers import AdamW

DATA = np.random.default_rng(0).normal(2, 1, 40).astype(np.float32)


def square(x):
    return (x**2).sum()


def distance(p, batch):
    return 0.5 * ((p - batch) ** 2).mean()


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def forever(**settings):
    """A descent that only its settings can end."""
    return minimize(square, [1.0], **{"optimizer": SGD(1e-6), "stop": [], **settings})


# --------------------------------------------------------------------------------------------------- reasons


def test_converged():
    fit = minimize(square, [5.0, -3.0], optimizer=SGD(0.1))
    assert fit.reason.name == "converged"
    assert f"the gradient's norm is {fit.history['gradient_norm'][-1]:.3g}" in str(fit.reason)
    np.testing.assert_allclose(fit.params, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "steps", "evidence"),
    [
        ({"steps": 77}, 77, "77 steps were made"),
        ({"epochs": 2.5, "batch_size": 16}, 7, "2.5 epochs (7 steps) were made"),
        ({"epochs": 3.0, "batch_size": 40}, 3, "3 epochs (3 steps) were made"),
        ({"epochs": 3.0, "steps": 5, "batch_size": 16}, 5, "5 steps were made"),
        ({"epochs": 3.0, "steps": 50, "batch_size": 16}, 8, "3 epochs (8 steps) were made"),
        ({"epochs": 1.0}, 1, "1 epochs (1 steps) were made"),
        ({"batch_size": 16}, 250, "100 epochs (250 steps) were made"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_budget_of_steps_and_epochs(settings, steps, evidence):
    fit = minimize(distance, 0.0, DATA, optimizer=SGD(0.01), stop=[], **settings)
    assert (fit.reason.name, fit.reason.step, fit.reason.evidence) == ("budget", steps, evidence)
    assert len(fit.history) == fit.run.step == steps


def test_budget_of_a_function_is_100_000_steps():
    fit = forever()
    assert (fit.reason.name, fit.reason.step) == ("budget", 100_000)


def test_budget_of_seconds():
    fit = forever(seconds=0.25, steps=10**9)
    assert fit.reason.name == "budget"
    assert f"the 0.25 seconds were used up after {fit.reason.step} steps" in fit.reason.evidence
    assert 0.25 <= fit.seconds < 10


def test_diverged():
    fit = minimize(square, [1.0], optimizer=SGD(1.5))
    assert fit.reason.name == "diverged"
    assert "A smaller learning rate may help" in fit.reason.evidence


def test_a_constant_loss_is_at_its_minimum():
    fit = minimize(lambda x: 0.0 * x.sum() + 3.0, [1.0])
    assert (fit.reason.name, fit.reason.step, fit.loss) == ("stationary", 0, 3.0)
    assert fit.point.kind == "flat minimum"


# --------------------------------------------------------------------------------------------- interruptions


def presses_ctrl_c(times):
    def observer(progress):
        for _ in range(times if progress.reason is None else 0):
            signal.raise_signal(signal.SIGINT)

    return observer


def test_interrupted():
    before = signal.getsignal(signal.SIGINT)
    fit = forever(steps=10**9, observers=[presses_ctrl_c(1)])
    assert fit.reason.name == "interrupted"
    assert fit.reason.evidence == f"Ctrl-C after {fit.run.step} steps"
    assert signal.getsignal(signal.SIGINT) is before
    assert np.isfinite(fit.params).all()


def test_terminated():
    """Whoever handles the signal is left to end the process, and gets the result before."""
    theirs = []
    before = signal.signal(signal.SIGTERM, lambda *_: theirs.append(1))
    try:
        fit = forever(steps=10**9, observers=[lambda progress: signal.raise_signal(signal.SIGTERM)])
        assert fit.reason.name == "interrupted"
        assert fit.reason.evidence == f"SIGTERM after {fit.run.step} steps"
        assert theirs == [], "the signal was taken"
        signal.raise_signal(signal.SIGTERM)
        assert theirs == [1], "and is theirs again"
    finally:
        signal.signal(signal.SIGTERM, before)


TERMINATES = """
import os, signal, sys, threading, descend
progress = lambda told: told.step > 100 and signal.raise_signal(signal.SIGTERM)
descend.minimize(lambda x: (x**2).sum(), [1.0], optimizer=descend.SGD(1e-9), steps=10**9, observers=[progress],
                 checkpoint=sys.argv[1])
print("not reached")
"""


@pytest.mark.processes
def test_a_process_that_is_to_end_ends_with_its_checkpoint(tmp_path):
    path = tmp_path / "run"
    program = [sys.executable, "-c", TERMINATES, path]
    ended = subprocess.run(program, check=False, capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "")
    assert load(path, lambda x: (x**2).sum()).step > 100


def test_interrupted_at_once():
    before, closed = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt):
        forever(steps=10**9, observers=[presses_ctrl_c(2), Witness(closed)])
    assert signal.getsignal(signal.SIGINT) is before
    assert closed == [KeyboardInterrupt]


# ------------------------------------------------------------------------------------------------ validation


def past_three(**settings):
    """Comes past 3, where its validation is best, on the way to 10."""
    return minimize(
        lambda x: 0.5 * ((x - 10.0) ** 2).sum(), [0.0], optimizer=SGD(0.01), validation=lambda x: abs(x[0] - 3.0),
        validate_every=6, **{"steps": 200, **settings},
    )  # fmt: skip


def test_plateau_gives_the_best_parameters():
    fit = past_three(stop=Plateau(patience=5))
    assert (fit.reason.name, fit.reason.step, fit.best.step) == ("plateau", 66, 36)
    assert "the validation loss was best after 36 steps, 0.0358" in fit.reason.evidence
    assert "and 5 more evaluations did not better it" in fit.reason.evidence
    assert fit.params[0] == pytest.approx(10 * (1 - 0.99**36), rel=1e-5)
    assert fit.run.params[0] == pytest.approx(10 * (1 - 0.99**66), rel=1e-5)
    assert fit.best.value == pytest.approx(min(fit.history.validation["loss"])) == pytest.approx(0.0358682, rel=1e-4)
    assert fit.history.validation["step"] == list(range(6, 67, 6))


def test_the_best_parameters_without_a_plateau():
    fit = past_three(stop=[], steps=100)
    assert (fit.reason.name, fit.best.step, fit.history.validation["step"][-1]) == ("budget", 36, 100)
    assert fit.params[0] == pytest.approx(10 * (1 - 0.99**36), rel=1e-5)


@pytest.mark.parametrize(("min_improvement", "stops"), [(0.0, 48), (0.5, 18)])
def test_what_counts_as_an_improvement(min_improvement, stops):
    # 2.41 1.86 1.35 0.86 0.40 0.036 0.47 …: each fall is an improvement, or only one to less than half.
    fit = past_three(stop=Plateau(patience=2, min_improvement=min_improvement))
    assert fit.reason.step == stops


def test_validation_data():
    held_out = np.array([1.0, 3.0], np.float32)
    fit = minimize(
        lambda p, batch: (distance(p, batch), {"off": abs(p - 2.0)}), 0.0, DATA, optimizer=SGD(0.1), batch_size=16,
        epochs=4.0, validation=held_out,
    )  # fmt: skip
    assert fit.history.validation["step"] == [3, 5, 8, 10]
    for number, row in enumerate(fit.history.validation["loss"]):
        assert row == pytest.approx(0.5 * fit.history.validation["off"][number] ** 2 + 0.5, rel=1e-5)
    assert float(distance(fit.params, held_out)) == pytest.approx(fit.best.value)


def test_a_validation_with_names():
    fit = minimize(
        square, [1.0], optimizer=SGD(0.1), steps=4, stop=[], validate_every=2,
        validation=lambda x: (jnp.sum(x), {"twice": 2 * x[0], "vector": x}),
    )  # fmt: skip
    assert fit.history.validation == {"step": [2, 4], "loss": pytest.approx([0.64, 0.4096]),
                                      "twice": pytest.approx([1.28, 0.8192])}  # fmt: skip


def test_a_validation_that_is_nan_is_never_the_best():
    values = iter([np.nan, 2.0, np.nan, 3.0, np.nan])
    fit = minimize(
        square, [1.0], optimizer=SGD(0.1), steps=5, validation=lambda x: next(values), stop=[], validate_every=1
    )
    assert (fit.best.value, fit.best.step) == (2.0, 2)
    assert fit.params[0] == pytest.approx(0.8**2)


def test_the_default_with_batches_and_a_validation_is_a_plateau():
    fit = minimize(
        distance, 0.0, DATA, batch_size=16, optimizer=SGD(0.5), validation=lambda p: abs(float(p) - 100), epochs=1000.0
    )
    assert fit.reason.name == "plateau"


# ------------------------------------------------------------------------------------------------- observers


class Witness(contextlib.AbstractContextManager):
    """Writes down how it was left."""

    def __init__(self, closed):
        self.closed = closed

    def __call__(self, progress):
        pass

    def __exit__(self, kind, *others):
        self.closed.append(kind)


def test_observers_see_all_the_progress():
    seen = []
    fit = minimize(
        distance, 0.0, DATA, batch_size=10, optimizer=SGD(0.001), epochs=500.0, validation=DATA, validate_every=200,
        observers=[seen.append, seen.append], stop=[],
    )  # fmt: skip
    assert seen[::2] == seen[1::2]
    seen = seen[::2]
    for earlier, later in itertools.pairwise(seen):
        assert earlier.step < later.step
        assert earlier.seconds < later.seconds
        assert earlier.reason is None
    last = seen[-1]
    assert last.reason == fit.reason
    assert (last.step, last.steps, last.epoch, last.eta) == (2000, 2000, 500.0, 0.0)
    assert last.latest["loss"] == np.float32(fit.loss)
    assert last.validation["loss"] == fit.history.validation["loss"][-1]
    assert last.best == fit.best
    assert last.steps_per_second > 0
    assert set(last.latest) == {"loss", "learning_rate", "gradient_norm", "update_norm"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        last.step = 3


def test_progress_without_data_or_steps():
    seen = []
    forever(seconds=0.05, observers=[seen.append])
    assert (seen[-1].epoch, seen[-1].steps, seen[-1].eta, seen[-1].validation) == (None, None, 0.0, {})


def test_observers_are_closed():
    closed = []
    forever(steps=3, observers=[Witness(closed)])
    assert closed == [None]


def test_observers_are_closed_when_one_raises():
    closed = []

    def fails(progress):
        raise RuntimeError("no space for a smile")

    with pytest.raises(RuntimeError, match="smile"):
        forever(steps=3, observers=[Witness(closed), fails, Witness(closed)])
    assert closed == [RuntimeError, RuntimeError]


# ------------------------------------------------------------------------------------ results and histories


def test_a_long_history_is_thinned():
    fit = forever(steps=150_001)
    history = fit.history
    assert history.stride == 2
    assert history["step"].tolist() == list(range(0, 150_001, 2))
    assert {len(column) for column in history.columns.values()} == {len(history)} == {75_001}
    assert history["loss"][-1] == fit.loss


@pytest.mark.parametrize("portion", [1_000, 70_000])
def test_a_longer_history_is_thinned_again(portion):
    history, total = History(), 490_000
    for start in range(0, total, portion):
        steps = np.arange(start, start + portion)
        history.extend(Trace(start, {"loss": 10.0 * steps}))
    assert history.stride == 8
    assert history["step"].tolist() == [*range(0, total, 8), total - 1]
    assert len(history) == len(history["step"])
    assert history.first_loss == 0.0
    assert history["loss"].tolist() == [10.0 * step for step in history["step"]]
    restored = History.from_arrays(history.to_arrays(), history.stride)
    assert restored["step"].tolist() == history["step"].tolist()


def test_to_pandas():
    fit = past_three(steps=13, stop=[])
    frame = fit.history.to_pandas()
    assert list(frame) == ["step", "loss", "learning_rate", "gradient_norm", "update_norm", "validation_loss"]
    assert frame["step"].tolist() == list(range(13))
    # What was evaluated after six steps stands beside the sixth step, number 5.
    assert frame["validation_loss"].dropna().index.tolist() == [5, 11, 12]
    assert frame["validation_loss"].dropna().tolist() == fit.history.validation["loss"]


@pytest.mark.parametrize("steps", [1, 2_100])
def test_plot(steps):
    fit = past_three(steps=steps, stop=[])
    figure = fit.plot()
    assert isinstance(figure, go.Figure)
    traces = {trace.name: trace for trace in figure.data}
    assert set(traces) == {"loss", "gradient norm", "learning rate", "validation loss"}
    assert traces["loss"].y[-1] == fit.loss
    assert len(traces["loss"].x) <= 2000
    assert list(traces["validation loss"].y) == fit.history.validation["loss"]
    assert figure.layout.title.text == str(fit.reason)


def test_plot_of_a_divergence():
    figure = minimize(square, [1.0], optimizer=SGD(1.5)).plot()
    assert {trace.name for trace in figure.data} == {"loss", "gradient norm", "learning rate"}


def test_repr():
    fit = forever(steps=3)
    assert repr(fit) == f"Result(budget: 3 steps were made; loss {fit.loss:.6g} after 3 steps in {fit.seconds:.3g} s)"
    names = "step, loss, learning_rate, gradient_norm, update_norm"
    assert repr(fit.history) == f"History(3 rows of {names}; 0 validations)"


# -------------------------------------------------------------------------------------------------- defaults


def matrix_distance(W):
    A = jnp.array([[2.0, 0.3], [0.3, 0.5]])
    return ((A @ W - jnp.eye(2)) ** 2).sum()


def mixed(p):
    return (p["a"] - 1) ** 2 + ((p["b"][0] - 2) ** 2).sum() + 10 * ((p["b"][1]["c"] + 3) ** 2).sum()


@pytest.mark.parametrize(
    ("loss", "start", "minimum", "tolerance"),
    [
        (rosenbrock, [-1.2, 1.0], [1.0, 1.0], 2e-3),
        (lambda x: (jnp.array([1.0, 10.0, 100.0]) * (x - 1) ** 2).sum(), [3.0, -2.0, 0.0], [1.0, 1.0, 1.0], 1e-3),
        (matrix_distance, np.zeros((2, 2)), np.linalg.inv([[2.0, 0.3], [0.3, 0.5]]), 1e-3),
        (mixed, {"a": 0.0, "b": (np.zeros(3), {"c": np.zeros((2, 1))})},
         {"a": 1.0, "b": (np.full(3, 2.0), {"c": np.full((2, 1), -3.0)})}, 1e-3),
    ],
    ids=["rosenbrock", "quadratic", "matrix", "tree"],
)  # fmt: skip
def test_defaults_converge(loss, start, minimum, tolerance):
    fit = minimize(loss, start)
    assert fit.reason.name == "converged", fit
    assert jax.tree.structure(fit.params) == jax.tree.structure(jax.tree.map(jnp.asarray, minimum, is_leaf=is_list))
    for found, right in zip(jax.tree.leaves(fit.params), jax.tree.leaves(minimum, is_leaf=is_list), strict=True):
        np.testing.assert_allclose(found, right, atol=tolerance)


def is_list(leaf):
    return isinstance(leaf, list)


@pytest.mark.parametrize("bound", [DATA, jnp.asarray(DATA)], ids=["NumPy", "JAX"])
def test_an_array_may_be_bound_as_a_default(bound):
    fit = minimize(lambda p, x=bound: ((p - x) ** 2).mean(), 0.0)
    np.testing.assert_allclose(fit.params, DATA.mean(), rtol=1e-5)


def test_the_default_for_data():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = X @ np.array([1.0, -0.5, 0.0, 0.5], np.float32) + 0.5

    def loss(p, batch):
        X, y = batch
        return 0.5 * ((X @ p["w"] + p["b"] - y) ** 2).mean()

    fit = minimize(loss, {"w": np.zeros(4), "b": 0.0}, (X, y))
    assert isinstance(fit.run.descent.optimizer, AdamW)
    assert fit.reason.step == 469  # 100 epochs of 300 / 64 steps
    rates = fit.history["learning_rate"]
    assert rates.max() == pytest.approx(fit.search.rate, rel=0.05)
    assert 0 < rates[-1] < 0.01 * fit.search.rate
    np.testing.assert_allclose(fit.params["w"], [1, -0.5, 0, 0.5], atol=0.02)


def test_a_schedule_of_open_length_takes_that_of_the_descent():
    fit = minimize(square, [1.0], optimizer=Adam(schedules.Cosine(0.1, warmup=2)), steps=10, stop=[])
    expected = [schedules.Cosine(0.1, steps=10, warmup=2)(t) for t in range(10)]
    np.testing.assert_allclose(fit.history["learning_rate"], expected, rtol=1e-5)


def test_seeds_are_reproducible():
    def final(seed):
        fit = minimize(distance, 0.0, DATA, batch_size=3, steps=20, optimizer=SGD(0.3), seed=seed, stop=[])
        return np.asarray(fit.params).tobytes()

    assert final(1) == final(1) != final(2)


def test_several_tests_may_be_given():
    fit = past_three(stop=[Plateau(patience=5), GradientTolerance(relative=0.9)])
    assert fit.reason.name == "stationary"
