"""Races to be shown in a notebook."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from descend._tree import Tree
from descend.errors import InputError
from descend.notebook.page import link_text
from descend.notebook.seen import seen
from descend.notebook.widget import RaceWidget
from descend.studio.own.model_file import Model
from descend.studio.own.opened_file import Loaded
from descend.studio.own.room import FIRST, OwnRoom
from descend.studio.race.room import FIRST_RULES, RaceRoom
from descend.studio.racing import gallery, rules
from descend.studio.racing.course import Courses
from descend.studio.racing.gallery import Example
from descend.studio.racing.rules import RacingRule

# Of a formula that is not in the gallery.
AROUND = Example("", "", "", (-3.0, 3.0, -3.0, 3.0), (-2.0, 1.5), (), "")


def race(
    on: str | Callable[..., Any],
    optimizers: Sequence[Any] = (),
    *,
    start: Tree = None,
    data: Any = None,
    batch_size: int | None = None,
    steps: int = 300,
    noise: float = 0.0,
    seed: int = 0,
    window: Sequence[float] | None = None,
) -> RaceWidget:
    """A race of optimizers, as a widget: it plays, scrubs, and its sliders and its start move the balls.

    `on`: a formula of x and y, or the name of a function of the studio's gallery; or a loss, `loss(params)`, or
    `loss(params, batch)` with `data`, as `minimize` takes it. A loss of more than two parameters is seen on the plane
    of its balls' ways. `optimizers`: rules of descend with their settings, of those that the studio has sliders for; by
    default a few. `start`: x and y, or the parameters of a loss. `steps`: at most 1,000. `noise`: of the gradients of a
    formula. `window`: x0, x1, y0 and y1, of a formula. `seed`: of the noise, or of the batches.

    **Raises** `InputError` for a formula or a loss that cannot be raced on, and a rule that has no card in the studio.

    >>> from descend import SGD, Adam
    >>> shown = race("x^2 + 10*y^2", [SGD(0.05, momentum=0.9), Adam(0.1)], start=(-2.0, 1.0), steps=50)
    >>> shown.seen.ways[0][0].tolist()    # x, y and the loss at the start
    [-2.0, 1.0, 14.0]
    """
    if isinstance(on, str):
        known = gallery.BY_NAME.get(on, AROUND)
        asked = {"function": {"formula": on} if known is AROUND else {"name": on}, "noise": noise,
                 "balls": _balls(optimizers, rules.BY_NAME, FIRST_RULES), "steps": steps, "seed": seed,
                 "start": _numbers("start", known.start if start is None else start),
                 "window": _numbers("window", known.window if window is None else window)}
        room = RaceRoom(Courses())
        return RaceWidget("race", room, link_text(asked), seen(room, asked, known.minima))
    if start is None:
        raise InputError("start= must be given: the parameters that the loss is raced on from")
    says = " ".join((on.__doc__ or "").split("\n\n")[0].split())
    loaded = Loaded(Model(Path(getattr(on, "__name__", "loss")), says, on, start, data, batch_size=batch_size))
    asked = {"function": {"name": "own"}, "steps": steps, "seed": seed,
             "balls": _balls(optimizers, loaded.rules, FIRST)}
    return RaceWidget("own", OwnRoom(loaded), link_text(asked), seen(OwnRoom(loaded), asked, ()))


def _numbers(name: str, given: Any) -> list[float]:
    try:
        return [float(number) for number in given]
    except (TypeError, ValueError):
        raise InputError(f"{name}= must be numbers, but is {given!r}") from None


def _balls(optimizers: Sequence[Any], known: Mapping[str, RacingRule], first: Sequence[str]) -> list[dict[str, Any]]:
    """The optimizers as the page knows them; of none, those that race there at first."""
    if not optimizers:
        return [{"rule": name, "settings": {}} for name in first if name in known]
    return [_ball(optimizer, known) for optimizer in optimizers]


def _ball(optimizer: Any, known: Mapping[str, RacingRule]) -> dict[str, Any]:
    """The rule whose sliders have all the settings of an optimizer."""
    for rule in known.values():
        if type(optimizer) is rule.cls:
            settings = {slider.name: getattr(optimizer, slider.name) for slider in rule.sliders}
            if all(isinstance(value, int | float) for value in settings.values()) and (
                rule.cls(**rule.fixed, **settings) == optimizer
            ):
                return {"rule": rule.name, "settings": settings}
    offered = ", ".join(sorted({rule.cls.__name__ for rule in known.values()}))
    raise InputError(f"{optimizer!r} has no card in the studio: there are {offered}, with what slides there")
