"""What the optimizers with a trust region share: a model of the loss, and how far it is believed."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from descend._arrays import as_scalar, namespace
from descend._checks import refuse_misfits, refuse_unmovable
from descend._control import choose, select
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._optimizer import Iterate, Optimizer, needed
from descend.optimizers._vectors import inner, plus, where, zero_of
from descend.schedules import Number

# Of the fall that was expected, below which a step is not taken.
MIN_RATIO = 1e-4
# Of that fall, below and above which the radius changes.
POOR_RATIO, GOOD_RATIO = 0.25, 0.75
# Points in a row that may be accepted without a lower loss than ever before.
MAX_IDLE = 20


class RegionStep(NamedTuple):
    """A step, the fall that the model expects from it, and its length in the model's units; and the fall that it would
    expect without a radius."""

    step: Tree
    fall: Any
    length: Any
    whole_fall: Any


class RegionState(NamedTuple):
    """A trust region at rest: how many points were accepted, the last of them, the model of the loss there, and the
    trial that comes next. `radius`: how long a step may be; infinite before the first is known. `lowest`: the least
    loss; `idle`: how many points in a row were accepted that did not better it. `stalled`: no step that is still told
    from none lowers the loss."""

    accepted: Any
    here: Iterate
    model: Any
    trial: RegionStep
    radius: Any
    lowest: Any
    idle: Any
    stalled: Any


class TrustRegion(Optimizer):
    """An optimizer that believes a model of the loss within a radius, and goes to where it is least there.

        ρ = (f(θ) − f(θ + p)) / (m(0) − m(p))      how true the model was
        ρ > 10⁻⁴: θ ← θ + p
        ρ < ¼: Δ ← ‖p‖ / 4;  ρ > ¾ at the radius: Δ ← 2 Δ

    It goes on by reverse communication, as a line search does: a step costs one evaluation of loss and gradient, at the
    trial; what a descent is judged by, and gives back, is the last accepted point.

    One of these gives a `model_at` a point, and the `step_in` it for a radius.

    Reference: Nocedal and Wright, "Numerical optimization", 2006, chapter 4.
    """

    solves_equations: ClassVar[bool] = True

    needs: str
    radius: Number

    def model_at(self, there: Iterate, before: Tree, extra: dict[str, Any]) -> Any:
        """The model of the loss around a point; `before`: that of the point before."""
        raise NotImplementedError

    def step_in(self, model: Tree, here: Iterate, radius: jax.Array, extra: dict[str, Any]) -> RegionStep:
        """The step to where the model is least, up to a length of `radius` in its units."""
        raise NotImplementedError

    def model_start(self, params: Tree) -> Any:
        """A model of the structure that all have, before there is one."""
        raise NotImplementedError

    def length_of_start(self, model: Tree, params: Tree) -> Any:
        """The length of the parameters at the start in the model's units, by which the first radius is told."""
        raise NotImplementedError

    def init(self, params: Tree) -> RegionState:
        refuse_unmovable(type(self).__name__, params)
        zero, zeros = zero_of(params), jax.tree.map(lambda p: namespace(p).zeros_like(p), params)
        xp = namespace(zero)
        count, no = xp.zeros((), dtype=xp.int32), xp.asarray(False)
        trial = RegionStep(zeros, zero, zero, zero + xp.inf)
        return RegionState(count, Iterate(params, zero, zeros), self.model_start(params), trial, zero + xp.inf,
                           zero + xp.inf, count, no)

    def update(self, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, RegionState]:
        self._refuse(grads, state, params)
        value = needed(self, extra, "value")
        needed(self, extra, self.needs)
        there = Iterate(params, as_scalar(value, state.radius), grads)
        state = self._after(there, state, extra)
        target = plus(state.here.params, 1, state.trial.step)
        return jax.tree.map(lambda x, p: x - p, target, params), state

    def _after(self, there: Iterate, state: RegionState, extra: dict[str, Any]) -> RegionState:
        """The state after the evaluation at `there`, the trial."""
        first = state.accepted == 0
        # 1. How true was the model? The first point has none to judge, and is accepted.
        ratio = self._ratio(there, state)
        accepted = first | (ratio > MIN_RATIO)
        # 2. The radius, from trials that are refused, too.
        radius = self._next_radius(state, ratio)
        here = where(accepted, there, state.here)
        # 3. A new model at a new point alone, as it is what costs.
        model = choose(accepted, lambda: self.model_at(there, state.model, extra), lambda: state.model)
        # 4. The first radius is a length in the model's units, which are not known before there is a model.
        start = as_scalar(self.radius, radius) * self.length_of_start(model, here.params)
        radius = jnp.where(first, jnp.where(start > 0, start, as_scalar(self.radius, radius)), radius)
        # 5. The next trial.
        trial = self.step_in(model, here, radius, extra)
        better = accepted & ((there.value < state.lowest) | first)
        idle = jnp.where(better, 0, state.idle + accepted)
        # 6. It stalls where the model expects no fall, a step is lost in rounding, or many have brought nothing.
        tiny = trial.length <= jnp.finfo(radius.dtype).eps * self.length_of_start(model, here.params)
        stalled = ~(trial.fall > 0) | ~(radius > 0) | (~first & tiny) | (idle >= MAX_IDLE)
        trial = trial._replace(step=jax.tree.map(lambda p: jnp.where(stalled, 0, p), trial.step))
        lowest = jnp.where(accepted, jnp.minimum(there.value, state.lowest), state.lowest)
        return RegionState(state.accepted + accepted, here, model, trial, radius, lowest, idle, stalled)

    def _ratio(self, there: Iterate, state: RegionState) -> Any:
        """ρ; where neither fall can be told from rounding, the one that the gradients tell, by the trapezium rule."""
        here, trial = state.here, state.trial
        epsilon = jnp.finfo(there.value.dtype).eps
        fall = here.value - there.value
        # Near the minimum both falls are rounding, and their ratio is chance. The slopes at both ends still tell.
        noise = 10 * epsilon * abs(here.value)
        same = (abs(fall) <= noise) & (trial.fall <= noise)
        by_slopes = -(inner(here.grads, trial.step) + inner(there.grads, trial.step)) / 2
        fall = jnp.where(same, by_slopes, fall)
        ratio = fall / trial.fall
        return jnp.where(jnp.isfinite(there.value) & jnp.isfinite(ratio), ratio, -jnp.inf)

    def _next_radius(self, state: RegionState, ratio: jax.Array) -> Any:
        """The radius after a trial. From a point that is not finite it shrinks by more."""
        length, radius = state.trial.length, state.radius
        # By the step, not by the radius: after a step well inside, a somewhat smaller radius would give the same one
        # again.
        shrunk = jnp.where(jnp.isfinite(ratio), length / 4, length / 10)
        at_the_radius = length > 0.9 * radius
        grown = jnp.where(at_the_radius, 2 * radius, radius)
        return jnp.where(ratio < POOR_RATIO, shrunk, jnp.where(ratio > GOOD_RATIO, grown, radius))

    def eval_params(self, state: RegionState, params: Tree) -> Tree:
        return select(state.accepted == 0, params, state.here.params)

    def accepted_iterate(self, state: RegionState, here: Iterate) -> Iterate:
        return select(state.accepted == 0, here._replace(value=as_scalar(here.value, state.here.value)), state.here)

    def stalled(self, state: RegionState) -> Any:
        return state.stalled

    def expected_fall(self, state: RegionState) -> Any:
        """What the model expects of a step without a radius."""
        return jnp.where(state.accepted == 0, jnp.inf, state.trial.whole_fall)

    def metrics(self, state: RegionState) -> dict[str, Any]:
        """`radius`: Δ, in the model's units."""
        return {"radius": state.radius}

    def _refuse(self, grads: Tree, state: Tree, params: Tree) -> None:
        name = type(self).__name__
        if params is None:
            raise InputError(f"{name} needs the parameters, too: update(grads, state, params, value=...)")
        refuse_misfits(grads, params)
        if namespace(jax.tree.leaves(params)[0]) is not jnp:
            raise InputError(f"{name} takes derivatives by JAX: give it JAX's arrays, or use LBFGS")
        if not isinstance(state, RegionState):
            raise InputError(f"{name} has a trust region, but this state is of type {type(state).__name__}: it belongs "
                             "to another optimizer")
