"""What came of a sweep, in rows and in words."""

from typing import TYPE_CHECKING, Any

from descend.tasks.sweep.sweeping import SEED, Sweep
from descend.tasks.sweep.trial import Trial

if TYPE_CHECKING:
    import pandas

# Of a column.
MEAN = "mean over seeds"


def trial_rows(sweep: Sweep) -> list[dict[str, Any]]:
    """A row for each trial, the best first: what varies, the loss and the score on what is validated on, the
    mean loss of the seeds if they vary, how far it went, and why no farther."""
    means = _means(sweep) if any(axis.name == SEED for axis in sweep.axes) else {}
    return [
        {**trial.varied, sweep.judge.what: trial.last.loss, sweep.judge.score: trial.last.score,
         **({MEAN: means[trial]} if means else {}),
         "steps": trial.last.steps, "seconds": trial.last.seconds, "reason": trial.last.reason}
        for trial in sweep.ranking
    ]


def _means(sweep: Sweep) -> dict[Trial, float]:
    return {trial: sum(each.last.loss for each in group) / len(group) for group in sweep.settings for trial in group}


def frame_of(sweep: Sweep) -> "pandas.DataFrame":
    """The same as a table."""
    # It takes half a second to import.
    import pandas as pd

    return pd.DataFrame(trial_rows(sweep))


def honest_words(sweep: Sweep, facts: dict[str, Any]) -> list[str]:
    """What the numbers are worth."""
    count, chosen, unit = len(sweep.trials), len(sweep.prepared.training), sweep.task.unit
    flatters = f", as the best of {count}: this number flatters" if count > 1 else ""
    words = [f"Trials are compared by {sweep.judge.what} on {chosen:,} {unit}, validated {sweep.judge.judged.where}. "
             f"The winner has {sweep.winner.last.loss:.4g}{flatters}."]
    if len(facts.get("validation", {})) > 1:
        words.append(f"With its settings all was trained that learns from such {unit}, as by descend fit, and what is "
                     f"kept is the {facts['model']}: {facts['why']}.")
    words.append(f"The winner's {facts['metric']} is {facts['score']:.4f} on {facts['held_out']:,} {unit} that were "
                 f"held out: no trial has seen them, and no other was scored on them. The plainest guess has "
                 f"{facts['baseline']:.4f}.")
    if stopped := sum(trial.last.reason == "halved" for trial in sweep.trials):
        words.append(f"{stopped} of the trials were stopped early, as half of the settings are after each round: "
                     "theirs is the loss at which they were stopped.")
    return words
