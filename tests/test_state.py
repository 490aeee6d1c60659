"""What passes through a descent without being descended on: a loss's state, and its random keys."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, InputError, Plateau, advance, losses, minimize
from descend._tree import join, split
from descend.engine.storing import tree_to_arrays
from descend.optimizers import LBFGS, SAM, Accumulate
from descend.sources import HostArrays, IterableBatches, MiniBatches

DATA = np.random.default_rng(0).normal(3.0, 1.0, size=20).astype(np.float32)
SOURCES = {
    "memory": lambda data: MiniBatches(data, 5, shuffle=False),
    "host": lambda data: HostArrays(data, 5, shuffle=False),
    "iterable": lambda data: IterableBatches(lambda epoch: data.reshape(-1, 5), 4.0),
}
WITH_SGD = {"optimizer": SGD(0.1), "stop": []}


def bits(tree):
    return [array.tobytes() for array in tree_to_arrays(tree, "").values()]


def running(p, batch, state):
    """A distance, and a running mean of the batches; the state says how many there were, and the last parameter."""
    mean = 0.75 * state["mean"] + 0.25 * batch.mean()
    return 0.5 * ((p - batch) ** 2).mean(), {"mean": mean, "steps": state["steps"] + 1, "last": p}


BEGIN = {"mean": 0.0, "steps": 0, "last": 0.0}


def by_hand(data, steps, rate=0.1, p=0.5):
    """The same in NumPy."""
    mean = last = 0.0
    for step in range(steps):
        batch = data[5 * (step % 4) :][:5]
        mean, last = 0.75 * mean + 0.25 * batch.mean(), p
        p -= rate * (p - batch).mean()
    return p, {"mean": mean, "steps": steps, "last": last}


def noisy(p, batch, key):
    """A loss that records what was random in it."""
    noise = jax.random.uniform(key)
    return ((p - batch + noise) ** 2).mean(), {"noise": noise, "key": jax.random.key_data(key)}


# -------------------------------------------------------------------------------------------------- the state


@pytest.mark.parametrize(
    ("source", "dtype", "tolerance"),
    [*((source, np.float32, 1e-5) for source in SOURCES), ("memory", np.float64, 1e-13), ("host", np.float64, 1e-13)],
)
def test_a_state_is_handed_from_step_to_step(source, dtype, tolerance):
    data = DATA.astype(dtype)
    fit = minimize(running, 0.5, SOURCES[source](data), state=BEGIN, steps=11, dtype=dtype, **WITH_SGD)
    p, state = by_hand(data, 11)
    found = jax.tree.map(np.asarray, fit.state)
    assert (found["mean"].dtype, found["steps"].dtype.kind) == (dtype, "i")
    np.testing.assert_allclose(fit.params, p, rtol=tolerance)
    for name, value in state.items():
        np.testing.assert_allclose(found[name], value, rtol=tolerance)


@pytest.mark.parametrize("source", SOURCES)
def test_portions_do_not_matter(source):
    def loss(p, batch, state, key):
        value, state = running(p, batch + jax.random.normal(key), state)
        return value, state, {"key": jax.random.key_data(key)}

    settings = {"state": BEGIN, **WITH_SGD}
    run = minimize(loss, 0.5, SOURCES[source](DATA), steps=1, **settings).run
    whole, trace = advance(run, 12)
    parts, keys = run, []
    for size in (1, 7, 4):
        parts, portion = advance(parts, size)
        keys.append(portion.columns["key"])
    assert bits(whole.state) == bits(parts.state)
    assert np.concatenate(keys).tobytes() == trace.columns["key"].tobytes()
    if source != "memory":
        return
    stepwise, _ = advance(dataclasses.replace(run, descent=dataclasses.replace(run.descent, stepwise=True)), 12)
    assert bits(stepwise.state.carried.key) == bits(whole.state.carried.key)
    np.testing.assert_allclose(stepwise.state.carried.state["mean"], whole.state.carried.state["mean"], rtol=1e-5)


def test_a_dict_comes_after_the_state():
    def loss(x, state):
        return (x**2).sum(), state + 1, {"seen": state}

    fit = minimize(loss, [1.0], state=0, steps=4, **WITH_SGD)
    assert (fit.history["seen"].tolist(), int(fit.state)) == ([0, 1, 2, 3], 4)


@pytest.mark.parametrize("state", [0.0, (), {"flag": True, "list": [0.0, 1], "array": np.zeros(())}], ids=repr)
def test_a_state_of_any_numbers(state):
    fit = minimize(lambda x, state: ((x**2).sum(), state), [1.0], state=state, steps=2, **WITH_SGD)
    assert jax.tree.structure(fit.state) == jax.tree.structure(state)
    assert jax.tree.map(float, fit.state) == jax.tree.map(float, state)


def test_the_callers_state_is_left_alone():
    state = {"mean": jnp.zeros(()), "steps": jnp.zeros((), int), "last": jnp.zeros(())}
    fit = minimize(running, 0.5, DATA, state=state, batch_size=5, steps=6, **WITH_SGD)
    advance(fit.run, 3)
    assert (jax.tree.map(float, state), int(fit.state["steps"])) == ({"mean": 0.0, "steps": 0, "last": 0.0}, 6)


def test_batches_that_are_accumulated_each_change_the_state():
    fit = minimize(running, 0.5, SOURCES["memory"](DATA), state=BEGIN, steps=12, stop=[],
                   optimizer=Accumulate(SGD(0.1), batches=4))  # fmt: skip
    mean = by_hand(DATA, 12)[1]["mean"]
    np.testing.assert_allclose(fit.state["mean"], mean, rtol=1e-5)
    p = 0.5
    for _ in range(3):
        last, p = p, p - 0.1 * (p - DATA).mean()
    np.testing.assert_allclose([fit.params, fit.state["last"]], [p, last], rtol=1e-5)


@pytest.mark.parametrize("rule", [LBFGS(), SAM(SGD(0.01), radius=0.1)], ids=lambda rule: type(rule).__name__)
def test_who_looks_elsewhere_steps_alike_and_leaves_the_state_of_here(rule):
    """A line search, and a rule that evaluates the loss at a second point."""
    plain = lambda x: ((x - jnp.array([1.0, 2.0])) ** 4).sum() + (x**2).sum()
    counted = lambda x, state: (plain(x), {"count": state["count"] + 1, "at": x})
    settings = {"optimizer": rule, "steps": 12, "stop": []}
    fit = minimize(plain, [3.0, -1.0], **settings)
    with_state = minimize(counted, [3.0, -1.0], state={"count": 0, "at": np.zeros(2)}, **settings)
    # To rounding: they are two programs, and some processors' instructions round products and sums as one.
    np.testing.assert_allclose(with_state.params, fit.params, rtol=1e-9)
    np.testing.assert_allclose(with_state.history["loss"], fit.history["loss"], rtol=1e-9)
    assert int(with_state.state["count"]) == 12
    if isinstance(rule, SAM):
        before = minimize(plain, [3.0, -1.0], **settings | {"steps": 11})
        np.testing.assert_allclose(with_state.state["at"], before.params, rtol=1e-9)


def test_a_gradient_of_its_own_comes_with_the_state():
    class TowardsOne:
        def __call__(self, x, state, key):
            return (x**2).sum(), state + jax.random.uniform(key)

        def value_and_grad(self, x, state, key):
            return self(x, state, key), 2 * (x - 1)

    fit = minimize(TowardsOne(), [4.0], state=0.0, optimizer=SGD(0.25), steps=40, stop=[])
    assert float(fit.params[0]) == pytest.approx(1.0)
    assert 12 < float(fit.state) < 28  # 40 uniform numbers, four standard deviations around their mean


# ------------------------------------------------------------------------------------------- what is not finite


def bad_at(step):
    data = np.repeat(np.arange(1.0, 11.0, dtype=np.float32), 5)
    data[5 * step] = np.nan
    return IterableBatches(lambda epoch: data.reshape(-1, 5), 10.0)


def test_a_step_that_is_skipped_keeps_the_old_state():
    fit = minimize(running, 0.5, bad_at(3), state=BEGIN, steps=8, on_nonfinite="skip", **WITH_SGD)
    good = [1, 2, 3, 5, 6, 7, 8]
    mean = 0.0
    for value in good:
        mean = 0.75 * mean + 0.25 * value
    assert (int(fit.run.state.guard.skipped), int(fit.state["steps"])) == (1, 7)
    assert float(fit.state["mean"]) == pytest.approx(mean, rel=1e-5)


def test_a_loss_may_change_its_state_in_place():
    def loss(p, batch, state):
        state["steps"] += 1
        return ((p - batch) ** 2).mean(), state

    state = {"steps": 0}
    fit = minimize(loss, 0.5, bad_at(3), state=state, steps=8, on_nonfinite="skip", **WITH_SGD)
    assert (int(fit.state["steps"]), state) == (7, {"steps": 0})


def test_a_key_is_not_used_again_after_a_skipped_step():
    fit = minimize(noisy, 0.5, bad_at(3), steps=8, on_nonfinite="skip", **WITH_SGD)
    assert len({row.tobytes() for row in fit.history["key"]}) == 8


def test_a_descent_that_diverges_keeps_the_state_before():
    fit = minimize(running, 0.5, bad_at(3), state=BEGIN, steps=8, **WITH_SGD)
    before = minimize(running, 0.5, bad_at(3), state=BEGIN, steps=3, **WITH_SGD)
    assert (fit.reason.name, fit.reason.step) == ("diverged", 3)
    assert bits(fit.state) == bits(before.state)


# ---------------------------------------------------------------------------------------------------- the keys


def test_every_step_has_a_key_of_its_own():
    draw = lambda source, seed: minimize(noisy, 0.5, SOURCES[source](DATA), steps=200, seed=seed, **WITH_SGD).history
    first, again, other = draw("memory", 0), draw("host", 0), draw("memory", 1)
    assert len({row.tobytes() for row in first["key"]}) == 200
    assert first["key"].tobytes() == again["key"].tobytes()
    assert not {row.tobytes() for row in first["key"]} & {row.tobytes() for row in other["key"]}
    assert abs(first["noise"].mean() - 0.5) < 4 * np.sqrt(1 / 12 / 200)


def test_a_function_without_data_takes_a_key_too():
    loss = lambda x, *, key: ((x - 1 + 0.1 * jax.random.normal(key)) ** 2).sum()
    fit = minimize(loss, [5.0], optimizer=SGD(0.02), steps=400, stop=[])
    assert float(fit.params[0]) == pytest.approx(1.0, abs=0.1)


def test_a_key_that_has_a_value_of_its_own_is_left_to_the_loss():
    fit = minimize(lambda x, key="name": ((x - len(key)) ** 2).sum(), [1.0], **WITH_SGD)
    assert float(fit.params[0]) == pytest.approx(4.0, abs=1e-3)


# ------------------------------------------------------------------------------------------------- validation


class Dropping(eqx.Module):
    """A line behind a dropout."""

    slope: jax.Array
    dropout: eqx.nn.Dropout

    def __call__(self, x, key):
        return self.slope * self.dropout(x, key=key)


def dropping(model, batch, state, key):
    x, y = batch
    return losses.squared(model(x, key), y).mean(), state + 1


LINE = (jnp.asarray(DATA), jnp.asarray(2 * DATA))


@pytest.mark.parametrize("kind", ["data", "function"])
def test_validation_is_not_random_and_leaves_the_state(kind):
    model, seen = Dropping(jnp.float32(0.5), eqx.nn.Dropout(0.5)), []

    def measure(model, state):
        seen.append((model.dropout.inference, int(state)))
        return dropping(model, LINE, state, None)[0]

    validation = {"data": LINE, "function": measure}[kind]
    fit = minimize(dropping, model, LINE, state=0, batch_size=5, steps=8, optimizer=SGD(0.01), stop=[],
                   validation=validation, validate_every=4)  # fmt: skip
    checks = fit.history.validation
    assert checks["step"] == [4, 8]
    slope = float(fit.run.params.slope)
    assert checks["loss"][-1] == pytest.approx(0.5 * np.mean((slope * DATA - 2 * DATA) ** 2), rel=1e-5)
    assert int(fit.run.state.carried.state) == 8
    assert (fit.params.dropout.inference, fit.params.dropout.p) == (False, 0.5)
    if kind == "function":
        assert seen == [(True, 4), (True, 8)]


def test_validation_in_a_dict_of_modules():
    def loss(params, batch, key):
        x, y = batch
        return losses.squared(params["model"](x, key) + params["b"], y).mean()

    params = {"model": Dropping(jnp.float32(0.5), eqx.nn.Dropout(0.5)), "b": 0.0}
    fit = minimize(loss, params, LINE, batch_size=5, steps=4, validation=LINE, **WITH_SGD)
    found = fit.run.params
    expected = 0.5 * np.mean((float(found["model"].slope) * DATA + float(found["b"]) - 2 * DATA) ** 2)
    assert fit.history.validation["loss"][-1] == pytest.approx(expected, rel=1e-5)


def test_validation_of_plain_numbers_with_a_key():
    fit = minimize(lambda p, batch, key: (p - batch + (0 if key is None else jax.random.normal(key))).mean() ** 2,
                   0.0, DATA, batch_size=5, steps=4, validation=DATA, **WITH_SGD)  # fmt: skip
    assert fit.history.validation["loss"][-1] == pytest.approx((float(fit.run.params) - DATA.mean()) ** 2, rel=1e-4)


def test_the_state_belongs_to_the_parameters_that_were_best():
    loss = lambda x, state: (-x.sum(), state + 1)
    measure = lambda x, state: abs(float(x[0]) - 3)
    fit = minimize(loss, [0.0], state=0, optimizer=SGD(1.0), steps=20, validation=measure, validate_every=1,
                   stop=Plateau(patience=4))  # fmt: skip
    assert (fit.reason.name, fit.best.step, fit.reason.step) == ("plateau", 3, 7)
    assert (float(fit.params[0]), int(fit.state), int(fit.run.state.carried.state)) == (3.0, 3, 7)


# ----------------------------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("source", ["memory", "iterable"])
def test_a_state_and_a_key_are_resumed(source, tmp_path):
    def loss(p, batch, state, key):
        value, mean = running(p, batch + jax.random.normal(key), state["running"])
        own = jax.random.split(state["key"])[0]
        return value + 0.01 * jax.random.normal(own), {"running": mean, "key": own}, {"key": jax.random.key_data(key)}

    state = {"running": BEGIN, "key": jax.random.key(5, impl="rbg")}  # keys of another kind than `minimize` has

    def descent(steps, **settings):
        return minimize(loss, 0.5, SOURCES[source](DATA), state=state, steps=steps, validation=lambda p, state: p**2,
                        validate_every=3, **WITH_SGD, **settings)  # fmt: skip

    whole = descent(17)
    descent(7, checkpoint=tmp_path / "run")
    resumed = descent(17, checkpoint=tmp_path / "run", resume=True)
    assert resumed.run.step == 17
    assert bits(resumed.run.state) == bits(whole.run.state)
    assert bits((resumed.params, resumed.state)) == bits((whole.params, whole.state))
    for name, column in whole.history.columns.items():
        assert resumed.history.columns[name].tobytes() == column.tobytes()


# ----------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s | {"mean": s["mean"][None]}, r"'mean' is float32\[1\] after float32\[\]"),
        (lambda s: s | {"steps": s["steps"] + 0.5}, r"'steps' is float32\[\] after int32\[\]"),
        (lambda s: {"mean": s["mean"]}, r"'steps' is gone after int32\[\]"),
        (lambda s: s | {"more": s["mean"]}, r"'more' is float32\[\] after none"),
        (lambda s: [s["mean"], s["steps"]], "a state like the one it is given"),
        (lambda s: s | {"mean": {"deep": s["mean"]}}, "'mean' is gone"),
    ],
    ids=["shape", "dtype", "gone", "more", "list", "deeper"],
)
def test_a_state_that_changes_in_kind(change, message):
    loss = lambda x, state: ((x**2).sum(), change(state))
    with pytest.raises(InputError, match=message):
        minimize(loss, [1.0], state={"mean": 0.0, "steps": 0}, steps=3, dtype=np.float32)


def test_a_state_of_another_structure():
    loss = lambda x, state: ((x**2).sum(), tuple(state))
    with pytest.raises(InputError, match="a state like the one it is given, but 'its structure' is another"):
        minimize(loss, [1.0], state=[0.0, 1.0], steps=3)


def square(x):
    return (x**2).sum()


@pytest.mark.parametrize(
    ("loss", "state", "message"),
    [
        (square, 0, "state= is given, but the loss takes no argument named state"),
        (lambda x, state: (square(x), state), None, "takes an argument named state: give state="),
        (lambda x, state: square(x), 0, "must return a scalar, its state, and perhaps a dict, but returns no tuple"),
        (lambda x, state: (square(x), state, 1, {}), 0, "perhaps a dict, but returns a tuple of 4"),
        (lambda x, state: (square(x), state, 1), 0, "perhaps a dict, but returns a tuple of 3"),
        (lambda x, state: (x, state), 0, r"must return a scalar, but returns an array of shape \(1,\)"),
        (lambda x, state: (square(x), state), {"a": "text"}, "state 'a' must be a number or an array, but is 'text'"),
    ],
    ids=["not taken", "not given", "not returned", "four", "no dict", "vector", "text"],
)
def test_what_a_loss_with_a_state_may_be(loss, state, message):
    with pytest.raises(InputError, match=message):
        minimize(loss, [1.0], state=state, steps=3)


def test_random_keys_are_no_parameters():
    with pytest.raises(InputError, match=r"'key' has dtype key<fry>, .*: .*what is not trained belongs into state="):
        minimize(lambda params: params["x"] ** 2, {"x": 1.0, "key": jax.random.key(0)})


def test_an_error_within_the_loss_says_what_it_was_called_with():
    params = {"w": np.ones(3), "b": 0.0}
    with pytest.raises(TypeError, match=r"dot_general|matmul") as caught:
        minimize(lambda p, batch: (batch[0] @ p["w"] + p["b"] - batch[1]).mean(), params, (np.ones((8, 4)), np.ones(8)))
    note = ("The loss was called with parameters of 'b' float32[], 'w' float32[3]; a batch of '0' float32[8, 4], "
            "'1' float32[8].")
    assert note in caught.value.__notes__


# ------------------------------------------------------------------------------------- what of a model is trained


def test_of_a_module_arrays_are_trained_and_settings_are_not():
    layers = [eqx.nn.Linear(2, 3, key=jax.random.key(0)), eqx.nn.Dropout(0.5), eqx.nn.Lambda(jax.nn.relu)]
    params = {"model": eqx.nn.Sequential(layers), "scale": 2.0}
    numbers, rest = split(params)
    assert [np.shape(x) for x in jax.tree.leaves(numbers)] == [(3, 2), (3,), ()]
    assert 0.5 in jax.tree.leaves(rest)
    assert 2.0 not in jax.tree.leaves(rest)
    assert jax.tree.structure(join(numbers, rest)) == jax.tree.structure(params)


def test_a_dropouts_rate_is_not_descended_on():
    model = {"line": Dropping(jnp.float32(0.5), eqx.nn.Dropout(0.5)), "b": 0.25}

    def loss(params, batch, key):
        x, y = batch
        return losses.squared(params["line"](x, key) + params["b"], y).mean()

    fit = minimize(loss, model, LINE, batch_size=5, steps=30, **WITH_SGD)
    assert (fit.params["line"].dropout.p, type(fit.params["line"].dropout.p)) == (0.5, float)
    assert float(fit.params["b"]) != 0.25 != float(fit.params["line"].slope)
