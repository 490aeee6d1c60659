"""One look into a run's loss on a batch: what is wrong with it, or may be, and on which line."""

from descend.insight.probe.findings import (
    Activation,
    ActivationScale,
    Broadcast,
    DeadUnits,
    DoubleSoftmax,
    Finding,
    MissingSoftmax,
    NonFinite,
    Saturated,
    SymmetricUnits,
    TargetRange,
    Unsafe,
    UnsafeDivision,
    UnsafeLog,
    UnsafeRoot,
    ZeroGradient,
)
from descend.insight.probe.mending import mended
from descend.insight.probe.probing import Probe, probe, random_draws
from descend.insight.probe.sites import Site

__all__ = [
    "Activation", "ActivationScale", "Broadcast", "DeadUnits", "DoubleSoftmax", "Finding", "MissingSoftmax",
    "NonFinite", "Probe", "Saturated", "Site", "SymmetricUnits", "TargetRange", "Unsafe", "UnsafeDivision",
    "UnsafeLog", "UnsafeRoot", "ZeroGradient", "mended", "probe",
    "random_draws",
]  # fmt: skip
