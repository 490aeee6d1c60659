"""Tables that are hard on a solver: small ones, drawn at random, of nine kinds."""

from typing import Any

import numpy as np

KINDS = ("decades", "offsets", "collinear", "polynomial", "one-hot", "rare", "heavy tails", "wide", "constant and tiny")


def table(kind: str, rng: np.random.Generator, dtype: Any) -> Any:
    """Rows of columns of a kind, in a precision."""
    n, d = int(rng.integers(12, 60)), int(rng.integers(2, 8))
    X = rng.normal(size=(n, d))
    if kind == "decades":
        X *= 10.0 ** rng.integers(-6, 7, d)
    elif kind == "offsets":
        X += rng.choice([-1.0, 1.0], d) * 10.0 ** rng.integers(1, 13 if dtype == np.float64 else 5, d)
    elif kind == "collinear":
        X[:, -1] = X[:, :-1] @ rng.integers(-2, 3, d - 1) + 10.0 ** -rng.integers(3, 17) * rng.normal(size=n)
    elif kind == "polynomial":
        x = rng.uniform(*rng.choice([[-1.0, 1.0], [0.0, 1.0], [-9.0, -3.0]]), n)
        X = x[:, None] ** np.arange(1, d + 1)
    elif kind == "one-hot":
        X[:, :-1] = np.eye(d - 1)[rng.integers(0, d - 1, n)]
        X[:, -1] *= 10.0 ** rng.integers(-3, 7)
    elif kind == "rare":
        X *= rng.random((n, d)) < 0.08
    elif kind == "heavy tails":
        X = rng.standard_t(1.0, (n, d))
    elif kind == "wide":
        n = int(rng.integers(4, 8))
        X = rng.normal(size=(n, 8)) * 10.0 ** rng.integers(-2, 3, 8)
    else:
        X[:, 0] = rng.choice([0.0, 1.0, 1e6])
        X[:, -1] *= 10.0 ** -rng.integers(8, 100) if dtype == np.float64 else 1e-20
    return X.astype(dtype)


def scores(X: Any, rng: np.random.Generator) -> Any:
    """A linear function of the columns in units of their spread, of about 1 and less."""
    away = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    spread = away.std(axis=0)
    away = away / np.where(spread > 1e-13 * np.abs(X).max(axis=0), spread, np.inf)
    return away @ rng.normal(size=X.shape[1]) / np.sqrt(X.shape[1])
