"""What networks for tables differ in, and how they are trained where nobody says."""

from collections.abc import Mapping
from dataclasses import dataclass

from descend._facts import Facts

# What a model's file calls the kind of all of them.
NETWORKS = "networks"


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    - `name`: the candidate's, in a model's file, too.
    - `hidden_layers`: how many it has, each as wide as the others.
    - `rates`: the learning rate for each optimizer. `weight_decay`: AdamW's.
    """

    name: str
    hidden_layers: int
    rates: Mapping[str, float]
    weight_decay: float

    def is_of(self, predictor: Facts) -> bool:
        """Whether stored networks are of this architecture."""
        return predictor.inner("shape").text("architecture") == self.name
