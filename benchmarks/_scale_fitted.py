"""The cost model's numbers, from what `python -m benchmarks scale` has measured and kept in `RESULTS.md`.

Fitted on the smallest batch of each workload. Judged on all larger ones, which no number has seen.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from benchmarks._scale_costs import Network, Workload, ring
from benchmarks._scale_processes import CASES, Case

RESULTS = Path(__file__).with_name("RESULTS.md")
Shapes = list[tuple[int, ...]]
# What a step adds up, in each of its compiled programs: the gradient of each array of parameters, and the loss. A GPT's
# embedding is used twice, and both of its gradients are added up by themselves.
LAYER: Shapes = [(192, 64), (64, 64), (64,), (256, 64), (64, 256), (64,)]
SUMMED: dict[str, Shapes] = {
    "small": [(64, 32), (32,), (32, 10), (10,), ()],
    "large": [(784, 512), (512,), (512, 512), (512,), (512, 10), (10,), ()],
    "gpt": [(128, 64), (128, 64), (64,), *LAYER, *LAYER, ()],
}


@dataclass(frozen=True)
class Measured:
    """Seconds of a step: of `two` processes, and of one of one core with `all` of the rows, and with `half` of them.

    `former`: by the model of `scale`, half of the batch and one sum of all numbers.
    """

    case: Case
    two: float
    all: float
    half: float
    former: float

    @property
    def communication(self) -> float:
        """What two processes take longer than their halves."""
        return self.two - self.half


def measured(text: str) -> Iterator[Measured]:
    """All cases, of the results' text."""
    section = text.split("\n## scale\n", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]
    row = {tuple(found[:3]): (float(found[4]), float(found[5])) for found in cells
           if len(found) == 7 and re.match(r"[\d.]", found[4])}
    for case in CASES:
        two, former = row[case.title, "the model: half a batch, and a sum", "a step"]
        lost = row[case.title, "the model", "lost to communication"][1]
        rows_a_second = row[case.title, "one process of one core", "throughput"][1]
        yield Measured(case, two / 1e3, case.batch / rows_a_second, (1 - lost) * former / 1e3, former / 1e3)


@dataclass(frozen=True)
class Model:
    """A workload for each name, and the network that these processes met over."""

    workloads: dict[str, Workload]
    network: Network

    def step(self, case: Case) -> float:
        """Of two processes."""
        work = self.workloads[case.workload]
        return work.alone(case.batch / 2) + ring(self.network, 2, work.size, work.arrays)


def fitted(cases: Sequence[Measured]) -> Model:
    """On the first case of each workload, which has its smallest batch."""
    first = {case.case.workload: case for case in reversed(cases)}
    size = {name: 4 * sum(int(np.prod(shape)) for shape in SUMMED[name]) for name in first}
    # Of two processes, a ring takes 2α for each array, and 1/β for each byte.
    alpha, inverse = _least([(2 * len(SUMMED[name]), size[name]) for name in first],
                            [one.communication for one in first.values()])
    workloads = {}
    for name, one in first.items():
        rows = one.case.batch
        fixed, each = _least([(1, rows), (1, rows / 2)], [one.all, one.half])
        title = one.case.title.split(", batch")[0]
        workloads[name] = Workload(title, fixed, each, len(SUMMED[name]), size[name])
    return Model(workloads, Network("as measured: gloo, one machine", alpha, 1 / inverse))


def _least(features: Sequence[tuple[float, float]], seconds: Sequence[float]) -> tuple[float, float]:
    """The two numbers, not negative, with the least sum of squared relative errors."""
    scale = np.max(np.abs(features), axis=0)
    found, _ = nnls(np.asarray(features) / scale / np.asarray(seconds)[:, None], np.ones(len(seconds)))
    return float(found[0] / scale[0]), float(found[1] / scale[1])
