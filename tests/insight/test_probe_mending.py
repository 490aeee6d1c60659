"""A mended loss is the loss that was meant, with its gradient, wherever it is compiled, mapped or looped over."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import InputError, losses
from descend.insight.probe import Broadcast, DoubleSoftmax, MissingSoftmax, UnsafeLog, ZeroGradient, mended, probe
from probing import CLASSES, NUMBERS, X, drawn, of_kind, run_of

W = drawn(5, 3)


def cross_entropy(w, batch):
    return losses.softmax_cross_entropy(batch[0] @ w, batch[1]).mean()


def doubled(w, batch):
    return losses.softmax_cross_entropy(jax.nn.softmax(batch[0] @ w), batch[1]).mean()


def squared(w, batch):
    return jnp.mean((batch[0] @ w[:, 0] - batch[1]) ** 2)


def crossed(w, batch):
    return jnp.mean((batch[0] @ w[:, :1] - batch[1]) ** 2)


def logistic(w, batch):
    return losses.logistic(batch[0] @ w[:, 0], (batch[1] > 0).astype(jnp.float32)).mean()


def logistic_of_a_sigmoid(w, batch):
    return losses.logistic(jax.nn.sigmoid(batch[0] @ w[:, 0]), (batch[1] > 0).astype(jnp.float32)).mean()


def without_one(w, batch):
    return -(batch[0] @ w)[jnp.arange(len(batch[1])), batch[1]].mean()


def stopped(w, batch):
    return cross_entropy(jax.lax.stop_gradient(w), batch)


@pytest.mark.parametrize(("loss", "meant", "kind", "data"), [
    (doubled, cross_entropy, DoubleSoftmax, CLASSES), (logistic_of_a_sigmoid, logistic, DoubleSoftmax, CLASSES),
    (without_one, cross_entropy, MissingSoftmax, CLASSES),
    (crossed, squared, Broadcast, NUMBERS), (stopped, cross_entropy, ZeroGradient, CLASSES),
], ids=lambda value: getattr(value, "__name__", ""))  # fmt: skip
def test_it_is_the_loss_that_was_meant(loss, meant, kind, data):
    changed = mended(loss, of_kind(probe(run_of(loss, W, (X, data))), kind))
    batch = (jnp.asarray(X[:20]), jnp.asarray(data[:20]))  # of another size than the one that was looked at
    value, gradient = jax.jit(jax.value_and_grad(changed))(W, batch)
    expected, slope = jax.jit(jax.value_and_grad(meant))(W, batch)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, slope, atol=1e-6)


def test_it_can_be_mapped_and_looped_over():
    changed = mended(doubled, of_kind(probe(run_of(doubled, W)), DoubleSoftmax))
    many = np.stack([W, 2 * W])
    batch = (jnp.asarray(X), jnp.asarray(CLASSES))
    expected = [jax.jit(cross_entropy)(w, batch) for w in many]
    mapped = jax.jit(jax.vmap(changed, in_axes=(0, None)))(many, batch)
    _, looped = jax.lax.scan(lambda _, w: (None, changed(w, batch)), None, many)
    np.testing.assert_allclose(mapped, expected, rtol=1e-5)
    np.testing.assert_allclose(looped, expected, rtol=1e-5)


def random_with_state(w, batch, state, key):
    """Dropout of the inputs, if there is a key, and a count of the steps; a loop, in which lies what is mended."""
    kept = 1.0 if key is None else jax.random.bernoulli(key, 0.8, batch[0].shape)

    def body(total, x):
        return total - jnp.log(jax.nn.relu(x @ w)).mean(), None

    total, _ = jax.lax.scan(body, 0.0, batch[0] * kept)
    return total / len(batch[0]), {"steps": state["steps"] + 1}, {"last": total}


def test_losses_that_are_random_and_keep_a_state():
    run = run_of(random_with_state, W, state={"steps": np.int32(0)}, seed=3)
    found = probe(run)
    other = run_of(mended(random_with_state, of_kind(found, UnsafeLog)), W, state={"steps": np.int32(0)}, seed=3)
    ahead, trace = other.advance(2)
    assert int(ahead.state.carried.state["steps"]) == 2
    assert np.isfinite(trace.columns["loss"]).all()
    assert set(trace.columns) >= {"last"}
    kept = X * np.asarray(jax.random.bernoulli(run.state.carried.for_a_step()[0].key, 0.8, X.shape))
    expected = -np.log(np.maximum(kept @ W, 1e-6)).mean()
    assert trace.columns["loss"][0] == pytest.approx(expected, rel=1e-4)
    assert probe(other, (X, CLASSES)).loss == pytest.approx(other.loss((X, CLASSES)))  # on data, nothing is random
    assert other.loss((X, CLASSES)) == pytest.approx(-np.log(np.maximum(X @ W, 1e-6)).mean(), rel=1e-4)


class Own:
    def __call__(self, w, batch):
        return (w**2).sum()

    def value_and_grad(self, w, batch):
        return (w**2).sum(), 2 * w


def test_what_cannot_be_mended_or_looked_into():
    found = probe(run_of(Own(), W))
    assert "value_and_grad" in found.refusal
    finding = of_kind(probe(run_of(doubled, W)), DoubleSoftmax)
    with pytest.raises(InputError, match="value_and_grad"):
        mended(Own(), finding)
    with pytest.raises(InputError, match="no div any more"):
        mended(cross_entropy, finding)(W, (jnp.asarray(X), jnp.asarray(CLASSES)))
    with pytest.raises(InputError, match="no one change"):
        mended(doubled, ZeroGradient(None, ("w",), "unused"))


def test_what_is_not_looked_into_is_told():
    def loss(w, batch):
        scale = jax.lax.while_loop(lambda x: x < 2, lambda x: x + 1, 0.5)
        clipped = jax.lax.cond(scale > 0, lambda x: 2 * x, lambda x: x, batch[0] @ w)
        shown = jax.pure_callback(lambda: np.float32(3), jax.ShapeDtypeStruct((), np.float32))
        return scale * (clipped**2).mean() + jax.lax.stop_gradient(shown)

    found = probe(run_of(loss, W))
    assert found.refusal is None
    assert found.loss == pytest.approx(2.5 * 4 * np.mean((X @ W) ** 2) + 3, rel=1e-5)
    assert [told.split(":")[1].split(" (")[0] for told in found.unseen] == [
        " a while loop", " a branch", " code on the host"
    ]  # fmt: skip
