"""Update rules: frozen dataclasses, each as readable as the algorithm box of its paper."""

from descend.optimizers._external import External
from descend.optimizers._modifier import Modifier, ModifierState
from descend.optimizers._optimizer import Optimizer, Point
from descend.optimizers._rule import Rule, RuleState
from descend.optimizers.adaptive import AdaGrad, Adam, AdamW, RMSprop
from descend.optimizers.modifiers import WeightDecay
from descend.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "External",
    "Modifier",
    "ModifierState",
    "Optimizer",
    "Point",
    "RMSprop",
    "Rule",
    "RuleState",
    "WeightDecay",
]
