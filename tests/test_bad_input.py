"""What cannot be descended on is refused at once, with a message that says what to do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import descend
from descend import SGD, Adam, GradientTolerance, InputError, Plateau, minimize
from descend.sources import HostArrays, IterableBatches, MiniBatches

X = np.arange(10, dtype=np.float32)


def square(x):
    return (x**2).sum()


def distance(p, batch):
    return ((p - batch) ** 2).mean()


# --------------------------------------------------------------------------------------------------- the loss


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x: x**2, r"must return a scalar, but returns an array of shape \(2,\): take its mean or its sum"),
        (lambda x: square(x)[None], r"an array of shape \(1,\)"),
        (lambda x: square(x) + 1j, "must return a real floating-point scalar, but returns complex128"),
        (lambda x: 3, "must return a real floating-point scalar, but returns int64"),
        (lambda x: x.sum() > 0, "must return a real floating-point scalar, but returns bool"),
        (lambda x: None, "must return a scalar, but returns NoneType"),
        (lambda x: [square(x)], "must return a scalar, but returns list"),
        (lambda x: (square(x), square(x), {}), "a scalar and a dict, but returns a tuple of 3"),
        (lambda x: (square(x), x), "must return a scalar, or a scalar and a dict"),
        (lambda x: (x, {"x": x}), r"must return a scalar, but returns an array of shape \(2,\)"),
    ],
    ids=["vector", "one", "complex", "integer", "flag", "none", "list", "triple", "pair", "vector and dict"],
)
def test_a_loss_that_is_no_scalar(loss, message):
    with pytest.raises(InputError, match=message):
        minimize(loss, [1.0, 2.0])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x: jnp.log(x - 5).sum(), "loss is nan at the starting parameters: begin where the loss is finite"),
        (lambda x: (1 / (x - 1)).sum(), "loss is inf at the starting parameters"),
        (lambda x: jnp.sqrt(x - 1).sum(), "gradient's norm is inf at the starting parameters"),
        (lambda x: jnp.where(x > 5, x, jnp.nan).sum(), "loss is nan at the starting parameters"),
    ],
    ids=["nan", "inf", "infinite gradient", "nan without gradient"],
)
def test_a_loss_that_is_not_finite_at_the_start(loss, message):
    with pytest.raises(InputError, match=message):
        minimize(loss, [1.0])


def test_data_that_are_not_finite():
    with pytest.raises(InputError, match=r"loss is nan .* look for values in the data that are not"):
        minimize(distance, 0.0, np.array([1.0, np.nan]))


@pytest.mark.parametrize("name", ["loss", "gradient_norm", "update_norm", "learning_rate", "step"])
def test_a_name_that_the_trace_has_already(name):
    with pytest.raises(InputError, match=f"the loss returns '{name}' besides its value, a column that the trace has"):
        minimize(lambda x: (square(x), {name: x[0]}), [1.0], steps=2, optimizer=SGD(0.1))


# --------------------------------------------------------------------------------------------- the parameters


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (1, r"'params' has dtype int.*, which gradient descent cannot move: write 1.0 for 1"),
        ([1, 2], r"'params' has dtype int.*, .*\.astype\(float\)"),
        ({"a": 1.0, "b": {"c": np.arange(3)}}, "'b/c' has dtype int64"),
        ([1j, 2.0], "'params' has dtype complex128, .*: descend on its real and imaginary parts"),
        ({"z": jnp.ones(2, complex)}, "'z' has dtype complex64"),
        (np.array([True]), "'params' has dtype bool"),
        (np.array(["a"]), "'params' has dtype <U1"),
        (np.array([1.0, None]), "'params' has dtype object"),
        ({}, "hold no numbers: there is nothing to descend on"),
        ([], "hold no numbers"),
        (None, "hold no numbers"),
        ("abc", "hold no numbers"),
        (True, "hold no numbers"),
        ([[1.0], [1.0, 2.0]], "inhomogeneous|ragged|length|shape"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_moved(params, message):
    with pytest.raises(InputError, match=message):
        minimize(lambda params: 0.0, params)


@pytest.mark.parametrize("dtype", [np.int32, np.complex64, bool, "text"])
def test_a_dtype_that_cannot_be_descended_in(dtype):
    with pytest.raises(InputError, match="dtype"):
        minimize(square, [1.0], dtype=dtype)


# ----------------------------------------------------------------------------- within JAX's transformations


@pytest.mark.parametrize(
    "within", [lambda f: jax.jit(f)(1.0), lambda f: jax.vmap(f)(jnp.ones(2)), lambda f: jax.grad(f)(1.0)],
    ids=["jit", "vmap", "grad"],
)  # fmt: skip
@pytest.mark.parametrize("door", [minimize, descend.begin])
@pytest.mark.parametrize(
    ("given", "name"),
    [
        (lambda a: (square, [a]), "params"),
        (lambda a: (lambda x: square(x - a), [1.0]), "what the loss refers to|seed"),
        (lambda a: (square, [1.0], None, SGD(a)), "optimizer"),
        (lambda a: (lambda x, batch: square(x - a) + batch.sum(), [1.0], X), "what the loss refers to|seed"),
    ],
    ids=["parameters", "closure", "rate", "closure with data"],
)
def test_what_has_no_value_yet(within, door, given, name):
    def descent(a):
        loss, params, data, rule = (*given(a), None, None)[:4]
        return jnp.sum(door(loss, params, data, optimizer=rule or SGD(0.1)).params)

    message = f"cannot be called within jax.jit, vmap or grad, where '({name})' has no value yet: .*advance_many; .*"
    with pytest.raises(InputError, match=message + "own init and update"):
        within(descent)


@pytest.mark.parametrize("door", [minimize, descend.begin])
def test_nothing_has_a_value_within_jit(door):
    with pytest.raises(InputError, match=r"cannot be called within jax\.jit"):
        jax.jit(lambda: door(square, [1.0], optimizer=SGD(0.1)).params)()


# ----------------------------------------------------------------------------------------- data and settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": -5}, "steps must be at least 0, but is -5"),
        ({"epochs": -1.0}, "epochs must be at least 0, but is -1"),
        ({"seconds": -0.5}, "seconds must be at least 0, but is -0.5"),
        ({"seconds": float("nan")}, "seconds must be at least 0, but is nan"),
        ({"batch_size": 11}, "batch_size must be between 1 and the 10 examples there are, but is 11"),
        ({"batch_size": 0}, "batch_size must be between 1 and the 10 examples there are, but is 0"),
        ({"batch_size": 2, "data": None, "loss": square}, "batch_size is given, but no data"),
        ({"batch_size": 2, "data": MiniBatches(X, 5)}, "batches come from MiniBatches, which has its own"),
        ({"batch_size": 2, "data": HostArrays(X, 5)}, "batches come from HostArrays, which has its own"),
        ({"data": IterableBatches(lambda epoch: [X]), "epochs": 2.0}, "give steps= or seconds= instead"),
        ({"data": {"x": X, "y": X[:3]}}, "differ in their number of examples: 'x' 10, 'y' 3"),
        ({"validation": {"x": X, "y": X[:3]}}, "validation data arrays differ in their number of examples"),
        ({"validation": "text"}, "validation data 'params' must be an array of numbers"),
        ({"optimizer": Adam}, r"optimizer must be a rule such as Adam\(0.001\), its name, or 'auto', but is <class"),
        ({"optimizer": 0.1}, r"optimizer must be a rule such as Adam\(0.001\), its name, or 'auto', but is 0.1"),
        ({"optimizer": "adamm"}, "there is no optimizer 'adamm': give 'auto', or one of adabelief, adadelta, .*adam, "),
        ({"stop": Plateau()}, r"Plateau\(\) looks at the validation loss: give validation="),
        ({"stop": [GradientTolerance(), Plateau()]}, "give validation="),
        ({"resume": True}, "resume=True needs checkpoint=, the file to go on from"),
        ({"validation": X, "validate_every": 0}, "validate_every must be"),
        ({"validation": X, "validate_every": -3}, "validate_every must be"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_do_not_fit(settings, message):
    given = {"loss": distance, "data": X, "params": 0.0, "steps": None, **settings}
    with pytest.raises(InputError, match=message):
        minimize(given.pop("loss"), given.pop("params"), given.pop("data"), **given)


def test_every_refusal_is_a_descend_error_and_a_value_error():
    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, descend.DescendError)
    assert not issubclass(descend.CheckpointError, ValueError)
