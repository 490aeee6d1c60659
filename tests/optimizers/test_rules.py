"""Each rule against its paper's algorithm box, in NumPy and in JAX, and the contract that all rules share."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import CASES, TOLERANCE, WORLDS, actual, assert_close, at, compiled_run, expected, problem

from descend.errors import InputError
from descend.optimizers import SGD, AdaGrad, Adam, AdamW, RMSprop
from descend.schedules import Constant, Cosine, InverseTime, Schedule

RULES = [SGD, AdaGrad, RMSprop, Adam, AdamW]
ONE_EACH = ["nesterov", "adagrad", "rmsprop", "adam", "adamw_strong"]
DEFAULT_RATE = {SGD: 0.01, AdaGrad: 0.01, RMSprop: 0.01, Adam: 0.001, AdamW: 0.001}


# ---------------------------------------------------------------------------------------------- the mathematics


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_follows_the_algorithm_box(name, dtype, world):
    got = actual(name, dtype, world)
    assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {np.dtype(dtype)}
    assert_close(got, expected(name, dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("name", CASES)
def test_worlds_agree(name):
    assert_close(actual(name, "float64", "jax"), actual(name, "float64", "numpy"), 1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_default_learning_rate(rule):
    assert rule().learning_rate == DEFAULT_RATE[rule]


@pytest.mark.parametrize("beta2", [0.999, 0.99999])
@pytest.mark.parametrize("xp", [np, jnp])
def test_bias_correction_keeps_float32(xp, beta2):
    g = xp.asarray([3.0, -4.0], dtype=xp.float32)
    update, _ = Adam(1.0, beta2=beta2, eps=0.0).update(g, Adam().init(g))
    np.testing.assert_allclose(update, [-1, 1], rtol=5e-7)


@pytest.mark.parametrize("rule", [AdaGrad, RMSprop, Adam])
@pytest.mark.parametrize("xp", [np, jnp])
def test_a_zero_gradient_moves_nothing(rule, xp):
    zero = xp.zeros(2, dtype=xp.float32)
    update, _ = rule(0.1).update(zero, rule().init(zero), zero)
    np.testing.assert_array_equal(update, 0)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"adamw", "adamw_strong"}))
def test_parameters_may_be_left_out(name):
    rule, g = CASES[name].rule(0.1, **CASES[name].settings), {"a": np.array([1.0, -2.0])}
    without, _ = rule.update(g, rule.init(g))
    given, _ = rule.update(g, rule.init(g), {"a": np.array([5.0, 6.0])})
    np.testing.assert_array_equal(without["a"], given["a"])


def test_weight_decay_needs_the_parameters():
    g = np.array([1.0])
    with pytest.raises(InputError, match=r"AdamW.*parameters"):
        AdamW(0.1).update(g, AdamW().init(g))


# ---------------------------------------------------------------------------------------------- state and readings


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", [np.float64(0.1), Cosine(0.1, steps=10, warmup=3)], ids=repr)
@pytest.mark.parametrize("xp", [np, jnp])
@pytest.mark.parametrize("name", CASES)
def test_keeps_the_dtype(name, xp, rate, dtype):
    rule = CASES[name].rule(rate, **CASES[name].settings)
    with jax.enable_x64(True):  # where a float64 scalar could promote a float32 array
        params = {"scalar": xp.ones((), dtype=dtype), "matrix": xp.ones((2, 2), dtype=dtype)}
        state = rule.init(params)
        for _ in range(2):
            updates, state = rule.update(params, state, params)
        assert {leaf.dtype for leaf in jax.tree.leaves((updates, state.slots))} == {np.dtype(dtype)}
        assert state.count.dtype == np.int32
        assert isinstance(updates["matrix"], jax.Array) == (xp is jnp)


@pytest.mark.parametrize("name", CASES)
def test_counts_steps_and_leaves_its_arguments_alone(name):
    rule = CASES[name].rule(0.1, **CASES[name].settings)
    start, gradients = problem()
    state = rule.init(start)
    arguments = (at(0, gradients), state, start)
    before = jax.tree.map(np.copy, arguments)
    _, after = rule.update(*arguments)
    assert (state.count, after.count) == (0, 1)
    assert set(after.slots) == set(rule.slots)
    jax.tree.map(np.testing.assert_array_equal, arguments, before)


@pytest.mark.parametrize("rule", RULES)
def test_evaluates_the_parameters_themselves(rule):
    params = {"a": np.ones(3)}
    assert rule().eval_params(rule().init(params), params) is params


class Halving(Schedule):
    """A schedule as a user may write one: no dataclass, no pytree."""

    def __call__(self, step):
        return 0.8 * 0.5**step


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("xp", [np, jnp])
def test_a_users_schedule_drives_the_step_and_is_readable(rule, xp):
    g = xp.ones(2)
    driven, state, read = rule(Halving()), rule().init(g), []
    for step in range(4):
        constant, _ = rule(0.8 * 0.5**step).update(g, state, g)
        update, state = driven.update(g, state, g)
        read.append(float(driven.readings(state)["learning_rate"]))
        np.testing.assert_allclose(update, constant, rtol=1e-6)
    np.testing.assert_allclose(read, [0.8, 0.4, 0.2, 0.1], rtol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_reads_a_constant_rate(rule):
    assert rule(0.25).readings(rule().init(np.ones(2))) == {"learning_rate": 0.25}


@pytest.mark.parametrize("rule", RULES)
def test_over_fills_in_the_schedules_length(rule):
    assert rule(Cosine(0.1)).over(40) == rule(Cosine(0.1, steps=40))
    assert rule(0.1).over(40) == rule(0.1)


# ---------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("empty", [{}, (), None, {"a": []}], ids=repr)
def test_refuses_an_empty_tree(rule, empty):
    with pytest.raises(InputError, match=f"{rule.__name__} has nothing to step: the parameters are an empty tree"):
        rule().init(empty)


ONE = np.ones(1)


@pytest.mark.parametrize(
    ("grads", "params", "message"),
    [
        ({"a": ONE}, {"a": ONE, "b": ONE}, "gradients and parameters differ in structure, at b"),
        ({"a": ONE, "c": (ONE, ONE)}, {"a": ONE, "c": (ONE,)}, "gradients and parameters differ in structure, at c/1"),
        ([ONE], (ONE,), "gradients and parameters differ in structure"),
        ({str(i): ONE for i in range(9)}, ONE, "gradients and parameters differ in structure, at 0, 1, 2, 3, 4"),
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_refuses_other_parameters(rule, grads, params, message):
    with pytest.raises(InputError) as error:
        rule().update(grads, rule().init(grads), params)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("rule", "slot"),
    [(SGD(momentum=0.9), "velocity"), (AdaGrad(), "sum_of_squares"), (RMSprop(), "mean_square"), (Adam(), "mean")],
)
def test_refuses_the_state_of_other_parameters(rule, slot):
    with pytest.raises(InputError, match=f"^gradients and {slot} differ in structure, at a, b$"):
        rule.update({"a": ONE}, rule.init({"b": ONE}), {"a": ONE})


@pytest.mark.parametrize(
    ("rule", "other", "message"),
    [
        (SGD(), Adam(), r"SGD keeps \[\], but this state holds \['mean', 'mean_square'\]"),
        (SGD(momentum=0.9), SGD(), r"SGD keeps \['velocity'\], but this state holds \[\]"),
        (AdamW(), RMSprop(), r"AdamW keeps \['mean', 'mean_square'\], but this state holds \['mean_square'\]"),
        (AdaGrad(), RMSprop(), r"AdaGrad keeps \['sum_of_squares'\], but this state holds \['mean_square'\]"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_refuses_the_state_of_another_rule(rule, other, message):
    with pytest.raises(InputError, match=message + ": it belongs to another rule"):
        rule.update(ONE, other.init(ONE), ONE)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize(
    ("rule", "name"),
    [(rule, field.name) for rule in RULES for field in dataclasses.fields(rule)
     if field.name in {"learning_rate", "eps", "initial_accumulator", "weight_decay"}],
)
def test_refuses_settings_that_are_negative_or_not_finite(rule, name, value):
    message = f"{rule.__name__}: {name} must be at least 0 and below inf, but is {value}"
    with pytest.raises(InputError) as error:
        rule(**{name: value})
    assert str(error.value) == message


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, math.nan])
@pytest.mark.parametrize(
    ("rule", "name"),
    [(SGD, "momentum"), (RMSprop, "decay"), (Adam, "beta1"), (Adam, "beta2"), (AdamW, "beta1"), (AdamW, "beta2")],
)
def test_refuses_averages_outside_0_to_1(rule, name, value):
    with pytest.raises(InputError, match=f"^{rule.__name__}: {name} must be at least 0 and below 1, but is {value}$"):
        rule(**{name: value})


# ---------------------------------------------------------------------------------------------- rules as values


@pytest.mark.parametrize("rate", [0.25, Cosine(0.5, steps=10, warmup=2)], ids=repr)
@pytest.mark.parametrize("name", CASES)
def test_repr_shows_all_settings(name, rate):
    rule = CASES[name].rule(rate, **CASES[name].settings)
    for field in dataclasses.fields(rule):
        assert f"{field.name}={getattr(rule, field.name)!r}" in repr(rule)
    assert eval(repr(rule)) == rule


@pytest.mark.parametrize("rule", RULES)
def test_is_frozen(rule):
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule().learning_rate = 1.0


@pytest.mark.parametrize("name", ONE_EACH)
def test_another_rate_does_not_compile_again(name):
    traces = []

    @jax.jit
    def update(rule, g, state):
        traces.append(rule)
        return rule.update(g, state, g)

    make = lambda rate: CASES[name].rule(rate, **CASES[name].settings)
    g = jnp.ones(2)
    state = make(0.1).init(g)
    small, large = (update(make(rate), g, state)[0] for rate in (0.1, 0.2))
    np.testing.assert_allclose(large, 2 * small, rtol=1e-6)
    assert len(traces) == 1
    for schedule in (InverseTime(0.1, 0.5), InverseTime(0.2, 0.25)):
        update(make(schedule), g, state)
    assert len(traces) == 2, "one for all rates, one for all schedules of a kind"
    update(make(Constant(0.1)), g, state)
    assert len(traces) == 3


@pytest.mark.parametrize("name", CASES)
def test_other_settings_compile_again(name):
    rule = CASES[name].rule(0.1, **CASES[name].settings)
    assert len(jax.tree.leaves(rule)) == 1, "the learning rate alone may change under a compiled program"


@pytest.mark.parametrize("name", ONE_EACH)
def test_vmap_over_rates_is_many_runs(name):
    make = lambda rate: CASES[name].rule(rate, **CASES[name].settings)
    start, gradients = problem()
    rates = np.geomspace(1e-4, 1.0, 16)
    with jax.enable_x64(True):
        together = jax.vmap(compiled_run, in_axes=(0, None, None))(make(jnp.asarray(rates)), start, gradients)
        singly = [compiled_run(make(float(rate)), start, gradients) for rate in rates]
    assert_close(together, jax.tree.map(lambda *runs: np.stack(runs), *singly), 1e-12)
