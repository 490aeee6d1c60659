"""A small transformer that reads a whole text at once, and says what kind of text it is."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._tree import Tree
from descend.neural._network import Network
from descend.neural._weights import filled, weights
from descend.neural.hashing import PADDING
from descend.neural.perceptron import apply_dropout


class LayerNorm(eqx.Module):
    """`γ (x − mean x) / spread x + β`, over the last axis.

    Reference: Ba et al., "TransformerLayer normalization", arXiv 1607.06450.
    """

    scale: Array
    shift: Array

    @classmethod
    def plain(cls, width: int) -> "LayerNorm":
        """One that leaves what it has normalised as it is."""
        return cls(filled(width, 1.0), filled(width))

    def __call__(self, x: Array) -> Array:
        # Sums of squares are too much for half precision.
        exact = x.astype(jnp.float32)
        centred = exact - exact.mean(-1, keepdims=True)
        normal = centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5)
        return (normal * self.scale + self.shift).astype(x.dtype)


class TransformerLayer(eqx.Module):
    """`x ← x + attention(norm(x))`, then `x ← x + W₂ gelu(W₁ norm(x))`."""

    before_attention: LayerNorm
    queries_keys_values: Array
    together: Array
    before_widening: LayerNorm
    widen: Array
    widen_bias: Array
    narrow: Array
    narrow_bias: Array
    heads: int = eqx.field(static=True)

    @classmethod
    def drawn(cls, width: int, heads: int, depth: int, rng: np.random.Generator) -> "TransformerLayer":
        """One whose additions are the smaller, the more layers add to `x` (Radford et al., GPT-2, 2019)."""
        draw = lambda m, n, gain=1.0: weights(rng.normal(0, gain / np.sqrt(m), (m, n)))
        # Two additions to `x` in each layer: with them made smaller by this, its size does not grow with the depth.
        less = 1 / np.sqrt(2 * depth)
        return cls(
            LayerNorm.plain(width), draw(width, 3 * width), draw(width, width, less),
            LayerNorm.plain(width), draw(width, 4 * width), filled(4 * width),
            draw(4 * width, width, less), filled(width), heads,
        )

    def __call__(self, x: Array, is_word: Array, dropout: float, key: jax.Array | None) -> Array:
        batch, length, width = x.shape
        first, second = (None, None) if key is None else jax.random.split(key)
        projected = (self.before_attention(x) @ self.queries_keys_values).reshape(batch, length, 3, self.heads, -1)
        queries, keys, values = (projected[:, :, i] for i in range(3))
        # By every head, from every place. A text is read as a whole: no word hides from those before it.
        looked_at = is_word[:, None, None, :]
        seen = jax.nn.dot_product_attention(queries, keys, values, mask=looked_at)
        x = x + _dropout(seen.reshape(batch, length, width) @ self.together, dropout, first)
        wide = jax.nn.gelu(self.before_widening(x) @ self.widen + self.widen_bias)
        return x + _dropout(wide @ self.narrow + self.narrow_bias, dropout, second)


class Encoder(Network):
    """Scores from the mean of what layers make of each word; `inputs` are numbers of words, filled up with `PADDING`.

    References: Vaswani et al., "Attention is all you need", arXiv 1706.03762; Xiong et al., "On layer normalization in
    the transformer architecture", arXiv 2002.04745.
    """

    words: Array
    places: Array
    layers: list[TransformerLayer]
    after: LayerNorm
    weight: Array
    bias: Array
    dropout: float = eqx.field(static=True)

    @classmethod
    def drawn(
        cls, kinds: int, length: int, outputs: int, *, width: int, depth: int, heads: int, dropout: float,
        rng: np.random.Generator,
    ) -> "Encoder":
        """One for `kinds` of words and texts of up to `length` of them."""
        draw = lambda m, n, size: weights(rng.normal(0, size, (m, n)))
        return cls(
            draw(kinds, width, 0.1), draw(length, width, 0.02),
            [TransformerLayer.drawn(width, heads, depth, rng) for _ in range(depth)],
            LayerNorm.plain(width), draw(width, outputs, 1 / np.sqrt(width)), filled(outputs), dropout,
        )

    @staticmethod
    def size(kinds: int, length: int, outputs: int, width: int, depth: int) -> int:
        """How many weights such a one has."""
        return (kinds + length) * width + depth * (12 * width + 9) * width + 2 * width + (width + 1) * outputs

    def __call__(self, inputs: Array, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        keys = [None] * (len(self.layers) + 2) if key is None else list(jax.random.split(key, len(self.layers) + 2))
        # Texts are filled up to one length. What fills them up is not looked at, nor in the mean.
        is_word = inputs != PADDING
        x = self.words[inputs] + self.places[: inputs.shape[1]]
        x = _dropout(x, self.dropout, keys[0])
        for layer, of_layer in zip(self.layers, keys[2:], strict=True):
            x = layer(x, is_word, self.dropout, of_layer)
        mean = self._mean(self.after(x), is_word)
        return _dropout(mean, self.dropout, keys[1]) @ self.weight + self.bias, state

    @staticmethod
    def _mean(x: Array, is_word: Array) -> Array:
        """Over the words alone; of a text without words, zero."""
        count = jnp.maximum(is_word.sum(-1, keepdims=True), 1).astype(x.dtype)
        return jnp.where(is_word[..., None], x, 0).sum(1) / count

    @property
    def is_random(self) -> bool:
        """Whether anything is left out in training."""
        return self.dropout > 0


def _dropout(x: Array, share: float, key: jax.Array | None) -> Array:
    return x if key is None or share == 0 else apply_dropout(x, share, key)
