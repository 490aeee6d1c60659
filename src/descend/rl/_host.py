"""What is asked of environments that are played on the host, and of what plays them."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from descend.rl._network import Actor, Network
from descend.rl._types import Array
from descend.rl.environments import Box, Discrete


@runtime_checkable
class HostEnvironment(Protocol):
    """What is used of an environment of Gymnasium's: the package itself is an extra, and may not be there."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """What is seen at the beginning of an episode, and notes of the environment's own."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """What is seen after an action, the reward, whether the episode terminated, or was cut off, and notes."""

    def render(self) -> Any:
        """A picture, of one that draws."""

    def close(self) -> None:
        """Let go of windows and the like."""


@runtime_checkable
class HostBackend(Protocol):
    """What rollouts on the host are played by."""

    name: str
    observation_shape: tuple[int, ...]
    actions: Discrete | Box

    def new(self) -> HostEnvironment:
        """A further copy of the environment."""

    def reset(self, environment: HostEnvironment, seed: int | None) -> np.ndarray:
        """What is seen at the beginning of an episode."""

    def step(
        self, environment: HostEnvironment, action: int | np.ndarray, number: int
    ) -> tuple[np.ndarray, float, bool, bool]:
        """What a step leads to: what is seen, the reward, whether the episode terminated, or was cut off.

        **Raises** `InputError` if the environment raises, or shows something of another shape.
        """

    def to_space(self, actions: Array) -> list[int] | np.ndarray:
        """Actions, in rows, as the environments take them."""

    def actor_of(self, network: Network) -> Actor:
        """What a network does, of NumPy's arrays."""
