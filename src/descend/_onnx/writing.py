"""The last step of an export: the model in onnxruntime beside what it was made of, and only then the file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from descend._agreement import AGREEMENT, distance, refuse_if_apart
from descend._files import write_atomically
from descend._onnx.graph import Graph
from descend.errors import InputError

# The output that is compared by being the same, and not by its distance.
LABEL = "label"


def write_checked(
    graph: Graph, path: str | Path, inputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> float:
    """Write a graph to a file, if it gives what is expected of these rows; how far from that it is, at the most.

    Labels may differ where the two best scores are closer to each other than numbers may be: those are compared by
    the scores alone.

    **Raises** `InputError` if it does not agree, or cannot be written: then no file is written or changed.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise InputError(f"cannot tell what to write to {path}: end its name with .onnx")
    model = graph.to_bytes()
    found = dict(zip(expected, _run(model, inputs, list(expected)), strict=True))
    away = max(distance(found[name], each) for name, each in expected.items() if name != LABEL)
    if LABEL in expected:
        clear = _are_clear(next(each for name, each in expected.items() if name != LABEL))
        if (found[LABEL][clear] != expected[LABEL][clear]).any():
            raise InputError("the exported model gives other labels than this one: nothing was written")
    refuse_if_apart(away)
    try:
        write_atomically(path, model)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    return away


def _are_clear(scores: np.ndarray) -> np.ndarray:
    """In which rows the best score is the best beyond rounding."""
    ordered = np.sort(scores, axis=1)
    return ordered[:, -1] - ordered[:, -2] > 2 * AGREEMENT * np.abs(scores).max(initial=0)


def _run(model: bytes, inputs: Mapping[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    try:
        import onnxruntime
    except ImportError:
        raise InputError("to export a model needs onnxruntime: pip install 'descend[export]'") from None
    options = onnxruntime.SessionOptions()
    # Errors are raised, and nothing else is to be printed.
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return list(session.run(outputs, dict(inputs)))
