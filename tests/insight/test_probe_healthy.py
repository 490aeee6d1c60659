"""Nothing is found in losses that are as they should be: a false alarm would cost more than what it finds."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import losses
from descend.insight.probe import probe
from descend.neural._lenet import LeNet
from descend.neural._objective import Objective, RandomObjective
from descend.neural._transformer import Encoder
from probing import CLASSES, NUMBERS, X, drawn, rng, run_of

BINARY = (CLASSES > 0).astype(np.float32)


def assert_healthy(run):
    found = probe(run)
    assert found.refusal is None
    assert [finding.says for finding in found.findings] == []
    assert found.loss == pytest.approx(run.loss(), rel=1e-5, abs=1e-6)
    return found


def perceptron(function, last=3):
    weights = [drawn(5, 16), drawn(16), drawn(16, last)]
    return weights, lambda p, x: function(x @ p[0] + p[1]) @ p[2]


@pytest.mark.parametrize("function", [jax.nn.relu, jnp.tanh, *(
    pytest.param(function, marks=pytest.mark.slow)
    for function in (jax.nn.gelu, jax.nn.silu, jax.nn.sigmoid, jax.nn.elu, jax.nn.leaky_relu, jax.nn.softplus)
)])  # fmt: skip
def test_perceptrons(function):
    weights, scores = perceptron(function)
    loss = lambda p, batch: losses.softmax_cross_entropy(scores(p, batch[0]), batch[1]).mean()
    assert len(assert_healthy(run_of(loss, weights)).scales) == 2


def test_logistic_regression_from_zero():
    loss = lambda p, batch: losses.logistic(batch[0] @ p["w"] + p["b"], batch[1]).mean() + 0.1 * (p["w"] ** 2).sum()
    assert_healthy(run_of(loss, {"w": np.zeros(5, np.float32), "b": np.float32(0)}, (X, BINARY)))


def test_a_recurrent_network():
    cell = eqx.nn.GRUCell(1, 6, key=jax.random.key(0))

    def loss(p, batch):
        one = lambda x: jax.lax.scan(lambda h, v: (p["cell"](v, h), None), jnp.zeros(6), x[:, None])[0] @ p["out"]
        return losses.squared(jax.vmap(one)(batch[0]), batch[1]).mean()

    found = assert_healthy(run_of(loss, {"cell": cell, "out": drawn(6)}, (X, NUMBERS)))
    assert {(unit.kind, unit.units, unit.out) for unit in found.activations} == {("sigmoid", 6, 0), ("tanh", 6, 0)}


def test_lenet():
    network = LeNet.drawn((12, 12, 1), 10, 0.0, 1.0, 0.0, rng)
    images = np.abs(drawn(8, 12, 12, 1))
    found = assert_healthy(run_of(Objective("classification"), network, (images, CLASSES[:8], None)))
    assert [unit.units for unit in found.activations] == [6, 16, 120, 84]  # channels, then units


@pytest.mark.slow
def test_a_transformer_in_training():
    network = Encoder.drawn(20, 5, 3, width=8, depth=1, heads=2, dropout=0.1, rng=rng)
    words = rng.integers(0, 20, (8, 5)).astype(np.int32)
    assert_healthy(run_of(RandomObjective("classification"), network, (words, CLASSES[:8], None)))


def test_a_perceptron_that_has_learned():
    """Outputs at the ends of their range are right then, and a zero loss has no gradient."""
    weights, scores = perceptron(jax.nn.relu, 1)
    side = (X[:, 0] > 0).astype(np.float32)
    loss = lambda p, batch: losses.squared(jax.nn.sigmoid(scores(p, batch[0])[:, 0]), batch[1]).mean()
    run = run_of(loss, weights, (X, side)).fork(learning_rate=5.0)
    assert_healthy(run.advance(500)[0])
    hinge = lambda p, batch: losses.hinge(scores(p, batch[0])[:, 0], 2 * batch[1] - 1).mean()
    run, _ = run_of(hinge, weights, (X, side)).advance(2000)
    assert run.loss() == 0
    assert_healthy(run)


# --------------------------------------------------------------------------- others, of which each has been an alarm


def marked(w, batch):
    """Targets of which some do not count."""
    each = -jnp.take_along_axis(jax.nn.log_softmax(batch[0] @ w), batch[1][:, None], 1)[:, 0]
    return jnp.where(batch[1] == -100, 0, each).sum() / (batch[1] != -100).sum()


def clipped(w, batch):
    return ((jnp.clip(jax.nn.sigmoid(batch[0] @ w[:, 0]), 0.01, 0.99) - (batch[1] > 0)) ** 2).mean()


def unit_vectors(w, batch):
    rows = jax.nn.relu(batch[0] @ w + 3)
    return losses.softmax_cross_entropy(rows / jnp.linalg.norm(rows, axis=-1, keepdims=True), batch[1]).mean()


def ranked(w, batch):
    scores = batch[0] @ w[:, 0]
    before = batch[1][:, None] > batch[1][None, :]
    return jnp.where(before, jax.nn.softplus(scores[None, :] - scores[:, None]), 0.0).mean()


def from_zero(w, batch):
    return losses.softmax_cross_entropy(jnp.tanh(batch[0] @ w) @ (w[:3] * 0), batch[1]).mean() + (w**2).mean()


def attention(w, batch):
    scores = batch[0] @ w @ w.T @ batch[0].T
    shares = jax.nn.softmax(jnp.where(jnp.tril(jnp.ones(scores.shape, bool)), scores, -jnp.inf))
    return losses.softmax_cross_entropy(shares @ batch[0] @ w, batch[1]).mean()


def straight_through(w, batch):
    z = batch[0] @ w
    return ((z + jax.lax.stop_gradient(jnp.round(z) - z)) ** 2).mean()


MARKED = np.where(np.arange(32) % 4 == 0, -100, CLASSES).astype(np.int32)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [marked, clipped, unit_vectors, ranked, from_zero, attention, straight_through])
def test_losses_that_look_like_faults(loss):
    assert_healthy(run_of(loss, drawn(5, 3), (X, MARKED if loss is marked else CLASSES)))
