"""What is examined: a run on its way, what was recorded of it, and what its descents are judged by."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np

from descend._tree import split
from descend.engine.advancing import Trace, advance, joined
from descend.engine.descent import NONFINITE
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight.judging import Judge, examples_of, judge_of, some
from descend.insight.probe import Probe, probe
from descend.insight.rules import rate_of
from descend.insight.spectrum import Spectrum, spectrum
from descend.training import Result, Trainer

WATCHED = 2048  # steps that a run without a past is advanced by, at the most
PILOT = 20  # steps by which it is found out what one takes
SOON = 16  # steps, within which a bias may come to the level of a target, and a network to nothing else
EARLY = 4  # steps
PRODUCTS, LOOKED_AT = 16, 512  # with the Hessian, on so many examples, to know both of its ends
SMOOTH = 20  # a loss of batches is told by the mean of so many parts of a descent

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A descent that is examined.

    `kept`: runs on its way, by their step; the first is where replays begin. `end`: where it stands. `columns`: what
    was recorded, with a row per step, or per so many. `judge`: by what its replays are compared. `training`: the same
    on what it descends on, where the judge has held-out examples. `seconds_a_step`: what a step takes, as far as known.
    """

    kept: Mapping[int, Run]
    end: Run
    columns: Columns
    judge: Judge
    training: Judge
    has_diverged: bool
    seconds_a_step: float = math.nan
    losses: dict[tuple[int, bool], float] = field(default_factory=dict, repr=False)
    probes: dict[int, Probe] = field(default_factory=dict, repr=False)
    spectra: dict[int, Spectrum | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, subject: Run | Result | Trainer, data: Any = None, seconds: float = math.inf) -> "Case":
        """What there is to examine of a result, a trainer, or a run, which is advanced first: its next steps are
        examined, as many as a fraction of the seconds allows.

        **Raises** `InputError` where its descents cannot be judged.
        """
        if isinstance(subject, Trainer):
            # Before its first step it has no past to be examined.
            subject = subject.result() if subject.run.step else subject.run
        run = subject.run if isinstance(subject, Result) else subject
        judge = judge_of(run, data)
        training = judge_of(run) if judge.are_held_out and examples_of(run) is not None else judge
        if isinstance(subject, Run):
            kept, end, trace, each = _watched(subject, seconds / 5)
            diverged = int(end.state.guard.status) == NONFINITE
            columns = {"step": np.arange(len(trace)) + trace.start, **trace.columns}
            return cls(kept, end, columns, judge, training, diverged, each)
        # Without snapshots there is the end alone, from which nothing may cure a descent any more.
        kept = dict(subject.snapshots) or {run.step: run}
        each = _seconds_a_step(kept[min(kept)], min(max(run.step - min(kept), 1), PILOT))
        return cls(kept, run, subject.history.columns, judge, training, subject.reason.name == "diverged", each)

    @property
    def start(self) -> Run:
        """The earliest run that was kept."""
        return self.kept[min(self.kept)]

    @property
    def early(self) -> int:
        """The first step at which a run was kept after a few, when an average of squares is one; or else the start."""
        return next((step for step in sorted(self.kept) if step >= self.start.step + EARLY), self.start.step)

    @property
    def length(self) -> int:
        """How many steps were made from the start to the end."""
        return max(self.end.step - self.start.step, 1)

    def loss_at(self, step: int, training: bool = False) -> float:
        """The loss of a run that was kept, as it is judged, or on what it descends on."""
        if (step, training) not in self.losses:
            run = self.end if step == self.end.step else self.kept[step]
            self.losses[step, training] = (self.training if training else self.judge)(run)
        return self.losses[step, training]

    @cached_property
    def smoothed(self) -> np.ndarray:
        """The recorded loss, as the means of so many parts of the descent that follow each other."""
        losses = np.asarray(self.columns.get("loss", np.zeros(0)), np.float64)
        parts = np.array_split(losses, min(SMOOTH, max(len(losses), 1)))
        return np.array([part.mean() if len(part) else math.nan for part in parts])

    def probed(self, step: int) -> Probe:
        """A look into the loss where a run was kept."""
        if step not in self.probes:
            self.probes[step] = probe(self.end if step == self.end.step else self.kept[step])
        return self.probes[step]

    def curvature_at(self, step: int) -> Spectrum | None:
        """Both ends of the curvature where a run was kept; none of a loss that has no second derivatives."""
        if step not in self.spectra:
            run = self.end if step == self.end.step else self.kept[step]
            examples = examples_of(run)
            looked_at = None if examples is None else some(examples, LOOKED_AT)
            try:
                self.spectra[step] = spectrum(run, looked_at, products=PRODUCTS, batches=1)
            except InputError:
                self.spectra[step] = None
        return self.spectra[step]

    @cached_property
    def usual(self) -> float:
        """The loss that says how much is nothing: the lowest of that at the start and soon after, once the descent has
        found the level of its target; NaN where none is finite."""
        # A target far from 0 makes the loss at the start as large as one likes, and a hundredth of it would hide all.
        soon = [step for step in self.kept if step - self.start.step <= min(self.length / 8, SOON)]
        losses = [self.loss_at(step) for step in soon]
        return min((loss for loss in losses if math.isfinite(loss)), default=math.nan)


def _watched(run: Run, seconds: float) -> tuple[dict[int, Run], Run, Trace, float]:
    """A run taken further, with what was recorded, the runs kept at its start and at powers of two, and the seconds
    that a step took once it was compiled."""
    kept, first, most, each = {run.step: run}, run.step, _most(run), math.nan
    # 1. The first step, whose time is that of compiling, however long it takes: without another, nothing is known.
    run, trace = advance(run, 1)
    kept[run.step], traces, step, begun = run, [trace], 2, time.perf_counter()
    # 2. Twice as many steps each time: a cause that shows late is seen if there is time, and snapshots cost little.
    while run.step - first < most and not run.is_halted and (math.isnan(each) or _spent(begun) + each * step < seconds):
        before = time.perf_counter()
        run, trace = advance(run, min(step, most) - (run.step - first))
        traces.append(trace)
        kept[run.step] = run
        each = _spent(before) / max(len(trace), 1)
        step *= 2
    return kept, run, joined(traces), each


def _spent(since: float) -> float:
    return time.perf_counter() - since


def _most(run: Run) -> int:
    """How many steps it is advanced by at the most: none beyond the end of its schedule, where it would stand still."""
    schedule = rate_of(run.descent.optimizer)
    end = None if schedule is None else schedule.length
    return WATCHED if end is None else min(WATCHED, max(end - run.step, 1))


def _seconds_a_step(run: Run, steps: int) -> float:
    """What a step takes, once it is compiled."""
    # The first step compiles the program, which is no part of what further ones take.
    advance(run, 1)
    begun = time.perf_counter()
    trace = advance(run, steps)[1]
    return (time.perf_counter() - begun) / max(len(trace), 1)


def norm_of(tree: Any) -> float:
    """The Euclidean norm of all numbers of a tree."""
    leaves = jax.tree.leaves(split(tree)[0])
    return math.sqrt(sum(float(np.sum(np.square(np.asarray(leaf, np.float64)))) for leaf in leaves))
