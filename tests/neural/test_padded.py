"""Batches with padding that are accumulated make the step of one large batch, to the last digits.

The mean of the micro-batches' means is another number, wherever they differ in how many tokens are real: the fault of
huggingface/transformers#35203.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, AdamW, losses, minimize
from descend.neural._gpt import GPT, Shape, token_losses
from descend.optimizers import Accumulate, ClipByNorm
from descend.sources import IterableBatches

TOKENS, WIDTH, LONGEST, STEPS, ROWS, MICRO = 11, 4, 9, 5, 24, 4
EXACT = {"rtol": 1e-12, "atol": 1e-14}


def sequences():
    """For each step a batch of sequences of tokens, most of which end early, and which of their tokens are real.

    They are sorted by length, so that the micro-batches differ much, and one sequence in six is empty.
    """
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        lengths = np.sort(rng.integers(1, LONGEST + 1, ROWS))
        lengths[: ROWS // 6] = 0
        yield rng.integers(0, TOKENS, (ROWS, LONGEST + 1)), np.arange(LONGEST) < lengths[:, None]


BATCHES = list(sequences())


def start():
    rng = np.random.default_rng(1)
    return {"embedding": rng.normal(size=(TOKENS, WIDTH)), "out": rng.normal(size=(WIDTH, TOKENS))}


def per_token(params, tokens):
    """The cross-entropy of each token after those before it, whose embeddings are averaged."""
    seen = params["embedding"][tokens[:, :-1]]
    context = jnp.cumsum(seen, axis=1) / jnp.arange(1, LONGEST + 1)[:, None]
    return losses.softmax_cross_entropy(jnp.tanh(context) @ params["out"], tokens[:, 1:])


def mean_loss(params, batch, each=per_token):
    """The mean over the real tokens, and how many these are."""
    tokens, real = batch
    return (each(params, tokens) * real).sum() / jnp.maximum(real.sum(), 1), {"tokens": real.sum()}


def mean_loss_of_gpt(network, batch):
    """The same of the network that language models are, whose tokens see none of the padding behind them."""
    return mean_loss(
        network, batch, lambda gpt, tokens: token_losses(gpt.scores(gpt.hidden(tokens[:, :-1])), tokens[:, 1:])
    )


def micro_batches(epoch):
    """The batches in parts of equal size: the sequences of a part are padded together."""
    for tokens, real in BATCHES:
        for row in range(0, ROWS, MICRO):
            yield tokens[row : row + MICRO], real[row : row + MICRO]


RULES = {
    "SGD": lambda: SGD(0.5, momentum=0.9),
    "AdamW": lambda: AdamW(0.05),
    "clipped": lambda: ClipByNorm(SGD(0.5), 0.05),
}


def descended(rule, batches, steps, loss=mean_loss, begin=start):
    fit = minimize(loss, begin(), IterableBatches(batches), optimizer=rule, steps=steps, stop=[], dtype=np.float64)
    return fit.params


def accumulated(rule, weight):
    parts = ROWS // MICRO
    return descended(Accumulate(rule, batches=parts, weight=weight), micro_batches, STEPS * parts)


@pytest.mark.parametrize("rule", RULES)
def test_accumulating_padded_batches_is_exact(rule):
    whole = descended(RULES[rule](), lambda epoch: BATCHES, STEPS)
    parts = accumulated(RULES[rule](), "tokens")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **EXACT), parts, whole)


def test_it_is_for_a_transformer():
    gpt = lambda: GPT.drawn(Shape(TOKENS, LONGEST, 2, 2, 8), np.random.default_rng(1))
    parts = ROWS // MICRO
    accumulate = Accumulate(SGD(0.5), batches=parts, weight="tokens")
    whole = descended(SGD(0.5), lambda epoch: BATCHES, STEPS, mean_loss_of_gpt, gpt)
    accumulated = descended(accumulate, micro_batches, STEPS * parts, mean_loss_of_gpt, gpt)
    for a, b in zip(*(jax.tree.leaves(eqx.filter(model, eqx.is_array)) for model in (accumulated, whole)), strict=True):
        np.testing.assert_allclose(a, b, **EXACT)


def test_the_mean_of_means_is_not():
    """What the test above would not see otherwise: with such batches the difference is a large one."""
    whole = descended(SGD(0.5), lambda epoch: BATCHES, STEPS)
    parts = accumulated(SGD(0.5), None)
    distance = max(np.abs(np.asarray(parts[name]) - np.asarray(whole[name])).max() for name in whole)
    assert distance > 1e-2


def test_a_step_by_hand():
    """The oracle is no batch at all: the sum over all real tokens, one after the other, divided by their number."""
    tokens, real = BATCHES[0]
    params = start()
    with jax.enable_x64(True):
        one = jax.jit(jax.grad(lambda p, row, position: per_token(p, row[None])[0, position]))
        total = jax.tree.map(np.zeros_like, params)
        for row, position in zip(*np.nonzero(real), strict=True):
            total = jax.tree.map(np.add, total, one(params, tokens[row], position))
    by_hand = jax.tree.map(lambda p, g: p - 0.5 * g / real.sum(), params, total)
    parts = ROWS // MICRO
    accumulated_once = descended(Accumulate(SGD(0.5), batches=parts, weight="tokens"), micro_batches, parts)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **EXACT), accumulated_once, by_hand)
