"""What every optimizer refuses, in one line that says what is wrong and where."""

import dataclasses
import inspect
import math
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import descend
from descend import optimizers
from descend.errors import InputError
from descend.optimizers import SGD, Adam, Optimizer, Rule, WeightDecay
from descend.schedules import Constant

CLASSES = [getattr(optimizers, name) for name in optimizers.__all__]
RULES = [
    kind
    for kind in CLASSES
    if inspect.isclass(kind) and issubclass(kind, Optimizer) and dataclasses.is_dataclass(kind)
    and all(field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            for field in dataclasses.fields(kind))
]
WITH_RATE = [kind for kind in RULES if "learning_rate" in {field.name for field in dataclasses.fields(kind)}]
LEAFWISE = [kind for kind in RULES if issubclass(kind, Rule)]
each = partial(pytest.mark.parametrize, ids=lambda value: getattr(value, "__name__", repr(value)))

ONE = np.ones(2)


def refusal(function, *args, **kwargs):
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


@each("rate", [-0.1, math.nan, math.inf, np.float64(-1.0), np.array(-1.0), jnp.array(jnp.nan)])
@each("kind", WITH_RATE)
def test_learning_rate(kind, rate):
    assert refusal(kind, rate).startswith(f"{kind.__name__}: learning_rate must be at least 0 and below inf, but is")


def test_a_schedules_rate():
    assert "initial" in refusal(descend.schedules.Cosine, -0.1)
    assert "value" in refusal(Constant, math.nan)


FRACTIONS = [
    (kind, field.name) for kind in RULES for field in dataclasses.fields(kind)
    if field.name.startswith(("beta", "momentum", "decay", "rho")) and isinstance(field.default, float)
    and 0 < field.default < 1 and field.name != "momentum_decay"
]


@each("value", [1.0, 1.5, -0.1, math.nan])
@each(("kind", "name"), FRACTIONS)
def test_averaging(kind, name, value):
    assert refusal(kind, **{name: value}).startswith(f"{kind.__name__}: {name} must be at least 0 and below 1, but is")


@each(("kind", "name"), FRACTIONS)
def test_a_setting_in_float64_promotes_nothing(kind, name):
    single = {"w": np.ones((2, 2), np.float32)}
    default = next(field.default for field in dataclasses.fields(kind) if field.name == name)
    rule = kind(**{name: np.float64(default)})
    updates, _ = rule.update(single, rule.init(single), single, value=np.float32(1.0))
    assert updates["w"].dtype == np.float32


@each("empty", [{}, (), None, {"a": []}])
@each("kind", RULES)
def test_empty_tree(kind, empty):
    assert "nothing to step: the parameters are an empty tree" in refusal(kind().init, empty)


@each(("params", "what"), [
    ({"w": ONE, "n": np.arange(3)}, "'n' of dtype int"),
    ({"w": ONE, "n": jnp.arange(3)}, "'n' of dtype int"),
    ({"w": ONE, "n": ONE > 0}, "'n' of dtype bool"),
    ({"w": ONE, "z": ONE * 1j}, "'z' of dtype complex"),
    ({"w": ONE, "x": 3.0}, "'x' is a float"),
])
@each("kind", RULES)
def test_leaves_that_no_step_can_move(kind, params, what):
    assert what in refusal(kind().init, params)


@each(("grads", "what"), [
    ({"a": ONE}, "gradients and parameters differ in structure, at b"),
    ({"a": ONE, "b": ONE.astype(np.float32)}, "the gradient of 'b' is numpy's float32[2], but the parameter numpy's "
     "float64[2]"),
    ({"a": ONE, "b": np.arange(2)}, "the gradient of 'b' is numpy's int64[2]"),
    ({"a": np.ones(3), "b": ONE}, "the gradient of 'a' is numpy's float64[3], but the parameter numpy's float64[2]"),
    ({"a": ONE, "b": jnp.ones(2)}, "the gradient of 'b' is jax.numpy's float32[2]"),
    ({"a": ONE, "b": 1.0}, "that of 'b' is a float"),
])
@each("kind", RULES)
def test_gradients_of_other_parameters(kind, grads, what):
    params = {"a": ONE, "b": ONE}
    rule = kind()
    extra = {"value": 1.0, "value_fn": lambda params: 1.0}
    assert what in refusal(rule.update, grads, rule.init(params), params, **extra)


@each("other", [SGD(), SGD(momentum=0.5), Adam(), WeightDecay(Adam()), descend.optimizers.External(None)])
@each("kind", LEAFWISE)
def test_state_of_another_rule(kind, other):
    rule = kind()
    state = () if isinstance(other, descend.optimizers.External) else other.init(ONE)
    if getattr(state, "slots", None) is not None and set(state.slots) == set(rule.slots):
        state = state._replace(slots={"something": ONE})
    assert "belongs to another rule" in refusal(rule.update, ONE, state, ONE, value=1.0)


@each("kind", [kind for kind in LEAFWISE if kind().slots])
def test_state_of_other_parameters(kind):
    rule = kind()
    state = rule.init({"a": ONE, "b": ONE})
    assert "differ in structure" in refusal(rule.update, {"a": ONE}, state, {"a": ONE}, value=1.0)


@each("where", ["bias", "*/weights", ("weight", "head/*")])
def test_a_pattern_that_matches_nothing(where):
    message = refusal(WeightDecay(SGD(), where=where).init, {"weight": ONE, "layers": [{"bias": ONE}]})
    assert "fits no parameter; there are 2, such as" in message
    assert "layers/0/bias" in message or "weight" in message


def test_complex_parameters_in_a_descent():
    with pytest.raises(InputError, match=r"complex128.*real and imaginary parts"):
        descend.minimize(lambda z: abs(z) ** 2, np.array(1.0 + 2.0j), steps=3)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("rule", [optimizers.Newton(), optimizers.NewtonCG(), optimizers.LBFGSB(),
                                  optimizers.LevenbergMarquardt()], ids=lambda rule: type(rule).__name__)
def test_what_solves_equations_refuses_half_precision(rule, dtype):
    with pytest.raises(InputError, match="too few digits: descend in float32 or float64"):
        rule.init(np.zeros(2, dtype))
