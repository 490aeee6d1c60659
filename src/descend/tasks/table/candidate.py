"""What a kind of model for tables is: the contract of those that `descend fit` trains and chooses among.

`descend.tasks.table.registry` has all of them. `docs/extending.md` has the smallest example of one more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from descend._facts import Facts
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.fitted import Predictor, Trained
from descend.tasks.common.section import Section
from descend.tasks.common.target import Target
from descend.tasks.table.preparing import TablePrepared
from descend.training import Trainer


@dataclass(frozen=True)
class Findings:
    """What there is to say of a trained model besides its score.

    - `section`: of the report.
    - `facts`: for `metrics.json`, by the candidate's name.
    - `brief`: a line at the command's end.
    - `files`: what is written to the run's folder, by the names of the files.
    """

    section: Section | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    brief: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


@runtime_checkable
class Candidate(Protocol):
    """A kind of model for tables. Those that inherit from it need `name`, `title`, `fit` and `load` alone.

    - `name`: what `--model` and `metrics.json` call it. `title`: what sentences call it.
    - `only_best`: whether it is tried only where somebody asks for the best model, or for it by its name.
    - `has_layers`: whether `--hidden-layers` and `--width` say something of it.
    - `runs_aside`: whether `fit` may run on a thread beside another's. It must then compute outside of Python mostly.
    """

    name: str
    title: str
    only_best: bool = False
    has_layers: bool = False
    runs_aside: bool = False

    def suits(self, target: Target) -> bool:
        """Whether it can learn such a target."""
        return True

    def fit(self, prepared: TablePrepared, context: TrainingContext) -> Trained:
        """Train a model, and predict the rows that are validated on by models that have not seen them."""
        ...

    def checkpoint_in(self, folder: Path | None) -> Path | None:
        """The file of a folder of checkpoints that its training is saved in."""
        return folder and folder / f"{self.name}.safetensors"

    def begun(self, prepared: TablePrepared, context: TrainingContext) -> tuple[Trainer, np.ndarray] | None:
        """Its training, to be examined or taken further from outside, and the held-out rows as it is fed them; none of
        what is not trained in steps."""
        return None

    def findings(self, trained: Trained, prepared: TablePrepared, target: str, is_chosen: bool) -> Findings:
        """What there is to say of what `fit` returned; `target`: the name of the column that is predicted."""
        return Findings()

    def reads(self, kind: str, predictor: Facts) -> bool:
        """Whether a stored model is one of these, by its kind and its facts."""
        return kind == self.name

    def load(
        self, kind: str, predictor: Facts, arrays: Mapping[str, np.ndarray], features: int, target: Target
    ) -> Predictor:
        """The predictor that `to_parts` took apart, for so many features.

        The file may be anybody's: facts are to be asked for by type and range, and arrays by shape (`descend._facts`).

        **Raises** `CheckpointError` if it is something else.
        """
        ...
