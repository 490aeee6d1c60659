"""What a training asks of an algorithm: how to play, what to descend on, and by which rule."""

from typing import NamedTuple, Protocol, runtime_checkable

from descend.optimizers import Optimizer
from descend.rl._losses import PolicyLoss


class Passes(NamedTuple):
    """How a rollout is used: so many times, in so many parts, until the policy has moved too far, if that is told."""

    epochs: int = 1
    minibatches: int = 1
    target_kl: float | None = None

    @property
    def updates(self) -> int:
        """How many there are by each rollout."""
        return self.epochs * self.minibatches


@runtime_checkable
class OnPolicyAlgorithm(Protocol):
    """An on-policy algorithm as a training sees it; what the settings mean is told in `descend.rl.Algorithm`.

    An algorithm begins trainings, and so lies above them. A training knows it by this contract alone.
    """

    @property
    def num_envs(self) -> int: ...

    @property
    def num_steps(self) -> int: ...

    @property
    def gamma(self) -> float: ...

    @property
    def gae_lambda(self) -> float: ...

    @property
    def normalize_advantage(self) -> bool: ...

    @property
    def normalize_observations(self) -> bool: ...

    @property
    def normalize_rewards(self) -> bool: ...

    @property
    def passes(self) -> Passes:
        """How a rollout is used."""

    @property
    def loss(self) -> PolicyLoss:
        """What is descended on."""

    @property
    def rule(self) -> Optimizer:
        """What descends."""
