"""What the page of a model asks."""

from dataclasses import dataclass

from descend.studio.asked import MAX_SEED, MAX_STEPS, balls_of, size_of, window_of
from descend.studio.messages import Fields, Request
from descend.studio.racing.course import Ball
from descend.studio.racing.gallery import Point, Window
from descend.studio.racing.rules import RacingRule


@dataclass(frozen=True)
class RollRequest(Request):
    """Balls that are to roll: from a place on the plane, or from the file's own parameters; `lay`: whether the plane is
    to be laid anew, through their ways."""

    balls: tuple[Ball, ...]
    start: Point | None
    steps: int
    seed: int
    lay: bool


@dataclass(frozen=True)
class HeightsRequest(Request):
    """The surface over a window of the plane, in so many columns and rows at the most."""

    window: Window
    size: tuple[int, int]


@dataclass(frozen=True)
class SharpnessRequest(Request):
    """How the loss curves along the ways of the balls that rolled last."""


@dataclass(frozen=True)
class FileRequest(Request):
    """Whether the file has changed, or, with `again`, that it be read again."""

    again: bool


def asked_of(kind: str, fields: Fields, id: int, rules: dict[str, RacingRule]) -> Request:
    """What a message of one of the kinds asks."""
    if kind == "surface":
        return HeightsRequest(id, window_of(fields), size_of(fields))
    if kind == "sharpness":
        return SharpnessRequest(id)
    if kind in ("file", "reload"):
        return FileRequest(id, kind == "reload")
    start = None if fields.found.get("start") is None else fields.numbers("start", 2)
    return RollRequest(
        id,
        balls=balls_of(fields, rules),
        start=None if start is None else (start[0], start[1]),
        steps=fields.whole("steps", 1, MAX_STEPS),
        seed=fields.whole("seed", 0, MAX_SEED, 0),
        lay=fields.flag("lay"),
    )
