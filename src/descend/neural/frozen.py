"""A network whose layers stay as another training left them: its features, and a last layer from elsewhere."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from descend._tree import Tree
from descend.neural._network import Network, scores_of
from descend.neural._pictured import PictureNetwork
from descend.neural._weights import weights
from descend.neural.images import ConvClassifier
from descend.neural.starting import Start


class _Features(Network):
    """What a network makes of pictures before its last layer."""

    network: PictureNetwork

    def __call__(self, inputs: Array, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        return self.network.features(inputs, state)


def frozen(start: Start, X: Any, classes: int) -> ConvClassifier:
    """A classifier of pictures as `X` with the layers of a start, and a last layer that is yet to come."""
    model = ConvClassifier(start=start)
    begun = model._init_network(model._inputs(X, reset=True), classes, np.random.default_rng(0))
    model.network_, model.state_, model.classes_ = begun.network, begun.state, np.arange(classes)
    return model


def features_of(model: ConvClassifier, X: Any) -> np.ndarray:
    """The features of pictures, (pictures, features)."""
    return scores_of(_Features(model.network_), model.state_, model._inputs(X, reset=False), model._block)


def with_head(model: ConvClassifier, matrix: np.ndarray, added: np.ndarray) -> None:
    """Take this last layer: a matrix, (features, classes), and what is added."""
    model.network_ = replace(model.network_, weight=weights(matrix), bias=weights(added))
