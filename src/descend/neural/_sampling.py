"""Text from a GPT, a token at a time, as one compiled program."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend.neural._gpt import GPT, attention, causal


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


def generate(
    network: GPT, prompt: np.ndarray, length: int, key: jax.Array, temperature: float = 1.0, top_k: int | None = None
) -> np.ndarray:
    """The `length` tokens that follow a prompt, which must have one at the least.

    A token costs a pass over the weights: keys and values of those before it are kept. Once the context is full, its
    last half is read anew, at the positions of a first half, and goes on from there.
    """
    context = network.shape.context
    last = prompt[-context:]
    window = np.zeros((1, context), np.int32)
    window[0, : len(last)] = last
    # One program for all lengths up to a power of two.
    room = 2 ** max(length - 1, 15).bit_length()
    seen, wanted, heat = jnp.asarray(len(last)), jnp.asarray(length), jnp.asarray(temperature, jnp.float32)
    best = None if top_k is None else jnp.asarray(top_k)
    return np.asarray(_generate(network, jnp.asarray(window), seen, wanted, key, heat, best, room))[:length]


@eqx.filter_jit
def _generate(
    network: GPT, window: Array, count: Array, length: Array, key: jax.Array, temperature: Array,
    top_k: Array | None, room: int,
) -> Array:
    context = network.shape.context

    def write(carry: tuple[Cache, Generated]) -> tuple[Cache, Generated]:
        seen, written = carry
        token = sample_token(seen.scores, jax.random.fold_in(key, written.made), temperature, top_k)
        tokens = written.tokens.at[written.made].set(token)
        return decode_step(network, seen, token), Generated(tokens, written.made + 1)

    def from_full_to_full(carry: tuple[Array, Array, Generated]) -> tuple[Array, Array, Generated]:
        # A window that is full is moved on by half of it, and not by a token: without the tokens that go, what the
        # layers made of all others changes, so that each move costs a pass over the whole window.
        window, count, written = carry
        half = (context + 1) // 2
        window = jnp.where(count == context, jnp.roll(window, half - context, axis=1), window)
        count = jnp.where(count == context, half, count)
        within = lambda carry: (carry[0].place < context) & (carry[1].made < length)
        seen, written = jax.lax.while_loop(within, write, (prefill(network, window, count), written))
        return seen.window, seen.place, written

    begin = (window, count, Generated(jnp.zeros(room, jnp.int32), jnp.zeros((), jnp.int32)))
    return jax.lax.while_loop(lambda carry: carry[2].made < length, from_full_to_full, begin)[2].tokens


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


def sample_token(scores: Array, key: jax.Array, temperature: Array | float, top_k: Array | int | None) -> Array:
    """A token, with the probability that its score gives it best the `top_k`; at temperature 0, the best."""
    # Those that are as good as the last of the best are kept, too: which of them to leave out, nothing says.
    if top_k is not None:
        least = jnp.sort(scores)[jnp.maximum(len(scores) - top_k, 0)]
        scores = jnp.where(scores < least, -jnp.inf, scores)
    # At temperature 0 the quotient would be one by 0: what is drawn then is not looked at.
    drawn = jax.random.categorical(key, scores / jnp.where(temperature > 0, temperature, 1))
    return jnp.where(temperature > 0, drawn, jnp.argmax(scores)).astype(jnp.int32)
