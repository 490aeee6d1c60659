"""A table's model as a file of ONNX, with an input for each column; see `descend._onnx`.

Numbers and flags go in as numbers, gaps as NaN; words as text, gaps as "". Dates and texts are refused: ONNX has no
parts of dates, and no hashes of groups of letters.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from descend._onnx.classes import add_classes
from descend._onnx.graph import Graph
from descend._onnx.tracing import trace
from descend._onnx.writing import write_checked
from descend.errors import InputError
from descend.tasks.common.columns import Column, Kind
from descend.tasks.common.fitted import Traceable
from descend.tasks.common.judging.temperature import LEAST_CHANCE
from descend.tasks.table.blocks import FLAG
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.model import TableModel
from descend.tasks.table.typed import MISSING_LEVEL, typed_frame

# Rows that are drawn for an export to be checked on, besides those that are given, of which so many are looked at.
DRAWN_ROWS, GIVEN_ROWS = 200, 2000
# A word that no column has.
UNHEARD = "\x1funheard-of"


def export_table(model: TableModel, path: str | Path, frame: pd.DataFrame | None = None, labels: Any = None) -> float:
    """Write a table's model to a file of ONNX; how far from it that is on the rows of `frame`, and on rows with gaps
    and unknown levels that are drawn. `labels`: the classes, where they are no text.

    **Raises** `InputError` for columns that ONNX cannot express, by name, for a kind of model that is not exported,
    where the file does not agree, and where it cannot be written.
    """
    encoder, predictor = model.encoder, model.predictor
    refuse_inexpressible(encoder, "ONNX")
    if not isinstance(predictor, Traceable):
        raise InputError(f"a model of the kind {model.kind!r} is not exported to ONNX: it has no `in_jax`")
    graph = Graph()
    features = _features(graph, encoder)
    (outputs,) = trace(graph, predictor.in_jax, features, (len(encoder.features),))
    outputs = graph.cast(outputs, np.float64)
    rows = drawn_rows(encoder)
    if frame is not None:
        rows = pd.concat([rows, typed_frame(frame.head(GIVEN_ROWS), encoder.used)], ignore_index=True)
    values = model.predict(encoder.transform_typed(rows)).astype(np.float64)
    if model.target.kind == "regression":
        scaled = graph.add("Mul", outputs, graph.constant(np.float64(model.scale.unit)))
        graph.output("prediction", graph.add("Add", scaled, graph.constant(np.float64(model.scale.centre))), np.float64)
        return write_checked(graph, path, _given(rows, encoder), {"prediction": values})
    outputs = _at_temperature(graph, outputs, model.temperature)
    classes = np.array(model.target.classes, dtype=object) if labels is None else np.asarray(labels)
    add_classes(graph, outputs, classes)
    expected = {"label": classes[values.argmax(axis=1)], "probabilities": values}
    return write_checked(graph, path, _given(rows, encoder), expected)


def _at_temperature(graph: Graph, chances: str, temperature: float) -> str:
    """The probabilities at a temperature; see `descend.tasks.common.judging.temperature`."""
    if temperature == 1.0:
        return chances
    logarithms = graph.add("Log", graph.add("Max", chances, graph.constant(np.float64(LEAST_CHANCE))))
    return graph.add("Softmax", graph.add("Div", logarithms, graph.constant(np.float64(temperature))), axis=1)


def refuse_inexpressible(encoder: Encoder, what: str) -> None:
    """Refuse columns that something else cannot express, by their names.

    **Raises** `InputError`.
    """
    found = [f"{column.name!r} ({column.kind})" for column in encoder.used if column.kind in (Kind.date, Kind.text)]
    if found:
        raise InputError(f"{what} cannot express what was learnt of {', '.join(found)}: fit without such columns "
                         "(drop), or make numbers of them first")


def _is_word(column: Column) -> bool:
    return column.kind is Kind.category


def _features(graph: Graph, encoder: Encoder) -> str:
    """The encoded rows, as the encoder's blocks have them: each is a block of ours, by its name."""
    inputs = {column.name: graph.input(column.name, str if _is_word(column) else np.float64) for column in encoder.used}
    parts: list[str] = []
    for block, fitted, names in encoder.transformer.transformers_:
        if block == "numbers":
            fill, scale = fitted.named_steps["fill"], fitted.named_steps["scale"]
            filled = _filled(graph, graph.add("Concat", *(inputs[name] for name in names), axis=1), fill.statistics_)
            parts.append(_scaled(graph, filled, scale))
        elif block == "flags":
            given = graph.add("Concat", *(_flag(graph, inputs, name) for name in names), axis=1)
            parts.append(_filled(graph, given, fitted.statistics_))
        elif block == "categories":
            parts += [_levels(graph, inputs[name], *each)
                      for name, *each in zip(names, fitted.categories_, fitted.infrequent_categories_, strict=True)]
        elif block.startswith("levels"):
            parts.append(_scaled(graph, _facts_of_levels(graph, inputs[names], fitted.named_steps["means"]),
                                 fitted.named_steps["scale"]))
    whole = graph.add("Concat", *(graph.cast(part, np.float32) for part in parts), axis=1)
    return whole


def _filled(graph: Graph, values: str, instead: np.ndarray) -> str:
    return graph.add("Where", graph.add("IsNaN", values), graph.constant(instead.astype(np.float64)), values)


def _flag(graph: Graph, inputs: dict[str, str], name: str) -> str:
    """A flag of the table's, or one that says where another column has gaps."""
    if name.startswith(FLAG):
        return graph.cast(graph.add("IsNaN", inputs[name.removeprefix(FLAG)]), np.float64)
    return inputs[name]


def _levels(graph: Graph, words: str, levels: np.ndarray, rare: np.ndarray | None) -> str:
    """A feature for each frequent level, and one that the rare ones share with those never seen."""
    shared = set() if rare is None else set(rare)
    frequent = [level for level in levels if level not in shared]
    places = {level: place for place, level in enumerate(frequent)}
    # Of those never seen: the place of the rare, or where there are none, no place at all.
    other = len(frequent) if shared else -1
    known = {"" if level == MISSING_LEVEL else str(level): places.get(level, other) for level in levels}
    place = graph.add("LabelEncoder", words, domain="ai.onnx.ml", keys_strings=list(known),
                      values_int64s=list(known.values()), default_int64=other)
    return graph.cast(graph.add("Equal", place, graph.constant(np.arange(len(frequent) + bool(shared))[None])),
                      np.float32)


def _scaled(graph: Graph, values: str, scale: Any) -> str:
    centred = graph.add("Sub", values, graph.constant(scale.mean_.astype(np.float64)))
    return graph.add("Div", centred, graph.constant(scale.scale_.astype(np.float64)))


def _facts_of_levels(graph: Graph, words: str, means: Any) -> str:
    """What is known of the level of each row; the last is for those never seen."""
    places = {"" if level == MISSING_LEVEL else str(level): place for place, level in enumerate(means.levels_)}
    place = graph.add("LabelEncoder", words, domain="ai.onnx.ml", keys_strings=list(places),
                      values_int64s=list(places.values()), default_int64=len(places))
    column = graph.add("Squeeze", place, graph.constant(np.array([1])))
    return graph.add("Gather", graph.constant(means.values_), column, axis=0)


def drawn_rows(encoder: Encoder) -> pd.DataFrame:
    """Typed rows such as the encoder has learnt from, with gaps and unknown levels."""
    rng, parts = np.random.default_rng(0), {}
    for block, fitted, names in encoder.transformer.transformers_:
        # Of crowded categories, whose names are texts and no lists, levels are drawn where they are told apart.
        for place, name in enumerate(names if not block.startswith("levels") else ()):
            if hasattr(fitted, "categories_"):
                words = [*fitted.categories_[place], MISSING_LEVEL, UNHEARD]
                parts[name] = np.array(words, dtype=object)[rng.integers(0, len(words), DRAWN_ROWS)]
            elif not name.startswith(FLAG):
                scale = fitted.named_steps["scale"] if hasattr(fitted, "named_steps") else None
                drawn = rng.integers(0, 2, DRAWN_ROWS) if scale is None else rng.normal(
                    scale.mean_[place], 2 * scale.scale_[place], DRAWN_ROWS)
                parts[name] = np.where(rng.random(DRAWN_ROWS) < 0.2, np.nan, drawn)
    return pd.DataFrame(parts)


def _given(rows: pd.DataFrame, encoder: Encoder) -> dict[str, np.ndarray]:
    """Typed rows as the exported model takes them."""
    return {column.name: (rows[column.name].replace(MISSING_LEVEL, "").to_numpy(object) if _is_word(column) else
                          rows[column.name].to_numpy(np.float64))[:, None] for column in encoder.used}
