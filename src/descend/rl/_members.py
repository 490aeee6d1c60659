"""Policies side by side: sources, losses and rules of one, made those of several along a first axis of all arrays."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from descend._tree import Tree
from descend.optimizers import Modifier, ModifierState
from descend.optimizers._modifier import Own, Wrapped
from descend.optimizers._rule import rule as setting_rule
from descend.rl._rollouts import Cursor, Rollouts
from descend.rl._steps import Rollout
from descend.schedules import fixed, setting
from descend.sources import Plan

# Where a rollout stands, is common to all: if each had its own number for it, each would play a rollout at every step.
EACH: Any = 0
ALONG = Cursor(None, None, EACH, EACH, EACH, EACH, EACH, EACH, EACH)


@setting
class Members:
    """The rollouts of several policies, each as if it were alone with its seed."""

    source: Rollouts
    seeds: tuple[int, ...] = fixed()

    @property
    def identity(self) -> str:
        """What a checkpoint must agree with."""
        return repr(self)

    def init(self, key: jax.Array) -> Cursor:
        """Of each seed; `key` is not needed."""
        keys = jnp.stack([jax.random.key(seed) for seed in self.seeds])
        return jax.vmap(self.source.init, out_axes=ALONG)(keys)

    def draw(self, cursor: Cursor, params: Tree) -> tuple[Rollout, Cursor]:
        """A batch of each."""
        return jax.vmap(self.source.draw, in_axes=(ALONG, 0), out_axes=(0, ALONG))(cursor, params)

    def plan(self, cursor: Cursor, params: Tree) -> Plan:
        """The next draws of each."""
        axes = Plan(1, None, ALONG)
        return jax.vmap(self.source.plan, in_axes=(ALONG, 0), out_axes=axes)(cursor, params)

    def take(self, draw: Any, cursor: Cursor, params: Tree) -> tuple[Rollout, Cursor]:
        """A batch of each."""
        take = jax.vmap(self.source.take, in_axes=(0, ALONG, 0), out_axes=(0, ALONG))
        return take(draw, cursor, params)

    def after(self, cursor: Cursor, draws: jax.Array) -> Cursor:
        """So many batches further."""
        return self.source.after(cursor, draws)


@dataclass(frozen=True)
class SumOverMembers:
    """The sum of the members' losses, whose gradient is each member's own; what they tell is told of each."""

    loss: Any

    def __call__(self, networks: Any, batch: Rollout) -> tuple[Any, dict[str, Any]]:
        values, told = jax.vmap(self.loss)(networks, batch)
        return values.sum(), told


@dataclass(frozen=True)
class SumOverKeepingMembers:
    """The same, of losses that keep a state."""

    loss: Any

    def __call__(self, networks: Any, batch: Rollout, state: Any) -> tuple[Any, Any, dict[str, Any]]:
        values, states, told = jax.vmap(self.loss)(networks, batch, state)
        return values.sum(), states, told


@setting_rule
class EachMember(Modifier):
    """A rule that steps each member as if it were alone, such as by the norm of its own gradient."""

    rule: Wrapped

    def init(self, params: Tree) -> ModifierState:
        return ModifierState(jax.vmap(self.rule.init)(params), {})

    def step(self, grads: Tree, inner: Any, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        step = lambda grads, inner, params, aux: self.rule.update(grads, inner, params, aux=aux)
        updates, inner = jax.vmap(step)(grads, inner, params, extra["aux"])
        return updates, inner, own

    def readings(self, state: ModifierState) -> dict[str, Any]:
        read = jax.vmap(self.rule.readings)(state.rule)
        return read | {"learning_rate": read["learning_rate"][0]}
