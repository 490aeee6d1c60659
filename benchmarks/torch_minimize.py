"""Modules of plain PyTorch: what the loop of `descend.torch.minimize` costs a step, and how good its rates are.

The networks are LeNet on 6,000 images of Fashion-MNIST, a small GPT and a GRU on characters of Jane Austen
(`_torch_networks.py`). **Speed**: steps per second of `ModuleTrainer.advance`, which records loss, rate and the
gradient's norm, draws batches and keeps a run as a value; beside a plain loop over shuffled indices that records
nothing, with `torch.optim.AdamW(fused=True)`, and with our `TorchOptimizer`, so that the loop alone is compared. They
take turns of equal steps, and the median counts. **Rates**: the loss after equal steps where `optimizer="auto"` found
the rate, beside the best of nine rates, from 10⁻⁴ to 1, with the same rule, schedule and batches; a ratio of .95 is
5 % behind. `train` is the mean loss of the last tenth of the steps, `held out` that on examples that were not seen.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch

import descend
from benchmarks._rows import PAUSE, Row, alternately
from benchmarks._torch_networks import WORKLOADS, Workload
from descend.torch import ModuleTrainer, TorchOptimizer
from descend.training import Result

PACKAGES = ("descend", "torch")
TURN, REPEATS = 40, 15  # steps of a turn, and turns
STEPS = 800  # of a training whose rate is judged
RATES = [10 ** (-4 + i / 2) for i in range(9)]


def rows() -> Iterator[Row]:
    """Speed, then rates, of each network."""
    for workload in WORKLOADS:
        yield from speed(workload)
    for workload in WORKLOADS:
        yield from rates(workload)


def speed(workload: Workload) -> Iterator[Row]:
    """Steps per second of ours and of plain loops."""
    rule = descend.AdamW(1e-3)
    peers: dict[str, Callable[[Any], Any]] = {
        "plain loop, torch.optim.AdamW fused": lambda params: torch.optim.AdamW(params, 1e-3, fused=True),
        "plain loop, TorchOptimizer": lambda params: TorchOptimizer(params, rule),
    }
    data, _ = workload.data()
    trainer = ModuleTrainer.begin(workload.module(), workload.loss, data, optimizer=rule,
                                  batch_size=workload.batch_size, steps=10**6)
    plain = [Plain(workload, data, make) for make in peers.values()]
    contestants = [lambda: trainer.advance(steps=TURN), *(loop.train for loop in plain)]
    ours, *theirs = (TURN / seconds for seconds in alternately(contestants, REPEATS, PAUSE))
    for name, rate in zip(peers, theirs, strict=True):
        yield Row(workload.name, name, "speed", "steps/s", ours, rate)


class Plain:
    """The loop that people write."""

    def __init__(self, workload: Workload, data: Any, make: Callable[[Any], Any]) -> None:
        self._module, self._loss, self._data, self._size = workload.module(), workload.loss, data, workload.batch_size
        self._optimizer = make(self._module.parameters())
        self._order: Iterator[torch.Tensor] = iter(())

    def train(self) -> None:
        """Make some steps."""
        for _ in range(TURN):
            chosen = self._chosen()
            self._optimizer.zero_grad()
            self._loss(self._module, tuple(leaf[chosen] for leaf in self._data)).backward()
            self._optimizer.step()

    def _chosen(self) -> torch.Tensor:
        chosen = next(self._order, None)
        if chosen is None:
            self._order = iter(torch.randperm(len(self._data[0])).split(self._size)[:-1])
            chosen = next(self._order)
        return chosen


def rates(workload: Workload) -> Iterator[Row]:
    """The loss where a rate was found, and where the best of nine was known."""
    data, held_out = workload.data()

    def trained(rule: Any) -> Result:
        torch.manual_seed(0)  # so that all begin with the same weights
        return ModuleTrainer.begin(workload.module(), workload.loss, data, optimizer=rule, steps=STEPS, stop=[],
                                   batch_size=workload.batch_size, validation=held_out, validate_every=STEPS,
                                   ).to_the_end()

    search = ModuleTrainer.begin(workload.module(), workload.loss, data, steps=STEPS,
                                 batch_size=workload.batch_size).rate_search
    assert search is not None
    found, others = trained("auto"), [trained(search.rule(rate)) for rate in RATES]
    assert found.search is not None
    scores: dict[str, Callable[[Result], float]] = {
        "train": lambda result: float(result.history["loss"][-STEPS // 10 :].mean()) if _is_whole(result) else 1e9,
        "held out": lambda result: result.history.validation["loss"][-1] if _is_whole(result) else 1e9,
    }
    for name, score in scores.items():
        best = min(range(len(RATES)), key=lambda i: score(others[i]))
        peer = f"best of nine rates, {RATES[best]:.1g}; ours {found.search.rate:.1g}"
        yield Row(workload.name, peer, name, "loss", score(found), score(others[best]))


def _is_whole(result: Result) -> bool:
    return result.reason.name == "budget"
