"""A trained policy: from an observation to what to do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from descend._facts import Facts, checked_array, refuse_nonfinite, refuse_other_size
from descend._jax_file import write_jax
from descend._tree import join, split
from descend.engine.storing import read_arrays, tree_from_arrays, tree_to_arrays, write_arrays
from descend.errors import CheckpointError, InputError
from descend.rl._distributions import environment_action
from descend.rl._moments import Moments, normalized
from descend.rl._network import ActorCritic, Network, actor_of
from descend.rl.environments import Box, Discrete

# Observations that an export is checked on.
DRAWN = 256


@dataclass(frozen=True)
class Policy:
    """What to do after an observation: a function from one to an action, which does what it thinks best.

    `network`: the trained one. `environment`: the name of what it was trained in. `observation_shape`, `actions`: what
    it takes, and what it gives. `moments`: those by which observations are normalized, if they are. `origin`: the
    environment, or the function that makes it, if it has no id; it is in no file.

    It is called with one observation, or with several along a further first axis; the action is a whole number, or a
    vector within its bounds, as environments of Gymnasium take it.

    **Raises** `InputError` for observations of another shape.
    """

    network: Network
    environment: str
    observation_shape: tuple[int, ...]
    actions: Discrete | Box
    moments: Moments | None = None
    origin: Any = field(default=None, repr=False, compare=False)

    def __call__(self, observation: ArrayLike | Sequence[Any]) -> Any:
        observation = np.asarray(observation)
        shape = observation.shape
        is_one = shape == self.observation_shape
        if not is_one and shape[1:] != self.observation_shape:
            raise InputError(f"the policy of {self.environment} takes observations of shape {self.observation_shape}, "
                             f"but this one has {shape}")
        rows = normalized(self.moments, observation[None] if is_one else observation)
        action = np.asarray(self._after(jnp.asarray(rows)))
        return action[0] if is_one else action

    def _after(self, normal: Any) -> Any:
        """What to do after each observation, which is normalized."""
        return environment_action(self.actions, actor_of(self.network)(normal).mode())

    def to_jax(self, path: str | Path) -> None:
        """Write it to a file whose name ends with `.jax`, which JAX runs without `descend`, on CPUs, GPUs and TPUs:
        `jax.export.deserialize(bytearray(Path("policy.jax").read_bytes())).call(observations)`.

        Of observations `(count, *observation_shape)` in single precision it gives the actions, as a call does. Before
        it is written, it is read back, and must do the same after drawn observations.

        **Raises** `InputError` where it does not, and where it cannot be written.
        """
        drawn = np.random.default_rng(0).normal(size=(DRAWN, *self.observation_shape)).astype(np.float32)
        if self.moments is not None:
            drawn = np.asarray(drawn * np.sqrt(self.moments.variance) + self.moments.mean, np.float32)
        write_jax(lambda rows: self._after(normalized(self.moments, rows)), path, drawn, self(drawn))

    def save(self, path: str | Path) -> None:
        """Write it to a file of arrays and JSON, whole or not at all; of a network of one's own, its arrays."""
        numbers, _ = split(self.network)
        arrays = tree_to_arrays(numbers, "network") | tree_to_arrays(self.moments, "moments")
        facts = {
            "own": not isinstance(self.network, ActorCritic),
            "environment": self.environment,
            "observation_shape": list(self.observation_shape),
            "actions": {"n": self.actions.n} if isinstance(self.actions, Discrete) else vars(self.actions),
            "normalized": self.moments is not None,
        }
        write_arrays(Path(path), arrays, {"policy": facts})

    @classmethod
    def load(cls, path: str | Path, network: Network | None = None) -> "Policy":
        """The policy that `save` wrote; `network`: for one of one's own, a network like it, whose arrays are replaced.

        Nothing is imported or made that the file names.

        **Raises** `CheckpointError` for a file that is damaged, or holds no policy; `InputError` for a policy of a
        network of one's own without that.
        """
        arrays, facts = read_arrays(Path(path))
        if "policy" not in facts:
            raise CheckpointError(f"{path} holds no policy")
        told = Facts(facts["policy"], str(path))
        refuse_nonfinite(arrays, str(path))
        shape, actions = told.wholes("observation_shape"), _actions_in(told.inner("actions"))
        # Files that were written before a network could be one's own do not tell.
        own = "own" in facts["policy"] and told.truth("own")
        if own != (network is not None):
            hint = "give network=, one like that which was trained" if own else "leave out network="
            whose = "a network of one's own" if own else "a network of descend's"
            raise InputError(f"{path} holds a policy of {whose}: {hint}")
        # The size is compared with the file before a network of that size is made: a file of anybody's may ask for any.
        if network is None:
            refuse_other_size(arrays, "network", ActorCritic.size(shape, actions), str(path))
            network = ActorCritic.drawn(shape, actions, 0)
        numbers, rest = split(network)
        loaded = join(tree_from_arrays(numbers, arrays, "network"), rest)
        return cls(loaded, told.text("environment"), shape, actions, _moments_in(told, arrays, shape))


def _actions_in(told: Facts) -> Discrete | Box:
    """The actions that a file tells of."""
    if told.has("n"):
        return Discrete(told.whole("n", 1))
    low, high = told.numbers("low"), told.numbers("high")
    if len(low) != len(high) or any(a > b for a, b in zip(low, high, strict=True)):
        told.refuse("high", "as many numbers as low, and none less", high)
    return Box(low, high)


def _moments_in(told: Facts, arrays: dict[str, np.ndarray], shape: tuple[int, ...]) -> Moments | None:
    """The moments of observations in a file, if there are any."""
    if not told.truth("normalized"):
        return None
    for name, size in (("mean", shape), ("variance", shape), ("count", ())):
        numbers = checked_array(arrays, f"moments/{name}", told.where, size, "f")
        if name != "mean" and (numbers < 0).any():
            told.refuse(name, "at least 0", numbers)
    return tree_from_arrays(Moments.none(shape), arrays, "moments")


def refuse_images(observation_shape: tuple[int, ...]) -> None:
    """Refuse observations that the networks here can make little of."""
    if len(observation_shape) >= 2 and math.prod(observation_shape) >= 1024:
        raise InputError(f"observations of shape {observation_shape} are images, for which a perceptron is no policy: "
                         "give network=, a convolutional one of your own (see descend.rl.Network)")
