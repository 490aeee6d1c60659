"""Taking a run further: dispatches of the compiled loop, and what the host adds to them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import index
from typing import Any, TypeVar

import jax
import numpy as np

from descend._arrays import precision
from descend._tree import Tree
from descend.engine.checks import key_beside, refuse_tracers
from descend.engine.descent import RUNNING, Descent, Guard, State
from descend.engine.loop import loop, single
from descend.engine.loss import AuxiliaryState
from descend.errors import InputError
from descend.sources import Drawn, Fed, Feed, HostSource, draw_ahead

# A run: a value with a state and a descent.
R = TypeVar("R", bound=Any)
# In the place of what a program is not given.
NOTHING = ()


@dataclass(frozen=True)
class Trace:
    """What was recorded: `columns` by name, each with one entry for every step from number `start`."""

    start: int
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def without_last(self) -> "Trace":
        """The trace but for its last entry."""
        return Trace(self.start, {name: column[:-1] for name, column in self.columns.items()})


def initial_state(descent: Descent, params: Tree, key: jax.Array, state: Tree = None) -> State:
    """The state before the first step; `params` are the trainable numbers alone, `state` what the loss keeps."""
    with precision(params):
        zero = np.zeros((), np.int32)
        unknown = np.full((), np.nan, np.result_type(*(leaf.dtype for leaf in jax.tree.leaves(params))))
        carried = AuxiliaryState(state, key_beside(key) if descent.signature.takes_key else None)
        optimizer, cursor = first_memory(descent, params), descent.source.init(key)
        params, guard, carried = descent.placed((params, Guard(NOTHING, unknown, zero), carried))
        return State(params, optimizer, cursor, zero, guard._replace(status=zero), carried)


def first_memory(descent: Descent, params: Tree) -> Any:
    """What the rule remembers before the first step, where the steps are made."""
    if descent.has_shards:
        # By a program, as neither one device nor the host need have room for the whole of it.
        return descent.without_data.run(_remembered, descent.placed(params))
    # In NumPy, as nothing that is compiled by itself should be waited for.
    return descent.placed(descent.optimizer.init(jax.tree.map(np.asarray, params)))


def _remembered(descent: Descent, params: Tree) -> Any:
    return descent.optimizer.init(params)


def advance(run: R, n: int) -> tuple[R, Trace]:
    """The run after `n` more steps, and the trace of them.

    There are fewer if the gradient's tolerance is met or a step is not finite.

    A step's entries in the trace are `loss`, `gradient_norm`, `update_norm`, what the rule reads out
    (`learning_rate`), and what the loss returned besides. A last entry without an update is that of the test which
    ended the run.
    """
    refuse_tracers("advance", run=run)
    left, traces = count(n), [Trace(run.step, {})]
    while left:
        run, trace = run.dispatch(left)
        traces.append(trace)
        left = 0 if int(run.state.guard.status) != RUNNING else left - len(trace)
    return run, joined(traces)


def joined(traces: list[Trace]) -> Trace:
    """Traces that follow each other, as one."""
    parts = [trace.columns for trace in traces if len(trace)]
    names = parts[0] if parts else ()
    return Trace(traces[0].start, {name: np.concatenate([part[name] for part in parts]) for name in names})


def dispatch(run: R, n: int) -> tuple[R, Trace]:
    """The run after up to `n` more steps, at least one of them, and their trace: as many as one dispatch may have.

    There are fewer than for `advance` if the host has no more batches of one shape at hand, or if the trace of `n`
    steps is too large.
    """
    with precision(run.state.params):
        descent, feed = fed(run, n)
        draws, most = (feed.draws, min(n, feed.size)) if feed else (NOTHING, n)
        made = _one_by_one if descent.stepwise else partial(_in_a_loop, meanwhile=partial(_tell_ahead, run, feed, most))
        state, status, steps, columns = made(descent, for_programs(run.state, feed), draws, most)
        cursor = feed.after(steps) if feed else state.cursor
        return after(run, state._replace(cursor=cursor), status, steps), Trace(run.step, columns)


def for_programs(state: State, feed: Feed | None = None) -> State:
    """What a compiled step is given of a state."""
    cursor = NOTHING if feed else state.cursor
    return state._replace(step=NOTHING, guard=state.guard._replace(status=NOTHING), cursor=cursor)


def after(run: R, state: State, status: int, steps: int) -> R:
    """The run after steps that a program made, with what the host keeps of the state."""
    guard = state.guard._replace(status=np.int32(status))
    return dataclasses.replace(run, state=state._replace(step=np.int32(run.step + steps), guard=guard))


def fed(run: R, n: int) -> tuple[Descent, Feed | None]:
    """What the host tells of the next draws, if it is for it to tell; and the descent that is compiled for them."""
    source: Any = run.descent.source
    if isinstance(source, HostSource):
        ahead = getattr(source, "feed", partial(draw_ahead, source))
        feed = ahead(run.state.cursor, run.params, n)
        return dataclasses.replace(run.descent, source=Drawn()), feed
    if isinstance(source, Fed):
        return run.descent, source.feed(run.state.cursor, run.params, n)
    return run.descent, None


# The state, the last step's status, the number of steps, a trace.
Made = tuple[State, int, int, dict[str, np.ndarray]]


def _tell_ahead(run: R, feed: Feed | None, n: int) -> None:
    """Have the draws after these told while the steps are made, if that takes no looking at parameters."""
    if feed and isinstance(run.descent.source, Fed):
        run.descent.source.feed(feed.after(n), run.params, n)


def _in_a_loop(descent: Descent, state: State, draws: Tree, n: int, meanwhile: Callable[[], None]) -> Made:
    """A dispatch of many steps; those before one that should not have been made are made again."""
    after, status, made, recorded = descent.run(loop, state, draws, np.int32(n))
    meanwhile()
    steps, ended = int(made), int(status)
    columns = recorded.columns(steps)
    # The last step should not have been made. Those before it are made again, from the state that is still there.
    if ended != RUNNING:
        steps -= 1
        # The one thing to keep of it: as the first step of all, it may have told the first norm.
        first = after.guard.first_norm
        after = descent.run(loop, state, draws, np.int32(steps))[0]
        after = after._replace(guard=after.guard._replace(first_norm=first))
    return after, ended, steps, columns


def _one_by_one(descent: Descent, state: State, draws: Tree, n: int) -> Made:
    """A dispatch for each step: for steps that XLA compiles better outside a loop than inside."""
    entries: list[dict[str, Any]] = []
    steps, ended = 0, RUNNING
    while steps < n and ended == RUNNING:
        draw = jax.tree.map(lambda array, i=steps: array[i : i + 1], draws)
        after, status, entry = descent.run(single, state, draw)
        entries.append(entry)
        ended = int(status)
        if ended == RUNNING:
            state, steps = after, steps + 1
        else:
            state = state._replace(guard=state.guard._replace(first_norm=after.guard.first_norm))
    return state, ended, steps, {name: np.stack([np.asarray(entry[name]) for entry in entries]) for name in entries[0]}


def count(n: Any) -> int:
    """A number of steps.

    **Raises** `InputError` unless it is a whole one, of at least 0.
    """
    try:
        steps = index(n)
    except TypeError:
        steps = -1
    if steps < 0:
        raise InputError(f"the number of steps must be a whole one, of at least 0, but is {n!r}")
    return steps
