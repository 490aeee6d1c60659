"""Polyak's step: as its papers and Optax have it, and what it needs."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import TOLERANCE, assert_close
from test_untuned import CURVATURES, MINIMUM, ORIGIN, gradient, value

from descend import minimize
from descend.errors import InputError
from descend.optimizers import Adam, PolyakStep, WeightDecay
from descend.schedules import InverseTime

STEPS = 20  # Polyak's steps are chaotic on a quadratic, so that rounding errors grow fast
FALLING = InverseTime(1.0, decay=0.05)
RATES = [1 / (1 + 0.05 * step) for step in range(STEPS)]

CASES = {
    "plain": ({}, {"max_learning_rate": np.inf}),
    "bounded": ({"max_rate": 0.2, "eps": 0.1}, {"max_learning_rate": 0.2, "eps": 0.1}),
    "decayed": ({"f_star": -1.0, "weight_decay": 0.1}, {"max_learning_rate": np.inf, "f_min": -1.0}),
    "above": ({"f_star": 1.5}, {"max_learning_rate": np.inf, "f_min": 1.5, "variant": "sps+"}),
    "half": ({"c": 0.5}, None),
}


def box(x, *, f_star=0.0, max_rate=np.inf, c=1.0, eps=0.0, weight_decay=0.0):
    """Loizou et al. 2021, SPS_max, on the quadratic; stacked."""
    seen = []
    for rate in RATES:
        gap = max(value(x) - f_star, 0.0)
        gradients = {key: CURVATURES[key] * (x[key] - MINIMUM[key]) + weight_decay * x[key] for key in x}
        square = sum(np.sum(g**2) for g in gradients.values())
        step = rate * min(gap / (c * square + eps), max_rate)
        x = {key: x[key] - step * g for key, g in gradients.items()}
        seen.append(x)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *seen)


def made(rate=FALLING, weight_decay=0.0, **settings):
    rule = PolyakStep(rate, **settings)
    return WeightDecay(rule, weight_decay, decoupled=False) if weight_decay else rule


def path(rule, array=np.asarray, value=value, gradient=gradient):
    """The parameters after every step, stacked."""
    params = jax.tree.map(array, ORIGIN)
    state, seen = rule.init(params), []
    for _ in RATES:
        updates, state = rule.update(gradient(params), state, params, value=value(params))
        params = jax.tree.map(operator.add, params, updates)
        seen.append(params)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *seen)


@pytest.mark.parametrize("name", CASES)
def test_steps_as_the_box(name):
    settings, _ = CASES[name]
    wanted = box(ORIGIN, **settings)
    assert_close(path(made(**settings)), wanted, TOLERANCE["float64"])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_descent_gives_it_the_loss(dtype):
    settings, _ = CASES["bounded"]
    last = jax.tree.map(lambda column: column[-1], box(ORIGIN, **settings))
    fit = minimize(value, ORIGIN, optimizer=made(**settings), steps=STEPS, stop=[], dtype=dtype)
    assert_close(fit.params, last, TOLERANCE[dtype])
    np.testing.assert_allclose(
        fit.history["effective_step"], fit.history["update_norm"] / fit.history["gradient_norm"], rtol=TOLERANCE[dtype]
    )
    used = fit.history["effective_step"] / fit.history["learning_rate"]
    assert used.min() < 0.19
    assert used.max() == pytest.approx(0.2)


@pytest.mark.peers
@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("name", [name for name, (_, peer) in CASES.items() if peer is not None])
def test_steps_as_optax(name, falling):
    """Under a schedule by the parts of `optax.polyak_sgd`: as a whole it scales gradients before it measures them."""
    optax = pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    settings, theirs = CASES[name]
    scheduled = optax.scale_by_polyak(**theirs), optax.scale_by_learning_rate(lambda step: 1 / (1 + 0.05 * step))
    peer = optax.chain(
        optax.add_decayed_weights(settings.get("weight_decay", 0.0)),
        *(scheduled if falling else [optax.polyak_sgd(**theirs)]),
    )

    class Peer:
        init, update = peer.init, staticmethod(jax.jit(peer.update))

    with jax.enable_x64(True):
        wanted = path(Peer, jnp.asarray, jax.jit(value), jax.jit(gradient))
    assert_close(path(made(FALLING if falling else 1.0, **settings)), wanted, TOLERANCE["float64"])


@pytest.mark.peers
def test_steps_tensors():
    torch = pytest.importorskip("torch", reason="steps PyTorch's tensors: pip install 'descend[peers]'")
    as_numpy = lambda tree: jax.tree.map(lambda leaf: leaf.numpy(), tree)
    rule = made(max_rate=0.2)
    tensors = path(
        rule, torch.tensor, lambda x: value(as_numpy(x)), lambda x: jax.tree.map(torch.tensor, gradient(as_numpy(x)))
    )
    assert_close(tensors, path(rule), TOLERANCE["float64"])


def test_halves_the_way_on_a_parabola():
    x, rule = np.array([8.0, -4.0]), PolyakStep()
    state = rule.init(x)
    for _ in range(10):
        update, state = rule.update(3 * x, state, x, value=1.5 * x @ x)
        np.testing.assert_allclose(update, -x / 2, rtol=1e-12)
        x = x + update


def test_never_climbs_where_the_minimum_is_set_too_high():
    x, rule = np.array([1.0]), PolyakStep(f_star=2.0)
    update, _ = rule.update(2 * x, rule.init(x), x, value=1.0)
    np.testing.assert_array_equal(update, 0)


def test_needs_the_loss():
    g = np.ones(1)
    with pytest.raises(InputError, match=r"^PolyakStep needs the loss: update\(grads, state, params, value=...\)$"):
        PolyakStep().update(g, PolyakStep().init(g), g)


def test_refuses_the_state_of_another_rule():
    g = np.ones(1)
    with pytest.raises(InputError, match="it belongs to another rule"):
        PolyakStep().update(g, Adam().init(g), g, value=1.0)


@pytest.mark.parametrize(("name", "value"), [("max_rate", -1.0), ("f_star", np.nan), ("c", 0.0), ("eps", -1.0)])
def test_refuses_settings_out_of_range(name, value):
    with pytest.raises(InputError, match=f"^PolyakStep: {name} must be at least"):
        PolyakStep(**{name: value})
