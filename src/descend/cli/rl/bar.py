"""The live line of a policy's training."""

import dataclasses
import math

import numpy as np

from descend.cli._console import Console
from descend.observers import Progress
from descend.observers.progress import ProgressBar

SHOWN = ("episode_return", "episode_length", "approx_kl", "entropy")


class PolicyBar(ProgressBar):
    """A progress bar that counts in steps of the environment, of which an update of the network has `per_update`."""

    def __init__(self, title: str, console: Console, per_update: float):
        super().__init__(title, console)
        self._per_update = per_update

    def __call__(self, progress: Progress) -> None:
        super().__call__(in_steps(progress, self._per_update))


def in_steps(progress: Progress, per_update: float) -> Progress:
    """The progress in steps of the environment, with what is worth knowing of a policy; the median, of several."""
    told = {name: float(np.median(progress.latest[name])) for name in SHOWN if name in progress.latest}
    judged = {"return": progress.validation["return"]} if "return" in progress.validation else {}
    return dataclasses.replace(
        progress,
        step=round(progress.step * per_update),
        steps=progress.steps and round(progress.steps * per_update),
        latest={name: value for name, value in told.items() if math.isfinite(value)},
        validation=judged,
        steps_per_second=progress.steps_per_second * per_update,
    )
