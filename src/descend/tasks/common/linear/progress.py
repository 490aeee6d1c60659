"""The progress of the fits of `descend.linear`: observers are told of it, and it ends when that is asked for."""

import time
from collections.abc import Sequence
from typing import Any

from descend.engine.interruption import Interruption
from descend.observers import Observer, Progress
from descend.stopping import Best, Reason

SECONDS_BETWEEN_LOOKS = 0.1


class ProgressCallback:
    """A callback of scikit-learn's for a series of fits, which begins now and may take `limit` seconds.

    `interrupted`: is set by Ctrl-C, or SIGTERM. `gaps`: the duality gap after each iteration, until it is cleared.
    `ahead`: how many iterations will follow those of the fits so far in any case.
    """

    def __init__(self, observers: Sequence[Observer], limit: float | None, interrupted: Interruption):
        self._observers, self._limit, self._interrupted = observers, limit, interrupted
        self._begin = self._told = time.perf_counter()
        self._cut = False
        self._iterations = 0
        self._ticked, self._longest = self._begin, 0.0
        self._latest: dict[str, Any] = {}
        self._validation: dict[str, float] = {}
        self.gaps: list[float] = []
        self.ahead = 0.0

    @property
    def seconds(self) -> float:
        """Since the begin."""
        return time.perf_counter() - self._begin

    def asks_for_the_end(self) -> bool:
        """Whether to end before it is done: after Ctrl-C, or because the time is up, as far as another iteration of the
        length of the longest so far, and `ahead` more, would take."""
        needed = (1 + self.ahead) * self._longest
        up = self._limit is not None and self.seconds + needed >= self._limit
        self._cut = self._cut or up or self._interrupted.is_set()
        return self._cut

    def validated(self, **values: float) -> None:
        """Take in what the last penalty came to on rows not trained on."""
        self._validation = values

    def ended(self, reason: Reason) -> Reason:
        """Tell observers that this is the end, and why: `reason`, if it was not cut short."""
        if self._interrupted.is_set():
            evidence = f"{self._interrupted.by} after {self._iterations} iterations"
            reason = Reason("interrupted", evidence, self._iterations)
        elif self._cut:
            evidence = f"the {self._limit:g} seconds were used up after {self._iterations} iterations"
            reason = Reason("budget", evidence, self._iterations)
        self._tell(reason)
        return reason

    def setup(self, estimator: Any, context: Any) -> None:
        """A fit begins."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """A fit has ended."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """An iteration, or a fit, begins."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        """It has ended; whether all is to end."""
        if context.task_name != "iteration":
            return False
        self._iterations += 1
        now = time.perf_counter()
        # What is imported and compiled for the first one is not for the others, and would make the end seem near.
        self._longest, self._ticked = max(self._longest, now - self._ticked) if self._iterations > 1 else 0.0, now
        self.gaps.append(fitted_estimator.duality_gap_)
        self._latest = {"loss": fitted_estimator.loss_curve_[-1], "duality_gap": fitted_estimator.duality_gap_}
        # Iterations may take less than a millisecond, and a terminal more to draw.
        if time.perf_counter() >= self._told + SECONDS_BETWEEN_LOOKS:
            self._told = time.perf_counter()
            self._tell(None)
        return self.asks_for_the_end()

    def _tell(self, reason: Reason | None) -> None:
        seconds = self.seconds
        progress = Progress(
            step=self._iterations,
            steps=None,
            epoch=self._epoch(),
            latest=self._latest,
            validation=self._validation,
            best=Best(),
            seconds=seconds,
            steps_per_second=self._iterations / max(seconds, 1e-9),
            eta=None if self._limit is None else max(self._limit - seconds, 0.0),
            reason=reason,
        )
        for observer in self._observers:
            observer(progress)

    def _epoch(self) -> float | None:
        """How often all rows were seen, where that is counted."""
        return None
