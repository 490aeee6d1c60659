"""What an environment is: four functions that JAX can trace."""

from typing import Any, Protocol, runtime_checkable

import jax

from descend._tree import Tree
from descend.rl._types import Array
from descend.rl.environments._spaces import Box, Discrete


@runtime_checkable
class Environment(Protocol):
    """A world with states `s`, in which an action `a` leads to the next state, a reward, and perhaps an end.

        s₀ = reset(key),    o = observe(s),    s′, r, terminated = step(s, a, key)

    The functions are pure and know of one world only; many of them, side by side, are made by `vmap`. `step` never
    begins a new episode, and never ends one for its length: both are done by whoever asks, because a value beyond a
    time limit is not zero, and beyond a termination it is. The environment itself must be hashable, because it is a
    constant of the compiled program; a frozen dataclass is.

    What else there is to know: `name`; `observation_shape`; `actions`, a `Discrete` or a `Box`; `time_limit`, the steps
    after which an episode is cut off, if any; `solved_at`, the mean return at which the task counts as solved, if any.

    >>> from dataclasses import dataclass
    >>> import jax.numpy as jnp
    >>> @dataclass(frozen=True)
    ... class Walk:  # to 5, by steps of one to either side
    ...     name, observation_shape, actions, time_limit, solved_at = "Walk", (1,), Discrete(2), 100, -6.0
    ...     def reset(self, key):
    ...         return jnp.zeros(())
    ...     def observe(self, state):
    ...         return state[None]
    ...     def step(self, state, action, key):
    ...         state = state + 2 * action - 1
    ...         return state, -1.0, state >= 5
    >>> isinstance(Walk(), Environment)
    True
    """

    @property
    def name(self) -> str: ...

    @property
    def observation_shape(self) -> tuple[int, ...]: ...

    @property
    def actions(self) -> Discrete | Box: ...

    @property
    def time_limit(self) -> int | None: ...

    @property
    def solved_at(self) -> float | None: ...

    def reset(self, key: jax.Array) -> Tree:
        """A state to begin in."""

    def observe(self, state: Tree) -> jax.Array:
        """What the agent sees of a state."""

    def step(self, state: Tree, action: Array, key: jax.Array) -> tuple[Tree, Any, Any]:
        """The next state, the reward, and whether the episode has come to its end."""
