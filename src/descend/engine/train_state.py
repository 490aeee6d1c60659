"""How far a descent has come, as its checkpoint tells of it."""

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from descend._division import processes_among
from descend._facts import Facts
from descend._files import try_room
from descend._processes import Processes
from descend.engine.extending import extended
from descend.engine.forking import with_rate
from descend.engine.history import History
from descend.engine.identity import warn_of_other_surroundings
from descend.engine.planning import first_length
from descend.engine.points import Point
from descend.engine.rate_search import USUAL_RATE, RateSearch, Search, Trial
from descend.engine.run import Run
from descend.engine.snapshots import Snapshots
from descend.engine.storing import read_arrays, tree_from_arrays, tree_to_arrays, write_arrays
from descend.errors import CheckpointError, InputError, reading
from descend.optimizers import Optimizer
from descend.stopping import Best, Budget, Reason

Arrays = Mapping[str, np.ndarray]


@dataclass(kw_only=True, repr=False, eq=False)
class TrainState:
    """How far a descent has come: all that another process needs to go on with it, and what must be the same there.

    `rule`: as it was given, its lengths left open; where a `rate_search` finds one, its outline. `identity`: what a
    checkpoint must agree with. `best_numbers`: those of the best parameters, and the loss's state with them. `planned`:
    the steps that there is time for, where seconds end it before its other budgets do. `saved`: after how many steps
    the last checkpoint was written, if one was.
    """

    run: Run
    budget: Budget
    rule: Optimizer
    rate_search: RateSearch | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)

    history: History = field(default_factory=History)
    snapshots: Snapshots = field(default_factory=Snapshots)
    best: Best = field(default_factory=Best)
    best_numbers: Any = None
    seconds: float = 0.0
    planned: int | None = None
    search: Search | None = None
    reason: Reason | None = None
    point: Point | None = None
    saved: int | None = None

    @property
    def limit(self) -> Budget:
        """The budget, with no more steps than there is time for."""
        return self.budget.within(self.planned)

    @property
    def processes(self) -> Processes:
        """Those that the descent is divided among."""
        return processes_among(self.run.descent.division)

    def try_room(self, path: Path) -> None:
        """Find out whether there is room for the checkpoint, twice: for the one before it, or the model, as well.

        **Raises** `InputError` if there is not.
        """
        size = 2 * sum(array.nbytes for array in self._arrays().values())
        self.processes.first_does(partial(_try_room, path, size))

    def save(self, path: Path, over: bool = False) -> None:
        """Write the checkpoint. A disk that cannot take it is warned of, where there is one, or the descent is `over`.

        **Raises** `InputError` if no checkpoint could ever be written, so that no more is lost than there is by now;
        and where a process has other numbers than the first.
        """
        # Of all processes, as what is made of their common arrays is made by all of them; the first has it written.
        arrays, facts = self._arrays(), self._facts()
        state = {name: array for name, array in arrays.items() if name.startswith("state/")}
        self.processes.refuse_other_numbers(state, f"after {self.run.step} steps")
        self.processes.first_does(partial(self._write, path, arrays, facts, over))

    def _facts(self) -> dict[str, Any]:
        return {
            "identity": self.identity,
            "length": self.budget.steps,
            "planned": self.planned,
            "run": self.run.facts(self.identity["data"]),
            "seconds": self.seconds,
            "stride": self.history.stride,
            "search": dataclasses.asdict(self.search) if self.search else None,
            "best": vars(self.best),
            "reason": vars(self.reason) if self.reason else None,
        }

    def _write(self, path: Path, arrays: Arrays, facts: Mapping[str, Any], over: bool) -> None:
        try:
            write_arrays(path, arrays, facts, _older(path))
        except OSError as error:
            # A full disk ends no training that has a checkpoint to go on from. One that never had any would lose all at
            # its end.
            told = f"the checkpoint {path} could not be written ({error.strerror})"
            if self.saved is None and not over:
                raise InputError(f"{told}, nor any before: make room on the disk, or name another file") from None
            standing = "none is there" if self.saved is None else f"the last one, after {self.saved:,} steps, is whole"
            warnings.warn(f"{told}: {standing}", stacklevel=2)
        else:
            self.saved = self.run.step

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = tree_to_arrays(self.run.state, "state")
        arrays |= {f"history/{name}": array for name, array in self.history.to_arrays().items()}
        for step, run in self.snapshots.runs.items():
            arrays |= tree_to_arrays(run.state, f"snapshots/{step}")
        if self.best_numbers is not None:
            arrays |= tree_to_arrays(self.best_numbers, "best")
        return arrays

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint; if it is damaged, from the one before it, which then takes its place.

        **Raises** `CheckpointError` if both are damaged, or it was made by another descent, and says how that differed.
        """
        arrays, facts = self.processes.arrays_of_first(partial(_last_whole, path))
        with reading(f"{path} is no checkpoint of this descent, delete it to begin anew", CheckpointError):
            self._take_over(path, arrays, facts)

    def _take_over(self, path: Path, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Stand where a file stands."""
        self._refuse_another(path, facts["identity"])
        if found := facts["search"]:
            trials = tuple(Trial(**trial) for trial in found["trials"])
            self.search = Search(trials, found["steps_each"], found["rate"], found["seen"])
        # None in a checkpoint of before there were plans.
        if facts.get("planned") is not None:
            self.planned = Facts(facts, str(path)).whole("planned", 1)
        past = {name.removeprefix("history/"): a for name, a in arrays.items() if name.startswith("history/")}
        self.history = History.from_arrays(past, facts["stride"])
        if any(name.startswith("best/") for name in arrays):
            like = (self.run.eval_numbers, self.run.state.carried.state)
            self.best_numbers = tree_from_arrays(like, arrays, "best")
        self._go_on_from(arrays, facts)
        warn_of_other_surroundings(path, self.run.surroundings, facts["run"].get("surroundings", {}))
        self.saved = self.run.step
        self.best, self.seconds = Best(**facts["best"]), facts["seconds"]
        reason = facts["reason"]
        if reason and reason["name"] not in ("budget", "interrupted"):
            self.reason = Reason(**reason)

    def _refuse_another(self, path: Path, theirs: Mapping[str, Any]) -> None:
        mine = self.identity
        # All that differs is told at once, as what is mended one by one is tried again each time.
        differences = [f"{name} was {was}, and is {mine.get(name)}" for name, was in theirs.items()
                       if was != mine.get(name)]
        if differences:
            raise CheckpointError(f"{path} belongs to another run: {'; '.join(differences)}")

    def _go_on_from(self, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Take over the run, and the snapshots on its way."""
        made = int(arrays["state/step"])
        rule = self._rule(facts["length"], made)
        descent = dataclasses.replace(self.run.descent.gone_on(facts["run"]), optimizer=rule)
        begun = dataclasses.replace(self.run, descent=descent)
        kept = {int(name.split("/")[1]) for name in arrays if name.startswith("snapshots/")}
        for step in sorted(kept):
            self.snapshots = self.snapshots.keep(self._stored(begun, arrays, f"snapshots/{step}", max(step, 1)))
        self.run = self._stored(begun, arrays, "state", made + 1)

    def _rule(self, length: int | None, made: int) -> Optimizer:
        """The rule of a descent that was begun for `length` steps."""
        before = length if self.planned is None else self.planned
        if length == self.budget.steps:
            return self._rule_over(before)
        # Another length was asked for, to which no plan is an answer.
        self.planned = None
        if self.rate_search is None:
            return extended(self.rule, before, self.budget.steps, made)
        raise CheckpointError(
            f"the rate that optimizer='auto' found falls to nothing over the {before} steps it was found for, and "
            f"cannot go on to {self.budget.steps}: begin a new descent from the params of that one, or with a rule "
            "such as AdamW(0.001)"
        )

    def _rule_over(self, steps: int | None) -> Optimizer:
        """The rule of a descent of so many steps, with the rate that was found, if one was looked for."""
        if self.rate_search is None:
            return self.rule.over(first_length(steps, self.budget.seconds))
        return self.rate_search.over(steps).rule(self.search.rate if self.search else USUAL_RATE)

    def _stored(self, begun: Run, arrays: Arrays, prefix: str, before: int) -> Run:
        """A run that was stored, with the last rate that it was given before so many steps."""
        run = dataclasses.replace(begun, state=tree_from_arrays(begun.state, arrays, prefix))
        rate = self.history.rate_before(before)
        if rate is None:
            return run
        rule = with_rate(run.descent.optimizer, rate)
        return dataclasses.replace(run, descent=dataclasses.replace(run.descent, optimizer=rule))


def _try_room(path: Path, size: int) -> None:
    try:
        try_room(path, size)
    except OSError as error:
        raise InputError(f"the checkpoint {path} cannot be written ({error.strerror}): make room for {size:,} "
                         "bytes, or name another file") from None


def _older(path: Path) -> Path:
    """Where the checkpoint before the last one is."""
    return path.with_name(f"{path.name}.older")


def _last_whole(path: Path) -> tuple[Arrays, Mapping[str, Any]]:
    """The last checkpoint, or if it is damaged, the one before it."""
    try:
        return read_arrays(path)
    except CheckpointError as error:
        try:
            found = read_arrays(_older(path))
        except CheckpointError:
            raise error from None
        try:
            # Else the whole one would be lost with the next that is written, which takes its name.
            _older(path).replace(path)
        except OSError as fault:
            raise CheckpointError(f"{path} is damaged, and the one before it cannot take its place "
                                  f"({fault.strerror}): move {_older(path)} there to go on from it") from None
        warnings.warn(f"{path} is damaged: the descent goes on from the checkpoint before it, {_older(path)}",
                      stacklevel=3)
        return found
