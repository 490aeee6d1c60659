"""Examples made ready for a network: some to learn from, and some that it is validated on."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from descend.tasks.common.examples import Examples, Judged, Prepared
from descend.tasks.common.network.model import Network


@dataclass(frozen=True)
class NetworkPrepared(Prepared):
    """Examples to learn from and others held out, and the network that is to be trained.

    `validation`: what the network is validated on, if there is enough for that. `kept_back`: which of the training
    examples these are, if they are some of them.
    """

    network: Network = field(kw_only=True)
    validation: Examples | None = field(default=None, kw_only=True)
    kept_back: np.ndarray | None = field(default=None, kw_only=True)

    @property
    def for_network(self) -> tuple[Examples, dict[str, Any]]:
        """What the network learns from, and what there is to validate it on, as it takes that."""
        learnt = self.training
        if self.kept_back is not None:
            learnt = learnt.chosen(np.setdiff1d(np.arange(len(learnt)), self.kept_back))
        given = self.validation
        return learnt, {} if given is None else {"X_val": given.inputs, "y_val": given.targets}

    @property
    def judged(self) -> Judged | None:
        given = self.validation
        if given is None:
            return None
        where = f"on {len(given):,} {'others' if self.kept_back is None else 'of them'}"
        return Judged(given.targets, given.weights, where)

    def keeping_back(self, rows: np.ndarray | None) -> "NetworkPrepared":
        """The same, where these examples are validated on, and not learnt from; none, where there are too few."""
        return self if rows is None else replace(self, kept_back=rows, validation=self.training.chosen(rows))
