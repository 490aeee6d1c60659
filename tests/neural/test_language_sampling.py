"""What a model writes, with keys and values kept, is what it would write if all was read anew for every token."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.neural._gpt import GPT, Shape
from descend.neural._sampling import Choice, decode_step, generate, prefill, sample_token

CONTEXT = 7


@pytest.fixture(scope="module", params=["learned", "rotary"])
def network(request):
    rng = np.random.default_rng(0)
    drawn = GPT.drawn(Shape(13, CONTEXT, 2, 2, 8, request.param), rng)
    return jax.tree.map(
        lambda x: jnp.asarray(x + rng.normal(0, 0.5, x.shape), jnp.float32) if hasattr(x, "shape") and
        not isinstance(x, Shape) else x, drawn
    )


@pytest.fixture(scope="module")
def scores_after(network):
    """The scores of what follows some tokens, from all of them at once."""
    forward = jax.jit(lambda window: network(window, None, None)[0])

    def scores(tokens):
        window = np.zeros((1, CONTEXT), np.int32)
        window[0, : len(tokens)] = tokens
        return np.asarray(forward(window))[0, len(tokens) - 1]

    return scores


def anew(choose, scores_after, prompt, length):
    """Tokens, one after the other; a full context is cut to its last half."""
    context, written = list(prompt)[-CONTEXT:], []
    for number in range(length):
        if len(context) == CONTEXT:
            context = context[-((CONTEXT + 1) // 2) :]
        token = int(choose(scores_after(context), number))
        written.append(token)
        context.append(token)
    return written


@pytest.mark.parametrize("length_of_prompt", [1, 3, CONTEXT, 20])
def test_tokens_with_what_is_kept(network, scores_after, length_of_prompt):
    prompt = np.random.default_rng(length_of_prompt).integers(0, 13, length_of_prompt)
    key = jax.random.key(length_of_prompt)
    drawn = jax.jit(lambda scores, number: sample_token(scores, jax.random.fold_in(key, number), Choice.of(3.0)))
    written = generate(network, prompt, 30, key, Choice.of(3.0))
    assert written.tolist() == anew(drawn, scores_after, prompt, 30)
    assert len(set(written.tolist())) > 3


def test_scores_with_what_is_kept(network, scores_after):
    tokens = np.random.default_rng(0).integers(0, 13, CONTEXT)
    window = np.zeros((1, CONTEXT), np.int32)
    window[0, :2] = tokens[:2]
    on = eqx.filter_jit(decode_step)
    seen = eqx.filter_jit(prefill)(network, jnp.asarray(window), jnp.asarray(2))
    np.testing.assert_allclose(seen.scores, scores_after(tokens[:2]), rtol=1e-4, atol=1e-5)
    for count in range(3, CONTEXT + 1):
        seen = on(network, seen, jnp.asarray(tokens[count - 1], jnp.int32))
        np.testing.assert_allclose(seen.scores, scores_after(tokens[:count]), rtol=1e-4, atol=1e-5)
    assert seen.window.tolist() == [tokens.tolist()]


def test_seeds(network):
    write = lambda seed, length=20: generate(network, np.array([1]), length, jax.random.key(seed)).tolist()
    assert write(0) == write(0)
    assert write(0) != write(1)
    assert write(0, 5) == write(0)[:5]


@pytest.mark.parametrize("settings", [{"temperature": 0.0}, {"temperature": 2.0, "top_k": 1}])
def test_nothing_but_the_best(network, scores_after, settings):
    written = generate(network, np.array([1, 2]), 12, jax.random.key(0), Choice.of(**settings))
    assert written.tolist() == anew(lambda scores, _: np.argmax(scores), scores_after, [1, 2], 12)


@pytest.mark.parametrize("is_enough", [lambda tokens: len(tokens) >= 40, lambda tokens: False])
def test_looking_whether_it_is_enough_changes_no_token(network, is_enough):
    whole = generate(network, np.array([1]), 100, jax.random.key(0)).tolist()
    written = generate(network, np.array([1]), 100, jax.random.key(0), is_enough=is_enough).tolist()
    assert written == whole[: len(written)]
    assert len(written) == (64 if is_enough(range(40)) else 100)


@pytest.mark.parametrize(("temperature", "top_k", "top_p", "kept"), [
    (1.0, None, None, 5), (0.5, None, None, 5), (2.0, 3, None, 3),
    # .42, .31, .17, .13 and .05 of five, at temperature 1: the second takes it past .5, the third past .75.
    (1.0, None, 0.5, 2), (1.0, None, 0.75, 3), (1.0, None, 1e-6, 1), (1.0, None, 1.0, 5), (2.0, 3, 0.5, 2),
])  # fmt: skip
def test_tokens_come_by_their_probability(temperature, top_k, top_p, kept):
    scores = np.array([0.3, -1.0, 1.2, 0.0, 0.9])
    count = 20_000
    choice = Choice.of(temperature, top_k, top_p)
    draw = jax.vmap(lambda key: sample_token(jnp.asarray(scores, jnp.float32), key, choice))
    drawn = np.bincount(draw(jax.random.split(jax.random.key(0), count)), minlength=5) / count
    odds = np.exp(scores / temperature) * (np.argsort(np.argsort(-scores)) < kept)
    expected = odds / odds.sum()
    assert (np.abs(drawn - expected) <= 5 * np.sqrt(expected * (1 - expected) / count)).all()
