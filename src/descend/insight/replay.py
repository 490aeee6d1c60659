"""A cause is proved by replay: the descent once more from a run that was kept, with one thing changed, over the same
data."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from descend._arrays import as_numpy
from descend._tree import Tree, join, split
from descend.engine.descent import NONFINITE
from descend.engine.many import advance_many
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight.judging import Judge, gain, judge_of
from descend.sources import Empty, IterableBatches, WholeSet

if TYPE_CHECKING:
    import plotly.graph_objects as go

WORTH = 0.05  # a gain that is told of: a twentieth of the loss
DRAWS, STEPS = 6, 200
LEAST_DRAWS = 2  # or there is no interval
JITTER = 1e-3  # by which parameters are moved, in relation to their size, where no data is drawn anew

Verdict = Literal["proved", "not proved", "refuted"]


@dataclass(frozen=True)
class Change:
    """One thing that is changed: `words` for it, the fork that `make` makes of a run, and the `line` that would.

    `judge`: how its descents are judged, where that is not as all others, because their data are other data.
    `examples`: how many examples a step of it sees for one of the run's own, so that equal numbers can be compared.
    """

    words: str
    make: Callable[[Run], Run]
    line: str = ""
    judge: Callable[[Judge], Judge] = field(default=lambda judge: judge)
    examples: float = 1.0

    def then(self, other: "Change") -> "Change":
        """Both, one after the other."""
        return Change(f"{self.words}, then {other.words}", lambda run: other.make(self.make(run)), other.line,
                      lambda judge: other.judge(self.judge(judge)), self.examples * other.examples)


AS_IT_WAS = Change("as it was", lambda run: run)


@dataclass(frozen=True)
class Replay:
    """Descents with one thing changed beside those without, over the same data, once for each draw.

    `words`: what was changed. `step`: from where. `steps`: how many of each. `before`, `after`: the losses at their
    ends, a number for each draw. `start`: the loss where they began. `confidence`: of the interval. `usual`: the loss
    of which a hundredth counts as nothing, by default that at the start. `held_out`: the same descents, judged on
    examples that they do not see, where they are judged on those that they do.
    """

    words: str
    line: str
    step: int
    steps: int
    before: np.ndarray
    after: np.ndarray
    start: float
    confidence: float = 0.95
    usual: float = math.nan
    held_out: "Replay | None" = None

    @property
    def gains(self) -> np.ndarray:
        """The gain of each draw: `log before − log after`, as `gain` has it."""
        usual = self.usual if math.isfinite(self.usual) else self.start
        return np.array([gain(b, a, usual) for b, a in zip(self.before, self.after, strict=True)])

    @property
    def share(self) -> float:
        """How much of the fall with the change there is without it, too, in the middle draw: 1 is all of it."""
        usual = self.usual if math.isfinite(self.usual) else self.start
        fell = usual - float(np.median(self.after))
        before = float(np.median(self.before))
        return (usual - before) / fell if fell > 0 and math.isfinite(before) else 0.0 if fell > 0 else 1.0

    @property
    def gain(self) -> float:
        """The mean of the gains."""
        return float(self.gains.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Of the mean gain, by Student's t over the draws."""
        from scipy.stats import t  # whose import is for who asks

        gains = self.gains
        if len(gains) < 2:
            return -math.inf, math.inf
        half = float(t.ppf((1 + self.confidence) / 2, len(gains) - 1)) * gains.std(ddof=1) / math.sqrt(len(gains))
        return float(self.gain - half), float(self.gain + half)

    @property
    def verdict(self) -> Verdict:
        """`proved`: the whole interval is above .05, and the loss ends below where it began. `refuted`: all of it is
        below 0."""
        low, high = self.interval
        with np.errstate(invalid="ignore"):
            descends = float(np.median(self.after)) < self.start or not math.isfinite(self.start)
        if low > WORTH and descends and (self.held_out is None or self.held_out.gain > 0):
            return "proved"
        return "refuted" if high < 0 else "not proved"

    def plot(self) -> "go.Figure":
        """The loss at the end of each draw, with and without the change."""
        from descend.insight._figures import replayed  # Plotly is for those who look

        return replayed(self)

    def __str__(self) -> str:
        low, high = self.interval
        ends = f"{_middle(self.before)} as it was, {_middle(self.after)} {self.words}"
        return (f"{self.verdict}: {self.steps} steps from step {self.step}, {len(self.before)} draws of the data: loss "
                f"{ends}; gain {self.gain:.2f} [{low:.2f}, {high:.2f}]")


def what_if(
    run: Run,
    *,
    steps: int = STEPS,
    draws: int = DRAWS,
    data: Any = None,
    change: Callable[[Run], Run] | None = None,
    **changed: Any,
) -> Replay:
    """What would have come of a run with one thing changed: both descents from it, once for each draw of the data.

    The change is what `Run.fork` takes (`learning_rate=`, `optimizer=`, `batch_size=`, …), or `change`, a function from
    the run to a fork of it. Each draw sees the examples in another order, the same one in both descents; where a loss
    sees all of them at each step, or in an order of their own, its parameters are moved by a thousandth instead.
    `data`: examples to judge both by, held out if possible; by default those that the run descends on.

    The replay says "proved" where the whole interval of the gain, `log J − log J'`, at 95 % is above .05, and the loss
    ends below where it began. It is about so many steps: short ones favour small rates.

    **Raises** `InputError` for what `Run.fork` refuses, and unless there is one change, and there are two draws.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> run = begin(lambda x: 0.5 * (x**2).sum(), np.array([4.0, -2.0]), optimizer=SGD(1.9))
    >>> replay = what_if(run, steps=10, learning_rate=0.5)
    >>> replay.verdict, replay.gain > 1
    ('proved', True)
    """
    if (change is None) == (not changed):
        raise InputError("what_if takes one change: settings of Run.fork such as learning_rate=, or change=")
    if draws < 2:
        raise InputError(f"draws must be at least 2, or there is no interval, but is {draws}")
    words = ", ".join(f"with {name}={_brief(value)}" for name, value in changed.items()) or "changed"
    line = ", ".join(f"{name}={_brief(value)}" for name, value in changed.items())
    asked = Change(words, change or (lambda fork: fork.fork(**changed)), line)
    return replayed(run, [asked], steps, draws, judge_of(run, data))[0]


def replayed(
    run: Run,
    changes: Sequence[Change],
    steps: int,
    draws: int,
    judge: Judge,
    *,
    base: Change = AS_IT_WAS,
    first_seed: int = 1,
    confidence: float = 0.95,
    until: float = math.inf,
    usual: float = math.nan,
    held_out: Judge | None = None,
    is_still: bool = False,
) -> list[Replay]:
    """Each change beside `base`, over the same draws of the data.

    `until`: the time, as `time.perf_counter` tells it, when no further draw is begun; two are made all the same.
    `is_still`: the base begins exactly where the run stands, as that is what is asked about.
    """
    # 1. Both descents begin at the same run, so that nothing but the change can tell them apart.
    all_changes, judges = (base, *changes), [judge, *([held_out] if held_out else [])]
    losses: list[np.ndarray] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that memory begins anew is what is asked for here
        started = [change.make(run) for change in all_changes]
        starts = _judged(started, all_changes, judges)
        lengths = [max(1, round(steps / change.examples)) for change in all_changes]
        # 2. In each draw all of them see the same examples in the same order: the differences between draws, which are
        #    large, are then no part of the gain.
        for seed in range(first_seed, first_seed + draws):
            if len(losses) >= LEAST_DRAWS and time.perf_counter() > until:
                break
            forks = [drawn(fork, seed, moved=i > 0 or not is_still) for i, fork in enumerate(started)]
            ends = _advanced(forks, lengths)
            losses.append(_judged(ends, all_changes, judges))
    # 3. By draw, judge and change. Where a change makes the start better, much of the old start's loss was never to be
    #    learned: the lower of the two is what a fall is measured from.
    table, levels = np.array(losses), np.fmin(starts[0], usual) if math.isfinite(usual) else starts[0] * math.nan
    made = []
    for i, change in enumerate(changes, 1):
        of = lambda j, i=i, change=change: Replay(
            change.words, change.line, run.step, steps, table[:, j, 0], table[:, j, i], float(starts[j, i]), confidence,
            float(levels[i]) if j == 0 else math.nan,
        )
        made.append(replace(of(0), held_out=of(1) if held_out else None))
    return made


def _judged(runs: Sequence[Run], changes: Sequence[Change], judges: Sequence[Judge]) -> np.ndarray:
    """The loss of each run by each judge; of a descent that diverged, none."""
    ended = [int(run.state.guard.status) == NONFINITE for run in runs]
    return np.array([[math.nan if over else change.judge(judge)(run)
                      for run, change, over in zip(runs, changes, ended, strict=True)] for judge in judges])


def drawn(run: Run, seed: int, moved: bool = True) -> Run:
    """The run with another order of its data; where there is none, with parameters that are moved a little."""
    source = run.descent.source
    # A loader's order is its own, and no seed of ours changes it.
    is_noisy = not isinstance(source, Empty | WholeSet | IterableBatches) and getattr(source, "shuffle", True)
    # A module may draw random numbers wherever it likes.
    fork = run.fork(seed=seed) if is_noisy or run.descent.signature.takes_key or run.takes_turns else run
    if is_noisy or not moved:
        return fork
    # A loss without noise gives the same descent each time. That it is not luck is seen from starts nearby: where a
    # descent is chaotic they part, and the interval is wide.
    rng = np.random.default_rng(seed)
    return fork.fork(params=_moved(fork.params, rng))


def _moved(params: Tree, rng: np.random.Generator) -> Tree:
    numbers, rest = split(params)

    def moved(leaf: Any) -> np.ndarray:
        array = as_numpy(leaf)
        size = JITTER * np.maximum(np.abs(array), np.abs(array).mean() if array.size else 0.0)
        return np.asarray(array + size * rng.normal(size=array.shape), array.dtype)

    if not jax.tree.leaves(numbers):
        # A module's tensors are no numbers of JAX's.
        return jax.tree.map(moved, params)
    return join(jax.tree.map(moved, numbers), rest)


def _advanced(forks: list[Run], lengths: list[int]) -> list[Run]:
    """The forks after so many steps each; those of one length together, on all cores."""
    ends: dict[int, Run] = {}
    for length in sorted(set(lengths)):
        members = [i for i, mine in enumerate(lengths) if mine == length]
        for i, (end, _) in zip(members, advance_many([forks[i] for i in members], length), strict=True):
            ends[i] = end
    return [ends[i] for i in range(len(forks))]


def _middle(losses: np.ndarray) -> str:
    """The loss of the middle draw, or that most diverged."""
    finite = losses[np.isfinite(losses)]
    return f"{np.median(losses):.4g}" if len(finite) == len(losses) else f"not finite in {len(losses) - len(finite)}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"a new {type(value).__name__}"
