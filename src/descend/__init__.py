"""Gradient descent as real software: trains anything differentiable, and explains how it went.

>>> import descend
>>> descend.minimize(lambda x: ((x - 1.0) ** 2).sum(), [5.0, -3.0]).reason.name
'converged'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from descend import losses, schedules, sources
from descend.engine.begin import begin
from descend.engine.checkpoint import load, restore
from descend.engine.history import History
from descend.engine.many import advance_many
from descend.engine.run import Run, advance
from descend.engine.storing import Match
from descend.engine.trainer import Checkpoint
from descend.engine.watching import Watch
from descend.errors import CheckpointError, DescendError, InputError
from descend.gradients import check_gradients
from descend.least_squares import least_squares
from descend.minimize import minimize
from descend.observers import Progress
from descend.optimizers import SGD, AdaGrad, Adam, AdamW, RMSprop
from descend.programs import keep_programs
from descend.stopping import Convergence, GradientTolerance, Plateau, Reason, Target
from descend.training import Result, Trainer

if TYPE_CHECKING:
    from descend.tasks.loading import load_model
    from descend.tasks.sweeps import SweepProgress, Swept, sweep
    from descend.tasks.table.estimators import TableClassifier, TableRegressor

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Checkpoint",
    "CheckpointError",
    "Convergence",
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
    "SweepProgress",
    "Swept",
    "TableClassifier",
    "TableRegressor",
    "Target",
    "Trainer",
    "Watch",
    "advance",
    "advance_many",
    "begin",
    "check_gradients",
    "keep_programs",
    "least_squares",
    "load",
    "load_model",
    "losses",
    "minimize",
    "restore",
    "schedules",
    "sources",
    "sweep",
]

_HOMES = {"TableClassifier": "tasks.table.estimators", "TableRegressor": "tasks.table.estimators",
          "load_model": "tasks.loading", "sweep": "tasks.sweeps", "Swept": "tasks.sweeps",
          "SweepProgress": "tasks.sweeps"}


def __getattr__(name: str) -> Any:
    """What tables need, imported where it is first asked for: who descends need not wait for what reads files."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
