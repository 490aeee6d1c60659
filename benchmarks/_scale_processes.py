"""Two processes that share two cores, beside one process of one core and one of two, on the same batches."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from benchmarks._rows import Row
from benchmarks._scale_process import ANSWER

REPEATS, SECONDS = 3, 0.7
FIRST, SECOND, BOTH = "0", "1", "0,1"


class Case(NamedTuple):
    """A workload in the words of a table, its name, and how many examples a step has."""

    title: str
    workload: str
    batch: int


CASES = (
    Case("perceptron 64-32-10, batch 64", "small", 64),
    Case("perceptron 784-512-512-10, batch 64", "large", 64),
    Case("perceptron 784-512-512-10, batch 512", "large", 512),
    Case("perceptron 784-512-512-10, batch 4,096", "large", 4096),
    Case("GPT of 2 layers, batch 16 x 64", "gpt", 16),
    Case("GPT of 2 layers, batch 128 x 64", "gpt", 128),
)


class Stepping:
    """Processes that step together, when they are told to."""

    def __init__(self, case: Case, *cores: str, batch: int | None = None) -> None:
        with socket.socket() as opened:
            opened.bind(("127.0.0.1", 0))
            port = opened.getsockname()[1]
        many = len(cores) > 1
        self._each = [self._started(case.workload, batch or case.batch, mine,
                                    f"{index} {len(cores)} {port}" if many else "") for index, mine in enumerate(cores)]
        self._answers()  # that they are ready
        # As many steps as take the time.
        self.steps = 4
        self.steps = max(4, int(1e3 * SECONDS / self.milliseconds()))

    @staticmethod
    def _started(workload: str, batch: int, cores: str, member: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "benchmarks._scale_process", workload, str(batch), cores, member]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Stepping":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._each:
            if process.stdin:
                process.stdin.close()
        for process in self._each:
            process.wait()

    def milliseconds(self) -> float:
        """Of a step."""
        return self._told(str(self.steps))

    def reduction(self) -> float:
        """Milliseconds to add up as many numbers as there are parameters."""
        return self._told("reduce")

    def _told(self, line: str) -> float:
        for process in self._each:
            assert process.stdin
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        return max(self._answers())

    def _answers(self) -> list[float]:
        return [next(float(line.removeprefix(ANSWER)) for line in process.stdout if line.startswith(ANSWER))
                for process in self._each if process.stdout]


def rows() -> Iterator[Row]:
    """Each case."""
    for case in CASES:
        yield from _measured(case)


def _measured(case: Case) -> Iterator[Row]:
    with ExitStack() as stack:
        enter = lambda *cores, batch=None: stack.enter_context(Stepping(case, *cores, batch=batch))
        two, apart, both, one = enter(BOTH, BOTH), enter(FIRST, SECOND), enter(BOTH), enter(FIRST)
        half = enter(FIRST, batch=case.batch // 2)
        stepping = (two, apart, both, one, half)
        times = _in_turns((*(each.milliseconds for each in stepping), two.reduction))
    of_two, of_apart, of_both, of_one, of_half, reduction = times
    per_second = lambda milliseconds: 1e3 * case.batch / milliseconds
    for peer, milliseconds in (("one process of two cores", of_both), ("one process of one core", of_one)):
        yield Row(case.title, peer, "throughput", "examples/s", per_second(of_two), per_second(milliseconds))
    yield Row(case.title, "the two with a core each", "a step", "ms", of_two, of_apart)
    # A step is half of the examples, and a sum of all gradients.
    yield Row(case.title, "the model: half a batch, and a sum", "a step", "ms", of_two, of_half + reduction)
    yield Row(case.title, "the model", "lost to communication", "share", 1 - of_half / of_two,
              reduction / (of_half + reduction))


def _in_turns(contestants: Sequence[Callable[[], float]]) -> list[float]:
    """The median of each, measured one after the other, so that a drifting machine is fair to all."""
    turns = [[contestant() for contestant in contestants] for _ in range(REPEATS)]
    return [median(turn[i] for turn in turns) for i in range(len(contestants))]
