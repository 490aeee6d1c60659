"""The loop on the host: dispatches, validations, checkpoints and observers, until there is a reason to stop."""

import contextlib
import dataclasses
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from descend._tree import Tree
from descend.engine.advancing import Trace, dispatch
from descend.engine.descent import CONVERGED, NONFINITE, STALLED
from descend.engine.history import History
from descend.engine.pace import Pace, with_best_dispatch
from descend.engine.progress import Observer, Progress
from descend.engine.run import Run
from descend.engine.saving import facts_of
from descend.engine.search import Race, Search, Trial
from descend.engine.storing import read_arrays, tree_from_arrays, tree_to_arrays, write_arrays
from descend.errors import CheckpointError, InputError
from descend.optimizers import Optimizer
from descend.stopping import Best, Budget, GradientTolerance, Plateau, Reason, Target

SEARCHING = 0.2  # of the seconds that there are, which the search for a learning rate may take
Validate = Callable[[Tree, Tree], Mapping[str, float]]  # of parameters and state: `loss`, and what else to know


@dataclass(frozen=True)
class Checkpoint:
    """Where to save a run, and how often.

    `path`: the file, replaced atomically. `every`: seconds between two of them, at the least; saving is also held to a
    fiftieth of the time. The last state is always saved.
    """

    path: Path
    every: float = 5.0


@dataclass
class Drive:
    """A descent under way: the run, and what is known of it on the host."""

    run: Run
    budget: Budget
    plateau: Plateau | None = None
    target: Target | None = None
    validate: Validate | None = None
    validate_every: float = math.inf  # steps; need not be whole
    observers: Sequence[Observer] = ()
    checkpoint: Checkpoint | None = None
    tries_stepwise: bool = False
    race: Race | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)

    history: History = field(default_factory=History)
    best: Best = field(default_factory=Best)
    best_numbers: Any = None  # and the loss's state with them
    seconds: float = 0.0
    search: Search | None = None
    reason: Reason | None = None

    def to_the_end(self) -> Reason:
        """Descend until there is a reason to stop, and give it."""
        with contextlib.ExitStack() as stack:
            for observer in self.observers:
                if isinstance(observer, contextlib.AbstractContextManager):
                    stack.enter_context(observer)
            interrupted = stack.enter_context(interrupts())
            if self.tries_stepwise and self.run.step == 0:
                self.run = with_best_dispatch(self.run)
            if self.race and self.search is None and self.reason is None:
                self._search(self.race, interrupted)
            self.reason = self.reason or self.budget.spent(self.run.step, self.seconds)
            pace, timer, trace = Pace(), _Timer(), Trace(self.run.step, {})
            begin = time.perf_counter()
            while self.reason is None:
                self._report(trace, time.perf_counter() - begin)
                if self.checkpoint and timer.is_due(self.checkpoint.every):
                    timer.time(partial(self._save, self.checkpoint.path))
                begin = time.perf_counter()
                trace = self._advance(pace)
                self._judge(trace, interrupted)
                self.seconds += time.perf_counter() - begin
            if self.checkpoint:
                self._save(self.checkpoint.path)
            self._validate_the_end()
            self._report(trace, time.perf_counter() - begin)
        return self.reason

    def _search(self, race: Race, interrupted: threading.Event) -> None:
        """Find the learning rate, in the time that there is."""
        begin, limit = time.perf_counter(), self.budget.seconds or math.inf
        is_over = lambda: interrupted.is_set() or time.perf_counter() - begin >= SEARCHING * limit
        search = race(self.run, is_over, self._tell_of_trials)
        if interrupted.is_set():
            # Not kept: a descent that goes on from here must find the rate that one finds which was not interrupted.
            self.reason = Reason("interrupted", "Ctrl-C while a learning rate was looked for", self.run.step)
            return
        self.search = search
        self.seconds += time.perf_counter() - begin
        self._tune(race.rule(self.search.rate))

    def _tell_of_trials(self, made: int, of: int) -> None:
        for observer in self.observers:
            observer(Progress(0, self.budget.steps, None, {}, {}, self.best, 0.0, 0.0, None, None, tried=(made, of)))

    def _tune(self, rule: Optimizer) -> None:
        self.run = dataclasses.replace(self.run, descent=dataclasses.replace(self.run.descent, optimizer=rule))

    def _advance(self, pace: Pace) -> Trace:
        before = self.run.step
        n = min(pace.size, self._next_validation(before) - before, (self.budget.steps or math.inf) - before)
        begin = time.perf_counter()
        self.run, trace = dispatch(self.run, max(int(n), 1))
        pace.record(self.run.step - before, time.perf_counter() - begin)
        self.history.extend(trace)
        return trace

    def _judge(self, trace: Trace, interrupted: threading.Event) -> None:
        """Validate where it is time to, and find out whether there is a reason to stop, the strongest first."""
        run, step = self.run, self.run.step
        status = int(run.state.guard.status)
        if status == NONFINITE:
            self.reason = _divergence(trace, step)
            return
        validated = self._validate(self.validate) if self.validate and step == self._next_validation(step - 1) else {}
        if status == CONVERGED and run.descent.stop is not None:
            self.reason = _convergence(run.descent.stop, run, trace)
        elif status == STALLED:
            evidence = (f"no step that was tried lowers the loss below {trace.columns['loss'][-1]:.6g}, where the "
                        f"gradient's norm is {trace.columns['gradient_norm'][-1]:.3g}: the limit of this precision")
            self.reason = Reason("stalled", evidence, step)
        elif validated and self.target and self.target.reached(validated):
            self.reason = Reason("reached", self.target.evidence(validated), step)
        elif self.plateau and self.best.waited >= self.plateau.patience:
            evidence = (f"the validation loss was best after {self.best.step} steps, {self.best.value:.6g}, "
                        f"and {self.best.waited} more evaluations did not better it")
            self.reason = Reason("plateau", evidence, step)
        else:
            self.reason = self.budget.spent(step, self.seconds)
        if self.reason is None and interrupted.is_set():
            self.reason = Reason("interrupted", f"Ctrl-C after {step} steps", step)

    def _validate_the_end(self) -> None:
        """Validate the last parameters too, where they ended between two validations.

        After the checkpoint was saved, because a descent that goes on from it must be the one that never stopped here.
        """
        steps = self.history.validation.get("step", [])
        ended = self.reason is not None and self.reason.name != "diverged"
        if self.validate and ended and (not steps or steps[-1] != self.run.step):
            self._validate(self.validate)

    def _validate(self, validate: Validate) -> Mapping[str, float]:
        values = validate(self.run.eval_params, self.run.state.carried.state)
        self.history.validated(self.run.step, values)
        before = self.best
        self.best = before.after(values["loss"], self.run.step, self.plateau or Plateau())
        if self.best.step != before.step:
            self.best_numbers = (self.run.eval_numbers, self.run.state.carried.state)
        return values

    def _next_validation(self, step: int) -> float:
        """The first step after `step` at which to validate."""
        if self.validate is None or math.isinf(self.validate_every):
            return math.inf
        number = math.floor(round(step / self.validate_every, 6)) + 1
        return math.ceil(round(number * self.validate_every, 6))

    def _report(self, trace: Trace, seconds: float) -> None:
        if not self.observers or (not len(trace) and self.reason is None):
            return
        step, steps = self.run.step, self.budget.steps
        rate = len(trace) / max(seconds, 1e-9)
        limits = [self.budget.seconds - self.seconds] if self.budget.seconds else []
        limits += [(steps - step) / rate] if steps and rate else []
        per_epoch = getattr(self.run.descent.source, "steps_per_epoch", None)
        checks = self.history.validation
        progress = Progress(
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
        for observer in self.observers:
            observer(progress)

    def _save(self, path: Path) -> None:
        """Write the checkpoint; a disk that cannot take it is warned of, and the descent goes on."""
        arrays = tree_to_arrays(self.run.state, "state")
        arrays |= {f"history/{name}": array for name, array in self.history.to_arrays().items()}
        if self.best_numbers is not None:
            arrays |= tree_to_arrays(self.best_numbers, "best")
        facts = {
            "identity": self.identity,
            "run": facts_of(self.run),
            "seconds": self.seconds,
            "stride": self.history.stride,
            "stepwise": self.run.descent.stepwise,
            "search": dataclasses.asdict(self.search) if self.search else None,
            "best": vars(self.best),
            "reason": vars(self.reason) if self.reason else None,
        }
        try:
            write_arrays(path, arrays, facts)
        except OSError as error:
            warnings.warn(
                f"the checkpoint {path} could not be written ({error.strerror}): the descent goes on, "
                "and the last one that was written is whole",
                stacklevel=2,
            )

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        **Raises** `CheckpointError` if it is damaged or was made by another descent, and says how that differed.
        """
        arrays, facts = read_arrays(path)
        differences = [
            f"{name} was {theirs}, and is {self.identity.get(name)}"
            for name, theirs in facts["identity"].items()
            if theirs != self.identity.get(name)
        ]
        if differences:
            raise CheckpointError(f"{path} belongs to another run: {'; '.join(differences)}")
        best = (self.run.eval_numbers, self.run.state.carried.state)
        descent = dataclasses.replace(self.run.descent, stepwise=facts["stepwise"])
        self.run = Run(tree_from_arrays(self.run.state, arrays, "state"), descent)
        if any(name.startswith("best/") for name in arrays):
            self.best_numbers = tree_from_arrays(best, arrays, "best")
        past = {name.removeprefix("history/"): a for name, a in arrays.items() if name.startswith("history/")}
        self.history = History.from_arrays(past, facts["stride"])
        if self.race and (found := facts["search"]):
            self.search = Search(tuple(Trial(**trial) for trial in found["trials"]), found["steps_each"], found["rate"])
            self._tune(self.race.rule(self.search.rate))
        self.best, self.seconds = Best(**facts["best"]), facts["seconds"]
        reason = facts["reason"]
        if reason and reason["name"] not in ("budget", "interrupted"):
            self.reason = Reason(**reason)


def _convergence(stop: GradientTolerance, run: Run, trace: Trace) -> Reason:
    norm, first = trace.columns["gradient_norm"][-1], np.asarray(run.state.guard.first_norm)
    return Reason("converged", stop.evidence(norm, first), run.step)


def _divergence(trace: Trace, step: int) -> Reason:
    """Which number was the first that is not finite.

    **Raises** `InputError` if that was so before any step: then it is not the descent that diverged.
    """
    row = {name: trace.columns[name][-1] for name in ("loss", "gradient_norm", "update_norm")}
    name, value = next((name, value) for name, value in row.items() if not np.isfinite(value))
    what = {"loss": "loss", "gradient_norm": "gradient's norm", "update_norm": "update's norm"}[name]
    if step == 0 and name != "update_norm":
        raise InputError(f"the {what} is {value} at the starting parameters: begin where the loss is finite, "
                         "and look for values in the data that are not")
    return Reason("diverged", f"the {what} was {value} at step {step}; the parameters are those before it, which are "
                  "finite. A smaller learning rate may help", step)


class _Timer:
    """Whether it is time to save again: not too often, and for no more than a fiftieth of the time."""

    def __init__(self) -> None:
        self._last, self._cost = time.monotonic(), 0.0

    def is_due(self, every: float) -> bool:
        return time.monotonic() - self._last >= max(every, 50 * self._cost)

    def time(self, action: Callable[[], None]) -> None:
        begin = time.monotonic()
        action()
        self._last = time.monotonic()
        self._cost = self._last - begin


@contextlib.contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that a descent ends between two dispatches; a second Ctrl-C ends it at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield event
        return

    def handle(_number: int, _frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
