"""A trained policy: from an observation to what to do."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from descend.engine.storing import read_arrays, tree_from_arrays, tree_to_arrays, write_arrays
from descend.errors import CheckpointError, InputError
from descend.rl._distributions import within
from descend.rl._moments import Moments, normalized
from descend.rl._network import ActorCritic, Network, acting
from descend.rl.environments import Box, Discrete


@dataclass(frozen=True)
class Policy:
    """What to do after an observation: a function from one to an action, which does what it thinks best.

    `network`: the trained one. `environment`: the name of what it was trained in. `observation_shape`, `actions`: what
    it takes, and what it gives. `moments`: those by which observations are normalized, if they are.

    It is called with one observation, or with several along a further first axis; the action is a whole number, or a
    vector within its bounds, as environments of Gymnasium take it.

    **Raises** `InputError` for observations of another shape.
    """

    network: Network
    environment: str
    observation_shape: tuple[int, ...]
    actions: Discrete | Box
    moments: Moments | None = None

    def __call__(self, observation: Any) -> Any:
        observation = np.asarray(observation)
        shape = observation.shape
        is_one = shape == self.observation_shape
        if not is_one and shape[1:] != self.observation_shape:
            raise InputError(f"the policy of {self.environment} takes observations of shape {self.observation_shape}, "
                             f"but this one has {shape}")
        rows = normalized(self.moments, observation[None] if is_one else observation)
        action = np.asarray(within(self.actions, acting(self.network)(jnp.asarray(rows)).mode()))
        return action[0] if is_one else action

    def save(self, path: str | Path) -> None:
        """Write it to a file of arrays and JSON, whole or not at all.

        **Raises** `InputError` for a network of one's own, which only its own code can build again.
        """
        if not isinstance(self.network, ActorCritic):
            raise InputError(f"only policies of descend's own networks can be saved, but this is a "
                             f"{type(self.network).__name__}: save its arrays, policy.network")
        arrays = tree_to_arrays(self.network, "network") | tree_to_arrays(self.moments, "moments")
        facts = {
            "environment": self.environment,
            "observation_shape": list(self.observation_shape),
            "actions": {"n": self.actions.n} if isinstance(self.actions, Discrete) else vars(self.actions),
            "normalized": self.moments is not None,
        }
        write_arrays(Path(path), arrays, {"policy": facts})

    @classmethod
    def load(cls, path: str | Path) -> "Policy":
        """The policy that `save` wrote.

        **Raises** `CheckpointError` for a file that is damaged, or holds no policy.
        """
        arrays, facts = read_arrays(Path(path))
        if "policy" not in facts:
            raise CheckpointError(f"{path} holds no policy")
        known = facts["policy"]
        shape, actions = tuple(known["observation_shape"]), known["actions"]
        space = Discrete(**actions) if "n" in actions else Box(*(tuple(actions[end]) for end in ("low", "high")))
        network = tree_from_arrays(ActorCritic.drawn(shape, space, 0), arrays, "network")
        moments = Moments.none(shape) if known["normalized"] else None
        return cls(network, known["environment"], shape, space, tree_from_arrays(moments, arrays, "moments"))


def refuse_images(observation_shape: tuple[int, ...]) -> None:
    """Refuse observations that the networks here can make little of."""
    if len(observation_shape) >= 2 and math.prod(observation_shape) >= 1024:
        raise InputError(f"observations of shape {observation_shape} are images, for which a perceptron is no policy: "
                         "give network=, a convolutional one of your own (see descend.rl.Network)")
