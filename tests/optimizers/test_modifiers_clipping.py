"""Clipping, against its formulas in NumPy, PyTorch, Optax and pytorch_optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import assert_close, batches, compiled_walk, walk

from descend.errors import InputError
from descend.optimizers import SGD, AdaptiveClip, ClipByNorm, ClipByValue, Freeze, PerGroup

TOLERANCE = 1e-13
SHAPES = {"scale": (), "bias": (4,), "weight": (4, 3), "filters": (3, 2, 2, 4)}
UNIT_AXES = [0, -1]


def draw(scale=1.0, seed=0):
    """Parameters, and gradients for them."""
    rng = np.random.default_rng(seed)
    params, grads = ({name: rng.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(2))
    return params, jax.tree.map(lambda g: np.asarray(scale * g), grads)


def clipped(rule, params, grads):
    """What a modifier makes of the gradients, and the share of them that it has clipped."""
    updates, state = rule.update(grads, rule.init(params), params)
    return jax.tree.map(lambda u: -u, updates), float(rule.metrics(state)["clip_rate"])


PLAIN = SGD(1.0)


@pytest.mark.parametrize("limit", [0.1, 3.0, 1e3])
def test_by_norm_is_the_formula(limit):
    params, grads = draw()
    length = np.sqrt(sum((g**2).sum() for g in grads.values()))
    got, rate = clipped(ClipByNorm(PLAIN, limit), params, grads)
    assert_close(got, {name: g * min(1, limit / length) for name, g in grads.items()}, TOLERANCE)
    assert rate == (limit < length)


def test_by_norm_leaves_what_is_short_alone_bit_for_bit():
    params, grads = draw()
    got, _ = clipped(ClipByNorm(PLAIN, 1e3), params, grads)
    jax.tree.map(np.testing.assert_array_equal, got, grads)


@pytest.mark.parametrize("limit", [0.1, 0.7, 1e3])
def test_by_value_is_the_formula(limit):
    params, grads = draw()
    got, rate = clipped(ClipByValue(PLAIN, limit), params, grads)
    assert_close(got, {name: np.clip(g, -limit, limit) for name, g in grads.items()}, TOLERANCE)
    flat = np.concatenate([g.reshape(-1) for g in grads.values()])
    assert rate == pytest.approx((abs(flat) > limit).mean(), rel=1e-6)


def adaptive_box(g, w, limit, eps, axis):
    """Brock et al. 2021, equation 3, unit by unit."""
    if g.ndim <= 1:
        allowed, size = limit * max(np.linalg.norm(w), eps), np.linalg.norm(g)
        return g * allowed / size if size > allowed else g, [size > allowed]
    g, w, marks = np.moveaxis(g, axis, 0).copy(), np.moveaxis(w, axis, 0), []
    for unit in range(len(g)):
        allowed, size = limit * max(np.linalg.norm(w[unit]), eps), np.linalg.norm(g[unit])
        marks.append(size > allowed)
        if size > allowed:
            g[unit] *= allowed / size
    return np.moveaxis(g, 0, axis), marks


@pytest.mark.parametrize("axis", UNIT_AXES)
@pytest.mark.parametrize(("limit", "eps"), [(0.01, 1e-3), (1.0, 1e-3), (0.5, 3.0), (100.0, 1e-3)])
def test_adaptive_is_the_box_of_the_paper(limit, eps, axis):
    params, grads = draw()
    boxes = {name: adaptive_box(grads[name], params[name], limit, eps, axis) for name in SHAPES}
    got, rate = clipped(AdaptiveClip(PLAIN, limit, eps, unit_axis=axis), params, grads)
    assert_close(got, {name: np.asarray(g) for name, (g, _) in boxes.items()}, TOLERANCE)
    assert rate == pytest.approx(np.mean([mark for _, marks in boxes.values() for mark in marks]), rel=1e-6)


@pytest.mark.parametrize("rule", [ClipByNorm(PLAIN, 1.0), ClipByValue(PLAIN, 1.0), AdaptiveClip(PLAIN)])
def test_a_gradient_of_zero_stays_zero(rule):
    params, grads = draw(scale=0.0)
    got, rate = clipped(rule, params, grads)
    assert rate == 0
    jax.tree.map(np.testing.assert_array_equal, got, grads)


def test_weights_of_zero_can_leave_it():
    got, _ = clipped(AdaptiveClip(PLAIN, 0.5, eps=0.01), np.zeros((2, 3)), np.ones((2, 3)))
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 0.005)


def test_the_rate_is_that_of_the_step():
    rule, params = ClipByNorm(PLAIN, 1.0), np.zeros(1)
    state, rates = rule.init(params), []
    for g in (0.5, 2.0, 1.0, 3.0):
        _, state = rule.update(np.array([g]), state, params)
        rates.append(float(rule.metrics(state)["clip_rate"]))
    assert rates == [0, 1, 0, 1]


def test_by_norm_within_a_group_and_beside_frozen_parameters_counts_what_is_stepped():
    params, grads = {"a": np.zeros(1), "b": np.zeros(1)}, {"a": np.array([30.0]), "b": np.array([0.5])}
    frozen, rate = clipped(Freeze(ClipByNorm(PLAIN, 1.0), "a"), params, grads)
    assert (frozen["b"], rate) == (0.5, 0)
    rule = PerGroup(ClipByNorm(PLAIN, 1.0), {"b": PLAIN})
    grouped, _ = rule.update(grads, rule.init(params), params)
    assert (grouped["a"], grouped["b"]) == (-1, -0.5)


@pytest.mark.parametrize("make", [ClipByNorm, ClipByValue, AdaptiveClip])
def test_refuses_a_limit_that_is_none(make):
    with pytest.raises(InputError, match="limit must be above 0"):
        make(PLAIN, 0.0)
    with pytest.raises(InputError, match="limit must be at least 0"):
        make(PLAIN, -1.0)


# ----------------------------------------------------------------------------------------------------- peers


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")


@pytest.fixture
def optax():
    return pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")


@pytest.mark.peers
@pytest.mark.parametrize("limit", [0.1, 1e3])
def test_clips_as_pytorch(torch, limit):
    params, grads = draw()
    leaves = {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}
    for clip, rule in (
        (torch.nn.utils.clip_grad_norm_, ClipByNorm(PLAIN, limit)),
        (torch.nn.utils.clip_grad_value_, ClipByValue(PLAIN, limit)),
    ):
        for name, leaf in leaves.items():
            leaf.grad = torch.tensor(grads[name])
        clip(list(leaves.values()), limit)
        length = np.sqrt(sum((g**2).sum() for g in grads.values()))
        short = 1 - 1e-6 / (length + 1e-6) if clip is torch.nn.utils.clip_grad_norm_ and limit < length else 1
        theirs = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
        ours, _ = clipped(rule, params, grads)
        assert_close(jax.tree.map(lambda g: g * short, ours), theirs, TOLERANCE)  # noqa: B023  # it is used at once


@pytest.mark.peers
@pytest.mark.parametrize("limit", [0.01, 1.0, 1e3])
def test_clips_as_optax(optax, limit):
    params, grads = draw()
    peers = {
        ClipByNorm(PLAIN, limit): optax.clip_by_global_norm(limit),
        ClipByValue(PLAIN, limit): optax.clip(limit),
        AdaptiveClip(PLAIN, limit, unit_axis=-1): optax.adaptive_grad_clip(limit),
    }
    for rule, peer in peers.items():
        with jax.enable_x64(True):
            there = jax.tree.map(jnp.asarray, (params, grads))
            theirs, _ = peer.update(there[1], peer.init(there[0]), there[0])
        assert_close(clipped(rule, params, grads)[0], jax.tree.map(np.asarray, theirs), 1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("limit", [0.01, 1.0, 1e3])
def test_clips_as_pytorch_optimizer(torch, limit):
    name = "pytorch_optimizer.optimizer.agc"
    agc = pytest.importorskip(name, reason="compares with pytorch_optimizer: pip install pytorch_optimizer").agc
    params, grads = draw()
    theirs = {key: agc(torch.tensor(params[key]), torch.tensor(grads[key]), 1e-3, limit).numpy() for key in SHAPES}
    assert_close(clipped(AdaptiveClip(PLAIN, limit), params, grads)[0], theirs, TOLERANCE)


@pytest.mark.parametrize("rule", [ClipByNorm(PLAIN, 0.5), ClipByValue(PLAIN, 0.1), AdaptiveClip(PLAIN, 0.1)])
def test_is_compiled_in_float32(rule):
    narrow = jax.jit(compiled_walk)(rule, batches(4, np.float32))
    assert narrow.params["layer"]["weight"].dtype == narrow.read["clip_rate"].dtype == np.float32
    assert_close(narrow, walk(rule, batches(4)), 1e-5)
