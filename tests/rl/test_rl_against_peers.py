"""Advantages, probabilities and losses against those of stable-baselines3."""

import jax
import numpy as np
import pytest

from descend.rl import ActorCritic, Categorical, Gaussian
from descend.rl._advantages import advantages
from descend.rl._losses import PolicyLoss
from descend.rl._steps import EpisodeStatistics, Rollout, Steps
from descend.rl.environments import Box, Discrete

pytestmark = pytest.mark.peers
pytest.importorskip("stable_baselines3", reason="a peer: pip install stable-baselines3")

rng = np.random.default_rng(3)
T, N = 16, 4


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model_of(kind, name, **settings):
    import gymnasium
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.logger import Logger

    environment = gymnasium.make(name)
    of_kind = {"PPO": PPO, "A2C": A2C}[kind]
    model = of_kind("MlpPolicy", environment, n_steps=T, learning_rate=0.0, device="cpu", **settings)
    model.set_logger(Logger(None, []))
    model._current_progress_remaining = 1.0
    return model


def network_of(model, actions):
    """Our network with the weights of theirs, made larger so that they say something."""
    import torch

    policy = model.policy
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.copy_(torch.as_tensor(rng.normal(0, 0.3, parameter.shape)))
    parts = policy.mlp_extractor
    linear = [layer for net in (parts.policy_net, policy.action_net, parts.value_net, policy.value_net)
              for layer in net.modules() if hasattr(layer, "weight")]  # fmt: skip
    arrays = [a for layer in linear for a in (layer.weight.detach().numpy().T, layer.bias.detach().numpy())]
    if isinstance(actions, Box):
        arrays.append(policy.log_std.detach().numpy())
    flat = np.concatenate([a.ravel() for a in arrays])
    return ActorCritic(jax.numpy.asarray(flat), model.observation_space.shape, actions)


def filled(model, actions):
    """A rollout buffer of theirs with numbers of ours in it, and the same as a batch of ours."""
    import torch

    buffer, size = model.rollout_buffer, T
    seen = rng.normal(size=(size, 1, *model.observation_space.shape)).astype(np.float32)
    action = rng.integers(actions.n, size=(size, 1)) if isinstance(actions, Discrete) else rng.normal(
        size=(size, 1, *actions.shape)
    ).astype(np.float32)
    buffer.reset()
    with torch.no_grad():
        value, log_prob, _ = model.policy.evaluate_actions(torch.as_tensor(seen[:, 0]), torch.as_tensor(action[:, 0]))
    old = log_prob.numpy() + rng.normal(0, 0.2, size).astype(np.float32)
    old_value = value.numpy()[:, 0] + rng.normal(0, 0.3, size).astype(np.float32)
    for t in range(size):
        buffer.add(seen[t], action[t].reshape(1, -1), np.zeros(1), np.zeros(1), torch.as_tensor(old_value[t : t + 1]),
                   torch.as_tensor(old[t : t + 1]))  # fmt: skip
    buffer.advantages[:, 0] = rng.normal(size=size)
    buffer.returns[:] = buffer.advantages + buffer.values
    steps = Steps(seen[:, 0], action[:, 0], old, buffer.values[:, 0], buffer.advantages[:, 0], buffer.returns[:, 0])
    return Rollout(steps, EpisodeStatistics.start(), None, True)


WORLDS = [("CartPole-v1", Discrete(2)), ("Pendulum-v1", Box((-2.0,), (2.0,)))]


def test_advantages_are_theirs():
    import gymnasium
    import torch
    from stable_baselines3.common.buffers import RolloutBuffer

    space = gymnasium.spaces.Discrete(2)
    buffer = RolloutBuffer(T, gymnasium.spaces.Box(-1, 1, (1,)), space, "cpu", gae_lambda=0.9, gamma=0.97, n_envs=N)
    rewards, values = rng.normal(size=(2, T, N)).astype(np.float32)
    starts, last = rng.random((T, N)) < 0.2, rng.normal(size=N).astype(np.float32)
    done = np.concatenate([starts[1:], rng.random((1, N)) < 0.5])
    for t in range(T):
        nothing = np.zeros((N, 1))
        buffer.add(nothing, nothing, rewards[t], starts[t], torch.as_tensor(values[t]), torch.zeros(N))
    buffer.compute_returns_and_advantage(torch.as_tensor(last), done[-1])
    following = np.concatenate([values[1:], last[None]])
    mine = advantages(rewards, values, following, done, done, 0.97, 0.9)
    np.testing.assert_allclose(mine, buffer.advantages, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mine + values, buffer.returns, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "actions"), WORLDS)
def test_probabilities_values_and_entropies_are_theirs(name, actions):
    import torch

    model = model_of("PPO", name, batch_size=T)
    network, batch = network_of(model, actions), filled(model, actions)
    law, value = network(batch.steps.observation)
    assert isinstance(law, Categorical if isinstance(actions, Discrete) else Gaussian)
    with torch.no_grad():
        values, log_prob, entropy = model.policy.evaluate_actions(
            torch.as_tensor(batch.steps.observation), torch.as_tensor(batch.steps.action)
        )
    np.testing.assert_allclose(value, values[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(law.log_prob(batch.steps.action), log_prob, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(law.entropy(), entropy, rtol=1e-4)


@pytest.mark.parametrize(("name", "actions"), WORLDS)
def test_losses_of_ppo_are_theirs(name, actions):
    """All but the clipped error of the critic: theirs is not the larger one of two, as the paper's authors have it."""
    model = model_of("PPO", name, batch_size=T, n_epochs=1, clip_range=0.15, ent_coef=0.01)
    network, batch = network_of(model, actions), filled(model, actions)
    # Their spread of advantages is that of a sample, n − 1, ours that of a batch, n.
    model.normalize_advantage = False
    model.train()
    told = model.logger.name_to_value
    value, mine = PolicyLoss(0.5, 0.01, normalize_advantage=False, clip=0.15)(network, batch)
    for ours, theirs, sign in (("policy_loss", "policy_gradient_loss", 1), ("value_loss", "value_loss", 1),
                               ("entropy", "entropy_loss", -1), ("approx_kl", "approx_kl", 1),
                               ("clip_fraction", "clip_fraction", 1)):  # fmt: skip
        np.testing.assert_allclose(mine[ours], sign * told[f"train/{theirs}"], rtol=1e-4, atol=1e-6, err_msg=ours)
    np.testing.assert_allclose(value, told["train/loss"], rtol=1e-4)
    assert 0 < mine["clip_fraction"] < 1


@pytest.mark.parametrize(("name", "actions"), WORLDS)
def test_losses_of_a2c_are_theirs(name, actions):
    model = model_of("A2C", name, ent_coef=0.02)
    network, batch = network_of(model, actions), filled(model, actions)
    model.train()
    told = model.logger.name_to_value
    _, mine = PolicyLoss(0.5, 0.02, normalize_advantage=False)(network, batch)
    np.testing.assert_allclose(mine["policy_loss"], told["train/policy_loss"], rtol=1e-4)
    np.testing.assert_allclose(mine["value_loss"], told["train/value_loss"], rtol=1e-4)
    np.testing.assert_allclose(mine["entropy"], -told["train/entropy_loss"], rtol=1e-4)
