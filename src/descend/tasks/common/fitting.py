"""What becomes of a task that was prepared: a model that is trained, judged, and stored in a run's folder."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from typing import Any

from descend.insight.verdict import Verdict, Verdicts
from descend.tasks.common.examples import Prepared
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.folder import RunFolder
from descend.tasks.common.task import Observers, Task


def trained(
    task: Task[Any, Any], prepared: Prepared, folder: RunFolder, observers: Observers, insight: bool = True
) -> Fitted[Any]:
    """The fit, trained with checkpoints in the folder, or gone on with. `observers`: who looks on, by title; `insight`:
    whether it is told what stands out in the training."""
    judges = defaultdict[str, Verdicts](Verdicts)
    looks_on = lambda title: (*observers(title), *((judges[title.strip()],) if insight else ()))
    with ThreadPoolExecutor(1) as pool:
        # Plotly takes half a second to import, in which steps are computed.
        pool.submit(import_module, "descend.tasks.common.page")
        fitted = task.train(prepared, looks_on, folder.checkpoints, folder.resume)
    # What was solved makes no steps, and comes with a certificate instead.
    told = judges[fitted.descended].each
    return replace(fitted, verdict=Verdict.of(told)) if told else fitted


def stored(
    task: Task[Any, Any], fitted: Fitted[Any], folder: RunFolder, more: dict[str, Any]
) -> tuple[Outcome, dict[str, Any]]:
    """The outcome, with all that is known, and `more`. Also what was interrupted is judged, reported and stored as far
    as it came, and can go on from there."""
    outcome = task.judge(fitted)
    facts = task.metrics(fitted, outcome) | more
    facts |= {name: folder.asked[name] for name in ("mended",) if name in folder.asked}
    with folder.closing():
        task.save(folder, fitted, outcome, facts)
    return outcome, facts
