"""What networks for tables differ in, and how they are trained where nobody says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from descend._facts import Facts
from descend.tasks.common.settings import MAX_LAYERS, MAX_WIDTH, Settings

# What a model's file calls the kind of all of them.
NETWORKS = "networks"
# Rows up to which all dropout is needed.
SMALL_TABLE = 5000
# Classes up to which all decay is needed.
FEW_CLASSES = 3


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    - `name`: the candidate's, in a model's file, too.
    - `hidden_layers`: how many it has, each of `width` units.
    - `rates`: the learning rate for each optimizer.
    - `decay`: by how many powers of e AdamW's decay makes weights smaller in a whole training, however long that is. It
      is less of more classes than three, whose scores have to differ by more.
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
    width: int = 128

    def dropout_for(self, rows: int) -> float:
        """The share that is left out with so many rows."""
        return self.dropout * min(1.0, SMALL_TABLE / rows)

    def decay_for(self, outputs: int) -> float:
        """The powers of e with so many outputs: a number, or the score of two classes, has one."""
        return self.decay * min(1.0, math.log(FEW_CLASSES) / math.log(max(outputs, 2)))

    def sized(self, settings: Settings) -> "Architecture":
        """The same with as many hidden layers, and as wide ones, as somebody asked for; a linear one has none."""
        if not self.hidden_layers:
            return self
        return replace(self, hidden_layers=settings.hidden_layers or self.hidden_layers,
                       width=settings.width or self.width)

    def stored(self, shape: Facts) -> "Architecture":
        """The same with the size that a model's file tells of.

        **Raises** `CheckpointError` for one that no network has.
        """
        # A model that was stored before there was a choice does not say how many layers it has.
        least, most = (1, MAX_LAYERS) if self.hidden_layers else (0, 0)
        layers = shape.whole("hidden_layers", least, most) if shape.has("hidden_layers") else self.hidden_layers
        return replace(self, hidden_layers=layers, width=shape.whole("width", 1, MAX_WIDTH))

    def is_of(self, predictor: Facts) -> bool:
        """Whether stored networks are of this architecture."""
        return predictor.inner("shape").text("architecture") == self.name
