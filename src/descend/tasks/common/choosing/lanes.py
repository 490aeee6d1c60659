"""Candidates that are trained beside each other, or one after the other, as far as the time goes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable
from warnings import catch_warnings, filterwarnings, simplefilter

from descend.engine.interruption import Interruption
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.examples import Prepared
from descend.tasks.common.fitted import Trained
from descend.tasks.common.settings import Settings
from descend.tasks.common.task import Observers

P = TypeVar("P", bound=Prepared)
P_contra = TypeVar("P_contra", bound=Prepared, contravariant=True)


@runtime_checkable
class Trainable(Protocol[P_contra]):
    """What is trained: `name`, `fit`, and the file that its training is saved in."""

    @property
    def name(self) -> str: ...

    def fit(self, prepared: P_contra, context: TrainingContext) -> Trained: ...

    def checkpoint_in(self, folder: Path | None) -> Path | None: ...


@dataclass(frozen=True)
class Lanes(Generic[P]):
    """What the candidates have in common."""

    prepared: P
    settings: Settings
    observers: Observers
    checkpoints: Path | None
    resume: bool
    interrupted: Interruption

    def side_by_side(
        self, aside: Sequence[Trainable[P]], others: Sequence[Trainable[P]]
    ) -> list[list[Trained]]:
        """Those that run aside, on a thread of their own, and the others on this one, to which Ctrl-C comes.

        They share nothing but cores. What is trained here is compiled and computed by what leaves Python alone for
        long, so that the two threads hardly wait for each other.
        """
        if not aside:
            return [self.in_turn(others)]
        with ThreadPoolExecutor(1, "descend.tasks") as pool:
            beside: Future[list[Trained]] = pool.submit(self.in_turn, aside)
            try:
                here = self.in_turn(others)
                return [beside.result(), here]
            except BaseException:
                # So that nobody waits for the other thread.
                self.interrupted.set()
                raise

    def in_turn(self, candidates: Sequence[Trainable[P]]) -> list[Trained]:
        """The candidates one after the other, as far as the time goes; the second has what the first left."""
        trained: list[Trained] = []
        for number, candidate in enumerate(candidates):
            spent, limit = sum(each.seconds for each in trained), self.settings.seconds
            seconds = None if limit is None else (limit - spent) / (len(candidates) - number)
            if seconds is not None and seconds <= 0:
                break
            trained.append(candidate.fit(self.prepared, self.context(candidate, seconds)))
            if trained[-1].reason.name == "interrupted":
                break
        return trained

    def context(self, candidate: Trainable[P], seconds: float | None) -> TrainingContext:
        """What a candidate goes by."""
        file = candidate.checkpoint_in(self.checkpoints)
        observers = self.observers(candidate.name)
        return TrainingContext(self.settings, self.interrupted, seconds, observers, file, self.resume)


@contextmanager
def without_warnings() -> Iterator[None]:
    """A context without warnings of promises that were not kept, as the certificate says so, and of many classes.

    For the main thread, as filters are those of the process: what others warn of, such as a full disk, must be heard.
    """
    # scikit-learn takes half a second to import.
    from sklearn.exceptions import ConvergenceWarning

    with catch_warnings():
        for category in (ConvergenceWarning, RuntimeWarning):
            simplefilter("ignore", category)
        filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield
