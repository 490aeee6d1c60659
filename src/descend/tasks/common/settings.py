"""What a user may settle of a training, and the optimizers that there are to choose from."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from descend import optimizers
from descend.errors import InputError

OPTIMIZERS = {"sgd": optimizers.SGD, "adagrad": optimizers.AdaGrad, "rmsprop": optimizers.RMSprop,
              "adam": optimizers.Adam, "adamw": optimizers.AdamW}
# What a person may say that a target is.
TaskKind = Literal["regression", "classes"]
# What models of a table are compared by where somebody asks for it.
Metric = Literal["log-loss", "accuracy", "balanced-accuracy", "auc", "brier", "rmse", "mae"]
# Share of the examples to score on, where nobody says.
HELD_OUT = 0.2
# The model: the best of all that there are.
AUTO = "auto"
# Of a perceptron. Dropout draws a byte for each of so many layers at once.
MAX_LAYERS, MAX_WIDTH = 4, 4096


@dataclass(frozen=True)
class Settings:
    """What a user may settle; `None` is left to `descend`, but for `hold_out`: then nothing is held out.

    Of a table: `metric`, what models are compared by on rows that they have not seen, by default the log-loss or the
    squared error; `fast`, for a model soon, or `best`, for the best one, however long it takes. `hidden_layers` and
    `width`: of perceptrons. `split_seed`: of the division of the rows, where it is not to hang on `seed`.

    Of its columns: `task`, whether its target is numbers or classes; `column`, what columns are, each as "NAME=KIND" or
    "NAME=KIND:FORM"; `drop`, those that are not to be learnt from; `missing`, values that count as missing.

    Of a table's rows: `weights`, the column that tells how much each counts; `class_weights`, "balanced", or how much
    rows of a class count, as "NAME=NUMBER,…"; `test`, the table to score on, in place of a share of the rows; `group`,
    the column of whose groups none is on both sides, wherever rows are divided; `time`, the column that tells when each
    was: the latest are held out, and validated on.

    **Raises** `InputError` for numbers that make no sense, for an optimizer that there is none of, and for what cannot
    be said of rows at once.
    """

    target: str
    model: str = AUTO
    optimizer: str | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    seed: int = 0
    hold_out: float | None = HELD_OUT
    task: TaskKind | None = None
    column: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    weights: str | None = None
    class_weights: str | None = None
    test: str | None = None
    group: str | None = None
    time: str | None = None
    metric: Metric | None = None
    fast: bool = False
    best: bool = False
    split_seed: int | None = None
    hidden_layers: int | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch_size", "epochs", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"the {name.replace('_', ' ')} must be a number above 0, but is {value:g}")
        if self.hold_out is not None and not 0 < self.hold_out < 1:
            raise InputError(f"the share of rows to hold out must be between 0 and 1, but is {self.hold_out:g}")
        wholes = (("seed", 0, 2**32 - 1), ("split_seed", 0, 2**32 - 1), ("hidden_layers", 1, MAX_LAYERS),
                  ("width", 1, MAX_WIDTH))
        for name, least, most in wholes:
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InputError(f"the {name.replace('_', ' ')} must be a whole number from {least} to {most}, but is "
                                 f"{value}")
        if self.task not in (None, "regression", "classes"):
            raise InputError(f"there is no task '{self.task}': choose regression or classes")
        if self.optimizer not in (None, *OPTIMIZERS):
            raise InputError(f"there is no optimizer '{self.optimizer}': choose one of {', '.join(OPTIMIZERS)}")
        if self.metric not in (None, *get_args(Metric)):
            raise InputError(f"there is no metric '{self.metric}': choose one of {', '.join(get_args(Metric))}")
        if self.fast and self.best:
            raise InputError("--fast and --best are opposites: give one of them")
        self._refuse_two_roles()

    @property
    def of_rows(self) -> dict[str, str]:
        """The columns that say something of rows, and are not learnt from, by what they say: an option's name."""
        told = {name: getattr(self, name) for name in ("weights", "group", "time")}
        return {name: column for name, column in told.items() if column is not None}

    @property
    def dividing_seed(self) -> int:
        """By which rows are held out and dealt to folds."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def says_how_to_descend(self) -> bool:
        """Whether something was settled that only a descent in small steps has: then linear models are to make it."""
        return any((self.optimizer, self.learning_rate, self.batch_size, self.epochs))

    def _refuse_two_roles(self) -> None:
        if self.group is not None and self.time is not None:
            raise InputError("--group and --time divide the rows in two ways: give one of them")
        roles = {"target": self.target} | self.of_rows
        for name, column in roles.items():
            if also := [other for other, its in roles.items() if its == column and other != name]:
                raise InputError(f"column {column!r} is given as --{name} and as --{also[0]}: it can be one of them")


def settings_of(target: str, hold_out: float | None, test: str | None, **others: Any) -> Settings:
    """What these options settle; an option that was not given is `None`.

    **Raises** `InputError`.
    """
    if test is not None and hold_out is not None:
        raise InputError("--hold-out is for a table without --test, whose rows are held out")
    others |= {name: tuple(others.get(name) or ()) for name in ("column", "drop", "missing")}
    return Settings(target, hold_out=HELD_OUT if hold_out is None else hold_out, test=test, **others)
