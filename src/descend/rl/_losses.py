"""The losses of policy gradients: of the actor, of the critic, and of certainty."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp

from descend.rl._moments import Moments
from descend.rl._steps import Rollout, Steps

ADVANTAGE_EPS = 1e-8  # beside the spread of advantages
KL_MARGIN = 1.5  # of the KL divergence that is aimed at, as OpenAI's Spinning Up stops at


@dataclass(frozen=True)
class PolicyLoss:
    """The policy's gradient, the critic's squared error, and a bonus for not being certain:

        L = −mean(log π(a|o) Â) + c mean (v(o) − target)² − β mean H(π(·|o))

    `value_coefficient`: c. `entropy`: β. `normalize_advantage`: Â is the advantage minus its mean, divided by its
    spread. `clip`: ε of the clipped surrogate, which is used instead of the first term if it is given; with the ratio
    r = π(a|o) / π_old(a|o) to the policy that took the action:

        −mean min(r Â, clip(r, 1 − ε, 1 + ε) Â)

    `value_clip`: the critic's error is the larger one of v(o) and of v(o) kept within so much of what it was.

    Besides its value, the loss tells of its parts, of `approx_kl`, mean (r − 1 − log r), by which the policy has moved
    (Schulman, "Approximating KL divergence", 2020), and of `clip_fraction`, the share of ratios beyond ε.

    References: Mnih et al., "Asynchronous methods for deep reinforcement learning", arXiv 1602.01783; Schulman et al.,
    "Proximal policy optimization algorithms", arXiv 1707.06347.
    """

    value_coefficient: float = 0.5
    entropy: float = 0.0
    normalize_advantage: bool = True
    clip: float | None = None
    value_clip: float | None = None

    def __call__(self, network: Any, batch: Rollout) -> tuple[Any, dict[str, Any]]:
        steps = batch.steps
        distribution, value = network(steps.observation)
        log_prob = distribution.log_prob(steps.action)
        log_ratio = log_prob - steps.log_prob
        ratio = jnp.exp(log_ratio)
        advantage = self._advantage(steps.advantage)
        each = {
            "policy_loss": -self._gain(advantage, log_prob, ratio),
            "value_loss": self._error(steps, value),
            "entropy": distribution.entropy(),
            "approx_kl": ratio - 1 - log_ratio,
        }
        if self.clip is not None:
            each["clip_fraction"] = (jnp.abs(ratio - 1) > self.clip).astype(jnp.float32)
        # One mean of all, as each by itself would be some more kernels to compile.
        told = dict(zip(each, jnp.stack(list(each.values())).mean(axis=1), strict=True))
        loss = told["policy_loss"] + self.value_coefficient * told["value_loss"] - self.entropy * told["entropy"]
        return loss, told | batch.watch._asdict()

    def _advantage(self, advantage: Any) -> Any:
        if not self.normalize_advantage:
            return advantage
        return (advantage - advantage.mean()) / (advantage.std() + ADVANTAGE_EPS)

    def _gain(self, advantage: Any, log_prob: Any, ratio: Any) -> Any:
        """What is gained by making each action more probable."""
        if self.clip is None:
            return log_prob * advantage
        # The smaller product, chosen by its factor: a choice has a simpler derivative than a minimum.
        end = jnp.where(advantage > 0, 1 + self.clip, 1 - self.clip)
        is_within = (advantage > 0) == (ratio < end)
        return jnp.where(is_within, ratio, end) * advantage

    def _error(self, steps: Steps, value: Any) -> Any:
        error = (value - steps.target) ** 2
        if self.value_clip is not None:
            kept = steps.value + jnp.clip(value - steps.value, -self.value_clip, self.value_clip)
            error = jnp.maximum(error, (kept - steps.target) ** 2)
        return error


class LossState(NamedTuple):
    """What is kept beside the network from step to step.

    `moments`: those by which it is given its observations. `is_beyond`: whether it has moved too far for this rollout.
    """

    moments: Moments | None
    is_beyond: Any


@dataclass(frozen=True)
class StatefulPolicyLoss:
    """A loss that keeps the moments of the observations for the policy, and tells which steps to pass over.

    `target_kl`: once the policy has moved by half more than this, the rest of the rollout is passed over.
    """

    loss: PolicyLoss
    target_kl: float | None = None

    # Checkpoints tell of the loss by its repr, and go on with no other: this is the name that they know.
    def __repr__(self) -> str:
        return f"Keeping(loss={self.loss!r}, target_kl={self.target_kl!r})"

    def __call__(self, network: Any, batch: Rollout, state: LossState) -> tuple[Any, LossState, dict[str, Any]]:
        value, told = self.loss(network, batch)
        if self.target_kl is None:
            return value, LossState(batch.moments, None), told
        is_beyond = state.is_beyond & ~batch.is_first | (told["approx_kl"] > KL_MARGIN * self.target_kl)
        return value, LossState(batch.moments, is_beyond), told | {"passed_over": is_beyond}
