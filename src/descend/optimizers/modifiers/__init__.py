"""Modifiers: what composes with any optimizer, and is one."""

from descend.optimizers.modifiers.decay import WeightDecay

__all__ = ["WeightDecay"]
