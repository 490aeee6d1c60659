"""What a loss looks like around a run: along a line, or on a plane."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from descend.engine.curvature import Around
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight._directions import along_the_way, filter_normalized
from descend.insight._looks import along as runs_along
from descend.insight._looks import run_of, size_of, whole
from descend.insight._plane import Plane, Told
from descend.sources import Empty
from descend.training import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go

MARGIN = 0.25  # of the path's extent, that is shown beyond it


@dataclass(frozen=True)
class Landscape:
    """A loss on a line or a plane through the parameters of a run.

    `loss[j, i]` (`loss[i]` on a line): at `x[i]` and `y[j]`; `y` is `None` on a line. At 0 is the run. `directions`:
    "trajectory", units along the axes then being distances between parameters; or "random", at 1 as long as the
    parameters. `explained`: the share of the descent's squared distances from its end that lies along each axis.
    `path`: where the runs at `steps` lie, projected on the axes, and `path_loss`, their true losses. `size`: of the
    parameters that move. `rows`: that it was looked at on; 0 without data. `keeps_state`: whether the loss keeps
    something, which is everywhere as it was at the run.
    """

    x: np.ndarray
    y: np.ndarray | None
    loss: np.ndarray
    directions: Literal["trajectory", "random"]
    explained: tuple[float, ...]
    path: np.ndarray
    path_loss: np.ndarray
    steps: tuple[int, ...]
    size: int
    rows: int
    keeps_state: bool

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        axes = 1 if self.y is None else 2
        shown = "One direction" if axes == 1 else "Two directions"
        on = f" on {self.rows:,} rows" if self.rows else ""
        if self.directions == "random":
            how = "drawn at random, in proportion to the weights: other draws look different"
        else:
            how = (f"which hold {sum(self.explained):.0%} of the descent's squared distances from its end; the path is "
                   "projected, and ran at other losses than the surface under it has")
        kept = " What the loss keeps is everywhere as at the run." if self.keeps_state else ""
        return (
            f"{shown} of {self.size:,}, {how}. It is the loss{on} after {self.steps[-1]:,} steps and around; walls and "
            f"valleys in all other directions are not seen, nor whether the parameters would do on other rows.{kept}"
        )

    def plot(self) -> "go.Figure":
        """The loss as a curve or as contours, and the path of the descent."""
        from descend.insight._figures import contours, curve  # Plotly is for those who look

        return curve(self) if self.y is None else contours(self)


def landscape(
    run: Run | Result,
    data: Any = None,
    *,
    along: Literal["trajectory", "random"] | None = None,
    axes: int = 2,
    points: int = 41,
    span: float = 1.0,
    seed: int = 0,
    progress: Told | None = None,
) -> Landscape:
    """The loss of a run on a line (`axes=1`) or a plane (`axes=2`) through its parameters.

    `data`: what the loss is looked at on, all at once; by default what the run's next step sees. `along`: "trajectory",
    the plane in which the snapshots of a result lie furthest from its end (principal components), wide enough for all
    of them; or "random", drawn directions whose part in each filter of a network is as long as the filter, from −1 to
    1. By default the former where there are snapshots to tell it. `points`: along each axis. `span`: how many times as
    wide. `seed`: of what is drawn. `progress`: called with how many points are done, and how many there are.

    Points are evaluated on all cores by one compiled program. A loss that is a mean over rows, which is found out, is
    evaluated on some rows after the other, so that memory does not grow with them.

    **Raises** `InputError` for more axes than there are parameters, or directions in which snapshots lie.

    >>> import numpy as np
    >>> from descend import SGD, minimize
    >>> from descend.insight import landscape
    >>> bowl = lambda x: (np.array([1.0, 4.0]) * x**2).sum() / 2
    >>> result = minimize(bowl, np.array([4.0, 1.0]), optimizer=SGD(0.2), steps=20, stop=[], snapshots=True)
    >>> seen = landscape(result, points=5)
    >>> seen.loss.shape, round(sum(seen.explained), 6)  # both directions that there are
    ((5, 5), 1.0)

    References: Goodfellow, Vinyals and Saxe, "Qualitatively characterizing neural network optimization problems",
    arXiv 1412.6544; Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", arXiv
    1712.09913.
    """
    axes, points = whole("axes", axes, 1), whole("points", points, 2)
    centre, around = run_of(run), Around.looked_at(run_of(run), data)
    if axes > min(2, int(around.free.sum())):
        raise InputError(f"axes must be 1 or 2, and there are {int(around.free.sum())} parameters that move, but it is "
                         f"{axes}")
    if along not in (None, "trajectory", "random"):
        raise InputError(f"along must be 'trajectory' or 'random', but is {along!r}")
    kept = isinstance(run, Result) and len(run.snapshots) > axes
    if along == "trajectory" or (along is None and kept):
        if not isinstance(run, Result):
            raise InputError("a run alone has no trajectory: give a result of minimize with snapshots=True, or "
                             "along='random'")
        runs = list(runs_along(run).values())
        ways, path, explained = along_the_way(runs, around.free, axes)
        grids = [_covering(path[:, i], span, points) for i in range(axes)]
    else:
        rng, runs, path, explained = np.random.default_rng(seed), [centre], np.zeros((1, axes)), np.zeros(0)
        ways = [filter_normalized(around.numbers, around.free, rng) for _ in range(axes)]
        grids = [np.linspace(-span, span, points)] * axes
    at = np.stack([grid.ravel() for grid in np.meshgrid(*grids)], axis=1)
    plane = Plane(around, tuple(ways))
    losses = plane.losses(at, progress)
    has_data = data is not None or not isinstance(centre.descent.source, Empty)
    return Landscape(
        x=grids[0],
        y=grids[1] if axes == 2 else None,
        loss=losses.reshape([points] * axes),
        directions="trajectory" if len(explained) else "random",
        explained=tuple(map(float, explained)),
        path=path,
        path_loss=np.array([plane.loss_of(one.state.params) for one in runs]),
        steps=tuple(one.step for one in runs),
        size=int(around.free.sum()),
        rows=size_of(around.batch) if has_data else 0,
        keeps_state=centre.descent.signature.has_state,
    )


def _covering(places: np.ndarray, span: float, points: int) -> np.ndarray:
    """A grid around the middle of the places, wider than they are."""
    low, high = np.nanmin(places[np.isfinite(places)]), np.nanmax(places[np.isfinite(places)])
    reach = span * (1 + 2 * MARGIN) * (high - low) / 2
    return np.linspace((low + high) / 2 - reach, (low + high) / 2 + reach, points)
