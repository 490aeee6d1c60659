"""Newton's method for many parameters: its equations are solved by conjugate gradients, in a trust region."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from descend._hyperparameters import POSITIVE, require, require_whole
from descend._tree import Tree
from descend.optimizers._optimizer import Iterate, needed
from descend.optimizers._rule import rule
from descend.optimizers._trust_region import RegionStep, TrustRegion
from descend.optimizers._vectors import tree_norm, zero_of
from descend.schedules import Number, fixed


class Steepness(NamedTuple):
    """What is remembered of the gradients: the norm of the first."""

    first: Any


class _Solving(NamedTuple):
    """Conjugate gradients on the way: the step, what is left of the gradient, the direction; `fall`, of the model;
    `made`, products with the Hessian; `ended`, at the radius or on a way down that has no end."""

    step: Any
    left: Any
    direction: Any
    fall: Any
    made: Any
    ended: Any


@rule
class NewtonCG(TrustRegion):
    """Newton's method in a trust region, whose equations are solved by conjugate gradients:

        min gᵀp + ½ pᵀHp  for  ‖p‖ ≤ Δ
        until ‖g + Hp‖ ≤ min(½, √(‖g‖ / ‖g₀‖)) ‖g‖, or at the radius, or where pᵀHp ≤ 0

    so that far from the minimum little work is done, and near to it the method is superlinear. Products Hp are those of
    JAX, of forward over reverse derivatives, each the cost of about two gradients; nothing of n² is held, so that there
    may be many parameters. Directions of negative curvature are followed to the radius, away from saddle points.

    It needs the loss as a function: a descent gives it, and outside of one it is `update(grads, state, params,
    value=..., value_fn=...)`. For losses without noise. `radius`: the first Δ, as a factor of `‖θ₀‖`, or of 1 where
    that is 0. `products`: the most products with the Hessian for a step. Metrics: `radius`.

    >>> import jax, jax.numpy as jnp
    >>> loss = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
    >>> rule, x = NewtonCG(), jnp.array([-1.2, 1.0])
    >>> state = rule.init(x)
    >>> @jax.jit
    ... def step(x, state):
    ...     update, state = rule.update(jax.grad(loss)(x), state, x, value=loss(x), value_fn=loss)
    ...     return x + update, state
    >>> for _ in range(40):
    ...     x, state = step(x, state)
    >>> rule.eval_params(state, x).round(2).tolist()
    [1.0, 1.0]

    References: Steihaug, "The conjugate gradient method and trust regions in large scale optimization", 1983; Nocedal
    and Wright, "Numerical optimization", 2006, algorithm 7.2.
    """

    radius: Number = 1.0
    products: int = fixed(default=200)
    needs = "value_fn"

    def __post_init__(self) -> None:
        require(self, radius=POSITIVE)
        require_whole(self, products=1)

    def model_start(self, params: Tree) -> Steepness:
        return Steepness(zero_of(params) + np.inf)

    def model_at(self, there: Iterate, before: Steepness, extra: dict[str, Any]) -> Steepness:
        return Steepness(jnp.where(jnp.isfinite(before.first), before.first, tree_norm(there.grads)))

    def length_of_start(self, model: Steepness, params: Tree) -> Any:
        return tree_norm(params)

    def step_in(self, model: Steepness, here: Iterate, radius: jax.Array, extra: dict[str, Any]) -> RegionStep:
        flat, unflatten = ravel_pytree(here.params)
        gradient = ravel_pytree(here.grads)[0]
        slope = jax.grad(lambda x: needed(self, extra, "value_fn")(unflatten(x)))
        product = lambda v: jax.jvp(slope, (flat,), (v,))[1]
        steepness = jnp.linalg.norm(gradient)
        # Far from the minimum a rough solution will do. The root makes the end superlinear; a constant would make it
        # linear.
        enough = jnp.minimum(0.5, jnp.sqrt(steepness / jnp.where(model.first > 0, model.first, 1))) * steepness
        # In exact arithmetic n products solve it. Twice as many leave room for rounding.
        found = _solved(product, gradient, radius.astype(flat.dtype), enough, min(self.products, 2 * flat.size))
        length = jnp.linalg.norm(found.step)
        whole = jnp.where(found.ended, jnp.inf, found.fall)
        return RegionStep(unflatten(found.step), found.fall, length, whole)


def _solved(
    product: Callable[[Any], Any], gradient: jax.Array, radius: jax.Array, enough: jax.Array, most: int
) -> _Solving:
    """Steihaug's conjugate gradients."""

    def goes_on(now: _Solving) -> Any:
        return ~now.ended & (jnp.linalg.norm(now.left) > enough) & (now.made < most)

    def further(now: _Solving) -> _Solving:
        along = product(now.direction)
        curvature, square = now.direction @ along, now.left @ now.left
        length = square / jnp.where(curvature > 0, curvature, 1)
        # Down without an end, or out of the region: to the boundary along this direction, and there it ends.
        beyond = (curvature <= 0) | (jnp.linalg.norm(now.step + length * now.direction) >= radius)
        length = jnp.where(beyond, _to_the_radius(now.step, now.direction, radius), length)
        left = now.left + length * along
        fall = now.fall - length * (now.left @ now.direction) - length**2 * curvature / 2
        direction = -left + (left @ left) / jnp.where(square > 0, square, 1) * now.direction
        return _Solving(now.step + length * now.direction, left, direction, fall, now.made + 1, beyond)

    zero = jnp.zeros((), gradient.dtype)
    begin = _Solving(jnp.zeros_like(gradient), gradient, -gradient, zero, jnp.zeros((), jnp.int32), jnp.asarray(False))
    return jax.lax.while_loop(goes_on, further, begin)


def _to_the_radius(step: jax.Array, direction: jax.Array, radius: jax.Array) -> Any:
    """How far along the direction the radius is."""
    a, b, c = direction @ direction, step @ direction, step @ step - radius**2
    return (-b + jnp.sqrt(jnp.maximum(b**2 - a * c, 0))) / jnp.where(a > 0, a, 1)
