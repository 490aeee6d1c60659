"""Least squares by batches, with which modifiers are tried out in every array world, and in a loop as users write it.

A batch is features, targets and a mask of the rows that count; the loss is the mean over those, and tells how many
they were. Loss and gradient are written with operators alone, so that NumPy, JAX and PyTorch all know them.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from descend.optimizers import Optimizer

STEPS = 12
ROWS = 6


class Walk(NamedTuple):
    """What was seen after every step, stacked: the parameters, those to evaluate, and what was read out."""

    params: Any
    evaluated: Any
    read: dict[str, np.ndarray]


def start(dtype: Any = np.float64) -> Any:
    """Parameters in nested containers."""
    return {"layer": {"weight": np.asarray([0.5, -1.0, 2.0], dtype), "bias": np.asarray(0.25, dtype)}}


def batches(steps: int = STEPS, dtype: Any = np.float64, seed: int = 3) -> Any:
    """So many batches, stacked in front, with 1 to `ROWS` rows that count."""
    rng = np.random.default_rng(seed)
    counted = rng.integers(1, ROWS + 1, steps)
    mask = np.arange(ROWS) < counted[:, None]
    drawn = (rng.normal(size=(steps, ROWS, 3)), 3 * rng.normal(size=(steps, ROWS)), mask)
    return tuple(np.asarray(part, dtype) for part in drawn)


def loss(params: Any, batch: Any) -> tuple[Any, dict[str, Any]]:
    """½ the mean square of the residuals, and the number of rows."""
    X, y, mask = batch
    residual = (X @ params["layer"]["weight"] + params["layer"]["bias"] - y) * mask
    return 0.5 * (residual * residual).sum() / mask.sum(), {"tokens": mask.sum()}


def value_and_grad(params: Any, batch: Any) -> tuple[Any, Any]:
    """The loss and its gradient, by hand."""
    X, y, mask = batch
    residual = (X @ params["layer"]["weight"] + params["layer"]["bias"] - y) * mask / mask.sum()
    return loss(params, batch)[0], {"layer": {"weight": X.T @ residual, "bias": residual.sum()}}


def step(rule: Optimizer, params: Any, state: Any, batch: Any) -> tuple[Any, Any]:
    """One step, as a descent makes it."""
    value, grads = value_and_grad(params, batch)
    updates, state = rule.update(
        grads, state, params, value=value, aux=loss(params, batch)[1],
        value_fn=lambda p: loss(p, batch)[0], value_and_grad=lambda p: value_and_grad(p, batch),
    )
    return jax.tree.map(operator.add, params, updates), state


def walk(rule: Optimizer, stacked: Any, array: Callable[..., Any] = np.asarray, begin: Any = None) -> Walk:
    """Step by step, in the world of `array`, which makes its arrays."""
    dtype = stacked[0].dtype
    params = jax.tree.map(array, start(dtype) if begin is None else begin)
    state, seen = rule.init(params), []
    for number in range(len(stacked[0])):
        params, state = step(rule, params, state, tuple(array(part[number]) for part in stacked))
        seen.append(Walk(params, rule.eval_params(state, params), rule.metrics(state)))
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *seen)


def compiled_walk(rule: Optimizer, stacked: Any) -> Walk:
    """The same in a loop over JAX arrays, to be compiled."""

    def body(carry: Any, batch: Any) -> Any:
        params, state = step(rule, *carry, batch)
        read = {name: jnp.asarray(value) for name, value in rule.metrics(state).items()}
        return (params, state), Walk(params, rule.eval_params(state, params), read)

    begin = jax.tree.map(jnp.asarray, start(stacked[0].dtype))
    return jax.lax.scan(body, (begin, rule.init(begin)), stacked)[1]


def assert_close(got: Any, want: Any, tolerance: float) -> None:
    """Equal to `tolerance`, relative to each leaf's largest value."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(np.nan_to_num(b)).max())


def assert_same_bits(got: Any, want: Any) -> None:
    """Equal bit for bit: −0 is not 0."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
