"""Gradient descent as real software: trains anything differentiable, and explains how it went.

>>> import descend
>>> descend.minimize(lambda x: ((x - 1.0) ** 2).sum(), [5.0, -3.0]).reason.name
'converged'
"""

from descend import losses, schedules, sources
from descend._drive import Checkpoint
from descend.checkpoint import Match, restore
from descend.descent import Run, advance, fork
from descend.errors import CheckpointError, DescendError, InputError
from descend.gradients import check_gradients
from descend.history import History
from descend.minimize import Result, minimize
from descend.observers import Progress
from descend.optimizers import SGD, AdaGrad, Adam, AdamW, RMSprop
from descend.programs import keep_programs
from descend.stopping import GradientTolerance, Plateau, Reason, Target

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Checkpoint",
    "CheckpointError",
    "DescendError",
    "GradientTolerance",
    "History",
    "InputError",
    "Match",
    "Plateau",
    "Progress",
    "RMSprop",
    "Reason",
    "Result",
    "Run",
    "Target",
    "advance",
    "check_gradients",
    "fork",
    "keep_programs",
    "losses",
    "minimize",
    "restore",
    "schedules",
    "sources",
]
