"""The task of telling texts apart, by a bag of words: of a table in which nothing else can be learnt from."""

from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

from descend.neural import TextClassifier
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.network.model import NetworkModel
from descend.tasks.common.network.task import NetworkPrepared, NetworkTask
from descend.tasks.common.predicting import Predictions, beside, told
from descend.tasks.common.reading import read_table
from descend.tasks.common.settings import Settings
from descend.tasks.common.typed_table import TypedTable
from descend.tasks.text.texts import collection_of, texts_in

SHOWN_MISTAKES = 12
# Of a mistake's text.
SHOWN_LETTERS = 600


@dataclass(frozen=True)
class TextModel(NetworkModel):
    """A bag of words with the names of its classes, and of the column that texts are in."""

    kind: ClassVar[str] = "texts"
    network_type: ClassVar[type] = TextClassifier

    def said_of(self, source: str) -> Predictions:
        """The table of texts, with columns beside its own."""
        frame = read_table(source, (self.column,)).frame
        return beside(frame, told(self.predict(texts_in(frame, self.column)), self.classes))


@dataclass(frozen=True)
class TextTask(NetworkTask):
    """To tell the texts in a column of a table apart."""

    column: str

    source: ClassVar[str] = "table"
    unit: ClassVar[str] = "texts"
    predicts_from: ClassVar[str] = "TABLE"
    style: ClassVar[str] = "\nblockquote { margin: .3rem 0 1.2rem; white-space: pre-wrap; overflow-wrap: anywhere }\n"
    LOADS: ClassVar[type[NetworkModel]] = TextModel

    def network(self, training: Examples, options: dict[str, Any]) -> TextClassifier:
        return TextClassifier(**options)

    def model(self, network: TextClassifier) -> TextModel:
        return TextModel(network, self.collection.classes, self.column)

    def mistakes(self, fitted: Fitted[NetworkPrepared], outcome: Outcome) -> str:
        # Plotly takes half a second to import.
        from descend.tasks.common.network.report import worst_mistakes

        return worst_mistakes(fitted, outcome, self.unit, SHOWN_MISTAKES, "texts", shown_text)


def text_task(table: TypedTable, settings: Settings) -> TextTask:
    """The task of a table that is of texts."""
    return TextTask(collection_of(table, settings), settings, table.used[0].name)


def shown_text(text: str, caption: str) -> str:
    """A text with its caption, shortened."""
    short = text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}…"
    return f"<div>{caption}<blockquote>{escape(short) or '(empty)'}</blockquote></div>"
