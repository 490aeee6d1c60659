"""The rooms of a studio: their names, their addresses, and who answers there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
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
from descend.studio.runs.listing import Listing
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

    **Raises** `InputError` for a file or a table that cannot be shown.
    """
    courses, begun = Courses(), Begun()
    listing, reports = Listing(opened.runs), Reports()
    rooms = [
        Place("race", "Race on a function", "/", lambda: RaceRoom(courses)),
        Place("playground", "Playground", "/playground", playground(opened.table)),
        Place("runs", "Runs", "/runs", lambda: RunsRoom(listing, reports, opened.data), reports.routes()),
        Place("lessons", "Lessons", "/lessons", lambda: LessonsRoom(begun)),
    ]
    if opened.own is not None:
        file = OpenedFile(opened.own)
        rooms.insert(1, Place("own", "Your own loss", "/own", lambda: OwnRoom(file.loaded, file)))
    return tuple(rooms)


def playground(source: str | None) -> Callable[[], Room]:
    """What makes the engine's side of a playground, with a table if there is one."""
    # Networks, and what reads tables, are imported where somebody wants them: it takes seconds.
    table = None
    if source is not None:
        from descend.studio.playground.own_table import OwnTable

        table = OwnTable.read(source)

    @cache
    def losses() -> Mapping[str, Any]:
        from descend.studio.playground.network import NetworkLoss

        # Shared by all pages: what is compiled belongs to them.
        return {kind: NetworkLoss(kind) for kind in ("classification", "regression")}

    def enter() -> Room:
        from descend.studio.playground.room import PlaygroundRoom

        return PlaygroundRoom(table, losses())

    return enter


def welcome(all_places: tuple[Place, ...], room: Room) -> bytes:
    """The first frame: which rooms there are, and what this one has to tell."""
    told: list[dict[str, Any]] = [{"name": one.name, "title": one.title, "path": one.path} for one in all_places]
    return frame({"kind": "welcome", "rooms": told, "version": version("descend"), **room.welcome()})
