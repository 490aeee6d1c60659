"""Many runs at once: stacked in one program where a step is little, else one after the other, on all cores."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend._tree import Tree
from descend.engine.advancing import NOTHING, Trace, advance, after, count, for_programs, joined
from descend.engine.descent import RUNNING, Descent, State
from descend.engine.identity import usable_cores
from descend.engine.loop import Recorded, drawn, empty, one_step, room, with_entry
from descend.engine.programs import settings_here
from descend.engine.run import Run
from descend.errors import InputError
from descend.sources import Empty, HostArrays, HostSource, WholeSet

R = TypeVar("R")

# Numbers of a run at the most, and runs at the least, that are stacked: beyond, a batched product costs more than
# products.
MAX_STACKED_SIZE, MIN_STACKED_RUNS = 64, 16
# Runs, of which the first would keep the others waiting for as long as threads save.
MIN_THREADED_RUNS = 4
# Seconds of a run, from which on it is worth a thread. They are told by one of so many parts of it.
THREAD_SECONDS, TIMED_PARTS = 0.005, 8


def advance_many(runs: Sequence[Run], n: int) -> list[tuple[Run, Trace]]:
    """Each of the runs after `n` more steps, and its trace: what `run.advance(n)` gives for each, sooner.

    Runs of a few numbers and of one structure, such as forks with other learning rates, are stacked: one program makes
    a step of all of them, and those that end wait unchanged. The numbers of such a member may differ from those alone
    by rounding. All other runs keep a core busy by themselves, so stacking them would gain nothing; they are advanced
    one after the other, on all cores, by the program that each would have alone, and are the same bit for bit.

    **Raises** `InputError` unless `n` is a whole number of at least 0, and for what is no run.

    >>> import numpy as np
    >>> from descend import SGD, advance_many, begin
    >>> run = begin(lambda x: 0.5 * (x**2).sum(), np.array([4.0]), optimizer=SGD(0.5))
    >>> ahead = advance_many([run.fork(learning_rate=rate) for rate in (0.5, 0.25)], 2)
    >>> [run.params.tolist() for run, trace in ahead]
    [[1.0], [2.25]]
    """
    n = count(n)
    refuse_others(runs)
    if any(run.takes_turns for run in runs):
        return [advance(run, n) for run in runs]
    if n and len(runs) >= MIN_STACKED_RUNS and _is_little(runs[0]) and _are_alike(runs):
        return _stacked(list(runs), n)
    return _side_by_side(list(runs), n)


def refuse_others(runs: Sequence[Any]) -> None:
    """Refuse what is no run."""
    for run in runs:
        if not isinstance(run, Run):
            raise InputError(f"advance_many takes runs, such as descend.begin makes, but not a {type(run).__name__}")


def _is_little(run: Run) -> bool:
    """Whether a step is so little that most of its time is spent between its operations."""
    source, leaves = run.descent.source, jax.tree.leaves(run.state)
    are_numbers = all(not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves)
    size = sum(np.size(leaf) for leaf in jax.tree.leaves((run.state.params, source)))
    is_still = isinstance(source, Empty | WholeSet) and not (run.descent.stepwise or run.descent.has_shards)
    return is_still and are_numbers and size <= MAX_STACKED_SIZE


def _are_alike(runs: Sequence[Run]) -> bool:
    """Whether one program can step all of them."""
    first = _kind(runs[0])
    return all(_kind(run) == first for run in runs[1:])


def _kind(run: Run) -> Any:
    leaves, treedef = jax.tree.flatten((run.state, run.descent))
    return treedef, [(leaf.shape, leaf.dtype) if hasattr(leaf, "shape") else float for leaf in leaves]


# ---------------------------------------------------------------------------------------------- one after the other


def _side_by_side(runs: list[Run], n: int) -> list[tuple[Run, Trace]]:
    """The runs one after the other, on as many threads as there are cores where that is worth it: no number depends on
    it."""
    if len(runs) < MIN_THREADED_RUNS or _is_little(runs[0]) or not all(_may_share(run) for run in runs):
        return [advance(run, n) for run in runs]
    begin, part = time.perf_counter(), -(-n // TIMED_PARTS)
    run, trace = advance(runs[0], part)
    if TIMED_PARTS * (time.perf_counter() - begin) < THREAD_SECONDS:
        return [_further(run, trace, n - part), *(advance(run, n) for run in runs[1:])]
    first = partial(_further, run, trace, n - part)
    others = [partial(advance, run, n) for run in runs[1:]]
    return on_threads(lambda job: job(), [first, *others], threads=usable_cores())


def on_threads(function: Callable[..., R], *columns: Sequence[Any], threads: int | None = None) -> list[R]:
    """What the function returns for each row of arguments, on so many threads, by default one for each.

    Here, one after the other, within one of JAX's contexts, which threads do not inherit.
    """
    with ThreadPoolExecutor(threads or len(columns[0])) as pool:
        if pool.submit(settings_here).result() != settings_here():
            return list(map(function, *columns))
        return list(pool.map(function, *columns))


def _further(run: Run, trace: Trace, n: int) -> tuple[Run, Trace]:
    """The run after `n` more steps, unless it has ended, and its whole trace."""
    if run.is_halted:
        return run, trace
    run, later = advance(run, n)
    return run, joined([trace, later])


def _may_share(run: Run) -> bool:
    """Whether it can be drawn from this run's source on several threads: not where that is an iterator under way."""
    source = run.descent.source
    return not isinstance(source, HostSource) or isinstance(source, HostArrays)


# ------------------------------------------------------------------------------------------------------------ stacked


@dataclass(frozen=True)
class StackedDispatch:
    """A dispatch of stacked runs, as a program; `axes`: along which each leaf of their descents is, or `None`."""

    axes: tuple[int | None, ...]
    __name__ = "many"

    def __call__(self, descent: Descent, states: State, n: jax.Array) -> tuple[State, Any, Any, Recorded]:
        """Up to `n` steps of each, while one at least goes on.

        Gives their states, the status of each one's last step, how many each made, and the trace of all.
        """
        treedef: Any = jax.tree.structure(descent)
        axes = treedef.unflatten(self.axes)

        # Defined in here, because JAX keeps what it has traced for as long as the function lives, and with it the loss.
        def stepped(descent: Descent, state: State) -> Any:
            batch, cursor = drawn(descent, state, NOTHING)
            return one_step(descent, state._replace(cursor=cursor), batch)

        together = jax.jit(jax.vmap(stepped, in_axes=(axes, 0)))
        entry = jax.eval_shape(together, descent, states)[2]

        def body(carry: Tree) -> Any:
            i, states, status, made, trace = carry
            new, now, entry = together(descent, states)
            alive = status == RUNNING
            moves = alive & (now == RUNNING)
            kept = states.guard._replace(first_norm=jnp.where(alive, new.guard.first_norm, states.guard.first_norm))
            states = jax.tree.map(lambda a, b: _where(moves, a, b), new, states)._replace(guard=kept)
            return i + 1, states, jnp.where(alive, now, status), made + moves, with_entry(trace, i, entry)

        trace = empty(entry, room(entry, ()))
        n = jnp.minimum(n, len(trace.table))
        goes_on = lambda carry: (carry[0] < n) & (carry[2] == RUNNING).any()
        nothing, each = jnp.zeros((), jnp.int32), jnp.zeros(states.guard.first_norm.shape, jnp.int32)
        _, states, status, made, trace = jax.lax.while_loop(goes_on, body, (nothing, states, each, each, trace))
        return states, status, made, trace


def _where(condition: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    return jnp.where(condition.reshape(condition.shape + (1,) * (new.ndim - 1)), new, old)


def _stacked(runs: list[Run], n: int) -> list[tuple[Run, Trace]]:
    """Dispatches of all that go on, until each has made its steps or has ended."""
    runs, left = list(runs), n
    traces = [[Trace(run.step, {})] for run in runs]
    while left and (going := [i for i, run in enumerate(runs) if not (run.is_halted and len(traces[i]) > 1)]):
        for i, (run, trace) in zip(going, _dispatched([runs[i] for i in going], left), strict=True):
            runs[i] = run
            traces[i].append(trace)
        left -= max(len(traces[i][-1]) for i in going)
    return [(run, joined(parts)) for run, parts in zip(runs, traces, strict=True)]


def _dispatched(runs: list[Run], n: int) -> list[tuple[Run, Trace]]:
    """All of them after one dispatch."""
    with precision(runs[0].state.params):
        descent, axes = _one_of([run.descent for run in runs])
        states = jax.tree.map(lambda *leaves: np.stack(leaves), *(for_programs(run.state) for run in runs))
        states, status, made, recorded = descent.run(StackedDispatch(axes), states, np.int32(n))
        states, status, made = jax.tree.map(np.asarray, (states, status, made))
        structure: Any = jax.tree.structure(states)
        leaves = jax.tree.leaves(states)
        entries = made + (status != RUNNING)
        columns = recorded.columns(int(entries.max()))
        return [
            (after(run, structure.unflatten([leaf[i] for leaf in leaves]), int(status[i]), int(made[i])),
             Trace(run.step, {name: column[: entries[i], i] for name, column in columns.items()}))
            for i, run in enumerate(runs)
        ]


def _one_of(descents: list[Descent]) -> tuple[Descent, tuple[int | None, ...]]:
    """The descents as one, whose leaves are stacked where they differ, and along which axis each is."""
    leaves, axes = [], []
    for column in zip(*(jax.tree.leaves(descent) for descent in descents), strict=True):
        is_common = all(leaf is column[0] or (isinstance(leaf, float) and leaf == column[0]) for leaf in column)
        leaves.append(column[0] if is_common else np.stack([np.asarray(leaf) for leaf in column]))
        axes.append(None if is_common else 0)
    return jax.tree.unflatten(jax.tree.structure(descents[0]), leaves), tuple(axes)
