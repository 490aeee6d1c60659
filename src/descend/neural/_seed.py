"""The seed of a training."""

from typing import Any

from sklearn.utils import check_random_state

from descend.errors import InputError


def seed_of(random_state: Any, checkpoint: Any) -> int:
    """The seed that an estimator's `random_state` stands for.

    **Raises** `InputError` where the training is saved, and could never go on, as each call would have another seed.
    """
    if checkpoint is not None and random_state is None:
        raise InputError("checkpoint needs a random_state, such as random_state=0: without one every training has "
                         "another seed, and none goes on from the file")
    return int(check_random_state(random_state).randint(2**31 - 1))
