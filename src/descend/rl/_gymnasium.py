"""Environments of Gymnasium, on the host: an extra, `pip install 'descend[rl]'`."""

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from descend.errors import InputError
from descend.rl._distributions import environment_action
from descend.rl._host import HostEnvironment
from descend.rl._host_rollouts import HostRollouts
from descend.rl._moments import Moments, normalized
from descend.rl._network import Actor, ActorCritic, Network, actor_of
from descend.rl._types import Array
from descend.rl.environments import Box, Discrete
from descend.rl.evaluation import EPISODES, MAX_EPISODE_STEPS, MAX_REWARD, Episodes

# Of an evaluation: a network costs little more for ten observations than for one.
PARALLEL_EPISODES = 10
# Standard errors below what is aimed at, from where an evaluation is not completed: on the host it takes as long as
# the training.
HOPELESS_ERRORS = 2.0


def gymnasium() -> Any:
    """The package.

    **Raises** `InputError` if it is not installed.
    """
    # Without this pygame, which draws what is played, greets on the standard output, where others look for JSON.
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


def host_actor(network: Network) -> Actor:
    """What a network does, of NumPy's arrays: for a few small layers, NumPy is faster than a dispatch."""
    if isinstance(network, ActorCritic):
        return jax.tree.map(np.asarray, network).actor()
    compiled = jax.jit(lambda network, rows: actor_of(network)(rows))
    return lambda rows: jax.tree.map(np.asarray, compiled(network, rows))


class GymnasiumBackend:
    """Environments of Gymnasium's; `make` makes one, and `make_rendered` one that draws, if it has an id.

    Observations that are no array of numbers (a dict, a tuple, a number of a choice) are made one by Gymnasium's
    `FlattenObservation`.

    **Raises** `InputError` for actions that are neither numbered nor vectors.
    """

    def __init__(self, make: Callable[[], Any], make_rendered: Callable[[], Any] | None = None):
        self._make, self._make_rendered = make, make_rendered
        self.origin = make if make_rendered is None else None
        first = self.new()
        spec, space = first.spec, first.action_space
        self.name = type(first.unwrapped).__name__ if spec is None else spec.id
        self.solved_at = None if spec is None else spec.reward_threshold
        self.observation_shape = tuple(first.observation_space.shape)
        self.actions = _actions(space, self.name)
        self._to_space = _to_space(space)
        self._evaluated_in = [first]

    @property
    def can_render(self) -> bool:
        """Whether it can be drawn, as pictures."""
        return "rgb_array" in (self._evaluated_in[0].metadata or {}).get("render_modes", ())

    def new_to_render(self) -> Any:
        """A further copy, which draws what is played in it if it can."""
        return self.new(self._make_rendered if self._make_rendered is not None and self.can_render else self._make)

    def new(self, make: Callable[[], Any] | None = None) -> Any:
        """A further copy of the environment."""
        environment = (make or self._make)()
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

    def source(self, **settings: Any) -> HostRollouts:
        """Rollouts that are played between dispatches."""
        return HostRollouts(self, **settings)

    def evaluate(self, network: Network, moments: Moments | None, seed: int, in_full: bool) -> Episodes:
        """100 episodes; on the way fewer, as soon as they are clearly below what is aimed at, or 10, if nothing is."""
        while len(self._evaluated_in) < PARALLEL_EPISODES:
            self._evaluated_in.append(self.new())
        act = host_actor(network)
        played: list[tuple[float, int, bool]] = []
        for turn in range(EPISODES // PARALLEL_EPISODES):
            played += self._episodes(act, moments, np.random.SeedSequence([seed, turn]))
            returns = np.array([earned for earned, _, _ in played])
            # What is clearly below the threshold needs no hundred episodes, and without a threshold nothing hangs on
            # it.
            error = returns.std() / np.sqrt(len(returns))
            if not in_full and (self.solved_at is None or returns.mean() + HOPELESS_ERRORS * error < self.solved_at):
                break
        return Episodes(returns, np.array([length for _, length, _ in played]), sum(cut for _, _, cut in played))

    def _episodes(
        self, act: Actor, moments: Moments | None, seeds: np.random.SeedSequence
    ) -> list[tuple[float, int, bool]]:
        """An episode in each environment: what it earned, how long it was, and whether it was cut off here."""
        environments = self._evaluated_in
        numbers = seeds.generate_state(len(environments)).tolist()
        seen = np.stack([self.reset(e, number) for e, number in zip(environments, numbers, strict=True)])
        earned, lengths = np.zeros(len(environments)), np.zeros(len(environments), int)
        cut_off = np.zeros(len(environments), bool)
        under_way = list(range(len(environments)))
        while under_way:
            choices = self.to_space(environment_action(self.actions, act(normalized(moments, seen)).mode()))
            for i in tuple(under_way):
                seen[i], reward, terminated, truncated = self.step(environments[i], choices[i], int(lengths[i]))
                earned[i] += reward
                lengths[i] += 1
                cut_off[i] = lengths[i] >= MAX_EPISODE_STEPS and not (terminated or truncated)
                if terminated or truncated or cut_off[i]:
                    under_way.remove(i)
        return list(zip(earned.tolist(), lengths.tolist(), cut_off.tolist(), strict=True))

    def actor_of(self, network: Network) -> Actor:
        """What a network does, of NumPy's arrays."""
        return host_actor(network)

    def to_space(self, actions: Array) -> list[int] | np.ndarray:
        """Actions, in rows, as the environments take them."""
        return self._to_space(np.asarray(actions))

    def reset(self, environment: HostEnvironment, seed: int | None) -> np.ndarray:
        """What is seen at the beginning of an episode."""
        return self._checked(environment.reset(seed=seed)[0])

    def step(
        self, environment: HostEnvironment, action: int | np.ndarray, number: int
    ) -> tuple[np.ndarray, float, bool, bool]:
        """What a step leads to: what is seen, the reward, whether the episode terminated, or was cut off.

        **Raises** `InputError` if the environment raises, or shows something of another shape.
        """
        # Of anybody's code any error may come; which environment it was, and in which step, is what helps to mend it.
        try:
            seen, reward, terminated, truncated, _ = environment.step(action)
        except Exception as error:
            raise InputError(f"{self.name} raised {type(error).__name__} in its step number {number + 1}: "
                             f"{error}") from error
        return self._checked(seen), self._number(reward, number + 1), bool(terminated), bool(truncated)

    def _number(self, reward: Any, step: int) -> float:
        """A reward, if it is one number that can be squared in single precision."""
        where = f"{self.name} returned the reward {reward!r:.60} in its step number {step}"
        if not isinstance(reward, int) and (np.shape(reward) != () or np.asarray(reward).dtype.kind not in "biuf"):
            raise InputError(f"{where}: return one number")
        if MAX_REWARD < abs(reward) < np.inf:
            raise InputError(f"{where}, which is beyond ±{MAX_REWARD:g}: divide the rewards, as they are squared")
        return float(reward)

    def _checked(self, seen: ArrayLike) -> np.ndarray:
        seen = np.asarray(seen)
        if seen.shape != self.observation_shape:
            raise InputError(f"{self.name} showed an observation of shape {seen.shape}, but its observation_space has "
                             f"{self.observation_shape}")
        return seen

    def close(self) -> None:
        """Close what evaluations were made in."""
        for environment in self._evaluated_in:
            environment.close()


def imported(name: str) -> str:
    """The id behind `module:id`, after the module was imported, which registers it.

    **Raises** `InputError` if there is no such module, or it does not.
    """
    module, _, own = name.rpartition(":")
    # Importing a module runs its code, so this is for names that a person gives: see `descend.rl.playing` for files.
    gymnasium()
    try:
        import_module(module)
    except ImportError as error:
        raise InputError(f"{name}: the module cannot be imported ({error}): check its name, and that it is installed"
                         ) from None
    if own not in known_ids():
        raise InputError(f"{name}: the module was imported, but registers no environment {own!r}")
    return own


def registered(name: str) -> GymnasiumBackend:
    """The world of the environment with this id.

    **Raises** `InputError` if it cannot be made, as it needs a package that is not installed, say.
    """
    package = gymnasium()

    def make(**settings: Any) -> Any:
        try:
            return package.make(name, **settings)
        except (package.error.Error, ImportError) as error:
            raise InputError(f"{name} cannot be made: {' '.join(str(error).split())}") from None

    return GymnasiumBackend(make, lambda: make(render_mode="rgb_array"))


def _actions(space: Any, name: str) -> Discrete | Box:
    spaces = gymnasium().spaces
    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n))
    if isinstance(space, spaces.Box):
        low, high = (np.broadcast_to(end, space.shape).ravel() for end in (space.low, space.high))
        return Box(tuple(low.tolist()), tuple(high.tolist()))
    raise InputError(f"{name} takes actions of {space}, but a policy chooses from a Discrete or a Box: wrap the "
                     "environment")


def _to_space(space: Any) -> Callable[[np.ndarray], list[int] | np.ndarray]:
    """From actions, in rows, to those that the environments take."""
    if isinstance(space, gymnasium().spaces.Discrete):
        return lambda actions: (actions + space.start).tolist()
    return lambda actions: actions.reshape(len(actions), *space.shape).astype(space.dtype)
