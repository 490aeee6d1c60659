"""What a language model is trained to lower, by which rule, and how it is judged."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._numbers import mix, ramp, real, smooth
from descend.engine.run import Run, advance
from descend.neural._corpus import tiled
from descend.neural._gpt import GPT, token_losses
from descend.neural._half import in_half
from descend.neural._network import padded
from descend.optimizers import Adam, Optimizer
from descend.optimizers.modifiers import ClipByNorm, WeightDecay
from descend.schedules import Rate, Schedule, setting

JUDGED = 2**15  # tokens at the most, between which a validation's windows are spread
AT_A_TIME = 2**12  # tokens
MATRICES = ("tokens", "positions", "*/qkv", "*/out", "*/up", "*/down")
WARMUP, FLOOR = 0.05, 0.1  # of the steps, in which the rate rises; of the highest rate, at the end
CLEAR = 0.7  # seconds of steps, from which their pace is known
SPARE = 0.92  # of the time, for which steps are planned: the rest is for validation, and for a machine with other work


@dataclass(frozen=True)
class NextToken:
    """The mean cross-entropy of the tokens that follow. `half`: whether the network computes in bfloat16."""

    half: bool = False

    def __call__(self, network: GPT, batch: tuple[Array, Array]) -> Array:
        """The loss of a batch of windows."""
        return self.value(network, batch, None)

    def value(self, network: GPT, batch: tuple[Array, Array], key: Any) -> Array:
        """The loss of a batch in training."""
        inputs, targets = batch
        if self.half:
            network = in_half(network)
        scores = network.scores(network.hidden(inputs, key)).astype(jnp.float32)
        return jnp.mean(token_losses(scores, targets))


class RandomNextToken(NextToken):
    """The same for networks with dropout."""

    def __call__(self, network: GPT, batch: tuple[Array, Array], key: Any = None) -> Array:
        """The loss of a batch of windows."""
        return self.value(network, batch, key)


def mean_loss(network: GPT, tokens: np.ndarray, most: int | None = None) -> float:
    """The mean loss of each token in a stream, from those in a window before it; of `most` of them, spread evenly."""
    length = network.shape.context
    inputs, targets, counts = tiled(tokens, length, most)
    block = max(1, min(AT_A_TIME // length, len(inputs)))
    total = 0.0
    for start in range(0, len(inputs), block):
        i, t, c = padded((inputs, targets, counts), start, block)
        c[len(inputs) - start :] = 0
        total += float(_summed(network, jnp.asarray(i), jnp.asarray(t), jnp.asarray(c)))
    return total / float(counts.sum())


@eqx.filter_jit
def _summed(network: GPT, inputs: Array, targets: Array, counts: Array) -> Array:
    return jnp.sum(token_losses(network.scores(network.hidden(inputs)), targets) * counts)


@setting
class Annealed(Schedule):
    """`Cosine` down to a tenth, with a warm-up of a twentieth, whose length is a leaf: so a length that is found out by
    timing the compiled program does not have it compiled again."""

    initial: Rate
    steps: Rate

    def __call__(self, step: Any) -> Rate:
        warmup = WARMUP * self.steps
        rate = mix(self.initial, FLOOR * self.initial, smooth(ramp(step - warmup, self.steps - warmup)))
        return rate * jnp.minimum((real(step) + 1) / warmup, 1.0)


def recipe(learning_rate: float, steps: float, learned_positions: bool) -> Optimizer:
    """AdamW for matrices, Adam for the rest, in steps that one bad batch cannot make long."""
    where = tuple(name for name in MATRICES if learned_positions or name != "positions")
    rule = Adam(Annealed(learning_rate, float(steps)), beta2=0.99)
    return ClipByNorm(WeightDecay(rule, 0.1, where), 1.0)


def planned_steps(run: Run, left: Callable[[], float]) -> int:
    """How many steps to make in the seconds that are left, by the time that some take on a copy of the run."""
    jax.block_until_ready(advance(run, 1)[0].state)  # compiles
    count, took = 1, 0.0
    while took < min(CLEAR, left()):
        count *= 2
        begin = time.perf_counter()
        jax.block_until_ready(advance(run, count)[0].state)
        took = time.perf_counter() - begin
    return max(1, round(SPARE * left() * count / took)) if took else 1
