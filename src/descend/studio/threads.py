"""Threads that answer, one for each lane, made when they are first needed."""

from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any


class Threads(dict[str, Executor]):
    """Executors of one thread each, by the name of their lane. What waits is dropped when they are closed."""

    def __missing__(self, lane: str) -> Executor:
        self[lane] = ThreadPoolExecutor(1, f"studio-{lane}")
        return self[lane]

    def __enter__(self) -> "Threads":
        return self

    def __exit__(self, *_: Any) -> None:
        for thread in self.values():
            thread.shutdown(cancel_futures=True)
