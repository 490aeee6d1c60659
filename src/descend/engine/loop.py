"""The compiled loop: `θ ← θ + u(∇J(θ))`, many times in a dispatch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._tree import Tree, named_leaves, norm, scaled_norm
from descend.engine.descent import CONVERGED, NONFINITE, RUNNING, STALLED, Descent, State
from descend.engine.loss import AuxiliaryState
from descend.errors import InputError
from descend.optimizers import Iterate
from descend.sources import Batch, Fed, Planned
from descend.stopping import Slope

# The most that one dispatch records.
MAX_RECORDED_STEPS, MAX_RECORDED_BYTES = 2**14, 2**20

Entry = dict[str, jax.Array]


@partial(jax.tree_util.register_dataclass, data_fields=["table", "others"], meta_fields=["names"])
@dataclass(frozen=True)
class Recorded:
    """What is recorded of steps, along the first axis: the scalars of the loss's dtype, which `names` are of, in one
    array, because to write them then takes one kernel; and what is none of them, by name."""

    table: Any
    others: Entry
    names: tuple[str, ...]

    def columns(self, count: int) -> dict[str, np.ndarray]:
        """The first entries, by name."""
        table = np.asarray(self.table)[:count]
        columns = {name: table[:, i] for i, name in enumerate(self.names)}
        return columns | {name: np.asarray(column)[:count] for name, column in self.others.items()}


def loop(descent: Descent, state: State, draws: Tree, n: jax.Array) -> tuple[State, jax.Array, jax.Array, Recorded]:
    """Up to `n` steps; fewer, if one of them should not have been made, which is then the last.

    Gives the state after them, the last one's status, how many there were, and their trace. `n` is no constant of the
    program, but there is an end to what a trace has room for.

    To keep what was before a step, in case that it must not be made, would cost every step a pass over memory. So it is
    made, and whoever called makes those before it again, from the beginning, which gives the same numbers bit for bit.
    """
    # Traced once, though it is looked at twice. A function of its own, because JAX keeps what it has traced for as long
    # as the function lives, and with a descent among its arguments that would be the loss.
    inner = jax.jit(lambda state, batch: one_step(descent, state, batch))
    first = jax.eval_shape(lambda state, draws: first_batch(descent, state, draws)[0], state, draws)
    entry = jax.eval_shape(inner, state, first)[2]
    trace = empty(entry, room(entry, draws))
    n = jnp.minimum(n, len(trace.table))
    if isinstance(descent.source, Planned):
        return _planned(inner, descent, state, n, trace)
    return _straight(inner, descent, state, draws, n, trace)


def single(descent: Descent, state: State, draws: Tree) -> tuple[State, jax.Array, Entry]:
    """One step by itself."""
    batch, cursor = first_batch(descent, state, draws)
    return one_step(descent, state._replace(cursor=cursor), batch)


def _straight(
    inner: Callable[..., Any], descent: Descent, state: State, draws: Tree, n: jax.Array, trace: Recorded
) -> tuple[State, jax.Array, jax.Array, Recorded]:
    """The steps of a source that is drawn from at each of them."""

    def body(carry: Tree) -> Any:
        i, state, _, trace = carry
        batch, cursor = drawn(descent, state, jax.tree.map(lambda array: array[i.astype(jnp.uint32)], draws))
        state, status, entry = inner(state._replace(cursor=cursor), batch)
        return i + 1, state, status, with_entry(trace, i, entry)

    nothing = jnp.zeros((), jnp.int32)
    goes_on = lambda carry: (carry[0] < n) & (carry[2] == RUNNING)
    made, state, status, trace = jax.lax.while_loop(goes_on, body, (nothing, state, nothing, trace))
    return state, status, made, trace


def _planned(
    inner: Callable[..., Any], descent: Descent, state: State, n: jax.Array, trace: Recorded
) -> tuple[State, jax.Array, jax.Array, Recorded]:
    """The steps of a source that settles some of its draws ahead: in blocks, each of one plan."""
    source: Any = descent.source

    def block(carry: Tree) -> Any:
        first, state, _, trace = carry
        plan = source.plan(state.cursor, descent.whole(state.params))
        end = first + jnp.minimum(plan.count, n - first)

        def draw_at(i: jax.Array) -> Any:
            place = jnp.minimum(i - first, plan.count - 1).astype(jnp.uint32)
            return jax.tree.map(lambda draws: draws[place], plan.draws)

        def body(carry: Tree) -> Any:
            i, state, _, trace, draw = carry
            batch, cursor = source.take(draw, state.cursor, descent.whole(state.params))
            state, status, entry = inner(state._replace(cursor=cursor), descent.divided(batch))
            # The next draw is carried, because XLA would otherwise fuse its making with the use of every number in it.
            return i + 1, state, status, with_entry(trace, i, entry), draw_at(i + 1)

        begin = (first, state._replace(cursor=plan.cursor), running, trace, draw_at(first))
        i, state, status, trace, _ = jax.lax.while_loop(lambda c: (c[0] < end) & (c[2] == RUNNING), body, begin)
        return i, state._replace(cursor=source.after(state.cursor, i - first)), status, trace

    running = jnp.zeros((), jnp.int32)
    begin = (running, state, running, trace)
    made, state, status, trace = jax.lax.while_loop(lambda c: (c[0] < n) & (c[2] == RUNNING), block, begin)
    return state, status, made, trace


def one_step(descent: Descent, state: State, batch: Batch) -> tuple[State, jax.Array, Entry]:
    """θ ← θ + u(∇J(θ)); the reason not to have done so, if there is one; and the step's entry in the trace."""
    params, guard, rule = state.params, state.guard, descent.optimizer
    # 1. What is random in this step has a key of its own, split off from that of the steps to come.
    given, key = state.carried.for_a_step()
    (loss, changed, aux), grads = descent.value_and_grad(params, batch, given)
    extra = {"value": loss, "aux": aux, **descent.functions(batch, given)}
    updates, optimizer = rule.update(grads, state.optimizer, params, **extra)
    # 2. A line search is judged where it stands. Its trial may be anywhere, and so high that the loss there says
    # nothing.
    stand, loss, grads = rule.accepted_iterate(state.optimizer, Iterate(params, loss, grads))
    # Where a descent may end for its gradient, it must not be for squares that are beyond the range of its dtype.
    grad_norm, update_norm = (norm if descent.stop is None else scaled_norm)(grads), norm(updates)
    finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm) & jnp.isfinite(update_norm)
    # 3. Nothing that is not finite may reach the parameters. A rule that left the update out has seen to it itself.
    allowed = finite | (rule.skipped_update(optimizer) & jnp.isfinite(update_norm))
    status = jnp.where(allowed, RUNNING, NONFINITE).astype(jnp.int32)
    moved = jax.tree.map(jnp.add, params, updates)
    # 4. Where it is skipped, neither the rule's memory nor the loss's state may keep what was not finite.
    if descent.skip_nonfinite:
        before = (params, state.optimizer, given.state)
        moved, optimizer, changed = _where(allowed, (moved, optimizer, changed), before)
        guard = guard._replace(skipped=guard.skipped + ~allowed)
        status = jnp.zeros((), jnp.int32)
    if descent.stop is not None:
        # 5. The first finite gradient is what all later ones are measured by.
        first = jnp.where(jnp.isnan(guard.first_norm) & finite, grad_norm, guard.first_norm)
        guard = guard._replace(first_norm=first)
        slope = Slope(grad_norm, first, loss, rule.expected_fall(state.optimizer))
        # 6. Tested before the update counts: the parameters that are returned are those that passed.
        status = jnp.where(finite & descent.stop.met(slope), CONVERGED, status).astype(jnp.int32)
    # Known to be False as it is traced, but for searches: for the others nothing is compiled.
    if (stalled := rule.stalled(state.optimizer)) is not False:
        status = jnp.where(finite & stalled & (status == RUNNING), STALLED, status).astype(jnp.int32)
    measured = {"loss": loss, "gradient_norm": grad_norm, "update_norm": update_norm}
    watched = {} if descent.watch is None else descent.watch.seen(stand, grads, updates)
    entry = _entry(measured, watched, rule.metrics(optimizer), named_leaves(aux))
    carried = AuxiliaryState(changed, key)
    return state._replace(params=moved, optimizer=optimizer, guard=guard, carried=carried), status, entry


def _where(condition: jax.Array, new: Tree, old: Tree) -> Tree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


# ------------------------------------------------------------------------------------------------------------- draws


def first_batch(descent: Descent, state: State, draws: Tree) -> tuple[Any, Any]:
    """The next batch, and the cursor after it."""
    return drawn(descent, state, jax.tree.map(lambda array: array[0], draws))


def drawn(descent: Descent, state: State, draw: Tree) -> tuple[Any, Any]:
    """The batch of a draw, and the cursor after it."""
    source: Any = descent.source
    if isinstance(source, Fed):
        batch, cursor = source.batch(draw), state.cursor
    else:
        batch, cursor = source.draw(state.cursor, descent.whole(state.params))
    return descent.divided(batch), cursor


# ------------------------------------------------------------------------------------------------------------- traces


def _entry(*parts: dict[str, Any]) -> Entry:
    """The parts of an entry in the trace, together."""
    entry: Entry = {}
    for part in parts:
        if clash := (entry.keys() | {"step"}) & part.keys():
            raise InputError(f"the loss returns '{min(clash)}' besides its value, a column that the trace has already")
        entry |= {name: jnp.asarray(value) for name, value in part.items()}
    return entry


def room(entry: Tree, draws: Tree) -> int:
    """How many entries a dispatch has room for."""
    most = max(1, min(MAX_RECORDED_STEPS, MAX_RECORDED_BYTES // sum(x.size * x.dtype.itemsize for x in entry.values())))
    return min([most, *(len(array) for array in jax.tree.leaves(draws))])


def empty(entry: Tree, capacity: int) -> Recorded:
    """A trace with room for so many entries."""
    # Of runs that are stacked, one for each.
    scalar = entry["loss"].shape
    names = tuple(sorted(name for name, x in entry.items() if x.shape == scalar and x.dtype == entry["loss"].dtype))
    others = {name: jnp.zeros((capacity, *x.shape), x.dtype) for name, x in entry.items() if name not in names}
    return Recorded(jnp.zeros((capacity, len(names), *scalar), entry["loss"].dtype), others, names)


def with_entry(trace: Recorded, i: jax.Array, entry: Entry) -> Recorded:
    """The trace with an entry at a place."""
    put = lambda array, value: jax.lax.dynamic_update_index_in_dim(array, value, i.astype(jnp.uint32), 0)
    table = put(trace.table, jnp.stack([entry[name] for name in trace.names]))
    return Recorded(table, {name: put(array, entry[name]) for name, array in trace.others.items()}, trace.names)
