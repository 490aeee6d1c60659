"""Environments of Gymnasium, on the host: an extra, `pip install 'descend[rl]'`."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from descend.errors import InputError
from descend.rl._distributions import within
from descend.rl._evaluation import EPISODES, LONGEST, Episodes
from descend.rl._moments import Moments, normalized
from descend.rl._network import Act, ActorCritic, acting
from descend.rl._played import Played
from descend.rl.environments import Box, Discrete

SIDE_BY_SIDE = 10  # episodes of an evaluation
HOPELESS = 2.0  # standard errors below what is aimed at, from where an evaluation is not completed


def gymnasium() -> Any:
    """The package.

    **Raises** `InputError` if it is not installed.
    """
    # Or pygame, which draws what is played, greets on the standard output, where others look for JSON.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "hide")
    try:
        import gymnasium as package
    except ImportError:
        raise InputError("this needs Gymnasium, which is not installed: pip install 'descend[rl]'") from None
    return package


def known_ids() -> Iterable[str]:
    """The ids that are registered with Gymnasium; none, where it is not installed."""
    try:
        return tuple(gymnasium().registry)
    except InputError:
        return ()


def acting_on_host(network: Any) -> Act:
    """What a network does, of NumPy's arrays: for a few small layers, NumPy is faster than a dispatch."""
    if isinstance(network, ActorCritic):
        return jax.tree.map(np.asarray, network).actor()
    compiled = jax.jit(lambda network, rows: acting(network)(rows))
    return lambda rows: jax.tree.map(np.asarray, compiled(network, rows))


class Hosted:
    """The world of an environment of Gymnasium's; `make` makes one.

    Observations that are no array of numbers (a dict, a tuple, a number of a choice) are made one by Gymnasium's
    `FlattenObservation`.

    **Raises** `InputError` for actions that are neither numbered nor vectors.
    """

    def __init__(self, make: Callable[[], Any]):
        self._make = make
        first = self.made()
        spec, space = first.spec, first.action_space
        self.name = type(first.unwrapped).__name__ if spec is None else spec.id
        self.solved_at = None if spec is None else spec.reward_threshold
        self.observation_shape = tuple(first.observation_space.shape)
        self.actions = _actions(space, self.name)
        self.to_space = _to_space(space)
        self._evaluated_in = [first]

    def made(self) -> Any:
        """A further copy of the environment."""
        environment = self._make()
        if not hasattr(environment, "action_space"):
            raise InputError(f"a function that makes an environment of Gymnasium was expected, but it made a "
                             f"{type(environment).__name__}")
        package = gymnasium()
        if isinstance(environment.observation_space, package.spaces.Box):
            return environment
        space = environment.observation_space
        if not space.is_np_flattenable:
            raise InputError(f"observations of {space} cannot be made a vector: wrap the environment")
        return package.wrappers.FlattenObservation(environment)

    def source(self, **settings: Any) -> Played:
        """Rollouts that are played between dispatches."""
        return Played(self, **settings)

    def evaluate(self, network: Any, moments: Moments | None, seed: int, in_full: bool) -> Episodes:
        """100 episodes; on the way fewer, as soon as they are clearly below what is aimed at, or 10, if nothing is.

        **Raises** `InputError` if one of them does not end.
        """
        while len(self._evaluated_in) < SIDE_BY_SIDE:
            self._evaluated_in.append(self.made())
        act = acting_on_host(network)
        played: list[tuple[float, int]] = []
        for turn in range(EPISODES // SIDE_BY_SIDE):
            played += self._episodes(act, moments, np.random.SeedSequence([seed, turn]))
            returns = np.array([earned for earned, _ in played])
            error = returns.std() / np.sqrt(len(returns))
            if not in_full and (self.solved_at is None or returns.mean() + HOPELESS * error < self.solved_at):
                break
        return Episodes(returns, np.array([length for _, length in played]))

    def _episodes(self, act: Act, moments: Moments | None, seeds: Any) -> list[tuple[float, int]]:
        """An episode in each environment: what it earned, and how long it was."""
        environments = self._evaluated_in
        numbers = seeds.generate_state(len(environments)).tolist()
        seen = np.stack([self.begun(e, number) for e, number in zip(environments, numbers, strict=True)])
        earned, lengths = np.zeros(len(environments)), np.zeros(len(environments), int)
        under_way = list(range(len(environments)))
        while under_way:
            choices = self.to_space(np.asarray(within(self.actions, act(normalized(moments, seen)).mode())))
            for i in tuple(under_way):
                seen[i], reward, terminated, truncated = self.stepped(environments[i], choices[i], int(lengths[i]))
                earned[i] += reward
                lengths[i] += 1
                if terminated or truncated:
                    under_way.remove(i)
                elif lengths[i] >= LONGEST:
                    raise InputError(f"{self.name}: an episode did not end within {LONGEST:,} steps: wrap the "
                                     "environment in gymnasium.wrappers.TimeLimit")
        return list(zip(earned.tolist(), lengths.tolist(), strict=True))

    acting = staticmethod(acting_on_host)

    def begun(self, environment: Any, seed: int | None) -> np.ndarray:
        """What is seen at the beginning of an episode."""
        return self._checked(environment.reset(seed=seed)[0])

    def stepped(self, environment: Any, action: Any, number: int) -> tuple[np.ndarray, float, bool, bool]:
        """What a step leads to: what is seen, the reward, whether the episode terminated, or was cut off.

        **Raises** `InputError` if the environment raises, or shows something of another shape.
        """
        try:
            seen, reward, terminated, truncated, _ = environment.step(action)
        except Exception as error:
            raise InputError(f"{self.name} raised {type(error).__name__} in its step number {number + 1}: "
                             f"{error}") from error
        return self._checked(seen), float(reward), bool(terminated), bool(truncated)

    def _checked(self, seen: Any) -> np.ndarray:
        seen = np.asarray(seen)
        if seen.shape != self.observation_shape:
            raise InputError(f"{self.name} showed an observation of shape {seen.shape}, but its observation_space has "
                             f"{self.observation_shape}")
        return seen

    def close(self) -> None:
        """Close what evaluations were made in."""
        for environment in self._evaluated_in:
            environment.close()


def registered(name: str) -> Hosted:
    """The world of the environment with this id.

    **Raises** `InputError` if it needs a package that is not installed.
    """
    package = gymnasium()

    def make() -> Any:
        try:
            return package.make(name)
        except package.error.DependencyNotInstalled as error:
            raise InputError(f"{name} cannot be made: {error}") from None

    return Hosted(make)


def _actions(space: Any, name: str) -> Discrete | Box:
    spaces = gymnasium().spaces
    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n))
    if isinstance(space, spaces.Box):
        low, high = (np.broadcast_to(end, space.shape).ravel() for end in (space.low, space.high))
        return Box(tuple(low.tolist()), tuple(high.tolist()))
    raise InputError(f"{name} takes actions of {space}, but a policy chooses from a Discrete or a Box: wrap the "
                     "environment")


def _to_space(space: Any) -> Callable[[np.ndarray], Any]:
    """From actions, in rows, to those that the environments take."""
    if isinstance(space, gymnasium().spaces.Discrete):
        return lambda actions: (actions + space.start).tolist()
    return lambda actions: actions.reshape(len(actions), *space.shape).astype(space.dtype)
