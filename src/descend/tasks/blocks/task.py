"""The task of predicting a column of a table that is larger than memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from descend._arrow import holds_numbers
from descend.engine.interruption import interrupts
from descend.errors import InputError
from descend.tasks.blocks.candidates import CANDIDATES, Candidate
from descend.tasks.blocks.files import TableFiles
from descend.tasks.blocks.model import BlocksModel
from descend.tasks.blocks.predictor import LINEAR, OnBlocks
from descend.tasks.blocks.prepared import BlocksPrepared, Looks
from descend.tasks.blocks.preparing import prepare_blocks
from descend.tasks.common.choosing.choosing import choose
from descend.tasks.common.choosing.lanes import Lanes, without_warnings
from descend.tasks.common.choosing.measures import losses_for
from descend.tasks.common.choosing.scoring import row_scores
from descend.tasks.common.fitted import Fitted, Outcome, Trained, judge
from descend.tasks.common.judging.scores import finite
from descend.tasks.common.linear.model import Certificate
from descend.tasks.common.section import Section
from descend.tasks.common.settings import AUTO, Settings
from descend.tasks.common.task import Observers, Task
from descend.training import Trainer

# Settings that mean something here.
KNOWN = frozenset(("target", "model", "epochs", "seconds", "seed", "split_seed", "hold_out", "task", "drop", "test"))
NOT_REPLAYED = "a training on a table larger than memory is not replayed: examine one on some of its rows"


@dataclass(frozen=True)
class BlocksTask(Task[BlocksPrepared, Outcome]):
    """To predict a column of files that are read block by block. `looks`: who looks on at looks over all rows."""

    table: TableFiles
    settings: Settings
    looks: Looks = lambda _: ()

    source: ClassVar[str] = "blocks"
    unit: ClassVar[str] = "rows"
    predicts_from: ClassVar[str] = "TABLE"

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def digest(self) -> str:
        test = self.settings.test
        return self.table.digest + ("" if test is None else TableFiles.of(test).digest)

    def prepare(self) -> BlocksPrepared:
        return prepare_blocks(self.table, self.settings, self.looks)

    def train(
        self,
        prepared: BlocksPrepared,
        observers: Observers = lambda _: (),
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Fitted[BlocksPrepared]:
        wanted = _asked_for(self.settings)
        width = max(len(candidate.name) for candidate in wanted)
        titled = lambda name: observers(f"{name:>{width}}")
        with interrupts() as interrupted, without_warnings():
            training = Lanes(prepared, self.settings, titled, checkpoints, resume, interrupted)
            trained = training.in_turn(wanted)
        return _chosen(prepared, self.settings, trained, wanted)

    def begun(self, prepared: BlocksPrepared, checkpoints: Path | None = None) -> tuple[Trainer, Any]:
        raise InputError(NOT_REPLAYED)

    def judge(self, fitted: Fitted[BlocksPrepared]) -> Outcome:
        return judge(fitted)

    def kind(self, prepared: BlocksPrepared) -> str:
        return prepared.target.kind

    def about_model(self, fitted: Fitted[BlocksPrepared]) -> dict[str, Any]:
        return {"description": fitted.model.describe(), "why": fitted.why}

    def about_data(self, fitted: Fitted[BlocksPrepared], outcome: Outcome) -> dict[str, Any]:
        prepared = fitted.prepared
        solved = {each.name: proved.facts() for each in fitted.trained if (proved := certificate_of(each))}
        return {
            "rows": len(prepared.training) + len(prepared.held_out) + len(prepared.compared),
            "compared": len(prepared.compared),
            "dropped": prepared.dropped,
            "notes": list(prepared.notes),
            "validation": {name: finite(score) for name, score in fitted.validation.items()},
            **solved,
        }

    def lines(self, fitted: Fitted[BlocksPrepared]) -> Iterable[str]:
        return [f"<p>The model is {escape(fitted.model.describe())}: {escape(fitted.why)}.</p>",
                *(f"<p class=note>{escape(note)}.</p>" for note in fitted.prepared.notes)]

    def sections(self, fitted: Fitted[BlocksPrepared], outcome: Outcome) -> Iterable[Section]:
        from descend.tasks.blocks.report import block_sections

        return block_sections(fitted, outcome, self.settings.target)

    def summary(
        self, fitted: Fitted[BlocksPrepared], outcome: Outcome, facts: dict[str, Any]
    ) -> list[tuple[str, str]]:
        target, shared = fitted.prepared.target, self.scores_and_time(outcome, facts)
        dropped = f", {facts['dropped']:,} more without a target" if facts["dropped"] else ""
        compared = f" and models compared on {facts['compared']:,} others"
        proved = [(each.name, certificate.brief) for each in fitted.trained if (certificate := certificate_of(each))]
        return [
            ("rows", f"{facts['rows']:,}, of which {facts['held_out']:,} were held out{compared}{dropped}"),
            *[("note", note) for note in facts["notes"]],
            ("task", f"{target.kind} ({target.reason})"),
            ("model", fitted.model.describe()),
            ("why", fitted.why),
            ("optimizer", facts["optimizer"]),
            ("stopped", str(fitted.reason)),
            *proved,
            *shared.items(),
        ]


def refuse_unknown(settings: Settings, others: Iterable[str]) -> None:
    """Refuse what means nothing for a table that is read block by block; `others`: options besides that were given.

    **Raises** `InputError`.
    """
    given = [field.name for field in fields(Settings)
             if field.name not in KNOWN and getattr(settings, field.name) != field.default]
    for option in [f"--{name.replace('_', '-')}" for name in given] + list(others):
        raise InputError(f"{option} is for tables that fit into memory, and this one is read block by block: leave it "
                         "out, or give fewer rows")
    _asked_for(settings)


def certificate_of(trained: Trained) -> Certificate | None:
    """What is proved of a linear model."""
    predictor = trained.predictor
    if not (isinstance(predictor, OnBlocks) and predictor.kind == LINEAR):
        return None
    model = predictor.estimator
    curves: Sequence[np.ndarray] = model.loss_curve_ if isinstance(model.loss_curve_, list) else [model.loss_curve_]
    least = max(float(curve.min()) for curve in curves)
    return Certificate(model.stop_reason_, least, float(model.duality_gap_), model.solver_)


def _asked_for(settings: Settings) -> list[Candidate]:
    """The candidates that were asked for."""
    wanted = [each for each in CANDIDATES if settings.model in (AUTO, each.name)]
    if not wanted:
        known = ", ".join((AUTO, *(each.name for each in CANDIDATES)))
        raise InputError(f"--model {settings.model} is for tables that fit into memory, and this one is read block by "
                         f"block: choose one of {known}")
    return wanted


def _chosen(
    prepared: BlocksPrepared, settings: Settings, trained: list[Trained], asked: Sequence[Candidate]
) -> Fitted[BlocksPrepared]:
    """The fit, with the model that is to be kept."""
    truth, target = prepared.compared.targets, prepared.target
    chosen, why = trained[0], f"{trained[0].name} was asked for"
    if settings.model == AUTO:
        titles = {candidate.name: candidate.title for candidate in asked}
        chosen, why = choose(trained, losses_for(settings, truth, target), titles, may_blend=False)
    schema = prepared.blocks.files.schema
    features = [name for name in prepared.blocks.columns if name != settings.target]
    numbers, words = (tuple(name for name in features if holds_numbers(schema.field(name).type) is kind)
                      for kind in (True, False))
    model = BlocksModel(chosen.predictor, target, numbers, words)
    scores = {each.name: float(row_scores(each.unseen, truth, target.kind).mean()) for each in trained}
    seconds = sum(each.seconds for each in trained)
    return Fitted(prepared, model, chosen, tuple(trained), why, scores, seconds)
