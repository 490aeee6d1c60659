"""What is seen of a run beside its numbers: how its loss curves, what it looks like, and what went wrong."""

from descend.insight.doctor import Diagnosis, Examination, examine
from descend.insight.edge import Edge, edge
from descend.insight.interpolation import Interpolation, interpolation
from descend.insight.landscape import Landscape, landscape
from descend.insight.noise import NoiseScale, noise_scale
from descend.insight.norms import Norms, norms
from descend.insight.range_test import RangeTest, range_test
from descend.insight.replay import Replay, what_if
from descend.insight.sensitivity import Sensitivity, sensitivity
from descend.insight.spectrum import Eigenvalue, Spectrum, spectrum
from descend.insight.verdict import Verdict, verdict

__all__ = [
    "Diagnosis",
    "Edge",
    "Eigenvalue",
    "Examination",
    "Interpolation",
    "Landscape",
    "NoiseScale",
    "Norms",
    "RangeTest",
    "Replay",
    "Sensitivity",
    "Spectrum",
    "Verdict",
    "edge",
    "examine",
    "interpolation",
    "landscape",
    "noise_scale",
    "norms",
    "range_test",
    "sensitivity",
    "spectrum",
    "verdict",
    "what_if",
]
