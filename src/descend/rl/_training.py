"""From an algorithm and an environment to a trained policy, by a `Trainer`."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._tree import Tree
from descend.engine.run import Run
from descend.errors import InputError
from descend.optimizers import Optimizer
from descend.rl._algorithm import OnPolicyAlgorithm
from descend.rl._losses import LossState, PolicyLoss, StatefulPolicyLoss
from descend.rl._moments import Moments
from descend.rl._network import ActorCritic, Network
from descend.rl._result import Result
from descend.rl._skipped_updates import SkipUpdate
from descend.rl._tuned import BUDGETS, DEFAULT_BUDGET
from descend.rl.backends import EnvironmentBackend, EnvironmentLike, JaxBackend, backend_for
from descend.rl.evaluation import MAX_REWARD, Episodes
from descend.rl.policy import Policy, refuse_images
from descend.stopping import Target
from descend.training import Result as Descended
from descend.training import Trainer

# Within the budget, where nobody says how often.
EVALUATIONS_PER_TRAINING = 30
# Evaluations on the way and the last one are of other episodes: the policy is chosen by the first ones, and what it is
# said to earn is to be of episodes that it was not chosen by.
VALIDATION_SEED, FINAL_SEED = 1, 2
# Standard errors that a return must be above a threshold by.
# One of thirty evaluations is easily lucky, and it is the first lucky one that would count.
SURE_ERRORS = 2.0


@dataclass(frozen=True)
class Training:
    """An algorithm in an environment, with a network of one's own, if there is one."""

    algorithm: OnPolicyAlgorithm
    backend: EnvironmentBackend
    network: Network | None
    seed: int

    @classmethod
    def of(
        cls, algorithm: OnPolicyAlgorithm, environment: EnvironmentLike, network: Network | None, seed: int
    ) -> "Training":
        """The training that was asked for, if it can be made."""
        backend = backend_for(environment)
        if network is None:
            refuse_images(backend.observation_shape)
        return cls(algorithm, backend, network, seed)

    def __call__(self, **asked: Any) -> Result:
        """Train, and evaluate what came of it."""
        try:
            return self.finish(self.begin(**asked), Trainer.to_the_end)
        finally:
            self.backend.close()

    def begin(
        self, steps: int | None, seconds: float | None, solved: bool, evaluate_every: int | None, **settings: Any
    ) -> Trainer:
        """Before the first step."""
        for name, value in (("steps", steps), ("seconds", seconds)):
            if value is not None and not value > 0:
                raise InputError(f"{name} must be more than 0, but is {value:g}")
        chosen, limit = self.algorithm, self.backend.solved_at
        rollouts = self.backend.source(
            gamma=chosen.gamma, gae_lambda=chosen.gae_lambda, num_envs=chosen.num_envs, num_steps=chosen.num_steps,
            epochs=chosen.passes.epochs, minibatches=chosen.passes.minibatches,
            normalize_observations=chosen.normalize_observations, normalize_rewards=chosen.normalize_rewards,
        )  # fmt: skip
        budget = BUDGETS.get(self.backend.name, DEFAULT_BUDGET) if steps is None else steps
        often = math.ceil(budget / EVALUATIONS_PER_TRAINING) if evaluate_every is None else evaluate_every
        # The engine counts updates of the network, and people steps in the environment; rollouts are not divided.
        updates = lambda steps: math.ceil(steps / rollouts.size) * rollouts.draws
        return Trainer.begin(
            self._loss(),
            self._network(),
            rollouts,
            state=self._loss_state(),
            optimizer=self._rule(),
            steps=updates(budget),
            seconds=seconds,
            stop=[] if limit is None or not solved else Target("sure_return", at_least=limit),
            validation=self._validation,
            validate_every=updates(often),
            seed=self.seed,
            **settings,
        )

    def judged(self, network: Network, state: LossState | None = None) -> float:
        """What is validated by: the mean return, negative, of episodes that are always the same ones."""
        return -float(self._evaluated(network, state, VALIDATION_SEED).returns.mean())

    def finish(self, trainer: Trainer, drive: Callable[[Trainer], Descended]) -> Result:
        """What came of it, after `drive` has taken it to its end."""
        before = trainer.run
        source: Any = before.descent.source
        try:
            return self._result(drive(trainer), source.size)
        except InputError:  # of a loss that is not finite, for which an environment may be to blame
            self._refuse_nonfinite(before)
            raise
        finally:
            source.close()

    def _network(self) -> Network:
        if self.network is not None:
            return self.network
        return ActorCritic.drawn(self.backend.observation_shape, self.backend.actions, self.seed)

    @property
    def _has_loss_state(self) -> bool:
        """Whether the loss keeps a state."""
        return self.algorithm.normalize_observations or self.algorithm.passes.target_kl is not None

    def _loss_state(self) -> LossState | None:
        if not self._has_loss_state:
            return None
        moments = Moments.none(self.backend.observation_shape) if self.algorithm.normalize_observations else None
        return LossState(moments, None if self.algorithm.passes.target_kl is None else jnp.bool_(False))

    def _loss(self) -> PolicyLoss | StatefulPolicyLoss:
        if not self._has_loss_state:
            return self.algorithm.loss
        return StatefulPolicyLoss(self.algorithm.loss, self.algorithm.passes.target_kl)

    def _rule(self) -> Optimizer:
        rule = self.algorithm.rule
        return rule if self.algorithm.passes.target_kl is None else SkipUpdate(rule)

    def _evaluated(self, network: Network, state: LossState | None, purpose: int) -> Episodes:
        moments = None if state is None else state.moments
        seed = int(np.random.SeedSequence([self.seed, purpose]).generate_state(1)[0])
        return self.backend.evaluate(network, moments, seed, purpose == FINAL_SEED)

    def _validation(self, network: Network, state: LossState | None = None) -> tuple[float, dict[str, float]]:
        """What is validated by: the mean return, negative."""
        returns, lengths, _ = self._evaluated(network, state, VALIDATION_SEED)
        # The engine keeps the parameters with the lowest validation, and stops by what is recorded beside it.
        mean = float(returns.mean())
        sure = mean - SURE_ERRORS * float(returns.std()) / math.sqrt(len(returns))
        return -mean, {"return": mean, "sure_return": sure, "length": float(lengths.mean()),
                       "episodes": float(len(returns))}

    def _refuse_nonfinite(self, run: Run) -> None:
        """Refuse an environment that returns what is not finite to a network whose weights are."""
        if isinstance(self.backend, JaxBackend) and _is_finite(run.params):
            # The rollout that the descent ended at is played once more: it is a function of the cursor and the network.
            source: Any = run.descent.source
            steps = source.draw(run.state.cursor, run.params)[0].steps
            for what, part in (("an observation", steps.observation), ("a reward", steps.advantage)):
                if not _is_finite(part):
                    made = int(run.state.cursor.iteration) * self.algorithm.num_steps
                    raise InputError(f"{self.backend.name} returned {what} that is not finite, after at least "
                                     f"{made} steps in each environment")
            if (largest := float(jnp.abs(steps.advantage).max())) > MAX_REWARD:
                raise InputError(f"{self.backend.name} returned rewards of the size of {largest:.0e}, beyond "
                                 f"±{MAX_REWARD:g}: divide them, as they are squared")

    def _result(self, fit: Descended, size: int) -> Result:
        if fit.reason.name == "diverged":
            self._refuse_nonfinite(fit.run)
        made = int(fit.run.state.cursor.iteration) * size
        reason = fit.reason
        if reason.name == "budget" and reason.evidence.endswith("were made"):
            reason = dataclasses.replace(reason, evidence=f"{made:,} steps in the environment were made")
        moments = None if fit.state is None else fit.state.moments
        backend = self.backend
        policy = Policy(fit.params, backend.name, backend.observation_shape, backend.actions, moments, backend.origin)
        last = self._evaluated(fit.params, fit.state, FINAL_SEED)
        return Result((policy,), last.returns, reason, fit.history, fit.run, fit.seconds, made, cut_off=last.cut_off)


def _is_finite(tree: Tree) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))
