"""Training: what is asked for is made, it learns, it ends with a reason, and it goes on as if it had never stopped."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_worlds import Coin, Counter, Walk

from descend import Checkpoint, CheckpointError, InputError
from descend.engine.storing import tree_to_arrays
from descend.rl import A2C, PPO, Algorithm, Categorical, Policy, Reinforce
from descend.rl.playing import play
from descend.schedules import Polynomial

SMALL = {"num_envs": 4, "num_steps": 16}
QUICK = PPO(**SMALL, epochs=4, minibatches=2, learning_rate=3e-3)


def bits(tree):
    return [array.tobytes() for array in tree_to_arrays(tree, "").values()]


@pytest.mark.parametrize("algorithm", [
    QUICK, A2C(**SMALL, learning_rate=3e-3), Reinforce(**SMALL, learning_rate=1e-2),
    dataclasses.replace(QUICK, normalize_observations=True, normalize_rewards=True, target_kl=0.05, value_clip=0.2),
], ids=repr)  # fmt: skip
def test_learns_to_walk(algorithm):
    result = algorithm.train(Walk(), steps=20_000, evaluate_every=640)
    assert result.reason.name == "reached"
    assert "at least the -3.5 that was aimed at" in result.reason.evidence
    assert result.environment_steps < 20_000
    assert (result.returns == -3).all()
    assert result.returns.shape == (100,)
    assert result.policy([1.0, 1.0]) == 1


def test_learns_vectors_of_numbers():
    """The farther the action is from .5 the worse, by a state that does not matter."""
    @dataclasses.dataclass(frozen=True)
    class Aim(Counter):
        end: int = 4

        def step(self, state, action, key):
            state, _, terminated = super().step(state, action, key)
            return state, -jnp.sum((action - 0.5) ** 2), terminated

    result = QUICK.train(Aim(), steps=20_000, stop=None)
    assert result.returns.mean() > -4 * 2 * 0.01
    np.testing.assert_allclose(result.policy([0.5]), [0.5, 0.5], atol=0.1)


def test_budget_is_in_steps_of_the_environment():
    result = QUICK.train(Walk(), steps=100, stop=None)
    assert (result.reason.name, result.environment_steps, result.run.step) == ("budget", 128, 16)
    assert result.reason.evidence == "128 steps in the environment were made"
    assert set(result.history.columns) >= {"policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction",
                                           "episode_return", "episode_length", "environment_steps", "learning_rate"}
    assert result.history["environment_steps"][-1] == 128


def test_seconds_end_it_too():
    assert QUICK.train(Walk(), seconds=0.01, stop=None).reason.evidence.startswith("the 0.01 seconds were used up")


def test_an_annealed_rate_falls_to_nothing():
    rate = dataclasses.replace(QUICK, learning_rate=Polynomial(1e-3)).train(Walk(), steps=256, stop=None)
    np.testing.assert_allclose(rate.history["learning_rate"], 1e-3 * (1 - np.arange(32) / 32), rtol=1e-5)


def test_luck_is_not_taken_for_a_solution(monkeypatch):
    def train(solved_at):
        monkeypatch.setattr(Coin, "solved_at", solved_at)
        return QUICK.train(Coin(), steps=256)

    told = train(2.0).history.validation
    mean, sure = told["return"][0], told["sure_return"][0]
    assert sure == pytest.approx(mean - 2 * math.sqrt((1 - mean**2) / 100))  # returns of 1 and -1
    assert train(mean - 0.01).reason.name == "budget"
    assert train(sure - 0.01).reason.name == "reached"


def test_a_target_of_divergence_is_kept_to():
    """With a rate that is much too large, the policy moves until it is beyond, and waits for the next rollout."""
    wild = dataclasses.replace(QUICK, learning_rate=0.02, target_kl=0.01, epochs=8)
    history = wild.train(Walk(), steps=640, stop=None).history
    passed = history["passed_over"].reshape(-1, 16)
    assert not passed[:, 0].any()
    assert (np.diff(passed.astype(int), axis=1) >= 0).all()
    assert passed.any()
    moved = history["update_norm"] > 0
    assert np.array_equal(moved, ~history["passed_over"].astype(bool))


def test_a_network_of_ones_own(tmp_path):
    @jax.tree_util.register_pytree_node_class
    class Linear:
        def __init__(self, weight):
            self.weight = weight

        def __call__(self, observations):
            scores = observations @ self.weight
            return Categorical(scores[:, :2]), scores[:, 2]

        def tree_flatten(self):
            return (self.weight,), None

        @classmethod
        def tree_unflatten(cls, _, leaves):
            return cls(*leaves)

    result = QUICK.train(Walk(), steps=20_000, network=Linear(np.zeros((2, 3), np.float32)))
    assert result.reason.name == "reached"
    result.policy.save(tmp_path / "policy")
    loaded = Policy.load(tmp_path / "policy", Linear(np.ones((2, 3), np.float32)))
    np.testing.assert_array_equal(loaded.network.weight, result.policy.network.weight)
    assert [episode.earned for episode in play(loaded, 2, environment=Walk())] == [-3.0, -3.0]
    with pytest.raises(InputError, match=r"a network of one's own: give network=, one like that which was trained"):
        Policy.load(tmp_path / "policy")
    with pytest.raises(CheckpointError, match=r"float32\[2, 4\] here, but float32\[2, 3\] in the checkpoint"):
        Policy.load(tmp_path / "policy", Linear(np.ones((2, 4), np.float32)))


class KilledError(Exception):
    pass


KEEPING = {"normalize_observations": True, "normalize_rewards": True, "target_kl": 0.02, "learning_rate": 0.01}


@pytest.mark.parametrize(("settings", "environment", "seeds"), [
    ({}, Walk(solved_at=None), None), (KEEPING, Counter(time_limit=4), None), (KEEPING, Counter(time_limit=4), [3, 4]),
], ids=["plain", "with all that is kept", "side by side"])  # fmt: skip
def test_kill_and_resume_is_bit_identical(tmp_path, settings, environment, seeds):
    algorithm = dataclasses.replace(QUICK, **settings)
    train = lambda **more: algorithm.train(environment, steps=640, seed=3, seeds=seeds, **more)
    whole = train()

    def kill(progress):
        if progress.step >= 21:  # in the middle of a rollout's batches
            raise KilledError

    file = Checkpoint(tmp_path / "run", every=0.0)
    with pytest.raises(KilledError):
        train(checkpoint=file, observers=[kill])
    part = train(checkpoint=file, resume=True)
    assert bits(part.run.state) == bits(whole.run.state)
    assert [bits(policy.network) for policy in part.policies] == [bits(policy.network) for policy in whole.policies]
    assert np.array_equal(part.returns, whole.returns)
    assert part.history.validation == whole.history.validation


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    file = tmp_path / "run"
    QUICK.train(Walk(), steps=64, checkpoint=file)
    with pytest.raises(CheckpointError, match=r"belongs to another run: source was .*gamma=0.99"):
        dataclasses.replace(QUICK, gamma=0.5).train(Walk(), steps=64, checkpoint=file, resume=True)


def test_equal_seeds_are_equal_trainings():
    first, second, other = (QUICK.train(Walk(), steps=128, seed=seed, stop=None).run for seed in (0, 0, 1))
    assert bits(first.params) == bits(second.params)
    assert bits(first.params) != bits(other.params)


def test_settings_may_be_tuned_to_an_environment():
    assert isinstance(PPO.tuned("Pendulum-v1"), Algorithm)
    assert PPO.tuned("Pendulum-v1", gamma=0.5).gamma == 0.5
    assert PPO.tuned("unheard of") == PPO()
