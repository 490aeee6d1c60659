"""Update rules: frozen dataclasses, each as readable as the algorithm box of its paper."""

from descend.optimizers._external import External, as_optimizer
from descend.optimizers._family import Member, family, is_search
from descend.optimizers._modifier import Modifier, ModifierState
from descend.optimizers._optimizer import Iterate, MissingExtraError, Optimizer
from descend.optimizers._rule import Rule, RuleState
from descend.optimizers._step import step
from descend.optimizers.adam import Adam, AdamW, NAdam, NAdamW, RAdam
from descend.optimizers.adaptive import AdaDelta, AdaGrad, RMSprop
from descend.optimizers.averaged import ScheduleFreeAdamW, ScheduleFreeSGD
from descend.optimizers.backtracking import Backtracking
from descend.optimizers.bounded import LBFGSB
from descend.optimizers.conjugate import NonlinearCG
from descend.optimizers.factored import Adafactor
from descend.optimizers.layerwise import LAMB, LARS
from descend.optimizers.levenberg_marquardt import LevenbergMarquardt
from descend.optimizers.modifiers import (
    EMA,
    SAM,
    Accumulate,
    AdaptiveClip,
    ClipByNorm,
    ClipByValue,
    Freeze,
    Lookahead,
    PerGroup,
    PolyakAverage,
    ReduceOnPlateau,
    SkipNonfinite,
    WeightDecay,
)
from descend.optimizers.muon import Muon
from descend.optimizers.newton import Newton
from descend.optimizers.newton_cg import NewtonCG
from descend.optimizers.polyak import PolyakStep
from descend.optimizers.quasi_newton import LBFGS
from descend.optimizers.second_moments import AdaBelief, AdaMax, AMSGrad, Yogi
from descend.optimizers.sgd import SGD
from descend.optimizers.shampoo import Shampoo
from descend.optimizers.sign import Lion, SignSGD
from descend.optimizers.soap import SOAP
from descend.optimizers.untuned import DoG, DoWG, Prodigy

__all__ = [
    "EMA",
    "LAMB",
    "LARS",
    "LBFGS",
    "LBFGSB",
    "SAM",
    "SGD",
    "SOAP",
    "AMSGrad",
    "Accumulate",
    "AdaBelief",
    "AdaDelta",
    "AdaGrad",
    "AdaMax",
    "Adafactor",
    "Adam",
    "AdamW",
    "AdaptiveClip",
    "Backtracking",
    "ClipByNorm",
    "ClipByValue",
    "DoG",
    "DoWG",
    "External",
    "Freeze",
    "Iterate",
    "LevenbergMarquardt",
    "Lion",
    "Lookahead",
    "Member",
    "MissingExtraError",
    "Modifier",
    "ModifierState",
    "Muon",
    "NAdam",
    "NAdamW",
    "Newton",
    "NewtonCG",
    "NonlinearCG",
    "Optimizer",
    "PerGroup",
    "PolyakAverage",
    "PolyakStep",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "ReduceOnPlateau",
    "Rule",
    "RuleState",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Shampoo",
    "SignSGD",
    "SkipNonfinite",
    "WeightDecay",
    "Yogi",
    "as_optimizer",
    "family",
    "is_search",
    "step",
]
