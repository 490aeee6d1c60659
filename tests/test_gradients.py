"""`check_gradients` finds wrong gradients, and has nothing against right ones."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import InputError, check_gradients

X = np.random.default_rng(0).normal(size=(30, 3))
y = X @ [1.0, -2.0, 0.5] + 0.1


def regression(params, batch):
    X, y = batch
    return 0.5 * ((X @ params["weights"] + params["bias"] - y) ** 2).mean()


class ByHand:
    """The regression with its gradient by hand, or one with a mistake."""

    def __init__(self, sign=1.0, scale=1.0):
        self.sign, self.scale = sign, scale

    def __call__(self, params, batch):
        return regression(params, batch)

    def value_and_grad(self, params, batch):
        X, y = batch
        residual = X @ params["weights"] + params["bias"] - y
        return regression(params, batch), {
            "weights": self.scale * X.T @ residual / len(y),
            "bias": self.sign * residual.mean(),
        }


@jax.custom_jvp
def wrong_sine(x):
    return jnp.sin(x)


wrong_sine.defjvp(lambda primals, tangents: (jnp.sin(primals[0]), tangents[0] * jnp.cos(1.001 * primals[0])))

START = {"weights": np.array([0.3, 0.2, -0.1]), "bias": 0.7}


@pytest.mark.parametrize(
    ("loss", "params"),
    [
        (lambda x: jnp.sin(x).sum(), np.linspace(-3, 3, 50)),
        (lambda x: jnp.exp(x).sum(), [-20.0, 0.0, 20.0]),
        (lambda x: 1e-6 * (x**2).sum(), [1.0, 1e4]),
        (lambda x: (x["a"] * x["b"][0]).sum() + x["b"][1], {"a": np.ones((2, 3)), "b": [2.0, 1.0]}),
        (lambda x: ((x**3).sum(), {"aux": x}), [1.0, 2.0]),
        (lambda x: (x[0] ** 2), [3.0, 4.0]),
    ],
    ids=["many", "far apart", "small", "tree", "aux", "no influence"],
)
def test_right_gradients(loss, params):
    check = check_gradients(loss, params)
    assert check.ok, check
    assert "agree with finite differences" in str(check)


def test_wrong_gradients_of_a_derivative_rule():
    check = check_gradients(lambda x: wrong_sine(x).sum(), [0.5, 1.0])
    assert not check.ok
    assert check_gradients(lambda x: wrong_sine(x).sum(), [0.5, 1.0], tolerance=0.01).ok


@pytest.mark.parametrize(
    ("loss", "wrong"),
    [(regression, set()), (ByHand(), set()), (ByHand(sign=-1.0), {"bias"}), (ByHand(scale=1.0001), {"weights"})],
    ids=["automatic", "by hand", "sign", "scale"],
)
def test_names_the_wrong_parameter(loss, wrong):
    check = check_gradients(loss, START, (X, y))
    assert set(check.errors) == {"weights", "bias"}
    assert {name for name, error in check.errors.items() if error > check.tolerance} == wrong
    assert check.ok == (not wrong)
    for name in wrong:
        assert f"differ from finite differences: at worst by {check.errors[name]:.2g}, in '{name}'" in str(check)


def test_a_module_and_float64_data():
    model = {"layer": eqx.nn.Linear(3, 1, key=jax.random.key(0)), "activation": jnp.tanh}
    check = check_gradients(
        lambda model, batch: (model["activation"](batch @ model["layer"].weight.T + model["layer"].bias) ** 2).mean(),
        model,
        X,
    )
    assert check.ok, check
    assert set(check.errors) == {"layer/weight", "layer/bias"}


def test_a_few_coordinates_at_random():
    calls = []

    def loss(x):
        jax.debug.callback(lambda: calls.append(1))
        return (x**2).sum()

    check_gradients(loss, np.ones(1000), coordinates=5)
    jax.effects_barrier()
    assert len(calls) < 20


def test_a_wrong_coordinate_among_many_is_found():
    @jax.custom_jvp
    def f(x):
        return (x**2).sum()

    f.defjvp(lambda primals, tangents: (f(primals[0]), (2 * primals[0] * tangents[0]).at[17].multiply(1.01).sum()))
    assert not check_gradients(f, np.ones(20)).ok


def test_where_the_loss_is_not_finite():
    with pytest.raises(InputError, match="loss is nan at these parameters"):
        check_gradients(lambda x: jnp.log(x).sum(), [-1.0])


def test_a_gradient_that_is_not_finite_is_wrong():
    assert not check_gradients(lambda x: jnp.sqrt(jnp.abs(x)).sum(), [0.0]).ok


def test_precision_is_left_as_it_was():
    check_gradients(lambda x: (x**2).sum(), [1.0])
    assert jnp.ones(1).dtype == np.float32
