"""The loss on the straight line between two solutions, and the barrier on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend._tree import described
from descend.engine.curvature import Around, flat
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight._looks import run_of, size_of, whole
from descend.insight._plane import Plane
from descend.sources import Empty
from descend.training import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Interpolation:
    """The loss between two solutions: `loss[i]` at `(1 − at[i]) θ₁ + at[i] θ₂`.

    `distance`: |θ₂ − θ₁|. `rows`: that it was looked at on; 0 without data. `keeps_state`: whether the loss keeps
    something, which is on the whole line as it is at the first.
    """

    at: np.ndarray
    loss: np.ndarray
    distance: float
    rows: int
    keeps_state: bool

    @property
    def barrier(self) -> float:
        """How far the loss rises above the straight line between its values at both ends; infinite where it is not
        finite on the way."""
        if not np.isfinite(self.loss).all():
            return float("inf")
        return float((self.loss - (1 - self.at) * self.loss[0] - self.at * self.loss[-1]).max())

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        on = f" on {self.rows:,} rows" if self.rows else ""
        kept = (" What the loss keeps, such as running means, is that of the first, which may make a barrier by itself."
                if self.keeps_state else "")
        return (
            f"The loss{on} between solutions {self.distance:.3g} apart, of {self.loss[0]:.4g} and {self.loss[-1]:.4g}: "
            f"a barrier of {self.barrier:.3g} among {len(self.at)} points of the straight line. Without one they lie "
            "in one basin; with one they may still be joined by a bend, or be one function whose units are in another "
            f"order.{kept}"
        )

    def plot(self) -> "go.Figure":
        """The loss on the line, and the straight line that a barrier is measured from."""
        from descend.insight._figures import between  # Plotly is for those who look

        return between(self)


def interpolation(first: Run | Result, second: Run | Result, data: Any = None, *, points: int = 25) -> Interpolation:
    """The loss of the first run on the straight line from its parameters to those of the second.

    `data`: what it is looked at on, all at once, such as rows that neither has seen; by default what the first run's
    next step sees. `points`: on the line, with both ends.

    **Raises** `InputError` for parameters of two kinds.

    >>> import numpy as np
    >>> from descend import SGD, minimize
    >>> from descend.insight import interpolation
    >>> wells = lambda x: (x**2 - 1) ** 2
    >>> left, right = (minimize(wells, start, optimizer=SGD(0.05), steps=200) for start in (-0.5, 0.5))
    >>> round(interpolation(left, right).barrier, 4)
    1.0

    References: Goodfellow, Vinyals and Saxe, "Qualitatively characterizing neural network optimization problems",
    arXiv 1412.6544; Frankle, Dziugaite, Roy and Carbin, "Linear mode connectivity and the lottery ticket hypothesis",
    arXiv 1912.05671, who measure a barrier from the mean of both ends.
    """
    one, other, points = run_of(first), run_of(second), whole("points", points, 2)
    kinds = [described(run.state.params) for run in (one, other)]
    if kinds[0] != kinds[1]:
        raise InputError(f"both must have parameters of one kind, but the first has {kinds[0]}, and the second "
                         f"{kinds[1]}")
    around, apart = Around.looked_at(one, data), flat(other.state.params) - flat(one.state.params)
    at = np.linspace(0, 1, points)
    has_data = data is not None or not isinstance(one.descent.source, Empty)
    return Interpolation(
        at=at,
        loss=Plane(around, (apart,)).losses(at[:, None]),
        distance=float(np.linalg.norm(apart)),
        rows=size_of(around.batch) if has_data else 0,
        keeps_state=one.descent.signature.has_state,
    )
