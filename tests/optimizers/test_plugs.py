"""Our optimizers in Flax and Optax, and Optax's in a descent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import descend
from descend.optimizers import SGD, Adam, WeightDecay
from descend.schedules import Cosine

pytestmark = pytest.mark.peers

RULES = [SGD(0.1, momentum=0.9), Adam(Cosine(0.1, steps=40)), WeightDecay(Adam(0.1), 0.1)]


@pytest.fixture
def optax():
    return pytest.importorskip("optax", reason="needs Optax: pip install 'descend[peers]'")


@pytest.fixture
def nnx():
    return pytest.importorskip("flax.nnx", reason="needs Flax: pip install 'descend[peers]'")


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_in_flax(nnx, rule):
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32)
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    start = {"kernel": np.asarray(model.kernel[...]), "bias": np.asarray(model.bias[...])}
    optimizer = nnx.Optimizer(model, rule, wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        grads = nnx.grad(lambda model: ((model(x) - y) ** 2).mean())(model)
        optimizer.update(model, grads)

    for _ in range(40):
        step(model, optimizer)

    def loss(params, batch):
        return ((batch[0] @ params["kernel"] + params["bias"] - batch[1]) ** 2).mean()

    ours = descend.minimize(loss, start, (x, y), batch_size=64, optimizer=rule, steps=40, stop=[]).params
    np.testing.assert_allclose(model.kernel[...], ours["kernel"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.bias[...], ours["bias"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_in_optax(optax, rule):
    """A link of a chain, with `apply_updates`."""
    chain = optax.chain(optax.clip(0.5), optax.GradientTransformationExtraArgs(rule.init, rule.update))
    params = {"x": jnp.array([5.0, -3.0])}
    state = chain.init(params)

    @jax.jit
    def step(params, state):
        updates, state = chain.update(params, state, params)  # the gradient of half the square
        return optax.apply_updates(params, updates), state

    expected, own = params, rule.init(params)
    for _ in range(20):
        params, state = step(params, state)
        clipped = jax.tree.map(lambda leaf: jnp.clip(leaf, -0.5, 0.5), expected)
        updates, own = rule.update(clipped, own, expected)
        expected = jax.tree.map(jnp.add, expected, updates)
    np.testing.assert_allclose(params["x"], expected["x"], rtol=1e-5)


def bowl(x):
    return (jnp.array([1.0, 30.0]) * (x - 1.0) ** 2).sum()


@pytest.mark.parametrize(
    "make",
    [
        lambda optax: optax.adam(0.1),
        lambda optax: optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.01, momentum=0.9)),
        lambda optax: optax.lbfgs(),  # looks at other points, too
        lambda optax: optax.polyak_sgd(),  # uses the loss's value
        lambda optax: optax.contrib.schedule_free_adamw(0.1),
    ],
    ids=["adam", "chain", "lbfgs", "polyak", "schedule_free"],
)
def test_optax_in_a_descent(optax, make):
    fit = descend.minimize(bowl, [5.0, -3.0], optimizer=make(optax), steps=2000, dtype=np.float64)
    np.testing.assert_allclose(fit.params, [1.0, 1.0], atol=1e-3)
