"""Values while a function is traced: names of a graph's values, or arrays that are known; and shapes with a symbol."""

from typing import Any

import numpy as np

from descend._onnx.graph import Graph


class Tracer:
    """A graph, and the value whose rows' number the symbol in shapes stands for."""

    def __init__(self, graph: Graph, rows: str) -> None:
        self.graph = graph
        self._rows = rows
        self._count: str | None = None

    def name(self, value: Any) -> str:
        """A value of the graph; what is known becomes a constant."""
        return value if isinstance(value, str) else self.graph.constant(value)

    def add(self, op: str, *values: Any, **attributes: Any) -> str:
        """The output of an operator."""
        return self.graph.add(op, *map(self.name, values), **attributes)

    def shape(self, sizes: Any) -> str:
        """A shape as a value; a size that is no number is that of the rows, times what it says."""
        if all(isinstance(size, int) for size in sizes):
            return self.graph.constant(np.array(sizes, np.int64))
        if self._count is None:
            self._count = self.add("Slice", self.graph.add("Shape", self._rows), *np.array([[0], [1]]))
        parts = [np.array([size]) if isinstance(size, int) else self.add("Mul", self._count, np.array([times(size)]))
                 for size in sizes]
        return self.add("Concat", *parts, axis=0)


def times(size: Any) -> int:
    """How many times the number of rows a size is."""
    once, twice = (int(size._evaluate({"rows": rows})) for rows in (1, 2))
    if twice != 2 * once:
        raise ValueError(f"a size is {size}, which is no multiple of the rows")
    return once
