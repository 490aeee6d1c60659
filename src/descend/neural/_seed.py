"""The seed of a training."""

from pathlib import Path

import numpy as np
from sklearn.utils import check_random_state

from descend.engine.trainer import Checkpoint
from descend.errors import InputError


def seed_of(
    random_state: int | np.random.RandomState | None, checkpoint: str | Path | Checkpoint | None
) -> int:
    """The seed that an estimator's `random_state` stands for.

    **Raises** `InputError` where the training is saved, and could never go on, as each call would have another seed.
    """
    if checkpoint is not None and random_state is None:
        raise InputError("checkpoint needs a random_state, such as random_state=0: without one every training has "
                         "another seed, and none goes on from the file")
    # One number from any of scikit-learn's kinds of random states: the engine's randomness is a function of a seed.
    return int(check_random_state(random_state).randint(2**31 - 1))
