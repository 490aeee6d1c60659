"""Modifiers: what composes with any optimizer, and is one.

The outermost is the first to see a gradient, and the last to change an update. From the outside in, this order is
right for most: `Freeze`, `SkipNonfinite`, `SAM`, `Accumulate`, an average, clipping, `WeightDecay`, `Lookahead`,
`ReduceOnPlateau`, `PerGroup`, the rule.
"""

from descend.optimizers.modifiers.accumulation import Accumulate
from descend.optimizers.modifiers.averaging import EMA, Lookahead, PolyakAverage
from descend.optimizers.modifiers.clipping import AdaptiveClip, ClipByNorm, ClipByValue
from descend.optimizers.modifiers.decay import WeightDecay
from descend.optimizers.modifiers.groups import Freeze, PerGroup
from descend.optimizers.modifiers.nonfinite import SkipNonfinite
from descend.optimizers.modifiers.plateau import ReduceOnPlateau
from descend.optimizers.modifiers.sharpness import SAM

__all__ = [
    "EMA",
    "SAM",
    "Accumulate",
    "AdaptiveClip",
    "ClipByNorm",
    "ClipByValue",
    "Freeze",
    "Lookahead",
    "PerGroup",
    "PolyakAverage",
    "ReduceOnPlateau",
    "SkipNonfinite",
    "WeightDecay",
]
