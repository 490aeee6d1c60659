"""What is seen of a run beside its numbers: how its loss curves, what it looks like, and what went wrong."""

from descend.insight.edge import Edge, edge
from descend.insight.noise import NoiseScale, noise_scale
from descend.insight.spectrum import Eigenvalue, Spectrum, spectrum

__all__ = ["Edge", "Eigenvalue", "NoiseScale", "Spectrum", "edge", "noise_scale", "spectrum"]
