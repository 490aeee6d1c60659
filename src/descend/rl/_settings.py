"""Refusing settings of an algorithm that mean nothing."""

import math

from descend._flags import settle_flags
from descend.errors import InputError
from descend.rl._algorithm import OnPolicyAlgorithm

# Which of these an algorithm has, differs: what it has not got is not looked at.
COUNTS = ("num_envs", "num_steps", "epochs", "minibatches")
RANGES = {
    "gamma": (0.0, 1.0), "gae_lambda": (0.0, 1.0), "max_grad_norm": (0.0, math.inf), "entropy": (0.0, math.inf),
    "value_coefficient": (0.0, math.inf), "clip": (0.0, math.inf), "value_clip": (0.0, math.inf),
    "target_kl": (0.0, math.inf),
}  # fmt: skip


def refuse_settings(algorithm: OnPolicyAlgorithm) -> None:
    """Refuse flags that are none, counts below one, numbers out of their range, and parts that no rollout divides into.
    """
    settle_flags(algorithm)
    name = type(algorithm).__name__
    for field in COUNTS:
        value = getattr(algorithm, field, 1)
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{name}: {field} must be a whole number of at least 1, but is {value!r}")
    for field, (low, high) in RANGES.items():
        value = getattr(algorithm, field, None)
        if value is not None and not low <= value <= high:
            raise InputError(f"{name}: {field} must be between {low:g} and {high:g}, but is {value!r}")
    size, parts = algorithm.num_envs * algorithm.num_steps, algorithm.passes.minibatches
    if size % parts:
        raise InputError(f"{name}: a rollout of {algorithm.num_envs} × {algorithm.num_steps} = {size} steps cannot be "
                         f"divided into {parts} minibatches of one size")
    # The spread of one number is 0, and no advantage can be divided by it.
    if size // parts < 2 and algorithm.normalize_advantage:
        raise InputError(f"{name}: normalize_advantage needs batches of at least 2 steps, but they have 1")
