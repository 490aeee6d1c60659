"""Forks of a run on its way: at its start, and after 1, 2, 4, 8, … steps."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real

import jax
import numpy as np

from descend.engine.run import Run
from descend.errors import InputError

# Bytes, if none are named: a quarter of a gigabyte.
DEFAULT_BYTES = 2**28
# Runs that there must be room for: the start, and one on the way.
MIN_RUNS = 2


@dataclass(frozen=True)
class Snapshots:
    """The runs that are kept, by their step; `room` for so many.

    Where there are more, every second one is left out, and its successors, too: after step 0 then come 2, 8, 32, …,
    later 8, 128, …. So the start is always there, and what is kept depends on how far the run has come, and on nothing
    else.
    """

    room: int = 0
    runs: Mapping[int, Run] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, asked: bool | float) -> "Snapshots":
        """None yet, with room for as many as `asked` bytes hold.

        **Raises** `InputError` if these are fewer than two, or `asked` is neither a number nor True or False.
        """
        if not (isinstance(asked, Real | np.bool_) and math.isfinite(asked)):
            raise InputError(f"snapshots must be True, False or a number of bytes, but is {asked!r}")
        most, size = DEFAULT_BYTES if isinstance(asked, bool | np.bool_) and asked else asked, nbytes(run)
        if asked and most < MIN_RUNS * size:
            raise InputError(f"snapshots={asked:g} bytes have no room for two runs of {size:,}: give at least "
                             f"{MIN_RUNS * size:,}, or True for {DEFAULT_BYTES:,}")
        return cls(int(most // size))

    def after(self, step: int) -> float:
        """The next step at which a run is to be kept."""
        if not self.room:
            return math.inf
        powers = (2**i for i in itertools.count(step.bit_length()))
        return next(power for power in powers if power in self._steps(power))

    def keep(self, run: Run) -> "Snapshots":
        """The same with this run, if it is one to be kept, and without those that it leaves no room for."""
        if not self.room:
            return self
        steps = self._steps(run.step)
        return replace(self, runs={step: kept for step, kept in {**self.runs, run.step: run}.items() if step in steps})

    def _steps(self, made: int) -> list[int]:
        """At which steps runs are kept once so many are made."""
        powers, apart = range(made.bit_length()), 1
        while 1 + len(powers[apart - 1 :: apart]) > self.room:
            apart *= 2
        return [0, *(2**i for i in powers[apart - 1 :: apart])]


def nbytes(run: Run) -> int:
    """How much memory a run has for itself, its data not counted."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(run.state))
