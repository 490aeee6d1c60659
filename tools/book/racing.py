"""Races of the book: descents of the engine on functions of the studio's gallery, step by step."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from descend import Run, Watch, advance_many, begin
from descend.least_squares import half_sum_of_squares
from descend.optimizers import LevenbergMarquardt
from descend.studio.racing.formula import read
from descend.studio.racing.objective import Objective
from tools.book.contests import Contest, Entrant, Shape

# Learning rates that are tried for those who are to have the best of them.
RATES = np.geomspace(1e-4, 10, 21)


@dataclass(frozen=True)
class Track:
    """How one descended: `points`, a row of x and y before each step; `losses` there, without noise; the learning
    `rate` that it was given, if one was looked for."""

    title: str
    points: np.ndarray
    losses: np.ndarray
    rate: float | None


def raced(contest: Contest) -> tuple[Track, Track]:
    """Both tracks of a contest: of whom the page is about, and of the rival."""
    objective = Objective(read(contest.function.formula))
    ours = _track(contest.ours, contest, objective, contest.averages)
    return ours, _track(contest.rival, contest, objective, averages=False)


def _track(entrant: Entrant, contest: Contest, objective: Objective, averages: bool) -> Track:
    run = _begun(entrant, contest, objective)
    rate = _best_rate(run, contest.steps) if entrant.tunes else None
    run = run if rate is None else run.fork(learning_rate=rate)
    points = _averages(run, contest.steps) if averages else _points(run, contest.steps)
    with np.errstate(all="ignore"):
        losses = np.asarray(objective.formula(points[:, 0], points[:, 1]), float)
    return Track(entrant.title, points, losses, rate)


def _begun(entrant: Entrant, contest: Contest, objective: Objective) -> Run:
    """A run at the start, whose two parameters have the shape that this entrant is shown with."""
    loss = objective.loss if not contest.noise else objective.noisy_loss
    state = np.float64(contest.noise) if contest.noise else None
    if isinstance(entrant.optimizer, LevenbergMarquardt):
        loss = half_sum_of_squares(_residuals)
    shaped = SHAPES[entrant.shape]
    x, y = contest.function.start
    start: Any = {"vector": np.array([x, y]), "matrix": np.array([[x, y]]), "names": {"x": x, "y": y}}[entrant.shape]
    shown = loss if entrant.shape == "vector" else _over(loss, shaped, state is not None)
    return begin(shown, start, state=state, optimizer=entrant.optimizer,
                 watch=Watch(positions=True))


SHAPES: dict[Shape, Any] = {
    "vector": lambda params: params,
    "matrix": lambda params: params[0],
    "names": lambda params: jnp.stack([params["x"], params["y"]]),
}


def _over(loss: Any, shaped: Any, is_noisy: bool) -> Any:
    """The same loss of parameters of another shape."""
    if is_noisy:
        return lambda params, state, key: loss(shaped(params), state, key)
    return lambda params: loss(shaped(params))


def _residuals(point: Any) -> Any:
    """Rosenbrock's function as what it is a sum of squares of, which is what a least-squares fit is given."""
    return jnp.stack([1 - point[0], 10 * (point[1] - point[0] ** 2)]) * 2**0.5


def _best_rate(run: Run, steps: int) -> float:
    """The rate that leads lowest, of those that stay finite."""
    ends = advance_many([run.fork(learning_rate=float(rate)) for rate in RATES], steps)
    losses = [trace.columns["loss"][-1] if len(trace) == steps else np.inf for _, trace in ends]
    return float(RATES[int(np.nanargmin(losses))])


def _points(run: Run, steps: int) -> np.ndarray:
    """Where it is before each step, and after the last."""
    return np.asarray(run.advance(steps + 1)[1].columns["params"])


def _averages(run: Run, steps: int) -> np.ndarray:
    """The point that it would return, before each step."""
    found = []
    for _ in range(steps + 1):
        found.append(np.asarray(run.eval_params))
        run, _ = run.advance(1)
    return np.array(found)
