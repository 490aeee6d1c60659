"""Training on texts: candidates beside each other, and the one that is kept, its probabilities put right."""

from collections.abc import Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from descend.engine.interruption import interrupts
from descend.tasks.common.choosing.choosing import choose
from descend.tasks.common.choosing.lanes import Lanes, without_warnings
from descend.tasks.common.choosing.measures import losses_for
from descend.tasks.common.choosing.scoring import row_scores
from descend.tasks.common.fitted import Fitted, Trained
from descend.tasks.common.judging.temperature import fitted_temperature
from descend.tasks.common.network.candidate import NetworkCandidate
from descend.tasks.common.settings import Settings
from descend.tasks.common.task import Observers
from descend.tasks.text.candidates import LinearCandidate
from descend.tasks.text.model import NetworkOfTexts, TextModel
from descend.tasks.text.ngrams import LETTERS_READ
from descend.tasks.text.preparing import TextPrepared

WORDS = LinearCandidate("words", "linear model of words")
LETTERS = LinearCandidate("letters", "linear model of letters")
Candidates = Sequence[LinearCandidate | NetworkCandidate]
# Of all texts together: runs of more letters take longer than all else.
MOST_LETTERS = 4_000_000


def train(
    prepared: TextPrepared, settings: Settings, column: str, observers: Observers, checkpoints: Path | None,
    resume: bool,
) -> Fitted[TextPrepared]:
    """Train the candidates, and choose one, or a blend.

    **Raises** `CheckpointError` for a checkpoint that is damaged, or of another training.
    """
    solved, network = candidates(prepared)
    # Of a time that is limited, what runs aside would have a share that hangs on the others: then all run in turn.
    in_turn = (*solved, *network)
    aside, others = (solved, network) if network and settings.seconds is None else ((), in_turn)
    with threadpool_limits(1, user_api="blas"), interrupts() as interrupted, without_warnings():
        lanes = Lanes(prepared, settings, observers, checkpoints, resume, interrupted).side_by_side(aside, others)
    trained = [each for lane in lanes for each in lane]
    took = max(sum(each.seconds for each in lane) for lane in lanes)
    titles = {each.name: each.title for each in in_turn}
    return _chosen(prepared, settings, trained, titles, column, took)


def candidates(prepared: TextPrepared) -> tuple[Candidates, Candidates]:
    """Those that suit so many texts: the solved ones, the simplest first, and the network."""
    letters = sum(min(len(text), LETTERS_READ) for text in prepared.training.inputs)
    solved = [WORDS, LETTERS] if letters <= MOST_LETTERS else [WORDS]
    return solved, [NetworkCandidate(prepared.network.model, NetworkOfTexts)] if prepared.is_large else []


def _chosen(
    prepared: TextPrepared, settings: Settings, trained: Sequence[Trained], titles: dict[str, str], column: str,
    took: float,
) -> Fitted[TextPrepared]:
    """The fit, with the model that is to be kept."""
    truth, weights = prepared.training.targets[prepared.validated], prepared.validated_weights
    chosen, why = choose(trained, losses_for(settings, truth, prepared.target, weights), titles)
    temperature = fitted_temperature(chosen.unseen, truth, weights)
    scores = {each.name: float(row_scores(each.unseen, truth, prepared.target.kind, weights).mean())
              for each in trained}
    model = TextModel(chosen.predictor, prepared.target.classes, column, temperature.value)
    return Fitted(prepared, model, chosen, tuple(trained), why, scores, took, calibration=temperature.why)
