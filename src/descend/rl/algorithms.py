"""Algorithms that improve a policy by what it does itself: PPO, A2C and REINFORCE."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax

from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.observers import Observer
from descend.optimizers import Adam, ClipByNorm, Optimizer, RMSprop
from descend.rl._algorithm import Passes
from descend.rl._losses import PolicyLoss
from descend.rl._network import Network
from descend.rl._population import train_population
from descend.rl._result import Result
from descend.rl._settings import refuse_settings
from descend.rl._training import Training
from descend.rl._tuned import TUNED
from descend.rl.backends import EnvironmentLike, JaxBackend
from descend.schedules import Polynomial, Rate, Schedule
from descend.training import Trainer


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """What all on-policy algorithms share: play, estimate advantages, step.

    - `num_envs`, `num_steps`: environments side by side, and how far each is taken between two improvements.
    - `gamma`, `gae_lambda`: the discount γ, and λ of the advantages.
    - `learning_rate`: a number, or a schedule over the updates; `Polynomial(η)` falls to nothing at the end.
    - `max_grad_norm`: what the gradient's norm is cut down to.
    - `entropy`, `value_coefficient`: how much certainty costs, and the critic's error counts.
    - `normalize_advantage`: to mean 0 and spread 1, in each batch. `normalize_observations`, `normalize_rewards`: by
      running means and variances of what was seen, and of discounted rewards.
    """

    num_envs: int
    num_steps: int
    gamma: float = 0.99
    gae_lambda: float = 0.95
    learning_rate: Rate | Schedule = 3e-4
    max_grad_norm: float | None = 0.5
    entropy: float = 0.0
    value_coefficient: float = 0.5
    normalize_advantage: bool = True
    normalize_observations: bool = False
    normalize_rewards: bool = False

    def __post_init__(self) -> None:
        refuse_settings(self)

    @property
    def passes(self) -> Passes:
        """How a rollout is used."""
        return Passes()

    @property
    def loss(self) -> PolicyLoss:
        """What is descended on."""
        return PolicyLoss(self.value_coefficient, self.entropy, self.normalize_advantage)

    @property
    def rule(self) -> Optimizer:
        """What descends."""
        # Adam's usual ε of 1e-8 would make steps of full length of the smallest gradients, such as those of the actor's
        # hidden layers, which come through a last layer with weights of about .01.
        return self._clipped(Adam(self.learning_rate, eps=1e-5))

    def _clipped(self, rule: Optimizer) -> Optimizer:
        return rule if self.max_grad_norm is None else ClipByNorm(rule, self.max_grad_norm)

    @classmethod
    def tuned(cls, environment: str, **settings: Any) -> "Algorithm":
        """The algorithm with what is known to suit an environment, by its id; all of it is in one table, `TUNED`."""
        return cls(**{**TUNED.get(cls.__name__, {}).get(environment, {}), **settings})

    def train(
        self,
        environment: EnvironmentLike,
        *,
        steps: int | None = None,
        seconds: float | None = None,
        seed: int = 0,
        seeds: Sequence[int] | None = None,
        stop: str | None = "solved",
        evaluate_every: int | None = None,
        network: Network | None = None,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
        resume: bool = False,
    ) -> Result:
        """Train a policy.

        - `environment`: an id, such as `"CartPole-v1"`; an `Environment` of one's own; or a function without arguments
          that makes an environment of Gymnasium. Ids that are known to `descend.rl.environments` are played in JAX.
        - `steps`: in the environment, all copies of it together, rounded up to whole rollouts; by default one million,
          or what `BUDGETS` has for it. `seconds`: of training. The first to be spent ends it.
        - `seed`: of all that is random. `seeds`: train a policy for each of them, as if it were alone, side by
          side (JAX only); each has a checkpoint of its own, by its number.
        - `stop`: `"solved"`: when the mean return over 100 episodes is above the environment's own threshold, if it has
          one, by two standard errors, so that it is likely to be above it over other episodes, too. `None`: on the
          budget alone.
        - `evaluate_every`: steps between two evaluations, by default a thirtieth of the budget. Each is of 100
          episodes; in environments of Gymnasium of fewer, where these are clearly below the threshold, and of 10, where
          there is none.
        - `network`: a network of one's own; else an actor and a critic of 64 and 64 units each.
        - `observers`, `checkpoint`, `resume`: as in `minimize`. What is played in JAX goes on bit for bit; environments
          of Gymnasium begin anew when a training is resumed, because they cannot be saved.

        **Raises** `InputError` for an unknown id, for environments that return what is not finite, change the shape of
        their observations or raise, and for settings that do not fit.
        """
        if stop not in ("solved", None):
            raise InputError(f"stop must be 'solved' or None, but is {stop!r}")
        if evaluate_every is not None and evaluate_every < 1:
            raise InputError(f"evaluate_every must be at least 1 step, but is {evaluate_every}")
        training = Training.of(self, environment, network, seed)
        train = training if seeds is None else partial(train_population, training, seeds)
        with jax.enable_x64(False):  # rollouts and environments are written in 32 bits
            return train(
                steps=steps, seconds=seconds, solved=stop == "solved", evaluate_every=evaluate_every,
                observers=observers, checkpoint=checkpoint, resume=resume,
            )  # fmt: skip

    def begun(
        self,
        environment: EnvironmentLike,
        *,
        steps: int | None = None,
        seed: int = 0,
        checkpoint: str | Path | Checkpoint | None = None,
    ) -> tuple[Trainer, Callable[..., float]]:
        """The training that `train` makes, before its first step, or where the `checkpoint` stands; and what judges it:
        minus the mean return of 100 episodes, always the same ones. Both are what `descend.insight.examine` takes.

        **Raises** `InputError` for an environment of Gymnasium, whose own state is in no run.
        """
        training = Training.of(self, environment, None, seed)
        if not isinstance(training.backend, JaxBackend):
            training.backend.close()
            raise InputError(f"{training.backend.name} is played by Gymnasium, whose own state is in no run: a "
                             "training in it cannot be replayed")
        with jax.enable_x64(False):
            resume = checkpoint is not None
            return training.begin(steps, None, True, None, checkpoint=checkpoint, resume=resume), training.judged


@dataclass(frozen=True, kw_only=True)
class PPO(Algorithm):
    """Proximal policy optimisation: several epochs over each rollout, by a loss that gains nothing from moving the
    policy too far.

        L = −mean min(r Â, clip(r, 1 − ε, 1 + ε) Â) + c mean (v(o) − target)² − β mean H(π(·|o))

    with the ratio r = π(a|o) / π_old(a|o) and generalised advantage estimates Â.

    Besides the settings that all algorithms share:

    - `epochs`, `minibatches`: how often a rollout is passed through, and in how many parts.
    - `clip`: ε. `value_clip`: how far the critic's estimate may gain from moving, `None` for any.
    - `target_kl`: once the policy has moved by half more than this, the rest of the rollout is passed over.

    >>> from descend.rl import PPO
    >>> result = PPO(num_envs=4, num_steps=64).train("CartPole-v1", steps=512, stop=None)
    >>> result.reason.name, result.environment_steps, result.returns.shape
    ('budget', 512, (100,))

    References: Schulman et al., "Proximal policy optimization algorithms", arXiv 1707.06347; Huang et al., "The 37
    implementation details of proximal policy optimization", 2022, whose details for vectors of numbers are these:
    environments side by side, orthogonal weights, Adam's ε of 1e-5, an annealed rate, generalised advantages,
    minibatches, normalised advantages, the clipped surrogate, value clipping, entropy, a common loss whose gradient's
    norm is clipped, separate networks, a spread that no observation changes, clipped actions, normalised observations
    and rewards.
    """

    num_envs: int = 8
    num_steps: int = 128
    epochs: int = 10
    minibatches: int = 4
    clip: float = 0.2
    value_clip: float | None = None
    target_kl: float | None = None
    learning_rate: Rate | Schedule = dataclasses.field(default_factory=lambda: Polynomial(1e-3))

    @property
    def passes(self) -> Passes:
        return Passes(self.epochs, self.minibatches, self.target_kl)

    @property
    def loss(self) -> PolicyLoss:
        return dataclasses.replace(super().loss, clip=self.clip, value_clip=self.value_clip)


@dataclass(frozen=True, kw_only=True)
class A2C(Algorithm):
    """Advantage actor-critic: one step by each short rollout, which is then thrown away.

        L = −mean log π(a|o) Â + c mean (v(o) − target)² − β mean H(π(·|o))

    The rule is RMSprop, as in the paper, whose many workers are environments side by side here.

    >>> from descend.rl import A2C
    >>> A2C(num_envs=4).train("CartPole-v1", steps=100, stop=None).environment_steps
    100

    Reference: Mnih et al., "Asynchronous methods for deep reinforcement learning", arXiv 1602.01783.
    """

    num_envs: int = 8
    num_steps: int = 5
    gae_lambda: float = 1.0
    learning_rate: Rate | Schedule = dataclasses.field(default_factory=lambda: Polynomial(7e-4))
    normalize_advantage: bool = False

    # The paper adds ε below the root, as TensorFlow does; here it is beside the root, as in PyTorch. At 1e-5, the one
    # shortens the steps of gradients below .003, and the other of those below .00001.
    @property
    def rule(self) -> Optimizer:
        return self._clipped(RMSprop(self.learning_rate, eps=1e-5))


@dataclass(frozen=True, kw_only=True)
class Reinforce(Algorithm):
    """REINFORCE with a learned baseline: the policy's gradient by whole returns.

        L = −mean log π(a|o) (G − v(o)) + c mean (v(o) − G)² − β mean H(π(·|o))

    G is the discounted sum of the rewards to the end of the episode; of an episode that the end of a long rollout cuts
    off, the baseline stands for the rest.

    >>> from descend.rl import Reinforce
    >>> Reinforce(num_envs=2, num_steps=50).train("CartPole-v1", steps=100, stop=None).reason.name
    'budget'

    Reference: Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
    1992.
    """

    num_envs: int = 8
    num_steps: int = 200
    gae_lambda: float = 1.0
    learning_rate: Rate | Schedule = dataclasses.field(default_factory=lambda: Polynomial(5e-3))


# By the names that commands have for them.
ALGORITHMS: dict[str, type[Algorithm]] = {"ppo": PPO, "a2c": A2C, "reinforce": Reinforce}
