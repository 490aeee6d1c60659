"""The task of telling texts apart: of a table in which nothing else can be learnt from."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar, cast

from descend.errors import InputError
from descend.neural import TextClassifier
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.network.candidate import NetworkCandidate
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.network.task import NetworkTask
from descend.tasks.common.section import Section
from descend.tasks.common.settings import Settings
from descend.tasks.common.task import Observers
from descend.tasks.common.typed_table import TypedTable
from descend.tasks.text.model import NetworkOfTexts, TextModel
from descend.tasks.text.preparing import TextPrepared, in_folds, keeping_some_back
from descend.tasks.text.texts import collection_of
from descend.tasks.text.training import train
from descend.training import Trainer

SHOWN_MISTAKES = 12
# Of a mistake's text.
SHOWN_LETTERS = 600


@dataclass(frozen=True)
class TextTask(NetworkTask):
    """To tell the texts in a column of a table apart.

    Linear models of words and of runs of letters are solved; of many texts a network is trained, too. What loses least
    on texts that it had not seen is kept, or a blend. Whoever says how to descend has the network alone.
    """

    column: str

    source: ClassVar[str] = "table"
    unit: ClassVar[str] = "texts"
    predicts_from: ClassVar[str] = "TABLE"
    style: ClassVar[str] = "\nblockquote { margin: .3rem 0 1.2rem; white-space: pre-wrap; overflow-wrap: anywhere }\n"
    MODEL_KIND: ClassVar[str] = TextModel.kind

    def network(self, training: Examples, options: dict[str, Any]) -> TextClassifier:
        return TextClassifier(**options)

    def model(self, network: TextClassifier) -> TextModel:
        return TextModel(NetworkOfTexts(network), self.collection.classes, self.column)

    def prepare(self) -> NetworkPrepared:
        prepared = super().prepare()
        ready = keeping_some_back if self.settings.says_how_to_descend else in_folds
        return ready(prepared, self.settings)

    def tried(self, prepared: NetworkPrepared) -> NetworkCandidate:
        network = super().tried(prepared)
        if not self.settings.says_how_to_descend:
            raise InputError(f"of the texts in {self.name}, linear models are solved, which leaves nothing to try: say "
                             "how a network descends, with --learning-rate, --batch-size or --epochs")
        return network

    def train(
        self,
        prepared: NetworkPrepared,
        observers: Observers = lambda _: (),
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Fitted[Any]:
        if not isinstance(prepared, TextPrepared):
            return super().train(prepared, observers, checkpoints, resume)
        return train(prepared, self.settings, self.column, observers, checkpoints, resume)

    def begun(self, prepared: NetworkPrepared, checkpoints: Path | None = None) -> tuple[Trainer, Any]:
        if isinstance(prepared, TextPrepared) and not prepared.is_large:
            raise InputError(f"of {len(prepared.training):,} texts, models are solved, and make no steps that could be "
                             "examined: fit with --epochs to train a network")
        return super().begun(prepared, checkpoints)

    def about_model(self, fitted: Fitted[NetworkPrepared]) -> dict[str, Any]:
        return super().about_model(fitted) | {"temperature": cast(TextModel, fitted.model).temperature}

    def lines(self, fitted: Fitted[NetworkPrepared]) -> Iterable[str]:
        told = [f"<p>{escape(_sentence(said))}</p>" for said in (fitted.why, fitted.calibration) if said]
        return [*super().lines(fitted), *told]

    def summary(
        self, fitted: Fitted[NetworkPrepared], outcome: Outcome, facts: dict[str, Any]
    ) -> list[tuple[str, str]]:
        told = super().summary(fitted, outcome, facts)
        place = [name for name, _ in told].index("optimizer")
        calibration = [("calibration", fitted.calibration)] if fitted.calibration else []
        return [*told[:place], *calibration, *told[place:]]

    def sections(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> Iterable[Section]:
        # Plotly takes half a second to import.
        from descend.tasks.text.weightiest import weightiest_section

        weightiest = weightiest_section(fitted.chosen, fitted.prepared)
        confused, worst, *others = super().sections(fitted, outcome)
        return [confused, worst, *weightiest, *others]

    def mistakes(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> str:
        # Plotly takes half a second to import.
        from descend.tasks.common.network.report import worst_mistakes

        texts = fitted.prepared.held_out.inputs
        shown = lambda row, caption: shown_text(texts[row], caption)
        return worst_mistakes(fitted, outcome, self.unit, SHOWN_MISTAKES, "texts", shown)


def text_task(table: TypedTable, settings: Settings) -> TextTask:
    """The task of a table that is of texts."""
    return TextTask(collection_of(table, settings), settings, table.used[0].name)


def shown_text(text: str, caption: str) -> str:
    """A text with its caption, shortened."""
    short = text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}…"
    return f"<div>{caption}<blockquote>{escape(short) or '(empty)'}</blockquote></div>"


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."
