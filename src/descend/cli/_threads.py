"""The threads that XLA has in a command's process."""

import os

from jax._src import xla_bridge

# What XLA looks at as it starts, the first before the second.
VARIABLES = ("PJRT_NPROC", "NPROC")


def one_for_each_step() -> None:
    """Have XLA make each step in one thread, unless somebody has said otherwise, or XLA has already started.

    A table's network takes some 64 rows in a step. To divide their products between two cores takes as long as one core
    takes for the whole, and half as much again of the processors' time. And no number hangs on how many there are.
    """
    if not xla_bridge.backends_are_initialized() and not any(os.environ.get(name) for name in VARIABLES):
        os.environ[VARIABLES[0]] = "1"
