"""The room "Lessons": pages, and their figures as frames."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from descend.studio.lessons.asking import (
    FigureRequest,
    GroundRequest,
    PageRequest,
    figure_of,
    lesson_of,
    setup_of,
)
from descend.studio.lessons.catalogue import LESSONS
from descend.studio.lessons.figures import Begun, Drawn
from descend.studio.messages import Fields, Request, frame, given_up

# Seconds, after which a figure whose programs are being compiled gives way to a newer one.
LONG = 0.1


class LessonsRoom:
    """A page that shows lessons. What was begun for their figures is shared by all pages."""

    # To open a lesson waits for no figure.
    lanes: ClassVar[Mapping[str, tuple[str, ...]]] = {"lessons": ("lesson",), "engine": ("ground", "figure")}

    def __init__(self, begun: Begun) -> None:
        self.begun = begun

    def welcome(self) -> dict[str, Any]:
        """Which lessons there are."""
        return {"lessons": [{"name": lesson.name, "title": lesson.title} for lesson in LESSONS]}

    def request(self, kind: str, fields: Fields, id: int) -> Request:
        """A lesson, or a part of a figure."""
        if kind == "lesson":
            return PageRequest(id, lesson_of(fields))
        figure = figure_of(fields)
        return GroundRequest(id, figure) if kind == "ground" else FigureRequest(id, figure, setup_of(fields, figure))

    def frames(self, request: Request, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        """Of a lesson and a ground one frame, of a figure one for each ball and one that says that this was all."""
        if isinstance(request, PageRequest):
            yield frame({"kind": "lesson", "id": request.id, "last": True, **request.lesson.told()})
        elif isinstance(request, GroundRequest):
            yield _framed("ground", request.id, request.figure.ground(), last=True)
        elif isinstance(request, FigureRequest):
            yield from self._moving(request, is_newer)

    def close(self) -> None:
        """Nothing is kept for a page."""

    def _moving(self, request: FigureRequest, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        begin = time.perf_counter()
        for i, ball in enumerate(request.figure.balls(request.setup, self.begun)):
            yield _framed("ball", request.id, ball, ball=i)
            if (seconds := time.perf_counter() - begin) > LONG and is_newer():
                yield given_up(request.id, seconds)
                return
        yield frame({"kind": "done", "id": request.id, "seconds": time.perf_counter() - begin, "last": True})


def _framed(kind: str, id: int, drawn: Drawn, **more: Any) -> bytes:
    return frame({"kind": kind, "id": id, **drawn.head, **more}, drawn.numbers)
