"""All settings that are not an algorithm's defaults: per environment, and only where the defaults do not do."""

from typing import Any

STEPS = 1_000_000  # in an environment, where nobody says

BUDGETS = {
    "CartPole-v1": 300_000,
    "Pendulum-v1": 500_000,
    "LunarLander-v3": 1_500_000,
}

TUNED: dict[str, dict[str, dict[str, Any]]] = {
    "PPO": {
    },
    "A2C": {},
    "Reinforce": {},
}
