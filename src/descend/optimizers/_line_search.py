"""Line searches: which step lengths to try along a direction, one trial at a time.

Along a direction d the loss is a function of the step length, `φ(α) = f(θ + α d)`. A search is told `φ` and its slope
at the length it has asked for, and says whether that will do, or which length to try next. What it looks at is

    ψ(α) = φ(α) − φ(0) − c₁ α φ′(0)

which is at most 0 where the loss has fallen by enough. All that it remembers is a `Line`, a tuple of scalars, so that a
search can rest between two evaluations of the loss, be compiled, batched and saved.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from descend._arrays import Array, Scalar, as_scalar, log, namespace
from descend.schedules import Number

ACCEPTED, GOING_ON, FAILED = range(3)


class Sample(NamedTuple):
    """A step length, and ψ and its slope there."""

    step: Any
    value: Any
    slope: Any


class Line(NamedTuple):
    """A search at rest.

    `slope`: φ′(0). `trial`: the length to be tried; `limit`: the longest. `low`: the best so far; `high`: the other end
    of the bracket, once `bracketed`; `widths`: the bracket's, now and one trial before. `settling`: the search has come
    to its end, and goes back to the best that it has seen.
    """

    slope: Any
    trial: Any
    limit: Any
    low: Sample
    high: Sample
    bracketed: Any
    widths: tuple[Any, Any]
    trials: Any
    settling: Any


@dataclass(frozen=True)
class LineSearch:
    """What is accepted: a fall by `c₁ α |φ′(0)|`, and what a search adds to it. `decrease`: c₁ in (0, ½)."""

    decrease: Number

    @property
    def trials(self) -> Number:
        """The most evaluations along a direction."""
        return 20

    def begin(self, slope: Array, step: Scalar, limit: Scalar) -> Line:
        """The search along a direction with the slope `φ′(0)`: the first length to try, and the longest."""
        xp = namespace(slope)
        zero, infinite = as_scalar(0.0, slope), as_scalar(float("inf"), slope)
        start, widths = Sample(zero, zero, (1 - self.decrease) * slope), (infinite, infinite)
        no, count = xp.asarray(False), xp.zeros((), dtype=xp.int32)
        return Line(slope, xp.minimum(as_scalar(step, slope), limit), limit, start, start, no, widths, count, no)

    def judge(self, line: Line, rise: Scalar, slope: Array, over: Scalar, noise: Scalar) -> tuple[Any, Line]:
        """What to do after the trial, and the line with the next one.

        `rise` is `φ(α) − φ(0)`; `over` how far φ(α) is above the lowest value ever accepted: as long as that is no
        more than `noise`, values cannot be told apart, and the slopes decide (Hager and Zhang's approximate condition).
        """
        xp = namespace(slope)
        finite = xp.isfinite(rise) & xp.isfinite(slope)
        # 1. ψ at the trial. What is not finite counts as infinitely high: the trial was too long.
        psi = Sample(line.trial, xp.where(finite, rise - self.decrease * line.trial * line.slope, float("inf")),
                     slope - self.decrease * line.slope)
        # 2. Will it do? Values decide or, where rounding hides them, slopes.
        good = self.accepts(psi.value <= 0, over <= noise, slope, line.slope)
        # 3. If not: what was learnt, and the next length.
        later = self.narrowed(line, psi, noise)._replace(trials=line.trials + 1)
        low, high = later.low, later.high
        # 4. The end of the search: a bracket of nothing, the longest length is still downhill, or no trials are left.
        tiny = later.bracketed & (abs(high.step - low.step) <= 4 * xp.finfo(slope.dtype).eps * abs(low.step))
        at_the_limit = (line.trial >= line.limit) & (later.trial > line.limit)
        spent = (later.trials >= self.trials) | tiny | at_the_limit
        # 5. Then the best so far will do, if it lowered the loss. The search goes back there once more, because nobody
        # kept the gradient.
        useful = spent & (low.value < 0)
        good = good | line.settling | (useful & (low.step == line.trial))
        settles = useful & ~line.settling
        later = later._replace(
            settling=settles, trial=xp.where(settles, low.step, xp.minimum(later.trial, line.limit))
        )
        failed = xp.where(spent & ~settles | line.settling, FAILED, GOING_ON)
        return xp.where(finite & good, ACCEPTED, failed), later

    def accepts(self, fallen: Array, same: bool | Array, slope: Array, start: Array) -> Any:
        """Whether a length will do: whether ψ ≤ 0; whether φ is the lowest, up to rounding; and the slopes."""
        raise NotImplementedError

    def narrowed(self, line: Line, trial: Sample, noise: Scalar) -> Line:
        """The line with what was learnt from a trial that does not do, and the next length to try."""
        raise NotImplementedError


@dataclass(frozen=True)
class Armijo(LineSearch):
    """Backtracking: the length is multiplied by `shrink` until the loss has fallen by enough.

    Reference: Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", 1966.
    """

    shrink: Number

    @property
    def trials(self) -> Number:
        return math.log(1e-10) / log(self.shrink)

    def accepts(self, fallen: Array, same: bool | Array, slope: Array, start: Array) -> Any:
        return fallen | (same & (slope <= (2 * self.decrease - 1) * start))

    def narrowed(self, line: Line, trial: Sample, noise: Scalar) -> Line:
        return line._replace(trial=self.shrink * trial.step)


@dataclass(frozen=True)
class StrongWolfe(LineSearch):
    """Moré and Thuente's search, for a length at which also the slope has fallen: `|φ′(α)| ≤ c₂ |φ′(0)|`.

    Lengths are extrapolated until a minimum is bracketed; the bracket is then narrowed by cubic interpolation, and
    halved where that is slow. (They search for a minimum of ψ first, and then for one of φ. With c₁ < c₂ a minimum of
    ψ will always do, and so ψ is looked at throughout.)

    Reference: Moré and Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM TOMS 20, 1994.
    """

    curvature: Number

    def accepts(self, fallen: Array, same: bool | Array, slope: Array, start: Array) -> Any:
        return (fallen | same) & (abs(slope) <= -self.curvature * start)

    def narrowed(self, line: Line, trial: Sample, noise: Scalar) -> Line:
        xp, low, high = namespace(trial.step), line.low, line.high
        # Their updating rules: a higher trial ends the bracket (U1); where the slope has turned, the old best ends it
        # (U3); else the trial is just the new best (U2). A negation, so that what is no number counts as higher.
        higher = ~(trial.value - low.value <= noise)
        turned = ~higher & (trial.slope * (low.step - trial.step) < 0)
        step = _interpolated(line, trial, higher, turned, noise)
        high = _where(higher, trial, _where(turned, low, high))
        low = _where(higher, low, trial)
        bracketed = line.bracketed | higher | turned
        width = xp.where(bracketed, abs(high.step - low.step), float("inf"))
        # Two trials must narrow the bracket by a third. Interpolation alone may creep towards one end for ever.
        inside = _inside(low, high, trial, step, width > 0.66 * line.widths[1])
        return line._replace(
            trial=xp.where(bracketed, inside, _outside(line, trial, step)), low=low, high=high, bracketed=bracketed,
            widths=(width, line.widths[0]),
        )


def _inside(low: Sample, high: Sample, trial: Sample, step: Array, slow: Array) -> Any:
    """A step into the bracket: its middle, where two trials have not narrowed it by a third; nearer to the best, where
    the loss is not finite at the other end."""
    xp, gap = namespace(step), high.step - low.step
    middle = low.step + xp.where(xp.isfinite(high.value), gap / 2, gap / 10)
    step = xp.where(slow | ~xp.isfinite(step), middle, step)
    step = xp.clip(step, xp.minimum(low.step, high.step), xp.maximum(low.step, high.step))
    # Not nearer to 0 than that, or the way back from the trial would be lost in rounding.
    return xp.maximum(step, 0.001 * trial.step)


def _outside(line: Line, trial: Sample, step: Array) -> Any:
    """A step beyond the trial, and by more than the last time, once a minimum was foretold in vain."""
    xp, farthest = namespace(step), _farthest(line, trial)
    nearest = trial.step + xp.where(line.trials > 0, 1.1 * (trial.step - line.low.step), 0)
    return xp.clip(xp.where(xp.isfinite(step), step, farthest), nearest, farthest)


def _interpolated(line: Line, trial: Sample, higher: Array, turned: Array, noise: Scalar) -> Any:
    """Moré and Thuente's four cases: where a minimum is likely, from the best sample, the trial and the far end."""
    xp, low, high = namespace(trial.step), line.low, line.high
    # Where the values cannot be told apart a cubic would fit their noise: the slopes alone give the secant.
    secant = trial.step + (low.step - trial.step) * trial.slope / (trial.slope - low.slope)
    cubic = xp.where(abs(trial.value - low.value) <= noise, secant, _cubic(low, trial))
    quadratic = _quadratic(low, trial)
    # Higher than before: the cubic if it is nearer to the best, else half-way from it to the parabola.
    nearer_low = abs(cubic - low.step) < abs(quadratic - low.step)
    when_higher = xp.where(nearer_low, cubic, (cubic + quadratic) / 2)
    # The slope has turned: a minimum lies between, and the longer of both steps is less timid.
    farther = abs(cubic - trial.step) > abs(secant - trial.step)
    when_turned = xp.where(farther, cubic, secant)
    # Downhill still. The slope is less than before: a minimum ahead is foretold by the secant, and maybe by the cubic.
    onward = trial.step - low.step
    end = xp.where(line.bracketed, high.step, _farthest(line, trial))
    cubic = xp.where(xp.sign(cubic - trial.step) == xp.sign(onward), cubic, end)
    farther = abs(cubic - trial.step) > abs(secant - trial.step)
    limit = trial.step + 0.66 * (high.step - trial.step)
    nearer = xp.where(farther, secant, cubic)
    nearer = xp.where(onward > 0, xp.minimum(nearer, limit), xp.maximum(nearer, limit))
    when_flatter = xp.where(line.bracketed, nearer, xp.where(farther, cubic, secant))
    # Or it is more, and nothing is foretold from this side.
    when_steeper = xp.where(line.bracketed, _cubic(trial, high), end)
    flatter = abs(trial.slope) <= abs(low.slope)
    return xp.where(
        higher, when_higher, xp.where(turned, when_turned, xp.where(flatter, when_flatter, when_steeper))
    )


def _farthest(line: Line, trial: Sample) -> Any:
    """As far as to extrapolate."""
    return trial.step + 4 * (trial.step - line.low.step)


def _cubic(a: Sample, b: Sample) -> Any:
    """The minimum of the cubic with these values and slopes; NaN if it has none."""
    gap = b.step - a.step
    # As the cubic from 0 at `a` to 1 at `b` has them.
    rise, start, end = b.value - a.value, a.slope * gap, b.slope * gap
    mean = start + end - 3 * rise
    # No number where the cubic has no minimum; whoever asked has another point for that case.
    root = namespace(gap).sqrt(mean * mean - start * end)
    return b.step - gap * (end + root - mean) / (end - start + 2 * root)


def _quadratic(a: Sample, b: Sample) -> Any:
    """The minimum of the parabola with these values, and the slope at `a`."""
    gap = b.step - a.step
    start = a.slope * gap
    return a.step - gap * start / (2 * (b.value - a.value - start))


def _where(condition: Array, a: Sample, b: Sample) -> Sample:
    xp = namespace(a.step)
    return Sample(*(xp.where(condition, x, y) for x, y in zip(a, b, strict=True)))
