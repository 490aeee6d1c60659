"""The network held to PyTorch, to automatic differentiation of the plain formulas, and to what causality means."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.neural import _gpt
from descend.neural._gpt import GPT, Shape, attention, embedded, gelu, layer_norm, rotated, token_losses

SHAPES = {positions: Shape(11, 6, 2, 2, 8, positions) for positions in ("learned", "rotary")}


def lively(shape, spread=0.4):
    """A network whose weights are large enough for every part of it to matter."""
    rng = np.random.default_rng(0)
    network = GPT.drawn(shape, rng)
    stirred = lambda x: jnp.asarray(x + rng.normal(0, spread, x.shape), jnp.float32)
    return jax.tree.map(lambda x: stirred(x) if eqx.is_array(x) else x, network)


def tokens(shape, batch=3, seed=0):
    return np.random.default_rng(seed).integers(0, shape.vocabulary, (batch, shape.context + 1))


@pytest.mark.peers
def test_scores_and_gradients_are_pytorchs():
    torch = pytest.importorskip("torch", reason="the oracle")
    functional = torch.nn.functional
    shape = SHAPES["learned"]
    network, stream = lively(shape), tokens(shape)
    inputs, targets = stream[:, :-1], stream[:, 1:]
    numbers, rest = eqx.partition(network, eqx.is_array)
    theirs = jax.tree.map(lambda x: torch.tensor(np.asarray(x), requires_grad=True), numbers)

    def layer_norm(x, scale):
        return functional.layer_norm(x, (shape.width,), scale, eps=1e-5)

    x = functional.embedding(torch.tensor(inputs), theirs.tokens) + theirs.positions.T
    for block in theirs.blocks:
        parts = functional.linear(layer_norm(x, block.attention_scale), block.qkv).split(shape.width, dim=2)
        q, k, v = (part.reshape(3, 6, 2, 4).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(3, 6, 8)
        x = x + functional.linear(mixed, block.out)
        hidden = functional.gelu(functional.linear(layer_norm(x, block.mlp_scale), block.up))
        x = x + functional.linear(hidden, block.down)
    scores = functional.linear(layer_norm(x, theirs.scale), theirs.tokens)
    loss = functional.cross_entropy(scores.flatten(0, 1), torch.tensor(targets).flatten())
    loss.backward()

    np.testing.assert_allclose(network(jnp.asarray(inputs), None, None)[0], scores.detach(), rtol=1e-4, atol=1e-5)

    @jax.jit
    def ours(numbers):
        network = eqx.combine(numbers, rest)
        return token_losses(network.scores(network.hidden(jnp.asarray(inputs))), jnp.asarray(targets)).mean()

    value, grads = jax.value_and_grad(ours)(numbers)
    assert float(value) == pytest.approx(loss.item(), rel=1e-5)
    for mine, other in zip(jax.tree.leaves(grads), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(mine, other.grad, rtol=1e-3, atol=1e-5)


def looped_attention(q, k, v):
    """One head's causal attention, (width, tokens), a query at a time."""
    out = np.zeros_like(q)
    for t in range(q.shape[1]):
        fits = np.array([q[:, t] @ k[:, s] for s in range(t + 1)]) / np.sqrt(len(q))
        weights = np.exp(fits - fits.max())
        out[:, t] = v[:, : t + 1] @ (weights / weights.sum())
    return out


def test_attention_is_a_loop_over_queries():
    q, k, v = np.random.default_rng(0).normal(size=(3, 2, 3, 4, 5)).astype(np.float32)
    together = np.asarray(_gpt.causal(0, *map(jnp.asarray, (q, k, v))))
    for head in range(2):
        for row in range(3):
            each = looped_attention(*(part[head, row].astype(np.float64) for part in (q, k, v)))
            np.testing.assert_allclose(together[head, row], each, rtol=1e-5, atol=1e-6)


def plain_attention(q, k, v, seen):
    fits = jnp.einsum("hbdk,hbdq->hbkq", k, q) / np.sqrt(q.shape[2])
    return jnp.einsum("hbdk,hbkq->hbdq", v, jax.nn.softmax(jnp.where(seen, fits, -jnp.inf), axis=2))


def plain_norm(x, scale):
    return (x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5) * scale[:, None, None]


RNG = np.random.default_rng(1)
SEEN = np.arange(5)[:, None] <= np.arange(5)


@pytest.mark.parametrize(
    ("ours", "plain", "arguments"),
    [
        (gelu, lambda x: jax.nn.gelu(x, approximate=False), [RNG.normal(0, 2, (4, 2, 3))]),
        (layer_norm, plain_norm, [RNG.normal(size=(4, 2, 3)), RNG.normal(size=4)]),
        (lambda *qkv: attention(*qkv, jnp.asarray(SEEN)), lambda *qkv: plain_attention(*qkv, SEEN),
         list(RNG.normal(size=(3, 2, 2, 4, 5)))),
        (lambda table: embedded(table, jnp.array([[1, 0, 1], [2, 1, 0]])),
         lambda table: table[jnp.array([[1, 0, 1], [2, 1, 0]])], [RNG.normal(size=(3, 4))]),
        (lambda table: embedded(table, jnp.array([[1, 0, 1], [2, 1, 1500]])),
         lambda table: table[jnp.array([[1, 0, 1], [2, 1, 1500]])], [RNG.normal(size=(2000, 2))]),
        (lambda s: token_losses(s, jnp.array([[0, 3], [1, 1]])),
         lambda s: -jnp.take_along_axis(jax.nn.log_softmax(s, axis=0), jnp.array([[[0, 3], [1, 1]]]), 0)[0],
         [RNG.normal(size=(4, 2, 2))]),
    ],
    ids=["gelu", "norm", "attention", "few tokens", "many tokens", "loss"],
)
def test_own_derivatives_are_those_of_the_formula(ours, plain, arguments):
    with jax.enable_x64(True):
        arguments = [jnp.asarray(a) for a in arguments]
        value, back = jax.vjp(ours, *arguments)
        expected, plain_back = jax.vjp(plain, *arguments)
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)
        gradient = jnp.asarray(np.random.default_rng(2).normal(size=value.shape))
        for mine, theirs in zip(back(gradient), plain_back(gradient), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("positions", SHAPES)
def test_what_comes_later_changes_nothing_before(positions):
    shape = SHAPES[positions]
    network, stream = lively(shape), tokens(shape)[:, :-1]
    run = jax.jit(lambda stream: network(stream, None, None)[0])
    before = np.asarray(run(jnp.asarray(stream)))
    for place in range(shape.context):
        changed = stream.copy()
        changed[:, place] = (changed[:, place] + 1) % shape.vocabulary
        after = np.asarray(run(jnp.asarray(changed)))
        np.testing.assert_array_equal(after[:, :place], before[:, :place])
        assert (after[:, place:] != before[:, place:]).any(axis=(0, 2)).all()


def test_later_tokens_get_no_gradient_from_a_loss_before_them():
    shape = SHAPES["learned"]
    network, stream = lively(shape), jnp.asarray(tokens(shape)[:, :-1])

    def loss(positions, place):
        moved = eqx.tree_at(lambda n: n.positions, network, positions)
        return token_losses(moved.scores(moved.hidden(stream)), stream)[:, place].sum()

    gradient = jax.jit(jax.grad(loss))
    for place in (0, 3):
        of_positions = np.asarray(gradient(network.positions, place))
        assert (of_positions[:, place + 1 :] == 0).all()
        assert (of_positions[:, : place + 1] != 0).any(axis=0).all()


def test_turned_products_know_of_distances_alone():
    q, k = np.random.default_rng(0).normal(size=(2, 1, 1, 8, 1)).astype(np.float32)
    network = GPT.drawn(Shape(11, 6, 1, 1, 8, "rotary"), None)
    at = lambda x, place: np.asarray(rotated(jnp.asarray(x), network._angles(place, jnp.zeros((1, 1))))).ravel()
    products = [at(q, 3 + shift) @ at(k, 1 + shift) for shift in (0, 1, 40)]
    np.testing.assert_allclose(products, products[0], rtol=1e-4)
    assert abs(at(q, 4) @ at(k, 1) - products[0]) > 1e-3


def test_first_weights_are_small_by_the_depth():
    network = GPT.drawn(Shape(50, 8, 8, 2, 64, "learned"), np.random.default_rng(0))
    spread = lambda name: np.std([getattr(block, name) for block in network.blocks])
    assert spread("qkv") == pytest.approx(0.02, rel=0.02)
    assert spread("up") == pytest.approx(0.02, rel=0.02)
    for name in ("out", "down"):
        assert spread(name) == pytest.approx(0.02 / np.sqrt(2 * 8), rel=0.02)


def test_embedding_and_scores_are_one_matrix():
    shape = Shape(11, 6, 2, 2, 8, "learned")
    numbers = jax.tree.leaves(eqx.filter(GPT.drawn(shape, None), eqx.is_array))
    assert sum(x.size for x in numbers) == 11 * 8 + 6 * 8 + 2 * (12 * 8**2 + 2 * 8) + 8


def test_dropout_is_in_training_alone():
    shape = Shape(11, 6, 1, 2, 8, "rotary", dropout=0.5)
    network, stream = lively(shape), jnp.asarray(tokens(shape)[:, :-1])
    assert network.is_random
    run = eqx.filter_jit(lambda network, key: network(stream, None, key)[0])
    used = run(network, None)
    trained = [run(network, jax.random.key(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(trained[0], trained[1])
    assert not np.allclose(trained[0], used)
    assert not np.allclose(trained[0], trained[2])
