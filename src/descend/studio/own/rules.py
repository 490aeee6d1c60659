"""The rules that race on a model: those of the family, with rates that suit its curvature, and the file's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from descend import SGD
from descend.engine.forking import with_rate
from descend.optimizers import Optimizer, as_optimizer
from descend.studio.own.ground import Ground
from descend.studio.racing.rules import OFFERED, RacingRule, Slider

OWN = "own"
# Of the limit at the start, that a rule begins with which divides its steps by nothing.
PART_OF_LIMIT = 0.25
# How many times as small and as large the slider of a rate that was found goes.
REACH = 100.0


@dataclass(frozen=True)
class FileRule(RacingRule):
    """The file's own optimizer, as it is made there, but for its learning rate, if it has a constant one."""

    optimizer: Any = None

    @property
    def paper(self) -> str:
        return ""

    def made(self, settings: Mapping[str, float]) -> Optimizer:
        numbers = self.numbers(settings)
        return with_rate(self.optimizer, numbers["learning_rate"]) if numbers else self.optimizer


def rules_of(ground: Ground) -> dict[str, RacingRule]:
    """The rules by name, the file's own first."""
    start = ground.start[None]
    try:
        sharpness = (ground.sharpness_of_two(start, np.ones((1, 2)))[0] if ground.is_plane
                     else ground.sharpness(start[0], np.ones(ground.size)))
    # A loss that has a gradient, but nothing beyond.
    except Exception:
        sharpness = float("nan")
    own = [] if ground.model.optimizer is None else [_own(ground)]
    return {rule.name: rule for rule in [*own, *(_fitted(rule, float(sharpness), ground.is_plane) for rule in OFFERED)]}


def _own(ground: Ground) -> FileRule:
    optimizer = as_optimizer(ground.model.optimizer).over(None)
    inner = optimizer
    while not hasattr(inner, "learning_rate") and hasattr(inner, "rule"):
        inner = inner.rule
    rate, name = getattr(inner, "learning_rate", None), type(inner).__name__
    sliders = (_rate(float(rate)),) if isinstance(rate, int | float) and rate > 0 else ()
    return FileRule(OWN, f"{name} of {ground.model.name}", type(optimizer), sliders, optimizer=optimizer)


def _fitted(rule: RacingRule, sharpness: float, is_plane: bool) -> RacingRule:
    """A rule that divides its steps by nothing, at a part of its limit at the start. One that makes all parameters move
    at about its rate, slower than on a plane: through many parameters, such steps are long together."""
    rate = rule.sliders[0]
    if rule.cls is SGD and sharpness > 0:
        limit = rule.made({}).stability_limit() or 0.0
        rate = _rate(float(f"{PART_OF_LIMIT * float(limit) / sharpness:.2g}"))
    elif rate.default < 1 and not is_plane:
        rate = replace(rate, default=rate.default / 10)
    return replace(rule, sliders=(rate, *rule.sliders[1:]))


def _rate(value: float) -> Slider:
    return Slider("learning_rate", "learning rate η", value / REACH, value * REACH, value, log=True)
