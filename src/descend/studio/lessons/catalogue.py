"""The lessons in their order, and the figures of each."""

from dataclasses import dataclass
from typing import Any

from descend.studio.lessons.figures import Figure
from descend.studio.lessons.pages import html, markdown
from descend.studio.lessons.shown import adaptive, basics, noisy


@dataclass(frozen=True)
class Lesson:
    """A page, by its name, which is that of its file, with the figures that it may show."""

    name: str
    figures: tuple[Figure, ...]

    @property
    def title(self) -> str:
        """The heading of its page."""
        return markdown(self.name).partition("\n")[0].removeprefix("# ")

    def told(self) -> dict[str, Any]:
        """All that the page shows before the engine is asked."""
        before, behind = html(self.name)
        figures = [figure.told() for figure in self.figures]
        return {"name": self.name, "title": self.title, "before": before, "behind": behind, "figures": figures}


LESSONS = (
    Lesson("gradient", basics.FIT),
    Lesson("optimization", basics.SHAPES),
    Lesson("convexity", basics.CHORDS),
    Lesson("one-dimension", basics.ONE_DIMENSION),
    Lesson("two-dimensions", basics.TWO_DIMENSIONS),
    Lesson("newton", basics.CURVATURE),
    Lesson("stochastic", noisy.STOCHASTIC),
    Lesson("mini-batches", noisy.MINI_BATCHES),
    Lesson("momentum", adaptive.WITH_MOMENTUM),
    Lesson("adagrad", adaptive.WITH_ADAGRAD),
    Lesson("rmsprop", adaptive.WITH_RMSPROP),
    Lesson("adadelta", adaptive.WITH_ADADELTA),
    Lesson("adam", adaptive.WITH_ADAM),
    Lesson("schedules", noisy.SCHEDULES),
)
LESSON_BY_NAME = {lesson.name: lesson for lesson in LESSONS}
