"""Newton's method: the book's numbers, its formula, the directions that it takes where the loss is not convex."""

import math
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import QUICK

import descend
from descend.errors import InputError
from descend.optimizers.newton import Newton
from descend.schedules import Exponential

PLAIN = Newton(search=False)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def cosh(x):
    return jnp.cosh(0.5 * x)


def wave(x):
    return x * jnp.cos(0.15 * jnp.pi * x)


def saddle(x):
    """Two minima, at (0, ±√½), and a saddle point between them."""
    return x[0] ** 2 + x[1] ** 4 - x[1] ** 2


def tree_loss(tree):
    a, (b, c) = tree["a"], tree["rest"]
    return (a**4).sum() + (a.sum() - b) ** 2 + jnp.exp(0.1 * c).sum() - (0.1 * c * b).sum()


def steps(rule, loss, x, most):
    """The parameters at which the loss was evaluated, and the state after each."""

    def step(x, state):
        value, grads = jax.value_and_grad(loss)(x)
        update, state = rule.update(grads, state, x, value=value, value_fn=loss)
        return jax.tree.map(operator.add, x, update), state

    compiled, x = jax.jit(step, compiler_options=QUICK), jax.tree.map(jnp.asarray, x)
    state, seen = rule.init(x), []
    for _ in range(most):
        after, state = compiled(x, state)
        seen.append((x, state))
        x = after
    return seen


def ends(rule, loss, x, most):
    """The last accepted point."""
    x, state = steps(rule, loss, x, most)[-1]
    return rule.eval_params(state, x)


# ------------------------------------------------------------------------------------------- without a search


@pytest.mark.parametrize(
    ("loss", "rate", "printed"),
    [(cosh, 1.0, "0.0"), (wave, 1.0, "26.83413291324767"), (wave, 0.5, "7.269860168684531")],
)
def test_prints_what_the_book_prints(loss, rate, printed):
    """"Dive into Deep Learning", chapter 12.3: ten steps from 10. They are kept to where rounding is blown up."""
    fit = descend.minimize(loss, 10.0, optimizer=Newton(rate, search=False), steps=10, stop=[], dtype=np.float64)
    np.testing.assert_allclose(fit.params, float(printed), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(fit.history["learning_rate"], rate)


def test_by_its_formula_on_a_tree():
    rng = np.random.default_rng(0)
    params = {"a": rng.normal(size=(2, 2)), "rest": (np.array(0.5), rng.normal(size=3))}
    ((_, _), (x, _), (y, _)) = steps(Newton(0.7, search=False), tree_loss, params, 3)
    flat, unflatten = jax.flatten_util.ravel_pytree(x)
    flattened = lambda v: tree_loss(unflatten(v))
    derivatives = jax.jit(lambda v: (jax.grad(flattened)(v), jax.hessian(flattened)(v)), compiler_options=QUICK)
    gradient, hessian = derivatives(flat)
    np.testing.assert_allclose(
        jax.flatten_util.ravel_pytree(y)[0], flat - 0.7 * np.linalg.inv(hessian) @ gradient, rtol=1e-9
    )


@pytest.mark.parametrize(("rate", "arrives"), [(1.95, True), (2.05, False)])
def test_stability_limit(rate, arrives):
    assert PLAIN.stability_limit() == 2.0
    assert Newton().stability_limit() is None
    loss = lambda x: (jnp.array([1.0, 1e4]) * x**2).sum()
    x, _ = steps(Newton(rate, search=False), loss, np.ones(2), 150)[-1]
    assert (np.abs(x).max() < 1e-2) == arrives


def test_a_schedule():
    rule, start = Newton(Exponential(1.0, decay=math.log(2)), search=False), np.array([8.0])
    seen = [float(x[0]) for x, _ in steps(rule, lambda x: (x**2).sum(), start, 4)]
    np.testing.assert_allclose(seen, [8.0, 0.0, 0.0, 0.0], atol=1e-12)
    rates = [float(rule.metrics(state)["learning_rate"]) for _, state in steps(rule, lambda x: x @ x, start, 3)]
    np.testing.assert_allclose(rates, [1.0, 0.5, 0.25])


# ------------------------------------------------------------------------------------------- with one


@pytest.mark.parametrize("rule", [Newton(), PLAIN], ids=["search", "plain"])
def test_a_quadratic_in_one_step(rule):
    rng = np.random.default_rng(1)
    root, center = rng.normal(size=(5, 5)), rng.normal(size=5)
    loss = lambda x: ((root @ (x - center)) ** 2).sum()
    seen = steps(rule, loss, np.zeros(5), 2)
    np.testing.assert_allclose(seen[1][0], center, rtol=1e-8)


def test_uses_the_absolute_values_of_the_curvatures():
    x = np.array([1.0, 0.1])
    (_, state), *_ = steps(Newton(), saddle, x, 1)
    hessian = np.array([[2.0, 0.0], [0.0, 12 * 0.1**2 - 2]])
    values, vectors = np.linalg.eigh(hessian)
    assert values[0] < 0
    gradient = np.array([2.0, 4 * 0.1**3 - 0.2])
    np.testing.assert_allclose(state.direction, -vectors @ (vectors.T @ gradient / np.abs(values)), rtol=1e-12)


@pytest.mark.parametrize("start", [(1.0, 0.1), (0.5, -1e-6), (-3.0, 20.0)])
def test_leaves_saddle_points(start):
    plain = ends(PLAIN, saddle, np.array(start), 40)
    found = ends(Newton(), saddle, np.array(start), 60)
    np.testing.assert_allclose(found, [0.0, math.copysign(math.sqrt(0.5), start[1])], atol=1e-6)
    if abs(start[1]) < 0.2:
        np.testing.assert_allclose(plain, 0, atol=1e-6)


@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_finds_a_minimum_where_the_plain_method_does_not(rate):
    x = ends(Newton(rate), wave, 10.0, 60)
    assert abs(jax.grad(wave)(x)) < 1e-6
    assert jax.grad(jax.grad(wave))(x) > 0


def test_where_there_is_no_curvature():
    """Where the loss is all but linear, the first trial is 10²⁵ too long."""
    found = ends(Newton(), lambda x: jnp.logaddexp(x, -x).sum(), np.array([30.0]), 30)
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_in_a_descent():
    """The rest of the parameters, in float32, and Rosenbrock's valley."""
    rosenbrock = lambda p: 100 * (p["x"][1] - p["x"][0] ** 2) ** 2 + (1 - p["x"][0]) ** 2 + (p["y"] - 3) ** 2
    with jax.enable_x64(False):
        fit = descend.minimize(rosenbrock, {"x": np.array([-1.2, 1.0]), "y": 0.0}, optimizer=Newton())
    assert fit.reason.name == "converged"
    assert fit.reason.step < 40
    np.testing.assert_allclose([*fit.params["x"], fit.params["y"]], [1, 1, 3], atol=1e-5)


# ------------------------------------------------------------------------------------------- what is refused


def refusal(function, *args, **kwargs):
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    return str(error.value)


@pytest.mark.parametrize("rule", [Newton(), PLAIN], ids=["search", "plain"])
def test_what_it_needs(rule):
    x = jnp.ones(2)
    state = rule.init(x)
    needed = {"value": 1.0} if rule.search else {}
    assert "needs the loss as a function of the parameters: update(grads, state, params, value_fn=...)" in refusal(
        rule.update, x, state, x, **needed
    )
    assert "needs the parameters, too" in refusal(rule.update, x, state, value=1.0, value_fn=jnp.sum)
    one = np.ones(2)
    assert refusal(rule.update, one, rule.init(one), one, value=1.0, value_fn=np.sum) == (
        "Newton takes second derivatives by JAX, but the parameters are numpy's: give it JAX's arrays, or use LBFGS"
    )


def test_too_many_parameters():
    assert refusal(Newton().init, {"a": jnp.zeros(4000), "b": jnp.zeros((97, 1))}) == (
        "Newton takes up to 4,096 parameters, because its Hessian has the square of that, but there are 4,097: use "
        "LBFGS, which learns the curvature from the gradients"
    )
    Newton().init(jnp.zeros(4096))


@pytest.mark.parametrize(("name", "value"), [("learning_rate", -1.0), ("decrease", 0.5), ("decrease", math.nan)])
def test_settings_out_of_range(name, value):
    assert refusal(Newton, **{name: value}).startswith(f"Newton: {name} must be at least 0 and below")
