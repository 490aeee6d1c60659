"""The learner of a page: it follows what the page sets, and begins anew only where it must."""

from collections.abc import Mapping
from dataclasses import dataclass

from descend.errors import InputError
from descend.studio.playground.lesson import Lesson
from descend.studio.playground.network import Architecture, Inputs, NetworkLoss
from descend.studio.playground.own_table import Choice, OwnTable
from descend.studio.playground.points import Points
from descend.studio.playground.toys import TOYS
from descend.studio.playground.training import Conduct, Training


@dataclass(frozen=True)
class ToyChoice:
    """A toy set, and how it is drawn."""

    name: str
    count: int
    noise: float
    seed: int


@dataclass(frozen=True)
class Start:
    """What a training begins with: what is to be learned, by which network, and the seed of all that is random.

    `attempt`: another one begins anew.
    """

    data: ToyChoice | Choice
    test_share: float
    architecture: Architecture
    seed: int
    attempt: int = 0


class Learner:
    """What one page trains. `table`: what the studio was opened with, if anything; `losses`: by kind of target."""

    def __init__(self, table: OwnTable | None, losses: Mapping[str, NetworkLoss]) -> None:
        self.table, self.losses = table, losses
        self.start: Start | None = None
        self.training: Training | None = None

    def follow(self, start: Start, conduct: Conduct) -> tuple[Training, bool]:
        """The training that the page has set, and whether it begins anew.

        **Raises** `InputError` for data that cannot be learned; what was trained before is kept.
        """
        is_new = self.training is None or start != self.start
        if self.training is None or is_new:
            lesson = self._lesson(start)
            self.training = Training.begun(self.losses[lesson.points.kind], lesson, conduct, start.seed)
            self.start = start
        elif conduct != self.training.conduct:
            self.training = self.training.conducted(conduct)
        return self.training, is_new

    def advance(self, steps: int) -> Training:
        """The training after so many more steps."""
        if self.training is None:
            raise InputError("there is nothing to advance yet")
        self.training = self.training.advanced(steps)
        return self.training

    def _lesson(self, start: Start) -> Lesson:
        points = self._points(start)
        learned, tested = points.split(start.test_share, start.seed)
        return Lesson(points, learned, tested, Inputs.of(start.architecture, points, learned))

    def _points(self, start: Start) -> Points:
        """Those that are there already, unless others are asked for."""
        if self.training is not None and self.start is not None and self.start.data == start.data:
            return self.training.lesson.points
        if isinstance(start.data, ToyChoice):
            return TOYS[start.data.name].points(start.data.count, start.data.noise, start.data.seed)
        if self.table is None:
            raise InputError("this studio was opened without a table: descend studio FILE.csv opens one")
        return self.table.points(start.data)
