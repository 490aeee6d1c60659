"""What several rooms offer and ask: an optimizer with its settings."""

from typing import Any

from descend.errors import InputError
from descend.studio.messages import Fields, told_briefly
from descend.studio.racing import rules
from descend.studio.racing.course import Ball


def told_rules() -> list[dict[str, Any]]:
    """The rules that there are, each with its sliders, for a page."""
    return [
        {"name": rule.name, "title": rule.title, "paper": rule.paper, "settings": list(map(vars, rule.sliders))}
        for rule in rules.OFFERED
    ]


def ball_of(fields: Fields) -> Ball:
    """A rule and its settings. **Raises** `InputError` for what the rule refuses, before anything is run."""
    name = fields.text("rule")
    if name not in rules.BY_NAME:
        raise InputError(f"{fields.named('rule')} must be one of {', '.join(rules.BY_NAME)}, but is "
                         f"{told_briefly(name)}")
    ball = Ball(rules.BY_NAME[name], fields.settings())
    ball.rule.made(ball.settings)
    return ball
