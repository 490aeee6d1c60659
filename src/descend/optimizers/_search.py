"""What the optimizers that search along a line share: a step of theirs is one evaluation of the loss."""

import math
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np

from descend._arrays import Array, as_scalar, namespace
from descend._checks import refuse_misfits, refuse_other_shapes, refuse_other_structure, refuse_unmovable
from descend._control import choose, select
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._line_search import ACCEPTED, FAILED, Line, LineSearch
from descend.optimizers._optimizer import Iterate, Optimizer, needed, suited
from descend.optimizers._vectors import inner, largest, plus, size, times, tree_norm, where, zero_of

# Points in a row that may be accepted with neither a lower loss nor a smaller gradient than ever before.
MAX_IDLE = 20


class Records(NamedTuple):
    """Numbers about the points that were accepted.

    `scale`: 1 / max|g| at the first; gradients are multiplied by it before they are squared, because the squares of
    float32 numbers soon are beyond its range. `step`: the last length, a factor of the direction; `moved`: how far the
    parameters went by it. `lowest`, `flattest`: the least loss and the least (scaled) norm of a gradient; `idle`: how
    many points in a row have bettered neither.
    """

    scale: Any
    step: Any
    moved: Any
    lowest: Any
    flattest: Any
    idle: Any


class SearchState(NamedTuple):
    """A search at rest: how many points were accepted, the last of them, and where the trials go from there.

    `steepest`: there was nothing to make the direction of but the gradient here. `stalled`: no point ahead is lower.
    """

    accepted: Any
    here: Iterate
    direction: Tree
    steepest: Any
    line: Line
    memory: dict[str, Any]
    records: Records
    stalled: Any


class Search(Optimizer):
    """An optimizer that chooses a direction, and searches along it for a point to accept: `θ ← θ + α d`.

    The search runs by reverse communication. `update` is told the loss and its gradient at `params`, judges that trial,
    and moves the parameters to the next: to another in the same direction, or, from a point that is accepted, to the
    first in a new one. So a step costs one evaluation, and none is made that the descent does not see. What a descent
    is judged by (`accepted_iterate`), and gives back (`eval_params`), is the last accepted point, not the trial.

    A trial whose loss or gradient is not finite was too long. When a search fails, the next is along the negative
    gradient, and memory begins anew; when that fails too, no step lowers the loss: the search has `stalled`.

    A search gives its `line_search` and `direction_at`. It may keep a memory (of what it `remembers`, by name), and
    begin with a length of its own.
    """

    remembers: ClassVar[tuple[str, ...]] = ()

    @property
    def line_search(self) -> LineSearch:
        """How lengths are tried."""
        raise NotImplementedError

    def direction_at(
        self, state: SearchState, there: Iterate, memory: dict[str, Tree], extra: dict[str, Any]
    ) -> tuple[Tree, Any]:
        """The direction from `there`, a point that is accepted now, and whether it is that of the negative gradient.

        The state is that before: `state.here` is where the point was come to from, and `state.direction` how.
        """
        raise NotImplementedError

    def first_trial(self, state: SearchState, slope: Array, steepest: Array, unit: Array) -> Any:
        """The first length to try from a point that is accepted now, in a direction with this slope.

        `state.line.trial` is the length that has led there, unless the point is the first. `unit` is one by which the
        parameters move as far as they did then, and at first by 1; after a failure it is tried in any case.
        """
        del state, slope, steepest
        return unit

    def steepest_descent(self, state: SearchState) -> Tree:
        """The direction from the last point in which the loss falls whatever is remembered: the negative gradient."""
        return times(-1, state.here.grads)

    def max_step(self, here: Iterate, direction: Tree) -> Any:
        """The longest step to try from a point in a direction: squares must be within the range of numbers."""
        del here
        return _farthest(direction)

    def initial_memory(self, params: Tree) -> dict[str, Any]:
        """What is remembered of earlier points before there are any."""
        del params
        return {}

    def updated_memory(self, state: SearchState, there: Iterate, accepted: Array) -> dict[str, Any]:
        """The memory after a trial, which may have been accepted."""
        del there, accepted
        return state.memory

    def cleared_memory(self, memory: dict[str, Any], all_of_it: Array) -> dict[str, Any]:
        """The memory, or none of it."""
        del all_of_it
        return memory

    def init(self, params: Tree) -> SearchState:
        refuse_unmovable(type(self).__name__, params)
        zero, zeros = zero_of(params), jax.tree.map(_zeros_like, params)
        xp = namespace(zero)
        count, no = xp.zeros((), dtype=xp.int32), xp.asarray(False)
        # The first point is accepted as one is to which a search goes back: if only it is finite.
        line = suited(self, [zero]).line_search.begin(zero, zero, zero)._replace(settling=~no)
        records = Records(zero + 1, zero, zero + 1, zero + math.inf, zero + math.inf, count)
        here = Iterate(params, zero, zeros)
        return SearchState(count, here, zeros, no, line, self.initial_memory(params), records, no)

    def update(self, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, SearchState]:
        value = needed(self, extra, "value")
        self.refuse(grads, state, params)
        # A trial may be far too long: what overflows there is judged, not warned of.
        with np.errstate(all="ignore"):
            there = Iterate(params, as_scalar(value, state.records.scale), grads)
            state = suited(self, jax.tree.leaves(params))._after(there, state, extra)
            # From the accepted iterate, not from the trial: so the rounding of trials does not add up.
            target = self.feasible(plus(state.here.params, state.line.trial, state.direction))
            return jax.tree.map(lambda x, p: _finite(_finite(x) - p), target, params), state

    def _after(self, there: Iterate, state: SearchState, extra: dict[str, Any]) -> SearchState:
        """The state after the evaluation at `there`."""
        # 1. The scale is that of the first gradient, for good: what is remembered in other units would be worthless.
        scale = namespace(there.value).where(state.accepted == 0, 1 / largest(there.grads), state.records.scale)
        state = state._replace(records=state.records._replace(scale=scale))
        # 2. Judge the trial.
        verdict, line = self._judged(there, state)
        accepted, failed = verdict == ACCEPTED, verdict == FAILED
        # `where` copies, so that a caller may move its parameters in place.
        after = state._replace(
            accepted=state.accepted + accepted, here=where(accepted, there, state.here), line=line,
            memory=self.updated_memory(state, there, accepted),
            records=where(accepted, _recorded(state, there), state.records),
        )
        # 3. From a new point, or after a failure, set out anew; else go on along the line.
        direction, steepest, line, stalled = choose(
            accepted | failed,
            lambda: self._set_out(state, after, accepted, extra),
            lambda: (state.direction, state.steepest, line, state.stalled),
        )
        # 4. Where the direction is the gradient alone, what was remembered has misled, or is none.
        memory = self.cleared_memory(after.memory, steepest)
        return after._replace(direction=direction, steepest=steepest, line=line, memory=memory, stalled=stalled)

    def _judged(self, there: Iterate, state: SearchState) -> tuple[Any, Line]:
        """The verdict on a trial, and the line after it."""
        records = state.records
        xp, scale = namespace(records.scale), records.scale
        slope = inner(times(scale, there.grads), state.direction)
        rise = xp.where(state.accepted == 0, 0 * there.value, scale * (there.value - state.here.value))
        noise = scale * abs(_precision(there.grads) * records.lowest)
        return self.line_search.judge(state.line, rise, slope, scale * (there.value - records.lowest), noise)

    def _set_out(
        self, before: SearchState, state: SearchState, accepted: Array, extra: dict[str, Any]
    ) -> tuple[Tree, Any, Line, Any]:
        """The direction from where the search is now, whether it is the negative gradient, the line along it, and
        whether nothing is to be found there: then the line is one that stays."""
        records, downhill = state.records, self.steepest_descent(state)
        xp, gradient = namespace(records.scale), times(records.scale, state.here.grads)
        direction, steepest = choose(
            accepted, lambda: self.direction_at(before, state.here, state.memory, extra),
            lambda: (downhill, before.steepest | True),
        )
        # A negation, so that a slope that is no number fails, too.
        fails = ~(inner(gradient, direction) < 0)
        direction, steepest = where(fails, downhill, direction), steepest | fails
        slope, unit = inner(gradient, direction), records.scale * records.moved / tree_norm(gradient)
        trial = xp.where(accepted & ~fails, self.first_trial(before, slope, steepest, unit), unit)
        hopeless = ~((slope < 0) & (trial > 0) & xp.isfinite(trial))
        # Along the negative gradient every smooth loss falls. Where even that search failed, only rounding is left.
        stalled = hopeless | (~accepted & before.steepest) | (records.idle >= MAX_IDLE)
        line = self.line_search.begin(slope, xp.where(stalled, 0, trial), self.max_step(state.here, direction))
        return direction, steepest, line._replace(settling=stalled), stalled

    def eval_params(self, state: SearchState, params: Tree) -> Tree:
        return select(state.accepted == 0, params, state.here.params)

    def accepted_iterate(self, state: SearchState, here: Iterate) -> Iterate:
        return select(state.accepted == 0, here._replace(value=as_scalar(here.value, state.here.value)), state.here)

    def stalled(self, state: SearchState) -> Any:
        return state.stalled

    def metrics(self, state: SearchState) -> dict[str, Any]:
        """`effective_step`: α, the last length that was accepted."""
        return {"effective_step": state.records.step}

    def refuse(self, grads: Tree, state: Tree, params: Tree) -> None:
        """Refuse what does not belong together."""
        name = type(self).__name__
        if params is None:
            raise InputError(f"{name} needs the parameters, too: update(grads, state, params, value=...)")
        refuse_misfits(grads, params)
        if not isinstance(state, SearchState) or set(state.memory) != set(self.remembers):
            raise InputError(f"{name} searches along a line and remembers {list(self.remembers)}, but this state is of "
                             f"type {type(state).__name__}: it belongs to another optimizer")
        refuse_other_structure(params, state.here.params, "the point that was accepted last")
        refuse_other_shapes(name, state.here.params, params)


def newton_fall(state: SearchState) -> Any:
    """Half of `−gᵀd`, by how much the loss should fall along a direction that is Newton's, or like it."""
    unknown = state.steepest | (state.accepted == 0)
    return namespace(unknown).where(unknown, float("inf"), -state.line.slope / (2 * state.records.scale))


def _recorded(state: SearchState, there: Iterate) -> Records:
    """The records after `there` is accepted."""
    old = state.records
    xp = namespace(old.scale)
    moved = tree_norm(plus(there.params, -1, state.here.params))
    steepness = tree_norm(times(old.scale, there.grads))
    better = (there.value < old.lowest) | (steepness < old.flattest)
    return Records(
        old.scale, state.line.trial, xp.where(state.accepted == 0, old.moved, moved),
        xp.minimum(there.value, old.lowest), xp.minimum(steepness, old.flattest), xp.where(better, 0, old.idle + 1),
    )


def _farthest(direction: Tree) -> Any:
    """The longest step whose squares, and their sum, are within the range of numbers."""
    long = largest(direction)
    most = float(namespace(long).finfo(long.dtype).max)
    return namespace(long).clip(math.sqrt(most / size(direction)) / 4 / long, None, most)


def _precision(xs: Tree) -> float:
    """How far apart two values of the loss may be by rounding, relatively: between ε and √ε, for sums of many."""
    return max(float(namespace(x).finfo(x.dtype).eps) for x in jax.tree.leaves(xs)) ** (2 / 3)


def _finite(x: Array) -> Any:
    bound = float(namespace(x).finfo(x.dtype).max)
    return namespace(x).clip(x, -bound, bound)


def _zeros_like(x: Array) -> Any:
    return namespace(x).zeros_like(x)
