"""A learning-rate range test: which rates lower the loss, and from where on it rises."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.engine.run import Run
from descend.errors import InputError
from descend.insight._looks import run_of, whole
from descend.training import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go

RISEN = 4.0  # times the least loss, at which the test is over
WINDOW = 1 / 20  # of the steps, whose mean is taken before slopes are


@dataclass(frozen=True)
class RangeTest:
    """The loss at rates that rise from step to step: `loss[i]` before the step at `rates[i]`; `smoothed`, the mean with
    its neighbours. It ended early where the loss had risen to four times the least, or was not finite."""

    rates: np.ndarray
    loss: np.ndarray
    smoothed: np.ndarray

    @property
    def fastest(self) -> float:
        """The rate at which the loss falls fastest, by the logarithm of the rate; NaN if it never falls."""
        least = int(np.argmin(self.smoothed))
        if least == 0:
            return math.nan
        slopes = np.gradient(self.smoothed, np.log(self.rates))[: least + 1]
        return float(self.rates[np.argmin(slopes)])

    @property
    def least(self) -> float:
        """The rate at which the loss is least: what lies above it is too much."""
        return float(self.rates[np.argmin(self.smoothed)])

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        tried = f"{len(self.rates)} steps at rates from {self.rates[0]:.3g} to {self.rates[-1]:.3g}"
        if math.isnan(self.fastest):
            return f"In {tried} the loss never fell below its start, so the test tells of no rate."
        return (
            f"In {tried} the loss fell fastest at {self.fastest:.2g}, and was least at {self.least:.2g}. Each rate had "
            "one step, from where the one before had led: the test is for the start of a descent, favours rates that "
            "are soon too large, and sees a momentum's effect late."
        )

    def plot(self) -> "go.Figure":
        """The loss over the rate."""
        from descend.insight._figures import over_rates  # Plotly is for those who look

        return over_rates(self)


def range_test(run: Run | Result, *, lowest: float = 1e-5, highest: float = 10.0, steps: int = 100) -> RangeTest:
    """The next steps of a run at learning rates that rise geometrically from `lowest` to `highest`.

    The steps are those of a fork, with the run's batches; the run is left alone. The rule's schedule, if it has one, is
    left aside.

    **Raises** `InputError` for a rule without a learning rate, and for rates that do not rise from above 0.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> from descend.insight import range_test
    >>> run = begin(lambda x: (x**2).sum(), np.ones(2), optimizer=SGD(0.1))
    >>> found = range_test(run, lowest=0.001)
    >>> 0.9 < found.least < 1.1   # above 1 a step leads away from the minimum
    True

    Reference: Smith, "Cyclical learning rates for training neural networks", arXiv 1506.01186, section 3.3.
    """
    run, steps = run_of(run), whole("steps", steps, 3)
    if not 0 < lowest < highest < math.inf:
        raise InputError(f"rates must rise from above 0, but lowest is {lowest!r} and highest {highest!r}")
    rates, losses = np.geomspace(lowest, highest, steps), []
    for rate in rates:
        run, trace = run.fork(learning_rate=float(rate)).advance(1)
        losses.append(float(trace.columns["loss"][0]))
        if not losses[-1] <= RISEN * max(min(losses), 0.0) or run.is_halted:
            break
    loss = np.array(losses)
    loss = loss[: len(loss) - (not np.isfinite(loss[-1]))]
    if len(loss) < 3:
        raise InputError(f"the loss is not finite, or has risen fourfold, after {len(losses)} steps at {lowest:g}: "
                         "begin at a lower rate")
    return RangeTest(rates[: len(loss)], loss, _smoothed(loss, max(int(WINDOW * steps) // 2, 1)))


def _smoothed(loss: np.ndarray, reach: int) -> np.ndarray:
    """The mean with so many neighbours on each side, or with as many as there are on both."""
    reaches = [min(reach, i, len(loss) - 1 - i) for i in range(len(loss))]
    return np.array([loss[i - reach : i + reach + 1].mean() for i, reach in enumerate(reaches)])
