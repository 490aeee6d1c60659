"""What pages of several rooms are told and ask alike: rules, balls, and a part of a plane."""

from collections.abc import Iterable, Mapping
from typing import Any

from descend.errors import InputError
from descend.studio.messages import Fields, told_briefly
from descend.studio.racing.course import Ball
from descend.studio.racing.gallery import Window
from descend.studio.racing.rules import RacingRule

MAX_BALLS, MAX_STEPS = 12, 2000
MAX_SEED = 2**31 - 1
# Of a grid, in each direction.
MAX_CELLS = 512


def told_rules(rules: Iterable[RacingRule]) -> list[dict[str, Any]]:
    """What there is to choose from, each with the settings that slide."""
    return [
        {"name": rule.name, "title": rule.title, "paper": rule.paper, "settings": list(map(vars, rule.sliders))}
        for rule in rules
    ]


def balls_of(fields: Fields, rules: Mapping[str, RacingRule]) -> tuple[Ball, ...]:
    """The balls of a message, each a rule and its settings."""
    balls = fields.items("balls", 1, MAX_BALLS)
    return tuple(ball_of(Fields(ball, f"balls[{i}]"), rules) for i, ball in enumerate(balls))


def ball_of(fields: Fields, rules: Mapping[str, RacingRule]) -> Ball:
    """A rule and its settings. **Raises** `InputError` for what the rule refuses, too."""
    name = fields.text("rule")
    if name not in rules:
        raise InputError(f"{fields.named('rule')} must be one of {', '.join(rules)}, but is {told_briefly(name)}")
    ball = Ball(rules[name], fields.settings())
    # What the rule refuses is refused before anything is run.
    ball.rule.made(ball.settings)
    return ball


def window_of(fields: Fields) -> Window:
    """What part of the plane is asked for."""
    x0, x1, y0, y1 = fields.numbers("window", 4)
    if not (x0 < x1 and y0 < y1):
        raise InputError(f"window must be x0 < x1 and y0 < y1, but is {[x0, x1, y0, y1]}")
    return x0, x1, y0, y1


def size_of(fields: Fields) -> tuple[int, int]:
    """In how many columns and rows."""
    size = fields.items("size", 2, 2)
    if not all(type(cells) is int and 2 <= cells <= MAX_CELLS for cells in size):
        raise InputError(f"size must be two whole numbers from 2 to {MAX_CELLS}, but is {told_briefly(size)}")
    return size[0], size[1]
