"""A function of JAX as nodes of ONNX: its equations one by one.

What hangs on constants alone, such as weights, is computed here, and a constant of the graph. The rows' number stays
open: it is a symbol in shapes, and read off the input where a shape needs it.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from descend._onnx.equations import EQUATIONS, INLINED
from descend._onnx.graph import Graph
from descend._onnx.values import Tracer
from descend.errors import InputError


def trace(
    graph: Graph, function: Callable[[Any], Any], rows: str, columns: tuple[int, ...], dtype: Any = np.float32
) -> list[str]:
    """The outputs of a function of an array with such rows, which is the value `rows` of the graph.

    **Raises** `InputError` if the function does what is not exported, by name.
    """
    with jax.enable_x64(True):
        (count,) = jax.export.symbolic_shape("rows")
        program = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((count, *columns), dtype))
        tracer = Tracer(graph, rows)
        return [tracer.name(value) for value in _evaluate(tracer, program.jaxpr, program.consts, [rows])]


def _evaluate(tracer: Tracer, program: Any, constants: Any, arguments: list[Any]) -> list[Any]:
    """What the equations of a program give: values of the graph, by name, or arrays that are known already."""
    known: dict[Any, Any] = {}
    known.update(zip(program.constvars, (np.asarray(constant) for constant in constants), strict=True))
    known.update(zip(program.invars, arguments, strict=True))
    read = lambda atom: np.asarray(atom.val) if hasattr(atom, "val") else known[atom]
    for equation in program.eqns:
        values = [read(atom) for atom in equation.invars]
        known.update(zip(equation.outvars, _outputs(tracer, equation, values), strict=True))
    return [read(atom) for atom in program.outvars]


def _outputs(tracer: Tracer, equation: Any, values: list[Any]) -> list[Any]:
    name, settings = equation.primitive.name, equation.params
    if inner := next((settings[key] for key in INLINED if key in settings), None):
        closed = hasattr(inner, "consts")
        return _evaluate(tracer, inner.jaxpr if closed else inner, inner.consts if closed else (), values)
    shapes = [variable.aval.shape for variable in equation.outvars]
    if not any(isinstance(value, str) for value in values) and _is_static(shapes):
        found = equation.primitive.bind(*map(jax.numpy.asarray, values), **settings)
        return [np.asarray(one) for one in (found if equation.primitive.multiple_results else [found])]
    if name not in EQUATIONS:
        raise InputError(f"the model computes {name!r}, which is not exported to ONNX")
    found = EQUATIONS[name](tracer, equation, *values)
    return found if isinstance(found, list) else [found]


def _is_static(shapes: list[Any]) -> bool:
    return all(isinstance(size, int) for shape in shapes for size in shape)
