"""Which setting of a descent mattered: each number of its rule halved and doubled, and replayed."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descend.engine.run import Run
from descend.insight.faults.changes import with_batches
from descend.insight.faults.rates import rescaled
from descend.insight.judging import judge_of
from descend.insight.replay import DRAWS, STEPS, Change, Replay, replayed
from descend.insight.rules import rate_of, setting_of, with_setting
from descend.optimizers import Modifier, Optimizer
from descend.sources import HostArrays, MiniBatches

if TYPE_CHECKING:
    import plotly.graph_objects as go

FACTORS = (0.5, 2.0)


@dataclass(frozen=True)
class Sensitivity:
    """What each change of a setting brought, the one that mattered most first."""

    replays: Sequence[Replay]

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        first = self.replays[0]
        return (
            f"Each setting halved and doubled, all others as they are, over {first.steps:,} steps from step "
            f"{first.step:,} and {len(first.before)} draws of the data: gains in log loss with their 95 % intervals. "
            "It tells of these steps and of one change at a time; settings that matter together may not matter alone."
        )

    def plot(self) -> "go.Figure":
        """The gain of each change, with its interval."""
        from descend.insight._figures import sensitivities  # Plotly is for those who look

        return sensitivities(self)

    def __str__(self) -> str:
        return "\n".join(
            f"{replay.gain:+.3f} [{replay.interval[0]:+.3f}, {replay.interval[1]:+.3f}] {replay.words}"
            for replay in self.replays
        )


def sensitivity(run: Run, *, steps: int = STEPS, draws: int = DRAWS, data: Any = None) -> Sensitivity:
    """How much each setting matters to the next steps of a run: the learning rate, the numbers of the rule and the
    batch size, each halved and doubled, beside the run as it is. `steps`, `draws`, `data`: as those of `what_if`. A
    coefficient between 0 and 1, such as a momentum β, is changed by its distance to 1: from .9 to .95 and .8.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> from descend.insight import sensitivity
    >>> run = begin(lambda x: 0.5 * (x**2).sum(), np.array([4.0, -2.0]), optimizer=SGD(0.1, momentum=0.5))
    >>> for replay in sensitivity(run, steps=3).replays[:2]:
    ...     print(replay.words, replay.gain > 0)
    with the learning rate doubled True
    with the learning rate halved False
    """
    changes = list(_changes(run))
    made = replayed(run, changes, steps, draws, judge_of(run, data))
    return Sensitivity(sorted(made, key=lambda replay: -abs(replay.gain)))


def _changes(run: Run) -> Iterator[Change]:
    optimizer, source = run.descent.optimizer, run.descent.source
    for factor in FACTORS:
        how = "halved" if factor < 1 else "doubled"
        if rate_of(optimizer) is not None:
            yield dataclasses.replace(rescaled(factor), words=f"with the learning rate {how}")
        for name in _numbers(optimizer):
            if value := setting_of(optimizer, name):
                yield _setting(name, value, factor)
        if isinstance(source, MiniBatches | HostArrays) and source.batch_size * factor >= 1:
            size = round(source.batch_size * factor)
            yield dataclasses.replace(with_batches(size, source.batch_size), examples=1.0)


def _numbers(optimizer: Optimizer) -> list[str]:
    """The names of the numbers that the optimizer has, and those within it."""
    names = [field.name for field in dataclasses.fields(optimizer)]  # type: ignore[arg-type]
    inner = _numbers(optimizer.rule) if isinstance(optimizer, Modifier) else []
    return [name for name in dict.fromkeys([*names, *inner]) if name not in ("rule", "learning_rate")]


def _setting(name: str, value: float, factor: float) -> Change:
    """Another number for a setting; of a coefficient below 1, another distance to 1."""
    is_average = name.startswith(("beta", "momentum"))
    value = max(1 - (1 - value) / factor, 0.0) if is_average else value * factor
    make = lambda run: run.fork(optimizer=with_setting(run.descent.optimizer, name, value))
    return Change(f"with {name}={value:.3g}", make, f"{name}={value:.3g}")
