"""Environments that are written in JAX: their steps are compiled with the training's.

One's own meets the contract of `Environment`; those of the package gymnax are brought by `Gymnax`.
"""

from difflib import get_close_matches

from descend.errors import InputError
from descend.rl.environments._environment import Environment
from descend.rl.environments._spaces import Box, Discrete
from descend.rl.environments.acrobot import Acrobot
from descend.rl.environments.cartpole import CartPole
from descend.rl.environments.gymnax import Gymnax
from descend.rl.environments.mountain_car import MountainCar
from descend.rl.environments.mountain_car_continuous import MountainCarContinuous
from descend.rl.environments.pendulum import Pendulum

__all__ = [
    "Acrobot",
    "Box",
    "CartPole",
    "Discrete",
    "Environment",
    "Gymnax",
    "MountainCar",
    "MountainCarContinuous",
    "Pendulum",
    "ids",
    "make",
]

_KNOWN: dict[str, type[Environment]] = {
    kind.name: kind for kind in (CartPole, Acrobot, MountainCar, MountainCarContinuous, Pendulum)
}


def ids() -> tuple[str, ...]:
    """The names that `make` knows, which are Gymnasium's.

    >>> ids()
    ('CartPole-v1', 'Acrobot-v1', 'MountainCar-v0', 'MountainCarContinuous-v0', 'Pendulum-v1')
    """
    return tuple(_KNOWN)


def make(name: str) -> Environment:
    """The environment of this name.

    **Raises** `InputError` for a name that is not known, with those that are most like it.

    >>> make("CartPole-v1").time_limit
    500
    """
    if name not in _KNOWN:
        lower = {known.lower(): known for known in _KNOWN}
        near = [lower[close] for close in get_close_matches(name.lower(), lower, cutoff=0.5)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(_KNOWN)}"
        raise InputError(f"no environment is called {name!r}: {hint}")
    return _KNOWN[name]()
