"""What looks on while a language model learns: it judges, and has it write."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np

from descend.neural._gpt import GPT
from descend.neural._next_token import VALIDATION_TOKENS, mean_loss
from descend.neural._sampling import generate
from descend.neural.filed_tokens import Tokens, cut
from descend.observers import Progress


@dataclass(frozen=True)
class Sample:
    """What a model wrote after some steps, and its validation loss then."""

    step: int
    loss: float
    text: str


class ValidationSamples:
    """Judges a network on what was held out, has it write so many tokens, which `decode` makes text of, and remembers
    after which step that was."""

    def __init__(self, held_out: Tokens, length: int, decode: Callable[[np.ndarray], str]):
        self.samples: list[Sample] = []
        self.tokens = min(len(held_out) * 2, VALIDATION_TOKENS)
        self._held_out, self._length, self._decode = held_out, length, decode
        self._pending: str | None = None

    def judge(self, network: GPT) -> float:
        """The loss on what was held out."""
        if self._length:
            first = cut(self._held_out, np.zeros(1, int), 1)[0]
            self._pending = self._decode(generate(network, first, self._length, jax.random.key(0)))
        return mean_loss(network, self._held_out, VALIDATION_TOKENS)

    def __call__(self, progress: Progress) -> None:
        """Note the step that a validation belongs to: the next report is made after it."""
        # What was judged to find out how long that takes belongs to no step.
        if self._pending is not None and progress.validation:
            self.samples.append(Sample(progress.step, progress.validation["loss"], self._pending))
            self._pending = None
