"""NIST's nonlinear regressions: 27 problems with certified estimates, each with a far start and a near one.

Reference: NIST Information Technology Laboratory, Statistical Reference Datasets, nonlinear regression; public domain.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

Model = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Problem:
    """A regression: `residuals` as a function of the parameters, two `starts`, and what is certified to ten digits."""

    name: str
    residuals: Callable[[Any], Any]
    starts: list[np.ndarray]
    certified: np.ndarray
    deviations: np.ndarray
    sum_of_squares: float

    def loss(self, b: Any) -> Any:
        """The sum of squares."""
        return (self.residuals(b) ** 2).sum()

    def digits(self, estimates: Any) -> float:
        """To how many digits all estimates are right."""
        apart = np.abs(np.asarray(estimates, float) / self.certified - 1)
        return float(-np.log10(max(apart.max(), 1e-16))) if np.isfinite(apart).all() else -np.inf


def problems() -> list[Problem]:
    """All of them."""
    told = json.loads(Path(__file__).with_name("strd.json").read_text())
    return [_problem(name, facts) for name, facts in told.items()]


def _problem(name: str, facts: dict[str, Any]) -> Problem:
    y, *columns = map(np.asarray, facts["columns"])
    x = columns[0] if len(columns) == 1 else columns
    measured = np.log(y) if name == "Nelson" else y
    model = MODELS[name.rstrip("0123456789") if name.startswith(("Gauss", "Lanczos", "Chwirut")) else name]
    return Problem(name, lambda b: model(b, x) - measured, [np.asarray(start) for start in facts["starts"]],
                   np.asarray(facts["certified"]), np.asarray(facts["deviations"]), facts["sum_of_squares"])


def _rational(b: Any, x: Any, degree: int) -> Any:
    above = sum(b[i] * x**i for i in range(degree + 1))
    return above / (1 + sum(b[degree + i] * x**i for i in range(1, degree + 1)))


def _waves(b: Any, x: Any) -> Any:
    wave = lambda i, j, period: b[i] * jnp.cos(2 * jnp.pi * x / period) + b[j] * jnp.sin(2 * jnp.pi * x / period)
    return b[0] + wave(1, 2, 12) + wave(4, 5, b[3]) + wave(7, 8, b[6])


def _peaks(b: Any, x: Any) -> Any:
    peak = lambda i: b[i] * jnp.exp(-((x - b[i + 1]) ** 2) / b[i + 2] ** 2)
    return b[0] * jnp.exp(-b[1] * x) + peak(2) + peak(5)


def _decays(b: Any, x: Any) -> Any:
    return sum(b[i] * jnp.exp(-b[i + 1] * x) for i in (0, 2, 4))


MODELS: dict[str, Model] = {
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
    "BoxBOD": lambda b, x: b[0] * (1 - jnp.exp(-b[1] * x)),
    "Chwirut": lambda b, x: jnp.exp(-b[0] * x) / (b[1] + b[2] * x),
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "ENSO": _waves,
    "Eckerle4": lambda b, x: b[0] / b[1] * jnp.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Gauss": _peaks,
    "Hahn1": lambda b, x: _rational(b, x, 3),
    "Kirby2": lambda b, x: _rational(b, x, 2),
    "Lanczos": _decays,
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "MGH10": lambda b, x: b[0] * jnp.exp(b[1] / (x + b[2])),
    "MGH17": lambda b, x: b[0] + b[1] * jnp.exp(-x * b[3]) + b[2] * jnp.exp(-x * b[4]),
    "Misra1a": lambda b, x: b[0] * (1 - jnp.exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x / (1 + b[1] * x),
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * jnp.exp(-b[2] * x[1]),
    "Rat42": lambda b, x: b[0] / (1 + jnp.exp(b[1] - b[2] * x)),
    "Rat43": lambda b, x: b[0] / (1 + jnp.exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Roszman1": lambda b, x: b[0] - b[1] * x - jnp.arctan(b[2] / (x - b[3])) / jnp.pi,
    "Thurber": lambda b, x: _rational(b, x, 3),
}
