"""Which encoder a kind of column gets, and what to call the features that come out of it."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from descend.tasks.common.columns import MAX_LEVELS, Column, Kind

FLAG = "missing\x1f"
"""Begins the name of a column that says where another is missing; no column of a table is called that."""

MAX_DIRECTIONS = 30
"""How many features a column of texts gives at the most."""

_HASHES = 1 << 12


def make_transformer(
    columns: tuple[Column, ...], flagged: tuple[str, ...], crowded: tuple[str, ...], rows: int
) -> Any:
    """The unfitted ColumnTransformer: a block each for numbers, flags and categories, one a category with many levels
    (`crowded`), a date and a text.
    """
    # scikit-learn takes a second to import.
    from sklearn.compose import ColumnTransformer

    named = {kind: [column.name for column in columns if column.kind is kind] for kind in Kind}
    blocks: list[tuple[str, Any, Any]] = []
    if named[Kind.number]:
        blocks.append(("numbers", _numbers(), named[Kind.number]))
    if named[Kind.boolean] or flagged:
        blocks.append(("flags", _flags(), named[Kind.boolean] + [FLAG + name for name in flagged]))
    if named[Kind.category]:
        blocks.append(("categories", one_hot(), named[Kind.category]))
    blocks += [(f"levels {index}", _means(), name) for index, name in enumerate(crowded)]
    blocks += [(f"date {index}", _dates(), name) for index, name in enumerate(named[Kind.date])]
    blocks += [(f"text {index}", _texts(rows), name) for index, name in enumerate(named[Kind.text])]
    return ColumnTransformer(blocks)


class Feature(NamedTuple):
    """What a feature is.

    - `name`: readable, such as `carat`, `color=red` or `sold:month`.
    - `column`: what it was made of.
    - `part`: what it says of that: its value, that it is true, that it is missing, its level, the mean target or the
      number of its level's rows, a part of a date, or a direction of texts.
    - `unit`: how much of that makes the feature greater by 1.
    """

    name: str
    column: str
    part: Literal["value", "truth", "gap", "level", "mean", "count", "date", "text"]
    unit: float = 1.0


def describe_features(transformer: Any) -> Iterator[Feature]:
    """What every feature is, in the order in which a fitted transformer lays them out."""
    for block, fitted, names in transformer.transformers_:
        kind = block.split(" ")[0]
        if kind == "numbers":
            units = fitted.named_steps["scale"].scale_
            yield from (Feature(name, name, "value", float(unit)) for name, unit in zip(names, units, strict=True))
        elif kind == "flags":
            yield from map(_flag, names)
        elif kind == "categories":
            yield from _levels(fitted, names)
        elif kind == "levels":
            yield from _facts_of_levels(fitted, names)
        elif kind == "date":
            parts, units = fitted.named_steps["parts"].extracted_features_, fitted.named_steps["scale"].scale_
            for part, unit in zip(parts, units, strict=True):
                yield Feature(f"{names}:{part}", names, "date", float(unit))
        elif kind == "text":
            for index in range(1, len(fitted.named_steps["directions"].components_) + 1):
                yield Feature(f"{names}:text {index}", names, "text")


def _flag(name: str) -> Feature:
    if name.startswith(FLAG):
        column = name.removeprefix(FLAG)
        return Feature(f"{column} is missing", column, "gap")
    return Feature(name, name, "truth")


def _levels(fitted: Any, names: list[str]) -> Iterator[Feature]:
    """A feature for every frequent level, then one that the rare ones share with those never seen."""
    for name, levels, rare in zip(names, fitted.categories_, fitted.infrequent_categories_, strict=True):
        shared = set() if rare is None else set(rare)
        yield from (Feature(f"{name}={level}", name, "level") for level in levels if level not in shared)
        if shared:
            yield Feature(f"{name}=(rare)", name, "level")


def _facts_of_levels(fitted: Any, name: str) -> Iterator[Feature]:
    """The mean of each target, and how many rows there were."""
    *means, count = fitted.named_steps["scale"].scale_.tolist()
    for place, unit in enumerate(means, start=1):
        yield Feature(f"{name}:mean" if len(means) == 1 else f"{name}:mean {place}", name, "mean", unit)
    yield Feature(f"{name}:rows", name, "count", count)


def _numbers() -> Any:
    """Centres and scales, nothing more: measured on delays of flights, power and quantile transforms of heavy
    tails halved the R² of linear models and lowered that of networks, as a long tail often acts in proportion.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("fill", fill), ("scale", StandardScaler())])


def _flags() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="most_frequent", keep_empty_features=True)


def one_hot() -> Any:
    """The unfitted encoder of categories: a feature for each level, up to so many."""
    from sklearn.preprocessing import OneHotEncoder

    # A level that one row has is pooled: so the feature of never-seen levels is one that was trained.
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MAX_LEVELS, min_frequency=2, dtype=np.float32
    )


def _means() -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    from descend.tasks.table.level_means import LevelMeans

    return Pipeline([("means", LevelMeans()), ("scale", StandardScaler())])


def _dates() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    # skrub takes seconds to import.
    from descend.tasks.table.dates import DateParts

    parts = DateParts(add_weekday=True)
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("parts", parts), ("fill", fill), ("scale", StandardScaler())])


def _texts(rows: int) -> Any:
    """Latent semantic analysis of groups of letters: word parts count, and spelling mistakes matter little."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    # Hashing needs no vocabulary, which would be most of a saved model.
    letters = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=_HASHES, alternate_sign=False, dtype=np.float32
    )
    directions = TruncatedSVD(min(MAX_DIRECTIONS, max(2, rows // 4)), random_state=0)
    steps = [("letters", letters), ("weights", TfidfTransformer()), ("directions", directions)]
    return Pipeline([*steps, ("scale", StandardScaler())])
