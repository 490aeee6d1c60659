"""What looks on while a language model learns: it judges, has it write, and notes how long is to be learnt."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from descend._files import write_atomically
from descend.errors import InputError
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
        if self._pending is not None:
            self.samples.append(Sample(progress.step, progress.validation["loss"], self._pending))
            self._pending = None


class PlanWriter:
    """Writes down how many steps are to be made, once the other observers are there: they may still refuse it."""

    def __init__(self, plan: Path | None, steps: int):
        self._plan, self._steps = plan, steps

    def __enter__(self) -> "PlanWriter":
        if self._plan:
            try:
                write_atomically(self._plan, json.dumps({"steps": self._steps}).encode())
            except OSError as error:
                raise InputError(f"{self._plan} cannot be written ({error.strerror}): make room, or name another place"
                                 ) from None
        return self

    def __exit__(self, *_: Any) -> None:
        """Nothing is left open."""

    def __call__(self, progress: Progress) -> None:
        """Nothing to do."""
