"""Flax with Optax as a learner: a compiled step that takes over the buffers of the one before."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen
from flax.training.train_state import TrainState

from benchmarks._learners import RATE, Problem
from descend.neural._gpt import GPT, LAYER_NORM_EPS


class Flax:
    """The documented loop of Linen, over batches that are on the device already."""

    name = "Flax + Optax"

    def __init__(self, problem: Problem):
        start = problem.start
        model = Model(start.shape) if isinstance(start, GPT) else Layered([W.shape for W, _ in problem.layers])
        self._batches = problem.batches(jnp.asarray)
        params = model.init(jax.random.key(0), self._batches[0][0])["params"]
        if not isinstance(start, GPT):
            params = {name: {"kernel": jnp.array(W), "bias": jnp.array(b)}
                      for name, (W, b) in zip(params, problem.layers, strict=True)}
        self._start = TrainState.create(apply_fn=model.apply, params=params, tx=optax.adam(RATE))
        self._scores = jax.jit(model.apply)
        self.restart()

    def restart(self) -> None:
        """Go back to the first weights."""
        self._state = jax.tree.map(jnp.copy, self._start)
        self._made = 0

    def train(self, steps: int) -> None:
        """Make some steps."""
        for i in range(self._made, self._made + steps):
            self._state = _step(self._state, *self._batches[i % len(self._batches)])
        self._made += steps
        jax.block_until_ready(self._state)

    def scores(self, inputs: np.ndarray) -> Any:
        """What the network makes of inputs."""
        return self._scores({"params": self._state.params}, inputs)


@partial(jax.jit, donate_argnums=0)
def _step(state: TrainState, inputs: jax.Array, targets: jax.Array) -> TrainState:
    def loss(params: Any) -> jax.Array:
        scores = state.apply_fn({"params": params}, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(scores, targets).mean()

    return state.apply_gradients(grads=jax.grad(loss)(state.params))


class Layered(linen.Module):
    """A perceptron, or LeNet, by the shapes of its weights."""

    shapes: list[tuple[int, ...]]

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, (*window, inputs, outputs) in enumerate(self.shapes):
            if window:
                x = linen.Conv(outputs, window, padding=2 if inputs == 1 else "VALID")(x)
                x = linen.max_pool(linen.relu(x), (2, 2), (2, 2))
            else:
                x = linen.Dense(outputs)(x.reshape(len(x), -1))
                x = linen.relu(x) if i < len(self.shapes) - 1 else x
        return x


class Model(linen.Module):
    """Our GPT, with weights of its own from the same distributions."""

    shape: Any

    @linen.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        shape, normal = self.shape, linen.initializers.normal
        small = normal(0.02 / np.sqrt(2 * shape.layers))
        table = linen.Embed(shape.vocabulary, shape.width, embedding_init=normal(0.02))
        norm = partial(linen.LayerNorm, epsilon=LAYER_NORM_EPS, use_bias=False)
        dense = partial(linen.Dense, use_bias=False)
        x = table(tokens) + self.param("positions", normal(0.02), (shape.context, shape.width))
        seen = linen.make_causal_mask(tokens)
        for _ in range(shape.layers):
            x += linen.MultiHeadDotProductAttention(
                shape.heads, use_bias=False, kernel_init=normal(0.02), out_kernel_init=small
            )(norm()(x), mask=seen)
            inner = linen.gelu(dense(4 * shape.width, kernel_init=normal(0.02))(norm()(x)), approximate=False)
            x += dense(shape.width, kernel_init=small)(inner)
        return table.attend(norm()(x))
