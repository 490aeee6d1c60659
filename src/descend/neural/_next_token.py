"""What a language model is trained to lower, by which rule, and how it is judged."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from descend._numbers import mix, ramp, real, smooth
from descend.errors import InputError
from descend.neural._gpt import GPT, token_losses
from descend.neural._half_precision import in_half
from descend.neural._network import padded
from descend.neural.corpus import validation_windows
from descend.neural.filed_tokens import Tokens
from descend.optimizers import Adam, Optimizer
from descend.optimizers.modifiers import ClipByNorm, WeightDecay
from descend.schedules import Rate, Schedule, setting

# At the most, between which a validation's windows are spread. Losses of tokens spread by some 2 nats, so that the mean
# of so many is known to about .01.
VALIDATION_TOKENS = 2**15
# How many are judged at a time, so that one program serves texts of any length, and in little memory.
BLOCK_TOKENS = 2**12
# What weight decay is for: matrices. To pull the scales of norms to 0 would be to take the layers away.
DECAYED = ("tokens", "positions", "*/qkv", "*/out", "*/up", "*/down")
# Of the steps, in which the rate rises; and of the highest rate, at the end.
WARMUP_SHARE, FINAL_RATE_SHARE = 0.05, 0.1


@dataclass(frozen=True)
class NextToken:
    """The mean cross-entropy of the tokens that follow. `half`: whether the network computes in bfloat16."""

    half: bool = False

    def __call__(self, network: GPT, batch: tuple[Array, Array]) -> Array:
        """The loss of a batch of windows."""
        return self.value(network, batch, None)

    def value(self, network: GPT, batch: tuple[Array, Array], key: jax.Array | None) -> Array:
        """The loss of a batch in training."""
        inputs, targets = batch
        if self.half:
            network = in_half(network)
        scores = network.scores(network.hidden(inputs, key)).astype(jnp.float32)
        return jnp.mean(token_losses(scores, targets))


class RandomNextToken(NextToken):
    """The same for networks with dropout."""

    def __call__(self, network: GPT, batch: tuple[Array, Array], key: jax.Array | None = None) -> Array:
        """The loss of a batch of windows."""
        return self.value(network, batch, key)


def mean_loss(network: GPT, tokens: Tokens, most: int | None = None) -> float:
    """The mean loss of each token in a stream, from those in a window before it; of `most` of them, spread evenly."""
    length = network.shape.context
    inputs, targets, counts = validation_windows(tokens, length, most)
    block = max(1, min(BLOCK_TOKENS // length, len(inputs)))
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
    timing the compiled program does not have it compiled again. It is the descent's, if it is left open."""

    initial: Rate
    steps: Rate | None = None

    def __call__(self, step: Rate) -> Rate:
        if self.steps is None:
            raise InputError(f"{self} does not know its length: give steps=, epochs= or seconds=")
        warmup = WARMUP_SHARE * self.steps
        rate = mix(self.initial, FINAL_RATE_SHARE * self.initial, smooth(ramp(step - warmup, self.steps - warmup)))
        return rate * jnp.minimum((real(step) + 1) / warmup, 1.0)

    @property
    def length(self) -> int | None:
        return None if self.steps is None else round(float(self.steps))

    def over(self, steps: int | None) -> Schedule:
        return self if self.steps is not None or steps is None else Annealed(self.initial, float(steps))


def default_optimizer(learning_rate: float, learned_positions: bool) -> Optimizer:
    """AdamW for matrices, Adam for the rest, in steps that one bad batch cannot make long."""
    where = tuple(name for name in DECAYED if learned_positions or name != "positions")
    # β₂ of .99, as nanoGPT has it for characters, between the .95 of large GPTs and Adam's .999.
    rule = Adam(Annealed(learning_rate), beta2=0.99)
    return ClipByNorm(WeightDecay(rule, 0.1, where), 1.0)
