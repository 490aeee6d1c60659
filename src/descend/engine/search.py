"""A learning rate for a descent on batches, found by short descents before it.

Each trial is the descent that is to come, made small: from the same start, over the same batches, a rise to the rate
and a fall to nothing. The last batches are passed with a rate of nothing, so that
the median of their losses says where it led, whatever outliers a batch may hold. The rates lie half a decade apart at
first; the search goes where the loss falls, and then between. A descent that is longer wants a rate that is a little
smaller: by the eighth root of their lengths.

A trial has fifty steps at the least, as fewer choose by chance. Where none led below the start by a twentieth of the
loss there, on the same batches, little was seen: the first steps of some losses tell nothing. The trials are then made
anew, twice as long, for as long as half of the descent's steps allow, or twelve hundred. If still little is seen, the
search says so. Its rate is that of the best all the same, if that led down at all, and else a usual one.

What decay does to weights is told by how much of them is forgotten over a whole descent: all but e^−c, where c is the
decay times the sum of all rates. Here c = 4 ∜(parameters / examples), and less in the first three passes: what is seen
once cannot be learned by heart. Where examples are many, forgetting only holds back what they say; where they are few,
it is what keeps weights to what is common to them.

The rule, the roots and c were chosen by what they do on the tables and texts of `benchmarks/calibration.py`, none of
them among those that `benchmarks/untuned.py` judges by.

Reference, for weights that forget: Wang and Aitchison, "How to set AdamW's weight decay as you scale model and dataset
size", arXiv 2405.13698.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from descend.engine.advancing import Trace, advance, joined
from descend.engine.pace import Pace
from descend.engine.run import Run
from descend.optimizers import AdamW, Optimizer
from descend.schedules._trapezium import Trapezium

TRIALS = 5
SHARE, LEAST, MOST = 0.02, 50, 500  # a trial's steps: this share of the descent's, within these bounds
FREE, UNSEEN = 1200, 0.5  # steps that all trials may take while little is seen, or this share of the descent's
LEARNT = 0.05  # of the loss at the start, by which a trial has to end below it, or it has seen nothing yet
PRIOR = 1e-3  # the rate where all trials led up
FIRST, FURTHER = 1e-2, 0.5  # the first rate that is tried, and the decades to the next
LONGER = 0.125  # the power of the ratio of lengths, by which the rate shrinks
JUDGED = 1 / 3  # of a trial: the batches at its end that it is judged by
RISE, LONGEST = 0.05, 10**9  # the warm-up's share of a descent; the length of one without an end
USUAL = 10 * MOST  # steps: how long one without an end is thought to be, where the rate and the decay depend on it
BETA2 = 0.98  # fewer steps than usual are averaged over, so that shorter descents, too, have seen enough
FORGOTTEN, PASSES, MOST_DECAY = 4.0, 3.0, 1.0  # c at one parameter for each example, after so many passes; most decay


@dataclass(frozen=True)
class Trial:
    """A rate, and the median loss of the batches to which a short descent with it led; infinite if it diverged."""

    rate: float
    loss: float


@dataclass(frozen=True)
class Search:
    """How the learning rate of a descent was found: the last trials, the steps that each took, and the rate; `seen`:
    whether one of them led clearly below the start, as otherwise the rate is a usual one."""

    trials: tuple[Trial, ...]
    steps_each: int
    rate: float
    seen: bool = True

    def __repr__(self) -> str:
        tried = ", ".join(f"{trial.rate:.2g}: {trial.loss:.4g}" for trial in sorted(self.trials, key=lambda t: t.rate))
        unsure = "" if self.seen else ", of which little was seen: no trial led clearly below the start"
        return f"Search(rate {self.rate:.3g}{unsure}; loss after {self.steps_each} steps each, by rate: {tried})"


@dataclass(frozen=True)
class Race:
    """The search for a learning rate, for a descent of `steps` steps; `None`, if it has no end.

    `crowding`: the parameters for each example. `passes`: over all examples, in these steps. `within`: what is put
    around the rule, such as an average.
    """

    steps: int | None
    crowding: float = 1.0
    passes: float = math.inf
    within: Callable[[Optimizer], Optimizer] = lambda rule: rule

    @property
    def steps_each(self) -> int:
        """How many steps a trial takes."""
        return min(max(round(SHARE * (self.steps or LONGEST)), LEAST), MOST)

    def rule(self, rate: float) -> Optimizer:
        """The rule of the descent itself."""
        decay = self._decay(rate)
        if self.steps is None:
            return self._rule(rate, RISE * self.steps_each, LONGEST, decay)
        return self._rule(rate, max(RISE * self.steps, 1.0), self.steps, decay)

    def __call__(self, run: Run, is_over: Callable[[], bool], tell: Callable[[int, int], None]) -> Search:
        """Try rates on forks of a run that has not begun, until they are enough, or `is_over`.

        `tell`: is told before trials how many were made, and of how many.
        """
        steps, made, trials, start = self.steps_each, 0, [], math.nan
        while not is_over():
            trials = self._round(run, steps, is_over, partial(_told, tell, made))
            made += len(trials)
            found = [] if is_over() else self._losses(run, [0.0], steps, is_over)
            if not found:
                break
            (start,) = found
            if _fall(trials, start) >= LEARNT or not self._may_be(2 * steps):
                break
            steps *= 2
        shrunk = (steps / max(self.steps or USUAL, steps)) ** LONGER
        # One that led down at all is still the best guess; where all led up, a usual one is.
        rate = PRIOR if -math.inf < _fall(trials, start) <= 0 else best_rate(trials) * shrunk
        return Search(tuple(trials), steps, rate, _fall(trials, start) >= LEARNT)

    def _round(
        self, run: Run, steps: int, is_over: Callable[[], bool], tell: Callable[[int], None]
    ) -> list[Trial]:
        """Trials of so many steps each."""
        trials: list[Trial] = []
        while len(trials) < TRIALS and not is_over():
            tell(len(trials))
            rates = next_rates(trials)[: TRIALS - len(trials)]
            trials += map(Trial, rates, self._losses(run, rates, steps, is_over))
        return trials

    def _may_be(self, steps: int) -> bool:
        """Whether all trials until those of so many steps are not too many."""
        return 2 * (TRIALS + 1) * steps <= max(UNSEEN * (self.steps or USUAL), FREE) + (TRIALS + 1) * self.steps_each

    def _losses(self, run: Run, rates: list[float], steps: int, is_over: Callable[[], bool]) -> list[float]:
        """Where trials led; of those that came to their end before it was over."""
        judged = math.ceil(JUDGED * steps)
        length = steps - judged
        # Without decay, as there is nothing to forget so soon.
        rules = [self._rule(rate, max(RISE * length, 1.0), length, decay=0.0) for rate in rates]
        forks = [dataclasses.replace(run, descent=dataclasses.replace(run.descent, optimizer=rule)) for rule in rules]
        losses: list[float] = []
        for fork in forks:
            ended = _ended(fork, steps, is_over)
            if ended is None:
                break
            losses.append(_led_to(ended[0], ended[1].columns["loss"][-judged:]))
        return losses

    def _decay(self, rate: float) -> float:
        """By which as much is forgotten as should be, at a mean rate of half the highest."""
        forgotten = FORGOTTEN * self.crowding**0.25 * min(self.passes / PASSES, 1.0)
        return min(forgotten / (rate * (self.steps or USUAL) / 2), MOST_DECAY)

    def _rule(self, rate: float, rise: float, steps: float, decay: float) -> Optimizer:
        schedule = Trapezium(float(rate), float(rise), float(steps))
        return self.within(AdamW(schedule, beta2=BETA2, weight_decay=decay))


def _ended(run: Run, steps: int, is_over: Callable[[], bool]) -> tuple[Run, Trace] | None:
    """The run after so many steps, and its trace; `None` if it was over before.

    It is looked for that once in a tenth of a second, because the steps of a trial may take minutes.
    """
    pace, traces = Pace(), [Trace(run.step, {})]
    while run.step < steps and not run.is_halted:
        if is_over():
            return None
        begin, before = time.perf_counter(), run.step
        run, trace = advance(run, min(pace.size, steps - before))
        pace.record(run.step - before, time.perf_counter() - begin)
        traces.append(trace)
    return run, joined(traces)


def next_rates(trials: list[Trial]) -> list[float]:
    """Beside the best rate, where nothing was tried yet; once both its sides were, within the better of them. At first
    two at once, as the one above is tried next in any case."""
    if not trials:
        return [FIRST, FIRST * 10**FURTHER]
    best = min(trials, key=lambda trial: trial.loss)
    tried = {trial.rate: trial.loss for trial in trials}
    if not math.isfinite(best.loss):
        return [min(tried) / 10 ** (2 * FURTHER)]
    above = min((rate for rate in tried if rate > best.rate), default=None)
    below = max((rate for rate in tried if rate < best.rate), default=None)
    if above is None:
        return [best.rate * 10**FURTHER]
    if below is None:
        return [best.rate / 10**FURTHER]
    return [math.sqrt(best.rate * (above if tried[above] < tried[below] else below))]


def _told(tell: Callable[[int, int], None], before: int, made: int) -> None:
    """Tell of a round, after those before it."""
    tell(before + made, before + TRIALS)


def _fall(trials: list[Trial], start: float) -> float:
    """How far the best trial led below the start, in relation to that; −∞ if all diverged."""
    best = min((trial.loss for trial in trials), default=math.inf)
    return (start - best) / max(abs(start), np.finfo(float).tiny) if math.isfinite(best) else -math.inf


def _led_to(run: Run, losses: np.ndarray) -> float:
    """The median of the last losses of a trial; infinite if it diverged."""
    last = math.inf if run.is_halted else float(np.median(losses))
    return last if math.isfinite(last) else math.inf


def best_rate(trials: list[Trial]) -> float:
    """Where a parabola in the logarithm of the rate, through the best trial and those on its sides, is least."""
    finite = sorted((trial for trial in trials if math.isfinite(trial.loss)), key=lambda trial: trial.rate)
    if not finite:
        return min((trial.rate for trial in trials), default=FIRST) / 10
    i = min(range(len(finite)), key=lambda i: finite[i].loss)
    if not 0 < i < len(finite) - 1:
        return finite[i].rate
    (a, fa), (b, fb), (c, fc) = ((math.log(t.rate), t.loss) for t in finite[i - 1 : i + 2])
    left, right = (b - a) * (fb - fc), (b - c) * (fb - fa)
    if left == right:
        return finite[i].rate
    vertex = b - 0.5 * ((b - a) * left - (b - c) * right) / (left - right)
    return math.exp(min(max(vertex, (a + b) / 2), (b + c) / 2))
