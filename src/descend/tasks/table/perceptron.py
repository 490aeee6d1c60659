"""Multi-layer perceptrons as a candidate: a member for each fold, trained in steps of an optimizer."""

from collections.abc import Mapping

import numpy as np

from descend._facts import Facts
from descend.tasks.common.fitted import Predictor, Trained
from descend.tasks.common.target import Target
from descend.tasks.table.candidate import Candidate, TrainingContext
from descend.tasks.table.networks.architecture import NETWORKS, Architecture
from descend.tasks.table.preparing import TablePrepared
from descend.training import Trainer

# The rates are what did best on the samples.
MLP = Architecture(
    "mlp",
    hidden_layers=2,
    rates={"sgd": 0.1, "adagrad": 0.03, "rmsprop": 0.001, "adam": 0.003, "adamw": 0.003},
    weight_decay=0.3,
)


class PerceptronCandidate(Candidate):
    """Perceptrons with two hidden layers, whose mean is the prediction."""

    name = MLP.name
    title = "perceptron"

    def fit(self, prepared: TablePrepared, context: TrainingContext) -> Trained:
        # What compiles takes a second to import.
        from descend.tasks.table.networks.training import train_networks

        return train_networks(MLP, prepared, context)

    def begun(self, prepared: TablePrepared, context: TrainingContext) -> Trainer:
        from descend.tasks.table.networks.training import training

        return training(MLP, prepared, context)[0]

    def reads(self, kind: str, predictor: Facts) -> bool:
        return kind == NETWORKS and MLP.is_of(predictor)

    def load(
        self, kind: str, predictor: Facts, arrays: Mapping[str, np.ndarray], features: int, target: Target
    ) -> Predictor:
        from descend.tasks.table.networks.training import Networks

        return Networks.from_parts(predictor, arrays, MLP, features, target)
