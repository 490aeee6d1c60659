"""What it takes to fit something: the steps that all tasks share, and those that each kind of task settles itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from descend._files import write_atomically
from descend._saved import MODEL_FILE
from descend.engine.storing import write_arrays
from descend.observers import Observer
from descend.observers.progress import duration
from descend.tasks.common.examples import Prepared
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.folder import RunFolder, place_of
from descend.tasks.common.judging.scores import facts_of, lines_of
from descend.tasks.common.section import Section, verdict_section
from descend.tasks.common.settings import Settings
from descend.training import Trainer

# Each kind of task may have more of its own in what is prepared, and in the outcome.
P = TypeVar("P", bound=Prepared)
R = TypeVar("R", bound=Outcome)
# Who looks on at the training of a model, by the model's title.
Observers = Callable[[str], Sequence[Observer]]


class Task(ABC, Generic[P, R]):
    """Something to fit, read and typed, and each step of the way to a model that is stored.

        prepared = task.prepare()                      some held out, the others made ready
        fitted = task.train(prepared, ...)             models trained, and one of them chosen, with the reason
        outcome = task.judge(fitted)                   scored on what was held out
        facts = task.metrics(fitted, outcome)          all that is known, as JSON can hold it
        task.save(folder, fitted, outcome, facts)      the model, its history, the report, the facts

    The stored model is read again by `descend.tasks.loading`. A kind of task has the attributes below, and its own
    abstract methods; what those return is put together here, so that all runs look alike.

    - `settings`: what the user settled.
    - `source`: what it was read from, as `run.json` calls it. `unit`: what its examples are called, in the plural.
    - `predicts_from`: what `descend predict` is to be given, as a usage line calls it.
    - `is_divided`: whether several processes may share it.
    """

    settings: Settings
    source: ClassVar[str]
    unit: ClassVar[str]
    predicts_from: ClassVar[str]
    is_divided: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """What is fitted."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A digest of all that is fitted."""

    @property
    def asked(self) -> dict[str, Any]:
        """What `run.json` says: a run is only resumed with the same."""
        settings, test = vars(self.settings), self.settings.test
        # Wherever it is resumed or examined from; and without what is secret.
        where = {} if test is None else {"test": place_of(test)}
        return {self.source: self.name, "digest": self.digest, "settings": {**settings, **where}}

    @abstractmethod
    def prepare(self) -> P:
        """Hold examples out, and make the others ready.

        **Raises** `InputError` for examples and settings that do not fit each other.
        """

    @abstractmethod
    def train(
        self, prepared: P, observers: Observers = lambda _: (), checkpoints: Path | None = None, resume: bool = False
    ) -> Fitted[P]:
        """Train what there is to choose from, and choose.

        `observers`: who looks on, by title. `checkpoints`: the folder to save trainings in. `resume`: go on from there.

        **Raises** `CheckpointError` for a checkpoint that is damaged, or of another training.
        """

    @abstractmethod
    def begun(self, prepared: P, checkpoints: Path | None = None) -> tuple[Trainer, Any]:
        """The training before its first step, or where its checkpoint in a folder of them stands; and held-out examples
        as its loss takes them: to be examined, or taken further from outside.

        **Raises** `InputError` where there is none, as nothing is trained in steps.
        """

    def mended(self, prepared: P, **changed: Any) -> "Task[P, R]":
        """The task of which a run was `begun`, with other settings."""
        settings = replace(self.settings, **changed)
        return replace(self, settings=settings)  # type: ignore[type-var]  # all tasks are dataclasses

    @abstractmethod
    def judge(self, fitted: Fitted[P]) -> R:
        """Score the fit on what was held out.

        **Raises** `InputError` if its predictions are not finite.
        """

    @abstractmethod
    def about_model(self, fitted: Fitted[P]) -> dict[str, Any]:
        """Facts for `metrics.json` about the model, besides its name."""

    @abstractmethod
    def about_data(self, fitted: Fitted[P], outcome: R) -> dict[str, Any]:
        """Facts about the examples, and all else that only this kind of task has."""

    @abstractmethod
    def kind(self, prepared: P) -> str:
        """What `metrics.json` calls the task."""

    def metrics(self, fitted: Fitted[P], outcome: R) -> dict[str, Any]:
        """The outcome for `metrics.json`."""
        prepared = fitted.prepared
        return {
            "task": self.kind(prepared),
            "target": self.settings.target,
            "model": fitted.chosen.name,
            **self.about_model(fitted),
            "optimizer": fitted.chosen.how,
            "metric": outcome.metric,
            "score": outcome.score,
            "baseline": outcome.baseline,
            **facts_of(outcome, prepared.target),
            "reason": fitted.reason.name,
            "evidence": fitted.reason.evidence,
            "steps": fitted.chosen.reason.step,
            "seconds": fitted.seconds,
            "rows": len(prepared.training) + len(prepared.held_out),
            "held_out": len(prepared.held_out),
            **self.about_data(fitted, outcome),
            **({} if fitted.verdict is None else {"verdict": list(fitted.verdict.sentences)}),
        }

    @abstractmethod
    def lines(self, fitted: Fitted[P]) -> Iterable[str]:
        """What the report says below the score, as HTML."""

    @abstractmethod
    def sections(self, fitted: Fitted[P], outcome: R) -> Iterable[Section]:
        """The sections of the report."""

    style: ClassVar[str] = ""

    def report(self, fitted: Fitted[P], outcome: R, facts: dict[str, Any]) -> str:
        """The report as a page."""
        # Plotly takes half a second to import.
        from descend.tasks.common.page import page

        lines = [
            f"<p class=score>{outcome.metric} {outcome.score:.4f}</p>",
            f"<p>on {facts['held_out']:,} {self.unit} that were held out; the plainest guess has "
            f"{outcome.baseline:.4f}.</p>",
            *self.lines(fitted),
        ]
        title = f"{self.settings.target} from {self.name}"
        sections = [*self.sections(fitted, outcome), *verdict_section(fitted.verdict)]
        return page(title, lines, sections, facts, self.style)

    @abstractmethod
    def summary(self, fitted: Fitted[P], outcome: R, facts: dict[str, Any]) -> list[tuple[str, str]]:
        """What the command says at its end: names, and what they stand for."""

    def scores_and_time(self, outcome: R, facts: dict[str, Any]) -> dict[str, str]:
        """Those of them that all tasks have."""
        score = f"{outcome.metric} {outcome.score:.4f} on held-out {self.unit}"
        return {"score": f"{score}; the plainest guess: {outcome.baseline:.4f}",
                **lines_of(facts),
                "time": f"{duration(facts['seconds'])} of training"}

    def files(self, outcome: R) -> dict[str, bytes]:
        """What is written besides, by the names of the files."""
        return {}

    def save(self, folder: RunFolder, fitted: Fitted[P], outcome: R, facts: dict[str, Any]) -> None:
        """Write the run's files; the model comes first, and the metrics last: where they are, the rest is."""
        # Whoever is killed in between resumes, and writes all of it anew.
        facts_of_model, arrays = fitted.model.to_parts()
        write_arrays(folder.path / MODEL_FILE, arrays, facts_of_model)
        write_atomically(folder.path / "history.parquet", fitted.chosen.history.to_pandas().to_parquet(index=False))
        for name, content in self.files(outcome).items():
            write_atomically(folder.path / name, content)
        folder.write_report(self.report(fitted, outcome, facts))
        folder.write_json("metrics.json", facts)
