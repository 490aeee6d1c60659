"""Held-out log-loss and accuracy with defaults only: `fit(X, y)` on the table as it is.

Beside scikit-learn's `LogisticRegression()`, `LinearSVC()` and `SGDClassifier()` (its log-loss where one is compared),
on the same fifth of the rows, with the standard error of a mean over them. The text's test rows are its own.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression as TheirLogistic
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC as TheirSVC

from benchmarks import _linear_data as tables
from benchmarks._rows import Row

PACKAGES = ("descend", "numpy", "scikit-learn")
TABLES: dict[str, Callable[[], tables.Data]] = {
    "logistic 300,000×50": tables.dense_logistic,
    "logistic 300,000×50, six decades": partial(tables.dense_logistic, decades=6.0),
    "adult": tables.adult,
    "health": tables.health,
    "flights": tables.flights,
    "letters": tables.letters,
    "20 Newsgroups": tables.newsgroups,
}


def rows() -> Iterator[Row]:
    """Each table, each peer: log-loss where both have probabilities, and accuracy."""
    from descend.linear import LinearSVC, LogisticRegression

    for name, data in TABLES.items():
        train, test = _parts(name, data)
        logistic, svc = _fitted(LogisticRegression(), *train), _fitted(LinearSVC(), *train)
        for peer, model in {
            "LogisticRegression()": TheirLogistic(), "SGDClassifier(log_loss)": SGDClassifier(loss="log_loss"),
        }.items():
            theirs = _fitted(model, *train)
            yield Row(name, peer, "log-loss", "nats", _loss(logistic, *test), _loss(theirs, *test))
            yield _accuracy(name, peer, logistic, theirs, *test)
        for peer, model in {"LinearSVC()": TheirSVC(), "SGDClassifier()": SGDClassifier()}.items():
            yield _accuracy(name, peer, svc, _fitted(model, *train), *test)


def _parts(name: str, data: Callable[[], tables.Data]) -> tuple[tables.Data, tables.Data]:
    X, y = data()
    if name == "20 Newsgroups":
        return (X, y), tables.newsgroups("test")
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0)
    return (X[train], y[train]), (X[test], y[test])


def _fitted(model: Any, X: Any, y: np.ndarray) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return model.fit(X, y)


def _accuracy(name: str, peer: str, ours: Any, theirs: Any, X: Any, y: np.ndarray) -> Row:
    error = np.std(ours.predict(X) == y) / np.sqrt(len(y))
    return Row(f"{name}, ±{error:.4f}", peer, "accuracy", "share", ours.score(X, y), theirs.score(X, y))


def _loss(model: Any, X: Any, y: np.ndarray) -> float:
    """The mean loss of the probability given to what was so, none below the least positive number."""
    column = np.searchsorted(model.classes_, y)
    given = model.predict_proba(X)[np.arange(len(y)), column]
    return float(-np.log(np.maximum(given, np.finfo(float).tiny)).mean())
