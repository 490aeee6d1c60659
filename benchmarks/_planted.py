"""Models, losses and planted examples whose first steps tell little: kinds, each drawn by its sizes and a seed.

Targets have noise, so that there is a least loss on held-out examples, but for the differential equations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._workloads import Data, divided


def drawn(seed: int, *sizes: int, scale: float = 1.0) -> dict[str, Any]:
    """The layers of a network of hyperbolic tangents, by Glorot's rule, times `scale`."""
    rng = np.random.default_rng(seed)
    spread = [scale * np.sqrt(2 / (a + b)) for a, b in pairwise(sizes)]
    return {f"layer{i}": {"w": rng.normal(0, spread[i], sizes[i : i + 2]).astype(np.float32),
                          "b": np.zeros(sizes[i + 1], np.float32)} for i in range(len(sizes) - 1)}


def applied(layers: dict[str, Any], x: Any) -> Any:
    """The network of those layers."""
    for i in range(len(layers)):
        x = x @ layers[f"layer{i}"]["w"] + layers[f"layer{i}"]["b"]
        x = jnp.tanh(x) if i < len(layers) - 1 else x
    return x


# ------------------------------------------------------------------------------------- a matrix that is a product


@dataclass(frozen=True)
class Matrix:
    """Some entries of a product of two matrices, and noise; a quarter of them is held out."""

    rows: int
    columns: int
    rank: int
    noise: float
    seed: int
    seen: float = 0.6

    def __call__(self) -> Data:
        """The entries."""
        rng = np.random.default_rng(self.seed)
        product = rng.normal(size=(self.rows, self.rank)) @ rng.normal(size=(self.rank, self.columns))
        where = rng.permutation(product.size)[: int(self.seen * product.size)]
        y = product.ravel()[where] + self.noise * rng.normal(size=len(where))
        place = np.stack([where // self.columns, where % self.columns], axis=1).astype(np.int32)
        return divided(place, y.astype(np.float32), len(where) // 4)

    def start(self, _: Data) -> Any:
        """Small numbers."""
        rng = np.random.default_rng(self.seed + 1)
        small = lambda count: rng.normal(0, 0.3, (count, self.rank)).astype(np.float32)
        return {"row": small(self.rows), "column": small(self.columns)}


def product_error(p: Any, batch: Any) -> Any:
    """The mean squared error of entries."""
    (row, column), y = batch[0].T, batch[1]
    return jnp.mean(((p["row"][row] * p["column"][column]).sum(axis=1) - y) ** 2)


# ----------------------------------------------------------------------------------------- differential equations


@dataclass(frozen=True)
class Points:
    """Points of the unit cube of so many dimensions."""

    count: int
    dimensions: int
    seed: int

    def __call__(self) -> Data:
        """Those to train on, and others."""
        x = np.random.default_rng(self.seed).uniform(size=(self.count + 1000, self.dimensions)).astype(np.float32)
        return x[:-1000], x[-1000:]


def oscillation(frequency: float, layers: Any, x: Any) -> Any:
    """How far u″ = −sin(frequency · x) is missed on [0, 1], with u(0) = u(1) = 0."""
    u = lambda t: applied(layers, t[None])[0]
    residual = jax.vmap(jax.grad(jax.grad(u)))(x[:, 0]) + jnp.sin(frequency * x[:, 0])
    return jnp.mean(residual**2) + 10 * (u(jnp.array(0.0)) ** 2 + u(jnp.array(1.0)) ** 2)


def decay(rate: float, layers: Any, x: Any) -> Any:
    """How far u′ = −rate · u is missed on [0, 1], with u(0) = 1."""
    u = lambda t: applied(layers, t[None])[0]
    values, slopes = jax.vmap(jax.value_and_grad(u))(x[:, 0])
    return jnp.mean((slopes + rate * values) ** 2) + 10 * (u(jnp.array(0.0)) - 1) ** 2


def potential(layers: Any, x: Any) -> Any:
    """How far u_xx + u_yy = −2π² sin(πx) sin(πy) is missed, where u is made 0 on the border."""
    u = lambda t: (t * (1 - t)).prod() * applied(layers, t)[0]
    curved = jax.vmap(lambda t: jnp.trace(jax.hessian(u)(t)))(x)
    return jnp.mean((curved + 2 * jnp.pi**2 * jnp.sin(jnp.pi * x).prod(axis=1)) ** 2)


# --------------------------------------------------------------------------------------------- columns of all scales


@dataclass(frozen=True)
class Scales:
    """A linear model whose columns' scales go over so many decades: of a number and noise, or of a class."""

    rows: int
    columns: int
    decades: float
    is_class: bool
    seed: int

    def __call__(self) -> Data:
        """The examples."""
        rng = np.random.default_rng(self.seed)
        X = rng.normal(size=(self.rows, self.columns))
        z = X @ rng.normal(size=self.columns) / np.sqrt(self.columns)
        scales = 10 ** rng.permutation(np.linspace(-self.decades / 2, self.decades / 2, self.columns))
        y = 3 * z + rng.logistic(size=self.rows) > 0 if self.is_class else z + 0.3 * rng.normal(size=self.rows)
        return divided((X * scales).astype(np.float32), y.astype(np.float32), self.rows // 4)

    def start(self, _: Data) -> Any:
        """Nothing."""
        return {"w": np.zeros(self.columns, np.float32), "b": np.float32(0)}


def linear_error(p: Any, batch: Any) -> Any:
    """The mean squared error of a linear model."""
    return jnp.mean((batch[0] @ p["w"] + p["b"] - batch[1]) ** 2)


def logistic_loss(p: Any, batch: Any) -> Any:
    """The mean logistic loss of a linear model."""
    z = batch[0] @ p["w"] + p["b"]
    return jnp.mean(jnp.logaddexp(0.0, z) - batch[1] * z)


# ------------------------------------------------------------------------------------------------------- sequences


@dataclass(frozen=True)
class Sums:
    """Sequences of numbers, the sum of two of which, that are marked, is asked for; with noise."""

    rows: int
    length: int
    width: int
    seed: int

    def __call__(self) -> Data:
        """The sequences."""
        rng = np.random.default_rng(self.seed)
        values, marks = rng.uniform(size=(self.rows, self.length)), np.zeros((self.rows, self.length))
        half, at = self.length // 2, np.arange(self.rows)
        marks[at, rng.integers(0, half, self.rows)] = marks[at, rng.integers(half, self.length, self.rows)] = 1
        y = (values * marks).sum(axis=1) + 0.1 * rng.normal(size=self.rows)
        return divided(np.stack([values, marks], axis=2).astype(np.float32), y.astype(np.float32), self.rows // 4)

    def start(self, _: Data) -> Any:
        """A recurrent network with gates."""
        rng, n = np.random.default_rng(self.seed + 1), self.width
        matrix = lambda a, b: rng.normal(0, np.sqrt(1 / a), (a, b)).astype(np.float32)
        return {"in": matrix(2, 3 * n), "back": matrix(n, 3 * n), "b": np.zeros(3 * n, np.float32),
                "out": matrix(n, 1), "mean": np.float32(0)}


def sum_error(p: Any, batch: Any) -> Any:
    """The mean squared error of what a recurrent network says at the end of its sequences."""
    X, y = batch
    n = p["out"].shape[0]

    def step(h: Any, x: Any) -> Any:
        a, b = x @ p["in"] + p["b"], h @ p["back"]
        keeps, lets = jax.nn.sigmoid(a[:, :n] + b[:, :n]), jax.nn.sigmoid(a[:, n : 2 * n] + b[:, n : 2 * n])
        return keeps * h + (1 - keeps) * jnp.tanh(a[:, 2 * n :] + lets * b[:, 2 * n :]), None

    h, _ = jax.lax.scan(step, jnp.zeros((len(X), n)), X.swapaxes(0, 1))
    return jnp.mean(((h @ p["out"])[:, 0] + p["mean"] - y) ** 2)


# ------------------------------------------------------------------------------------------------- pairs of views


@dataclass(frozen=True)
class Views:
    """Two noisy views of the same hidden numbers, through nets of their own."""

    rows: int
    hidden: int
    columns: int
    noise: float
    seed: int

    def __call__(self) -> Data:
        """The pairs; few are held out, as all of these are told apart from each other."""
        rng = np.random.default_rng(self.seed)
        z = rng.normal(size=(self.rows + 256, self.hidden))
        view = lambda: np.tanh(z @ rng.normal(size=(self.hidden, self.columns))) + self.noise * rng.normal(
            size=(len(z), self.columns))
        return divided(view().astype(np.float32), view().astype(np.float32), 256)

    def start(self, data: Data) -> Any:
        """A network for each view."""
        sizes = (data[0][0].shape[1], 64, 16)
        return {"one": drawn(self.seed + 1, *sizes), "other": drawn(self.seed + 2, *sizes)}


def told_apart(p: Any, batch: Any) -> Any:
    """The cross-entropy of which other view belongs to a view, among all of the batch."""
    unit = lambda v: v / jnp.sqrt((v**2).sum(axis=1, keepdims=True) + 1e-6)
    scores = unit(applied(p["one"], batch[0])) @ unit(applied(p["other"], batch[1])).T / 0.2
    return jnp.mean(jax.nn.logsumexp(scores, axis=1) - jnp.diagonal(scores))


# -------------------------------------------------------------------------------------------- few columns, curved


@dataclass(frozen=True)
class Spirals:
    """Arms of spirals, each a class, with noise in where points lie."""

    rows: int
    arms: int
    turns: float
    noise: float
    seed: int

    def __call__(self) -> Data:
        """The points."""
        rng = np.random.default_rng(self.seed)
        r, arm = np.sqrt(rng.uniform(0.02, 1, self.rows)), rng.integers(0, self.arms, self.rows)
        angle = 2 * np.pi * (self.turns * r + arm / self.arms)
        X = 2 * r[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + self.noise * rng.normal(
            size=(self.rows, 2))
        return divided(X.astype(np.float32), arm.astype(np.int32), self.rows // 2)


@dataclass(frozen=True)
class Parity:
    """The parity of some of several signs, a few of which are told wrong."""

    rows: int
    columns: int
    of: int
    wrong: float
    seed: int

    def __call__(self) -> Data:
        """The signs."""
        rng = np.random.default_rng(self.seed)
        X = rng.choice([-1.0, 1.0], size=(self.rows, self.columns)).astype(np.float32)
        y = (X[:, : self.of].prod(axis=1) > 0) ^ (rng.uniform(size=self.rows) < self.wrong)
        return divided(X, y.astype(np.int32), self.rows // 4)


@dataclass(frozen=True)
class Friedman:
    """Friedman's first function of five columns among ten, with noise, in units of its spread."""

    rows: int
    noise: float
    seed: int

    def __call__(self) -> Data:
        """The examples."""
        rng = np.random.default_rng(self.seed)
        X = rng.uniform(size=(self.rows, 10))
        y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]
        y = (y - y.mean()) / y.std() + self.noise * rng.normal(size=self.rows)
        return divided(((X - 0.5) * np.sqrt(12)).astype(np.float32), y.astype(np.float32), self.rows // 4)


def equation(kind: Callable[..., Any], *constants: float) -> Callable[[Any, Any], Any]:
    """A loss with the constants of its equation."""
    return partial(kind, *constants)
