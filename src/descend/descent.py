"""The engine: a run is a value, and `advance` takes it further.

    advance(run, n) -> (run, trace)

Everything that a descent needs to go on lives in one immutable pytree. One compiled, pure program makes many steps in
a dispatch; how many, is a number that it is given, so the same program makes the same steps however they are divided.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend._loss import Carried, Form, Outcome
from descend._tree import Tree, join, named_leaves, norm, scaled_norm
from descend.errors import InputError
from descend.optimizers import Optimizer, Point
from descend.schedules import fixed, setting
from descend.sources import Drawn, HostSource, Planned, Source, Unplanned, draw_ahead
from descend.stopping import GradientTolerance

RUNNING, CONVERGED, NONFINITE, STALLED = range(4)
TRACE_STEPS, TRACE_BYTES = 2**14, 2**20  # the most that one dispatch records


class Guard(NamedTuple):
    """What watches over the steps: whether to go on, the first gradient's norm, the updates that were skipped."""

    status: jax.Array
    first_norm: jax.Array
    skipped: jax.Array


class State(NamedTuple):
    """What a step changes; its buffers are reused from dispatch to dispatch."""

    params: Tree
    optimizer: Any
    cursor: Any
    step: jax.Array
    guard: Guard
    carried: Carried = Carried()


@setting
class Descent:
    """What a step does not change: the loss, the data, the rule, and what to do when a number is not finite.

    `loss`: `loss(params, batch)`, and `form`, what it takes and returns besides. It may bring its own `value_and_grad`.
    `rest`: the parts of the parameters that are not numbers.
    `stop`: a test of convergence, or `None`. `skip_nonfinite`: pass over a step that is not finite, instead of
    stopping before it. `stepwise`: dispatch every step by itself.
    """

    source: Source | HostSource
    optimizer: Optimizer
    stop: GradientTolerance | None
    loss: Any = fixed()
    rest: "Static" = fixed()
    form: Form = fixed(default=Form())
    skip_nonfinite: bool = fixed(default=False)
    stepwise: bool = fixed(default=False)


@dataclass(frozen=True)
class Static:
    """A pytree without arrays, comparable and hashable, so that a program can be specialised to it."""

    leaves: tuple[Any, ...]
    treedef: Any

    @classmethod
    def of(cls, tree: Tree) -> "Static":
        """The tree, frozen."""
        leaves, treedef = jax.tree.flatten(tree)
        return cls(tuple(leaves), treedef)

    def thaw(self) -> Tree:
        """The tree again."""
        return self.treedef.unflatten(self.leaves)


@partial(jax.tree_util.register_dataclass, data_fields=["state", "descent"], meta_fields=[])
@dataclass(frozen=True)
class Run:
    """A descent at rest: a value that can be kept, forked, saved and advanced."""

    state: State
    descent: Descent

    @property
    def step(self) -> int:
        """The number of steps that were made."""
        return int(self.state.step)

    @property
    def params(self) -> Tree:
        """The parameters as they are descended on."""
        return join(self.state.params, self.descent.rest.thaw())

    @property
    def eval_params(self) -> Tree:
        """The parameters to evaluate and to save: the rule's average, where it keeps one."""
        return join(self.eval_numbers, self.descent.rest.thaw())

    @property
    def eval_numbers(self) -> Tree:
        """The numbers among `eval_params`."""
        with precision(self.state.params):
            return self.descent.optimizer.eval_params(self.state.optimizer, self.state.params)

    @property
    def judged_numbers(self) -> Tree:
        """The numbers of the parameters that a test of convergence looks at: those where the gradient was taken."""
        with precision(self.state.params):
            here = Point(self.state.params, self.state.guard.first_norm, self.state.params)
            return self.descent.optimizer.standing(self.state.optimizer, here).params


@dataclass(frozen=True)
class Trace:
    """What was recorded: `columns` by name, each with one entry for every step from number `start`."""

    start: int
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def start(descent: Descent, params: Tree, key: jax.Array, state: Tree = None) -> Run:
    """The run before the first step; `params` are the trainable numbers alone, `state` what the loss keeps besides."""
    with precision(params):
        zero = jnp.zeros((), jnp.int32)
        guard = Guard(zero, jnp.full((), jnp.nan, jnp.result_type(*jax.tree.leaves(params))), zero)
        carried = Carried(state, jax.random.fold_in(key, 1) if descent.form.takes_key else None)
        begin = State(params, descent.optimizer.init(params), descent.source.init(key), zero, guard, carried)
    return fork(Run(begin, descent))  # no two of its buffers may be one, or they could not be donated


def fork(run: Run) -> Run:
    """A copy of a run whose buffers are its own."""
    with precision(run.state.params):
        copied = jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, jax.Array) else leaf, run.state)
        return dataclasses.replace(run, state=copied)


def advance(run: Run, n: int, *, donate: bool = False) -> tuple[Run, Trace]:
    """The run after up to `n` more steps, and the trace of them.

    There are fewer if the gradient's tolerance is met or a step is not finite; if the host has no more batches of one
    shape at hand; or if the trace of `n` steps is too large for one dispatch: ask for the rest again.

    `donate`: reuse the run's own buffers, after which the old run is gone.

    A step's entries in the trace are `loss`, `gradient_norm`, `update_norm`, what the rule reads out
    (`learning_rate`), and what the loss returned besides. A last entry without an update is that of the test which
    ended the run.
    """
    begin = run.step
    if n < 1:
        return run, Trace(begin, {})
    with precision(run.state.params):
        if isinstance(run.descent.source, HostSource):
            return _advance_on_host(run, run.descent.source, n, donate)
        if run.descent.stepwise:
            state, columns = _loop_on_host(run, n, donate)
        else:
            program = _loop_donated if donate else _loop_kept
            state, columns, entries = program(run.state, run.descent, jnp.int32(n))
            columns = {name: np.asarray(column)[: int(entries)] for name, column in columns.items()}
        return dataclasses.replace(run, state=state), Trace(begin, columns)


def _advance_on_host(run: Run, source: HostSource, n: int, donate: bool) -> tuple[Run, Trace]:
    """Advance over batches that the host has drawn: a run of its own, whose source is the stack of them."""
    batches, cursors = draw_ahead(source, run.state.cursor, run.params, n)
    drawn = Drawn(jax.tree.map(jnp.asarray, batches))
    first = jnp.zeros((), jnp.int32)
    inner = Run(run.state._replace(cursor=first), dataclasses.replace(run.descent, source=drawn))
    inner, trace = advance(inner, min(n, len(cursors) - 1), donate=donate)
    cursor = cursors[int(inner.state.cursor)]
    return dataclasses.replace(run, state=inner.state._replace(cursor=cursor)), trace


def _loop_on_host(run: Run, n: int, donate: bool) -> tuple[State, dict[str, np.ndarray]]:
    """A dispatch for each step: for steps that XLA compiles better outside a loop than inside."""
    state, entries = run.state, []
    for i in range(n):
        program = _single_donated if donate or i else _single_kept
        state, entry = program(state, run.descent)
        entries.append(entry)
        if int(state.guard.status) != RUNNING:
            break
    return state, {name: np.stack([np.asarray(entry[name]) for entry in entries]) for name in entries[0]}


def _loop(state: State, descent: Descent, n: jax.Array) -> tuple[State, dict[str, jax.Array], jax.Array]:
    """Up to `n` steps, their trace, and the number of its entries; `n` is no constant of the program.

    To keep what was before a step, in case that it must not be made, would cost every step a pass over memory. So the
    steps are made at once, and if one was not to be made, those before it are made again from the beginning, which
    gives the same numbers bit for bit.
    """
    entry = jax.eval_shape(_single, state, descent)[1]
    capacity = max(1, min(TRACE_STEPS, TRACE_BYTES // sum(x.size * x.dtype.itemsize for x in entry.values())))
    trace = _pack({name: jnp.zeros((capacity, *x.shape), x.dtype) for name, x in entry.items()}, axis=-1)

    def attempt(carry: Any) -> Any:
        goal, _, _, status, trace, _ = carry
        made, after, halted, trace = _steps(state, descent, goal, trace)
        replayed = status != RUNNING
        again = (halted != RUNNING) & ~replayed
        return made - 1, made, after, jnp.where(replayed, status, halted), trace, again

    nothing = jnp.zeros((), jnp.int32)
    begin = (jnp.minimum(n, capacity), nothing, state, nothing, trace, jnp.bool_(True))
    _, made, after, status, trace, _ = jax.lax.while_loop(lambda carry: carry[-1], attempt, begin)
    halted = (status != RUNNING).astype(jnp.int32)
    guard = after.guard._replace(status=status)
    return after._replace(step=state.step + made, guard=guard), _unpack(trace, entry), made + halted


def _steps(state: State, descent: Descent, goal: jax.Array, trace: Any) -> tuple[jax.Array, State, jax.Array, Any]:
    """Make up to `goal` steps, and stop after one that should not have been made; in blocks that are planned ahead."""
    source = descent.source if isinstance(descent.source, Planned) else Unplanned(descent.source)

    def block(carry: Any) -> Any:
        first, state, _, trace = carry
        plan = source.plan(state.cursor, _whole(state, descent))
        end = first + jnp.minimum(plan.count, goal - first)

        def draw_at(i: jax.Array) -> Any:
            place = jnp.minimum(i - first, plan.count - 1).astype(jnp.uint32)
            return jax.tree.map(lambda draws: draws[place], plan.draws)

        def step(carry: Any) -> Any:
            i, state, _, trace, draw = carry
            batch, cursor = source.take(draw, state.cursor, _whole(state, descent))
            state, status, entry = _step(state._replace(cursor=cursor), descent, batch)
            # The next draw is carried, because XLA would otherwise fuse its making with the use of every number in it.
            return i + 1, state, status, _write(trace, i, entry), draw_at(i + 1)

        running = jnp.zeros((), jnp.int32)
        begin = (first, state._replace(cursor=plan.cursor), running, trace, draw_at(first))
        i, state, status, trace, _ = jax.lax.while_loop(lambda c: (c[0] < end) & (c[2] == RUNNING), step, begin)
        return i, state._replace(cursor=source.after(state.cursor, i - first)), status, trace

    running = jnp.zeros((), jnp.int32)
    begin = (running, state, running, trace)
    made, state, status, trace = jax.lax.while_loop(lambda c: (c[0] < goal) & (c[2] == RUNNING), block, begin)
    return made, state, status, trace


def _single(state: State, descent: Descent) -> tuple[State, dict[str, jax.Array]]:
    """One step by itself, or none if it must not be made."""
    batch, cursor = descent.source.draw(state.cursor, _whole(state, descent))
    after, status, entry = _step(state._replace(cursor=cursor), descent, batch)
    moved = _where(status == RUNNING, after, state)
    guard = Guard(status, after.guard.first_norm, moved.guard.skipped)
    return moved._replace(step=state.step + (status == RUNNING), guard=guard), entry


def _step(state: State, descent: Descent, batch: Any) -> tuple[State, jax.Array, dict[str, jax.Array]]:
    """θ ← θ + u(∇J(θ)); the reason not to have done so, if there is one; and the step's entry in the trace."""
    params, guard, rule = state.params, state.guard, descent.optimizer
    given, key = state.carried.for_a_step()
    (loss, changed, aux), grads = _value_and_grad(descent, params, batch, given)
    extra = {"value": loss, "aux": aux, **_functions(descent, batch, given)}
    updates, optimizer = rule.update(grads, state.optimizer, params, **extra)
    _, loss, grads = rule.standing(state.optimizer, Point(params, loss, grads))
    # Where a descent may end for its gradient, it must not be for squares that are beyond the range of its dtype.
    grad_norm, update_norm = (norm if descent.stop is None else scaled_norm)(grads), norm(updates)
    finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm) & jnp.isfinite(update_norm)
    allowed = finite | (rule.passed_over(optimizer) & jnp.isfinite(update_norm))
    status = jnp.where(allowed, RUNNING, NONFINITE).astype(jnp.int32)
    moved = jax.tree.map(jnp.add, params, updates)
    if descent.skip_nonfinite:
        before = (params, state.optimizer, given.state)
        moved, optimizer, changed = _where(allowed, (moved, optimizer, changed), before)
        guard = guard._replace(skipped=guard.skipped + ~allowed)
        status = jnp.zeros((), jnp.int32)
    if descent.stop is not None:
        first = jnp.where(jnp.isnan(guard.first_norm) & finite, grad_norm, guard.first_norm)
        guard = guard._replace(first_norm=first)
        status = jnp.where(finite & descent.stop.met(grad_norm, first), CONVERGED, status).astype(jnp.int32)
    if (stalled := rule.stalled(state.optimizer)) is not False:
        status = jnp.where(finite & stalled & (status == RUNNING), STALLED, status).astype(jnp.int32)
    measured = {"loss": loss, "gradient_norm": grad_norm, "update_norm": update_norm}
    entry = _entry(measured, rule.readings(optimizer), named_leaves(aux))
    carried = Carried(changed, key)
    return state._replace(params=moved, optimizer=optimizer, guard=guard, carried=carried), status, entry


_loop_kept, _loop_donated = jax.jit(_loop), jax.jit(_loop, donate_argnums=0)
_single_kept, _single_donated = jax.jit(_single), jax.jit(_single, donate_argnums=0)


def _whole(state: State, descent: Descent) -> Tree:
    """The parameters as the loss, and a source that looks at them, are given them."""
    return join(state.params, descent.rest.thaw())


def _where(condition: jax.Array, new: Tree, old: Tree) -> Tree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def _entry(*parts: dict[str, Any]) -> dict[str, jax.Array]:
    """The parts of an entry in the trace, together."""
    entry: dict[str, jax.Array] = {}
    for part in parts:
        if clash := (entry.keys() | {"step"}) & part.keys():
            raise InputError(f"the loss returns '{min(clash)}' besides its value, a column that the trace has already")
        entry |= {name: jnp.asarray(value) for name, value in part.items()}
    return entry


def _pack(entry: dict[str, Any], axis: int) -> tuple[jax.Array, dict[str, Any]]:
    """An entry, or a trace of them, with the scalars of the loss's dtype in one array: to write it takes one kernel."""
    names = _packed(entry, rank=0 if axis == 0 else 1)
    others = {name: value for name, value in entry.items() if name not in names}
    return jnp.stack([entry[name] for name in names], axis), others


def _unpack(trace: Any, entry: dict[str, Any]) -> dict[str, jax.Array]:
    table, others = trace
    return {name: table[:, i] for i, name in enumerate(_packed(entry, rank=0))} | others


def _packed(entry: dict[str, Any], rank: int) -> list[str]:
    return sorted(name for name, x in entry.items() if x.ndim == rank and x.dtype == entry["loss"].dtype)


def _write(trace: Any, i: jax.Array, entry: dict[str, jax.Array]) -> Any:
    update = jax.lax.dynamic_update_index_in_dim
    return jax.tree.map(lambda b, value: update(b, value, i.astype(jnp.uint32), 0), trace, _pack(entry, axis=0))


def call(descent: Descent, params: Tree, batch: Any, carried: Carried) -> Any:
    """What the loss returns for the numbers of the parameters and a batch."""
    return descent.form.called(descent.loss, join(params, descent.rest.thaw()), batch, carried)


def evaluate(descent: Descent, params: Tree, batch: Any, carried: Carried) -> Outcome:
    """The loss on a batch, and what it returned besides."""
    return descent.form.outcome(call(descent, params, batch, carried))


def _functions(descent: Descent, batch: Any, carried: Carried) -> dict[str, Callable[[Tree], Any]]:
    """The loss on this batch, as functions of the parameters, for optimizers that look at other points too."""

    def value_and_grad(params: Tree) -> tuple[jax.Array, Tree]:
        (value, _, _), grads = _value_and_grad(descent, params, batch, carried)
        return value, grads

    return {"value_fn": lambda params: evaluate(descent, params, batch, carried).value,
            "value_and_grad": value_and_grad}


def _value_and_grad(descent: Descent, params: Tree, batch: Any, carried: Carried) -> tuple[Outcome, Tree]:
    own = getattr(descent.loss, "value_and_grad", None)
    if own is not None:
        returned, grads = descent.form.called(own, join(params, descent.rest.thaw()), batch, carried)
        return descent.form.outcome(returned), grads

    def value(numbers: Tree) -> tuple[jax.Array, Outcome]:
        outcome = evaluate(descent, numbers, batch, carried)
        return outcome.value, outcome

    (_, outcome), grads = jax.value_and_grad(value, has_aux=True)(params)
    return outcome, grads
