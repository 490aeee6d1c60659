"""A graph of ONNX, node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from descend.errors import InputError

# What every runtime of the last years reads.
OPSET, OPSET_ML, IR_VERSION = 18, 3, 9


class Graph:
    """Nodes as they are added, each with one output; a value is known by its name.

    **Raises** `InputError` where ONNX is not installed.
    """

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError:
            raise InputError("to export a model needs onnx and onnxruntime: pip install 'descend[export]'") from None
        # It may not be there when types are checked.
        self._onnx: Any = onnx
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        # Names of columns are anybody's, and may be what a value would be called.
        self._taken: set[str] = set()

    def input(self, name: str, dtype: Any, columns: Sequence[int] = (1,)) -> str:
        """An input with rows of so many columns; of text, where the type is `str`."""
        if not name:
            raise InputError("a column has no name, which an input of ONNX must have: give it one")
        self._taken.add(name)
        self._inputs.append(self._described(name, dtype, columns))
        return name

    def output(self, name: str, value: str, dtype: Any, columns: Sequence[int] = ()) -> None:
        """A value as an output of this name."""
        if name in self._taken:
            raise InputError(f"a column is called {name!r}, as an output of the exported model is: rename it")
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._described(name, dtype, columns))

    def constant(self, value: Any) -> str:
        """An array of numbers, or a list of texts."""
        name = self._named("constant")
        array = np.asarray(value)
        if array.dtype.kind in "UO":
            tensor = self._onnx.helper.make_tensor(name, self._onnx.TensorProto.STRING, array.shape,
                                                   [str(text).encode() for text in array.ravel()])
        else:
            tensor = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        self._constants.append(tensor)
        return name

    def add(self, op: str, *values: str, domain: str = "", **attributes: Any) -> str:
        """The output of an operator."""
        name = self._named(op)
        self._nodes.append(self._onnx.helper.make_node(op, list(values), [name], domain=domain, **attributes))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """A value in another type."""
        return self.add("Cast", value, to=self._type(dtype))

    def to_bytes(self) -> bytes:
        """The model that all of this is."""
        helper = self._onnx.helper
        graph = helper.make_graph(self._nodes, "model", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="descend")
        self._onnx.checker.check_model(model)
        return model.SerializeToString()

    def _named(self, what: str) -> str:
        number = len(self._nodes) + len(self._constants)
        name = f"{what} {number}"
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name

    def _described(self, name: str, dtype: Any, columns: Sequence[int]) -> Any:
        return self._onnx.helper.make_tensor_value_info(name, self._type(dtype), ["rows", *columns])

    def _type(self, dtype: Any) -> int:
        if dtype is str:
            return int(self._onnx.TensorProto.STRING)
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
