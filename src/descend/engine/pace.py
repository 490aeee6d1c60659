"""How many steps to dispatch at a time, and whether in a compiled loop or one by one: both found by measuring."""

import dataclasses
import time
from collections.abc import Callable

import jax

from descend._processes import Processes
from descend.engine.run import Run, advance

# Seconds: long enough for Python to cost nothing, short enough for progress and Ctrl-C.
DISPATCH_SECONDS = 0.1
# Of several processes, which meet after each.
SHARED_SECONDS = 0.5
# Seconds of a step, below which dispatching one by one cannot win.
SLOW_STEP_SECONDS = 0.002
# How much faster one by one must be: near one, noise would decide.
CLEAR_SPEEDUP = 1.5


class Pace:
    """The number of steps that take about a tenth of a second; or longer, where a dispatch by itself takes some."""

    def __init__(self, seconds: float | None = None) -> None:
        self.size = 1
        self._seconds = DISPATCH_SECONDS if seconds is None else seconds
        self._dispatches = 0

    def within(self, seconds: float) -> int:
        """How many steps take no longer than these seconds, and no longer than a dispatch has."""
        return self.size if seconds >= self._seconds else max(1, int(self.size * seconds / self._seconds))

    def record(self, steps: int, seconds: float) -> None:
        """Learn from a dispatch. The first compiled the program, and says nothing of the steps."""
        self._dispatches += 1
        if self._dispatches > 1 and steps:
            wanted = self._seconds * steps / max(seconds, 1e-9)
            self.size = max(1, min(int(wanted), 16 * self.size))


def with_best_dispatch(run: Run, is_over: Callable[[], bool], processes: Processes) -> Run:
    """The run, set to dispatch step by step if that is clearly faster here, by the clock of the first of its processes.

    Slow steps are tried both ways, from the same run, and what they compute is thrown away; in a loop alone, where it
    `is_over` then.
    """
    stepwise = dataclasses.replace(run, descent=dataclasses.replace(run.descent, stepwise=True))
    seconds = lambda run: processes.agreed(_seconds(lambda: advance(run, 1)))
    in_loop = seconds(run)
    if in_loop < SLOW_STEP_SECONDS or is_over() or in_loop < CLEAR_SPEEDUP * seconds(stepwise):
        return run
    return stepwise


def _seconds(step: Callable[[], tuple[Run, object]]) -> float:
    """The seconds of a step that is compiled already; the less disturbed of two."""
    jax.block_until_ready(step()[0].state)
    times = []
    for _ in range(2):
        begin = time.perf_counter()
        jax.block_until_ready(step()[0].state)
        times.append(time.perf_counter() - begin)
    return min(times)
