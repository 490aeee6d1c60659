"""How a loss curves: its Hessian's eigenvalues at both ends, their density, and its trace, each with its error."""

import math
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from descend._arrays import keeping_precision
from descend._tree import Tree
from descend.engine.curvature import Around
from descend.engine.lanczos import Krylov, lanczos
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight._looks import differentiated, over_batches, rows_of, run_of, size_of, whole
from descend.insight._preconditioner import roots
from descend.sources import Empty
from descend.training import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Eigenvalue:
    """An eigenvalue at an end of the spectrum, and the direction in which the loss curves by it.

    `residual`: within it lies an eigenvalue, rounding included; the value itself is nearer, by the square of the
    residual over the distance to its neighbour. `spread`: its standard deviation over batches, or over rows that were
    drawn again; NaN where there was one alone, 0 where there are no data. `direction`: a tree like the parameters, of
    length 1, on the first batch.
    """

    value: float
    residual: float
    spread: float
    direction: Tree = field(repr=False)

    def __str__(self) -> str:
        spread = "" if math.isnan(self.spread) else f", spread {self.spread:.2g}"
        return f"{self.value:.6g} (residual {self.residual:.2g}{spread})"


@dataclass(frozen=True)
class Spectrum:
    """What products with the Hessian of a loss tell of its eigenvalues.

    `largest`, `smallest`: at the ends. `trace`, `trace_error`: their sum, and its standard error over directions and
    batches; NaN for one alone. `values`, `weights`: for each batch the nodes and weights of a Gauss quadrature of their
    density. `size`: of the parameters that move. `rows`: in a batch; 0 without data. `step`: of the run.
    `preconditioned`: whether it is of `D^−½ H D^−½`.
    """

    largest: Eigenvalue
    smallest: Eigenvalue
    trace: float
    trace_error: float
    values: tuple[np.ndarray, ...] = field(repr=False)
    weights: tuple[np.ndarray, ...] = field(repr=False)
    size: int
    rows: int
    step: int
    preconditioned: bool

    @property
    def width(self) -> float:
        """How finely the density is told: the whole of the spectrum divided by the number of products."""
        span = max(max(map(abs, map(float, values))) for values in self.values)
        between = max(values[-1] for values in self.values) - min(values[0] for values in self.values)
        return float(between) / len(self.values[0]) or 1e-3 * span or 1.0

    def density(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The density of the eigenvalues at some curvatures, smoothed by a Gaussian of standard deviation `width`, and
        its standard error over directions and batches; its integral is 1.

        Reference: Lin, Saad and Yang, "Approximating spectral densities of large matrices", SIAM Review 58, 2016.
        """
        each = []
        for values, weights in zip(self.values, self.weights, strict=True):
            apart = (at[:, None] - values) / self.width
            each.append(np.exp(-(apart**2) / 2) @ weights / (self.width * math.sqrt(2 * math.pi)))
        return np.mean(each, axis=0), _standard_error(np.array(each))

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        of = "the preconditioned Hessian" if self.preconditioned else "the Hessian"
        on = f"batches of {self.rows:,} rows" if self.rows else "a loss without data"
        return (
            f"Eigenvalues of {of} over {self.size:,} parameters after {self.step:,} steps, on {on}: from "
            f"{self.smallest} to {self.largest}. Between the ends it is an estimate by {len(self.values[0])} products "
            f"from each of {len(self.values)} random directions, nothing finer than {self.width:.2g}; it tells of this "
            "point alone, and fewer rows make the largest larger."
        )

    def plot(self) -> "go.Figure":
        """The density with twice its standard error, over the curvature, and the eigenvalues at both ends."""
        from descend.insight._figures import density  # Plotly is for those who look

        return density(self)


def spectrum(
    run: Run | Result,
    data: Any = None,
    *,
    products: int = 30,
    batches: int = 4,
    preconditioned: bool = False,
    seed: int = 0,
) -> Spectrum:
    """The spectrum of the Hessian of a run's loss at its parameters, by Lanczos's method from random directions.

    `data`: what the loss is looked at on, without anything random in it; by default the run's next `batches` batches,
    as its next steps would see them. Of `data`, and where each step sees all data, the values are those of all rows,
    and their spread is over as many rows drawn with replacement, `batches − 1` times. `products`: with the Hessian, on
    each; a product costs about two gradients. What is held is that many vectors like the parameters, of double
    precision, or fewer where they would need more than a quarter of a gigabyte. `preconditioned`: of `D^−½ H D^−½`, D
    what the rule divides its steps by (`√v̂ + ε` of Adam): what its `stability_limit()` is about. `seed`: of the
    directions, and the rows.

    The largest of k eigenvalues is found if a random direction has a part along its vector, which is likely, not
    certain. Parameters that the rule cannot move are constants.

    **Raises** `InputError` for a loss that cannot be differentiated twice, for one whose second derivatives are not
    finite, and for a preconditioner that there is not.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> from descend.insight import spectrum
    >>> run = begin(lambda x: (np.array([3.0, 1.0, -0.5]) * x**2).sum() / 2, np.ones(3), optimizer=SGD(0.1))
    >>> found = spectrum(run)
    >>> round(found.largest.value, 6), round(found.smallest.value, 6), round(found.trace, 6)
    (3.0, -0.5, 3.5)
    >>> found.smallest.direction.round(6) ** 2
    array([0., 0., 1.])

    References: Ghorbani, Krishnan and Xiao, "An investigation into neural net optimization via Hessian eigenvalue
    density", arXiv 1901.10159; Yao et al., "PyHessian: neural networks through the lens of the Hessian", arXiv
    1912.07145; for the trace, Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1990; for the
    preconditioner, Cohen et al., "Adaptive gradient methods at the edge of stability", arXiv 2207.14484.
    """
    run, rng = run_of(run), np.random.default_rng(seed)
    products, batches = whole("products", products, 1), whole("batches", batches, 1)
    scale = roots(run) if preconditioned else None
    looks = over_batches(run, data, batches, rng)
    around = next(looks)
    found = [_finite(krylov(one, products, _signs(one, rng), scale), run) for one in chain([around], looks)]
    values, weights = tuple(one.values for one in found), tuple(one.weights for one in found)
    size = int(around.free.sum())
    traces = np.array([size * float(one.values @ one.weights) for one in found])
    has_data = data is not None or not isinstance(run.descent.source, Empty)
    of_all = rows_of(run, data) is not None

    def at_end(i: int) -> Eigenvalue:
        ends = np.array([one.values[i] for one in found])
        chosen, others = (slice(1), ends[1:]) if of_all else (slice(None), ends)
        spread = 0.0 if not has_data else float(np.std(others, ddof=1)) if len(others) > 1 else math.nan
        residual = max(residual_of(one, i, around.epsilon) for one in found[chosen])
        return Eigenvalue(float(ends[chosen].mean()), residual, spread, _direction(found[0], i, around, scale))

    return Spectrum(
        largest=at_end(-1),
        smallest=at_end(0),
        trace=float(traces.mean()),
        trace_error=float(_standard_error(traces)),
        values=values,
        weights=weights,
        size=size,
        rows=size_of(around.batch) if has_data else 0,
        step=run.step,
        preconditioned=preconditioned,
    )


def krylov(around: Around, products: int, start: np.ndarray, scale: np.ndarray | None) -> Krylov | None:
    """What products from a direction tell of `S H S`, S the scale of each parameter; `None` where they are not finite.

    **Raises** `InputError` for a loss whose Hessian cannot be had there.
    """
    if not around.free.any():
        raise InputError("the rule can move no parameter from here, so there is no curvature to tell")
    here, s = around.here, 1.0 if scale is None else scale
    return lanczos(lambda v: s * differentiated(around, here, s * v)[2], start, products, around.epsilon)


def _signs(around: Around, rng: np.random.Generator) -> np.ndarray:
    """A direction of ±1: of all that are random, it tells the trace with the least variance."""
    return around.free * rng.choice([-1.0, 1.0], len(around.here))


def any_direction(around: Around, rng: np.random.Generator) -> np.ndarray:
    """A normal direction: it has a part along every eigenvector. One of ±1 has none along (1, 1) half of the time, and
    eigenvectors like that are those of columns that were standardised."""
    return around.free * rng.normal(size=len(around.here))


def _finite(found: Krylov | None, run: Run) -> Krylov:
    if found is None:
        raise InputError(f"the loss's second derivatives are not finite after {run.step} steps: look at a run before "
                         "that, such as a snapshot")
    return found


def residual_of(found: Krylov, i: int, epsilon: float) -> float:
    """How far from the i-th Ritz value an eigenvalue may be; products are no better than their rounding."""
    return float(found.residuals[i] + 4 * epsilon * np.abs(found.values).max())


def _direction(found: Krylov, i: int, around: Around, scale: np.ndarray | None) -> Tree:
    """The direction in which the parameters are moved along a Ritz vector."""
    vector = found.vector(i) if scale is None else scale * found.vector(i)
    tree = around.tree(vector / np.linalg.norm(vector))
    return keeping_precision(around.run.descent.whole(tree))


def _standard_error(each: np.ndarray) -> Any:
    """Of the mean over the first axis; NaN for one alone."""
    if len(each) < 2:
        return np.full(each.shape[1:], math.nan)
    return np.std(each, axis=0, ddof=1) / math.sqrt(len(each))
