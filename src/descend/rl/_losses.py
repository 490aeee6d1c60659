"""The losses of policy gradients: of the actor, of the critic, and of certainty."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from descend.rl._moments import Moments
from descend.rl._network import Network
from descend.rl._steps import Rollout, Steps
from descend.rl._types import Array

# Beside the spread of advantages, which may all be alike.
ADVANTAGE_EPS = 1e-8
# How many times the KL divergence that is aimed at ends the use of a rollout, as in OpenAI's Spinning Up.
KL_MARGIN = 1.5


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

    def __call__(self, network: Network, batch: Rollout) -> tuple[jax.Array, dict[str, Any]]:
        # 1. What the policy says now of the actions that were taken, and the critic of the observations.
        steps = batch.steps
        distribution, value = network(steps.observation)
        log_prob = distribution.log_prob(steps.action)
        # 2. How much more probable each action has become. As the exponential of a difference: probabilities of vectors
        #    are so small that their quotient would be 0 / 0.
        log_ratio = log_prob - steps.log_prob
        ratio = jnp.exp(log_ratio)
        # 3. Normalised in each batch, as PPO's authors' code does; the paper does not speak of it.
        advantage = self._advantage(steps.advantage)
        # 4. The parts of the loss, and `approx_kl` by an estimate that has no bias and is never negative: the obvious
        #    one, −log r, is negative for half of the steps.
        each = {
            "policy_loss": -self._gain(advantage, log_prob, ratio),
            "value_loss": self._error(steps, value),
            "entropy": distribution.entropy(),
            "approx_kl": ratio - 1 - log_ratio,
        }
        if self.clip is not None:
            each["clip_fraction"] = (jnp.abs(ratio - 1) > self.clip).astype(jnp.float32)
        # 5. One mean of all, as each by itself would be some more kernels to compile.
        told = dict(zip(each, jnp.stack(list(each.values())).mean(axis=1), strict=True))
        loss = told["policy_loss"] + self.value_coefficient * told["value_loss"] - self.entropy * told["entropy"]
        return loss, told | batch.watch._asdict()

    def _advantage(self, advantage: Array) -> Array:
        if not self.normalize_advantage:
            return advantage
        return (advantage - advantage.mean()) / (advantage.std() + ADVANTAGE_EPS)

    def _gain(self, advantage: Array, log_prob: Array, ratio: Array) -> Array:
        """What is gained by making each action more probable."""
        if self.clip is None:
            return log_prob * advantage
        # A good action gains nothing above 1 + ε, and a bad one nothing below 1 − ε. The other way both keep their full
        # gradient: what was made worse than it was may always be mended.
        # The smaller product, chosen by its factor: a choice has a simpler derivative than a minimum.
        end = jnp.where(advantage > 0, 1 + self.clip, 1 - self.clip)
        is_within = (advantage > 0) == (ratio < end)
        return jnp.where(is_within, ratio, end) * advantage

    def _error(self, steps: Steps, value: Array) -> Array:
        error: Array = (value - steps.target) ** 2
        # In PPO's first implementation, and not in the paper. Engstrom et al., arXiv 2005.12729, count it among what
        # makes that code good; Andrychowicz et al., arXiv 2006.05990, found that it harms. So it is off unless asked
        # for.
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

    def __call__(self, network: Network, batch: Rollout, state: LossState) -> tuple[Any, LossState, dict[str, Any]]:
        # The moments are the batch's own: they go with the policy because whoever uses it later must use them, too.
        value, told = self.loss(network, batch)
        if self.target_kl is None:
            return value, LossState(batch.moments, None), told
        # Once beyond, the rest of the rollout is not learned from, whatever a later batch of it measures: it is of
        # another policy. The first batch of the next one begins anew.
        is_beyond = state.is_beyond & ~batch.is_first | (told["approx_kl"] > KL_MARGIN * self.target_kl)
        return value, LossState(batch.moments, is_beyond), told | {"passed_over": is_beyond}
