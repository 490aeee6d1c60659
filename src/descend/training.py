"""A descent that can be taken further bit by bit, and what it gives back."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from descend._arrays import keeping_precision, precision
from descend._division import processes_among
from descend._flags import as_flag
from descend._settings import budget_of, rule_of, stops_of, validation_of, whole_steps
from descend._tree import Tree
from descend.engine.begin import Setup
from descend.engine.history import History
from descend.engine.identity import identity
from descend.engine.interruption import interrupts
from descend.engine.pace import DISPATCH_SECONDS
from descend.engine.planning import first_length
from descend.engine.points import Point, examined
from descend.engine.progress import EndObserver, Observer, Progress
from descend.engine.rate_search import USUAL_RATE, Search
from descend.engine.run import Run
from descend.engine.snapshots import Snapshots
from descend.engine.trainer import Checkpoint, HostLoop
from descend.engine.watching import as_watch
from descend.errors import InputError
from descend.sources import Empty, WholeSet
from descend.stopping import Best, Convergence, Reason, Stop

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Minimum:
    """A minimum: its parameters, the loss there, and how many descents ended at it."""

    params: Tree
    loss: float
    found: int


@dataclass(frozen=True)
class Result:
    """Where a descent ended, why, and how it got there.

    `params`: the best validated parameters, or the last ones where nothing was validated. `reason`: the named reason
    to stop, with its evidence. `history`: what was recorded, per step. `loss`: the last step's. `best`: the best
    validation. `run`: the run as it ended, a value to keep, to fork and to `advance`. `seconds`: of training, and
    `startup_seconds`: those of them until the first steps were made. `state`: the loss's own, if it keeps one, as it
    belongs to `params`. `search`: how the learning rate was found, if it was. `snapshots`: the runs that were kept on
    the way, by their step, where they were asked for. `start`: the parameters before the first step. `point`: what kind
    of point it ended at. `minima`: those that were found from several starts, the lowest first, if there were
    `restarts`.
    """

    params: Tree
    reason: Reason
    history: History
    loss: float
    best: Best
    run: Run
    seconds: float
    state: Tree = None
    search: Search | None = None
    snapshots: Mapping[int, Run] = field(default_factory=dict)
    minima: tuple[Minimum, ...] = ()
    start: Tree = field(default=None, repr=False)
    startup_seconds: float = math.inf
    examined: Point | None = field(default=None, repr=False)

    @cached_property
    def point(self) -> Point:
        """What kind of point it ended at: a minimum, a flat one, a saddle, a maximum; "unknown" for a loss that is
        another one at each step. Where the descent did not look itself, it is found out when it is asked for."""
        if self.examined is not None:
            return self.examined
        if not isinstance(self.run.descent.source, Empty | WholeSet):
            return Point("unknown", "the loss is that of other examples at each step", self.loss, math.inf)
        dtype = self.run.state.guard.first_norm.dtype
        return examined(self.run, self.history.first_loss, Convergence().within(dtype))

    def plot(self) -> "go.Figure":
        """The loss, the gradient's norm and the learning rate over the steps, as a Plotly figure."""
        # Imported here, as Plotly is for those who look.
        from descend._figures import training_curves

        return training_curves(self.history, self.reason)

    def __repr__(self) -> str:
        how = f"loss {self.loss:.6g} after {self.reason.step} steps in {self.seconds:.3g} s"
        return f"{type(self).__name__}({self.reason}; {how})"


class Trainer(HostLoop):
    """A descent that is taken further from outside: for a page, a notebook, a loop of one's own.

    `Trainer.begin` takes what `minimize` takes, and `to_the_end` is what `minimize` does with it. Between two calls
    nothing goes on, so that to pause is not to call; there is no thread but the caller's. How often and for how long it
    is called changes no number.

    `progress`: how far it has come. `run`, `history`, `snapshots`: as they are now; `history.changes` tells of the
    learning rates that it was given on the way. `reason`: why it ended, `None` until then.

    >>> from descend import SGD
    >>> with Trainer.begin(lambda x: (x - 3.0) ** 2, 0.0, optimizer=SGD(0.25), steps=4, stop=[]) as trainer:
    ...     trainer.advance(steps=2).step, trainer.reason
    ...     other = trainer.fork()
    ...     other.change(learning_rate=0.5)
    ...     other.to_the_end().loss, trainer.to_the_end().loss
    (2, None)
    (0.0, 0.140625)
    """

    @classmethod
    def begin(
        cls,
        loss: Callable[..., Any],
        params: Tree,
        data: Any = None,
        *,
        state: Tree = None,
        optimizer: Any = "auto",
        bounds: Any = None,
        ema: float | None = None,
        batch_size: int | None = None,
        epochs: float | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        stop: Stop | Sequence[Stop] | None = None,
        validation: Any = None,
        validate_every: int | None = None,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
        resume: bool = False,
        watch: Any = None,
        snapshots: bool | float = False,
        seed: int = 0,
        dtype: Any = None,
        on_nonfinite: Literal["stop", "skip"] = "stop",
        shard: Any = None,
    ) -> "Trainer":
        """A descent before its first step; or, with `resume=True`, where its checkpoint stands.

        The arguments, defaults and errors are those of `minimize`, but for `restarts`: a trainer is one descent.
        """
        if as_flag("resume", resume) and checkpoint is None:
            raise InputError("resume=True needs checkpoint=, the file to go on from")
        if validate_every is not None and validate_every < 1:
            raise InputError(f"validate_every must be at least 1 step, but is {validate_every}")
        begun_at = time.perf_counter()
        setup = Setup.of(loss, params, data, state, batch_size, dtype, shard)
        with precision(setup.numbers):
            budget = budget_of(setup.source, epochs, steps, seconds)
            processes = processes_among(setup.division)
            processes.refuse_differences(
                budget=str(budget), stop=repr(stop), ema=repr(ema), watch=repr(watch), snapshots=repr(snapshots),
                validation=type(validation).__name__, validate_every=repr(validate_every), resume=repr(resume),
                checkpoint=type(checkpoint).__name__,
            )
            rule, rate_search = rule_of(optimizer, bounds, ema, budget.steps, setup)
            setup = replace(setup, numbers=rule.feasible(setup.numbers))
            tolerance, plateau, target = stops_of(stop, setup.is_noiseless, validation)
            first = rate_search.rule(USUAL_RATE) if rate_search else rule.over(first_length(budget.steps, seconds))
            run, convolves = setup.begun(first, tolerance, seed, on_nonfinite, as_watch(watch))
            saved = Checkpoint(Path(checkpoint)) if isinstance(checkpoint, str | Path) else checkpoint
            # The rule with its length open: a checkpoint of another length may be gone on with.
            begun = replace(run.descent, optimizer=rule)
            trainer = cls(
                run=run,
                budget=budget,
                rule=rule,
                rate_search=rate_search,
                identity=identity(begun, setup.numbers, seed) if saved else {},
                snapshots=Snapshots.of(run, snapshots),
                start=run.state.params,
                plateau=plateau,
                target=target,
                validate=validation_of(validation, run.descent),
                validate_every=validate_every or max(getattr(setup.source, "steps_per_epoch", None) or 1.0, 1.0),
                observers=observers,
                checkpoint=saved,
                tries_stepwise=convolves,
            )
            if resume and saved and processes.agreed(saved.path.exists()):
                trainer.hold()
                trainer.resume(saved.path)
            # To trace the loss may take as long as many steps, so it counts.
            trainer.seconds += processes.agreed(time.perf_counter() - begun_at)
            return trainer

    def advance(self, steps: int | None = None, seconds: float | None = None) -> Progress:
        """Descend for so many more steps or seconds, whichever are over first; by default for a tenth of a second.

        Where there is a reason to stop before, it ends there, and does nothing more. It goes on for at least one
        dispatch, which the first time compiles the step. Observers are told, and the checkpoint is written, as they are
        by `minimize`; Ctrl-C is the caller's.
        """
        if steps is None and seconds is None:
            seconds = DISPATCH_SECONDS
        self.go_on(math.inf if steps is None else whole_steps(steps), math.inf if seconds is None else seconds)
        return self.progress

    def to_the_end(self, pause: float = math.inf) -> Result:
        """Descend until there is a reason to stop; Ctrl-C is one. The observers leave then.

        `pause`: the step at which it rests if there was no reason before. What goes on from there, or from its
        checkpoint, is what never rested.
        """
        with self, interrupts() as self._clock.interruption:
            self.go_on(pause - self.run.step)
        result = self.result()
        if self.reason is not None:
            self.tell_end(result)
        return result

    def change(self, *, learning_rate: float) -> None:
        """Step with this learning rate from here on, in the place of the rule's own or of its schedule.

        `history.changes` tells of it, and so does the checkpoint: a descent that goes on from there has the new rate.
        Before the first step it saves the search for one. What has diverged is lost, but for its snapshots.

        **Raises** `InputError` for a rule without a learning rate, and for a rate that is none.
        """
        self.change_rate(learning_rate)

    def fork(self) -> "Trainer":
        """Another trainer that stands where this one does; each goes on by itself. The other has no checkpoint and no
        observers, as a file can only be of one of them."""
        return self.copied()

    def result(self) -> Result:
        """What came of it so far."""
        run, step, state = self.run, self.run.step, self.run.state.carried.state
        if self.best_numbers is not None:
            numbers, state = self.best_numbers
        elif step == 0:
            # Every average begins where the parameters are.
            numbers = run.state.params
        elif self.reason is not None and self.reason.name == "converged":
            # Not the average, which may lag far behind the parameters that passed the test.
            numbers = run.accepted_numbers
        else:
            numbers = run.eval_numbers
        return Result(
            params=keeping_precision(run.descent.whole(numbers)),
            reason=self.reason or Reason("interrupted", f"it is at rest after {step} steps, and may go on", step),
            history=self.history,
            loss=float(self.history.columns.get("loss", np.full(1, np.nan))[-1]),
            best=self.best,
            run=run,
            seconds=self.seconds,
            state=state,
            search=self.search,
            snapshots=self.snapshots.runs,
            startup_seconds=self.until_first or math.inf,
            start=keeping_precision(run.descent.whole(self.start)),
            examined=self.point,
        )

    def tell_end(self, result: Result) -> None:
        """Tell the observers that look at the end what came of it."""
        for observer in self.observers:
            if isinstance(observer, EndObserver):
                observer.ended(result)

    def close(self) -> None:
        """Write the checkpoint, if there is to be one, and let the observers leave; it may still go on after that."""
        self.leave(None, None, None)

    def __enter__(self) -> "Trainer":
        self.open()
        return self

    def __exit__(self, *error: Any) -> None:
        self.leave(*error)

    def __repr__(self) -> str:
        return f"Trainer({self.reason or 'at rest'}; {self.run.step} steps in {self.seconds:.3g} s)"
