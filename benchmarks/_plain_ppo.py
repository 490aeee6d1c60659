"""PPO as CleanRL publishes it, from its description, as a plain loop in PyTorch.

Environments side by side that begin anew within a step; orthogonal weights; Adam with an ε of 1e-5 and a rate that
falls to nothing; generalised advantages; shuffled minibatches; advantages normalised in each; the clipped surrogate;
the critic's error clipped likewise; one loss, with the norm of its gradient cut down to ½. As there, an episode that is
cut off by its time limit counts as one that ended.

Reference: Huang et al., "CleanRL: high-quality single-file implementations of deep reinforcement learning algorithms",
2022; and "The 37 implementation details of proximal policy optimization", 2022.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn


def learn(
    name: str, budget: int, seed: int, at_rollout: Callable[[int, Any], None], *, envs: int, steps: int, epochs: int,
    batch: int, gamma: float, gae_lambda: float, rate: float,
) -> None:  # fmt: skip
    """Train in an environment with numbered actions; `at_rollout` is told the steps made, and given both networks."""
    import gymnasium

    torch.manual_seed(seed)
    side_by_side: Any = gymnasium.vector.SyncVectorEnv(
        [lambda: gymnasium.make(name)] * envs, autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP
    )
    inputs, outputs = side_by_side.single_observation_space.shape[0], int(side_by_side.single_action_space.n)
    actor, critic = _network(inputs, outputs, 0.01), _network(inputs, 1, 1.0)
    parameters = [*actor.parameters(), *critic.parameters()]
    adam = torch.optim.Adam(parameters, lr=rate, eps=1e-5)
    seen = torch.tensor(side_by_side.reset(seed=seed)[0])
    done = torch.zeros(envs)
    rollouts = math.ceil(budget / (envs * steps))
    for rollout in range(rollouts):
        for group in adam.param_groups:
            group["lr"] = rate * (1 - rollout / rollouts)
        rows: list[tuple[torch.Tensor, ...]] = []
        for _ in range(steps):
            with torch.no_grad():
                chances = torch.distributions.Categorical(logits=actor(seen))
                action, value = chances.sample(), critic(seen).flatten()
            after, reward, terminated, truncated, _ = side_by_side.step(action.numpy())
            reward = torch.tensor(np.asarray(reward, np.float32))
            rows.append((seen, action, chances.log_prob(action), value, reward, done))
            seen, done = torch.tensor(after), torch.tensor((terminated | truncated).astype(np.float32))
        stacked = [torch.stack(column) for column in zip(*rows, strict=True)]
        with torch.no_grad():
            advantage = _advantages(stacked[3:], critic(seen).flatten(), done, gamma, gae_lambda)
        data = [x.flatten(0, 1) for x in (*stacked[:4], advantage, advantage + stacked[3])]
        for _ in range(epochs):
            for index in torch.randperm(envs * steps).split(batch):
                adam.zero_grad()
                _loss(actor, critic, *(x[index] for x in data)).backward()
                nn.utils.clip_grad_norm_(parameters, 0.5)
                adam.step()
        at_rollout((rollout + 1) * envs * steps, (actor, critic))


def _network(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    sizes, gains = [(inputs, 64), (64, 64), (64, outputs)], [math.sqrt(2), math.sqrt(2), gain]
    layers: list[nn.Module] = []
    for (m, n), factor in zip(sizes, gains, strict=True):
        linear = nn.Linear(m, n)
        nn.init.orthogonal_(linear.weight, factor)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _advantages(
    played: list[torch.Tensor], value: torch.Tensor, done: torch.Tensor, gamma: float, gae_lambda: float
) -> torch.Tensor:
    """From the values, the rewards and whether an episode began, and from what came after the last of them."""
    values, rewards, begun = played
    found, ahead = torch.zeros_like(values), torch.zeros_like(value)
    for t in reversed(range(len(values))):
        goes_on = 1 - done
        ahead = rewards[t] + gamma * value * goes_on - values[t] + gamma * gae_lambda * goes_on * ahead
        found[t], value, done = ahead, values[t], begun[t]
    return found


def _loss(
    actor: nn.Module, critic: nn.Module, seen: Any, action: Any, log_prob: Any, value: Any, advantage: Any, target: Any
) -> torch.Tensor:
    now = torch.distributions.Categorical(logits=actor(seen)).log_prob(action)
    ratio = (now - log_prob).exp()
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    gain = torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
    thought = critic(seen).flatten()
    kept = value + (thought - value).clamp(-0.2, 0.2)
    error = torch.maximum((thought - target) ** 2, (kept - target) ** 2).mean()
    return -gain + 0.25 * error  # ½ of ½ the squared error
