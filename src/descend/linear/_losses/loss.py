"""A loss as an object: the compiled functions of one row's score that a module has, and what solvers may ask of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, SupportsFloat

import numba
import numpy as np
from numba import njit, types

from descend.errors import InputError
from descend.linear._kernels import judging
from descend.linear._kernels.calling import Number, address
from descend.linear._kernels.elementary import EXACT

Array = np.ndarray
FUNCTIONS = ("value", "slope", "curvature", "feasible", "conjugate")  # that each loss has
Line = types.Array(Number, 1, "C")
Table = types.Array(Number, 2, "C")


class Ranges(NamedTuple):
    """A corner of each row's loss: max_r r (z − kink) over lower ≤ r ≤ upper."""

    lower: Array
    upper: Array
    kink: Array


@dataclass(frozen=True)
class Recession:
    """How a loss may fall for ever. `falls`: how fast that of each row does along a change z of the scores, and by how
    much z moves rows that are to stay. `told`: what that means, of so many rows, and so many that do not fall.
    """

    falls: Callable[[Array, Array], tuple[Array, float]]
    told: Callable[[int, int], str]


@dataclass(frozen=True, eq=False, repr=False)
class Kind:
    """A loss ℓ(z, y) with parameters p and mu that are still open, and convex in z.

    `module`: where its functions are, and this object, as `KIND`: compiled by Numba, of four numbers,

        value(z, y, p, mu), slope(z, y, p, mu), curvature(z, y, p, mu): ℓ, ℓ', ℓ''
        conjugate(r, y, p, mu): ℓ*(r) = max_z (r z − ℓ(z)); infinite outside its domain
        feasible(r, y, p, mu): the slope nearest to r that the conjugate's domain has

    and, where the dual is to be ascended row by row, best(c, y, p, a, z): argmin_r ℓ*(r) − c r + a r²/2, with c near z.
    A loss may also bring `judge_block`, `foresee_block` and `curvature_block`: see `judging.judge_of`.

    `classes`: targets are −1 and 1. `bend`: ℓ'' is at most this, by p and mu; `steepest`: where there is no such bound,
    what it is at most between the rows' best scores and these, by scores, targets, p and mu. `strict`: it bends
    everywhere. `quadratic`: ℓ'' = 1. `scaled`: mu is found with the coefficients, and the conjugate is that at mu = 0
    (Huber's). `rounding`: of a conjugate, beside that of its terms. `degree`: by which power of a unit it changes with
    targets and scores in that unit, `width`: and p with them; 0, where they have a unit of their own.

    `link`: the score at which a number that is not negative is expected.

    `corners`: how many it has, smoothed by mu; `ranges`: what they are, by targets and p. `most`: a slope's magnitude,
    of a loss with corners or a scale, by p. `recession`: how it may fall for ever. `in_jax`: the loss, not smoothed.
    """

    module: str
    classes: bool = False
    bend: Callable[[float, float], float] = lambda _p, _mu: math.inf
    steepest: Callable[[Array, Array, float, float], float] | None = None
    link: Callable[[float], float] | None = None
    strict: bool = False
    quadratic: bool = False
    scaled: bool = False
    rounding: float = 0.0
    degree: int = 0
    width: bool = False
    corners: int = 0
    ranges: Callable[[Array, float], list[Ranges]] = lambda _y, _p: []
    most: Callable[[float], float] = lambda _p: 1.0
    recession: Recession | None = None
    in_jax: Callable[[Any, Any, float, float], Any] | None = None
    _places: dict[Any, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        missing = [name for name in FUNCTIONS if not callable(getattr(self.functions, name, None))]
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

    def place(self, name: str) -> int:
        """The address of one of its functions of numbers."""
        if name not in self._places:
            function = getattr(self.functions, name)
            self._places[name] = address(function, [Number] * (5 if name == "best" else 4))
        return self._places[name]

    def judge(self, y: Array, z: Array) -> int:
        """The address of what it says of a block of rows with such targets and scores."""
        kinds = numba.typeof(y), numba.typeof(z)
        if kinds not in self._places:
            arguments = types.intp, types.intp, Number, Number, kinds[0], Line, kinds[1], Table, Table
            self._places[kinds] = address(self._judge, arguments, types.void)
        return self._places[kinds]

    @cached_property
    def _judge(self) -> Any:
        return judging.judge_of(self.functions, self._compiled)

    @cached_property
    def curvatures(self) -> Any:
        """Fill in the weighted second derivatives of rows: see `judging.curvatures_of`."""
        return judging.curvatures_of(self.functions, partial(self._compiled, fastmath=EXACT, error_model="numpy"))

    def _compiled(self, function: Any, **options: Any) -> Any:
        """A function that is made of the loss's, compiled and kept on disk under a name that changes with them."""
        source = getattr(self.functions, "__file__", None)
        if source is not None:
            function.__qualname__ += f".{self.module}.{sha256(Path(source).read_bytes()).hexdigest()[:16]}"
        return njit(cache=source is not None, nogil=True, **options)(function)


def _kind_of(module: str) -> Kind:
    """The loss of a module."""
    return import_module(module).KIND


class Loss(NamedTuple):
    """A loss with its parameters."""

    kind: Kind
    p: float = 0.0
    mu: float = 0.0

    @property
    def numbers(self) -> tuple[float, float]:
        """Its parameters, as compiled functions take them."""
        return float(self.p), float(self.mu)

    @property
    def bend(self) -> float:
        """ℓ'' is at most this."""
        return self.kind.bend(*self.numbers)

    @property
    def bend_beside_conjugate(self) -> float:
        """The same of the loss that the conjugate belongs to, which is not smoothed."""
        return math.inf if self.kind.corners or self.kind.scaled else self.bend

    @property
    def smoothing(self) -> float:
        """How far the smoothed loss may lie below the loss."""
        return 0.5 * self.mu * self.kind.most(self.p) ** 2 if self.kind.corners else 0.0

    @property
    def off_centre(self) -> float:
        """How far to move scores for a smoothed corner to be as much to one side of its kink as to the other."""
        corners = self.kind.ranges(np.ones(1), self.p)
        return float(0.5 * (corners[0].upper + corners[0].lower)[0]) * self.mu if corners else 0.0

    def value(self, z: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ(z, y)."""
        return float(self.kind.functions.value(float(z), float(y), *self.numbers))

    def slope(self, z: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ'(z, y), by z."""
        return float(self.kind.functions.slope(float(z), float(y), *self.numbers))

    def curvature(self, z: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ''(z, y), by z; where the slope has a corner, of one side."""
        return float(self.kind.functions.curvature(float(z), float(y), *self.numbers))

    def feasible(self, r: SupportsFloat, y: SupportsFloat) -> float:
        """The slope nearest to r that the conjugate's domain has."""
        return float(self.kind.functions.feasible(float(r), float(y), *self.numbers))

    def conjugate(self, r: SupportsFloat, y: SupportsFloat) -> float:
        """ℓ*(r, y) = max_z (r z − ℓ(z, y)) of the loss without smoothing; infinite outside its domain."""
        return float(self.kind.functions.conjugate(float(r), float(y), *self.numbers))

    def curvatures(self, start: int, stop: int, y: Array, s: Array, z: Array, out: Array) -> None:
        """Fill in the weighted second derivatives of the losses of rows from `start` to `stop`."""
        self.kind.curvatures(start, stop, *self.numbers, y, s, z, out)

    def in_units(self, unit: float) -> "Loss":
        """The loss of targets and scores that are taken in this unit."""
        return self._replace(p=self.p / unit if self.kind.width else self.p, mu=self.mu / unit)
