"""Figures of rules that remember: of gradients, or of their squares."""

from collections.abc import Mapping

import numpy as np

from descend.optimizers import SGD, AdaDelta, AdaGrad, Adam, Optimizer, RMSprop, Yogi
from descend.studio.lessons.descents import Roller, Surface
from descend.studio.lessons.learning import Learner, Learning
from descend.studio.lessons.shown.basics import BOOK_PLANE, PLAIN, VALLEY, rate
from descend.studio.racing.rules import Slider

Settings = Mapping[str, float]
SPEED_KEPT = Slider("momentum", "momentum β", 0.0, 0.99, 0.5)
DECAY = Slider("decay", "memory γ", 0.5, 0.999, 0.9)
MEAN = Slider("beta1", "mean β₁", 0.0, 0.99, 0.9)
SQUARES = Slider("beta2", "squares β₂", 0.5, 0.9999, 0.999)
EPSILON = Slider("eps", "ε", 1e-8, 1e-1, 1e-5, log=True)
PLAIN_RATE = Slider("plain", "η of plain descent", 1e-3, 0.5, 0.05, log=True)


def _heavy(settings: Settings) -> Optimizer:
    # An array, which is on also where it is 0: so no slider changes the program.
    return SGD(settings["rate"], momentum=np.asarray(settings["momentum"]))


def _adagrad(settings: Settings) -> Optimizer:
    return AdaGrad(settings["rate"], eps=1e-6, eps_in_root=True)


def _rmsprop(settings: Settings) -> Optimizer:
    return RMSprop(settings["rate"], decay=settings["decay"], eps=1e-6, eps_in_root=True)


def _adadelta(settings: Settings) -> Optimizer:
    return AdaDelta(1.0, decay=np.asarray(settings["decay"]), eps=settings["eps"])


def _adam(settings: Settings) -> Optimizer:
    return Adam(settings["rate"], beta1=settings["beta1"], beta2=settings["beta2"], eps=1e-6)


def _yogi(settings: Settings) -> Optimizer:
    return Yogi(settings["rate"], beta1=settings["beta1"], beta2=settings["beta2"], initial_accumulator=0.0)


def _plain(settings: Settings) -> Optimizer:
    return SGD(settings["plain"])


HEAVY = Roller("Heavy ball", _heavy)
ADAGRAD, RMSPROP = Roller("AdaGrad", _adagrad), Roller("RMSProp", _rmsprop)
ADADELTA = Roller("AdaDelta", _adadelta, rate="")
ADAM, YOGI = Roller("Adam", _adam), Roller("Yogi", _yogi)


def _valley(*rollers: Roller, sliders: tuple[Slider, ...], steps: int = 20) -> Surface:
    return Surface("valley", "A valley: 0.1x² + 2y²", VALLEY, BOOK_PLANE, (-5.0, -2.0), steps, rollers, sliders)


def _on_data(*rollers: Roller, sliders: tuple[Slider, ...]) -> Learning:
    """The rollers on batches of ten examples, beside a plain descent."""
    learners = [*rollers, Roller("Plain descent", _plain, rate="plain")]
    return Learning("data", "Diabetes, ten patients at a time",
                    tuple(Learner(one.title, one.made, one.rate) for one in learners), (*sliders, PLAIN_RATE))


WITH_MOMENTUM = (
    _valley(HEAVY, PLAIN, sliders=(rate(0.6), SPEED_KEPT)),
    Surface("narrow", "Condition 100: ½(x² + 100y²)", "0.5*(x^2 + 100*y^2)", (-3.0, 3.0, -2.0, 2.0), (-2.5, 1.5), 100,
          (HEAVY, PLAIN), (rate(0.018, 1e-3, 0.1), Slider("momentum", SPEED_KEPT.label, 0.0, 0.99, 0.8))),
    _on_data(HEAVY, sliders=(rate(0.005, 1e-4, 0.5), Slider("momentum", SPEED_KEPT.label, 0.0, 0.99, 0.9))),
)
WITH_ADAGRAD = (
    _valley(ADAGRAD, PLAIN, sliders=(rate(0.4, 0.01, 4.0),)),
    _on_data(ADAGRAD, sliders=(rate(0.1, 1e-3, 2.0),)),
)
WITH_RMSPROP = (
    _valley(RMSPROP, ADAGRAD, sliders=(rate(0.4, 0.01, 4.0), DECAY)),
    _on_data(RMSPROP, sliders=(rate(0.01, 1e-4, 1.0), DECAY)),
)
WITH_ADADELTA = (
    _valley(ADADELTA, sliders=(DECAY, Slider("eps", "ε", 1e-8, 1e-1, 1e-3, log=True)), steps=300),
    _on_data(ADADELTA, sliders=(DECAY, EPSILON)),
)
WITH_ADAM = (
    _valley(ADAM, YOGI, sliders=(rate(0.2, 1e-3, 2.0), MEAN, SQUARES), steps=100),
    _on_data(ADAM, YOGI, sliders=(rate(0.01, 1e-4, 1.0), MEAN, SQUARES)),
)
