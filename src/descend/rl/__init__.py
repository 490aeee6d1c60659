"""Reinforcement learning: policies, optimised by the same engine. A source that plays, a loss, a face.

>>> from descend.rl import PPO
>>> result = PPO(num_envs=4, num_steps=64).train("CartPole-v1", steps=1024, stop=None)
>>> result.policy([0.0, 0.0, 0.1, 0.0]) in (0, 1)
True
"""

from descend.rl import environments
from descend.rl._distributions import Categorical, Gaussian
from descend.rl._network import ActorCritic, Network
from descend.rl._result import Result
from descend.rl._tuned import BUDGETS, TUNED
from descend.rl.algorithms import A2C, PPO, Algorithm, Reinforce
from descend.rl.policy import Policy

__all__ = [
    "A2C",
    "BUDGETS",
    "PPO",
    "TUNED",
    "ActorCritic",
    "Algorithm",
    "Categorical",
    "Gaussian",
    "Network",
    "Policy",
    "Reinforce",
    "Result",
    "environments",
]
