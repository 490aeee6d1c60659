"""Whether a fitted transformer is one that descend makes: it may come from a file that somebody else wrote.

The settings of each step must be those that `make_transformer` gives it, and what was learnt must be of the types and
the shapes that follow. So a file chooses nothing but numbers and the names of levels.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from descend._facts import refuse, shown
from descend.tasks.common.columns import Column
from descend.tasks.table.blocks import FLAG, MAX_DIRECTIONS, make_transformer
from descend.tasks.table.packing import pack

ENCODER = "the saved encoder"


class _Learnt(NamedTuple):
    """What a step should have besides its settings.

    `derived`: what follows from its inputs. `own`: the names of what is its own, which was checked. `outputs`: how many
    features it gives, and `names`: what they are called, where it says.
    """

    derived: dict[str, Any]
    own: tuple[str, ...]
    outputs: int
    names: list[str] | None = None


def refuse_strange(
    transformer: Any, columns: tuple[Column, ...], flagged: tuple[str, ...], crowded: tuple[str, ...]
) -> None:
    """Refuse a transformer that is not what `make_transformer` makes of the columns, fitted.

    **Raises** `CheckpointError`; or what Python raises where the parts do not even have the attributes to be looked at.
    """
    # 1. What descend would make of these columns, unfitted; texts take their number of directions from the file.
    plan = make_transformer(columns, flagged, crowded, 4 * _directions_of(transformer))
    names = [column.name for column in columns] + [FLAG + name for name in flagged]
    blocks = [name for name, _, _ in plan.transformers]
    chosen = [[of] if isinstance(of, str) else of for _, _, of in plan.transformers]
    places = {name: list(map(names.index, of)) for name, of in zip(blocks, chosen, strict=True)}
    # 2. The same blocks of the same columns.
    _refuse_other("blocks", [[name, of] for name, _, of in transformer.transformers_],
                  [[name, of] for name, _, of in plan.transformers])
    # 3. Each block's steps have the plan's settings, and learnt what fits the features that come to them.
    ends = [0]
    for (_, step, _), (_, fitted, _), of in zip(plan.transformers, transformer.transformers_, chosen, strict=True):
        ends.append(ends[-1] + _looked_through(step, fitted, of))
    # 4. The whole says the same of its blocks as they themselves.
    slices = {name: slice(*ends[i : i + 2]) for i, name in enumerate(blocks)} | {"remainder": slice(0, 0)}
    if not isinstance(transformer.sparse_output_, bool):
        refuse(ENCODER, "sparse_output_", "true or false", transformer.sparse_output_)
    _refuse_differing(plan, transformer, _Learnt({
        "feature_names_in_": np.array(names, object),
        "n_features_in_": len(names),
        "_columns": [of for _, _, of in plan.transformers],
        "_transformer_to_input_indices": places | {"remainder": []},
        "_remainder": ("remainder", "drop", []),
        "output_indices_": slices,
    }, ("sparse_output_", "transformers_"), ends[-1]))  # fmt: skip


def _directions_of(transformer: Any) -> int:
    """How many directions texts are given, where there are texts."""
    for name, fitted, _ in transformer.transformers_:
        if str(name).startswith("text "):
            count = dict(fitted.steps)["directions"].n_components
            if type(count) is not int or not 2 <= count <= MAX_DIRECTIONS:
                refuse(ENCODER, "n_components", f"from 2 to {MAX_DIRECTIONS}", count)
            return count
    return MAX_DIRECTIONS


def _looked_through(plan: Any, fitted: Any, names: list[str]) -> int:
    """Refuse a block that is not the fitted plan, or say how many features it gives."""
    if type(plan).__name__ != "Pipeline":
        return _looked_at(plan, fitted, _Learnt({}, (), len(names), names)).outputs
    learnt = _Learnt({}, ("steps",), len(names), names)
    _refuse_differing(plan, fitted, learnt)
    for (name, step), (called, found) in zip(plan.steps, fitted.steps, strict=True):
        _refuse_other("a step's name", called, name)
        learnt = _looked_at(step, found, learnt)
    return learnt.outputs


def _looked_at(plan: Any, fitted: Any, given: _Learnt) -> _Learnt:
    kind = type(plan).__name__
    if type(fitted) is not type(plan):
        refuse(ENCODER, "a step", kind, type(fitted).__name__)
    learnt = _LEARNT[kind](fitted, given)
    _refuse_differing(plan, fitted, learnt)
    return learnt


def _refuse_differing(plan: Any, fitted: Any, learnt: _Learnt) -> None:
    """Refuse settings and attributes that are not the plan's, or that follow from it; more of them, and less."""
    kind = type(plan).__name__
    if type(fitted) is not type(plan):
        refuse(ENCODER, "a step", kind, type(fitted).__name__)
    wanted = {name: value for name, value in (vars(plan) | learnt.derived).items() if name not in learnt.own}
    found = vars(fitted)
    if strange := sorted(found.keys() ^ (wanted.keys() | set(learnt.own))):
        refuse(ENCODER, f"{kind}.{strange[0]}", "there" if strange[0] in wanted else "missing", found.get(strange[0]))
    for name, value in wanted.items():
        _refuse_other(f"{kind}.{name}", found[name], value)


def _refuse_other(what: str, found: Any, wanted: Any) -> None:
    # As they are written: there, 1, 1.0 and true differ, and arrays are nothing that could be wanted.
    written, expected = (json.dumps(pack(value, {}), sort_keys=True) for value in (found, wanted))
    if written != expected:
        refuse(ENCODER, what, shown(wanted), found)


def _refuse_array(fitted: Any, name: str, shape: tuple[int, ...], is_right: Callable[[Any], Any] = np.isfinite) -> None:
    array = vars(fitted)[name]
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.shape != shape:
        refuse(ENCODER, f"{type(fitted).__name__}.{name}", f"an array of fractions of shape {shape}", array)
    if not np.all(is_right(array)):
        refuse(ENCODER, f"{type(fitted).__name__}.{name}", "finite, and a scale above 0", array)


def _counted(given: _Learnt) -> dict[str, Any]:
    return {"n_features_in_": given.outputs}


def _named(given: _Learnt) -> dict[str, Any]:
    return _counted(given) | {"feature_names_in_": np.array(given.names, object)}


def _imputer(fitted: Any, given: _Learnt) -> _Learnt:
    _refuse_array(fitted, "statistics_", (given.outputs,))
    numbers = np.dtype(np.float64)
    derived = {"_fit_dtype": numbers, "_fill_dtype": numbers, "indicator_": None}
    return _Learnt(_named(given) | derived, ("statistics_",), given.outputs)


def _scaler(fitted: Any, given: _Learnt) -> _Learnt:
    _refuse_array(fitted, "mean_", (given.outputs,))
    _refuse_array(fitted, "var_", (given.outputs,))
    _refuse_array(fitted, "scale_", (given.outputs,), lambda scale: np.isfinite(scale) & (scale > 0))
    seen = fitted.n_samples_seen_
    if not isinstance(seen, np.number) or not seen > 0:
        refuse(ENCODER, "n_samples_seen_", "a number above 0", seen)
    return _Learnt(_counted(given), ("mean_", "var_", "scale_", "n_samples_seen_"), given.outputs)


def _levels(fitted: Any, given: _Learnt) -> _Learnt:
    categories, rare, mappings = fitted.categories_, fitted._infrequent_indices, fitted._default_to_infrequent_mappings
    if any(type(each) is not list or len(each) != given.outputs for each in (categories, rare, mappings)):
        refuse(ENCODER, "categories_", f"lists of {given.outputs}", categories)
    outputs = [_levels_of(*each) for each in zip(categories, rare, mappings, strict=True)]
    derived = {"_infrequent_enabled": True, "drop_idx_": None, "_drop_idx_after_grouping": None,
               "_n_features_outs": outputs}
    own = ("categories_", "_infrequent_indices", "_default_to_infrequent_mappings")
    return _Learnt(_named(given) | derived, own, sum(outputs))


def _means(fitted: Any, _given: _Learnt) -> _Learnt:
    _refuse_others_than_levels("levels_", fitted.levels_)
    values = fitted.values_
    outputs = values.shape[1] if isinstance(values, np.ndarray) and values.ndim == 2 else 0
    if outputs < 2:
        refuse(ENCODER, "LevelMeans.values_", "a mean and a count of rows at the least", values)
    _refuse_array(fitted, "values_", (len(fitted.levels_) + 1, outputs))
    return _Learnt({}, ("levels_", "values_"), outputs)


def _refuse_others_than_levels(name: str, levels: Any) -> None:
    """Refuse what is no array of different texts."""
    if not isinstance(levels, np.ndarray) or levels.ndim != 1 or not len(levels):
        refuse(ENCODER, name, "levels", levels)
    if not all(isinstance(level, str) for level in levels) or len(set(levels)) != len(levels):
        refuse(ENCODER, name, "different texts", levels)


def _levels_of(levels: Any, rare: Any, mapping: Any) -> int:
    """How many features a column's levels give; the rare ones share the last."""
    _refuse_others_than_levels("categories_", levels)
    if rare is None and mapping is None:
        return len(levels)
    for array in (rare, mapping):
        if not isinstance(array, np.ndarray) or array.dtype.kind != "i" or array.ndim != 1:
            refuse(ENCODER, "rare levels", "places", array)
    places = np.arange(len(levels))
    frequent = places[~np.isin(places, rare)]
    expected = np.full(len(levels), len(frequent))
    expected[frequent] = np.arange(len(frequent))
    if not np.array_equal(np.sort(rare), places[np.isin(places, rare)]) or not np.array_equal(mapping, expected):
        refuse(ENCODER, "rare levels", "places of levels", rare)
    return len(frequent) + 1


def _dates(fitted: Any, given: _Learnt) -> _Learnt:
    begin, end = ["year", "month", "day"], ["total_seconds", "weekday"]
    parts = fitted.extracted_features_
    if parts not in ([*begin, *end], [*begin, "hour", *end]):
        refuse(ENCODER, "extracted_features_", "parts of a date", parts)
    called = [f"{(given.names or [''])[0]}_{part}" for part in parts]
    return _Learnt({"_periodic_encoders": {}, "all_outputs_": called}, ("extracted_features_",), len(parts), called)


def _letters(fitted: Any, _given: _Learnt) -> _Learnt:
    # Which is the plan's, or is refused.
    return _Learnt({}, (), fitted.n_features)


def _weights(fitted: Any, given: _Learnt) -> _Learnt:
    _refuse_array(fitted, "idf_", (given.outputs,))
    return _Learnt(_counted(given), ("idf_",), given.outputs)


def _directions(fitted: Any, given: _Learnt) -> _Learnt:
    # Of very few rows, fewer than were asked for.
    found = len(fitted.components_)
    if not 1 <= found <= fitted.n_components:
        refuse(ENCODER, "components_", f"from 1 to {fitted.n_components} rows", found)
    _refuse_array(fitted, "components_", (found, given.outputs))
    told = ("explained_variance_", "explained_variance_ratio_", "singular_values_")
    for name in told:
        # Nothing is computed from them.
        _refuse_array(fitted, name, (found,), lambda _: True)
    return _Learnt(_counted(given), ("components_", *told), found)


_LEARNT: dict[str, Callable[[Any, _Learnt], _Learnt]] = {
    "SimpleImputer": _imputer,
    "StandardScaler": _scaler,
    "OneHotEncoder": _levels,
    "LevelMeans": _means,
    "DateParts": _dates,
    "HashingVectorizer": _letters,
    "TfidfTransformer": _weights,
    "TruncatedSVD": _directions,
}
