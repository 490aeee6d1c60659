"""Figures of what there is to descend on, and of plain descents: by a rate, or by the curvature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from descend.optimizers import SGD, Newton, Optimizer
from descend.studio.lessons.chords import Chord
from descend.studio.lessons.descents import Line, Roller, Surface
from descend.studio.lessons.regression import body_mass, cost_of_a_line
from descend.studio.racing.rules import Slider


@dataclass(frozen=True)
class LineFit(Surface):
    """The plane of a line's slope and height, over the cost of it on real points, which are shown with the line."""

    kind: ClassVar[str] = "fit"

    def told(self) -> dict[str, Any]:
        return super().told() | {"points": body_mass().round(4).tolist()}


def rate(default: float, low: float = 0.01, high: float = 2.0) -> Slider:
    """The slider of a learning rate."""
    return Slider("rate", "learning rate η", low, high, default, log=True)


def _plain(settings: Mapping[str, float]) -> Optimizer:
    return SGD(settings["rate"])


def _newton(settings: Mapping[str, float]) -> Optimizer:
    return Newton(settings["step"], search=False)


PLAIN = Roller("Gradient descent", _plain)
NEWTON = Roller("Newton’s method", _newton, "step", "stable below 2 where it is convex, whatever the curvature")
NEWTON_STEP = Slider("step", "step η of Newton’s method", 0.05, 2.5, 1.0)
WIDE = (-11.0, 11.0, -1.0, 1.0)
BOOK_PLANE = (-5.5, 3.0, -3.0, 3.0)
VALLEY = "0.1*x^2 + 2*y^2"
WAVE = "x*cos(0.15*pi*x)"
ENDS = (Slider("a", "one end, a", -2.0, 2.0, -1.5), Slider("b", "other end, b", -2.0, 2.0, 1.0),
        Slider("part", "between them, λ", 0.0, 1.0, 0.5))


def _line(name: str, title: str, formula: str, window: tuple[float, float], start: float, steps: int, slider: Slider,
          roller: Roller = PLAIN, minima: tuple[float, ...] = ()) -> Line:
    return Line(name, title, formula, (*window, -1.0, 1.0), (start, 0.0), steps, (roller,), (slider,),
                tuple((x, 0.0) for x in minima))


FIT = (LineFit("fit", "A line through 442 patients", cost_of_a_line(body_mass()), (-0.5, 2.5, -0.5, 2.25), (0.0, 0.0),
               60, (PLAIN,), (rate(0.3),), minima=()),)
SHAPES = (
    _line("minima", "Local minima: x cos(πx)", "x*cos(pi*x)", (-1.0, 2.0), 0.2, 60, rate(0.02, 1e-3, 0.5)),
    _line("saddle", "A saddle: x³", "x^3", (-2.0, 2.0), 1.5, 60, rate(0.05)),
    _line("vanishing", "A vanishing gradient: tanh(x)", "tanh(x)", (-2.0, 5.0), 4.0, 60, rate(1.0, 0.01, 20.0)),
    Surface("saddle2", "A saddle of two: x² − y²", "x^2 - y^2", (-2.0, 2.0, -1.5, 1.5), (-1.5, 0.001), 60, (PLAIN,),
          (rate(0.1),), minima=()),
)
CHORDS = tuple(
    Chord(name, title, formula, (-2.2, 2.2, -1.0, 1.0), (0.0, 0.0), 0, (), ENDS)
    for name, title, formula in (("square", "½x², convex", "0.5*x^2"), ("cosine", "cos(πx), not convex", "cos(pi*x)"),
                                 ("exponential", "exp(x/2), convex", "exp(0.5*x)"))
)
ONE_DIMENSION = (
    _line("square", "x², from 10", "x^2", WIDE[:2], 10.0, 10, rate(0.2, 0.01, 1.5), minima=(0.0,)),
    _line("wave", "x cos(0.15πx), from 10", WAVE, WIDE[:2], 10.0, 10, rate(2.0, 0.01, 4.0)),
)
TWO_DIMENSIONS = (
    Surface("bowl", "x² + 2y²", "x^2 + 2*y^2", BOOK_PLANE, (-5.0, -2.0), 20, (PLAIN,), (rate(0.1),)),
    Surface("valley", "0.1x² + 2y²", VALLEY, BOOK_PLANE, (-5.0, -2.0), 20, (PLAIN,), (rate(0.4),)),
)
CURVATURE = (
    _line("cosh", "cosh(x/2), convex", "cosh(0.5*x)", WIDE[:2], 10.0, 10, NEWTON_STEP, NEWTON, (0.0,)),
    _line("wave", "x cos(0.15πx), not convex", WAVE, (-12.0, 30.0), 10.0, 10, NEWTON_STEP, NEWTON),
    Surface("valley", "A valley: 0.1x² + 2y²", VALLEY, BOOK_PLANE, (-5.0, -2.0), 20, (NEWTON, PLAIN),
          (Slider("step", NEWTON_STEP.label, 0.05, 2.5, 0.3), rate(0.4))),
    Surface("turned", "The valley turned", "0.05*(x + y)^2 + (x - y)^2", BOOK_PLANE, (-5.0, -2.0), 20, (NEWTON, PLAIN),
          (Slider("step", NEWTON_STEP.label, 0.05, 2.5, 0.3), rate(0.4))),
)
