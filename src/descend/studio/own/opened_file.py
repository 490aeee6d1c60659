"""The file that is open in a studio: read when the studio starts, and again when a page asks for it."""

from pathlib import Path

from descend.studio.own.balls import Balls
from descend.studio.own.ground import Ground
from descend.studio.own.model_file import Model, read_model
from descend.studio.own.rules import rules_of
from descend.studio.racing.rules import RacingRule


class Loaded:
    """A model to race on: its ground, the rules that race there, and the runs that were begun."""

    def __init__(self, model: Model) -> None:
        self.ground = Ground(model)
        self.rules: dict[str, RacingRule] = rules_of(self.ground)
        self.balls = Balls(self.ground)


class OpenedFile:
    """The file, as it was read last without an error: what pages that are opened show.

    **Raises** `InputError` for a file that cannot be shown.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._read_at = self._changed_at()
        self.loaded = Loaded(read_model(self.path))

    @property
    def has_changed(self) -> bool:
        """Whether the file is another than was read."""
        return self._changed_at() != self._read_at

    def read_again(self) -> None:
        """Read it anew; if that fails, pages go on with what was read before."""
        self._read_at = self._changed_at()
        self.loaded = Loaded(read_model(self.path))

    def _changed_at(self) -> int:
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0
