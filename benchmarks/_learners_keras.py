"""Keras on JAX as a learner: `fit`, with many steps between two looks at its callbacks."""

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from keras import layers

from benchmarks._learners import RATE, Problem
from descend.neural._gpt import GPT, LAYER_NORM_EPS, Shape

AT_ONCE = 32  # steps


class Keras:
    """The documented way to train, on arrays in memory."""

    name = "Keras on JAX"

    def __init__(self, problem: Problem):
        self._stream, self._batch, self._steps = problem.stream, problem.batch, problem.steps
        start = problem.start
        self._model = _gpt(start.shape) if isinstance(start, GPT) else _layered(problem)
        self._start = self._model.get_weights()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._model.compile(keras.optimizers.Adam(RATE), loss, steps_per_execution=AT_ONCE)
        self.restart()

    def restart(self) -> None:
        """Go back to the first weights; what the optimizer has gathered is zero again."""
        rule = self._model.optimizer
        self._model.set_weights(self._start)
        for variable in rule.variables:
            if variable is not rule.learning_rate:
                variable.assign(np.zeros(variable.shape, variable.dtype))
        self._made = 0

    def train(self, steps: int) -> None:
        """Make some steps."""
        while steps:
            first = self._made % self._steps
            count = min(steps, self._steps - first)
            x, t = (part[first * self._batch : (first + count) * self._batch] for part in self._stream)
            self._model.fit(x, t, batch_size=self._batch, shuffle=False, verbose=0)
            self._made, steps = self._made + count, steps - count

    def scores(self, inputs: np.ndarray) -> Any:
        """What the network makes of inputs."""
        return self._model.predict(inputs, batch_size=1000, verbose=0)


def _layered(problem: Problem) -> Any:
    """A perceptron, or LeNet, with the first weights."""
    parts: list[Any] = [keras.Input(problem.examples[0].shape[1:])]
    for i, (W, _) in enumerate(problem.layers):
        *window, channels, outputs = W.shape
        if window:
            parts += [layers.Conv2D(outputs, window, padding="same" if channels == 1 else "valid", activation="relu"),
                      layers.MaxPooling2D()]
        else:
            last = i == len(problem.layers) - 1
            parts += [layers.Flatten(), layers.Dense(outputs, activation=None if last else "relu")]
    model = keras.Sequential(parts)
    model.set_weights([array for layer in problem.layers for array in layer])
    return model


def _gpt(shape: Shape) -> Any:
    """Our GPT, with weights of its own from the same distributions."""
    normal = lambda small=1.0: keras.initializers.RandomNormal(stddev=0.02 * small)
    norm = lambda: layers.LayerNormalization(epsilon=LAYER_NORM_EPS, center=False)
    less = (2 * shape.layers) ** -0.5
    tokens = keras.Input((shape.context,), dtype="int32")
    table = layers.ReversibleEmbedding(shape.vocabulary, shape.width, embeddings_initializer=normal())
    places = layers.Embedding(shape.context, shape.width, embeddings_initializer=normal())
    x = table(tokens) + places(keras.ops.arange(shape.context))
    for _ in range(shape.layers):
        inner = norm()(x)
        x = x + layers.MultiHeadAttention(shape.heads, shape.width // shape.heads, use_bias=False,
                                          kernel_initializer=normal())(inner, inner, use_causal_mask=True)
        inner = layers.Dense(4 * shape.width, "gelu", use_bias=False, kernel_initializer=normal())(norm()(x))
        x = x + layers.Dense(shape.width, use_bias=False, kernel_initializer=normal(less))(inner)
    return keras.Model(tokens, table(norm()(x), reverse=True))
