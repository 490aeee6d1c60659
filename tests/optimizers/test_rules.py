"""Each rule against its paper's algorithm box, in NumPy and in JAX, and the contract that all rules share."""

import dataclasses
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import CASES, TOLERANCE, WORLDS, actual, assert_close, at, compiled_run, expected, problem, run

from descend import optimizers, schedules
from descend.errors import InputError
from descend.optimizers import (
    LAMB,
    LARS,
    SGD,
    AdaBelief,
    AdaDelta,
    Adafactor,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    Lion,
    Modifier,
    NAdam,
    NAdamW,
    Optimizer,
    PolyakStep,
    RAdam,
    RMSprop,
    Rule,
    RuleState,
    SignSGD,
    Yogi,
)
from descend.schedules import Constant, Cosine, InverseTime, Schedule

DEFAULT_RATE = {
    SGD: 0.01, SignSGD: 0.001, Lion: 0.0001, AdaGrad: 0.01, AdaDelta: 1.0, RMSprop: 0.01, Adam: 0.001, AdamW: 0.001,
    AMSGrad: 0.001, AdaMax: 0.002, NAdam: 0.002, NAdamW: 0.002, RAdam: 0.001, Yogi: 0.01, AdaBelief: 0.001,
    LAMB: 0.001, LARS: 0.1, Adafactor: 0.01,
}
RULES = list(DEFAULT_RATE)
ONE_EACH = ["nesterov_of_steps", "lion", "adagrad", "rmsprop_centered", "adamw_strong", "nadamw", "radam", "lamb",
            "adafactor"]


def made(name, rate):
    """The rule of a case, with this learning rate."""
    return CASES[name].rule(rate, **CASES[name].settings)


def needs_params(name):
    rule = made(name, 0.1)
    return isinstance(rule, Modifier) or getattr(rule, "needs_params", False)


def rules_within(optimizer):
    """The optimizer, and all that it is made of."""
    inside = [getattr(optimizer, field.name) for field in dataclasses.fields(optimizer)]
    return [optimizer, *(rule for part in inside if isinstance(part, Optimizer) for rule in rules_within(part))]


def rule_states(state):
    """The states of rules within that of an optimizer."""
    is_one = lambda node: isinstance(node, RuleState)
    return list(filter(is_one, jax.tree.leaves(state, is_leaf=is_one)))


# ---------------------------------------------------------------------------------------------- the mathematics


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_follows_the_algorithm_box(name, dtype, world):
    got = actual(name, dtype, world)
    assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {np.dtype(dtype)}
    assert_close(got, expected(name), TOLERANCE[dtype])


@pytest.mark.parametrize("name", CASES)
def test_worlds_agree(name):
    assert_close(actual(name, "float64", "jax"), actual(name, "float64", "numpy"), 1e-12)


def test_every_rule_has_a_case():
    exported = {kind for kind in vars(optimizers).values() if inspect.isclass(kind) and issubclass(kind, Rule)}
    held = {type(rule) for name in CASES for rule in rules_within(made(name, 0.1))}
    assert exported - held == {Rule, PolyakStep}  # PolyakStep needs the loss, which cases do not have


@pytest.mark.parametrize("rule", RULES)
def test_default_learning_rate(rule):
    assert rule().learning_rate == DEFAULT_RATE[rule]


@pytest.mark.parametrize("beta2", [0.999, 0.99999])
@pytest.mark.parametrize("xp", [np, jnp])
def test_bias_correction_keeps_float32(xp, beta2):
    g = xp.asarray([3.0, -4.0], dtype=xp.float32)
    update, _ = Adam(1.0, beta2=beta2, eps=0.0).update(g, Adam().init(g))
    np.testing.assert_allclose(update, [-1, 1], rtol=5e-7)


# Yogi's first moment begins above zero.
@pytest.mark.parametrize(("rule", "xp"), [*((rule, np) for rule in RULES if rule is not Yogi), (Adam, jnp)])
def test_a_zero_gradient_moves_nothing(rule, xp):
    zero = xp.zeros((2, 2), dtype=xp.float32)
    update, _ = rule(0.1).update(zero, rule().init(zero), zero)
    np.testing.assert_array_equal(update, 0)


@pytest.mark.parametrize("name", [name for name in CASES if not needs_params(name)])
def test_parameters_may_be_left_out(name):
    rule, g = made(name, 0.1), {"a": np.array([1.0, -2.0])}
    without, _ = rule.update(g, rule.init(g))
    given, _ = rule.update(g, rule.init(g), {"a": np.array([5.0, 6.0])})
    np.testing.assert_array_equal(without["a"], given["a"])


@pytest.mark.parametrize("rule", [AdamW, NAdamW, LAMB, LARS, Adafactor])
def test_says_that_it_needs_the_parameters(rule):
    g = np.array([1.0])
    with pytest.raises(InputError, match=rf"^{rule.__name__} .*parameters"):
        rule(0.1).update(g, rule().init(g))


# ---------------------------------------------------------------------------------------------- state and metrics

RATES_OF_ANY_KIND = [np.float64(0.1), Cosine(0.1, steps=10, warmup=3)]  # which could promote a float32 array


@pytest.mark.parametrize("rate", RATES_OF_ANY_KIND, ids=repr)
@pytest.mark.parametrize("name", CASES)
def test_keeps_float32_in_numpy(name, rate):
    rule, params = made(name, rate), {"scalar": np.float32(1), "matrix": np.ones((2, 2), np.float32)}
    state = rule.init(params)
    for _ in range(2):
        updates, state = rule.update(params, state, params)
    slots = [own.slots for own in rule_states(state)]
    assert {(type(leaf).__module__, leaf.dtype.name) for leaf in jax.tree.leaves((updates, slots))} == {
        ("numpy", "float32")
    }
    assert {own.count.dtype.name for own in rule_states(state)} <= {"int32"}


@pytest.mark.parametrize(("rate", "dtype"), [(RATES_OF_ANY_KIND[0], "float32"), (RATES_OF_ANY_KIND[1], "bfloat16")])
@pytest.mark.parametrize("name", CASES)
def test_keeps_the_dtype_in_jax(name, rate, dtype):
    """Looked at as a compiled loop would look: nothing is calculated."""
    rule = made(name, rate)
    with jax.enable_x64(True):  # where a float64 scalar could promote a float32 array
        params = {"scalar": jnp.ones((), dtype), "matrix": jnp.ones((2, 2), dtype)}
        state = jax.eval_shape(rule.init, params)
        updates, after = jax.eval_shape(rule.update, params, state, params)
    kinds = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
    assert kinds(updates) == kinds(params)
    assert kinds(after) == kinds(state)


@pytest.mark.parametrize("name", CASES)
def test_counts_steps_and_leaves_its_arguments_alone(name):
    rule = made(name, 0.1)
    start, gradients = problem()
    state = rule.init(start)
    arguments = (at(0, gradients), state, start)
    before = jax.tree.map(np.copy, arguments)
    _, after = rule.update(*arguments)
    assert [own.count for own in rule_states(state)] == [0] * len(rule_states(state))
    assert [own.count for own in rule_states(after)] == [1] * len(rule_states(after))
    jax.tree.map(np.testing.assert_array_equal, arguments, before)


@pytest.mark.parametrize("rule", RULES)
def test_evaluates_the_parameters_themselves(rule):
    params = {"a": np.ones(3)}
    assert rule().eval_params(rule().init(params), params) is params


class Halving(Schedule):
    """A schedule as a user may write one: no dataclass, no pytree."""

    def __call__(self, step):
        return 0.8 * 0.5**step


# Adafactor's rate has a ceiling, and LARS's velocity remembers the rates before.
@pytest.mark.parametrize(
    ("rule", "xp"), [*((rule, np) for rule in RULES if rule not in {Adafactor, LARS}), (SGD, jnp), (AdamW, jnp)]
)
def test_a_users_schedule_drives_the_step_and_is_readable(rule, xp):
    g = xp.ones(2)
    driven, state, read = rule(Halving()), rule().init(g), []
    for step in range(4):
        constant, _ = rule(0.8 * 0.5**step).update(g, state, g)
        update, state = driven.update(g, state, g)
        read.append(float(driven.metrics(state)["learning_rate"]))
        np.testing.assert_allclose(update, constant, rtol=1e-6)
    np.testing.assert_allclose(read, [0.8, 0.4, 0.2, 0.1], rtol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_reads_a_constant_rate(rule):
    assert rule(0.25).metrics(rule().init(np.ones(2)))["learning_rate"] == 0.25


@pytest.mark.parametrize("rule", RULES)
def test_readings_are_scalars_that_a_loop_can_record(rule):
    made, params = rule(0.1), {"a": jnp.ones((2, 3)), "b": jnp.ones(())}
    start = made.init(params)
    after = jax.eval_shape(lambda: made.update(params, start, params)[1])
    recorded = jax.eval_shape(lambda state: jax.tree.map(jnp.asarray, made.metrics(state)), after)
    assert {"learning_rate"} <= recorded.keys()
    assert {leaf.shape for leaf in recorded.values()} == {()}


@pytest.mark.parametrize("rule", RULES)
def test_over_fills_in_the_schedules_length(rule):
    assert rule(Cosine(0.1)).over(40) == rule(Cosine(0.1, steps=40))
    assert rule(0.1).over(40) == rule(0.1)


# ---------------------------------------------------------------------------------------------- what is refused

ONE = np.ones(1)


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


BETWEEN_0_AND_1 = {"momentum", "decay", "beta1", "beta2"}
SETTINGS = [(rule, field.name) for rule in RULES for field in dataclasses.fields(rule)
            if field.name != "threshold" and not isinstance(field.default, bool)]


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize(("rule", "name"), [pair for pair in SETTINGS if pair[1] not in BETWEEN_0_AND_1])
def test_refuses_settings_that_are_negative_or_not_finite(rule, name, value):
    message = f"{rule.__name__}: {name} must be at least 0 and below inf, but is {value}"
    with pytest.raises(InputError) as error:
        rule(**{name: value})
    assert str(error.value) == message


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, math.nan])
@pytest.mark.parametrize(("rule", "name"), [pair for pair in SETTINGS if pair[1] in BETWEEN_0_AND_1])
def test_refuses_averages_outside_0_to_1(rule, name, value):
    with pytest.raises(InputError, match=f"^{rule.__name__}: {name} must be at least 0 and below 1, but is {value}$"):
        rule(**{name: value})


@pytest.mark.parametrize("value", [3.9, math.nan, math.inf])
def test_refuses_a_threshold_at_which_nothing_can_be_rectified(value):
    with pytest.raises(InputError, match=f"^RAdam: threshold must be at least 4 and below inf, but is {value}$"):
        RAdam(threshold=value)


# ---------------------------------------------------------------------------------------------- rules as values


@pytest.mark.parametrize("rate", [0.25, Cosine(0.5, steps=10, warmup=2)], ids=repr)
@pytest.mark.parametrize("name", CASES)
def test_repr_shows_all_settings(name, rate):
    rule = made(name, rate)
    for field in dataclasses.fields(rule):
        assert f"{field.name}={getattr(rule, field.name)!r}" in repr(rule)
    assert eval(repr(rule), vars(optimizers) | vars(schedules)) == rule


@pytest.mark.parametrize("rule", RULES)
def test_is_frozen(rule):
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule().learning_rate = 1.0


@pytest.mark.parametrize("name", ["nesterov", "adamw_strong"])
def test_another_rate_does_not_compile_again(name):
    traces = []

    @jax.jit
    def update(rule, g, state):
        traces.append(rule)
        return rule.update(g, state, g)

    g = jnp.ones(2)
    state = made(name, 0.1).init(g)
    small, large = (update(made(name, rate), g, state)[0] for rate in (0.1, 0.2))
    np.testing.assert_allclose(large, 2 * small, rtol=1e-6)
    assert len(traces) == 1
    for schedule in (InverseTime(0.1, 0.5), InverseTime(0.2, 0.25)):
        update(made(name, schedule), g, state)
    assert len(traces) == 2, "one for all rates, one for all schedules of a kind"
    update(made(name, Constant(0.1)), g, state)
    assert len(traces) == 3


@pytest.mark.parametrize("name", ONE_EACH)
def test_vmap_over_rates_is_many_runs(name):
    start, gradients = problem()
    rates = np.geomspace(1e-4, 1.0, 4)
    with jax.enable_x64(True):
        rule = made(name, jnp.asarray(rates))
        many = jax.tree.map(lambda number: 0 if np.ndim(number) else None, rule)
        together = jax.vmap(compiled_run, in_axes=(many, None, None))(rule, start, gradients)
    singly = [run(made(name, float(rate)), start, gradients) for rate in rates]  # in NumPy, which compiles nothing
    assert_close(together, jax.tree.map(lambda *runs: np.stack(runs), *singly), 1e-12)
