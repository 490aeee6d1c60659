"""A loss's program as a graph: calls that are only calls are taken apart, loops are entered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

Path = tuple[int, ...]  # of an equation: its number in the program, then in the program that it calls, and so on

CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr",
         "checkpoint": "jaxpr", "remat": "jaxpr", "remat2": "jaxpr", "custom_lin": "jaxpr",
         "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}  # fmt: skip
CUSTOM = ("custom_jvp_call", "custom_vjp_call")  # which bring a derivative of their own
SLICE, STACK, CARRY = "slice of scan", "stack of scan", "carry of scan"


@dataclass(eq=False, repr=False)
class Value:
    """An array of a program.

    `kind`: of an input, which of the loss's arguments it belongs to, or "constant"; `name`: its path there. `number`:
    of a literal, or of a constant.
    """

    aval: Any
    kind: str = ""
    name: str = ""
    number: Any = None
    op: "Op | None" = None
    uses: list["Op"] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return tuple(getattr(self.aval, "shape", ()))

    @property
    def is_float(self) -> bool:
        """Whether it is of real floating-point numbers."""
        return is_float(self.aval)


@dataclass(eq=False, repr=False)
class Op:
    """An equation, or what a loop does with arrays: takes slices, stacks results, carries values on.

    `equations`: this one, after the calls around it. `within`: the names of those. `lengths`: of the loops around it;
    `loop`: the path of the outermost of these, or its own.
    """

    path: Path
    primitive: str
    operands: list[Value]
    results: list[Value]
    equations: tuple[JaxprEqn, ...]
    within: tuple[str, ...]
    lengths: tuple[int, ...]
    loop: Path

    @property
    def params(self) -> dict[str, Any]:
        """The equation's parameters."""
        return self.equations[-1].params

    @property
    def result(self) -> Value:
        """The first result."""
        return self.results[0]

    @property
    def is_equation(self) -> bool:
        """Whether it is one that is evaluated: neither a call that was taken apart nor what a loop does."""
        return self.primitive not in (SLICE, STACK, CARRY)


@dataclass(eq=False, repr=False)
class Graph:
    """Operations in their order, calls that bring their own derivative (`customs`), and the program's arrays."""

    inputs: list[Value]
    constants: list[Value]
    results: list[Value] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    customs: list[Op] = field(default_factory=list)

    @classmethod
    def of(cls, program: ClosedJaxpr, names: Sequence[tuple[str, str]]) -> "Graph":
        """The graph of a program, whose inputs have these kinds and names."""
        inputs = [Value(var.aval, *name) for var, name in zip(program.jaxpr.invars, names, strict=True)]
        constants = [Value(var.aval, "constant", number=number)
                     for var, number in zip(program.jaxpr.constvars, program.consts, strict=True)]
        graph = cls(inputs, constants)
        graph.results = _Reader(graph).read(program.jaxpr, constants, inputs)
        return graph

    @property
    def values(self) -> Iterator[Value]:
        """All arrays that are not literals, operands before results."""
        yield from self.inputs
        yield from self.constants
        for op in self.ops:
            yield from op.results

    @property
    def value(self) -> Value:
        """What the loss returns first: its value."""
        return self.results[0]


@dataclass
class _Reader:
    """Where in a program one is: the calls around, by path, equation, name, and lengths of loops."""

    graph: Graph
    path: Path = ()
    equations: tuple[JaxprEqn, ...] = ()
    within: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    loop: Path = ()

    def read(self, jaxpr: Jaxpr, constants: Sequence[Value], inputs: Sequence[Value]) -> list[Value]:
        """The results of a program, its operations added to the graph."""
        known: dict[Any, Value] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *inputs), strict=True))
        for i, equation in enumerate(jaxpr.eqns):
            operands = [_value(known, atom) for atom in equation.invars]
            results = self._results(i, equation, operands)
            known.update(zip(equation.outvars, results, strict=True))
        return [_value(known, atom) for atom in jaxpr.outvars]

    def _results(self, i: int, equation: JaxprEqn, operands: list[Value]) -> list[Value]:
        name = equation.primitive.name
        if name == "scan":
            return self._inside(i, equation, "scan", equation.params["length"])._scan(equation, operands)
        inner = called(equation)
        if inner is None:
            return self._op(i, equation, operands, [Value(var.aval) for var in equation.outvars]).results
        constants = [Value(var.aval, "constant", number=number)
                     for var, number in zip(inner.jaxpr.constvars, inner.consts, strict=True)]
        results = self._inside(i, equation, equation.params.get("name", "")).read(
            inner.jaxpr, constants, operands
        )
        if name in CUSTOM:
            self.graph.customs.append(self._made(i, equation, operands, results))
        return results

    def _inside(self, i: int, equation: JaxprEqn, name: str, length: int | None = None) -> "_Reader":
        path = (*self.path, i)
        lengths = self.lengths if length is None else (*self.lengths, length)
        loop = path if length is not None and not self.loop else self.loop
        within = (*self.within, name) if name else self.within
        return _Reader(self.graph, path, (*self.equations, equation), within, lengths, loop)

    def _scan(self, equation: JaxprEqn, operands: list[Value]) -> list[Value]:
        """A loop: its body once, whose carry comes from what is given and from itself."""
        body: ClosedJaxpr = equation.params["jaxpr"]
        shared, carried = equation.params["num_consts"], equation.params["num_carry"]
        before, sliced = operands[shared : shared + carried], operands[shared + carried :]
        slots = body.jaxpr.invars
        carries = [self._loop(CARRY, [value], var.aval)
                   for value, var in zip(before, slots[shared : shared + carried], strict=True)]
        slices = [self._loop(SLICE, [value], var.aval)
                  for value, var in zip(sliced, slots[shared + carried :], strict=True)]
        constants = [Value(var.aval, "constant", number=number)
                     for var, number in zip(body.jaxpr.constvars, body.consts, strict=True)]
        inputs = [*operands[:shared], *(op.result for op in (*carries, *slices))]
        results = self.read(body.jaxpr, constants, inputs)
        for op, after in zip(carries, results[:carried], strict=True):
            op.operands.append(after)
            after.uses.append(op)
        stacks = [self._loop(STACK, [value], var.aval)
                  for value, var in zip(results[carried:], equation.outvars[carried:], strict=True)]
        return [*results[:carried], *(op.result for op in stacks)]

    def _loop(self, kind: str, operands: list[Value], aval: Any) -> Op:
        op = Op(self.path, kind, operands, [Value(aval)], self.equations, self.within, self.lengths,
                self.loop)
        return self._added(op)

    def _op(self, i: int, equation: JaxprEqn, operands: list[Value], results: list[Value]) -> Op:
        return self._added(self._made(i, equation, operands, results))

    def _made(self, i: int, equation: JaxprEqn, operands: list[Value], results: list[Value]) -> Op:
        path = (*self.path, i)
        return Op(path, equation.primitive.name, operands, results, (*self.equations, equation), self.within,
                  self.lengths, self.loop or path)

    def _added(self, op: Op) -> Op:
        for value in op.operands:
            value.uses.append(op)
        for value in op.results:
            value.op = op
        self.graph.ops.append(op)
        return op


def called(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The program that an equation does no more than to call."""
    inner = equation.params.get(CALLS.get(equation.primitive.name, ""))
    return ClosedJaxpr(inner, ()) if isinstance(inner, Jaxpr) else inner


def is_float(array: Any) -> bool:
    """Whether an array, or a kind of one, is of real floating-point numbers (bfloat16 included)."""
    dtype = getattr(array, "dtype", None)
    return dtype is not None and _is_floating(dtype)


def _is_floating(dtype: Any) -> bool:
    from jax.numpy import floating, issubdtype

    return bool(issubdtype(dtype, floating))


def _value(known: dict[Any, Value], atom: Any) -> Value:
    return Value(atom.aval, "literal", number=np.asarray(atom.val)) if isinstance(atom, Literal) else known[atom]
