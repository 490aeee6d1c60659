"""What a run of pictures may keep besides a network, as estimators that a file names."""

from descend.tasks.images.blend import BlendedClassifier
from descend.tasks.images.kernel.machine import HogClassifier

__all__ = ["BlendedClassifier", "HogClassifier"]
