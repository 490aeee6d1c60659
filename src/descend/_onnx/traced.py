"""Estimators that are exported by tracing what they predict: as ONNX, and for JAX."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from descend._jax_file import write_jax
from descend._onnx.graph import Graph
from descend._onnx.tracing import trace
from descend._onnx.writing import LABEL, write_checked


class Traced:
    """An estimator that others run: what it predicts of rows is a function in JAX, which is traced."""

    def to_onnx(self, path: str | Path) -> None:
        """Write the model to a file of ONNX, whose name ends with `.onnx`; needs the extra `export`.

        Its input is `X`, rows as `predict` takes them: numbers in double precision, or pictures `(count, height, width,
        channels)` of the type that was trained on. Its outputs are `prediction`, or `label` and `probabilities`. Before
        it is written it is run in onnxruntime on rows that are drawn, and must agree with this one to 1e-5 of the
        largest output.

        **Raises** `InputError` for texts, which are hashed, where it does not agree, and where it cannot be written.
        """
        # scikit-learn takes half a second to import.
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        graph, drawn = Graph(), self._drawn_rows()
        rows = graph.input("X", drawn.dtype, drawn.shape[1:])
        (outputs,) = trace(graph, self._in_jax, rows, drawn.shape[1:], drawn.dtype)
        self._add_outputs(graph, graph.cast(outputs, np.float64))
        write_checked(graph, path, {"X": drawn}, self._expected(drawn))

    def to_jax(self, path: str | Path) -> None:
        """Write the model to a file whose name ends with `.jax`, which JAX runs without `descend`, on CPUs, GPUs and
        TPUs: `jax.export.deserialize(bytearray(Path("model.jax").read_bytes())).call(X)`.

        `X` are rows as `predict` takes them: numbers in single precision, or pictures `(count, height, width,
        channels)` of the type that was trained on. What comes back are probabilities of the classes in the order of
        `classes_`, or numbers, in single precision. Before it is written, it is read back and run on rows that are
        drawn, and must agree with this one to 1e-5 of the largest output. JAX promises to read it for six months at the
        least; see <https://docs.jax.dev/en/latest/export/export.html>.

        **Raises** `InputError` for texts, which are hashed, where it does not agree, and where it cannot be written.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        drawn = self._drawn_rows()
        given = drawn.astype(np.float32) if drawn.dtype == np.float64 else drawn
        expected = self._expected(given.astype(drawn.dtype))
        values = next(value for name, value in expected.items() if name != LABEL)
        write_jax(lambda rows: self._in_jax(rows.astype(drawn.dtype)), path, given, values)

    @abstractmethod
    def _drawn_rows(self) -> np.ndarray:
        """Some rows as `predict` takes them, drawn."""

    @abstractmethod
    def _in_jax(self, rows: Any) -> Any:
        """What is predicted of rows: probabilities, or numbers."""

    @abstractmethod
    def _add_outputs(self, graph: Graph, value: str) -> None:
        """The outputs of an exported model, from what `_in_jax` gives."""

    @abstractmethod
    def _expected(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What an exported model must give of rows."""
