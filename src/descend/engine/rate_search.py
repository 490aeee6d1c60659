"""A learning rate for a descent on batches, found by short descents before it.

Each trial is the descent that is to come, made small: from the same start, over the same batches, a rise to the rate
and a fall to nothing; the mean of its last losses says where it led. The first three are of a usual rate, and of those
half a decade above and below. The search goes on where the loss falls clearly more.

Short descents tell rates that are far off, and little of rates that are near: what is best after fifty steps is often
not what is best after two thousand. So of all rates that led down nearly as far as the best, the one nearest to the
usual one is taken: to within 3 % of what was gained, and to within a tenth of the loss.

A trial has fifty steps at the least, as fewer choose by chance. Where none led below the start by a twentieth of the
loss there, little was seen: the first steps of some losses tell nothing. The trials are then made anew, twice as long,
for as long as half of the descent's steps allow, or twelve hundred. If still little is seen, the search says so. Its
rate is that of the best all the same, if that led down at all, and else a small one.

What decay does to weights is told by how much of them is forgotten over a whole descent: all but e^−c, where c is the
decay times the sum of all rates. Here c = 2 √(parameters / examples), and less in the first three passes: what is seen
once cannot be learned by heart. Where examples are many, forgetting only holds back what they say; where they are few,
it is what keeps weights to what is common to them. Where examples have no noise, less would be better; no short descent
tells.

The usual rate, the lengths, the root and c were chosen by what they do on the tables and planted examples of
`benchmarks/calibration.py`, none of them among those that `benchmarks/untuned.py` judges by.

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

from descend.engine.advancing import Trace, joined
from descend.engine.pace import Pace
from descend.engine.planning import USUAL_STEPS
from descend.engine.run import Run, advance
from descend.optimizers import AdamW, Optimizer
from descend.schedules.trapezium import Trapezium

MAX_TRIALS = 5
# Of the seconds that there are for a descent, after which no learning rate is looked for any more; and the trials that
# are made in any case.
SEARCH_SHARE, FIRST_TRIALS = 0.2, 3
# A trial's steps: this share of the descent's, within these bounds. Fewer than fifty choose by chance.
TRIAL_SHARE, MIN_TRIAL_STEPS, MAX_TRIAL_STEPS = 0.04, 50, 500
# Where there is time for less, these at the least: more tell which rates are far off.
FEWEST_TRIAL_STEPS = 10
# Steps that all trials may take while little is seen, or this share of the descent's.
FREE_STEPS, FREE_SHARE = 1200, 0.5
# A trial has to end below the start by this much of the loss there. Else it has seen nothing yet.
CLEAR_FALL = 0.05
# The rate that is tried first, and the decades to the next.
USUAL_RATE, DECADES_APART = 1e-2, 0.5
# Of how far the best trial led down, and of its loss: less is no reason to leave the usual rate.
NEARLY_AS_GOOD = 0.03, 0.1
# The largest rate where all trials led up.
CAREFUL_RATE = 1e-3
# Of a trial: the steps at its end that it is judged by. There the rate falls to nothing, and with it the noise.
JUDGED_SHARE = 1 / 5
# The warm-up's share of a descent; the length of one without an end.
WARMUP_SHARE, ENDLESS_STEPS = 0.05, 10**9
# Fewer squares are averaged over than by Adam's .999, so that shorter descents, too, have seen enough.
BETA2 = 0.98
# c at one parameter for each example, after so many passes; and the most decay.
FORGETTING, FULL_PASSES, MAX_DECAY = 2.0, 3.0, 1.0
# Parameters for each example, where nobody knows how many these are: little is forgotten then.
UNKNOWN_PER_EXAMPLE = 0.25


@dataclass(frozen=True)
class Trial:
    """A rate, and the mean of the last losses of a short descent with it; infinite if it diverged."""

    rate: float
    loss: float


@dataclass(frozen=True)
class Search:
    """How the learning rate of a descent was found: the last trials, the steps that each took, and the rate; `seen`:
    whether one of them led clearly below the start, as otherwise the rate is little more than a guess."""

    trials: tuple[Trial, ...]
    steps_each: int
    rate: float
    seen: bool = True

    def __repr__(self) -> str:
        tried = ", ".join(f"{trial.rate:.2g}: {trial.loss:.4g}" for trial in sorted(self.trials, key=lambda t: t.rate))
        unsure = "" if self.seen else ", of which little was seen: no trial led clearly below the start"
        return f"Search(rate {self.rate:.3g}{unsure}; loss after {self.steps_each} steps each, by rate: {tried})"


@dataclass(frozen=True)
class RateSearch:
    """The search for a learning rate, for a descent of `steps` steps; `None`, while nobody knows how many.

    `per_example`: the parameters for each example. `per_pass`: the steps of a pass over all examples; 0, if nobody
    knows. `most_each`: the steps that a trial has time for. `within`: what is put around the rule, such as an average.
    """

    steps: int | None
    per_example: float = UNKNOWN_PER_EXAMPLE
    per_pass: float = 0.0
    most_each: float = math.inf
    within: Callable[[Optimizer], Optimizer] = lambda rule: rule

    def over(self, steps: int | None) -> "RateSearch":
        """The same for a descent of another length."""
        return dataclasses.replace(self, steps=steps)

    def in_time(self, steps: int) -> "RateSearch":
        """The same for as many steps as there is time for, of which the first trials may take a share."""
        # Another trial's worth is for what tells the loss at the start, and for a machine with other work.
        most = max(SEARCH_SHARE * steps / (FIRST_TRIALS + 1), FEWEST_TRIAL_STEPS)
        return dataclasses.replace(self, steps=steps, most_each=most)

    @property
    def steps_each(self) -> int:
        """How many steps a trial takes."""
        wanted = max(round(TRIAL_SHARE * (self.steps or ENDLESS_STEPS)), MIN_TRIAL_STEPS)
        return int(min(wanted, MAX_TRIAL_STEPS, self.most_each))

    def rule(self, rate: float) -> Optimizer:
        """The rule of the descent itself."""
        decay = self._decay(rate)
        if self.steps is None:
            return self._rule(rate, WARMUP_SHARE * self.steps_each, ENDLESS_STEPS, decay)
        return self._rule(rate, max(WARMUP_SHARE * self.steps, 1.0), self.steps, decay)

    def __call__(
        self, run: Run, is_over: Callable[[], bool], tell: Callable[[int, int], None],
        now: Callable[[], float] | None = None,
    ) -> Search:
        """Try rates on forks of a run that has not begun, until they are enough, or `is_over`.

        `tell`: is told before trials how many were made, and of how many at most. `now`: tells the time, in seconds.
        """
        until = _Until(is_over, now or time.perf_counter)
        # Rounds, each of trials twice as long as those before, until one is seen to learn, or they have cost enough.
        steps, taken, made = self.steps_each, 0, 0
        while True:
            start, trials = self._round(run, steps, until, partial(_told, tell, made))
            made, taken, longer = made + len(trials), taken + _cost(len(trials), steps), 2 * steps
            seen = _fall(trials, start) >= CLEAR_FALL
            allowed = max(FREE_SHARE * (self.steps or USUAL_STEPS), FREE_STEPS)
            if seen or until.is_over() or taken + _cost(MAX_TRIALS, longer) > allowed:
                return Search(tuple(trials), steps, rate_of(trials, start), seen)
            steps = longer

    def _round(
        self, run: Run, steps: int, until: "_Until", tell: Callable[[int], None]
    ) -> tuple[float, list[Trial]]:
        """Trials of so many steps each, and the loss at the start on the batches that they are judged by; those that
        came to their end before it was over."""
        judged = math.ceil(JUDGED_SHARE * steps)
        start = math.nan
        trials: list[Trial] = []
        while (rates := next_rates(trials, start)) and not until.is_over():
            tell(len(trials))
            falling = [trial for trial, _ in _further(self._forks(run, rates, steps), steps - judged, until)]
            if falling and not trials:
                start = self._start(run, falling, judged, until)
            trials += map(Trial, rates, (_led_to(*end) for end in _further(falling, judged, until)))
        return start, trials

    def _forks(self, run: Run, rates: list[float], steps: int) -> list[Run]:
        """Where trials begin."""
        # Without decay, as there is nothing to forget so soon.
        rules = [self._rule(rate, max(WARMUP_SHARE * steps, 1.0), steps, decay=0.0) for rate in rates]
        return [dataclasses.replace(run, descent=dataclasses.replace(run.descent, optimizer=rule)) for rule in rules]

    def _start(self, run: Run, falling: list[Run], judged: int, until: "_Until") -> float:
        """The loss where trials began, on the batches to come of those that go on."""
        there = max(falling, key=lambda trial: trial.step).state.cursor
        (idle,) = self._forks(run, [0.0], judged)
        idle = dataclasses.replace(idle, state=idle.state._replace(cursor=there))
        return next((_led_to(*end) for end in _further([idle], judged, until)), math.nan)

    def _decay(self, rate: float) -> float:
        """By which as much is forgotten as should be, at a mean rate of half the highest."""
        passes = self.steps / self.per_pass if self.steps and self.per_pass else math.inf
        forgotten = FORGETTING * self.per_example**0.5 * min(passes / FULL_PASSES, 1.0)
        return min(forgotten / (rate * (self.steps or USUAL_STEPS) / 2), MAX_DECAY)

    def _rule(self, rate: float, rise: float, steps: float, decay: float) -> Optimizer:
        schedule = Trapezium(float(rate), float(rise), float(steps))
        return self.within(AdamW(schedule, beta2=BETA2, weight_decay=decay))


@dataclass(frozen=True)
class _Until:
    """Whether it is over, and what time it is: of several processes, the same in all."""

    is_over: Callable[[], bool]
    now: Callable[[], float]


def _further(runs: list[Run], n: int, until: _Until) -> list[tuple[Run, Trace]]:
    """The runs after `n` more steps, and their traces; those that came there before it was over.

    It is looked for that once in a tenth of a second, because the steps of a trial may take minutes.
    """
    ended: list[tuple[Run, Trace]] = []
    for run in runs:
        pace, traces, end, further = Pace(), [Trace(run.step, {})], run.step + n, run
        while further.step < end and not further.is_halted:
            begin, before = until.now(), further.step
            if until.is_over():
                return ended
            further, trace = advance(further, min(pace.size, end - before))
            pace.record(further.step - before, until.now() - begin)
            traces.append(trace)
        ended.append((further, joined(traces)))
    return ended


def next_rates(trials: list[Trial], start: float) -> list[float]:
    """The usual rate, and those on its sides; then beyond the one that would be taken, for as long as that moves away
    from the usual one; none where the search ends. `start`: the loss there."""
    step = 10**DECADES_APART
    if not trials:
        return [USUAL_RATE, USUAL_RATE * step, USUAL_RATE / step]
    rates = [trial.rate for trial in trials]
    if len(trials) >= MAX_TRIALS:
        return []
    taken = rate_of(trials, start)
    if taken >= max(rates):
        return [max(rates) * step]
    return [min(rates) / step] if taken <= min(rates) else []


def rate_of(trials: list[Trial], start: float) -> float:
    """Of the rates that led down nearly as far as the best, the one nearest to the usual one; a small one where all led
    up; below all, where all diverged."""
    best = min((trial.loss for trial in trials), default=math.nan)
    if math.isinf(best):
        return min(trial.rate for trial in trials) / 10
    gained, left = NEARLY_AS_GOOD
    # By the stricter of both: where much was gained, 3 % of that may be many times the loss that is left.
    close = best + min(gained * (start - best), left * abs(best))
    nearly = [trial.rate for trial in trials if trial.loss <= close]
    nearest = min(nearly, key=lambda rate: abs(math.log(rate / USUAL_RATE)), default=USUAL_RATE)
    return min(nearest, CAREFUL_RATE) if best >= start else nearest


def _cost(trials: int, steps: int) -> int:
    """The steps of a round of trials, and of what tells the loss at the start."""
    return trials * steps + math.ceil(JUDGED_SHARE * steps)


def _told(tell: Callable[[int, int], None], before: int, made: int) -> None:
    """Tell of a round, after those before it."""
    tell(before + made, before + MAX_TRIALS)


def _fall(trials: list[Trial], start: float) -> float:
    """How far the best trial led below the start, in relation to that; −∞ if all diverged."""
    best = min((trial.loss for trial in trials), default=math.inf)
    return (start - best) / max(abs(start), np.finfo(float).tiny) if math.isfinite(best) else -math.inf


def _led_to(run: Run, trace: Trace) -> float:
    """The mean loss of these last steps of a trial; infinite if it diverged."""
    last = math.inf if run.is_halted else float(np.mean(trace.columns["loss"], dtype=np.float64))
    return last if math.isfinite(last) else math.inf
