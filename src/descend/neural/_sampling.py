"""Text from a GPT, a token at a time, as one compiled program."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend.neural._gpt import GPT, attention, causal

# Tokens, after which to look whether they are enough.
LOOK_EVERY = 32


class Cache(NamedTuple):
    """What was read: the window of tokens (1, context), the place of the next, each layer's keys and values of those
    before it, and the scores of what it may be."""

    window: Array
    place: Array
    keys: list[Array]
    values: list[Array]
    scores: Array


class Generated(NamedTuple):
    """What was written: the tokens, and how many there are."""

    tokens: Array
    made: Array


class Choice(NamedTuple):
    """Which tokens may come, and how likely: see `sample_token`."""

    temperature: Array
    top_k: Array | None
    top_p: Array | None

    @classmethod
    def of(cls, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> "Choice":
        """Numbers that can be others in the same program."""
        return cls(jnp.asarray(temperature, jnp.float32), None if top_k is None else jnp.asarray(top_k),
                   None if top_p is None else jnp.asarray(top_p, jnp.float32))


def generate(
    network: GPT, prompt: np.ndarray, length: int, key: jax.Array, choice: Choice | None = None,
    is_enough: Callable[[np.ndarray], bool] | None = None,
) -> np.ndarray:
    """The `length` tokens that follow a prompt, which must have one at the least; or fewer, if those that there are
    `is_enough`, which is asked after every few.

    A token costs a pass over the weights: keys and values of those before it are kept. Once the context is full, its
    last half is read anew, at the positions of a first half, and goes on from there.
    """
    context = network.shape.context
    last = prompt if len(prompt) < context else prompt[-_half(context) :]
    window = np.zeros((1, context), np.int32)
    window[0, : len(last)] = last
    # One program for all lengths up to a power of two.
    room = 2 ** max(length - 1, 15).bit_length()
    seen = _read(network, jnp.asarray(window), jnp.asarray(len(last)))
    written = Generated(jnp.zeros(room, jnp.int32), jnp.zeros((), jnp.int32))
    each = length if is_enough is None else LOOK_EVERY
    for until in range(each, length + each, each):
        made = min(until, length)
        seen, written = _write(network, seen, written, jnp.asarray(made), key, choice or Choice.of())
        if is_enough is not None and is_enough(np.asarray(written.tokens)[:made]):
            break
    return np.asarray(written.tokens)[:made]


@eqx.filter_jit
def _read(network: GPT, window: Array, count: Array) -> Cache:
    return prefill(network, window, count)


@eqx.filter_jit
def _write(
    network: GPT, seen: Cache, written: Generated, length: Array, key: jax.Array, choice: Choice
) -> tuple[Cache, Generated]:
    """What was read and written, up to so many tokens written."""
    context, half = network.shape.context, _half(network.shape.context)

    def write(carry: tuple[Cache, Generated]) -> tuple[Cache, Generated]:
        seen, written = carry
        token = sample_token(seen.scores, jax.random.fold_in(key, written.made), choice)
        tokens = written.tokens.at[written.made].set(token)
        return decode_step(network, seen, token), Generated(tokens, written.made + 1)

    def until_full(carry: tuple[Cache, Generated]) -> tuple[Cache, Generated]:
        within = lambda carry: (carry[0].place < context) & (carry[1].made < length)
        return jax.lax.while_loop(within, write, carry)

    def anew(carry: tuple[Cache, Generated]) -> tuple[Cache, Generated]:
        # A window that is full is moved on by half of it, and not by a token: without the tokens that go, what the
        # layers made of all others changes, so that each move costs a pass over the whole window.
        window = jnp.roll(carry[0].window, half - context, axis=1)
        return until_full((prefill(network, window, jnp.asarray(half)), carry[1]))

    return jax.lax.while_loop(lambda carry: carry[1].made < length, anew, until_full((seen, written)))


def _half(context: int) -> int:
    return (context + 1) // 2


def prefill(network: GPT, window: Array, count: Array) -> Cache:
    """The first `count` tokens of a window, read at once."""
    keys, values = [], []

    def attend(layer: int, q: Array, k: Array, v: Array) -> Array:
        keys.append(k)
        values.append(v)
        return causal(layer, q, k, v)

    hidden = network.hidden(window, attend=attend)
    last = jax.lax.dynamic_slice_in_dim(hidden, count - 1, 1, axis=2)
    return Cache(window, count, keys, values, network.scores(last)[:, 0, 0])


def decode_step(network: GPT, seen: Cache, token: Array) -> Cache:
    """What was read, and one token more."""
    keys, values = [], []
    place = seen.place
    is_before = (jnp.arange(network.shape.context) <= place)[:, None]

    def attend(layer: int, q: Array, k: Array, v: Array) -> Array:
        keys.append(jax.lax.dynamic_update_slice_in_dim(seen.keys[layer], k, place, axis=3))
        values.append(jax.lax.dynamic_update_slice_in_dim(seen.values[layer], v, place, axis=3))
        return attention(q, keys[-1], values[-1], is_before)

    hidden = network.hidden(token.reshape(1, 1), attend=attend, first=place)
    window = jax.lax.dynamic_update_slice(seen.window, token.reshape(1, 1), (0, place))
    return Cache(window, place + 1, keys, values, network.scores(hidden)[:, 0, 0])


def sample_token(scores: Array, key: jax.Array, choice: Choice) -> Array:
    """A token, with the probability that its score gives it at this temperature, of the best `top_k`, and of those of
    as few as have the probability `top_p` together; at temperature 0, the best."""
    # At temperature 0 the quotient would be one by 0: what is drawn then is not looked at.
    heated = scores / jnp.where(choice.temperature > 0, choice.temperature, 1)
    # Those that are as good as the last of the best are kept, too: which of them to leave out, nothing says.
    if choice.top_k is not None:
        least = jnp.sort(heated)[jnp.maximum(len(heated) - choice.top_k, 0)]
        heated = jnp.where(heated < least, -jnp.inf, heated)
    if choice.top_p is not None:
        best = jnp.sort(heated, descending=True)
        # What those before it have; the best one is always kept.
        before = jnp.cumsum(jax.nn.softmax(best)) - jax.nn.softmax(best)
        least = jnp.min(jnp.where((before < choice.top_p) | (jnp.arange(len(best)) == 0), best, jnp.inf))
        heated = jnp.where(heated < least, -jnp.inf, heated)
    drawn = jax.random.categorical(key, heated)
    return jnp.where(choice.temperature > 0, drawn, jnp.argmax(scores)).astype(jnp.int32)
