"""Descents from several starts, and the minima that they find."""

from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np

from descend._tree import Tree, as_parameters, join, split
from descend.engine.curvature import flat
from descend.errors import InputError
from descend.training import Minimum, Result

# How far apart the parameters of one minimum may be, and its losses, in relation to them.
SAME_MINIMUM = 1e-4


def from_several(descend_from: Callable[[Tree], Result], params: Tree, restarts: int, seed: int) -> Result:
    """The best of the descents from `params` and from `restarts` starts around them, with all minima found."""
    if not (isinstance(restarts, int | np.integer) and restarts > 0):
        raise InputError(f"restarts= is a number of descents, of at least 0, but is {restarts!r}")
    results = [descend_from(start) for start in starts(params, restarts, seed)]
    # What ended at no minimum is taken only where all did so.
    best = min(results, key=lambda result: result.point.loss if result.point.is_minimum else np.inf)
    return replace(best, minima=distinct(results))


def starts(params: Tree, restarts: int, seed: int) -> list[Tree]:
    """The parameters, and others: normally distributed around them, as wide as each is large, and at least 1."""
    numbers, rest = split(as_parameters(params, np.float64))
    rng = np.random.default_rng(seed)
    around = lambda x: np.asarray(x) + np.maximum(np.abs(x), 1.0) * rng.normal(size=np.shape(x))
    return [params, *(join(jax.tree.map(around, numbers), rest) for _ in range(restarts))]


def distinct(results: list[Result]) -> tuple[Minimum, ...]:
    """The minima that descents ended at, the lowest first, each with how many came to it."""
    minima: list[Minimum] = []
    for result in sorted((r for r in results if r.point.is_minimum), key=lambda r: r.point.loss):
        known = next((i for i, minimum in enumerate(minima) if _are_same(minimum, result)), None)
        if known is None:
            minima.append(Minimum(result.params, result.point.loss, 1))
        else:
            minima[known] = replace(minima[known], found=minima[known].found + 1)
    return tuple(minima)


def _are_same(minimum: Minimum, result: Result) -> bool:
    here, there = (flat(split(tree)[0]) for tree in (minimum.params, result.params))
    largest = max(float(np.abs(here).max(initial=0)), 1.0)
    return bool(np.abs(here - there).max(initial=0) <= SAME_MINIMUM * largest)
