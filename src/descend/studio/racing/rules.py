"""The optimizers that race: rules of the family, each with the settings that have a slider."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import repr as brief
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.optimizers import (
    SGD,
    AdaBelief,
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    DoG,
    Lion,
    NAdam,
    Optimizer,
    Prodigy,
    RAdam,
    RMSprop,
    SignSGD,
    Yogi,
    family,
)

NO_LIMIT = "theory gives no limit of rate × curvature for this rule"


@dataclass(frozen=True)
class Slider:
    """A setting, what it is called on the page, and between what it slides; `log`: on a scale of its logarithm."""

    name: str
    label: str
    low: float
    high: float
    default: float
    log: bool = False


@dataclass(frozen=True)
class RacingRule:
    """A rule under the name that the page knows it by; `fixed`: what it is made with besides its sliders."""

    name: str
    title: str
    cls: type[Any]
    sliders: tuple[Slider, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def paper(self) -> str:
        """Where it comes from."""
        return PAPERS[self.cls.__name__]

    def made(self, settings: Mapping[str, float]) -> Optimizer:
        """The rule with these settings, and by default those of the sliders.

        **Raises** `InputError` for a setting without a slider, and for a number that the rule refuses.
        """
        numbers = self.numbers(settings)
        return self.cls(**self.fixed, **{name: self._leaf(name, value) for name, value in numbers.items()})

    def numbers(self, settings: Mapping[str, float]) -> dict[str, float]:
        """A number for each slider: those of the settings, and else its default."""
        known = {slider.name: slider.default for slider in self.sliders}
        for name, value in settings.items():
            if name not in known:
                raise InputError(f"{self.title} has no setting {brief(name)}: there are {', '.join(known)}")
            if not math.isfinite(value):
                raise InputError(f"{self.title}: {name} must be a finite number, but is {value}")
        return known | {name: float(value) for name, value in settings.items()}

    def says(self) -> str:
        """What its stability limit is, as its docstring has it."""
        text = inspect.getdoc(self.cls.stability_limit) or ""
        own = self.cls.stability_limit is not Optimizer.stability_limit
        return " ".join(text.split("\n\n")[0].split()) if own else NO_LIMIT

    def _leaf(self, name: str, value: float) -> float | np.ndarray:
        # A number that 0 switches off is another program at 0; an array is always on, so that a slider compiles none.
        metadata = self.cls.__dataclass_fields__[name].metadata
        return np.asarray(value) if metadata.get("switched") else value


PAPERS = {member.name: member.paper for member in family() if member.kind == "rule"}


def _rate(default: float, low: float = 1e-4, high: float = 4.0) -> Slider:
    return Slider("learning_rate", "learning rate η", low, high, default, log=True)


MOMENTUM = Slider("momentum", "momentum β", 0.0, 0.99, 0.9)
BETA1 = Slider("beta1", "mean β₁", 0.0, 0.99, 0.9)
BETA2 = Slider("beta2", "squares β₂", 0.5, 0.9999, 0.999)
MOMENTS = (_rate(0.1), BETA1, BETA2)
DECAY = Slider("decay", "decay β", 0.5, 0.999, 0.9)

OFFERED = (
    RacingRule("sgd", "Gradient descent", SGD, (_rate(0.01),)),
    RacingRule("momentum", "Momentum (heavy ball)", SGD, (_rate(0.003), MOMENTUM)),
    RacingRule("nesterov", "Nesterov's momentum", SGD, (_rate(0.003), MOMENTUM), {"nesterov": True}),
    RacingRule("adagrad", "AdaGrad", AdaGrad, (_rate(0.5),)),
    RacingRule("rmsprop", "RMSProp", RMSprop, (_rate(0.02), DECAY)),
    RacingRule("adadelta", "AdaDelta", AdaDelta, (
        _rate(1.0, 0.01, 100.0), DECAY, Slider("eps", "ε", 1e-8, 1e-1, 1e-3, log=True))),
    RacingRule("adam", "Adam", Adam, MOMENTS),
    RacingRule("adamw", "AdamW", AdamW, (
        *MOMENTS, Slider("weight_decay", "weight decay λ", 0.0, 1.0, 0.01))),
    RacingRule("nadam", "NAdam", NAdam, MOMENTS),
    RacingRule("radam", "RAdam", RAdam, MOMENTS),
    RacingRule("amsgrad", "AMSGrad", AMSGrad, MOMENTS),
    RacingRule("adamax", "AdaMax", AdaMax, MOMENTS),
    RacingRule("adabelief", "AdaBelief", AdaBelief, MOMENTS),
    RacingRule("yogi", "Yogi", Yogi, MOMENTS),
    RacingRule("lion", "Lion", Lion, (_rate(0.02), BETA1, BETA2)),
    RacingRule("signsgd", "Sign descent", SignSGD, (_rate(0.02), MOMENTUM)),
    RacingRule("dog", "DoG, which finds its rate", DoG, (_rate(1.0, 0.01, 10.0),)),
    RacingRule("prodigy", "Prodigy, which finds its rate", Prodigy, (_rate(1.0, 0.01, 10.0),)),
)
BY_NAME = {rule.name: rule for rule in OFFERED}
