"""The first number that is not finite is found on the user's own line, in losses of all kinds."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.insight.probe import NonFinite, mended, probe
from probing import CLASSES, X, drawn, line_of, of_kind, run_of


def log_of_zero(w, batch):
    scores = jax.nn.relu(batch[0] @ w)
    return -jnp.log(scores).mean()


def root_at_zero(w, batch):
    gap = batch[0] @ w - batch[0] @ w
    return jnp.linalg.norm(gap)


def unselected_branch(w, batch):
    z = (batch[0] @ w).clip(0) ** 2
    return jnp.where(z > 0, jnp.sqrt(z), 0.0).mean()


def zero_by_zero(w, batch):
    kept = jax.nn.relu(batch[0] @ w) * (batch[1] > 5)[:, None]
    return (kept / kept.sum()).sum()


def overflow(w, batch):
    big = batch[0] @ w * 1e3
    return jnp.exp(big).mean()


def masked(w, batch):
    """Infinities that are meant, and do no harm: attention that does not look ahead."""
    scores = batch[0] @ w @ w.T @ batch[0].T
    seen = jnp.tril(jnp.ones(scores.shape, bool))
    shares = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf))
    return jnp.log(jax.nn.relu(shares - 2)).mean()


def in_scan(w, batch):
    def body(total, x):
        left = total - 1.0
        return left, jnp.log(left)

    return jax.lax.scan(body, w.sum() * 0 + 4.5, batch[0])[1].sum()


def in_vmap_of_scan(w, batch):
    def one(x):
        def body(h, v):
            h = jnp.tanh(h * w[0, 0] + v)
            return h, jnp.sqrt(h * 0)
        return jax.lax.scan(body, 0.0, x)[1].sum()

    return jax.vmap(one)(batch[0]).mean()


@jax.jit
def in_one_jit(w, batch):
    """What comes first in a function that is compiled as a whole: the loop, not the line after it."""
    first = jax.lax.scan(lambda c, x: (c + jnp.log((w - w).sum() - x.sum() ** 2), None), 0.0, batch[0])[0]
    return first + jnp.sqrt(-1 - batch[0] @ w).sum()


def in_remat(w, batch):
    return jax.checkpoint(lambda x: jnp.log(x - x))(batch[0] @ w).mean()


@jax.custom_jvp
def own_slope(x):
    return x**2


own_slope.defjvp(lambda xs, dxs: (xs[0] ** 2, dxs[0] * jnp.log(-(xs[0] ** 2))))


def of_own_slope(w, batch):
    y = own_slope(batch[0] @ w)
    return y.mean()


@pytest.mark.parametrize(("loss", "text", "direction", "reason"), [
    (log_of_zero, "jnp.log", "forward", "log of 0"),
    (root_at_zero, "linalg.norm", "backward", "the slope of the root at 0"),
    (unselected_branch, "jnp.sqrt", "backward", "the slope of the root at 0"),
    (zero_by_zero, "kept / kept", "forward", "division of 0 by 0"),
    (overflow, "jnp.exp", "forward", "exp of"),
    (masked, "jnp.log", "forward", "log of 0"),
    (in_scan, "jnp.log", "forward", "log of -0.5"),
    (in_vmap_of_scan, "jnp.sqrt", "backward", "the slope of the root at 0"),
    (in_one_jit, "jnp.log", "forward", "log of -"),
    (in_remat, "jnp.log", "forward", "log of 0"),
    (of_own_slope, "y = own", "backward", "slope"),
], ids=lambda value: getattr(value, "__name__", None))  # fmt: skip
def test_plain_losses(loss, text, direction, reason):
    found = of_kind(probe(run_of(loss, drawn(5, 3))), NonFinite)
    assert (found.site.file, found.site.line) == (__file__, line_of(inspect.unwrap(loss), text))
    assert found.direction == direction
    assert reason in found.reason
    assert text in found.site.source


def test_the_iteration_of_a_loop():
    """4.5 is lowered by 1 at each: the logarithm is of −0.5 in the fifth, which has the number 4."""
    found = of_kind(probe(run_of(in_scan, drawn(5, 3))), NonFinite)
    assert found.iteration == (4,)
    assert found.given == ((-0.5, -0.5),)


class Net(eqx.Module):
    first: eqx.nn.Linear
    last: eqx.nn.Linear

    def __call__(self, x):
        hidden = jax.nn.relu(self.first(x))
        scale = jnp.sqrt(jax.nn.relu(-hidden).sum())
        return self.last(hidden) / scale


def test_equinox_under_vmap():
    keys = jax.random.split(jax.random.key(0))
    net = Net(eqx.nn.Linear(5, 8, key=keys[0]), eqx.nn.Linear(8, 3, key=keys[1]))
    loss = lambda net, batch: (jax.vmap(net)(batch[0]) ** 2).mean()
    found = of_kind(probe(run_of(loss, net)), NonFinite)
    assert found.site.line == line_of(Net.__call__, "/ scale")
    assert "by 0" in found.reason


@pytest.mark.peers
def test_flax_under_scan_and_vmap():
    nnx = pytest.importorskip("flax.nnx")

    class Cell(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(1, 1, rngs=rngs)

        def __call__(self, h, x):
            h = nnx.relu(self.linear(h + x))
            return h, jnp.log(h * 0)

    definition, params = nnx.split(Cell(nnx.Rngs(0)))

    def loss(params, batch):
        cell = nnx.merge(definition, params)
        one = lambda x: jax.lax.scan(cell, jnp.zeros(1), x[:, None])[1].sum()
        return jax.vmap(one)(batch[0]).mean()

    found = of_kind(probe(run_of(loss, params)), NonFinite)
    assert found.site.line == line_of(Cell.__call__, "jnp.log")
    assert found.site.file == __file__


def test_what_is_not_finite_from_the_beginning():
    """There is no line to tell then: it is told which parameter, or that it is the data."""
    loss = lambda p, batch: ((batch[0] @ p["w"]) ** 2).mean()
    broken = X.copy()
    broken[3, 2] = np.nan
    found = of_kind(probe(run_of(loss, {"w": drawn(5)}, (broken, CLASSES))), NonFinite)
    assert found.site is None
    assert "the data '0'" in found.says
    found = of_kind(probe(run_of(loss, {"w": np.full(5, np.inf, np.float32)})), NonFinite)
    assert "the parameter 'w'" in found.says


@pytest.mark.parametrize("loss", [log_of_zero, root_at_zero, *(
    pytest.param(loss, marks=pytest.mark.slow) for loss in (unselected_branch, zero_by_zero, overflow)
)])  # fmt: skip
def test_mended_losses_and_their_gradients_are_finite(loss):
    run = run_of(loss, drawn(5, 3))
    other = run_of(mended(loss, of_kind(probe(run), NonFinite)), run.params)
    value, gradient = other.loss_and_grad()
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
