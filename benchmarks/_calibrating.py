"""Workloads that the recipe of `optimizer="auto"` was calibrated on; nothing is judged by them."""

import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdata
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import CountVectorizer

from benchmarks import _calibrating_planted as planted_ones
from benchmarks import _linear_data as tables
from benchmarks._workloads import (
    Data,
    Workload,
    cross_entropy,
    divided,
    factorised,
    factors,
    flat,
    gpt,
    next_token,
    perceptron,
    rebuilt,
    squared,
    standardised,
)

FEW = 30  # categories, of a column that is made one of each
WORDS = 2000


@dataclass(frozen=True)
class Table:
    """A file of tables; the column to predict, as a class or a number, if `log` as its logarithm; columns to leave out.

    A quarter of its rows is held out. `alone`: without what is to be predicted.
    """

    file: str
    target: str
    is_class: bool = True
    log: bool = False
    without: tuple[str, ...] = ()
    rows: int | None = None
    alone: bool = False

    def __call__(self) -> Data:
        """The examples."""
        table = self._read().drop(columns=[*self.without]).dropna(subset=[self.target])
        if self.rows is not None:
            table = table.sample(self.rows, random_state=0)
        target = table.pop(self.target)
        numbers = table.select_dtypes("number")
        names = [name for name in table.columns if name not in numbers.columns and table[name].nunique() <= FEW]
        kinds = [pd.get_dummies(table[name]) for name in names]
        X = standardised(np.hstack([part.to_numpy(np.float64) for part in (numbers.fillna(numbers.median()), *kinds)]))
        if self.alone:
            return tuple(part for part, _ in divided(X, X, len(X) // 4))
        if self.is_class:
            return divided(X, numbered(target.astype(str)), len(X) // 4)
        y = target.to_numpy(np.float64)
        return divided(X, standardised(np.log(y) if self.log else y), len(X) // 4)

    def _read(self) -> pd.DataFrame:
        path = tables.find(self.file)
        if path.suffix == ".rda":  # numbers of few values are categories in R
            return pd.read_csv(StringIO(rdata.read_rda(path)[path.stem].to_csv(index=False)))
        return pd.read_csv(path).drop(columns="rownames", errors="ignore")


@dataclass(frozen=True)
class Bag:
    """The most frequent words of news of Reuters', by logarithms of how often, and which topic they have."""

    name: str

    def __call__(self) -> Data:
        """The examples."""
        parts = [pd.read_csv(tables.find(f"{self.name}-{part}.tab"), sep="\t", header=0, skiprows=[1, 2],
                             names=["topic", "text"], dtype=str).dropna() for part in ("train", "test")]
        counts = CountVectorizer(max_features=WORDS).fit(parts[0]["text"])
        topics = np.unique(parts[0]["topic"])
        return tuple((logarithms(counts.transform(part["text"]).toarray()),
                      np.searchsorted(topics, part["topic"]).astype(np.int32)) for part in parts)  # type: ignore[return-value]


def logarithms(counts: np.ndarray) -> np.ndarray:
    """Those of counts and one, scaled so that rows are of one length."""
    logs = np.log1p(counts)
    lengths = np.sqrt((logs**2).sum(axis=1, keepdims=True)) + 1e-9
    return (logs / lengths * np.sqrt(WORDS) / 6).astype(np.float32)


def numbered(names: Any) -> np.ndarray:
    """Classes as numbers."""
    return np.unique(names, return_inverse=True)[1].astype(np.int32)


def sized(*hidden: int, rebuilds: bool = False) -> Callable[[Data], Any]:
    """A perceptron with such layers between what the examples have and what is asked for."""

    def start(data: Data) -> Any:
        if rebuilds:
            inputs = outputs = data[0].shape[1]
        else:
            (X, y), (_, held_out) = data
            inputs, outputs = X.shape[1], 1
            if y.dtype == np.int32:
                outputs = 1 + int(max(y.max(), held_out.max()))
        return perceptron(inputs, *hidden, outputs)(data)

    return start


def planted() -> Data:
    """Five classes by linear scores and sines, in columns whose scales go over two decades."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30_000, 30))
    scores = X @ rng.normal(size=(30, 5)) + np.sin(2 * X[:, :5])
    y = (scores + 2 * rng.gumbel(size=scores.shape)).argmax(axis=1)
    return divided((X * np.logspace(-1, 1, 30)).astype(np.float32), y.astype(np.int32), 8_000)


def health() -> Data:
    """Whose Charlson index is above 0."""
    X, y = tables.health()
    return divided(standardised(X), numbered(y), 20_000)


def digits() -> Data:
    """Small pictures of digits."""
    X, y = load_digits(return_X_y=True)
    return divided(standardised(X), y.astype(np.int32), 450)


def movielens() -> Data:
    """What people think of films."""
    table = pd.read_csv(tables.find("movielens.csv"))
    who = np.stack([pd.factorize(table[name])[0] for name in ("userId", "movieId")], axis=1).astype(np.int32)
    return divided(who, standardised(table["rating"].to_numpy(np.float64)), 10_000)


def sources() -> Data:
    """Windows of 65 characters of Python's own library; 800 are held out."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    text = np.minimum(np.frombuffer(b"".join(file.read_bytes() for file in files), np.uint8), 127)
    windows = np.random.default_rng(0).permutation(text[: len(text) // 65 * 65].reshape(-1, 65))
    return windows[:-800], windows[-800:]


WIDE = (256, 128)
SATELLITE, SHUTTLE = Table("Satellite.rda", "classes"), Table("Shuttle.rda", "Class")
DNA, SPAM, CHURN = Table("DNA.rda", "Class"), Table("spam.rda", "type"), Table("wa_churn.csv", "churn")
VOTES = Table("TV16.csv", "votetrump", without=("uid",))
HOTELS = Table("hotel_rates.csv", "avg_price_per_room", is_class=False)
DELAYS = Table("flights.csv", "arr_delay", is_class=False, rows=100_000,
               without=("dep_delay", "arr_time", "year", "time_hour"))


def workloads() -> Iterator[Workload]:
    """All of them, the planted ones and the short descents first."""
    yield from planted_ones.workloads()
    classes: Any = lambda name, hidden, data, batch, steps: Workload(name, sized(*hidden), cross_entropy, data, batch,
                                                                     steps)
    numbers: Any = lambda name, hidden, data, batch, steps: Workload(name, sized(*hidden), squared, data, batch, steps)
    yield classes("DNA, short", WIDE, DNA, 64, 130)
    yield classes("spam, short", WIDE, SPAM, 64, 200)
    yield classes("satellite, short", WIDE, SATELLITE, 64, 250)
    yield classes("churn, short", (128, 64), CHURN, 64, 250)
    yield classes("Reuters, 52 topics, short", (64,), Bag("reuters-r52"), 64, 250)
    yield numbers("hotels, wide", WIDE, HOTELS, 64, 600)
    yield classes("Reuters, 8 topics", (64,), Bag("reuters-r8"), 64, 600)
    yield Workload("MovieLens, short", factors, factorised, movielens, 256, 700)
    yield classes("Reuters, 52 topics", (64,), Bag("reuters-r52"), 64, 900)
    yield classes("votes, wide", WIDE, VOTES, 64, 1200)
    yield classes("cells", (64,), Table("cells.csv", "class", without=("case",)), 32, 1500)
    yield classes("digits", (128, 64), digits, 64, 1500)
    yield classes("DNA", (64,), DNA, 64, 1500)
    yield classes("shuttle, wide", WIDE, SHUTTLE, 64, 1500)
    yield Workload("MovieLens", factors, factorised, movielens, 256, 1500)
    yield classes("churn", (64,), CHURN, 64, 2000)
    yield classes("credit", (64, 64), Table("credit_data.csv", "Status"), 64, 2000)
    yield classes("shuttle", (64,), SHUTTLE, 64, 2000)
    yield classes("health", (64,), health, 64, 2000)
    yield classes("health, wide", WIDE, health, 64, 2000)
    yield Workload("satellite, autoencoder", sized(32, 8, 32, rebuilds=True), rebuilt,
                   Table("Satellite.rda", "classes", alone=True), 64, 2000)
    yield classes("spam", (64, 64), SPAM, 64, 2500)
    yield numbers("Ames", (64, 64), Table("ames.csv", "Sale_Price", is_class=False, log=True), 32, 3000)
    yield numbers("hotels", (64, 64), HOTELS, 64, 3000)
    yield numbers("houses in Texas", (128, 64), Table("txhousing.csv", "median", is_class=False, log=True), 64, 3000)
    yield numbers("delays", (128, 64), DELAYS, 64, 3000)
    yield classes("satellite", (128, 64), SATELLITE, 64, 3000)
    yield classes("vowels", (64, 64), Table("Vowel.rda", "Class"), 32, 3000)
    yield classes("votes", (128, 64), VOTES, 64, 3000)
    yield classes("leaves", (64, 64), Table("leaf_id_flavia.csv", "species"), 32, 3000)
    yield Workload("planted", flat(30, 5), cross_entropy, planted, 64, 3000)
    yield numbers("concrete", (64, 64), Table("concrete.csv", "compressive_strength", is_class=False), 32, 4000)
    yield Workload("Python's library, GPT", gpt, next_token, sources, 16, 700)
