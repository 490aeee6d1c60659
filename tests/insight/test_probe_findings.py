"""Each thing that may be wrong with a loss is found, with its evidence, and is not found where it is not."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import losses
from descend.insight.probe import (
    Broadcast,
    DeadUnits,
    DoubleSoftmax,
    MissingSoftmax,
    Saturated,
    SymmetricUnits,
    TargetRange,
    UnsafeDivision,
    UnsafeLog,
    UnsafeRoot,
    ZeroGradient,
    probe,
)
from probing import CLASSES, NUMBERS, X, drawn, line_of, of_kind, run_of

BINARY = (CLASSES > 0).astype(np.float32)


def kinds(found):
    assert found.refusal is None
    return {type(finding) for finding in found.findings}


def layers(*widths):
    return [drawn(m, n) for m, n in itertools.pairwise(widths)]


# ------------------------------------------------------------------------------------------------------------- units


def dead(p, batch):
    hidden = jax.nn.relu(batch[0] @ p["in"] + p["bias"])
    return losses.softmax_cross_entropy(hidden @ p["out"], batch[1]).mean()


def test_dead_units():
    params = {"in": drawn(5, 8), "bias": np.repeat([-100.0, 0.0], [6, 2]).astype(np.float32), "out": drawn(8, 3)}
    found = of_kind(probe(run_of(dead, params)), DeadUnits)
    assert (found.dead, found.units, found.examples) == (6, 8, 32)
    assert found.site.line == line_of(dead, "relu")


def convolved(p, batch):
    y = jax.lax.conv(batch[0], p["kernel"], (1, 1), "VALID") + p["bias"][:, None, None]
    return losses.softmax_cross_entropy(jnp.maximum(y, 0).mean((2, 3)) @ p["out"], batch[1]).mean()


def test_dead_channels_of_a_convolution():
    images = np.abs(drawn(32, 1, 6, 6))
    params = {"kernel": drawn(4, 1, 3, 3), "bias": np.float32([-50, -50, 50, -50]), "out": drawn(4, 3)}
    found = of_kind(probe(run_of(convolved, params, (images, CLASSES))), DeadUnits)
    assert (found.dead, found.units, found.examples) == (3, 4, 32 * 16)


@pytest.mark.parametrize(("function", "kind"), [(jnp.tanh, "tanh"), (jax.nn.sigmoid, "sigmoid")])
def test_saturated_units_within_a_loop(function, kind):
    def loss(p, batch):
        step = lambda h, x: (function(h @ p["again"] + x[:, None] * p["in"]), None)
        h, _ = jax.lax.scan(step, jnp.zeros((len(batch[0]), 4)), batch[0].T)
        return losses.squared(h @ p["out"], batch[1]).mean()

    large = {"again": drawn(4, 4), "in": 1e4 * np.sign(drawn(4)), "out": drawn(4)}
    found = of_kind(probe(run_of(loss, large, (X, NUMBERS))), Saturated)
    assert (found.kind, found.saturated, found.units) == (kind, 4, 4)
    assert found.site.within == ("scan",)
    assert found.site.file == __file__


# ------------------------------------------------------------------------------------------------- outputs and targets


def column_against_row(p, batch):
    predicted = batch[0] @ p
    return jnp.mean((predicted - batch[1]) ** 2)


def test_broadcasts():
    found = of_kind(probe(run_of(column_against_row, drawn(5, 1), (X, NUMBERS))), Broadcast)
    assert (found.prediction, found.target, found.site.shape) == ((32, 1), (32,), (32, 32))
    assert found.site.line == line_of(column_against_row, "predicted - batch")
    meant = lambda p, batch: jnp.mean((batch[0] @ p - batch[1][None, :]) ** 2)
    assert kinds(probe(run_of(meant, drawn(5, 1), (X, NUMBERS)))) == set()


def of_a_softmax(p, batch):
    shares = jax.nn.softmax(batch[0] @ p)
    return losses.softmax_cross_entropy(shares, batch[1]).mean()


def by_hand(p, batch):
    e = jnp.exp(batch[0] @ p)
    shares = e / e.sum(-1, keepdims=True)
    return -jax.nn.log_softmax(shares)[jnp.arange(len(shares)), batch[1]].mean()


def of_a_sigmoid(p, batch):
    chance = jax.nn.sigmoid(batch[0] @ p[:, 0])
    return losses.logistic(chance, (batch[1] > 0).astype(jnp.float32)).mean()


@pytest.mark.parametrize(("loss", "text", "kind"), [
    (of_a_softmax, "jax.nn.softmax", "softmax"), (by_hand, "e / e.sum", "softmax"),
    (of_a_sigmoid, "jax.nn.sigmoid", "sigmoid"),
])  # fmt: skip
def test_doubled_softmaxes(loss, text, kind):
    found = probe(run_of(loss, drawn(5, 3))).findings
    assert {type(finding) for finding in found} == {DoubleSoftmax}
    assert found[0].kind == kind
    assert found[0].inner.line == line_of(loss, text)


def picked(p, batch):
    scores = batch[0] @ p
    return -jnp.take_along_axis(scores, batch[1][:, None], axis=1).mean()


def weighed(p, batch):
    scores = batch[0] @ p
    return -(jax.nn.one_hot(batch[1], 3) * scores).sum(-1).mean()


def of_logarithms(p, batch):
    scores = jnp.exp2(batch[0] @ p) - 0.01
    return -(jax.nn.one_hot(batch[1], 3) * jnp.log(scores)).sum(-1).mean()


@pytest.mark.parametrize("loss", [picked, weighed, of_logarithms])
def test_missing_softmaxes(loss):
    found = of_kind(probe(run_of(loss, drawn(5, 3) / 4)), MissingSoftmax)
    assert found.scores.line == line_of(loss, "scores = ")


def test_losses_that_take_scores_themselves():
    """What is picked is not all that is done with the scores here, so nothing is missing."""
    def crossed(p, batch):
        scores = batch[0] @ p
        own = scores[jnp.arange(len(scores)), batch[1]]
        return (jax.nn.logsumexp(scores, axis=-1) - own).mean()

    assert kinds(probe(run_of(crossed, drawn(5, 3)))) == set()


def test_targets_beyond_an_output():
    """A tanh has numbers between -1 and 1; a sigmoid's cross-entropy takes 0 and 1; there are as many classes as
    scores."""
    far = (np.arange(32) % 4).astype(np.float32)
    bounded = lambda p, batch: ((jnp.tanh(batch[0] @ p) - batch[1]) ** 2).mean()
    found = of_kind(probe(run_of(bounded, drawn(5), (X, far))), TargetRange)
    assert (found.low, found.high, found.least, found.greatest, found.share) == (-1, 1, 0, 3, 0.5)

    signs = 2 * BINARY - 1
    crossed = lambda p, batch: losses.logistic(batch[0] @ p, batch[1]).mean()
    found = of_kind(probe(run_of(crossed, drawn(5), (X, signs))), TargetRange)
    assert (found.kind, found.least, found.greatest) == ("cross-entropy", -1, 1)

    picked = lambda p, batch: -jax.nn.log_softmax(batch[0] @ p)[jnp.arange(len(batch[1])), batch[1]].mean()
    found = of_kind(probe(run_of(picked, drawn(5, 3), (X, CLASSES + 1))), TargetRange)
    assert (found.kind, found.high, found.greatest) == ("class number", 2, 3)


# -------------------------------------------------------------------------------------------------------------- unsafe


def unsafe(p, batch):
    scores = batch[0] @ p
    shares = jax.nn.softmax(scores)
    loss = -jnp.log(shares[:, 0]).mean()
    return loss + (1 / jax.nn.relu(scores + 9)).mean() + jnp.sqrt(jnp.maximum(scores + 9, 0)).mean()


def safe(p, batch):
    scores = batch[0] @ p
    shares = jax.nn.softmax(scores)
    loss = -jnp.log(shares[:, 0] + 1e-7).mean() - jnp.log(jnp.clip(jax.nn.sigmoid(scores), 1e-6, 1 - 1e-6)).mean()
    positive = scores > 0
    log = jnp.where(positive, jnp.log(jnp.where(positive, scores, 1.0)), 0.0)
    unit = scores / jnp.sqrt(jnp.square(scores).sum(-1, keepdims=True))
    normal = (scores - scores.mean()) / (scores.std() + 1e-5)
    return loss + (1 / (jax.nn.relu(scores) + 1)).mean() + log.mean() + jnp.sqrt(jnp.exp(scores)).mean() + (
        (unit * normal).mean() + jnp.log(1 + jnp.exp(scores)).mean() + jnp.log(jnp.sum(jnp.exp(scores), -1)).mean())


def test_logs_divisions_and_roots():
    w = drawn(5, 3)
    found = probe(run_of(unsafe, w))
    assert kinds(found) == {UnsafeLog, UnsafeDivision, UnsafeRoot}
    assert of_kind(found, UnsafeLog).least == pytest.approx(np.asarray(jax.nn.softmax(X @ w))[:, 0].min(), rel=1e-5)
    assert "rectifier" in of_kind(found, UnsafeDivision).source
    assert kinds(probe(run_of(safe, drawn(5, 3)))) == set()


# ------------------------------------------------------------------------------------------------------------ gradients


def frozen(p, batch):
    kept = jax.lax.stop_gradient(p["stopped"])
    rounded = jnp.round(batch[0] @ p["rounded"])
    never = jax.nn.relu(-jnp.abs(batch[0] @ p["dead"]) - 1)
    one = jax.nn.softmax((batch[0] @ p["single"])[:, None])[:, 0]
    return losses.squared(batch[0] @ p["moving"] + batch[0] @ kept + rounded + never + one, batch[1]).mean()


def test_gradients_that_are_zero():
    names = ("moving", "stopped", "rounded", "dead", "unused", "single")
    found = probe(run_of(frozen, {name: drawn(5) for name in names}, (X, NUMBERS)))
    reasons = {finding.reason: finding for finding in found.findings if isinstance(finding, ZeroGradient)}
    assert {reason: finding.paths for reason, finding in reasons.items()} == {
        "stopped": ("stopped",), "rounded": ("rounded",), "dead": ("dead",), "unused": ("unused",),
        "single": ("single",),
    }  # fmt: skip
    assert reasons["stopped"].site.line == line_of(frozen, "stop_gradient")
    assert reasons["rounded"].site.line == line_of(frozen, "round(")
    assert reasons["dead"].site.line == line_of(frozen, "relu")
    assert reasons["unused"].site is None
    assert reasons["single"].site.line == line_of(frozen, "softmax")


def perceptron(p, batch):
    return losses.softmax_cross_entropy(jnp.tanh(batch[0] @ p[0]) @ p[1], batch[1]).mean()


def test_units_that_stay_equal():
    equal = probe(run_of(perceptron, [np.full((5, 4), 0.1, np.float32), np.full((4, 3), 0.1, np.float32)]))
    found = of_kind(equal, SymmetricUnits)
    assert (found.paths, found.units) == (("0", "1"), 4)
    all_zero = probe(run_of(perceptron, [np.zeros((5, 4), np.float32), np.zeros((4, 3), np.float32)]))
    found = of_kind(all_zero, ZeroGradient)
    assert (found.paths, found.reason) == (("0", "1"), "zeros")
    # The last layer alone may begin at zero: it leaves it at the first step.
    assert kinds(probe(run_of(perceptron, [drawn(5, 4), np.zeros((4, 3), np.float32)]))) == set()


def test_sizes_of_layers():
    """Of a chain of products, both can be calculated by hand."""
    p = layers(5, 4, 1)
    found = probe(run_of(lambda p, batch: (batch[0] @ p[0] @ p[1]).sum(), p))
    first, second = found.scales
    assert first.activation == pytest.approx(np.sqrt(np.mean((X @ p[0]) ** 2)), rel=1e-5)
    assert second.activation == pytest.approx(np.sqrt(np.mean((X @ p[0] @ p[1]) ** 2)), rel=1e-5)
    assert first.gradient == pytest.approx(np.sqrt(np.mean(p[1] ** 2)), rel=1e-5)
    assert second.gradient == pytest.approx(1, rel=1e-5)
