"""The engine: a run is a value, and `advance` takes it further.

    advance(run, n) -> (run, trace)

Everything that a descent needs to go on lives in one immutable pytree. One compiled, pure program makes many steps in
a dispatch; how many, is a number that it is given, so the same program makes the same steps however they are divided.
"""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend._tree import Tree, join, named_leaves, norm
from descend.errors import InputError
from descend.schedules import fixed, setting
from descend.sources import Drawn, Empty, HostSource, Source, draw_ahead
from descend.stopping import GradientTolerance

RUNNING, CONVERGED, NONFINITE = range(3)
TRACE_STEPS, TRACE_BYTES = 2**14, 2**20  # the most that one dispatch records


class Optimizer(Protocol):
    """What the engine asks of an update rule; Optax's transformations have the first two."""

    def init(self, params: Tree) -> Any:
        """The state before the first step."""

    def update(self, grads: Tree, state: Any, params: Tree) -> tuple[Tree, Any]:
        """The updates to add to the parameters, and the state after them."""


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


@setting
class Descent:
    """What a step does not change: the loss, the data, the rule, and what to do when a number is not finite.

    `loss`: `loss(params, batch)`, without the batch for an `Empty` source; a scalar, or a scalar and a dict of what
    else to record. It may bring its own `value_and_grad`. `rest`: the parts of the parameters that are not numbers.
    `stop`: a test of convergence, or `None`. `skip_nonfinite`: pass over a step that is not finite, instead of
    stopping before it. `stepwise`: dispatch every step by itself.
    """

    source: Source | HostSource
    optimizer: Any
    stop: GradientTolerance | None
    loss: Any = fixed()
    rest: "Static" = fixed()
    has_aux: bool = fixed(default=False)
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
        averaged = getattr(self.descent.optimizer, "eval_params", None)
        if averaged is None:
            return self.state.params
        with precision(self.state.params):
            return averaged(self.state.optimizer, self.state.params)


@dataclass(frozen=True)
class Trace:
    """What was recorded: `columns` by name, each with one entry for every step from number `start`."""

    start: int
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def start(descent: Descent, params: Tree, key: jax.Array) -> Run:
    """The run before the first step; `params` are the trainable numbers alone."""
    with precision(params):
        zero = jnp.zeros((), jnp.int32)
        guard = Guard(zero, jnp.full((), jnp.nan, jnp.result_type(*jax.tree.leaves(params))), zero)
        state = State(params, descent.optimizer.init(params), descent.source.init(key), zero, guard)
    return fork(Run(state, descent))  # no two of its buffers may be one, or they could not be donated


def fork(run: Run) -> Run:
    """A copy of a run whose buffers are its own."""
    with precision(run.state.params):
        copied = jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, jax.Array) else leaf, run.state)
        return dataclasses.replace(run, state=copied)


def advance(run: Run, n: int, *, donate: bool = False) -> tuple[Run, Trace]:
    """The run after up to `n` more steps, and the trace of them.

    There are fewer if the gradient's tolerance is met or a step is not finite, if the host has no more batches of one
    shape at hand, or if the trace of `n` steps is too large for one dispatch: ask for the rest again.

    `donate`: reuse the run's own buffers, after which the old run is gone.

    A step's entries in the trace are `loss`, `gradient_norm`, `update_norm`, what the rule reads out
    (`learning_rate`), and what the loss returned besides. A last entry without an update is that of the test which
    ended the run.
    """
    with precision(run.state.params):
        if isinstance(run.descent.source, HostSource):
            return _advance_on_host(run, run.descent.source, n, donate)
        begin = run.step
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
        program = _step_donated if donate or i else _step_kept
        state, entry = program(state, run.descent)
        entries.append(entry)
        if int(state.guard.status) != RUNNING:
            break
    return state, {name: np.stack([np.asarray(entry[name]) for entry in entries]) for name in entries[0]}


def _loop(state: State, descent: Descent, n: jax.Array) -> tuple[State, dict[str, jax.Array], jax.Array]:
    """Up to `n` steps, their trace, and the number of its entries; `n` is no constant of the program."""
    entry = jax.eval_shape(_step, state, descent)[1]
    capacity = max(1, min(TRACE_STEPS, TRACE_BYTES // sum(x.size * x.dtype.itemsize for x in entry.values())))
    trace = {name: jnp.zeros((capacity, *x.shape), x.dtype) for name, x in entry.items()}

    def goes_on(carry: Any) -> jax.Array:
        i, state, _ = carry
        return (i < jnp.minimum(n, capacity)) & (state.guard.status == RUNNING)

    def body(carry: Any) -> Any:
        i, state, trace = carry
        state, entry = _step(state, descent)
        write = partial(jax.lax.dynamic_update_index_in_dim, index=i, axis=0)
        return i + 1, state, {name: write(trace[name], value) for name, value in entry.items()}

    i, state, trace = jax.lax.while_loop(goes_on, body, (jnp.zeros((), jnp.int32), state, trace))
    return state, trace, i


def _step(state: State, descent: Descent) -> tuple[State, dict[str, jax.Array]]:
    """One step of θ ← θ + u(∇J(θ)), with its entry in the trace."""
    params, guard = state.params, state.guard
    batch, cursor = descent.source.draw(state.cursor, params)
    (loss, aux), grads = _value_and_grad(descent, params, batch)
    updates, optimizer = descent.optimizer.update(grads, state.optimizer, params)
    grad_norm, update_norm = norm(grads), norm(updates)

    finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm) & jnp.isfinite(update_norm)
    first_norm = jnp.where(jnp.isnan(guard.first_norm), grad_norm, guard.first_norm)
    small = jnp.bool_(False) if descent.stop is None else descent.stop.met(grad_norm, first_norm)
    moves = finite & ~small
    nonfinite = jnp.where(finite | descent.skip_nonfinite, RUNNING, NONFINITE)
    status = jnp.where(small, CONVERGED, nonfinite)
    goes_on = status == RUNNING

    def kept(new: Tree, old: Tree, moves: jax.Array = moves) -> Tree:
        return jax.tree.map(lambda a, b: jnp.where(moves, a, b), new, old)

    after = State(
        params=kept(jax.tree.map(jnp.add, params, updates), params),
        optimizer=kept(optimizer, state.optimizer),
        cursor=kept(cursor, state.cursor, goes_on),
        step=state.step + goes_on,
        guard=Guard(status.astype(jnp.int32), first_norm, guard.skipped + (goes_on & ~moves)),
    )
    measured = {"loss": loss, "gradient_norm": grad_norm, "update_norm": update_norm}
    return after, _entry(measured, readings(descent.optimizer, state.optimizer), named_leaves(aux))


_loop_kept, _loop_donated = jax.jit(_loop), jax.jit(_loop, donate_argnums=0)
_step_kept, _step_donated = jax.jit(_step), jax.jit(_step, donate_argnums=0)


def _entry(*parts: dict[str, Any]) -> dict[str, jax.Array]:
    """The parts of an entry in the trace, together."""
    entry: dict[str, jax.Array] = {}
    for part in parts:
        if clash := entry.keys() & part.keys():
            raise InputError(f"the loss returns '{min(clash)}' besides its value, a column that the trace has already")
        entry |= {name: jnp.asarray(value) for name, value in part.items()}
    return entry


def evaluate(descent: Descent, params: Tree, batch: Any) -> tuple[jax.Array, Tree]:
    """The loss on a batch, and what it returned besides."""
    whole = join(params, descent.rest.thaw())
    value = descent.loss(whole) if isinstance(descent.source, Empty) else descent.loss(whole, batch)
    return value if descent.has_aux else (value, {})


def _value_and_grad(descent: Descent, params: Tree, batch: Any) -> tuple[tuple[jax.Array, Tree], Tree]:
    own = getattr(descent.loss, "value_and_grad", None)
    if own is None:
        return jax.value_and_grad(lambda numbers: evaluate(descent, numbers, batch), has_aux=True)(params)
    value, grads = own(join(params, descent.rest.thaw()), batch)
    return (value if descent.has_aux else (value, {})), grads


def readings(optimizer: Any, state: Any) -> dict[str, Any]:
    """What a rule reads out, by name: nothing, for those that have no readings."""
    return optimizer.readings(state) if hasattr(optimizer, "readings") else {}
