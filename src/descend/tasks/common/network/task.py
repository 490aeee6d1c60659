"""What images and texts share: a collection with classes, from which one network learns."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from descend._text import in_a_line
from descend.errors import InputError
from descend.schedules import Cosine
from descend.tasks.common.examples import Examples, hold_out, refuse_large_batch
from descend.tasks.common.fitted import Fitted, Outcome, Predictor, judge
from descend.tasks.common.network.candidate import NetworkCandidate, checkpoint_in, fit_network
from descend.tasks.common.network.collection import Collection
from descend.tasks.common.network.model import Network
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.section import Section
from descend.tasks.common.settings import AUTO, OPTIMIZERS, Settings
from descend.tasks.common.swept import SweptTask
from descend.tasks.common.target import Target
from descend.tasks.common.task import Observers
from descend.training import Trainer

# Of the examples: what is validated on, and the most of them.
VALIDATED_SHARE, VALIDATED_COUNT = 0.1, 2000
# Settings that may vary in a sweep, and that networks of a collection have not.
OF_TABLES = ("model", "hidden_layers", "width")
# So many are named in the summary.
NAMED_CLASSES = 10


@dataclass(frozen=True)
class NetworkTask(SweptTask[NetworkPrepared, Outcome]):
    """The steps of a task that one network learns."""

    collection: Collection
    settings: Settings

    # What a model's file calls the kind that comes of it.
    MODEL_KIND: ClassVar[str]

    @property
    def name(self) -> str:
        return self.collection.name

    @property
    def digest(self) -> str:
        return self.collection.digest

    @abstractmethod
    def network(self, training: Examples, options: dict[str, Any]) -> Network:
        """The network that is to be trained, with the options that all networks have."""

    @abstractmethod
    def model(self, network: Network) -> Predictor:
        """The model that a trained network makes."""

    @abstractmethod
    def mistakes(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> str:
        """The worst mistakes, as HTML."""

    def prepare(self) -> NetworkPrepared:
        collection, settings, unit = self.collection, self.settings, self.unit
        target = Target("binary" if len(collection.classes) == 2 else "multiclass", collection.classes, "classes")
        training, held_out = collection.examples, collection.test
        if held_out is None:
            _refuse_lonely(collection, unit)
            rows = hold_out(len(training), target, training.targets, settings, unit)
            training, held_out = (collection.examples.chosen(some) for some in rows)
        refuse_large_batch(settings, len(training), unit)
        return NetworkPrepared(target, training, held_out, network=self.network(training, self._options(training)),
                               validation=collection.validation)

    def _options(self, training: Examples) -> dict[str, Any]:
        """What the settings say of a network."""
        settings = self.settings
        return {
            "optimizer": self._rule(),
            "batch_size": settings.batch_size or "auto",
            "epochs": settings.epochs,
            "seconds": settings.seconds,
            "validation_fraction": min(VALIDATED_SHARE, VALIDATED_COUNT / len(training)),
            "random_state": settings.seed,
        }

    def again(self, prepared: NetworkPrepared) -> NetworkPrepared:
        network = prepared.network
        return replace(prepared, network=type(network)(**network.get_params() | self._options(prepared.training)))

    def tried(self, prepared: NetworkPrepared) -> NetworkCandidate:
        """The network alone, whatever else `train` chooses from."""
        for name in OF_TABLES:
            if getattr(self.settings, name) not in (None, AUTO):
                raise InputError(f"--over {name} is for tables, and {self.name} has {self.unit}")
        return NetworkCandidate(prepared.network.model, self.model)

    def train(
        self,
        prepared: NetworkPrepared,
        observers: Observers = lambda _: (),
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Fitted[NetworkPrepared]:
        network = prepared.network
        # A network goes on from its checkpoint wherever there is one, and a folder that is begun anew has none.
        network.checkpoint = checkpoint_in(checkpoints)
        network.observers = observers(network.model)
        trained = fit_network(network, prepared, network.model, self.model)
        scores = {network.model: max(network.validation_scores_)} if network.validation_scores_ else {}
        return Fitted(prepared, trained.predictor, trained, (trained,), "", scores, trained.seconds)

    def begun(self, prepared: NetworkPrepared, checkpoints: Path | None = None) -> tuple[Trainer, Any]:
        """The training of the network, its learning rate found, if it was to be found."""
        network, held_out = prepared.network, prepared.held_out
        network.checkpoint = checkpoint_in(checkpoints)
        training, validation = prepared.for_network
        trainer = network.begun(training.inputs, training.targets, training.weights, **validation)
        trainer.advance(steps=0)
        return trainer, network.examples(held_out.inputs, held_out.targets)

    def judge(self, fitted: Fitted[NetworkPrepared]) -> Outcome:
        return judge(fitted)

    def kind(self, prepared: NetworkPrepared) -> str:
        return self.MODEL_KIND

    def about_model(self, fitted: Fitted[NetworkPrepared]) -> dict[str, Any]:
        return {"description": fitted.model.describe()} | ({"why": fitted.why} if fitted.why else {})

    def about_data(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> dict[str, Any]:
        validation = {"validation": dict(fitted.validation)} if fitted.validation else {}
        return {"classes": len(self.collection.classes), "notes": list(self.collection.notes), **validation}

    def lines(self, fitted: Fitted[NetworkPrepared]) -> Iterable[str]:
        from descend.tasks.common.network.report import lines

        return lines(fitted, self.collection.notes)

    def sections(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> Iterable[Section]:
        from descend.tasks.common.network.report import sections

        return sections(fitted, outcome, self.unit, self.mistakes(fitted, outcome))

    def summary(
        self, fitted: Fitted[NetworkPrepared], outcome: Outcome, facts: dict[str, Any]
    ) -> list[tuple[str, str]]:
        classes = self.collection.classes
        more = f" and {len(classes) - NAMED_CLASSES:,} more" if len(classes) > NAMED_CLASSES else ""
        return [
            (self.unit, f"{facts['rows']:,}, of which {facts['held_out']:,} were held out"),
            ("classes", f"{facts['classes']:,}: {', '.join(classes[:NAMED_CLASSES])}{more}"),
            *[("note", note) for note in self.collection.notes],
            ("model", fitted.model.describe()),
            *([("why", fitted.why)] if fitted.why else []),
            ("optimizer", facts["optimizer"]),
            ("stopped", str(fitted.reason)),
            *self.scores_and_time(outcome, facts).items(),
        ]

    def _rule(self) -> Any:
        """The rule that was asked for, at the rate that was asked for."""
        settings = self.settings
        if settings.learning_rate is None:
            if settings.optimizer is not None:
                raise InputError(f"--optimizer {settings.optimizer} needs --learning-rate for {self.unit}: no rate is "
                                 "known that does well on all of them; without both, one is found")
            return "auto"
        return OPTIMIZERS[settings.optimizer or "adamw"](Cosine(settings.learning_rate, warmup=20))


def _refuse_lonely(collection: Collection, unit: str) -> None:
    """Refuse a class of one example: it cannot be learnt from and checked on at once."""
    counts = np.bincount(collection.examples.targets, minlength=len(collection.classes))
    if counts.min() < 2:
        lonely = in_a_line(collection.classes[int(counts.argmin())])
        raise InputError(f"class '{lonely}' has one of the {unit} alone, and needs one to learn from and one to check "
                         "on: add to it, or take it away")
