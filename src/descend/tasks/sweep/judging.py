"""By what the trials of a sweep are compared: always the same examples, which a trial's models have not learnt from."""

import math
from dataclasses import dataclass, replace

from descend.tasks.common.choosing.choosing import unseen_scores
from descend.tasks.common.choosing.measures import MEASURES, losses_for
from descend.tasks.common.examples import Judged
from descend.tasks.common.fitted import Trained
from descend.tasks.common.settings import Metric, Settings
from descend.tasks.common.target import Target


@dataclass(frozen=True)
class Judge:
    """Called with what was trained, it gives a loss, which is to be small, and the accuracy or R²."""

    target: Target
    judged: Judged
    settings: Settings

    @property
    def metric(self) -> Metric:
        """What was asked for; else the log-loss of classes, or the square of errors, in units of the target's spread.

        No error is taken for a smaller one, as it is where models are compared at once: trials come one by one."""
        return self.settings.metric or ("log-loss" if self.target.classes else "rmse")

    @property
    def what(self) -> str:
        """What the loss is, in words."""
        return MEASURES[self.metric].what

    @property
    def score(self) -> str:
        """What the score is."""
        return "accuracy" if self.target.classes else "R²"

    def __call__(self, trained: Trained) -> tuple[float, float]:
        judged, settings = self.judged, replace(self.settings, metric=self.metric)
        score = float(unseen_scores(trained, self.target, judged).mean())
        losses_of = losses_for(settings, judged.targets, self.target, judged.weights)
        loss = float(losses_of([trained.unseen])[0].mean())
        return (loss if math.isfinite(loss) else math.inf), (score if math.isfinite(score) else -math.inf)
