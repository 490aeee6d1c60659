"""A loss as an object: the compiled functions of one row's score that a module has, and what solvers may ask of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, SupportsFloat

import numba
import numpy as np
from numba import njit, types

from descend.errors import InputError
from descend.linear._kernels import block_losses, uncompiled
from descend.linear._kernels.calling import Number, address
from descend.linear._kernels.elementary import EXACT

Array = np.ndarray
# The functions of numbers that each loss has.
ROW_FUNCTIONS = ("value", "slope", "curvature", "feasible", "conjugate")
Line = types.Array(Number, 1, "C")
Table = types.Array(Number, 2, "C")


class Ranges(NamedTuple):
    """A corner of each row's loss: max_r r (z − kink) over lower ≤ r ≤ upper."""

    lower: Array
    upper: Array
    kink: Array


class InNumPy(NamedTuple):
    """A loss of whole arrays: for so few rows that to compile its functions takes longer.

    `evaluate(z, y, p, mu)`: values and slopes. `foresee(z, y, old, p, mu)`: the slopes of scores z that were foreseen
    at the old ones, and their conjugates. `curvature(z, y, p, mu)`: second derivatives.
    """

    evaluate: Callable[..., tuple[Array, Array]]
    foresee: Callable[..., tuple[Array, Array]]
    curvature: Callable[..., Array]


@dataclass(frozen=True)
class Separation:
    """How a loss may have no minimum: there are scores along which it falls for ever.

    `margins(z, y)`: how fast each row's loss falls along a change z of the scores, and by how much z moves rows that
    are to stay. `explain(rows, border)`: what that means, of so many rows of which so many do not fall.
    """

    margins: Callable[[Array, Array], tuple[Array, float]]
    explain: Callable[[int, int], str]


@dataclass(frozen=True, eq=False, repr=False)
class Kind:
    """A loss ℓ(z, y) with parameters p and mu that are still open, convex in the score z: what solvers may ask of it.

    It belongs to a module, which has it as `KIND`, and beside it functions of four numbers that Numba compiles:

    | function | is |
    | --- | --- |
    | `value(z, y, p, mu)`, `slope`, `curvature` | ℓ, ℓ' and ℓ'' by z |
    | `conjugate(r, y, p, mu)` | ℓ*(r) = max_z (r z − ℓ(z)), infinite outside its domain |
    | `feasible(r, y, p, mu)` | the slope nearest to r that the conjugate's domain has |
    | `best(c, y, p, a, z)` | argmin_r ℓ*(r) − c r + a r²/2, with c near z. Only with it is the dual ascended |
    | `evaluate_block`, `predict_dual_block`, `curvature_block` | faster loops over rows, see `block_losses` |

    All but the last two rows of that table are a must. The contract: ℓ is convex in z and never below 0, and its slopes
    are feasible. Nobody checks it: a bound is no truer than the conjugate is.

    What else solvers may ask, each with a default that promises nothing:

    - `classes`: targets are −1 and 1.
    - `curvature_bound(p, mu)`: ℓ'' is at most this.
    - `local_curvature_bound(z, y, p, mu)`: of a loss without such a bound, what ℓ'' is at most between the rows' best
      scores and these.
    - `link(mean)`: the score at which a number that is not negative is expected.
    - `strictly_convex`: ℓ'' > 0 everywhere. `quadratic`: ℓ'' = 1.
    - `concomitant_scale`: mu is a scale that is found with the coefficients, and the conjugate is that at mu = 0.
    - `corners`: how many the loss has, smoothed by mu; `ranges(y, p)`: what they are.
    - `slope_bound(p)`: a slope's magnitude is at most this, of a loss with corners or a scale.
    - `rounding`: of a conjugate, beside that of its terms.
    - `homogeneity`: by which power of a unit ℓ changes with targets and scores in that unit; 0, where they have a unit
      of their own. `p_in_units`: p changes with them.
    - `separation`: how it may have no minimum.
    - `in_numpy`: the functions of whole arrays.
    - `in_jax(z, y, p, mu)`: ℓ, not smoothed, for an optimizer as solver.
    """

    module: str
    classes: bool = False
    curvature_bound: Callable[[float, float], float] = lambda _p, _mu: math.inf
    local_curvature_bound: Callable[[Array, Array, float, float], float] | None = None
    link: Callable[[float], float] | None = None
    strictly_convex: bool = False
    quadratic: bool = False
    concomitant_scale: bool = False
    rounding: float = 0.0
    homogeneity: int = 0
    p_in_units: bool = False
    corners: int = 0
    ranges: Callable[[Array, float], list[Ranges]] = lambda _y, _p: []
    slope_bound: Callable[[float], float] = lambda _p: 1.0
    separation: Separation | None = None
    in_numpy: InNumPy | None = None
    in_jax: Callable[[Any, Any, float, float], Any] | None = None

    def __post_init__(self) -> None:
        missing = [name for name in ROW_FUNCTIONS if not callable(getattr(self.functions, name, None))]
        if missing:
            raise InputError(f"the loss {self.module} has no {', '.join(missing)}: each is a compiled function of four "
                             "numbers")

    def __repr__(self) -> str:
        return f"<loss {self.module}>"

    def __reduce__(self) -> Any:
        return _kind_of, (self.module,)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.module.split(".")[-1].replace("_", " ").capitalize()

    @property
    def functions(self) -> ModuleType:
        """The module."""
        return import_module(self.module)

    def has(self, name: str) -> bool:
        """Whether it brings a function that not every loss has."""
        return hasattr(self.functions, name)

    def address_of(self, name: str) -> int:
        """The address of one of its functions of numbers."""
        return _address_of_numbers(self, name)

    def block_evaluator(self, y: Array, z: Array) -> int:
        """The address of what evaluates a block of rows with such targets and scores."""
        return _address_of_block(self, numba.typeof(y), numba.typeof(z))

    @cached_property
    def evaluate_block(self) -> Any:
        """Evaluate a block of rows: see `block_losses.block_evaluator_of`."""
        return block_losses.block_evaluator_of(self.functions, self._compiled)

    @cached_property
    def curvatures(self) -> Any:
        """Fill in the weighted second derivatives of rows: see `block_losses.curvatures_of`."""
        return block_losses.curvatures_of(self.functions, partial(self._compiled, fastmath=EXACT, error_model="numpy"))

    def _compiled(self, function: Any, **options: Any) -> Any:
        """A function that is made of the loss's, compiled and kept on disk under a name that changes with them."""
        source = getattr(self.functions, "__file__", None)
        if source is not None:
            function.__qualname__ += f".{self.module}.{sha256(Path(source).read_bytes()).hexdigest()[:16]}"
        return njit(cache=source is not None, nogil=True, **options)(function)


@cache
def _address_of_numbers(kind: Kind, name: str) -> int:
    """Of a function of numbers; Numba looks for it in milliseconds, and passes over a matrix ask each time."""
    return address(getattr(kind.functions, name), [Number] * (5 if name == "best" else 4))


@cache
def _address_of_block(kind: Kind, y: types.Type, z: types.Type) -> int:
    """Of the loop over a block of rows, as it was compiled for arrays of these types."""
    arguments = types.intp, types.intp, Number, Number, y, Line, z, Table, Table
    return address(kind.evaluate_block, arguments, types.void)


def _kind_of(module: str) -> Kind:
    """The loss of a module."""
    return import_module(module).KIND


class Loss(NamedTuple):
    """A loss with its parameters."""

    kind: Kind
    p: float = 0.0
    mu: float = 0.0

    @property
    def parameters(self) -> tuple[float, float]:
        """Its parameters, as compiled functions take them."""
        return float(self.p), float(self.mu)

    @property
    def curvature_bound(self) -> float:
        """ℓ'' is at most this."""
        return self.kind.curvature_bound(*self.parameters)

    @property
    def unsmoothed_curvature_bound(self) -> float:
        """The same of the loss that the conjugate belongs to, which is not smoothed."""
        return math.inf if self.kind.corners or self.kind.concomitant_scale else self.curvature_bound

    @property
    def smoothing(self) -> float:
        """How far the smoothed loss may lie below the loss."""
        return 0.5 * self.mu * self.kind.slope_bound(self.p) ** 2 if self.kind.corners else 0.0

    @property
    def off_centre(self) -> float:
        """How far to move scores for a smoothed corner to be as much to one side of its kink as to the other."""
        corners = self.kind.ranges(np.ones(1), self.p)
        return float(0.5 * (corners[0].upper + corners[0].lower)[0]) * self.mu if corners else 0.0

    def value(self, z: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ(z, y)."""
        return float(self.kind.functions.value(float(z), float(y), *self.parameters))

    def slope(self, z: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ'(z, y), by z."""
        return float(self.kind.functions.slope(float(z), float(y), *self.parameters))

    def curvature(self, z: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ''(z, y), by z; where the slope has a corner, of one side."""
        return float(self.kind.functions.curvature(float(z), float(y), *self.parameters))

    def feasible(self, r: SupportsFloat, y: SupportsFloat) -> float:
        """The slope nearest to r that the conjugate's domain has."""
        return float(self.kind.functions.feasible(float(r), float(y), *self.parameters))

    def conjugate(self, r: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ*(r, y) = max_z (r z − ℓ(z, y)) of the loss without smoothing; infinite outside its domain."""
        return float(self.kind.functions.conjugate(float(r), float(y), *self.parameters))

    def curvatures(self, start: int, stop: int, y: Array, s: Array, z: Array, out: Array) -> None:
        """Fill in the weighted second derivatives of the losses of rows from `start` to `stop`."""
        if (in_numpy := self.in_numpy_of(z.size)) is not None:
            weights = s[start:stop] if s.size > 1 else s[0]
            with np.errstate(over="ignore"):
                out[: stop - start] = weights * in_numpy.curvature(z[start:stop], y[start:stop], *self.parameters)
        else:
            self.kind.curvatures(start, stop, *self.parameters, y, s, z, out)

    def in_numpy_of(self, rows: int) -> InNumPy | None:
        """The loss of whole arrays, where it has that, and there are so few rows that it is to be used."""
        return self.kind.in_numpy if rows <= uncompiled.FEW_ROWS else None

    def in_units(self, unit: float) -> "Loss":
        """The loss of targets and scores that are taken in this unit."""
        return self._replace(p=self.p / unit if self.kind.p_in_units else self.p, mu=self.mu / unit)
