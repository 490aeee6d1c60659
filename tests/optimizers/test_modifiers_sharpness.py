"""Sharpness-aware minimization, against the papers' boxes in NumPy, and pytorch_optimizer."""

import math

import jax
import numpy as np
import pytest
from walks import assert_close, batches, compiled_walk, loss, start, value_and_grad, walk

from descend.errors import InputError
from descend.optimizers import SAM, SGD, Adam, Freeze, PerGroup, PolyakStep

TOLERANCE = 1e-12


def box(params, stacked, rate, momentum, radius, adaptive):
    """Foret et al. 2021, Algorithm 1, and Kwon et al. 2021, with the heavy ball."""
    velocity = jax.tree.map(np.zeros_like, params)
    for number in range(len(stacked[0])):
        batch = tuple(part[number] for part in stacked)
        value, g = value_and_grad(params, batch)
        T = jax.tree.map(lambda p: abs(p) if adaptive else np.ones_like(p), params)
        length = math.sqrt(sum(x.sum() for x in jax.tree.leaves(jax.tree.map(lambda t, d: (t * d) ** 2, T, g))))
        there = jax.tree.map(lambda p, t, d: p + radius * t**2 * d / length, params, T, g)  # noqa: B023
        worst, g = value_and_grad(there, batch)
        velocity = jax.tree.map(lambda v, d: momentum * v + d, velocity, g)
        params = jax.tree.map(lambda p, v: p - rate * v, params, velocity)
        yield params, worst - value


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("radius", [0.05, 0.7])
def test_is_the_box_of_the_paper(radius, adaptive):
    seen = list(box(start(), batches(), 0.1, 0.9, radius, adaptive))
    params, sharpness = jax.tree.map(lambda *leaves: np.stack(leaves), *seen)
    rule = SAM(SGD(0.1, momentum=0.9), radius, adaptive)
    with jax.enable_x64(True):
        for got in (walk(rule, batches()), jax.jit(compiled_walk)(rule, batches())):
            assert_close((got.params, got.read["sharpness"]), (params, sharpness), 1e-11)
    assert sharpness.min() > 0


@pytest.mark.peers
@pytest.mark.parametrize("adaptive", [False, True])
def test_steps_as_pytorch_optimizer(adaptive):
    torch = pytest.importorskip("torch", reason="compares with SAM: pip install torch")
    peer = pytest.importorskip("pytorch_optimizer", reason="compares with SAM: pip install pytorch_optimizer")
    for ours, (base, settings) in (
        (SGD(0.1, momentum=0.9), (torch.optim.SGD, {"momentum": 0.9})),
        (Adam(0.1), (torch.optim.Adam, {})),
    ):
        params = jax.tree.map(lambda p: torch.tensor(p, requires_grad=True), start())
        optimizer = peer.SAM(jax.tree.leaves(params), base, rho=0.3, adaptive=adaptive, lr=0.1, **settings)
        seen = []
        for number in range(12):
            batch = tuple(torch.tensor(part[number]) for part in batches())

            def closure(batch=batch):
                optimizer.zero_grad()  # noqa: B023  # it is called within the turn
                value = loss(params, batch)[0]  # noqa: B023
                value.backward()
                return value

            closure()
            optimizer.step(closure)
            seen.append(jax.tree.map(lambda p: p.detach().numpy().copy(), params))
        wanted = jax.tree.map(lambda *leaves: np.stack(leaves), *seen)
        # Its radius over the norm is rounded to float32.
        assert_close(walk(SAM(ours, 0.3, adaptive), batches()).params, wanted, 1e-6)


@pytest.mark.parametrize("adaptive", [False, True])
def test_at_a_minimum_it_stays(adaptive):
    rule, x = SAM(SGD(0.1), adaptive=adaptive), np.array([1.0, 0.0])
    update, state = rule.update(np.zeros(2), rule.init(x), x, value=0.0, value_and_grad=lambda x: (0.0, np.zeros(2)))
    np.testing.assert_array_equal(update, 0)
    assert rule.metrics(state)["sharpness"] == 0


def square(x):
    return float(x @ x), 2 * x


def test_rescaling_parameters_does_not_change_what_is_adaptive():
    sharpness = []
    for scale in (1.0, 100.0):
        rule, x = SAM(SGD(0.1), 0.5, adaptive=True), np.array([1.0, -2.0]) / scale
        function = lambda x, scale=scale: (square(scale * x)[0], scale * square(scale * x)[1])
        value, g = function(x)
        _, state = rule.update(g, rule.init(x), x, value=value, value_and_grad=function)
        sharpness.append(float(rule.metrics(state)["sharpness"]))
    assert sharpness[0] == pytest.approx(sharpness[1], rel=1e-12)


def test_the_rule_sees_the_loss_around_the_worst_point():
    """Polyak's step from (1 + .5)² by the gradient there: half of it over 2 · 1.5."""
    x = np.array([1.0])
    rule = SAM(PolyakStep(), 0.5)
    update, _ = rule.update(2 * x, rule.init(x), x, value=1.0, value_and_grad=square)
    np.testing.assert_allclose(update, -1.5 / 2)
    rule = SAM(SAM(SGD(1.0), 0.25), 0.5)
    update, _ = rule.update(2 * x, rule.init(x), x, value=1.0, value_and_grad=square)
    np.testing.assert_allclose(update, -2 * 1.75)


def test_without_the_loss_it_steps_but_cannot_tell_the_sharpness():
    rule, x = SAM(SGD(1.0), 0.5), np.array([1.0])
    update, state = rule.update(2 * x, rule.init(x), x, value_and_grad=square)
    np.testing.assert_allclose(update, -3)
    assert np.isnan(rule.metrics(state)["sharpness"])


def test_beside_frozen_parameters_it_moves_what_is_stepped():
    params = {"a": np.array([1.0]), "b": np.array([1.0])}
    both = lambda p: (float(p["a"] @ p["a"] * (p["b"] @ p["b"])), {"a": 2 * p["a"] * p["b"] ** 2,
                                                                  "b": 2 * p["b"] * p["a"] ** 2})
    value, grads = both(params)
    for rule in (Freeze(SAM(SGD(1.0), 0.5), "b"), PerGroup(SAM(SGD(1.0), 0.5), {"b": SGD(0.0)})):
        updates, _ = rule.update(grads, rule.init(params), params, value=value, value_and_grad=both)
        np.testing.assert_allclose(updates["a"], -3)


def test_needs_the_function():
    rule, x = SAM(SGD(1.0)), np.array([1.0])
    with pytest.raises(InputError, match=r"^SAM needs a function from parameters to the loss and its gradient: update"):
        rule.update(2 * x, rule.init(x), x)
    with pytest.raises(InputError, match=r"^SAM: radius must be at least 0"):
        SAM(SGD(), -0.1)
