"""`MLPClassifier()` and `MLPRegressor()` beside scikit-learn's, defaults of both, on small tables of numbers.

A quarter of the rows is held out, as much of each class, in three splits, the same for both. scikit-learn's is fitted
behind a `StandardScaler`, as its guide has it, and to the columns as they are; the one that loses less is shown. Gaps
are filled with medians. On tables "to choose" our defaults were tried; on those "to judge" nothing was, before.

In brackets is by how many standard errors of the splits' differences ours is better; below −2 it is worse beyond
noise. Of numbers, what is told is the squared error as a share of the variance, 1 − R². "fit, warm" is the wall time of
a fit, in a process that has fitted as many rows before; other work was on the same cores.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._linear_data import find
from benchmarks._rows import Row, alternately
from benchmarks._table_files import load
from benchmarks._tables import BY_NAME

PACKAGES = ("descend", "jax", "scikit-learn", "numpy")
SPLITS, HELD_OUT = 3, 0.25
Data = tuple[np.ndarray, np.ndarray]
CLASSES = (("accuracy", "share"), ("log-loss", "nats"))
NUMBERS = (("squared error", "relative"),)


@dataclass(frozen=True)
class Small:
    """A table: where it comes from, what it is for, and whether its target is a class."""

    data: Callable[[], Data]
    part: Literal["choose", "judge"]
    classes: bool = True


def rows() -> Iterator[Row]:
    """Each table; then what a fit takes."""
    for name, table in TABLES.items():
        yield from _contest(f"{name}, to {table.part}", table)
    X, y = datasets.load_iris(return_X_y=True)
    ours, theirs = _makers(classes=True)[:2]
    fits = [lambda make=make: make(0).fit(X, y) for make in (ours, theirs)]
    yield Row("iris, all 150 rows", "scikit-learn, scaled", "fit, warm", "s", *alternately(fits, 3))


def _contest(workload: str, table: Small) -> Iterator[Row]:
    """Both on the same splits."""
    ours, *theirs = (np.array([_scores(make(seed), table, seed) for seed in range(SPLITS)])
                     for make in _makers(table.classes))
    name, best = min(zip(("scaled", "as it is"), theirs, strict=True), key=lambda named: named[1][:, -1].mean())
    for i, (quantity, unit) in enumerate(CLASSES if table.classes else NUMBERS):
        better = (1 if unit == "share" else -1) * (ours[:, i] - best[:, i])
        error = better.std(ddof=1) / np.sqrt(SPLITS)
        beyond = better.mean() / max(error, 1e-12) if better.any() else 0.0
        yield Row(workload, f"scikit-learn, {name}", f"{quantity} ({beyond:+.1f})", unit,
                  float(ours[:, i].mean()), float(best[:, i].mean()))


def _makers(classes: bool) -> tuple[Callable[[int], Any], ...]:
    """Ours, and theirs on scaled columns and on others, by their seed."""
    from descend.neural import MLPClassifier, MLPRegressor

    ours, theirs = (MLPClassifier, TheirClassifier) if classes else (MLPRegressor, TheirRegressor)
    return (lambda seed: ours(random_state=seed),
            lambda seed: make_pipeline(StandardScaler(), theirs(random_state=seed)),
            lambda seed: theirs(random_state=seed))


def _scores(model: Any, table: Small, seed: int) -> tuple[float, ...]:
    """What a model comes to on the rows held out of a split."""
    X, y = table.data()
    learn, judge, y_learn, y_judge = train_test_split(
        X, y, test_size=HELD_OUT, random_state=seed, stratify=y if table.classes else None
    )
    filled = SimpleImputer(strategy="median").fit(learn)
    with warnings.catch_warnings(action="ignore"):  # of theirs, that 200 epochs were not enough
        model.fit(filled.transform(learn), y_learn)
    judge = filled.transform(judge)
    if table.classes:
        return model.score(judge, y_judge), log_loss(y_judge, model.predict_proba(judge), labels=np.unique(y))
    return (1 - model.score(judge, y_judge),)


def _sample(name: str) -> Callable[[], Data]:
    """One of scikit-learn's."""
    return lambda: getattr(datasets, f"load_{name}")(return_X_y=True)


def _drawn(name: str, rows: int, **settings: Any) -> Callable[[], Data]:
    """One that scikit-learn draws."""
    return partial(getattr(datasets, f"make_{name}"), rows, random_state=0, **settings)


def _table(name: str) -> Callable[[], Data]:
    """The columns of numbers of a table of `_tables.py`."""
    return lambda: _numbers(load(name), BY_NAME[name].target)


def _vowel() -> Data:
    import rdata

    with warnings.catch_warnings(action="ignore"):  # of texts whose encoding is not said
        return _numbers(pd.DataFrame(rdata.read_rda(find("Vowel.rda"))["Vowel"]), "Class")


def _airfoil() -> Data:
    table = pd.read_csv(find("airfoil_self_noise.dat"), sep="\t", header=None).to_numpy()
    return table[:, :-1], table[:, -1]


def _numbers(frame: pd.DataFrame, target: str) -> Data:
    X = frame.drop(columns=target).select_dtypes("number").to_numpy(np.float64)
    y = frame[target].to_numpy()
    return X, y if y.dtype.kind in "iuf" else np.unique(y.astype(str), return_inverse=True)[1]


TABLES = {
    "two moons": Small(_drawn("moons", 400, noise=0.25), "choose"),
    "iris": Small(_sample("iris"), "choose"),
    "digits": Small(_sample("digits"), "choose"),
    "clusters": Small(_drawn("classification", 300, n_features=10, n_informative=5, n_classes=3, flip_y=0.1), "choose"),
    "diabetes": Small(_sample("diabetes"), "choose", classes=False),
    "Friedman 1": Small(_drawn("friedman1", 500, noise=1.0), "choose", classes=False),
    "concrete": Small(_table("concrete"), "choose", classes=False),
    "wine": Small(_sample("wine"), "judge"),
    "breast cancer": Small(_sample("breast_cancer"), "judge"),
    "circles": Small(_drawn("circles", 400, noise=0.15, factor=0.5), "judge"),
    "Vehicle": Small(_table("vehicles"), "judge"),
    "Vowel": Small(_vowel, "judge"),
    "Pima": Small(_table("pima"), "judge"),
    "glass": Small(_table("glass"), "judge"),
    "Friedman 2": Small(_drawn("friedman2", 500, noise=100.0), "judge", classes=False),
    "Friedman 3": Small(_drawn("friedman3", 500, noise=0.1), "judge", classes=False),
    "airfoil": Small(_airfoil, "judge", classes=False),
}
