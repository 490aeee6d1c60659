"""A GPT: what comes next in a stream of tokens, from those before.

Arrays have their features along the first axis, and tokens along the last ones: a matrix is applied as `W @ x`, and
what is added up over features (norms, softmax) is added many tokens at a time, where XLA would add the numbers of a
last axis on a CPU one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._tree import Tree
from descend.neural._network import Network
from descend.neural._weights import filled, weights
from descend.neural.perceptron import apply_dropout

Positions = Literal["learned", "rotary"]
Attend = Callable[[int, Array, Array, Array], Array]  # of a layer's queries, keys, values (heads, batch, width, tokens)

# Added to the variance, which is 0 of a token whose features are all alike.
LAYER_NORM_EPS = 1e-5
# Of the first weights, as in GPT-2.
INIT_STD = 0.02
# Of rotary positions: the slowest turn takes some 2π times as many tokens.
ROTARY_BASE = 10_000.0
# Up to which an embedding's gradient is a product of matrices: its cost goes with the vocabulary, a scatter's does not.
MAX_ONE_HOT_VOCABULARY = 1024


@dataclass(frozen=True)
class Shape:
    """What a GPT is built from: everything but its weights."""

    vocabulary: int
    context: int
    layers: int
    heads: int
    width: int
    positions: Positions = "rotary"
    dropout: float = 0.0

    @property
    def size(self) -> int:
        """How many weights one has."""
        embedded = self.vocabulary + 1 + (self.context if self.positions == "learned" else 0)
        return (embedded + self.layers * (12 * self.width + 2)) * self.width


class Block(eqx.Module):
    """`x ← x + W attention(norm(x))`, then `x ← x + W gelu(W norm(x))`."""

    attention_scale: Array
    qkv: Array
    out: Array
    mlp_scale: Array
    up: Array
    down: Array

    @classmethod
    def drawn(cls, shape: Shape, rng: np.random.Generator | None) -> "Block":
        """One with first weights; what is added to `x` is small by the depth, so that the sum over all layers is not
        larger for many."""
        width, small = shape.width, INIT_STD / np.sqrt(2 * shape.layers)
        return cls(
            attention_scale=filled(width, 1.0),
            qkv=_normal(rng, INIT_STD, 3 * width, width),
            out=_normal(rng, small, width, width),
            mlp_scale=filled(width, 1.0),
            up=_normal(rng, INIT_STD, 4 * width, width),
            down=_normal(rng, small, width, 4 * width),
        )

    def __call__(
        self, x: Array, heads: int, attend: Callable[..., Array], drop: Callable[[Array, int], Array]
    ) -> Array:
        """`x` (width, batch, tokens), further on."""
        # 1. Attention: queries, keys and values by one product, as three would read `x` three times. The norm comes
        #    before the layer, and not after the sum, so that gradients reach the first layers through sums alone (Xiong
        #    et al., arXiv 2002.04745).
        width, batch, tokens = x.shape
        qkv = _matmul(self.qkv, layer_norm(x, self.attention_scale))
        q, k, v = jnp.swapaxes(qkv.reshape(3, heads, width // heads, batch, tokens), 2, 3)
        mixed = jnp.swapaxes(attend(q, k, v), 1, 2).reshape(x.shape)
        x = x + drop(_matmul(self.out, mixed), 0)
        # 2. Each token by itself: four times as wide, and back.
        inner = gelu(_matmul(self.up, layer_norm(x, self.mlp_scale)))
        return x + drop(_matmul(self.down, inner), 1)


class GPT(Network):
    """Layers of attention and perceptrons over embedded tokens; scores are products with the embedding itself.

    `positions`: an embedding of them, or `None` where queries and keys are turned by their positions.

    References: Radford et al., "Language models are unsupervised multitask learners", 2019; Su et al., "RoFormer:
    enhanced transformer with rotary position embedding", arXiv 2104.09864.
    """

    tokens: Array
    positions: Array | None
    blocks: list[Block]
    scale: Array
    shape: Shape

    @classmethod
    def drawn(cls, shape: Shape, rng: np.random.Generator | None) -> "GPT":
        """One with first weights; without `rng` zeros, to be replaced."""
        learned = shape.positions == "learned"
        return cls(
            tokens=_normal(rng, INIT_STD, shape.vocabulary, shape.width),
            positions=_normal(rng, INIT_STD, shape.width, shape.context) if learned else None,
            blocks=[Block.drawn(shape, rng) for _ in range(shape.layers)],
            scale=filled(shape.width, 1.0),
            shape=shape,
        )

    def __call__(self, inputs: Array, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        """The scores (batch, tokens, vocabulary) of what follows each of the tokens (batch, tokens)."""
        return jnp.moveaxis(self.scores(self.hidden(inputs, key)), 0, -1), state

    @property
    def is_random(self) -> bool:
        """Whether anything is left out in training."""
        return self.shape.dropout > 0

    def hidden(
        self, inputs: Array, key: jax.Array | None = None, attend: Attend | None = None, first: int | Array = 0
    ) -> Array:
        """What the last layer makes of tokens (batch, tokens), the first of them at position `first`.

        `attend`: how tokens look at others; by default at those before them and themselves.
        """

        def drop(x: Array, part: int, first: int = 0) -> Array:
            share = self.shape.dropout
            return apply_dropout(x, share, jax.random.fold_in(key, first + part)) if share and key is not None else x

        x = drop(self._embedded(inputs, first), 0)
        turns = self._angles(first, inputs)
        for i, block in enumerate(self.blocks):
            looked = partial(self._attended, attend or causal, turns, i)
            x = block(x, self.shape.heads, looked, partial(drop, first=2 * i + 1))
        return layer_norm(x, self.scale)

    def scores(self, hidden: Array) -> Array:
        """The scores (vocabulary, batch, tokens) of what follows."""
        return _matmul(self.tokens, hidden)

    def _attended(self, attend: Attend, turns: Array | None, layer: int, q: Array, k: Array, v: Array) -> Array:
        if turns is not None:
            q, k = rotated(q, turns), rotated(k, turns)
        return attend(layer, q, k, v)

    def _angles(self, first: int | Array, inputs: Array) -> Array | None:
        """The angles by which positions turn each pair of numbers (half a head's width, tokens), if they do."""
        if self.positions is not None:
            return None
        half = self.shape.width // self.shape.heads // 2
        speeds = ROTARY_BASE ** (-np.arange(half, dtype=np.float32) / half)
        places: Any = first + jnp.arange(inputs.shape[1], dtype=jnp.float32)
        return speeds[:, None] * places

    def _embedded(self, inputs: Array, first: int | Array) -> Array:
        x = jnp.moveaxis(embedded(self.tokens, inputs), -1, 0)
        if self.positions is None:
            return x
        return x + jax.lax.dynamic_slice_in_dim(self.positions, first, inputs.shape[1], axis=1)[:, None]


def token_losses(scores: Array, targets: Array) -> Array:
    """The cross-entropy of each target (batch, tokens) from scores (vocabulary, batch, tokens).

    >>> round(float(token_losses(jnp.zeros((4, 1, 1)), jnp.array([[2]]))[0, 0]), 4)
    1.3863
    """
    # A mask, and not a look-up: the gradient of a look-up is a scatter, which goes one token after the other on a CPU.
    chosen = jnp.arange(len(scores))[:, None, None] == targets
    picked = jnp.sum(jnp.where(chosen, scores, 0), axis=0)
    return jax.nn.logsumexp(scores, axis=0) - picked


def causal(_layer: int, q: Array, k: Array, v: Array) -> Array:
    """Attention to the tokens before and to oneself, in any layer."""
    place = jnp.arange(q.shape[-1])
    return attention(q, k, v, place[:, None] <= place)


# Gradients by hand, here and below: what XLA derives keeps more arrays from the way forward, and on a CPU it is memory
# that takes the time. `tests/neural/test_gpt.py` holds each to what `jax.grad` makes of the plain formula.
@jax.custom_vjp
def attention(q: Array, k: Array, v: Array, seen: Array) -> Array:
    """Means of values, weighted by how keys fit queries: `softmax(kᵀq / √width)`, where a query sees a key.

    `seen`: (keys, queries).
    """
    return _attention_forward(q, k, v, seen)[0]


def _attention_forward(q: Array, k: Array, v: Array, seen: Array) -> tuple[Array, Any]:
    # 1. How keys fit queries; in single precision, as the softmax of numbers that are rounded to 8 bits is coarse.
    fits = jnp.einsum("hbdk,hbdq->hbkq", k * q.shape[2] ** -0.5, q, preferred_element_type=_accumulation_dtype(q))
    fits = jnp.where(seen, fits, -jnp.inf)
    # 2. The softmax, after the largest is taken away, so that no exponential overflows.
    powers = jnp.exp(fits - jnp.max(fits, axis=2, keepdims=True))
    weights = (powers / jnp.sum(powers, axis=2, keepdims=True)).astype(v.dtype)
    # 3. Means of the values.
    return jnp.einsum("hbdk,hbkq->hbdq", v, weights), (q, k, v, weights)


def _attention_backward(kept: tuple[Array, ...], gradient: Array) -> tuple[Array, Array, Array, None]:
    """From the weights, which are zero where nothing was seen: so no mask is needed any more."""
    q, k, v, weights = kept
    on_weights = jnp.einsum("hbdk,hbdq->hbkq", v, gradient)
    mean = jnp.sum(weights * on_weights, axis=2, keepdims=True)
    on_fits = weights * (on_weights - mean) * q.shape[2] ** -0.5
    return (
        jnp.einsum("hbdk,hbkq->hbdq", k, on_fits),
        jnp.einsum("hbdq,hbkq->hbdk", q, on_fits),
        jnp.einsum("hbdq,hbkq->hbdk", gradient, weights),
        None,
    )


attention.defvjp(_attention_forward, _attention_backward)


def rotated(x: Array, turns: Array) -> Array:
    """The numbers of each head, in pairs, turned by their positions' angles: products then know of distances alone."""
    # Pairs are a number of the first half and one of the second. The paper pairs neighbours, which is the same network
    # with its features in another order, and needs strided reads.
    first, second = jnp.split(x, 2, axis=2)
    cos, sin = jnp.cos(turns).astype(x.dtype), jnp.sin(turns).astype(x.dtype)
    return jnp.concatenate([first * cos - second * sin, first * sin + second * cos], axis=2)


@jax.custom_vjp
def layer_norm(x: Array, scale: Array) -> Array:
    """Features with a mean of zero and a mean square of one, times `scale` (Ba et al., arXiv 1607.06450)."""
    return _normed_forward(x, scale)[0]


def _normed_forward(x: Array, scale: Array) -> tuple[Array, Any]:
    flat = x.reshape(len(x), -1)
    exact = flat.astype(_accumulation_dtype(x))
    mean = jnp.mean(exact, axis=0)
    unit = jax.lax.rsqrt(jnp.mean((exact - mean) ** 2, axis=0) + LAYER_NORM_EPS)
    normal = (exact - mean) * unit * scale[:, None]
    return normal.astype(x.dtype).reshape(x.shape), (flat, mean, unit, scale)


def _normed_backward(kept: tuple[Array, ...], gradient: Array) -> tuple[Array, Array]:
    """What is kept is what there is anyway, and two numbers a token. Sums are products of matrices, the fastest ones
    that there are."""
    x, mean, unit, scale = kept
    y, g = (x - mean) * unit, gradient.reshape(x.shape).astype(mean.dtype)
    share = (scale.astype(mean.dtype) / len(scale))[None]
    along = g * y
    on_x = unit * (g * scale[:, None] - share @ g - y * (share @ along))
    on_scale = along @ jnp.ones(along.shape[1], along.dtype)
    return on_x.reshape(gradient.shape).astype(x.dtype), on_scale.astype(scale.dtype)


layer_norm.defvjp(_normed_forward, _normed_backward)


@jax.custom_vjp
def gelu(x: Array) -> Array:
    """`x Φ(x)`, with the distribution function of the normal distribution (Hendrycks and Gimpel, arXiv 1606.08415)."""
    return x * _normal_cdf(x)


def _gelu_backward(x: Array, gradient: Array) -> tuple[Array]:
    """`Φ(x) + x φ(x)`, made anew from `x`: XLA would keep, and fetch again, what it is made from."""
    return (gradient * (_normal_cdf(x) + x * jnp.exp(-0.5 * x * x) * (2 * np.pi) ** -0.5),)


def _normal_cdf(x: Array) -> Array:
    return 0.5 + 0.5 * jax.lax.erf(x * 0.5**0.5)


gelu.defvjp(lambda x: (gelu(x), x), _gelu_backward)


@jax.custom_vjp
def embedded(table: Array, tokens: Array) -> Array:
    """The row of each token."""
    return table.at[tokens].get(mode="promise_in_bounds")


def _embedded_forward(table: Array, tokens: Array) -> tuple[Array, Any]:
    return embedded(table, tokens), (table, tokens)


def _embedded_backward(kept: tuple[Array, ...], gradient: Array) -> tuple[Array, None]:
    """Rows added up by token: as a product, because a scatter goes one row after the other."""
    # A vocabulary that is large is added up row by row after all: see `MAX_ONE_HOT_VOCABULARY`.
    table, tokens = kept
    rows, tokens = gradient.reshape(-1, table.shape[1]), tokens.reshape(-1)
    if len(table) > MAX_ONE_HOT_VOCABULARY:
        return jnp.zeros_like(table).at[tokens].add(rows, mode="promise_in_bounds"), None
    chosen = (jnp.arange(len(table))[:, None] == tokens).astype(rows.dtype)
    return chosen @ rows, None


embedded.defvjp(_embedded_forward, _embedded_backward)


def _accumulation_dtype(x: Array) -> Any:
    """The dtype for sums over numbers like these: half precision is too little for them."""
    return jnp.promote_types(x.dtype, jnp.float32)


def _matmul(matrix: Array, x: Array) -> Array:
    """`W @ x` for each token."""
    return (matrix @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:])


def _normal(rng: np.random.Generator | None, spread: float, *shape: int) -> Array:
    return weights(np.zeros(shape) if rng is None else rng.normal(0, spread, shape))
