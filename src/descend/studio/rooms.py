"""The rooms of a studio: their names, their addresses, and who answers there."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from descend.studio.messages import Room, frame
from descend.studio.opened import Opened
from descend.studio.race.room import RaceRoom
from descend.studio.racing.course import Courses


@dataclass(frozen=True)
class Place:
    """A room that a page may show. Its page is `static/NAME/index.html`; `enter` makes the engine's side of one."""

    name: str
    title: str
    path: str
    enter: Callable[[], Room]


def places(opened: Opened) -> tuple[Place, ...]:  # noqa: ARG001  # rooms that show it come next
    """The rooms of a studio, with what is opened in them."""
    courses = Courses()
    return (Place("race", "Race on a function", "/", lambda: RaceRoom(courses)),)


def welcome(all_places: tuple[Place, ...], room: Room) -> bytes:
    """The first frame: which rooms there are, and what this one has to tell."""
    told: list[dict[str, Any]] = [{"name": one.name, "title": one.title, "path": one.path} for one in all_places]
    return frame({"kind": "welcome", "rooms": told, "version": version("descend"), **room.welcome()})
