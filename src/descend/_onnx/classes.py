"""What a classifier gives: a score or a probability for each class, and the label of the best, or several."""

import numpy as np

from descend._onnx.graph import Graph


def add_classes(graph: Graph, scores: str, classes: np.ndarray, name: str = "probabilities") -> None:
    """The outputs `label` and, by `name`, what each class has."""
    texts = classes.dtype.kind in "UO"
    # Runtimes choose among numbers of 64 bits and texts.
    kind = np.bool_ if classes.dtype.kind == "b" else np.float64 if classes.dtype.kind == "f" else np.int64
    labels = graph.constant(classes.astype(object if texts else kind))
    best = graph.add("ArgMax", scores, axis=1, keepdims=0)
    graph.output("label", graph.add("Gather", labels, best), str if texts else kind)
    graph.output(name, scores, np.float64, (len(classes),))


def add_labels(graph: Graph, probabilities: str, count: int) -> None:
    """The outputs `label`, 1 for each label that is more likely there than not, and `probabilities`."""
    there = graph.add("Greater", probabilities, graph.constant(np.array(0.5)))
    graph.output("label", graph.cast(there, np.int64), np.int64, (count,))
    graph.output("probabilities", probabilities, np.float64, (count,))
