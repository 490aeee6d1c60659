"""The progress of looks and passes over rows, of which observers are told."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from descend.engine.interruption import Interruption
from descend.observers import Observer, Progress
from descend.stopping import Best
from descend.tasks.common.linear.progress import SECONDS_BETWEEN_LOOKS, ProgressCallback


class Looking:
    """A look over so many rows, if that is known; each call tells of more that were read. It ends with the last."""

    def __init__(self, observers: Sequence[Observer], rows: int | None = None):
        self._observers, self._rows, self._seen = observers, rows, 0
        self._begin = self._told = time.perf_counter()
        self._stack = ExitStack()

    def __enter__(self) -> "Looking":
        for observer in self._observers:
            if isinstance(observer, AbstractContextManager):
                self._stack.enter_context(observer)
        self._tell()
        return self

    def __exit__(self, *error: Any) -> None:
        # Of a short look, nothing was told so far.
        self._tell()
        self._observers = ()
        self._stack.close()

    def __call__(self, rows: int) -> None:
        self._seen += rows
        if time.perf_counter() >= self._told + SECONDS_BETWEEN_LOOKS:
            self._told = time.perf_counter()
            self._tell()
        if self._rows is not None and self._seen >= self._rows:
            self.__exit__()

    def _tell(self) -> None:
        seconds = time.perf_counter() - self._begin
        pace = self._seen / max(seconds, 1e-9)
        eta = None if self._rows is None or not self._seen else (self._rows - self._seen) / max(pace, 1e-9)
        for observer in self._observers:
            observer(Progress(self._seen, self._rows, None, {}, {}, Best(), seconds, pace, eta, None))


class Passes(ProgressCallback):
    """The progress of a linear fit, with the passes over so many rows; it is told of those that were read."""

    def __init__(self, observers: Sequence[Observer], limit: float | None, interrupted: Interruption, rows: int):
        super().__init__(observers, limit, interrupted)
        self._rows, self._read = rows, 0

    def read(self, rows: int) -> None:
        """Take in that so many more rows were read."""
        self._read += rows
        if time.perf_counter() >= self._told + SECONDS_BETWEEN_LOOKS:
            self._told = time.perf_counter()
            self._tell(None)

    def _epoch(self) -> float:
        return self._read / self._rows


