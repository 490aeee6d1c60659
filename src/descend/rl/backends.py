"""Where a policy is trained: in an environment that JAX compiles, or in one of Gymnasium's on the host."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

import jax

from descend.errors import InputError
from descend.rl._moments import Moments
from descend.rl._network import Network
from descend.rl._rollouts import Rollouts
from descend.rl.environments import Box, Discrete, Environment, ids, make
from descend.rl.evaluation import Episodes, evaluate

# An id, an environment that is written in JAX, or a function that makes one of Gymnasium's.
EnvironmentLike = str | Environment | Callable[[], Any]


@runtime_checkable
class EnvironmentBackend(Protocol):
    """What training must know of an environment, whichever kind it is; `origin`: what it was found by, if not an id."""

    name: str
    observation_shape: tuple[int, ...]
    actions: Discrete | Box
    solved_at: float | None
    origin: Any

    def source(self, **settings: Any) -> Any:
        """Rollouts of a policy, as a source of batches."""

    def evaluate(self, network: Network, moments: Moments | None, seed: int, in_full: bool) -> Episodes:
        """100 episodes in which the policy does what it thinks best.

        If not `in_full`, there may be fewer, where these show that the task is not solved, or nothing says when it is.
        """

    def close(self) -> None:
        """Let go of what evaluations were made in."""


class JaxBackend:
    """An environment that is written in JAX, and compiled with the step.

    **Raises** `InputError` for an environment whose functions do not fit together.
    """

    def __init__(self, environment: Environment):
        self.environment = self.origin = environment
        self.name, self.solved_at = environment.name, environment.solved_at
        self.observation_shape, self.actions = tuple(environment.observation_shape), environment.actions
        _refuse_misfits(environment)

    def source(self, **settings: Any) -> Rollouts:
        """Rollouts that are compiled with the step."""
        return Rollouts(environment=self.environment, **settings)

    def evaluate(self, network: Network, moments: Moments | None, seed: int, in_full: bool) -> Episodes:
        """Episodes side by side, always all of them."""
        return evaluate(self.environment, network, moments, seed)

    def close(self) -> None:
        """There is nothing to let go of."""


def backend_for(environment: EnvironmentLike) -> EnvironmentBackend:
    """What an environment is played by; of `module:id`, the module is imported.

    **Raises** `InputError` for an id that nobody knows, with those that are most like it.
    """
    # Those of descend's own come first: they have Gymnasium's ids, and are much faster. Gymnasium is imported only
    # where it is asked for, as it is an extra, and takes long.
    if isinstance(environment, str) and ":" in environment:
        from descend.rl._gymnasium import imported  # an extra

        environment = imported(environment)
    if isinstance(environment, str):
        if environment in ids():
            return JaxBackend(make(environment))
        from descend.rl._gymnasium import known_ids, registered  # an extra

        if environment in known_ids():
            return registered(environment)
        raise InputError(f"no environment is called {environment!r}: {_hint(environment, known_ids())}")
    if isinstance(environment, Environment):
        return JaxBackend(environment)
    if callable(environment):
        from descend.rl._gymnasium import GymnasiumBackend

        return GymnasiumBackend(environment)
    raise InputError("an environment is an id such as 'CartPole-v1', an object with the functions of "
                     "descend.rl.environments.Environment, or a function that makes one of Gymnasium's, but this is a "
                     f"{type(environment).__name__}")


def _hint(asked: str, of_gymnasium: Iterable[str]) -> str:
    lower = {name.lower(): name for name in (*of_gymnasium, *ids())}
    if near := [lower[close] for close in get_close_matches(asked.lower(), lower, cutoff=0.6)]:
        return f"did you mean {' or '.join(near)}?"
    missing = "" if of_gymnasium else ", which is not installed: pip install 'descend[rl]'"
    return f"there are {', '.join(ids())}, and those of Gymnasium{missing}"


def _refuse_misfits(environment: Environment) -> None:
    """Refuse an environment whose functions do not fit together; nothing is computed for it."""
    key, actions, name = jax.random.key(0), environment.actions, environment.name
    action = jax.ShapeDtypeStruct((), "int32") if isinstance(actions, Discrete) else jax.ShapeDtypeStruct(
        actions.shape, "float32"
    )
    # A state of other shapes or types after a step than before could not be the carry of a compiled loop, and JAX's own
    # message would show neither.
    before = jax.eval_shape(environment.reset, key)
    after, reward, terminated = jax.eval_shape(environment.step, before, action, key)
    kinds = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
    if kinds(before) != kinds(after):
        raise InputError(f"{name}: step must return a state like the one it is given, but that is {kinds(before)}, and "
                         f"after it {kinds(after)}")
    seen = jax.eval_shape(environment.observe, after)
    if seen.shape != tuple(environment.observation_shape):
        raise InputError(f"{name}: observation_shape is {tuple(environment.observation_shape)}, but observe returns an "
                         f"array of shape {seen.shape}")
    for what, value in (("reward", reward), ("terminated", terminated)):
        if value.shape != ():
            raise InputError(f"{name}: step must return one {what}, but returns an array of shape {value.shape}")
