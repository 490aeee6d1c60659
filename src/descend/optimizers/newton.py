"""Newton's method, for small problems: the curvature of the loss, from its second derivatives."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from descend._arrays import Array, as_scalar, namespace
from descend._hyperparameters import POSITIVE, require
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._line_search import StrongWolfe
from descend.optimizers._optimizer import Function, Iterate, needed
from descend.optimizers._rule import rule
from descend.optimizers._search import Search, SearchState, newton_fall
from descend.optimizers._vectors import size, times
from descend.schedules import Number, Rate, Schedule, as_schedule, fixed

# Parameters, of which the Hessian holds the square.
MAX_PARAMETERS = 4096


@rule
class Newton(Search):
    """Newton's method: to where the minimum were, if the loss were the quadratic that it is like here.

        d = −|H|⁻¹ g             |H|: the Hessian, with its eigenvalues' absolute values
        θ ← θ + α d              α: η, or what Moré and Thuente's search finds instead

    Where the loss is convex, |H| is H; elsewhere the direction is downhill all the same, and leads away from saddle
    points. Eigenvalues are taken for at least √ε of the largest, where ε is the rounding error of the dtype. Each
    accepted point costs a Hessian and its eigenvalues, the work of n evaluations and n³: there may be up to 4096
    parameters. Second derivatives are taken by JAX, of `value_fn`, which a descent gives: `update(grads, state,
    params, value=..., value_fn=...)`.

    `learning_rate`: η, the first length to try: 1 for Newton's own steps, less for damped ones. `search`: without it,
    all steps are `−η H⁻¹ g`, the textbook's, which may lead to a maximum, or nowhere. `decrease`, `curvature`: c₁ and
    c₂ of Wolfe's conditions, as in `LBFGS`. Metrics: `learning_rate`, and `effective_step`, the last α.

    On a quadratic the textbook's method is stable for η below 2, whatever the curvature; a search does not diverge.

    >>> import jax, jax.numpy as jnp
    >>> loss = lambda x: (x**4).sum()
    >>> rule, x = Newton(search=False), jnp.array([3.0])
    >>> update, state = rule.update(jax.grad(loss)(x), rule.init(x), x, value=loss(x), value_fn=loss)
    >>> float(x[0] + update[0])
    2.0

    References: Nocedal and Wright, "Numerical optimization", 2006, chapter 3.4; Dauphin et al., "Identifying and
    attacking the saddle point problem in high-dimensional non-convex optimization", arXiv 1406.2572.
    """

    solves_equations: ClassVar[bool] = True

    learning_rate: Rate | Schedule = 1.0
    search: bool = fixed(default=True)
    decrease: Number = 1e-4
    curvature: Number = 0.9

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, decrease=(0.0, 0.5), curvature=(self.decrease, 1.0))

    @property
    def line_search(self) -> StrongWolfe:
        return StrongWolfe(self.decrease, self.curvature)

    def init(self, params: Tree) -> SearchState:
        state = super().init(params)
        count = size(params)
        if count > MAX_PARAMETERS:
            raise InputError(f"Newton takes up to {MAX_PARAMETERS:,} parameters, because its Hessian has the square of "
                             f"that, but there are {count:,}: use LBFGS, which learns the curvature from the gradients")
        return state

    def update(self, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, SearchState]:
        if self.search:
            return super().update(grads, state, params, **extra)
        self.refuse(grads, state, params)
        g, hessian, unflatten = _derivatives(params, grads, needed(self, extra, "value_fn"))
        eta = as_scalar(self._rate(state), state.records.step)
        records = state.records._replace(step=eta)
        # The textbook's step, to whatever stationary point the model has.
        step = unflatten(-jnp.linalg.solve(hessian, g))
        return times(eta, step), state._replace(accepted=state.accepted + 1, records=records)

    def direction_at(
        self, state: SearchState, there: Iterate, memory: dict[str, Tree], extra: dict[str, Any]
    ) -> tuple[Tree, Any]:
        g, hessian, unflatten = _derivatives(there.params, there.grads, needed(self, extra, "value_fn"))
        values, vectors = jnp.linalg.eigh(hessian)
        # |H|, because the step by H itself is drawn to saddle points as it is to minima.
        sizes = jnp.abs(values)
        # Eigenvalues that rounding hides would make steps of any length.
        sizes = jnp.maximum(sizes, jnp.sqrt(jnp.finfo(sizes.dtype).eps) * sizes.max())
        return unflatten(-vectors @ (vectors.T @ g / sizes)), jnp.asarray(False)

    def first_trial(self, state: SearchState, slope: Array, steepest: Array, unit: Array) -> Any:
        return as_scalar(self._rate(state), unit)

    def _rate(self, state: SearchState) -> Any:
        return as_schedule(self.learning_rate)(state.accepted)

    # Without a search every point is as it is, and the last is where the parameters are.

    def eval_params(self, state: SearchState, params: Tree) -> Tree:
        return super().eval_params(state, params) if self.search else params

    def accepted_iterate(self, state: SearchState, here: Iterate) -> Iterate:
        return super().accepted_iterate(state, here) if self.search else here

    def metrics(self, state: SearchState) -> dict[str, Any]:
        last = jnp.clip(state.accepted - 1, 0, None)
        return super().metrics(state) | {"learning_rate": as_schedule(self.learning_rate)(last)}

    def expected_fall(self, state: SearchState) -> Any:
        return newton_fall(state) if self.search else super().expected_fall(state)

    def stability_limit(self) -> float | None:
        return None if self.search else 2.0


def _derivatives(params: Tree, grads: Tree, value_fn: Function) -> tuple[Any, Any, Callable[[Any], Tree]]:
    """The gradient and the Hessian over all parameters as one vector, and how it becomes a tree again."""
    world = namespace(jax.tree.leaves(params)[0])
    if world is not jnp:
        raise InputError(f"Newton takes second derivatives by JAX, but the parameters are {world.__name__}'s: give it "
                         "JAX's arrays, or use LBFGS")
    flat, unflatten = ravel_pytree(params)
    return ravel_pytree(grads)[0], jax.hessian(lambda x: value_fn(unflatten(x)))(flat), unflatten
