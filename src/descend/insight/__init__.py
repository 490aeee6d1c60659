"""What is seen of a run beside its numbers: how its loss curves, what it looks like, and what went wrong."""

from descend.insight.doctor import Diagnosis, Examination, examine
from descend.insight.edge import Edge, edge
from descend.insight.noise import NoiseScale, noise_scale
from descend.insight.replay import Replay, what_if
from descend.insight.spectrum import Eigenvalue, Spectrum, spectrum

__all__ = [
    "Diagnosis",
    "Edge",
    "Eigenvalue",
    "Examination",
    "NoiseScale",
    "Replay",
    "Spectrum",
    "edge",
    "examine",
    "noise_scale",
    "spectrum",
    "what_if",
]
