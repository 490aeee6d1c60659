"""The contract between problems and solvers: a solver asks what a problem offers, and never which one it is."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from descend.linear._losses import Loss
from descend.linear.problems.matrix import Array, Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.subdifferential import Subdifferential


class Iterate(NamedTuple):
    """The problem at `u`: its value, the gradient of all but the l1 penalty, and a bound from below to the minimum.

    `value` is that of the loss without smoothing, or above it. `lower` is −∞ where no dual point is at hand.
    `rounding`: by how much the value may be too small, where there is a bound to hold it against.
    """

    u: Array
    value: float
    gradient: Array
    lower: float
    rounding: float = 0.0


class Standardisation(NamedTuple):
    """The coordinates of solvers, by column: v = w / unit, and the intercept is that of columns less their centre.

    `centre` is the column's mean, or 0; `unit` one over its spread, or less under a strong penalty.
    """

    centre: Array
    unit: Array


class Support(NamedTuple):
    """Columns that are not 0 everywhere, among `width` of them: their `indices`."""

    width: int
    indices: Array


@runtime_checkable
class Problem(Protocol):
    """A mean loss of linear scores, and penalties, to be minimised over u, the coefficients and intercepts.

    The contract, in three parts.

    *What it is.* `matrix`, `rows`, `loss`, `penalty`, `intercept`: see their types. `outputs`: how many scores a row
    has; with one it offers what a `ScalarProblem` does, with more what a `MultinomialProblem` does. `in_memory`:
    whether rows can be looked at one by one. `has_offset`: whether a number that is given is added to each row's score.
    `linear_term`: of the intercept, beside all else. `size`: how many numbers u has. `columns`: how many coefficients
    the user sees, and which of them the matrix has, if not all (`support`). `loss_scale`: what a loss whose curvature
    has no bound is measured in, or 0.

    *What solvers ask.* They hold scores in a `score_buffer`, z, and give it back to each call.

    - `default_start()`: where to begin.
    - `evaluate(u, z, bounded)`: value, gradient and, if `bounded`, a bound to the minimum, in one pass over the rows;
      z holds the last scores before, at which a dual point is foreseen, and those of u afterwards.
    - `certified(iterate, z)`: the iterate with the bound that its own slopes give, at the best intercept; a pass more.
    - `hessian(z)`: of all but the l1 penalty, its lower triangle. `hessian_blocks(z)`: of it, the block of each score's
      own coefficients. `hessian_root(z, V)`: R with RᵀR = VᵀHV, made from the rows, which tells what sums of products
      cannot.
    - `curvature_of_penalty`, `threshold`, `subdifferential`: the penalty by coordinate of u.
    - `at_best_scale(z)`: the problem where what the loss finds by itself is fixed; mostly the same problem.
    - `sample(count)`: the same problem on some of the rows, drawn in the same way each time.

    *What certificates ask.* `score_rounding(w, b)` and `gradient_rounding(slope)`: by how much rounding may move a
    score and the gradient. `curvature_bound(z)`: what a row's ℓ'' is at most between 0 and these scores.
    `slope_bound(value, z)`: the root of the mean square of the rows' slopes, at most. `separation_margins(u)`: how the
    loss falls along u for ever, if it may. `to_user`, `from_user`: between u and the user's coefficients of the
    matrix's columns; `coefficients(u)`: of all columns, in the precision of `X`.
    """

    @property
    def in_memory(self) -> bool: ...
    @property
    def outputs(self) -> int: ...
    @property
    def matrix(self) -> Matrix: ...
    @property
    def rows(self) -> Rows: ...
    @property
    def loss(self) -> Loss: ...
    @property
    def penalty(self) -> Penalty: ...
    @property
    def intercept(self) -> bool: ...
    @property
    def has_offset(self) -> bool: ...
    @property
    def linear_term(self) -> float: ...
    @property
    def loss_scale(self) -> float: ...
    @property
    def size(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def support(self) -> Support | None: ...
    @property
    def standardisation(self) -> Standardisation: ...
    @property
    def curvature_of_penalty(self) -> Array: ...
    @property
    def threshold(self) -> Array: ...
    @property
    def subdifferential(self) -> Subdifferential: ...
    def to_user(self, u: Array) -> tuple[Array, Any]: ...
    def from_user(self, w: Array, b: Any) -> Array: ...
    def coefficients(self, u: Array) -> tuple[Array, Any]: ...
    def default_start(self) -> Array: ...
    def at_best_scale(self, z: Array) -> "Problem": ...
    def score_buffer(self) -> Array: ...
    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Iterate: ...
    def certified(self, point: Iterate, z: Array) -> Iterate: ...
    def hessian(self, z: Array) -> Array: ...
    def hessian_blocks(self, z: Array) -> Array: ...
    def hessian_root(self, z: Array, V: Array) -> Array: ...
    def separation_margins(self, u: Array) -> tuple[Array, float]: ...
    def score_rounding(self, w: Array, b: Any) -> float: ...
    def gradient_rounding(self, slope: float) -> Array: ...
    def curvature_bound(self, z: Array) -> float: ...
    def slope_bound(self, value: float, z: Array) -> float: ...
    def sample(self, count: int) -> "Problem": ...
