"""The sections of a report on a table larger than memory: predictions held out, and how the training went."""

from html import escape

from descend._figures import training_curves
from descend.tasks.blocks.prepared import BlocksPrepared
from descend.tasks.blocks.task import certificate_of
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.judging.classes import class_sections
from descend.tasks.common.judging.numbers import number_sections
from descend.tasks.common.page import MARGIN
from descend.tasks.common.section import Section


def block_sections(fitted: Fitted[BlocksPrepared], outcome: Outcome, target: str) -> list[Section]:
    """All of them; `target`: the name of the column that is predicted."""
    chosen, prepared = fitted.chosen, fitted.prepared
    of_target = prepared.target
    found = class_sections(outcome, of_target, "rows") if of_target.classes else number_sections(outcome, "rows")
    curves = training_curves(chosen.history, chosen.reason).update_layout(title=None, margin=MARGIN)
    proved = "".join(f"<p>The {escape(each.name)} model: {escape(str(certificate))}.</p>"
                     for each in fitted.trained if (certificate := certificate_of(each)))
    return [
        *found,
        Section("How the training went", f"Stopped by {fitted.reason}.", curves, proved),
        Section("What was learnt from", f"The target, {target}, was taken for {of_target.kind}: {of_target.reason}.",
                html=_columns(prepared, target)),
    ]


def _columns(prepared: BlocksPrepared, target: str) -> str:
    schema = prepared.blocks.files.schema
    rows = (f"<tr><td>{escape(name)}<td>{escape(str(schema.field(name).type))}"
            for name in prepared.blocks.columns if name != target)
    return f"<table>{''.join(rows)}</table>"
