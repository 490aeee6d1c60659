"""The task of predicting a column of a table from the others."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from descend.engine.interruption import Interruption
from descend.errors import InputError
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.columns import told_of
from descend.tasks.common.fitted import Fitted, judge
from descend.tasks.common.judging.promised import promise_facts, promise_line
from descend.tasks.common.judging.scores import finite
from descend.tasks.common.reading import Table
from descend.tasks.common.section import Section
from descend.tasks.common.settings import AUTO, Settings
from descend.tasks.common.swept import SweptTask
from descend.tasks.common.task import Observers
from descend.tasks.common.typed_table import TypedTable, type_table
from descend.tasks.table.candidate import Candidate
from descend.tasks.table.effects.looking import effects_of
from descend.tasks.table.importance import importances
from descend.tasks.table.leaking import suspicions
from descend.tasks.table.learning import learning_curve
from descend.tasks.table.outcome import TableOutcome, model_of
from descend.tasks.table.preparing import TablePrepared, prepare_table
from descend.tasks.table.registry import asked_for, candidates
from descend.tasks.table.training import train
from descend.training import Trainer

# Of those that matter most, in the summary.
NAMED_COLUMNS = 5


@dataclass(frozen=True)
class TableTask(SweptTask[TablePrepared, TableOutcome]):
    """To predict a column of a table."""

    table: TypedTable
    settings: Settings

    source: ClassVar[str] = "table"
    unit: ClassVar[str] = "rows"
    predicts_from: ClassVar[str] = "TABLE"
    is_divided: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def digest(self) -> str:
        return self.table.digest

    def prepare(self) -> TablePrepared:
        return prepare_table(self.table, self.settings)

    def again(self, prepared: TablePrepared) -> TablePrepared:
        return prepared

    def tried(self, prepared: TablePrepared) -> Candidate:
        if self.settings.model == AUTO:
            raise InputError("a sweep compares models itself: name one with --model, or several, as in --over "
                             "model=linear,mlp")
        (candidate,) = asked_for(self.settings, prepared.target)
        return candidate

    def train(
        self,
        prepared: TablePrepared,
        observers: Observers = lambda _: (),
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Fitted[TablePrepared]:
        # Titles of one length, so that the lines of trainings below each other are aligned.
        width = max(map(len, (candidate.name for candidate in asked_for(self.settings, prepared.target))))
        titled = lambda name: observers(f"{name:>{width}}")
        return train(prepared, self.settings, observers=titled, checkpoints=checkpoints, resume=resume)

    def begun(self, prepared: TablePrepared, checkpoints: Path | None = None) -> tuple[Trainer, Any]:
        """The training of the model that was asked for; of all, of the last one that is trained in steps, the network.

        The members of an ensemble miss a fold each; a held-out row is in none, so that all of them are judged by it.
        """
        _, trainer, inputs = self._stepped(prepared, checkpoints)
        held_out, scale = prepared.held_out, prepared.scale
        targets = held_out.targets
        if prepared.target.kind == "regression":
            targets = ((targets - scale.centre) / scale.unit).astype(np.float32)
        return trainer, (inputs, targets, np.full(len(targets), -1, np.int32), held_out.every_weight)

    def mended(self, prepared: TablePrepared, **changed: Any) -> "TableTask":
        """The task with other settings, for the model alone that was examined: others would be changed, too."""
        model, *_ = self._stepped(prepared)
        return replace(self, settings=replace(self.settings, model=model, **changed))

    def _stepped(self, prepared: TablePrepared, checkpoints: Path | None = None) -> tuple[str, Trainer, np.ndarray]:
        """The model that is trained in steps, by its name, its training, and the held-out rows as that is fed them."""
        context = lambda candidate: TrainingContext(
            self.settings, Interruption(), checkpoint=candidate.checkpoint_in(checkpoints),
            resume=checkpoints is not None,
        )
        wanted = asked_for(self.settings, prepared.target)
        begun = ((each.name, each.begun(prepared, context(each))) for each in reversed(wanted))
        found = next(((name, *training) for name, training in begun if training is not None), None)
        if found is None:
            raise InputError(f"the model {self.settings.model} is solved, and makes no steps that could be examined")
        return found

    def judge(self, fitted: Fitted[TablePrepared]) -> TableOutcome:
        by_name = {candidate.name: candidate for candidate in candidates()}
        findings = {
            each.name: by_name[each.name].findings(each, fitted.prepared, self.settings.target, each is fitted.chosen)
            for each in fitted.trained
        }
        judged, model = judge(fitted), model_of(fitted)
        uncalibrated = None
        if model.temperature != 1.0:
            uncalibrated = replace(model, temperature=1.0).predict(fitted.prepared.held_out.inputs)
        weights, rows = importances(fitted, self.settings.seed), fitted.prepared.held_out.inputs
        weighty = [name for name, weight in weights.items() if weight.fall > 0]
        effects = effects_of(model, self.table.features, rows, weighty, self.settings.seed)
        return TableOutcome(**vars(judged), importances=weights, findings=findings, uncalibrated=uncalibrated,
                            suspicious=suspicions(fitted.prepared, weights, judged), effects=effects,
                            curve=learning_curve(fitted))

    def kind(self, prepared: TablePrepared) -> str:
        return prepared.target.kind

    def about_model(self, fitted: Fitted[TablePrepared]) -> dict[str, Any]:
        return {"why": fitted.why}

    def about_data(self, fitted: Fitted[TablePrepared], outcome: TableOutcome) -> dict[str, Any]:
        prepared = fitted.prepared
        return {
            "dropped": prepared.dropped,
            "features": prepared.training.inputs.shape[1],
            "notes": [*self.table.notes, *prepared.notes, *told_of(self.table.columns)],
            "validation": {name: finite(score) for name, score in fitted.validation.items()},
            **({"suspicious": list(outcome.suspicious)} if outcome.suspicious else {}),
            **promise_facts(model_of(fitted).conformal, outcome, prepared.target),
            **({"temperature": model_of(fitted).temperature} if prepared.target.classes else {}),
            **{name: dict(found.facts) for name, found in outcome.findings.items() if found.facts},
        }

    def lines(self, fitted: Fitted[TablePrepared]) -> Iterable[str]:
        return [f"<p>The model is {escape(fitted.chosen.name)}: {escape(fitted.why)}.</p>"]

    def sections(self, fitted: Fitted[TablePrepared], outcome: TableOutcome) -> Iterable[Section]:
        from descend.tasks.table.report import sections

        return sections(fitted, outcome, self.settings.target)

    def files(self, outcome: TableOutcome) -> dict[str, bytes]:
        return {name: content for found in outcome.findings.values() for name, content in found.files.items()}

    def summary(
        self, fitted: Fitted[TablePrepared], outcome: TableOutcome, facts: dict[str, Any]
    ) -> list[tuple[str, str]]:
        target, shared = fitted.prepared.target, self.scores_and_time(outcome, facts)
        dropped = f", {facts['dropped']:,} more without a target" if facts["dropped"] else ""
        weighty = [name for name, weight in outcome.importances.items() if weight.fall > 0][:NAMED_COLUMNS]
        return [
            ("rows", f"{facts['rows']:,}, of which {facts['held_out']:,} were held out{dropped}"),
            ("features", f"{facts['features']:,} from {len(fitted.prepared.encoder.used):,} columns"),
            *[("note", note) for note in facts["notes"]],
            ("task", f"{target.kind} ({target.reason})"),
            ("model", fitted.model.describe()),
            ("why", fitted.why),
            ("optimizer", facts["optimizer"]),
            ("stopped", str(fitted.reason)),
            *[(name, found.brief) for name, found in outcome.findings.items() if found.brief],
            *[(name, said) for name, said in shared.items() if name != "time"],
            *([("calibration", fitted.calibration)] if fitted.calibration else []),
            *promise_line(facts).items(),
            *[("suspicious", sentence) for sentence in outcome.suspicious],
            ("weightiest", ", ".join(weighty) or "none"),
            ("time", shared["time"]),
        ]


def table_task(table: Table, settings: Settings) -> TableTask:
    """The task of a table as it was read.

    **Raises** what `type_table` does.
    """
    return TableTask(type_table(table, settings), settings)


def fit_table(table: Table, settings: Settings) -> Fitted[TablePrepared]:
    """Train a model that predicts a column of a table, and choose which."""
    task = table_task(table, settings)
    return task.train(task.prepare())
