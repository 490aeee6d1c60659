"""The rooms of a studio: their names, their addresses, and who answers there."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from starlette.routing import BaseRoute

from descend.studio.lessons.figures import Begun
from descend.studio.lessons.room import LessonsRoom
from descend.studio.messages import Room, frame
from descend.studio.opened import Opened
from descend.studio.own.opened_file import OpenedFile
from descend.studio.own.room import OwnRoom
from descend.studio.race.room import RaceRoom
from descend.studio.racing.course import Courses
from descend.studio.runs.library import Library
from descend.studio.runs.reports import Reports
from descend.studio.runs.room import RunsRoom


@dataclass(frozen=True)
class Place:
    """A room that a page may show. Its page is `static/NAME/index.html`; `enter` makes the engine's side of one.
    `routes`: what else is served for it."""

    name: str
    title: str
    path: str
    enter: Callable[[], Room]
    routes: tuple[BaseRoute, ...] = ()


def places(opened: Opened) -> tuple[Place, ...]:
    """The rooms of a studio, with what is opened in them; that of a file only where there is one.

    **Raises** `InputError` for a file that cannot be shown.
    """
    courses, begun = Courses(), Begun()
    library, reports = Library(opened.runs), Reports()
    rooms = [
        Place("race", "Race on a function", "/", lambda: RaceRoom(courses)),
        Place("runs", "Runs", "/runs", lambda: RunsRoom(library, reports, opened.data), reports.routes()),
        Place("lessons", "Lessons", "/lessons", lambda: LessonsRoom(begun)),
    ]
    if opened.own is not None:
        file = OpenedFile(opened.own)
        rooms.insert(1, Place("own", "Your own loss", "/own", lambda: OwnRoom(file)))
    return tuple(rooms)


def welcome(all_places: tuple[Place, ...], room: Room) -> bytes:
    """The first frame: which rooms there are, and what this one has to tell."""
    told: list[dict[str, Any]] = [{"name": one.name, "title": one.title, "path": one.path} for one in all_places]
    return frame({"kind": "welcome", "rooms": told, "version": version("descend"), **room.welcome()})
