"""A regression on real data, the progression of diabetes out of scikit-learn; and how it is learned."""

import time
from dataclasses import dataclass, field
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_diabetes

from descend import Run, Watch, begin
from descend.losses import squared
from descend.optimizers import Optimizer

EPOCHS = 10
# Points of a curve in an epoch.
IN_AN_EPOCH = 20


@dataclass
class Regression:
    """Half the mean squared error of a linear model of ten columns, in units of their spread, and a constant."""

    begun: dict[tuple[str, int], Run] = field(default_factory=dict)

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """The columns with one of ones, and the target, all in units of their spread."""
        X, y = load_diabetes(return_X_y=True, scaled=False)
        columns = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(X))])
        return columns.astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)

    @cached_property
    def sharpness(self) -> float:
        """λmax of the Hessian, which is the same everywhere."""
        return float(np.linalg.eigvalsh(self._quadratic[1])[-1])

    def way(self, name: str, rule: Optimizer, batch: int, seed: int) -> np.ndarray:
        """Rows of epochs, seconds, the loss of all data and λmax, from the start on and NaN after the end of numbers.

        `batch`: how many examples each step sees. Seconds are those of the steps alone, as they were just measured."""
        rows = len(self.data[1])
        steps, run = EPOCHS * rows // batch, self._ready(name, rule, batch, seed)
        began = time.perf_counter()
        points = np.asarray(run.advance(steps + 1)[1].columns["params"], np.float64)
        seconds = (time.perf_counter() - began) / (steps + 1)
        epochs = np.arange(EPOCHS * IN_AN_EPOCH + 1) / IN_AN_EPOCH
        at = (epochs * rows / batch + 1e-9).astype(int)
        way = np.full((len(at), 4), np.nan, np.float32)
        seen = at[at < len(points)]
        losses = self._losses(points[seen])
        way[: len(seen)] = np.column_stack(
            [epochs[: len(seen)], seconds * seen, losses, np.full(len(seen), self.sharpness)])
        way[~np.isfinite(way).all(axis=1)] = np.nan
        return way

    @cached_property
    def _quadratic(self) -> tuple[np.ndarray, np.ndarray, float]:
        """The loss as what it is, floor + ½ (w − w*)ᵀ H (w − w*): w*, H and the floor."""
        X, y = (part.astype(np.float64) for part in self.data)
        best = np.linalg.lstsq(X, y)[0]
        return best, X.T @ X / len(X), float(0.5 * np.mean((X @ best - y) ** 2))

    @property
    def floor(self) -> float:
        """The least loss that there is."""
        return self._quadratic[2]

    def _losses(self, points: np.ndarray) -> np.ndarray:
        best, hessian, floor = self._quadratic
        away = points - best
        with np.errstate(all="ignore"):
            return floor + 0.5 * ((away @ hessian) * away).sum(axis=1)

    def _ready(self, name: str, rule: Optimizer, batch: int, seed: int) -> Run:
        """A run before its first step, whose programs are compiled, so that the time of its steps is theirs."""
        if (run := self.begun.get((name, batch))) is None:
            run = begin(_loss, np.zeros(self.data[0].shape[1], np.float32), self.data, optimizer=rule,
                        batch_size=batch, seed=seed, watch=Watch(positions=True))
            run.advance(EPOCHS * len(self.data[1]) // batch + 1)
            self.begun[name, batch] = run
        return run.fork(optimizer=rule, seed=seed)


def _loss(weights: jax.Array, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    X, y = batch
    return jnp.mean(squared(X @ weights, y))


def body_mass() -> np.ndarray:
    """Pairs of the diabetes data: body mass index above 20 in tens, and the progression in hundreds."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return np.column_stack([(X[:, 2] - 20) / 10, y / 100])


def cost_of_a_line(points: np.ndarray) -> str:
    """The formula of the mean squared error of the line `x·input + y` on some points, a quadratic in x and y."""
    u, v = points.T
    terms = [((u * u).mean(), "*x^2"), (2 * u.mean(), "*x*y"), (1.0, "*y^2"), (-2 * (u * v).mean(), "*x"),
             (-2 * v.mean(), "*y"), ((v * v).mean(), "")]
    return " + ".join(f"({number:.8g}){rest}" for number, rest in terms)
