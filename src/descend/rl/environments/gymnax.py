"""Environments of the package gymnax, by the contract of this one."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from descend.errors import InputError
from descend.rl.environments._spaces import Box, Discrete

# Steps, of which no episode has so many: gymnax has no way to say that there is no limit.
NO_LIMIT = 2**30


@dataclass(frozen=True, eq=False)
class Gymnax:
    """An environment of gymnax, `Gymnax(*gymnax.make("Breakout-MinAtar"))`.

    `environment`, `parameters`: what `gymnax.make` returns. gymnax counts the steps itself and calls it done when
    there were enough, as if the episode had come to its end; here its limit is taken away and is the `time_limit`, so
    that the two can be told apart. `solved_at`: gymnax knows of none.

    **Raises** `InputError` for what has not got gymnax's functions, and for actions that are neither numbered nor a
    vector.

    Reference: Lange, "gymnax: a JAX-based reinforcement learning environment library", 2022.
    """

    environment: Any
    parameters: Any
    solved_at: float | None = None

    def __post_init__(self) -> None:
        wanted = ("reset_env", "step_env", "action_space", "observation_space")
        missing = [name for name in wanted if not hasattr(self.environment, name)]
        if missing:
            kind = type(self.environment).__name__
            raise InputError(f"{kind} is no environment of gymnax, because it has no {missing[0]}(): give Gymnax both "
                             "things that gymnax.make returns")
        # Actions of a kind that nothing here can choose are refused now, and not when they are first looked at.
        _ = self.actions

    @property
    def name(self) -> str:
        return str(self.environment.name)

    @property
    def time_limit(self) -> int | None:
        limit = getattr(self.parameters, "max_steps_in_episode", None)
        return None if limit is None else int(limit)

    @property
    def observation_shape(self) -> tuple[int, ...]:
        return tuple(self.environment.observation_space(self.parameters).shape)

    @property
    def actions(self) -> Discrete | Box:
        space = self.environment.action_space(self.parameters)
        if hasattr(space, "n"):
            return Discrete(int(space.n))
        if not hasattr(space, "low") or len(space.shape) > 1:
            raise InputError(f"actions of {self.name} are {space}, but must be numbered or a vector within bounds")
        low, high = (np.broadcast_to(np.asarray(end, float), space.shape).ravel() for end in (space.low, space.high))
        return Box(tuple(low.tolist()), tuple(high.tolist()))

    @property
    def _unlimited(self) -> Any:
        if self.time_limit is None:
            return self.parameters
        return dataclasses.replace(self.parameters, max_steps_in_episode=NO_LIMIT)

    def reset(self, key: jax.Array) -> tuple[jax.Array, Any]:
        """gymnax's own state, and what is seen of it: what to see of a state alone differs between its versions."""
        observation, state = self.environment.reset_env(key, self._unlimited)
        return observation, state

    def observe(self, state: tuple[jax.Array, Any]) -> jax.Array:
        """What was seen when the state was made."""
        return state[0]

    def step(self, state: tuple[jax.Array, Any], action: ArrayLike, key: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
        """By gymnax's `step_env`, which does not begin anew."""
        seen, inner, reward, done, _ = self.environment.step_env(key, state[1], action, self._unlimited)
        return (seen, inner), jnp.asarray(reward), jnp.asarray(done)
