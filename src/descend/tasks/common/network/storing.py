"""A classifier in a run's folder, as safetensors with JSON."""

from pathlib import Path
from typing import Any

import numpy as np

from descend._facts import Facts
from descend.engine.storing import write_arrays
from descend.errors import CheckpointError
from descend.neural import ConvClassifier
from descend.neural.storing import from_parts, to_parts
from descend.tasks.common.folder import FILE
from descend.tasks.common.network.training import Classifier

VERSION = 1
KINDS = ("pictures", "texts")


def save_classifier(folder: Path, model: Classifier) -> None:
    """Write the classifier: the network, and what its classes are called."""
    network, arrays = to_parts(model.network)
    facts = {"version": VERSION, "kind": model.kind, "network": network, "classes": list(model.classes),
             "column": model.column}
    write_arrays(folder / FILE, arrays, facts)


def classifier_from(arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> Classifier | None:
    """The classifier of a file that was read; `None` if that is of another kind of model.

    **Raises** `CheckpointError` if it is damaged.
    """
    if facts.get("kind") not in KINDS:
        return None
    told = Facts(facts, "the saved model")
    if told.any("version") != VERSION:
        raise CheckpointError("the model was written by another version of descend: train again with `descend fit`")
    network, classes = from_parts(told.any("network"), arrays), told.texts("classes")
    if len(classes) != len(network.classes_):
        told.refuse("classes", f"{len(network.classes_)} names", classes)
    if isinstance(network, ConvClassifier) != (facts["kind"] == "pictures"):
        told.refuse("kind", "that of the network", facts["kind"])
    return Classifier(facts["kind"], network, classes, told.text("column"))
