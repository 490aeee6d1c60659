"""From an algorithm and an environment to a trained policy, by `minimize`."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend.errors import InputError
from descend.minimize import minimize
from descend.optimizers import Optimizer
from descend.rl._evaluation import Episodes
from descend.rl._losses import Keeping, Kept
from descend.rl._members import EachMember, Members, SumOverKeepingMembers, SumOverMembers
from descend.rl._moments import Moments
from descend.rl._network import ActorCritic
from descend.rl._pass_over import PassOver
from descend.rl._result import Result
from descend.rl._tuned import BUDGETS, STEPS
from descend.rl._worlds import Compiled, World, found
from descend.rl.policy import Policy, refuse_images
from descend.stopping import Target
from descend.training import Result as Descended

EVALUATIONS = 30  # within the budget
ON_THE_WAY, AT_THE_END = 1, 2  # of which evaluation what is random is: nothing is chosen by the last
SURE = 2.0  # standard errors: one of thirty evaluations is easily lucky, and it is the first lucky one that would count


@dataclass(frozen=True)
class Training:
    """An algorithm (`descend.rl.algorithms`) in a world, with a network of one's own, if there is one.

    `seeds`: those of the members that are trained side by side, or `None`.
    """

    algorithm: Any
    world: World
    network: Any
    seed: int
    seeds: tuple[int, ...] | None

    @classmethod
    def of(cls, algorithm: Any, environment: Any, network: Any, seed: int, seeds: Sequence[int] | None) -> "Training":
        """The training that was asked for, if it can be made."""
        world = found(environment)
        if network is None:
            refuse_images(world.observation_shape)
        if seeds is None:
            return cls(algorithm, world, network, seed, None)
        members = tuple(int(member) for member in seeds)
        if not members or len(set(members)) < len(members):
            raise InputError(f"seeds must be different from each other, and at least one, but are {list(members)}")
        if not isinstance(world, Compiled):
            raise InputError(f"{world.name} is played on the host, where policies cannot be trained side by side: "
                             "train one seed after the other, seed=")
        if network is not None:
            raise InputError("network= is given, but several seeds need a network of each: train one after the other")
        return cls(algorithm, world, None, members[0], members)

    def __call__(
        self, steps: int | None, seconds: float | None, solved: bool, evaluate_every: int | None, **settings: Any
    ) -> Result:
        """Train, and evaluate what came of it."""
        for name, value in (("steps", steps), ("seconds", seconds)):
            if value is not None and not value > 0:
                raise InputError(f"{name} must be more than 0, but is {value:g}")
        chosen, limit = self.algorithm, self.world.solved_at
        rollouts = self.world.source(
            gamma=chosen.gamma, gae_lambda=chosen.gae_lambda, num_envs=chosen.num_envs, num_steps=chosen.num_steps,
            epochs=chosen.passes.epochs, minibatches=chosen.passes.minibatches,
            normalize_observations=chosen.normalize_observations, normalize_rewards=chosen.normalize_rewards,
        )  # fmt: skip
        budget = BUDGETS.get(self.world.name, STEPS) if steps is None else steps
        often = math.ceil(budget / EVALUATIONS) if evaluate_every is None else evaluate_every
        updates = lambda steps: math.ceil(steps / rollouts.size) * rollouts.draws
        source = rollouts if self.seeds is None else Members(rollouts, self.seeds)
        network = self._network()
        try:
            fit = minimize(
                self._loss(),
                network,
                source,
                state=self._kept(),
                optimizer=self._rule(),
                steps=updates(budget),
                seconds=seconds,
                stop=[] if limit is None or not solved else Target("sure_return", at_least=limit),
                validation=self._validation,
                validate_every=updates(often),
                seed=self.seed,
                **settings,
            )
            return self._result(fit, source, rollouts.size)
        except InputError:  # of a loss that is not finite, for which an environment may be to blame
            self._refuse_nonfinite(source, source.init(jax.random.key(self.seed)), network)
            raise
        finally:
            rollouts.close()
            self.world.close()

    def _network(self) -> Any:
        if self.network is not None:
            return self.network
        drawn = lambda seed: ActorCritic.drawn(self.world.observation_shape, self.world.actions, seed)
        if self.seeds is None:
            return drawn(self.seed)
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(drawn, self.seeds))

    @property
    def _keeps(self) -> bool:
        """Whether the loss keeps a state."""
        return self.algorithm.normalize_observations or self.algorithm.passes.target_kl is not None

    def _kept(self) -> Kept | None:
        if not self._keeps:
            return None
        moments = Moments.none(self.world.observation_shape) if self.algorithm.normalize_observations else None
        kept = Kept(moments, None if self.algorithm.passes.target_kl is None else jnp.bool_(False))
        count = None if self.seeds is None else len(self.seeds)
        return kept if count is None else jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), kept)

    def _loss(self) -> Any:
        loss = Keeping(self.algorithm.loss, self.algorithm.passes.target_kl) if self._keeps else self.algorithm.loss
        if self.seeds is None:
            return loss
        return (SumOverKeepingMembers if self._keeps else SumOverMembers)(loss)

    def _rule(self) -> Optimizer:
        rule = self.algorithm.rule
        rule = rule if self.algorithm.passes.target_kl is None else PassOver(rule)
        return rule if self.seeds is None else EachMember(rule)

    def _evaluated(self, network: Any, kept: Kept | None, purpose: int) -> Episodes:
        moments = None if kept is None else kept.moments
        seed = int(np.random.SeedSequence([self.seed, purpose]).generate_state(1)[0])
        return self.world.evaluate(network, moments, seed, self.seeds is not None, purpose == AT_THE_END)

    def _validation(self, network: Any, kept: Kept | None = None) -> tuple[float, dict[str, float]]:
        """What `minimize` validates by: the mean return, negative; of several members the median."""
        episodes = self._evaluated(network, kept, ON_THE_WAY)
        returns = np.atleast_2d(episodes.returns)
        means = returns.mean(axis=1)
        sure = means - SURE * returns.std(axis=1) / math.sqrt(returns.shape[1])
        told = {"return": float(np.median(means)), "sure_return": float(np.median(sure)),
                "length": float(episodes.lengths.mean()), "episodes": float(returns.shape[1])}
        if self.seeds is not None:
            told |= {f"return_{seed}": float(mean) for seed, mean in zip(self.seeds, means, strict=True)}
        return -told["return"], told

    def _refuse_nonfinite(self, source: Any, cursor: Any, network: Any) -> None:
        """Refuse an environment that returns what is not finite to a network whose weights are."""
        if isinstance(self.world, Compiled) and _is_finite(network):
            steps = source.draw(cursor, network)[0].steps
            for what, part in (("an observation", steps.observation), ("a reward", steps.advantage)):
                if not _is_finite(part):
                    raise InputError(f"{self.world.name} returned {what} that is not finite, after at least "
                                     f"{int(cursor.iteration) * self.algorithm.num_steps} steps in each environment")

    def _result(self, fit: Descended, source: Any, size: int) -> Result:
        if fit.reason.name == "diverged":
            self._refuse_nonfinite(source, fit.run.state.cursor, fit.run.params)
        made = int(fit.run.state.cursor.iteration) * size
        reason = fit.reason
        if reason.name == "budget" and reason.evidence.endswith("steps were made"):
            reason = dataclasses.replace(reason, evidence=f"{made:,} steps in the environment were made")
        moments = None if fit.state is None else fit.state.moments
        world = self.world
        policy = lambda network, moments: Policy(network, world.name, world.observation_shape, world.actions, moments)
        if self.seeds is None:
            policies = [policy(fit.params, moments)]
        else:
            member = lambda i: jax.tree.map(lambda leaf: leaf[i], (fit.params, moments))
            policies = [policy(*member(i)) for i in range(len(self.seeds))]
        returns = self._evaluated(fit.params, fit.state, AT_THE_END).returns
        return Result(tuple(policies), returns, reason, fit.history, fit.run, fit.seconds, made)


def _is_finite(tree: Any) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))
