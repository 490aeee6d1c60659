"""The task of telling images apart, by a kernel, a convolutional network, or both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from descend.engine.interruption import interrupts
from descend.errors import InputError
from descend.neural import ConvClassifier
from descend.neural.images import as_images
from descend.neural.starting import Start
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.folder import place_of
from descend.tasks.common.network.candidate import checkpoint_in
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.network.task import NetworkTask
from descend.tasks.common.task import Observers
from descend.tasks.images.ladder import FINE_TUNED, Transfer, climb, divided, too_few
from descend.tasks.images.mirrored import is_mirrorable
from descend.tasks.images.model import ImageModel
from descend.tasks.images.occlusion import speaking_for
from descend.tasks.images.probe import PROBE, fit_probe
from descend.tasks.images.shown import shown_picture
from descend.training import Trainer

SHOWN_MISTAKES = 30
HOW_LOOKED = ("Beside each picture is where the model looked, in red: if a patch hides that, the wrong class is less "
              "probable.")


@dataclass(frozen=True)
class ImageTask(NetworkTask):
    """To tell images apart; from the layers of a `start`, if there is one."""

    start: Start | None = None

    source: ClassVar[str] = "collection"
    unit: ClassVar[str] = "pictures"
    predicts_from: ClassVar[str] = "FOLDER"
    style: ClassVar[str] = """
.mistakes { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; width: 13rem; font-size: .85rem }
figure img { max-width: 49%; height: auto; image-rendering: pixelated; border: 1px solid #eee }
figcaption { overflow-wrap: anywhere }
"""
    MODEL_KIND: ClassVar[str] = ImageModel.kind

    @property
    def asked(self) -> dict[str, Any]:
        asked = super().asked
        # By what it is, and not where it lay: a resumed run must have begun with the same weights.
        asked["settings"]["start"] = None if self.start is None else self.start.digest
        return asked if self.start is None else asked | {"start": place_of(self.start.file)}

    def network(self, training: Examples, options: dict[str, Any]) -> ConvClassifier:
        # A photograph could as well have been taken in a mirror; grey pictures may be of letters.
        flip = training.inputs.shape[3:] == (3,) or is_mirrorable(training.inputs, training.targets)
        return ConvClassifier(flip=flip, start=self.start, **options)

    def model(self, network: ConvClassifier) -> ImageModel:
        return ImageModel(network, self.collection.classes)

    def prepare(self) -> NetworkPrepared:
        return divided(super().prepare(), self.settings.dividing_seed)

    def train(
        self,
        prepared: NetworkPrepared,
        observers: Observers = lambda _: (),
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Fitted[NetworkPrepared]:
        network, transfer = prepared.network, None
        # A network goes on from its checkpoint wherever there is one, and a folder that is begun anew has none.
        network.checkpoint, network.observers = checkpoint_in(checkpoints), observers(self._title(network))
        if self.start is not None:
            anew = ConvClassifier(**network.get_params() | {"start": None})
            anew.checkpoint, anew.observers = checkpoint_in(checkpoints, "anew"), observers(anew.model)
            transfer = Transfer(self.start, anew, observers(PROBE))
        return climb(prepared, self.collection.classes, self.settings, transfer)

    def _title(self, network: ConvClassifier) -> str:
        return network.model if self.start is None else FINE_TUNED

    def begun(self, prepared: NetworkPrepared, checkpoints: Path | None = None) -> tuple[Trainer, Any]:
        if prepared.validation is None:
            raise InputError(f"{too_few(prepared)}: there are no steps that could be examined")
        if self.start is not None:
            with interrupts() as interrupted:
                context = TrainingContext(self.settings, interrupted)
                prepared.network.start = fit_probe(prepared, self.start, self.collection.classes, context)[1]
        return super().begun(prepared, checkpoints)

    def mistakes(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> str:
        # Plotly takes half a second to import.
        from descend.tasks.common.network.report import worst_mistakes

        images, rows = fitted.prepared.held_out.inputs, outcome.mistakes(SHOWN_MISTAKES)
        # Grey ones have no axis of colours.
        looks = lambda: speaking_for(fitted.model.predict, as_images(images[rows]), outcome.predicted[rows])
        looked = looks() if len(rows) else ()
        places = dict(zip(rows.tolist(), looked, strict=True))
        shown = lambda row, caption: shown_picture(images[row], places[row], caption)
        worst = worst_mistakes(fitted, outcome, self.unit, SHOWN_MISTAKES, "mistakes", shown)
        return f"{worst}<p class=note>{HOW_LOOKED}</p>" if places else worst
