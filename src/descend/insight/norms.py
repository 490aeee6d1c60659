"""How long each layer's parameters were along a descent, and how far they went."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend._tree import named_leaves
from descend.insight._looks import along
from descend.training import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Norms:
    """The parameters by path, at each of the `steps`: `length`, their Euclidean norm; `moved`, how far they are from
    where they began."""

    steps: np.ndarray
    length: dict[str, np.ndarray]
    moved: dict[str, np.ndarray]

    @property
    def unmoved(self) -> tuple[str, ...]:
        """The paths whose numbers are at the end what they were at the start."""
        return tuple(name for name, moved in self.moved.items() if moved[-1] == 0)

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        still = f"{', '.join(self.unmoved)} did not move" if self.unmoved else "all of them moved"
        return (
            f"How long the parameters of each path were from step {self.steps[0]:,} to {self.steps[-1]:,}; {still}. A "
            "length says nothing of what a layer has learned: it depends on units, and where a layer is normalised, on "
            "nothing else."
        )

    def plot(self) -> "go.Figure":
        """The length of each path's parameters over the steps, and how far they went."""
        from descend.insight._figures import lengths  # Plotly is for those who look

        return lengths(self)


def norms(result: Result) -> Norms:
    """The lengths of a result's parameters, path by path, at its snapshots and its end.

    At every step they are in the history, where `minimize` is given `watch=`.

    **Raises** `InputError` for a result without snapshots.

    >>> import numpy as np
    >>> from descend import SGD, minimize
    >>> from descend.insight import norms
    >>> loss = lambda p: (p["a"] ** 2).sum() + 0 * p["b"].sum()
    >>> start = {"a": np.array([3.0, 4.0]), "b": np.ones(4)}
    >>> found = norms(minimize(loss, start, optimizer=SGD(0.25), steps=2, stop=[], snapshots=True))
    >>> found.length["a"].tolist(), found.unmoved
    ([5.0, 2.5, 1.25], ('b',))
    """
    runs = along(result)
    leaves = [named_leaves(run.state.params) for run in runs.values()]
    first, names = leaves[0], list(leaves[0])
    return Norms(
        steps=np.array(list(runs)),
        length={name: np.array([_norm(each[name]) for each in leaves]) for name in names},
        moved={name: np.array([_norm(each[name], first[name]) for each in leaves]) for name in names},
    )


def _norm(leaf: Any, origin: Any = 0.0) -> float:
    return float(np.linalg.norm((np.asarray(leaf, np.float64) - np.asarray(origin, np.float64)).ravel()))
