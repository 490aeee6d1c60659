"""Training on a table: the candidates side by side or in turn, and one of them chosen."""

from collections.abc import Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from descend._division import Division, processes_among
from descend.engine.interruption import interrupts
from descend.tasks.common.choosing.choosing import choose, unseen_scores
from descend.tasks.common.choosing.lanes import Lanes, without_warnings
from descend.tasks.common.choosing.measures import MEASURES, losses_for
from descend.tasks.common.fitted import Fitted, Trained
from descend.tasks.common.settings import AUTO, Settings
from descend.tasks.common.task import Observers
from descend.tasks.table.candidate import Candidate
from descend.tasks.table.model import TableModel
from descend.tasks.table.preparing import TablePrepared
from descend.tasks.table.promising import with_promises
from descend.tasks.table.registry import asked_for


def train(
    prepared: TablePrepared,
    settings: Settings,
    *,
    observers: Observers = lambda _: (),
    checkpoints: Path | None = None,
    resume: bool = False,
) -> Fitted[TablePrepared]:
    """Train the candidates, and choose one.

    `observers`: who looks on at the training of each, by its name. `checkpoints`: the folder to save them in. `resume`:
    go on from what is there.

    **Raises** `InputError` for a model that there is none of, or that does not suit the target, and `CheckpointError`
    for a checkpoint that is damaged, or of another training.
    """
    chosen_from = asked_for(settings, prepared.target)
    processes = processes_among(Division.among_all())
    # Of a time that is limited, what runs aside would have a share that hangs on the others: then all run in turn. Of
    # several processes the first alone solves what is not divided, and none may wait for it in the midst of the others.
    in_time = processes.are_several or settings.seconds is None
    at_once = settings.model == AUTO and in_time and not settings.says_how_to_descend
    solved = [candidate for candidate in chosen_from if at_once and candidate.runs_aside]
    aside = solved if processes.is_first else []
    others = [candidate for candidate in chosen_from if candidate not in solved]
    # The products of matrices that NumPy makes are short. Threads of theirs would, after each, spin for a while on the
    # cores that the steps need.
    with threadpool_limits(1, user_api="blas"), interrupts() as interrupted, without_warnings():
        training = Lanes(prepared, settings, observers, checkpoints, resume, interrupted)
        lanes = training.side_by_side(aside, others)
    by_name = {each.name: each for lane in lanes for each in lane}
    trained = [by_name[candidate.name] for candidate in chosen_from if candidate.name in by_name]
    took = max(sum(each.seconds for each in lane) for lane in lanes)
    return _chosen(prepared, settings, trained, chosen_from, took)


def _chosen(
    prepared: TablePrepared, settings: Settings, trained: list[Trained], asked: Sequence[Candidate], took: float
) -> Fitted[TablePrepared]:
    """The fit, with the model that is to be kept."""
    scores = [unseen_scores(each, prepared.target, prepared.judged) for each in trained]
    if settings.model == AUTO:
        titles = {candidate.name: candidate.title for candidate in asked}
        judged = prepared.judged
        chosen, why = choose(trained, losses_for(settings, judged.targets, prepared.target, judged.weights), titles)
        if settings.metric is not None:
            why = f"by {MEASURES[settings.metric].what}, {why}"
    else:
        chosen, why = trained[0], f"{trained[0].name} was asked for"
    bare = TableModel(prepared.encoder, chosen.predictor, prepared.target, prepared.scale)
    model, calibration = with_promises(bare, chosen.out_of_fold, prepared)
    validation = {each.name: float(score.mean()) for each, score in zip(trained, scores, strict=True)}
    return Fitted(prepared, model, chosen, tuple(trained), why, validation, took, calibration=calibration)
