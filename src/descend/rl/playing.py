"""Episodes to look at: what a trained policy earns, and how it looks."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from descend.errors import InputError
from descend.rl._distributions import environment_action
from descend.rl._moments import normalized
from descend.rl._rendering import Film, filmed
from descend.rl.backends import EnvironmentBackend, EnvironmentLike, JaxBackend, backend_for
from descend.rl.environments import Environment
from descend.rl.evaluation import MAX_EPISODE_STEPS
from descend.rl.policy import Policy

# In pixels: an animation of 300 pictures is then some megabytes at the most, and not a hundred.
MAX_FRAME_SIDE = 480


@dataclass(frozen=True)
class Episode:
    """An episode: the rewards it `earned` in all, its `length` in steps, and a `film` of it, where there is one."""

    earned: float
    length: int
    film: Film | None = None


def play(policy: Policy, episodes: int = 1, seed: int = 0, environment: EnvironmentLike | None = None) -> list[Episode]:
    """Play episodes by doing what the policy thinks best; the first one is filmed, if its environment can be drawn.

    `environment`: what to play in, as for a training; by default what the policy was trained in, or, if it was loaded,
    what has its environment's name among descend's and those that are registered with Gymnasium. No module is imported
    for the name that a policy has, which is from its file.

    **Raises** `InputError` for an environment that is not known, or has other observations or actions than the policy.

    >>> from descend.rl import PPO
    >>> policy = PPO(num_envs=4, num_steps=64).train("CartPole-v1", steps=512, stop=None).policy
    >>> first, second = play(policy, 2)
    >>> first.earned == first.length, first.film.gif()[:3], second.film
    (True, b'GIF', None)
    """
    environment = policy.origin if environment is None else environment
    if environment is None and ":" in policy.environment:
        raise InputError(f"the policy was trained in {policy.environment!r}, and no module is imported because a file "
                         "names it: say yourself what to play in, with environment=")
    backend = backend_for(policy.environment if environment is None else environment)
    try:
        _refuse_misfits(policy, backend)
        if isinstance(backend, JaxBackend):
            return _play_compiled(policy, backend.environment, episodes, seed)
        return _play_on_host(policy, backend, episodes, seed)
    finally:
        backend.close()


def _refuse_misfits(policy: Policy, backend: EnvironmentBackend) -> None:
    for what, mine, its in (("observations", policy.observation_shape, backend.observation_shape),
                            ("actions", policy.actions, backend.actions)):
        if mine != its:
            raise InputError(f"the policy has {what} {mine}, but {backend.name} has {its}: play it in what it was "
                             "trained in")


def _play_compiled(policy: Policy, environment: Environment, episodes: int, seed: int) -> list[Episode]:
    limit = environment.time_limit or MAX_EPISODE_STEPS
    keys = jax.random.split(jax.random.key(seed), episodes)
    walk = jax.jit(jax.vmap(lambda key: _walk(policy, environment, limit, key)))
    states, rewards, under_way = jax.device_get(walk(keys))
    lengths = under_way.sum(axis=1)
    first = [jax.tree.map(lambda x, i=i: x[0, i], states) for i in range(lengths[0])]
    films = [filmed(environment, first)] + [None] * (episodes - 1)
    return [Episode(*each) for each in zip(rewards.sum(axis=1).tolist(), lengths.tolist(), films, strict=True)]


def _walk(policy: Policy, environment: Environment, limit: int, key: jax.Array) -> tuple[Any, Any, Any]:
    """All states of an episode, and behind its end what is left of the time; the rewards; and whether it went on."""
    beginning, key = jax.random.split(key)

    def step(carry: tuple[Any, jax.Array], key: jax.Array) -> tuple[Any, Any]:
        # A loop of one length for all episodes, as they are played side by side; what comes after an end is cut off.
        state, under_way = carry
        row = normalized(policy.moments, environment.observe(state)[None])
        action = environment_action(policy.actions, policy.network(row)[0].mode())[0]
        after, reward, terminated = environment.step(state, action, key)
        return (after, under_way & ~terminated), (state, jnp.where(under_way, reward, 0), under_way)

    begin = (environment.reset(beginning), jnp.ones((), bool))
    return jax.lax.scan(step, begin, jax.random.split(key, limit))[1]


def _play_on_host(policy: Policy, backend: Any, episodes: int, seed: int) -> list[Episode]:
    # Of NumPy's arrays: a dispatch for each step would take longer.
    network, moments = jax.tree.map(np.asarray, (policy.network, policy.moments))
    policy = dataclasses.replace(policy, network=network, moments=moments)
    environment = backend.new_to_render()
    drawn = environment.render_mode == "rgb_array"
    seeds = np.random.SeedSequence(seed).generate_state(episodes).tolist()
    played = [_play_one(policy, backend, environment, number, drawn and i == 0) for i, number in enumerate(seeds)]
    environment.close()
    return played


def _play_one(policy: Policy, backend: Any, environment: Any, seed: int, is_filmed: bool) -> Episode:
    film = Film(environment.metadata.get("render_fps", 30)) if is_filmed else None
    observation, earned, length, is_over = backend.reset(environment, seed), 0.0, 0, False
    while not is_over and length < MAX_EPISODE_STEPS:
        if film is not None:
            film.add(lambda: _small(environment.render()))
        action = backend.to_space(policy(observation)[None])[0]
        observation, reward, terminated, truncated = backend.step(environment, action, length)
        earned, length, is_over = earned + float(reward), length + 1, terminated or truncated
    return Episode(earned, length, film)


def _small(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_FRAME_SIDE, MAX_FRAME_SIDE))
    return image
