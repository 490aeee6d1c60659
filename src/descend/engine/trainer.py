"""The loop on the host: dispatches, validations, checkpoints and observers, until there is a reason to stop."""

import contextlib
import dataclasses
import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from descend._arrays import precision
from descend._locks import hold, release
from descend._tree import Tree
from descend.engine.advancing import Trace
from descend.engine.descent import CONVERGED, NONFINITE, STALLED
from descend.engine.ending import checked_convergence, reason_at_rest, reason_of_divergence
from descend.engine.history import History
from descend.engine.pace import SHARED_SECONDS, Pace, with_best_dispatch
from descend.engine.planning import COMPILED_SHARE, TIMED_SHARE, Cost, cost_of, hangs_on_length, is_compiled_anew
from descend.engine.progress import Observer, Progress
from descend.engine.rate_search import SEARCH_SHARE, RateSearch
from descend.engine.timed import Timed, Validate
from descend.errors import LostError
from descend.optimizers import Optimizer
from descend.stopping import Plateau, Reason, Target


@dataclass(frozen=True)
class Checkpoint:
    """Where to save a run, and how often.

    `path`: the file, replaced atomically; the one before it is kept beside it, with `.older` behind its name, and is
    gone on from where the last one is damaged. One process at a time may write it. `every`: seconds between two of
    them, at the least; saving is also held to a fiftieth of the time. The last state is always saved.
    """

    path: Path
    every: float = 5.0

    @property
    def lock(self) -> Path:
        """The file whose lock keeps other processes from this one."""
        return self.path.with_name(f".{self.path.name}.lock")


@dataclass(kw_only=True, repr=False, eq=False)
class HostLoop(Timed):
    """A descent under way, and all that goes on around its steps."""

    # The parameters before the first step.
    start: Tree = None
    plateau: Plateau | None = None
    target: Target | None = None
    # In steps, which need not be whole: an epoch may be two and a half.
    validate_every: float = math.inf
    observers: Sequence[Observer] = ()
    checkpoint: Checkpoint | None = None
    tries_stepwise: bool = False

    _pace: Pace = field(init=False)
    # The last dispatch, and its seconds.
    _last: tuple[Trace, float] = field(init=False, default=(Trace(0, {}), 0.0))
    _looking_on: contextlib.ExitStack | None = field(init=False, default=None)
    # What lets other processes write to the checkpoint.
    _held: Any = field(init=False, default=None)
    _concluded: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._pace = Pace(SHARED_SECONDS if self.processes.are_several else None)

    # ------------------------------------------------------------------------------------------------ going on

    def go_on(self, steps: float = math.inf, seconds: float = math.inf) -> None:
        """Descend until there is a reason to stop, or so many more steps were made, or so many seconds are over."""
        self.open()
        try:
            with self.processes.noticing_loss():
                self._go_on(steps, seconds)
        except LostError as error:
            # To save or to validate would take all of them. The last checkpoint is whole.
            self.reason, self._concluded = Reason("lost", f"after {self.run.step} steps, {error}", self.run.step), True
            self._report()

    def _go_on(self, steps: float, seconds: float) -> None:
        self._clock.meet()
        self._clock.start()
        with precision(self.run.state.params):
            self._prepare()
            last, end = self.run.step + steps, self._clock.now() + seconds
            # The clock is looked at between dispatches alone: it decides how many steps they have, and no number.
            while self.reason is None and self.run.step < last and (left := end - self._clock.now()) > 0:
                self._dispatch(last, min(left, self._left()))
            self._conclude()
            self._count()

    def open(self) -> None:
        """Let the observers in, if they are not."""
        if self._looking_on is None:
            with contextlib.ExitStack() as stack:
                for observer in self.observers:
                    if isinstance(observer, contextlib.AbstractContextManager):
                        stack.enter_context(observer)
                self.hold()
                if self.checkpoint:
                    self.try_room(self.checkpoint.path)
                self._looking_on = stack.pop_all()

    def hold(self) -> None:
        """Keep other processes from the checkpoint, until the observers leave, or nobody knows of this any more.

        **Raises** `InputError` where another process writes to it.
        """
        if self.checkpoint and not (self._held and self._held.alive):
            self.processes.first_does(partial(hold, self.checkpoint.lock, self.checkpoint.path))
            self._held = weakref.finalize(self, release, self.checkpoint.lock)

    def leave(self, *error: Any) -> None:
        """Let the observers out; without an error, save first what is not saved yet."""
        if not any(error) and self.checkpoint and not self._concluded:
            self.save(self.checkpoint.path)
        stack, self._looking_on = self._looking_on, None
        if self._held:
            self._held()
        if stack is not None:
            stack.__exit__(*error)

    def change_rate(self, learning_rate: float) -> None:
        """Step with this learning rate from here on."""
        self.run = self.run.fork(learning_rate=learning_rate)
        self.history.changed(self.run.step, learning_rate)

    def copied(self) -> Any:
        """The same, to go on by itself, unseen and unsaved."""
        history = History.from_arrays(self.history.to_arrays(), self.history.stride)
        return dataclasses.replace(self, history=history, observers=(), checkpoint=None)

    def _prepare(self) -> None:
        """What comes before the first step."""
        self.reason = self.reason or self._spent()
        if self.reason is None and self.run.step == 0:
            if self.tries_stepwise:
                self.run = with_best_dispatch(self.run, lambda: self._is_late(SEARCH_SHARE), self.processes)
            if not self.history.changes:
                self._find_rates()
        if self.run.step == 0:
            self.snapshots = self.snapshots.keep(self.run)

    def _find_rates(self) -> None:
        """Settle the learning rate, where it is to be found, and over how many steps it falls, where there is time for
        no more."""
        cost = self._cost()
        if self.rate_search and self.search is None:
            planned = self._time_for(cost)
            self._search(self.rate_search.in_time(planned) if planned else self.rate_search)
        # Anew, as the search took some of the time.
        if cost and self.reason is None and (planned := self._time_for(cost)):
            self._plan(planned, cost)

    def _cost(self) -> Cost | None:
        """What a step costs, where its rate hangs on how many there is time for, and there is time to find out."""
        limit = self.budget.seconds
        hangs = self.rate_search is not None or hangs_on_length(self.rule)
        if limit is None or math.isinf(limit) or not hangs or self._clock.asked:
            return None
        cost = cost_of(self.run, self._left, self._clock.meet)
        planned = self._time_for(cost)
        if cost is None or planned is None or self.validate is None or planned < self.validate_every:
            return cost
        return cost.with_validations(self._validating_seconds(self.validate, planned), self.validate_every)

    def _validating_seconds(self, validate: Validate, steps: int) -> float:
        """How long a validation takes, where so many steps are planned."""
        measure = partial(validate, self.run.eval_params, self.run.state.carried.state)
        self._clock.time("validate", measure)
        # The first may have compiled what it is made by: where that would count, another one tells.
        if self._clock.needed("validate") * steps / self.validate_every > TIMED_SHARE * self._left():
            self._clock.time("validate", measure)
        return self._clock.needed("validate")

    def _time_for(self, cost: Cost | None) -> int | None:
        """How many steps there is time for; `None` where there is time for all, or nobody knows."""
        if cost is None or (left := self._left()) <= 0:
            return None
        steps = cost.steps_in(left)
        return steps if self.budget.steps is None or steps < self.budget.steps else None

    def _plan(self, steps: int, cost: Cost) -> None:
        """Have the rate fall over so many steps, and make no more."""
        rule = self._rule_over(steps)
        if is_compiled_anew(self.run.descent.optimizer, rule):
            left = self._left()
            if cost.compiling > COMPILED_SHARE * left:
                return
            steps = min(steps, cost.steps_in(left - cost.compiling))
            rule = self._rule_over(steps)
        self.planned = steps
        self._tune(rule)

    def _search(self, rate_search: RateSearch) -> None:
        """Find the learning rate, in the time that there is."""
        until = self._count() + SEARCH_SHARE * self._left()
        is_over = lambda: bool(self._clock.asked) or self._count() >= until
        search = rate_search(self.run, is_over, self._tell_of_trials, self._clock.meet)
        if asked := self._clock.asked:
            # Not kept: a descent that goes on from here must find the rate that one finds which was not interrupted.
            self.reason = Reason("interrupted", f"{asked} while a learning rate was looked for", self.run.step)
            return
        self.search = search
        self._tune(self._rule_over(self.budget.steps))

    def _tell_of_trials(self, made: int, of: int) -> None:
        for observer in self.observers:
            observer(Progress(0, self.limit.steps, None, {}, {}, self.best, 0.0, 0.0, None, None, tried=(made, of)))

    def _tune(self, rule: Optimizer) -> None:
        self.run = dataclasses.replace(self.run, descent=dataclasses.replace(self.run.descent, optimizer=rule))

    def _dispatch(self, last: float, seconds: float) -> None:
        """One dispatch, which ends at step `last` and within these seconds, as far as the pace is known."""
        if self.checkpoint and self._clock.is_due(self.checkpoint.every):
            self._clock.time("save", partial(self.save, self.checkpoint.path))
        begin, before = self._clock.now(), self.run.step
        marks = (last, self._next_validation(before), self.snapshots.after(before), self.limit.steps or math.inf)
        count = int(min(self._pace.within(seconds), *(mark - before for mark in marks)))
        self.run, trace = self.run.dispatch(count)
        self._pace.record(self.run.step - before, self._clock.meet() - begin)
        trace = self._checked_convergence(trace)
        self.history.extend(trace)
        if self.run.step > before:
            self.snapshots = self.snapshots.keep(self.run)
        self._judge(trace)
        self._last = trace, self._clock.now() - begin
        self.until_first = self.until_first or self._count()
        if self.reason is None:
            self._report()

    def _checked_convergence(self, trace: Trace) -> Trace:
        """Find out what a sign of convergence is worth; the trace, as far as the descent has come."""
        first = self.history.first_loss if len(self.history) else float(trace.columns["loss"][0])
        self.run, trace, self.point = checked_convergence(self.run, trace, first)
        return trace

    def _conclude(self) -> None:
        """What comes after the last step."""
        if self.reason is not None and not self._concluded:
            self._concluded = True
            if self.checkpoint:
                self.save(self.checkpoint.path, over=True)
            self._validate_the_end()
            self._report()

    # ------------------------------------------------------------------------------------------------- judging

    def _judge(self, trace: Trace) -> None:
        """Validate where it is time to, and find out whether there is a reason to stop, the strongest first."""
        run, step = self.run, self.run.step
        status = int(run.state.guard.status)
        if status == NONFINITE:
            self.reason = reason_of_divergence(trace, step)
            return
        is_due = step == self._next_validation(step - 1) and self._may_validate()
        validated = self._validate(self.validate) if self.validate and is_due else {}
        if status in (CONVERGED, STALLED):
            self.reason = reason_at_rest(run, trace, self.point)
        elif validated and self.target and self.target.reached(validated):
            self.reason = Reason("reached", self.target.evidence(validated), step)
        elif self.plateau and self.best.waited >= self.plateau.patience:
            evidence = (f"the validation loss was best after {self.best.step} steps, {self.best.value:.6g}, "
                        f"and {self.best.waited} more evaluations did not better it")
            self.reason = Reason("plateau", evidence, step)
        else:
            self.reason = self._spent()
        if self.reason is None and (asked := self._clock.asked):
            self.reason = Reason("interrupted", f"{asked} after {step} steps", step)

    def _validate_the_end(self) -> None:
        """Validate the last parameters too, where they ended between two validations.

        After the checkpoint was saved, because a descent that goes on from it must be the one that never stopped here.
        """
        steps = self.history.validation.get("step", [])
        ended = self.reason is not None and self.reason.name != "diverged"
        is_new = not steps or steps[-1] != self.run.step
        if self.validate and ended and is_new and self._may_validate():
            self._validate(self.validate)

    def _validate(self, validate: Validate) -> Mapping[str, float]:
        measure = partial(validate, self.run.eval_params, self.run.state.carried.state)
        values = self.processes.agreed(self._clock.time("validate", measure))
        self.history.validated(self.run.step, values)
        before = self.best
        self.best = before.after(values["loss"], self.run.step, self.plateau or Plateau())
        if self.best.step != before.step:
            self.best_numbers = (self.run.eval_numbers, self.run.state.carried.state)
        return values

    def _next_validation(self, step: int) -> float:
        """The first step after `step` at which to validate."""
        return self._validation(math.floor(round(step / self.validate_every, 6)) + 1)

    def resting_at(self, share: float) -> float:
        """The step of the validation that is nearest to this share of all steps, the first one at the least; there is
        none of a whole, and where nobody knows how many steps there are."""
        if share == 1 or self.limit.steps is None:
            return math.inf
        return self._validation(max(round(share * self.limit.steps / self.validate_every), 1))

    def _validation(self, number: int) -> float:
        """The step at which it validates for the first time, the second, and so on."""
        is_validated = self.validate is not None and math.isfinite(self.validate_every)
        return math.ceil(round(number * self.validate_every, 6)) if is_validated else math.inf

    # ------------------------------------------------------------------------------------------------- telling

    @property
    def progress(self) -> Progress:
        """How far the descent has come."""
        step, steps, (trace, seconds) = self.run.step, self.limit.steps, self._last
        rate = len(trace) / max(seconds, 1e-9)
        limits = [self.budget.seconds - self.seconds] if self.budget.seconds else []
        limits += [(steps - step) / rate] if steps and rate else []
        per_epoch = getattr(self.run.descent.source, "steps_per_epoch", None)
        checks = self.history.validation
        return Progress(
            step=step,
            steps=steps,
            epoch=step / per_epoch if per_epoch else None,
            latest={name: column[-1] for name, column in trace.columns.items()} if len(trace) else {},
            validation={name: values[-1] for name, values in checks.items() if name != "step"},
            best=self.best,
            seconds=self.seconds,
            steps_per_second=rate,
            eta=max(min(limits), 0.0) if limits else None,
            reason=self.reason,
        )

    def _report(self) -> None:
        if self.observers:
            progress = self.progress
            for observer in self.observers:
                observer(progress)
