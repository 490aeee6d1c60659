"""What a training goes by besides the examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from descend.engine.interruption import Interruption
from descend.observers import Observer
from descend.tasks.common.settings import Settings


@dataclass(frozen=True)
class TrainingContext:
    """What a training goes by besides the rows.

    - `settings`: what the user settled.
    - `interrupted`: is set by Ctrl-C and SIGTERM: what was reached by then is to be returned, with that reason.
    - `seconds`: how long the training may take.
    - `observers`: who looks on; each is called with a `descend.Progress` now and then.
    - `share`: of a training in steps, how much of it is to be made by now; there it rests, at a validation.
    - `checkpoint`: the file to save the training in, if it takes long. `resume`: whether to go on from there.
    """

    settings: Settings
    interrupted: Interruption
    seconds: float | None = None
    observers: Sequence[Observer] = ()
    checkpoint: Path | None = None
    resume: bool = False
    share: float = 1.0

    @property
    def says_nothing(self) -> bool:
        """Whether nobody said how to descend, nor for how long."""
        return self.seconds is None and not (self.settings.says_how_to_descend or self.settings.fast)
