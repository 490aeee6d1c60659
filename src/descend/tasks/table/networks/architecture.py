"""What networks for tables differ in, and how they are trained where nobody says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from descend._facts import Facts

# What a model's file calls the kind of all of them.
NETWORKS = "networks"
# Rows up to which all dropout is needed.
SMALL_TABLE = 5000


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    - `name`: the candidate's, in a model's file, too.
    - `hidden_layers`: how many it has, each as wide as the others.
    - `rates`: the learning rate for each optimizer.
    - `decay`: by how many powers of e AdamW's decay makes weights smaller in a whole training, however long that is.
    - `dropout`: the share of activations that is left out in training on a small table. There is less of it the more
      rows there are.

    Reference: Wang and Aitchison, "How to set AdamW's weight decay as you scale model and dataset size", arXiv
    2405.13698, for decay in units of a training.
    """

    name: str
    hidden_layers: int
    rates: Mapping[str, float]
    decay: float
    dropout: float = 0.0

    def dropout_for(self, rows: int) -> float:
        """The share that is left out with so many rows."""
        return self.dropout * min(1.0, math.sqrt(SMALL_TABLE / rows))

    def is_of(self, predictor: Facts) -> bool:
        """Whether stored networks are of this architecture."""
        return predictor.inner("shape").text("architecture") == self.name
