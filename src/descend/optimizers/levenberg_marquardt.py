"""Nonlinear least squares: Gauss and Newton's model of the residuals, in a trust region."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from descend._hyperparameters import POSITIVE, require
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._optimizer import Iterate, needed
from descend.optimizers._rule import rule
from descend.optimizers._trust_region import RegionStep, TrustRegion
from descend.optimizers._vectors import size
from descend.schedules import Number

# Parameters, of which the model holds the square.
MAX_PARAMETERS = 4096
# Steps of Newton's method for the damping. Three or four are needed.
DAMPING_ITERATIONS = 12


class GaussNewton(NamedTuple):
    """J D⁻¹ = U diag(s) Vᵀ at a point: `singular` s, `turned` V, `against` Uᵀr; and `scale`, D."""

    singular: Any
    turned: Any
    against: Any
    scale: Any


@rule
class LevenbergMarquardt(TrustRegion):
    """Levenberg and Marquardt's method for sums of squares, `f = ½ ‖r(θ)‖²`, as Moré has it:

        min ‖r + J p‖  for  ‖D p‖ ≤ Δ              J: the residuals' derivatives
        p = −(JᵀJ + λ D²)⁻¹ Jᵀr                    λ: 0, or such that ‖D p‖ = Δ
        D ← max(D, the norms of J's columns)       so that no unit of a parameter matters

    λ is found from the singular values of J D⁻¹, without products JᵀJ, which would lose half of the digits. The radius
    Δ is adapted as in every trust region. For residuals that become small it is as fast as Newton's method, and needs
    first derivatives alone.

    It needs the residuals: `descend.least_squares(residuals, params, data)` has a descent bring them, and outside of
    one `update(grads, state, params, value=..., residual_fn=...)`. There may be up to 4096 parameters, and the
    Jacobian, residuals × parameters, is held in memory.

    `radius`: the first Δ, as a factor of `‖D θ₀‖`; MINPACK has 100, with which first steps from a poor start go too far
    to come back. Metrics: `radius`.

    >>> import jax, jax.numpy as jnp
    >>> residuals = lambda x: jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])
    >>> loss = lambda x: (residuals(x) ** 2).sum() / 2
    >>> rule, x = LevenbergMarquardt(), jnp.array([-1.2, 1.0])
    >>> state = rule.init(x)
    >>> @jax.jit
    ... def step(x, state):
    ...     update, state = rule.update(jax.grad(loss)(x), state, x, value=loss(x), residual_fn=residuals)
    ...     return x + update, state
    >>> for _ in range(25):
    ...     x, state = step(x, state)
    >>> rule.eval_params(state, x).round(3).tolist()
    [1.0, 1.0]

    Reference: Moré, "The Levenberg-Marquardt algorithm: implementation and theory", 1978.
    """

    radius: Number = 1.0
    needs = "residual_fn"

    def __post_init__(self) -> None:
        require(self, radius=POSITIVE)

    def model_start(self, params: Tree) -> GaussNewton:
        n = size(params)
        if n > MAX_PARAMETERS:
            raise InputError(f"LevenbergMarquardt takes up to {MAX_PARAMETERS:,} parameters, because its model has the "
                             f"square of that, but there are {n:,}: use LBFGS, or NewtonCG")
        xp: Any = jnp if isinstance(jax.tree.leaves(params)[0], jax.Array) else np
        dtype = np.result_type(*(leaf.dtype for leaf in jax.tree.leaves(params)))
        zeros = xp.zeros(n, dtype)
        return GaussNewton(zeros, xp.zeros((n, n), dtype), zeros, zeros)

    def model_at(self, there: Iterate, before: GaussNewton, extra: dict[str, Any]) -> GaussNewton:
        flat, unflatten = ravel_pytree(there.params)
        residuals = lambda x: needed(self, extra, "residual_fn")(unflatten(x))
        # 1. Forward mode: residuals are many and parameters few, of which it needs a pass each.
        r, jacobian = residuals(flat), jax.jacfwd(residuals)(flat)
        # 2. Moré's scaling never shrinks, so that the region does not burst open where a column vanishes for a while.
        scale = jnp.maximum(before.scale, jnp.sqrt((jacobian**2).sum(axis=0)))
        scaled = jacobian / jnp.where(scale > 0, scale, 1)
        # A QR decomposition first, as the singular values of the triangle are soon found, and are those of the whole.
        orthogonal, triangle = jnp.linalg.qr(scaled)
        # 4. With singular values, the damping for any radius costs no other factorisation.
        left, singular, right = jnp.linalg.svd(triangle, full_matrices=False)
        return _filled(GaussNewton(singular, right.T, left.T @ (orthogonal.T @ r), scale), len(flat))

    def step_in(self, model: GaussNewton, here: Iterate, radius: jax.Array, extra: dict[str, Any]) -> RegionStep:
        _, unflatten = ravel_pytree(here.params)
        s, c = model.singular, model.against
        # What rounding hides gets no step: divided by such a singular value, noise would be the longest part of it.
        known = s > len(s) * jnp.finfo(s.dtype).eps * s.max(initial=0)
        s, c = jnp.where(known, s, 0), jnp.where(known, c, 0)
        along = lambda damping: -s * c / jnp.where(known, s**2 + damping, 1)
        damping = _damping(s, c, known, radius)
        q = along(damping)
        fall = -(q * s * c).sum() - ((q * s) ** 2).sum() / 2
        scale = jnp.where(model.scale > 0, model.scale, 1)
        return RegionStep(unflatten((model.turned @ q) / scale), fall, jnp.sqrt((q**2).sum()), (c**2).sum() / 2)

    def length_of_start(self, model: GaussNewton, params: Tree) -> Any:
        flat, _ = ravel_pytree(params)
        return jnp.sqrt(((model.scale * flat) ** 2).sum())


def _filled(model: GaussNewton, n: int) -> GaussNewton:
    """The model with as many singular values as there are parameters, where there are fewer residuals."""
    missing = n - len(model.singular)
    pad = lambda x: jnp.pad(x, (0, missing))
    turned = jnp.pad(model.turned, ((0, 0), (0, missing)))
    return GaussNewton(pad(model.singular), turned, pad(model.against), model.scale)


def _damping(s: jax.Array, c: jax.Array, known: jax.Array, radius: jax.Array) -> Any:
    """λ ≥ 0 with a step as long as the radius, or 0 where it is shorter without: Newton's method for 1/‖p(λ)‖ = 1/Δ,
    which comes to λ from below.

    Reference: Hebden 1973; Moré and Sorensen, "Computing a trust region step", 1983.
    """

    def length(damping: jax.Array) -> tuple[Any, Any]:
        weight = jnp.where(known, s**2 + damping, 1)
        q = s * c / weight
        norm = jnp.sqrt((q**2).sum())
        return norm, -(q**2 / weight).sum() / jnp.where(norm > 0, norm, 1)

    def better(_: Any, damping: jax.Array) -> Any:
        norm, slope = length(damping)
        newton = damping + norm / radius * (norm - radius) / jnp.where(slope < 0, -slope, 1)
        return jnp.maximum(newton, 0)

    # From 0, which is below the solution. From there Newton's method for 1/‖p‖ rises to it, and needs no safeguard.
    found = jax.lax.fori_loop(0, DAMPING_ITERATIONS, better, jnp.zeros_like(radius))
    return jnp.where(length(jnp.zeros_like(radius))[0] <= radius, 0, found)
