"""How near a descent went to the edge of stability: rate × sharpness along the way, beside the rule's limit."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.engine.curvature import Around
from descend.engine.descent import Descent
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight._looks import along, run_of, whole
from descend.insight._preconditioner import scale_of
from descend.insight.spectrum import any_direction, krylov, residual_of
from descend.training import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Edge:
    """The sharpness along a descent: the largest eigenvalue of the Hessian, preconditioned as the rule steps.

    All but the last two by snapshot: `steps`; `sharpness`, NaN where it cannot be told; `residual`, within which an
    eigenvalue lies; `rates`, the learning rates. `limit`: of rate × sharpness, as the rule declares it; `None` where
    theory gives none. `preconditioned`: whether it is divided by what the steps are divided by.
    """

    steps: np.ndarray
    sharpness: np.ndarray
    residual: np.ndarray
    rates: np.ndarray
    limit: float | None
    preconditioned: bool

    @property
    def product(self) -> np.ndarray:
        """Rate × sharpness, which is compared with `limit`."""
        return self.rates * self.sharpness

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        told = np.flatnonzero(np.isfinite(self.product))
        if not len(told):
            return "Rate × sharpness can be told at no snapshot: the loss is not finite, or nothing is divided by yet."
        last = told[-1]
        of = "preconditioned sharpness" if self.preconditioned else "sharpness"
        beside = f"the rule's limit is {self.limit:.4g}" if self.limit else "theory gives no limit for this rule"
        return (
            f"Rate × {of} was {self.product[last]:.3g} after {self.steps[last]:,} steps; {beside}. Above the limit a "
            "quadratic would be left ever faster; a network's loss curves less where steps become too long, so that "
            "many descents go on at the edge, their loss falling unevenly. It is told on the same data at each point, "
            "and says nothing of how good the parameters are."
        )

    def plot(self) -> "go.Figure":
        """Rate × sharpness over the steps, and the limit."""
        from descend.insight._figures import edge_of_stability  # Plotly is for those who look

        return edge_of_stability(self)


def edge(run: Run | Result, data: Any = None, *, products: int = 20, seed: int = 0) -> Edge:
    """Rate × sharpness at a result's snapshots and its end, or at a run alone, beside the rule's `stability_limit()`.

    The sharpness is the largest eigenvalue of `D^−½ H D^−½`, D what the rule divides its steps by there; of H for rules
    that divide by nothing, or not by a number for each parameter. `data`: what it is told on; by default the batch that
    the first of the runs sees next, at all of them. `products`: with the Hessian, for each.

    Gradient descent with a constant rate is found to come to the limit, and to stay there: at 2 for gradient descent,
    2 + 2β with momentum, 38 for Adam with β₁ = .9.

    **Raises** `InputError` for a result without snapshots, and for a loss that cannot be differentiated twice.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> from descend.insight import edge
    >>> found = edge(begin(lambda x: (np.array([3.0, 1.0]) * x**2).sum() / 2, np.ones(2), optimizer=SGD(0.5)))
    >>> found.product.round(6), found.limit
    (array([1.5]), 2.0)

    References: Cohen et al., "Gradient descent on neural networks typically occurs at the edge of stability", arXiv
    2103.00065; "Adaptive gradient methods at the edge of stability", arXiv 2207.14484.
    """
    products, last = whole("products", products, 1), run_of(run)
    runs = along(run) if isinstance(run, Result) else {last.step: last}
    batch = Around.looked_at(next(iter(runs.values())), data).batch
    told = [_sharpness(one, replace(Around.looked_at(one, data), batch=batch), products, seed) for one in runs.values()]
    scale = scale_of(last)
    return Edge(
        steps=np.array(list(runs)),
        sharpness=np.array([value for value, _ in told]),
        residual=np.array([residual for _, residual in told]),
        rates=np.array([_rate(one) for one in runs.values()]),
        limit=last.descent.optimizer.stability_limit() if scale is not None else None,
        preconditioned=scale is not None and bool((scale != 1).any()),
    )


def _sharpness(run: Run, around: Around, products: int, seed: int) -> tuple[float, float]:
    """The largest eigenvalue and its residual; NaN where it cannot be told."""
    scale = scale_of(run)
    if scale is not None and not np.isfinite(scale).all():
        return math.nan, math.nan
    found = krylov(around, products, any_direction(around, np.random.default_rng(seed)), scale)
    return (math.nan, math.nan) if found is None else (float(found.values[-1]), residual_of(found, -1, around.epsilon))


def _rate(run: Run) -> float:
    """The learning rate of a run's last step."""
    rate = run.descent.without_data.run(_metrics, run.state.optimizer).get("learning_rate")
    if rate is None:
        name = type(run.descent.optimizer).__name__
        raise InputError(f"{name} tells no learning rate, so there is no edge to come to")
    return float(rate)


def _metrics(descent: Descent, state: Any) -> dict[str, Any]:
    return descent.optimizer.metrics(state)
