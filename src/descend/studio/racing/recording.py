"""What is read out of a ball's run at each step besides its loss: where it is, and what its rule divides by."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._tree import Tree
from descend.optimizers import Modifier, ModifierState, Optimizer
from descend.schedules import setting

# Columns of the trace, under names that no rule and hardly a loss has.
POINT, DIVISOR = "ball/point", "ball/divisor"


@setting
class Recorded(Modifier):
    """A rule that reads out, each as one vector, where a step begins, and what that divides by, D: NaN where the rule
    does not say so."""

    rule: Optimizer
    needs_params = True

    def own_start(self, params: Tree) -> dict[str, Any]:
        zeros = np.concatenate([np.zeros_like(leaf).ravel() for leaf in jax.tree.leaves(params)])
        return {POINT: zeros, DIVISOR: zeros}

    def step(
        self, grads: Tree, inner: Tree, own: dict[str, Any], params: Tree, extra: dict[str, Any]
    ) -> tuple[Tree, Any, dict[str, Any]]:
        updates, inner = self.rule.update(grads, inner, params, **extra)
        divisor, point = self.rule.preconditioner(inner, params), _vector(params)
        # Of a rule that has others for some of the parameters, not all divide.
        structures: list[Any] = [jax.tree.structure(tree) for tree in (divisor, params)]
        is_told = structures[0] == structures[1]
        return updates, inner, {POINT: point, DIVISOR: _vector(divisor) if is_told else jnp.full_like(point, jnp.nan)}

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        return {**self.rule.metrics(state.rule), **state.own}


def recorded(rule: Optimizer) -> Optimizer:
    """A rule that is `Recorded`; one that solves equations takes no modifier, and its positions are watched instead."""
    return rule if rule.solves_equations else Recorded(rule)


def points_of(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Where the steps of a run begin, of its trace."""
    return columns[POINT if POINT in columns else "params"]


def divisors_of(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the steps divide by, and 1 where they do not say so."""
    divisors = columns.get(DIVISOR, np.ones_like(points_of(columns)))
    return np.where(np.isnan(divisors), 1.0, divisors)


def _vector(tree: Tree) -> jax.Array:
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])
