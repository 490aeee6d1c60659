"""The task of telling images apart, by a kernel, a convolutional network, or both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from descend.errors import InputError
from descend.neural import ConvClassifier
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.network.task import NetworkPrepared, NetworkTask, checkpoint_in
from descend.tasks.common.task import Observers
from descend.tasks.images.ladder import climb, divided, too_few
from descend.tasks.images.mirrored import is_mirrorable
from descend.tasks.images.model import ImageModel
from descend.tasks.images.occlusion import speaking_for
from descend.tasks.images.shown import shown_picture
from descend.training import Trainer

SHOWN_MISTAKES = 30
HOW_LOOKED = ("Beside each picture is where the model looked, in red: if a patch hides that, the wrong class is less "
              "probable.")


@dataclass(frozen=True)
class ImageTask(NetworkTask):
    """To tell images apart."""

    source: ClassVar[str] = "collection"
    unit: ClassVar[str] = "pictures"
    predicts_from: ClassVar[str] = "FOLDER"
    style: ClassVar[str] = """
.mistakes { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; width: 13rem; font-size: .85rem }
figure img { max-width: 49%; height: auto; image-rendering: pixelated; border: 1px solid #eee }
figcaption { overflow-wrap: anywhere }
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

        images, rows = fitted.prepared.held_out.inputs, outcome.mistakes(SHOWN_MISTAKES)
        looked = speaking_for(fitted.model.predict, images[rows], outcome.predicted[rows]) if len(rows) else ()
        places = dict(zip(rows.tolist(), looked, strict=True))
        shown = lambda row, caption: shown_picture(images[row], places[row], caption)
        worst = worst_mistakes(fitted, outcome, self.unit, SHOWN_MISTAKES, "mistakes", shown)
        return f"{worst}<p class=note>{HOW_LOOKED}</p>" if places else worst
