"""Figures of gradients with noise: rates that fall, batches of some size, schedules."""

from collections.abc import Callable, Mapping

from descend.optimizers import SGD, Optimizer
from descend.schedules import Constant, Cosine, Exponential, Schedule, SquareRoot, Step
from descend.studio.lessons.descents import NOISE, Roller, Surface
from descend.studio.lessons.learning import Learner, Learning
from descend.studio.lessons.shown.basics import BOOK_PLANE, rate
from descend.studio.racing.rules import Slider

Settings = Mapping[str, float]
LENGTH = 200
BOWL = "x^2 + 2*y^2"
EXPONENTIAL = Slider("exponential", "exponential decay λ", 1e-3, 0.5, 0.1, log=True)
POLYNOMIAL = Slider("polynomial", "square-root decay β", 1e-3, 2.0, 0.1, log=True)


def _scheduled(title: str, schedule: Callable[[Settings], Schedule], rate: str = "") -> Roller:
    def made(settings: Settings) -> Optimizer:
        return SGD(schedule(settings))

    return Roller(title, made, rate)


CONSTANT = _scheduled("Constant", lambda settings: Constant(settings["rate"]), "rate")
SQUARE_ROOT = _scheduled("Square root", lambda settings: SquareRoot(settings["rate"], settings["polynomial"]))
DECAYING = _scheduled("Exponential", lambda settings: Exponential(settings["rate"], settings["exponential"]))
STEPWISE = _scheduled("A third every 50 steps", lambda settings: Step(settings["rate"], 50, 1 / 3))
COSINE = _scheduled("Cosine after a warm-up", lambda settings: Cosine(settings["rate"], LENGTH, warmup=20))

STOCHASTIC = (
    Surface("bowl", "x² + 2y², with noise", BOWL, BOOK_PLANE, (-5.0, -2.0), LENGTH, (CONSTANT, SQUARE_ROOT, DECAYING),
          (rate(0.1, 0.01, 1.0), POLYNOMIAL, EXPONENTIAL, NOISE)),
)
SCHEDULES = (
    Surface("bowl", "x² + 2y², with noise", BOWL, BOOK_PLANE, (-5.0, -2.0), LENGTH,
          (CONSTANT, SQUARE_ROOT, DECAYING, STEPWISE, COSINE),
          (rate(0.1, 0.01, 1.0), POLYNOMIAL, EXPONENTIAL, NOISE), rates=True),
)


def _sized(title: str, name: str, batch: int) -> Learner:
    return Learner(title, lambda settings: SGD(settings[name]), rate=name, batch=batch)


def _rate_of(name: str, label: str, default: float) -> Slider:
    return Slider(name, f"η of {label}", 1e-3, 1.0, default, log=True)


SIZES = (_sized("All 442 at once", "whole", 0), _sized("100 at a time", "hundred", 100),
         _sized("10 at a time", "ten", 10), _sized("One at a time", "one", 1))
SIZE_RATES = (_rate_of("whole", "all at once", 0.4), _rate_of("hundred", "100 at a time", 0.2),
              _rate_of("ten", "10 at a time", 0.05), _rate_of("one", "one at a time", 0.005))
MINI_BATCHES = (
    Learning("epochs", "Over epochs: what each example taught", SIZES, SIZE_RATES),
    Learning("seconds", "Over seconds: what a clock says", SIZES, SIZE_RATES, over="seconds"),
)
