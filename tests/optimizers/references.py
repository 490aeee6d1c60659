"""How rules, the algorithm boxes of their papers and their peers are run on the same gradients, and compared."""

import operator
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from typing import Any

import boxes_adam
import boxes_adaptive
import boxes_averaged
import boxes_first
import boxes_layerwise
import boxes_matrix
import boxes_untuned
import jax
import jax.numpy as jnp
import numpy as np
from case import RATES, SCHEDULE, STEPS, TOLERANCE, Case, Peer

from descend.optimizers import Optimizer
from enforced import without_types

__all__ = ["RATES", "SCHEDULE", "STEPS", "TOLERANCE"]  # of `case`, for the tests

CASES: dict[str, Case] = {
    **boxes_first.CASES,
    **boxes_adaptive.CASES,
    **boxes_adam.CASES,
    **boxes_layerwise.CASES,
    **boxes_matrix.CASES,
    **boxes_averaged.CASES,
    **boxes_untuned.CASES,
}


def problem(dtype: str = "float64") -> tuple[Any, Any]:
    """A start and `STEPS` gradients for it (stacked in front): scalar to 4-D leaves in mixed containers.

    The numbers are float32's, whatever `dtype` they are kept in: all may be held to one oracle.
    """
    rng = np.random.default_rng(7)
    shapes = {
        "scale": (),
        "layers": ({"weight": (4, 3), "bias": (3,)},),
        "filters": [(2, 3, 3, 2)],
    }

    def normal(*before: int) -> Any:
        is_shape = lambda leaf: leaf == () or (isinstance(leaf, tuple) and isinstance(leaf[0], int))
        return jax.tree.map(
            lambda shape: np.float32(rng.normal(size=(*before, *shape))).astype(dtype), shapes, is_leaf=is_shape
        )

    return normal(), normal(STEPS)


def at(step: int, stacked: Any) -> Any:
    """One step of a stacked tree."""
    return jax.tree.map(lambda leaf: leaf[step], stacked)


@cache
def expected(name: str) -> Any:
    """The parameters after every step, stacked, by the reference: in float64."""
    case, (start, gradients) = CASES[name], problem()
    if not case.whole:
        return jax.tree.map(lambda x, g: np.stack(list(case.reference(x, g, RATES, **case.settings))), start, gradients)
    leaves, treedef = jax.tree.flatten(start)
    steps = list(zip(*jax.tree.leaves(gradients), strict=True))
    seen = case.reference(leaves, steps, RATES, **case.settings)
    return treedef.unflatten([np.stack(column) for column in zip(*seen, strict=True)])


def run(rule: Optimizer, start: Any, gradients: Any, array: Callable[..., Any] = np.asarray, steps: int = STEPS) -> Any:
    """The parameters after every step, stacked, by `rule`, in the world of `array`, which makes its arrays."""
    params = jax.tree.map(array, start)
    state, seen = rule.init(params), []
    for step in range(steps):
        with without_types() if step > 1 else nullcontext():
            updates, state = rule.update(jax.tree.map(array, at(step, gradients)), state, params)
        params = jax.tree.map(operator.add, params, updates)
        seen.append(params)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *seen)


def in_a_loop(rule: Any, start: Any, gradients: Any) -> Any:
    """The same in JAX's loop, to be compiled; `rule` may be any optimizer with Optax's protocol."""

    def step(carry: Any, g: Any) -> Any:
        params, state = carry
        updates, state = rule.update(g, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        return (params, state), params

    return jax.lax.scan(step, (start, rule.init(start)), gradients)[1]


# A program that runs once, for milliseconds, is compiled as fast as XLA can.
QUICK = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
compiled_run = jax.jit(in_a_loop, compiler_options=QUICK)

WORLDS = ("numpy", "jax")  # JAX in a compiled loop


@cache
def actual(name: str, dtype: str, world: str) -> Any:
    """The parameters after every step, stacked, by the rule under a schedule."""
    case = CASES[name]
    rule, given = case.rule(SCHEDULE, **case.settings), problem(dtype)
    with jax.enable_x64(dtype == "float64"):
        return jax.tree.map(np.asarray, compiled_run(rule, *given)) if world == "jax" else run(rule, *given)


def imported(peer: Peer) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A peer's constructor, and its settings."""
    module, _, name = peer[0].rpartition(".")
    return getattr(import_module(module), name), peer[1]


def assert_close(got: Any, want: Any, tolerance: float) -> None:
    """Equal dtypes aside, to `tolerance` relative to each leaf's largest value: an entry may pass through zero."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
