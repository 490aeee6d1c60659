"""What kind of point a descent has come to: told by the curvature there, and by a look around."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from descend.engine.curvature import Around, Directions, directions
from descend.engine.run import Run

Kind = Literal["minimum", "flat minimum", "saddle", "maximum", "unknown"]

# How far is looked in flat directions, in relation to the parameters.
PROBE_DISTANCES = (1e-4, 1e-3, 1e-2)


@dataclass(frozen=True)
class Point:
    """A point of a loss: its `kind`, and the `evidence` in words.

    `minimum`: the loss curves upwards in all directions. `flat minimum`: nowhere downwards, but not upwards in all.
    `saddle`, `maximum`: there is lower ground beside it, and higher ground, too, or none. `unknown`: none of these,
    because the loss can still fall by what its slope tells, or because its second derivatives cannot be had.

    `loss`. `fall`: by how much it can still fall, as far as is known: what the quadratic model says, `½ gᵀH⁻¹g`, or
    what was found lower nearby, whichever is more; infinite where that is not known. `curvature`: the least and the
    greatest that was found, with the parameters in units in which the largest entry of each row of the Hessian is 1;
    above a hundred parameters in their own units, and as far as products with the Hessian show it.
    """

    kind: Kind
    evidence: str
    loss: float
    fall: float
    curvature: tuple[float, float] | None = None
    # Whether the loss is no more than the rounding of that at the start.
    is_nothing: bool = False

    @property
    def is_minimum(self) -> bool:
        """Whether no way down was found, though it was looked for."""
        return self.kind in ("minimum", "flat minimum")

    @property
    def is_converged(self) -> bool:
        """Whether "converged" may be said: at a minimum; at a flat one only where there is no loss left, as the loss is
        also flat where it has run away from its minimum, and all gradients vanish."""
        return self.kind == "minimum" or (self.kind == "flat minimum" and self.is_nothing)

    def __str__(self) -> str:
        return f"{self.kind}: {self.evidence}"


def examined(run: Run, first: float, tolerance: float) -> Point:
    """The kind of point that a run without noise stands at.

    `first`: the loss at the start, beside which it is told what is nothing; NaN before it. `tolerance`: the fall, in
    relation to the loss, that counts as none.
    """
    try:
        around = Around.of(run)
        value, gradient, _ = around.at(around.here)
        if not (math.isfinite(value) and np.isfinite(gradient).all()):
            return _unknown("the loss or its gradient is not finite", value)
        found = directions(around, gradient)
    except Exception as error:
        # A loss that cannot be differentiated twice may raise anything, and the answer is then "unknown".
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        return _unknown(f"the second derivatives cannot be had ({said})")
    if found is None:
        return _unknown("the second derivatives are not finite", value)
    least = around.epsilon**2 * abs(value if math.isnan(first) else first)
    return _told(_Look(around, value, gradient), found, tolerance * abs(value) + least, least)


def _unknown(why: str, loss: float = math.nan) -> Point:
    return Point("unknown", why, loss, math.inf)


def _told(look: "_Look", found: Directions, nothing: float, zero: float) -> Point:
    """The kind of point, once the loss was looked at around it."""
    # 1. Where nothing curves upwards, the model does not tell how far to look: at several distances, and between
    # directions.
    look.far(np.hstack([found.downwards, _mixed(found.flat)]))
    # 2. Where it tells of a change, look where that must show above the noise: are the derivatives those of this loss?
    look.as_far_as(found.downwards, -found.downward, 100 * (look.noise + nothing), look.sizes_or_1)
    look.as_far_as(found.upwards, found.upward, 100 * (look.noise + nothing), PROBE_DISTANCES[-1] * look.sizes)
    fall, value = max(found.fall, look.fall), f"the loss, {look.value:.6g},"
    kind: Kind = "unknown"
    if found.fall <= nothing and look.is_above:
        rises = found.upward.size or (not found.are_all and found.greatest > 0) or look.highest > 0
        kind = "saddle" if rises else "maximum"
        evidence = (f"beside it, {look.farthest:.2g} away, {value} is lower by {look.fall:.2g}; the least curvature is "
                    f"{found.least:.2g}")
    elif fall > nothing:
        evidence = f"{value} can still fall by {fall:.2g}, as its slope and curvature tell"
    elif found.most > nothing:
        evidence = f"{len(found.curvatures)} products with the Hessian do not tell by how much {value} can still fall"
        fall = math.inf
    else:
        kind, how = _minimum(look, found)
        evidence = f"{value} can fall by {fall:.2g} more, as its curvature tells{how}"
    return Point(kind, evidence, look.value, fall, (found.least, found.greatest), abs(look.value) <= zero)


def _minimum(look: "_Look", found: Directions) -> tuple[Kind, str]:
    """Which kind of minimum a point is that has none lower beside it, and what there is to say of it."""
    if flat := found.flat.shape[1] + found.downwards.shape[1] + look.hidden(found.upwards, found.upward):
        along = "a direction" if flat == 1 else f"{flat} directions"
        return "flat minimum", f"; along {along} it does not curve by more than rounding"
    if not found.are_all:
        return "minimum", f", as far as {len(found.curvatures)} products with its Hessian show it"
    if len(found.curvatures) == 0:
        return "minimum", ": no parameter can be moved to where it falls"
    return "minimum", ", which is upwards in all directions"


def _mixed(ways: np.ndarray) -> np.ndarray:
    """Directions, and some between them: what is flat along each of them may fall between."""
    if ways.shape[1] < 2:
        return ways
    return np.hstack([ways, ways @ np.random.default_rng(0).normal(size=(ways.shape[1], 4))])


class _Look:
    """The loss around a point. `noise`: by how much two values may differ for rounding alone. `fall`: how far below was
    the lowest that was seen, `farthest` away; `highest`: how far above the highest. `is_above`: whether something was
    lower by more than twice of what the slope explains. `sizes`: of the parameters, or of 1 for those that are less."""

    def __init__(self, around: Around, value: float, gradient: np.ndarray) -> None:
        self._around, self._here, self._gradient, self.value = around, around.here, gradient, value
        largest = float(np.abs(self._here).max()) or 1.0
        self.sizes, self.sizes_or_1 = np.maximum(np.abs(self._here), 1e-3 * largest), np.maximum(np.abs(self._here), 1)
        self.noise = self._rounding()
        self.fall = self.highest = self.farthest = 0.0
        self.is_above = False

    def _rounding(self) -> float:
        epsilon, rng = self._around.epsilon, np.random.default_rng(1)
        moved = [self._here * (1 + 2 * epsilon * rng.choice([-1, 1], len(self._here))) for _ in range(4)]
        apart = [abs(self._around.value(x) - self.value) for x in moved]
        return 4 * max([4 * epsilon * abs(self.value), *(gap for gap in apart if math.isfinite(gap))])

    def far(self, ways: np.ndarray) -> None:
        """Look along directions, both ways, at distances that are small beside the parameters."""
        for way in ways.T:
            for length in PROBE_DISTANCES:
                self._both(length * _times(way, self.sizes) * way)

    def as_far_as(self, ways: np.ndarray, curvatures: np.ndarray, rise: float, most: np.ndarray) -> None:
        """Look where the loss should have changed by so much: whether the derivatives tell the truth; but no parameter
        is moved by more than `most`."""
        for way, curvature in zip(ways.T, curvatures, strict=True):
            self._both(min(math.sqrt(2 * rise / curvature), _times(way, most)) * way)

    def hidden(self, ways: np.ndarray, curvatures: np.ndarray) -> int:
        """How many directions have a curvature that is hidden by rounding, even at ten times the parameters' size."""
        lengths = [10 * _times(way, self.sizes_or_1) for way in ways.T]
        return int(np.sum(curvatures * np.square(lengths) / 2 < self.noise))

    def _both(self, step: np.ndarray) -> None:
        for moved in (self._around.allowed(self._here + sign * step) - self._here for sign in (1, -1)):
            rise = self._around.value(self._here + moved) - self.value
            if abs(rise) <= self.noise or not math.isfinite(rise):
                continue
            if -rise > self.fall:
                self.fall, self.farthest = -rise, float(np.linalg.norm(moved))
            self.highest = max(self.highest, rise)
            self.is_above |= rise < min(2 * float(self._gradient @ moved), 0.0)


def _times(way: np.ndarray, most: np.ndarray) -> float:
    """How often a direction can be gone before a parameter has moved by the most that it may."""
    # A parameter that all but vanishes may not move at all.
    with np.errstate(over="ignore"):
        return 1 / float(np.max(np.abs(way) / most))
