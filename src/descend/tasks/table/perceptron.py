"""Multi-layer perceptrons as a candidate: a member for each fold, trained in steps of an optimizer."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from descend._facts import Facts
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.fitted import Predictor, Trained
from descend.tasks.common.target import Target
from descend.tasks.table.candidate import Candidate
from descend.tasks.table.networks.architecture import NETWORKS, Architecture
from descend.tasks.table.preparing import TablePrepared
from descend.training import Trainer

# The rates, the decay and the dropout are what did well on tables of the benchmark that do not judge.
MLP = Architecture(
    "mlp",
    hidden_layers=3,
    rates={"sgd": 0.1, "adagrad": 0.03, "rmsprop": 0.002, "adam": 0.005, "adamw": 0.008},
    decay=8.0,
    dropout=0.2,
)
# Which dropout a table needs hangs on its noise: where time is no matter, its rows tell.
NO_DROPOUT, MORE_DROPOUT = (replace(MLP, name=f"mlp-{how}-dropout", dropout=share)
                            for how, share in (("no", 0.0), ("more", 0.35)))


class PerceptronCandidate(Candidate):
    """Perceptrons with three hidden layers, fed ranges of each number, whose mean is the prediction."""

    has_layers = True

    def __init__(self, architecture: Architecture, title: str, only_best: bool = False) -> None:
        self.architecture, self.name, self.title, self.only_best = architecture, architecture.name, title, only_best

    def fit(self, prepared: TablePrepared, context: TrainingContext) -> Trained:
        # What compiles takes a second to import.
        from descend.tasks.table.networks.training import train_networks

        return train_networks(self.architecture, prepared, context)

    def begun(self, prepared: TablePrepared, context: TrainingContext) -> tuple[Trainer, np.ndarray]:
        from descend.tasks.table.networks.training import latest_begun

        return latest_begun(self.architecture, prepared, context)

    def reads(self, kind: str, predictor: Facts) -> bool:
        return kind == NETWORKS and self.architecture.is_of(predictor)

    def load(
        self, kind: str, predictor: Facts, arrays: Mapping[str, np.ndarray], features: int, target: Target
    ) -> Predictor:
        from descend.tasks.table.networks.training import Networks

        return Networks.from_parts(predictor, arrays, self.architecture, features, target)


PERCEPTRONS = (
    PerceptronCandidate(MLP, "perceptron"),
    PerceptronCandidate(NO_DROPOUT, "perceptron without dropout", only_best=True),
    PerceptronCandidate(MORE_DROPOUT, "perceptron with more dropout", only_best=True),
)
