"""The engine: a run is a value, and `advance` takes it further by the same steps, however they are divided."""

import collections
import dataclasses
import functools
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import descend
from descend import SGD, Adam, GradientTolerance, advance, minimize
from descend.sources import HostArrays, IterableBatches, MiniBatches

CURVATURE = np.array([1.0, 3.0, 10.0], np.float32)
DATA = np.random.default_rng(0).normal(size=37).astype(np.float32)


def quadratic(x):
    return 0.5 * (CURVATURE * x**2).sum()


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def distance(p, batch):
    return 0.5 * ((p - batch) ** 2).mean(), {"first": batch[0]}


def epochs_of(epoch):
    """Batches of 4, 4 and 2, different in each epoch."""
    for number, size in enumerate((4, 4, 2)):
        yield np.full(size, 10 * epoch + number, np.float32)


SOURCES = {
    "memory": lambda: MiniBatches(DATA, 5),
    "host": lambda: HostArrays(DATA, 5),
    "iterable": lambda: IterableBatches(epochs_of, 3.0),
}


def run_of(source, **settings):
    """A run after one step on `distance`."""
    return minimize(distance, 0.5, source, steps=1, optimizer=SGD(0.1, momentum=0.9), stop=[], **settings).run


def ahead(run, *sizes):
    """The run and its whole trace, after so many more steps, asked for in these portions."""
    columns = collections.defaultdict(list)
    for size in sizes:
        end = run.step + size
        while run.step < end:
            before = run.step
            run, trace = advance(run, end - run.step)
            assert (trace.start, len(trace)) == (before, run.step - before)
            for name, column in trace.columns.items():
                columns[name].append(column)
    return run, {name: np.concatenate(parts) for name, parts in columns.items()}


def changed(run, **settings):
    """The same run with another descent."""
    return dataclasses.replace(run, descent=dataclasses.replace(run.descent, **settings))


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def traced(loss):
    """The loss, and the list that grows by one at each of its traces."""
    traces = []

    @functools.wraps(loss)
    def counted(*arguments):
        traces.append(1)
        return loss(*arguments)

    return counted, traces


# ------------------------------------------------------------------------------------------- a run is a value


@pytest.mark.parametrize(("source", "dtype"), [*((source, np.float32) for source in SOURCES), ("host", np.float64)])
def test_portions_do_not_matter(source, dtype):
    run = run_of(SOURCES[source](), dtype=dtype)
    whole, columns = ahead(run, 100)
    parts, in_parts = ahead(run, 1, 7, 92)
    assert bits(whole.state) == bits(parts.state)
    assert bits(columns) == bits(in_parts)
    assert whole.step == 101
    assert whole.params.dtype == dtype


@pytest.mark.parametrize("source", SOURCES)
def test_stepwise_makes_the_same_steps(source):
    run = run_of(SOURCES[source]())
    whole, columns = ahead(run, 30)
    stepwise, one_by_one = ahead(changed(run, stepwise=True), 1, 29)
    np.testing.assert_allclose(stepwise.params, whole.params, rtol=1e-5)
    assert columns.keys() == one_by_one.keys()
    for name, column in columns.items():
        np.testing.assert_allclose(one_by_one[name], column, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("source", ["memory", "host"])
def test_the_original_is_left_alone(source, stepwise):
    run = changed(run_of(SOURCES[source]()), stepwise=stepwise)
    before = bits(run.state)
    forked, _ = advance(run, 10)
    kept, _ = advance(run, 10)
    assert bits(run.state) == before
    assert bits(forked.state) == bits(kept.state) != before


@pytest.mark.parametrize("source", SOURCES)
def test_two_forks_may_take_turns(source):
    run = run_of(SOURCES[source]())
    alone, _ = ahead(run, 12)
    left = right = run
    for size in (3, 1, 8):
        left, _ = ahead(left, size)
        right, _ = ahead(right, size)
    assert bits(left.state) == bits(right.state) == bits(alone.state)


def test_a_run_goes_on_after_minimize():
    fit = minimize(quadratic, np.ones(3), optimizer=SGD(0.1), steps=5, stop=[])
    run, trace = advance(fit.run, 5)
    np.testing.assert_allclose(run.params, (1 - 0.1 * CURVATURE) ** 10, rtol=1e-4, atol=1e-7)
    assert (trace.start, len(trace), run.step) == (5, 5, 10)


@pytest.mark.parametrize("source", SOURCES)
def test_no_steps_change_nothing(source):
    run = run_of(SOURCES[source]())
    for same, trace in (advance(run, 0), advance(changed(run, stepwise=True), 0)):
        assert bits(same.state) == bits(run.state)
        assert len(trace) == 0


@pytest.mark.parametrize("stepwise", [False, True])
def test_a_converged_run_stays(stepwise):
    run = changed(minimize(quadratic, np.ones(3), optimizer=SGD(0.1)).run, stepwise=stepwise)
    same, trace = advance(run, 3)
    assert bits(same.state) == bits(run.state)
    assert len(trace) == 1  # the entry of the test, which is passed again


def test_a_replay_at_another_rate_does_not_compile_again():
    loss, traces = traced(quadratic)
    run = minimize(loss, np.ones(3), optimizer=SGD(0.1), steps=1, stop=[]).run
    compiled = len(traces)
    first, _ = ahead(run, 9)
    replay, columns = ahead(changed(run, optimizer=dataclasses.replace(run.descent.optimizer, learning_rate=0.05)), 9)
    assert len(traces) == compiled
    np.testing.assert_allclose(first.params, (1 - 0.1 * CURVATURE) ** 10, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(replay.params, run.params * (1 - 0.05 * CURVATURE) ** 9, rtol=1e-4)
    np.testing.assert_array_equal(columns["learning_rate"], 0.05)


@pytest.mark.parametrize("source", [None, "memory", "host"])
def test_one_program_for_all_dispatch_sizes(source):
    loss, traces = traced(distance if source else quadratic)
    data = SOURCES[source]() if source else None
    run = minimize(loss, np.ones(3) if data is None else 0.5, data, steps=1, stop=[]).run
    compiled = len(traces)
    for size in (3, 1, 2, 40, 7):
        run, _ = advance(run, size)
    assert len(traces) == compiled


def test_a_descent_traces_its_loss_only_once_per_program():
    loss, traces = traced(quadratic)
    minimize(loss, np.ones(3), optimizer=SGD(1e-6), steps=50_000, stop=[])
    assert len(traces) <= 4


# ------------------------------------------------------------------------------------------------ convergence


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("loss", "start", "rule"),
    [(quadratic, [1.0, -1.0, 1.0], SGD(0.1)), (rosenbrock, [0.5, 0.5], SGD(0.002, momentum=0.9))],
    ids=["quadratic", "rosenbrock"],
)
def test_the_tolerance_is_met_where_the_descent_ends(loss, start, rule, dtype):
    fit = minimize(loss, start, optimizer=rule, stop=GradientTolerance(relative=1e-4), dtype=dtype)
    with jax.enable_x64(True):
        first, last = (np.linalg.norm(jax.grad(loss)(jnp.asarray(x, np.float64))) for x in (start, fit.params))
    assert fit.reason.name == "stationary"  # the minimum is 0, of which what is left is not little
    assert last <= 1.001e-4 * first
    assert (fit.history["gradient_norm"][:-1] > 0.999e-4 * first).all()
    np.testing.assert_allclose(fit.history["gradient_norm"][[0, -1]], [first, last], rtol=1e-3)
    assert fit.reason.step == fit.run.step == fit.history["step"][-1] == len(fit.history) - 1


def test_an_absolute_tolerance_says_so():
    fit = minimize(quadratic, np.ones(3), optimizer=SGD(0.1), stop=GradientTolerance(relative=0.0, absolute=0.0625))
    assert fit.reason.name == "stationary"
    assert np.linalg.norm(CURVATURE * fit.params) <= 0.0625
    assert "0.062" in fit.reason.evidence


def test_a_start_at_the_minimum_is_converged():
    fit = minimize(quadratic, np.zeros(3))
    assert (fit.reason.name, fit.reason.step) == ("converged", 0)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_a_loss_in_other_units_descends_just_the_same(scale):
    # Squares of such gradients are beyond float32, the gradients are not.
    fit = minimize(lambda x: scale * quadratic(x), np.ones(3), optimizer=SGD(0.1 / scale))
    assert fit.reason.name == "converged"
    np.testing.assert_allclose(fit.params, 0, atol=1e-4)


# ------------------------------------------------------------------------------------------------- divergence


def square(x):
    return (x**2).sum()


def test_divergence_keeps_the_last_finite_parameters():
    settings = {"optimizer": SGD(1.1), "stop": []}
    fit = minimize(square, [10.0], **settings)
    assert fit.reason.name == "diverged"
    assert f"step {fit.reason.step}" in fit.reason.evidence
    assert np.isfinite(fit.params).all()
    assert fit.run.step == fit.reason.step > 100
    assert bits(fit.params) == bits(minimize(square, [10.0], steps=fit.reason.step, **settings).params)


def test_a_run_that_diverged_goes_on_at_another_rate():
    fit = minimize(square, [10.0], optimizer=SGD(1e38), stop=[], dtype=np.float32)
    same, _ = advance(fit.run, 5)
    assert (same.step, same.params.tolist()) == (0, [10.0])
    run, _ = advance(changed(fit.run, optimizer=SGD(0.5)), 5)
    assert (run.step, run.params.tolist()) == (5, [0.0])


@pytest.mark.parametrize("source", [MiniBatches, HostArrays])
def test_a_bad_batch_stops_before_it(source):
    data = np.arange(10, dtype=np.float32)
    data[6] = np.nan
    settings = {"optimizer": SGD(0.5), "stop": []}
    fit = minimize(distance, 0.5, source(data, 1, shuffle=False), steps=50, **settings)
    before = minimize(distance, 0.5, source(data, 1, shuffle=False), steps=6, **settings)
    assert bits(fit.run.state._replace(guard=None)) == bits(before.run.state._replace(guard=None))
    assert (fit.reason.name, fit.reason.step) == ("diverged", 6)
    assert "loss was nan at step 6" in fit.reason.evidence
    expected = functools.reduce(lambda p, b: p - 0.5 * (p - b), range(6), 0.5)
    np.testing.assert_allclose(fit.params, expected, rtol=1e-6)


@pytest.mark.parametrize("source", [MiniBatches, HostArrays])
def test_a_bad_batch_can_be_skipped(source):
    data = np.arange(10, dtype=np.float32)
    data[6] = np.nan
    fit = minimize(
        distance, 0.5, source(data, 1, shuffle=False), optimizer=SGD(0.5, momentum=0.5), steps=20, on_nonfinite="skip"
    )
    p, v = 0.5, 0.0
    for b in [*range(6), 7, 8, 9] * 2:
        v = 0.5 * v + (p - b)
        p -= 0.5 * v
    np.testing.assert_allclose(fit.params, p, rtol=1e-5)
    assert (fit.reason.name, fit.reason.step, int(fit.run.state.guard.skipped)) == ("budget", 20, 2)


@pytest.mark.parametrize(
    ("loss", "start", "rate"),
    [(square, 10.0, 1e38), (lambda x: -x[0], 3e38, 1e38)],
    ids=["the update overflows", "the sum overflows"],
)
def test_an_update_that_overflows_is_not_made(loss, start, rate):
    fit = minimize(loss, [start, start], optimizer=SGD(rate), steps=10, stop=[], dtype=np.float32)
    assert (fit.reason.name, fit.reason.step) == ("diverged", 0)
    assert bits(fit.params) == bits(np.full(2, start, np.float32))


@pytest.mark.parametrize(
    ("loss", "start", "step"),
    [
        (lambda x: jnp.sqrt(x).sum(), 1.0, 1),
        (lambda x: jnp.where(x > 0, x / 2, jnp.nan).sum(), 1.0, 1),
        (lambda x: jnp.where(x > 0, x / 2, jnp.inf).sum(), 2.0, 2),
    ],
    ids=["gradient inf", "loss nan, gradient 0", "loss inf, gradient 0"],
)
def test_what_is_not_finite_has_not_converged(loss, start, step):
    fit = minimize(loss, [start], optimizer=SGD(2.0), stop=GradientTolerance())
    assert (fit.reason.name, fit.reason.step) == ("diverged", step)
    assert np.isfinite(fit.params).all()


def test_a_skipped_first_gradient_is_no_measure_for_the_others():
    data = MiniBatches(np.array([np.inf, 1.0, 2.0], np.float32), 1, shuffle=False)
    fit = minimize(distance, 0.5, data, optimizer=SGD(0.1), steps=7, stop=GradientTolerance(), on_nonfinite="skip")
    assert (fit.reason.name, fit.reason.step) == ("budget", 7)


# ------------------------------------------------------------------------------- losses, parameters, precision


def test_float64_without_global_flags():
    before = jax.config.jax_enable_x64
    fit = minimize(quadratic, np.ones(3), optimizer=SGD(0.15), dtype=np.float64)
    run, _ = advance(fit.run, 1)
    assert (before, jax.config.jax_enable_x64) == (False, False)
    assert {leaf.dtype for leaf in (fit.params, run.params, *fit.history.columns.values())} == {
        np.dtype(np.float64),
        np.dtype(np.int64),
    }
    assert np.linalg.norm(CURVATURE * np.asarray(fit.params)) < 1e-6
    assert jnp.ones(1).dtype == np.float32


def test_what_the_loss_returns_besides_is_recorded():
    def loss(x):
        return square(x), {"size": abs(x[0]), "parts": {"both": x}, "half": 0.5}

    fit = minimize(loss, [4.0, 2.0], optimizer=SGD(0.25), steps=3, stop=[])
    assert fit.history["size"].tolist() == [4.0, 2.0, 1.0]
    assert fit.history["parts/both"].tolist() == [[4.0, 2.0], [2.0, 1.0], [1.0, 0.5]]
    assert fit.history["half"].tolist() == [0.5] * 3
    assert fit.history.to_pandas()["parts/both"][2] == pytest.approx([1.0, 0.5])


class TowardsOne:
    """A loss whose own gradient leads to 1, though its value is least at 0."""

    def __call__(self, x, *batch):
        return (x**2).sum()

    def value_and_grad(self, x, *batch):
        return self(x), 2 * (x - 1)


@pytest.mark.parametrize("data", [None, DATA], ids=["no data", "data"])
def test_a_loss_may_bring_its_gradient(data):
    fit = minimize(TowardsOne(), [4.0, -2.0], data, optimizer=SGD(0.25), steps=60, stop=[])
    np.testing.assert_allclose(fit.params, 1.0, rtol=1e-5)


def test_a_gradient_of_its_own_takes_what_the_loss_takes():
    class Strict(TowardsOne):
        def value_and_grad(self, x):
            return self(x), 2 * (x - 1)

    assert minimize(Strict(), [4.0], optimizer=SGD(0.25), steps=60, stop=[]).params == pytest.approx(1.0)


def test_an_equinox_module_with_functions_among_its_leaves():
    X = jnp.linspace(-2, 2, 64)
    data = (X, jnp.sin(2 * X))
    model = eqx.nn.MLP("scalar", "scalar", 16, 1, activation=jnp.tanh, key=jax.random.key(0))
    before = bits(eqx.filter(model, eqx.is_array))

    def loss(model, batch):
        x, y = batch
        return descend.losses.squared(jax.vmap(model)(x), y).mean()

    fit = minimize(loss, model, data, optimizer=Adam(0.03), steps=300)
    assert isinstance(fit.params, eqx.nn.MLP)
    assert jax.tree.structure(fit.params) == jax.tree.structure(model)
    assert loss(fit.params, data) < 0.02 < loss(model, data)
    assert bits(eqx.filter(model, eqx.is_array)) == before


@pytest.mark.peers
def test_an_optax_transformation_is_an_optimizer():
    optax = pytest.importorskip("optax")
    settings = {"steps": 50, "batch_size": 5, "stop": []}
    theirs = minimize(distance, 3.0, DATA, optimizer=optax.adam(0.05), **settings)
    ours = minimize(distance, 3.0, DATA, optimizer=Adam(0.05), **settings)
    np.testing.assert_allclose(theirs.history["loss"], ours.history["loss"], rtol=1e-4, atol=1e-6)
    assert "learning_rate" not in theirs.history.columns


def smoothed(kernel, batch):
    return (jnp.convolve(batch, kernel, mode="same") ** 2).mean()


@pytest.mark.parametrize(
    ("in_loop", "one_by_one", "stepwise"), [(0.3, 0.02, True), (0.3, 0.29, False), (0.001, 0, False)]
)
def test_convolutions_are_dispatched_as_is_faster(monkeypatch, in_loop, one_by_one, stepwise):
    times = iter([in_loop, one_by_one])
    monkeypatch.setattr("descend.engine.pace._seconds", lambda step: next(times))
    fit = minimize(smoothed, np.ones(3), DATA, optimizer=SGD(0.1), batch_size=8, steps=5)
    assert fit.run.descent.stepwise is stepwise
    assert fit.history["loss"][-1] < fit.history["loss"][0]


def test_other_losses_are_not_measured(monkeypatch):
    monkeypatch.setattr("descend.engine.pace._seconds", lambda step: pytest.fail("measured"))
    assert minimize(distance, 0.0, DATA, steps=5).run.descent.stepwise is False


def test_the_clock_decides_nothing(monkeypatch):
    """On a busy machine time jumps. The sizes of dispatches may follow it, but what is computed may not."""
    rng, now = np.random.default_rng(0), [0.0]

    def jumpy():
        now[0] += rng.exponential(0.01)
        return now[0]

    data, settings = MiniBatches(DATA, 5), {"optimizer": SGD(0.1, momentum=0.9), "steps": 30, "stop": []}
    quiet = minimize(distance, 0.5, data, **settings)
    monkeypatch.setattr(time, "perf_counter", jumpy)
    busy = [minimize(distance, 0.5, data, **settings) for _ in range(10)]
    assert {fit.run.descent.stepwise for fit in busy} == {quiet.run.descent.stepwise}
    assert {bits(fit.params)[0] for fit in busy} == set(bits(quiet.params))


def test_the_callers_arrays_are_left_alone():
    start, data = jnp.ones(3), jnp.asarray(DATA)
    minimize(lambda p, batch: distance(p.sum(), batch), start, data, batch_size=5, steps=20)
    assert start.tolist() == [1.0, 1.0, 1.0]
    assert bits(data) == bits(DATA)
