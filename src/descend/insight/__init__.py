"""What is seen of a run beside its numbers: how its loss curves, what it looks like, and what went wrong."""

from descend.insight.spectrum import Eigenvalue, Spectrum, spectrum

__all__ = ["Eigenvalue", "Spectrum", "spectrum"]
