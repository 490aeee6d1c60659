"""Policies: PPO beside stable-baselines3's and CleanRL's published recipe, with the same networks and settings.

Two perceptrons of 64 and 64 units; of the settings, those that RL Zoo publishes for these environments, without what
only one side has. "seconds to the threshold" is training alone, from nothing, for ours with all compiling: the clock
stands still while a policy is evaluated, which is done for all of them in the same way, ten times within the budget, by
100 episodes of what it thinks best; where a budget was not enough, it is infinite. "steps/s" is of all but the first
tenth. Rows "after … steps" are the learning curves: nobody gets faster by seeing more. PyTorch has one thread or two,
whichever is faster at the beginning; all is the median of the seeds. "Gymnasium": our own path through it, where no
step is compiled with the environment's. "eight seeds": trained side by side, beside as many one after the other; the
bar, six times the cost of one, is a ratio of 1.33. rejax is not beside: it needs TensorFlow Probability, whose last
release cannot be imported with this JAX.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from benchmarks import _plain_ppo
from benchmarks._rows import Row
from descend.engine.many import advance_many
from descend.engine.programs import forget
from descend.engine.run import Run, advance
from descend.minimize import minimize
from descend.rl import PPO, ActorCritic
from descend.rl._training import Training
from descend.rl.environments import make
from descend.rl.evaluation import evaluate
from descend.schedules import Polynomial

PACKAGES = ("descend", "jax", "gymnasium", "stable-baselines3", "torch", "numpy")
LOOKS = 10  # evaluations within a budget
CURVE = (2, 4, 7, 10)  # of these, those that have rows
MEMBERS = 8


@dataclass(frozen=True)
class Task:
    """An environment, its threshold, a budget of steps, and settings."""

    name: str
    threshold: float
    budget: int
    envs: int
    steps: int
    epochs: int
    batch: int
    gamma: float
    gae_lambda: float
    rate: float
    seeds: tuple[int, ...] = (0,)

    @property
    def rollout(self) -> int:
        """Steps in it."""
        return self.envs * self.steps

    @property
    def updates(self) -> int:
        """In all."""
        return math.ceil(self.budget / self.rollout) * self.per_rollout

    @property
    def per_rollout(self) -> int:
        """Updates by each rollout."""
        return self.epochs * self.rollout // self.batch

    @property
    def ours(self) -> PPO:
        """Its settings in our words."""
        return PPO(num_envs=self.envs, num_steps=self.steps, epochs=self.epochs, gamma=self.gamma,
                   minibatches=self.rollout // self.batch, gae_lambda=self.gae_lambda,
                   learning_rate=Polynomial(self.rate))  # fmt: skip


TASKS = (
    Task("CartPole-v1", 475, 60_000, 8, 32, 20, 256, 0.98, 0.8, 1e-3, seeds=(0, 1, 2)),
    Task("Acrobot-v1", -100, 120_000, 16, 256, 4, 64, 0.99, 0.94, 1e-3),
    Task("Pendulum-v1", -200, 120_000, 4, 1024, 10, 64, 0.9, 0.95, 1e-3),
)


@dataclass
class Curve:
    """What came of a training: after each share of the budget, the seconds so far and the mean return."""

    task: Task
    seconds: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    spent: float = 0.0
    begun: float = field(default_factory=time.perf_counter)

    def at(self, made: int, network: Callable[[], ActorCritic]) -> None:
        """Look, if it is time to: so many steps were made, by a policy of this network."""
        if made < self.task.budget * (len(self.returns) + 1) / LOOKS:
            return
        self.spent += time.perf_counter() - self.begun
        judged = evaluate(make(self.task.name), network(), None, len(self.returns))
        self.seconds.append(self.spent)
        self.returns.append(float(judged.returns.mean()))
        self.begun = time.perf_counter()

    @property
    def to_threshold(self) -> float:
        """Seconds."""
        reached = (s for s, r in zip(self.seconds, self.returns, strict=True) if r >= self.task.threshold)
        return next(reached, math.inf)

    @property
    def pace(self) -> float:
        """Steps per second."""
        made = self.task.budget * (len(self.seconds) - 1) / LOOKS
        return made / (self.seconds[-1] - self.seconds[0])


def rows() -> Iterator[Row]:
    """All of it."""
    for task in TASKS:
        threads = _threads(task)
        ours, theirs = [], []
        for seed in task.seeds:
            ours.append(_ours(task, seed))
            theirs.append(_stable_baselines(task, seed, threads))
        yield from _compared(task, "stable-baselines3", ours, theirs)
        if task is TASKS[0]:
            yield from _compared(task, "CleanRL's recipe", ours, [_clean(task, seed, threads) for seed in task.seeds])
            yield _through_gymnasium(task, theirs)
            yield _side_by_side(task)


def _compared(task: Task, peer: str, ours: Sequence[Curve], theirs: Sequence[Curve]) -> Iterator[Row]:
    of = lambda measure: (statistics.median(map(measure, ours)), statistics.median(map(measure, theirs)))
    yield Row(task.name, peer, "training", "steps/s", *of(lambda curve: curve.pace))
    yield Row(task.name, peer, f"seconds to a return of {task.threshold:g}", "s", *of(lambda curve: curve.to_threshold))
    for look in CURVE:
        words = f"after {task.budget * look // LOOKS:,} steps"
        yield Row(task.name, peer, words, "return", *of(partial(_return_at, look=look)))


def _return_at(curve: Curve, look: int) -> float:
    return curve.returns[look - 1]


def _started(task: Task, environment: Any, seed: int) -> Run:
    """A training of ours after its first step."""
    training = Training.of(task.ours, environment, None, seed)
    source = training.backend.source(
        gamma=task.gamma, gae_lambda=task.gae_lambda, num_envs=task.envs, num_steps=task.steps, epochs=task.epochs,
        minibatches=task.rollout // task.batch, normalize_observations=False, normalize_rewards=False,
    )  # fmt: skip
    return minimize(
        training._loss(), training._network(), source, optimizer=training._rule().over(task.updates), steps=1, stop=[],
        seed=seed,
    ).run  # fmt: skip


def _advanced(run: Run, to: int) -> Run:
    while run.step < to:
        run, _ = advance(run, to - run.step)
    return run


def _network_of(run: Run) -> ActorCritic:
    return run.params


def _ours(task: Task, seed: int) -> Curve:
    jax.clear_caches()  # each seed compiles anew: nobody's first training is the third
    forget()
    curve = Curve(task)
    run = _started(task, task.name, seed)
    for look in range(1, LOOKS + 1):
        rollouts = math.ceil(task.budget * look / LOOKS / task.rollout)
        run = _advanced(run, rollouts * task.per_rollout)
        curve.at(rollouts * task.rollout, partial(_network_of, run))
    return curve


class _Looking(BaseCallback):
    """Tells a curve after each rollout that was learnt from, which is before the next one."""

    def __init__(self, curve: Curve):
        super().__init__()
        self._curve = curve

    def _on_rollout_start(self) -> None:
        self._curve.at(self.num_timesteps, self.network)

    def _on_step(self) -> bool:
        return True

    def network(self) -> ActorCritic:
        """Theirs as one of ours."""
        policy: Any = self.model.policy
        parts = policy.mlp_extractor
        log_std = [policy.log_std] if hasattr(policy, "log_std") else []
        nets = ([parts.policy_net, policy.action_net], [parts.value_net, policy.value_net])
        return _as_ours(self._curve.task, *nets, log_std)


def _as_ours(task: Task, actor: Sequence[Any], critic: Sequence[Any], log_std: Sequence[Any] = ()) -> ActorCritic:
    layers = [layer for net in (*actor, *critic) for layer in net.modules() if isinstance(layer, torch.nn.Linear)]
    arrays = [a for layer in layers for a in (layer.weight.detach().numpy().T, layer.bias.detach().numpy())]
    flat = np.concatenate([a.ravel() for a in (*arrays, *(a.detach().numpy() for a in log_std))])
    environment = make(task.name)
    return ActorCritic(jnp.asarray(flat), environment.observation_shape, environment.actions)


def _model(task: Task, seed: int) -> Any:
    environments = make_vec_env(task.name, task.envs, seed=seed)
    return sb3.PPO(
        "MlpPolicy", environments, n_steps=task.steps, batch_size=task.batch, n_epochs=task.epochs, gamma=task.gamma,
        gae_lambda=task.gae_lambda, learning_rate=lambda left: task.rate * left, ent_coef=0.0, seed=seed, device="cpu",
    )  # fmt: skip


def _threads(task: Task) -> int:
    """With how many threads PyTorch is faster."""
    seconds = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        model = _model(task, 0).learn(task.rollout)
        begin = time.perf_counter()
        model.learn(task.rollout)
        seconds.append(time.perf_counter() - begin)
    return 1 + int(np.argmin(seconds))


def _stable_baselines(task: Task, seed: int, threads: int) -> Curve:
    torch.set_num_threads(threads)
    curve = Curve(task)
    looking = _Looking(curve)
    model = _model(task, seed).learn(task.budget, callback=looking)
    curve.at(model.num_timesteps, looking.network)
    return curve


def _clean(task: Task, seed: int, threads: int) -> Curve:
    torch.set_num_threads(threads)
    curve = Curve(task)
    look = lambda made, nets: curve.at(made, lambda: _as_ours(task, nets[:1], nets[1:]))
    _plain_ppo.learn(
        task.name, task.budget, seed, look, envs=task.envs, steps=task.steps, epochs=task.epochs, batch=task.batch,
        gamma=task.gamma, gae_lambda=task.gae_lambda, rate=task.rate,
    )  # fmt: skip
    return curve


def _through_gymnasium(task: Task, theirs: Sequence[Curve]) -> Row:
    """A third of the budget, after a rollout to compile."""
    run = _advanced(_started(task, lambda: gymnasium.make(task.name), 0), 2 * task.per_rollout)
    first, begin = run.step, time.perf_counter()
    run = _advanced(run, first + task.updates // 3)
    pace = (run.step - first) * task.rollout / task.per_rollout / (time.perf_counter() - begin)
    peer = statistics.median(curve.pace for curve in theirs)
    return Row(f"{task.name}, Gymnasium", "stable-baselines3", "training", "steps/s", pace, peer)


def _side_by_side(task: Task) -> Row:
    """Half of the budget, after a rollout to compile; in turns."""
    one_run, runs = _started(task, task.name, 0), [_started(task, task.name, seed) for seed in range(MEMBERS)]
    seconds: list[list[float]] = [[], []]
    for _ in range(5):
        begin = time.perf_counter()
        one_run = _advanced(one_run, one_run.step + task.updates // 10)
        middle = time.perf_counter()
        runs = [run for run, _ in advance_many(runs, task.updates // 10)]
        seconds[0].append(middle - begin)
        seconds[1].append(time.perf_counter() - middle)
    one, eight = map(statistics.median, seconds)
    words = f"{task.budget // 10:,} steps of each"
    return Row(f"{task.name}, eight seeds", "ours, one after the other", words, "s", eight, 8 * one)
