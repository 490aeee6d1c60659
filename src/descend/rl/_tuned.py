"""All settings that are not an algorithm's defaults: per environment, and only where the defaults do not do."""

from typing import Any

# Steps in an environment that neither a caller nor the table below says more of.
DEFAULT_BUDGET = 1_000_000

BUDGETS = {
    "CartPole-v1": 300_000,
    "Pendulum-v1": 500_000,
    "LunarLander-v3": 1_500_000,
}

TUNED: dict[str, dict[str, dict[str, Any]]] = {
    "PPO": {
        "Pendulum-v1": {"num_envs": 4, "num_steps": 1024, "minibatches": 64, "gamma": 0.9},
        "LunarLander-v3": {"num_envs": 16, "num_steps": 1024, "epochs": 4, "minibatches": 256, "gamma": 0.999,
                           "gae_lambda": 0.98, "entropy": 0.01, "learning_rate": 3e-4},
    },
    "A2C": {},
    "Reinforce": {},
}
