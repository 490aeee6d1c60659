"""Policies of several seeds side by side, each trained as if it were alone."""

import dataclasses
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from descend.engine.interruption import interrupts
from descend.engine.many import on_threads
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.observers import EndObserver, Observer, Progress
from descend.rl._result import Result
from descend.rl._training import Training
from descend.rl.backends import JaxBackend
from descend.training import Result as Descended
from descend.training import Trainer

# How long after another one failed, or Ctrl-C, a training may go on.
POLL_SECONDS = 0.5


def train_population(
    training: Training, seeds: Iterable[int], observers: Sequence[Observer],
    checkpoint: str | Path | Checkpoint | None, **asked: Any,
) -> Result:  # fmt: skip
    """What came of a training for each of the seeds, each on a thread of its own; Ctrl-C ends all of them."""
    numbers = _distinct(training, seeds)
    board = PopulationProgress(len(numbers), observers)
    members = [dataclasses.replace(training, seed=number) for number in numbers]
    # All begin before one goes on: what is refused, is refused before anything was trained. They share a program, as
    # their losses and rules are equal, and take it further on threads, which XLA's computations let run beside each
    # other.
    trainers = [member.begin(observers=[partial(board.tell, i)], checkpoint=_own(checkpoint, member.seed), **asked)
                for i, member in enumerate(members)]  # fmt: skip
    with ExitStack() as stack:
        for observer in observers:
            if isinstance(observer, AbstractContextManager):
                stack.enter_context(observer)
        interrupted = stack.enter_context(interrupts())

        def drive(trainer: Trainer) -> Descended:
            with trainer:
                while trainer.advance(seconds=POLL_SECONDS).reason is None and not interrupted.is_set():
                    pass
            result = trainer.result()
            board.ended(result)
            return result

        def ended(member: Training, trainer: Trainer) -> Result:
            try:
                return member.finish(trainer, drive)
            except BaseException:
                # What one cannot do, the others need not go on with: there would be no result of all.
                interrupted.set()
                raise

        return Result.of(on_threads(ended, members, trainers))


class PopulationProgress:
    """What observers are told of several descents, once each has begun: how far the one is that has come least far,
    with the last entries of all, and the median of each of their validations."""

    def __init__(self, count: int, observers: Sequence[Observer]):
        self._lock, self._observers = threading.Lock(), observers
        self._told: list[Progress | None] = [None] * count

    def tell(self, number: int, progress: Progress) -> None:
        """Take in how far one of them is, and tell of all, if it is the last."""
        with self._lock:
            self._told[number] = progress
            told = [each for each in self._told if each is not None]
            going = [each for each in told if each.reason is None]
            last = min(going, key=lambda each: each.step, default=progress)
            # The one that is least far speaks for all, so that progress and the time that is left never jump back.
            if len(told) == len(self._told) and last is progress:
                of = lambda what, name: np.array([getattr(each, what).get(name, np.nan) for each in told])
                latest = {name: of("latest", name) for name in progress.latest}
                validation = {name: float(np.median(of("validation", name))) for name in progress.validation}
                for observer in self._observers:
                    observer(dataclasses.replace(progress, latest=latest, validation=validation))

    def ended(self, result: Descended) -> None:
        """Tell what came of one of them."""
        with self._lock:
            for observer in self._observers:
                if isinstance(observer, EndObserver):
                    observer.ended(result)


def _distinct(training: Training, seeds: Iterable[int]) -> list[int]:
    numbers = [int(seed) for seed in seeds]
    if not numbers or len(set(numbers)) < len(numbers):
        raise InputError(f"seeds must be different from each other, and at least one, but are {numbers}")
    if not isinstance(training.backend, JaxBackend):
        raise InputError(f"{training.backend.name} is played on the host, where policies cannot be trained side by "
                         "side: train one seed after the other, seed=")
    if training.network is not None:
        raise InputError("network= is given, but several seeds need a network of each: train one after the other")
    return numbers


def _own(checkpoint: str | Path | Checkpoint | None, seed: int) -> Checkpoint | None:
    """A member's own checkpoint, beside the others'."""
    if checkpoint is None:
        return None
    given = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(Path(checkpoint))
    return dataclasses.replace(given, path=given.path.with_stem(f"{given.path.stem}-{seed}"))
