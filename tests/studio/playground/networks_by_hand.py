"""Trainings to look at, and the network by hand."""

import numpy as np

from descend.studio.playground.learner import Learner, Start, ToyChoice
from descend.studio.playground.network import Architecture, NetworkLoss
from descend.studio.playground.training import Conduct
from descend.studio.racing.course import Ball
from descend.studio.racing.rules import BY_NAME

LOSSES = {kind: NetworkLoss(kind) for kind in ("classification", "regression")}
XOR, PLANE = ToyChoice("xor", 60, 0.1, 1), ToyChoice("humps", 60, 0.1, 1)


def start(data=XOR, features=("x", "y", "xy"), layers=(4, 3), activation="tanh", seed=5, attempt=0):
    return Start(data, 0.3, Architecture(features, layers, activation), seed, attempt)


def conduct(rule="sgd", batch_size=10_000, **settings):
    rates = {"learning_rate": settings.pop("learning_rate", 0.1)}
    return Conduct(Ball(BY_NAME[rule], rates), batch_size, **settings)


def learner(table=None):
    return Learner(table, LOSSES)


def begun(where=None, how=None):
    return learner().follow(where or start(), how or conduct())[0]


def numbers(network):
    """Weights and biases, in double precision."""
    return [[np.asarray(one, np.float64) for one in each] for each in (network.weights, network.biases)]
