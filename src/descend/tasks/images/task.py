"""The task of telling images apart, by a kernel, a convolutional network, or both."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from descend.errors import InputError
from descend.neural import ConvClassifier
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.network.task import NetworkPrepared, NetworkTask, checkpoint_in
from descend.tasks.common.task import Observers
from descend.tasks.images.ladder import climb, divided, too_few
from descend.tasks.images.mirrored import is_mirrorable
from descend.tasks.images.model import ImageModel
from descend.training import Trainer

SHOWN_MISTAKES = 30
# Pixels that a picture's shorter side has on the page.
MAGNIFIED_SIDE = 96


@dataclass(frozen=True)
class ImageTask(NetworkTask):
    """To tell images apart."""

    source: ClassVar[str] = "collection"
    unit: ClassVar[str] = "pictures"
    predicts_from: ClassVar[str] = "FOLDER"
    style: ClassVar[str] = """
.mistakes { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; width: 9rem; font-size: .85rem }
img { image-rendering: pixelated; border: 1px solid #eee } figcaption { overflow-wrap: anywhere }
"""
    MODEL_KIND: ClassVar[str] = ImageModel.kind

    def network(self, training: Examples, options: dict[str, Any]) -> ConvClassifier:
        # A photograph could as well have been taken in a mirror; grey pictures may be of letters.
        flip = training.inputs.shape[3:] == (3,) or is_mirrorable(training.inputs, training.targets)
        return ConvClassifier(flip=flip, **options)

    def model(self, network: ConvClassifier) -> ImageModel:
        return ImageModel(network, self.collection.classes)

    def prepare(self) -> NetworkPrepared:
        return divided(super().prepare(), self.settings.seed)

    def train(
        self,
        prepared: NetworkPrepared,
        observers: Observers = lambda _: (),
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Fitted[NetworkPrepared]:
        network = prepared.network
        # A network goes on from its checkpoint wherever there is one, and a folder that is begun anew has none.
        network.checkpoint, network.observers = checkpoint_in(checkpoints), observers(network.model)
        return climb(prepared, self.collection.classes, self.settings.seconds)

    def begun(self, prepared: NetworkPrepared, checkpoints: Path | None = None) -> tuple[Trainer, Any]:
        if prepared.validation is None:
            raise InputError(f"{too_few(prepared)}: there are no steps that could be examined")
        return super().begun(prepared, checkpoints)

    def mistakes(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> str:
        # Plotly takes half a second to import.
        from descend.tasks.common.network.report import worst_mistakes

        return worst_mistakes(fitted, outcome, self.unit, SHOWN_MISTAKES, "mistakes", shown_picture)


def shown_picture(pixels: np.ndarray, caption: str) -> str:
    """A picture with its caption, magnified."""
    scale = MAGNIFIED_SIDE / min(pixels.shape[:2])
    size = f"height={round(scale * pixels.shape[0])} width={round(scale * pixels.shape[1])}"
    return (f'<figure><img {size} alt="" src="data:image/png;base64,{_as_png(pixels)}">'
            f"<figcaption>{caption}</figcaption></figure>")


def _as_png(pixels: np.ndarray) -> str:
    # IDX files may hold other numbers than bytes.
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = (255 * (pixels - low) / max(high - low, 1e-12)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
