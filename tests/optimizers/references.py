"""The algorithm boxes of the papers in plain NumPy, one array at a time and in float64, and how to run rules on them.

A reference takes the start, the gradients and the learning rates, one for each step, and the rule's other settings;
it yields the parameters after each step. Nothing here uses `descend`'s mathematics.
"""

import operator
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from descend.optimizers import SGD, AdaGrad, Adam, AdamW, RMSprop, Rule
from descend.schedules import InverseTime

STEPS = 100
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
Arrays = Iterator[np.ndarray]


def sgd(x, gradients, rates, *, momentum=0.0, nesterov=False) -> Arrays:
    """Polyak's heavy ball, and Nesterov's momentum as Sutskever et al. write it for PyTorch."""
    velocity = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        velocity = momentum * velocity + g
        direction = g + momentum * velocity if nesterov else velocity
        x = x - rate * direction
        yield x


def adagrad(x, gradients, rates, *, eps=1e-10, initial_accumulator=0.0, eps_in_root=False) -> Arrays:
    """Duchi, Hazan and Singer 2011, with a diagonal matrix."""
    total = np.full_like(x, initial_accumulator)
    for g, rate in zip(gradients, rates, strict=True):
        total = total + g**2
        x = x - rate * g / (np.sqrt(total + eps) if eps_in_root else np.sqrt(total) + eps)
        yield x


def rmsprop(x, gradients, rates, *, decay=0.9, eps=1e-8, eps_in_root=False) -> Arrays:
    """Tieleman and Hinton 2012."""
    average = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        average = decay * average + (1 - decay) * g**2
        x = x - rate * g / (np.sqrt(average + eps) if eps_in_root else np.sqrt(average) + eps)
        yield x


def adam(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8) -> Arrays:
    """Kingma and Ba 2015, Algorithm 1: what Loshchilov and Hutter's algorithm is without weight decay."""
    yield from adamw(x, gradients, rates, beta1=beta1, beta2=beta2, eps=eps, weight_decay=0.0)


def adamw(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01) -> Arrays:
    """Loshchilov and Hutter 2019, Algorithm 2, with the weight decay times the learning rate."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        x = x - rate * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * x)
        yield x


class Case(NamedTuple):
    """A rule in one setting, and the algorithm that it must follow."""

    rule: Callable[..., Rule]
    reference: Callable[..., Arrays]
    settings: dict[str, Any]


CASES = {
    "sgd": Case(SGD, sgd, {}),
    "heavy_ball": Case(SGD, sgd, {"momentum": 0.9}),
    "nesterov": Case(SGD, sgd, {"momentum": 0.9, "nesterov": True}),
    "nesterov_without_momentum": Case(SGD, sgd, {"nesterov": True}),
    "adagrad": Case(AdaGrad, adagrad, {}),
    "adagrad_accumulator": Case(AdaGrad, adagrad, {"initial_accumulator": 0.1, "eps": 1e-3}),
    "adagrad_eps_in_root": Case(
        AdaGrad, adagrad, {"initial_accumulator": 0.1, "eps": 1e-2, "eps_in_root": True}
    ),
    "rmsprop": Case(RMSprop, rmsprop, {}),
    "rmsprop_slow": Case(RMSprop, rmsprop, {"decay": 0.99, "eps": 1e-2}),
    "rmsprop_eps_in_root": Case(RMSprop, rmsprop, {"eps": 1e-2, "eps_in_root": True}),
    "adam": Case(Adam, adam, {}),
    "adam_other_betas": Case(Adam, adam, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-2}),
    "adam_without_averages": Case(Adam, adam, {"beta1": 0.0, "beta2": 0.0}),
    "adamw": Case(AdamW, adamw, {}),
    "adamw_strong": Case(AdamW, adamw, {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.5}),
}

SCHEDULE = InverseTime(0.1, decay=0.05)
RATES = [0.1 / (1 + 0.05 * step) for step in range(STEPS)]


def problem(dtype: str = "float64") -> tuple[Any, Any]:
    """A start and `STEPS` gradients for it (stacked in front): scalar to 4-D leaves in mixed containers."""
    rng = np.random.default_rng(7)
    shapes = {
        "scale": (),
        "layers": ({"weight": (4, 3), "bias": (3,)},),
        "filters": [(2, 3, 3, 2)],
    }

    def normal(*before: int) -> Any:
        is_shape = lambda leaf: leaf == () or (isinstance(leaf, tuple) and isinstance(leaf[0], int))
        return jax.tree.map(
            lambda shape: np.asarray(rng.normal(size=(*before, *shape)), dtype), shapes, is_leaf=is_shape
        )

    return normal(), normal(STEPS)


def at(step: int, stacked: Any) -> Any:
    """One step of a stacked tree."""
    return jax.tree.map(lambda leaf: leaf[step], stacked)


@cache
def expected(name: str, dtype: str) -> Any:
    """The parameters after every step, stacked, by the reference: always calculated in float64."""
    case = CASES[name]
    start, gradients = jax.tree.map(lambda leaf: leaf.astype(np.float64), problem(dtype))
    return jax.tree.map(lambda x, g: np.stack(list(case.reference(x, g, RATES, **case.settings))), start, gradients)


def run(rule: Rule, start: Any, gradients: Any, array: Callable[..., Any] = np.asarray) -> Any:
    """The parameters after every step, stacked, by `rule`, in the world of `array`, which makes its arrays."""
    params = jax.tree.map(array, start)
    state, seen = rule.init(params), []
    for step in range(STEPS):
        updates, state = rule.update(jax.tree.map(array, at(step, gradients)), state, params)
        params = jax.tree.map(operator.add, params, updates)
        seen.append(params)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *seen)


@jax.jit
def compiled_run(rule: Rule, start: Any, gradients: Any) -> Any:
    """The same in a compiled loop over JAX arrays."""

    def step(carry: Any, g: Any) -> Any:
        params, state = carry
        updates, state = rule.update(g, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        return (params, state), params

    return jax.lax.scan(step, (start, rule.init(start)), gradients)[1]


WORLDS = {"numpy": np.asarray, "jax": jnp.asarray}


@cache
def actual(name: str, dtype: str, world: str) -> Any:
    """The parameters after every step, stacked, by the rule under a schedule."""
    case = CASES[name]
    with jax.enable_x64(dtype == "float64"):
        return run(case.rule(SCHEDULE, **case.settings), *problem(dtype), WORLDS[world])


def assert_close(got: Any, want: Any, tolerance: float) -> None:
    """Equal dtypes aside, to `tolerance` relative to each leaf's largest value: an entry may pass through zero."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
