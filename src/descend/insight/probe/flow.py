"""What depends on what in a loss's program, and what it is made of: softmaxes, rectifiers, sigmoids."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descend.insight.probe.graph import SLICE, STACK, Graph, Op, Value

# Which change where numbers lie, or how often, but not what they are.
MOVES = {"reshape", "broadcast_in_dim", "transpose", "squeeze", "expand_dims", "convert_element_type", "copy", "rev",
         "copy_p", "reduce_precision", "optimization_barrier", "sharding_constraint", SLICE, STACK}  # fmt: skip
PARTS = {"slice", "dynamic_slice", "gather", "split", "concatenate", "pad", "stack"}  # which take some, or more
# Products with weights: what comes before one is hidden, what comes after the last is an output.
LAYERS = {"dot_general", "conv_general_dilated", "ragged_dot"}
# Whose derivative is zero wherever there is one.
ZERO_SLOPE = {"sign", "floor", "ceil", "round", "argmax", "argmin", "eq", "ne", "lt", "le", "gt", "ge", "is_finite",
              "stop_gradient"}  # fmt: skip


@dataclass(eq=False, repr=False)
class Flow:
    """A graph, with what follows from it for all its arrays."""

    graph: Graph

    @cached_property
    def trained(self) -> set[Value]:
        """The arrays that depend on parameters."""
        return self._after({value for value in self.graph.inputs if value.kind == "params"})

    @cached_property
    def fed(self) -> set[Value]:
        """The arrays that depend on the batch, or, in a loss without one, on what it refers to."""
        return self._after({value for value in (*self.graph.inputs, *self.graph.constants) if value.kind != "params"})

    @cached_property
    def reaching(self) -> set[Value]:
        """The arrays that the loss's value depends on, whether or not with a derivative."""
        return set(before(self.graph.value))

    @cached_property
    def hidden(self) -> set[Value]:
        """The arrays that another layer is applied to before they reach the loss; the others are outputs."""
        found: set[Value] = set()
        for op in reversed(self.graph.ops):
            _through(op, found)
        for op in reversed(self.graph.ops):  # once more, for what comes back through a loop
            _through(op, found)
        return found

    def is_target(self, value: Value) -> bool:
        """Whether an array is of data alone: it depends on no parameter, and is no number of the program."""
        return value not in self.trained and value in self.fed

    def _after(self, found: set[Value]) -> set[Value]:
        """All arrays that depend on these."""
        size = -1
        while size < len(found):
            size = len(found)
            for op in self.graph.ops:
                if any(value in found for value in op.operands):
                    found.update(op.results)
        return found


def _through(op: Op, found: set[Value]) -> None:
    """Add an operation's operands, if it is a layer or a layer follows."""
    if op.primitive in LAYERS or any(value in found for value in op.results):
        found.update(value for value in op.operands if value.kind != "literal")


def before(value: Value) -> Iterator[Value]:
    """All arrays that one is made of, itself included."""
    seen, waiting = {value}, [value]
    while waiting:
        here = waiting.pop()
        yield here
        for operand in here.op.operands if here.op else ():
            if operand not in seen:
                seen.add(operand)
                waiting.append(operand)


def moved(value: Value) -> Value:
    """What an array is but for its shape, its order and its dtype."""
    while value.op and value.op.primitive in MOVES:
        value = value.op.operands[0]
    return value


def number_of(value: Value) -> float | None:
    """A literal's number, or that of an array which is filled with one."""
    value = moved(value)
    if value.number is None or np.size(value.number) != 1:
        return None
    try:
        return float(np.asarray(value.number).reshape(()))
    except TypeError:  # a random key
        return None


def made_by(value: Value, *primitives: str) -> Op | None:
    """The operation that an array comes from but for its shape, if it is one of these."""
    op = moved(value).op
    return op if op is not None and op.primitive in primitives else None


def uses(value: Value) -> Iterator[Op]:
    """The operations on an array, whatever its shape."""
    for use in value.uses:
        if use.primitive in MOVES:
            yield from uses(use.result)
        else:
            yield use


def rectified(op: Op) -> Value | None:
    """What `max(x, 0)` is of."""
    if op.primitive != "max" or not op.result.is_float:
        return None
    for x, other in (op.operands, op.operands[::-1]):
        if number_of(other) == 0:
            return x
    return None


def normalised(op: Op) -> Value | None:
    """What is divided by its own sum, such as the exponentials in a softmax."""
    if op.primitive != "div":
        return None
    above, below = op.operands
    total = made_by(below, "reduce_sum")
    return above if total and moved(total.operands[0]) is moved(above) else None


def softmaxed(op: Op) -> Value | None:
    """What a softmax, written in whatever way, is of."""
    # Libraries write it in place, without a call that has its name: so it is known by what is calculated.
    part = normalised(op)
    exponential = made_by(part, "exp") if part is not None else None
    return unshifted(exponential.operands[0]) if exponential else None


def log_summed(op: Op) -> Value | None:
    """What a logarithm of a sum of exponentials is of, as in a log-softmax."""
    if op.primitive != "log":
        return None
    inner = moved(op.operands[0])
    # `jax.nn.logsumexp` may have signs, and so takes the magnitude.
    if inner.op and inner.op.primitive == "abs":
        inner = moved(inner.op.operands[0])
    total = made_by(inner, "reduce_sum")
    exponential = made_by(total.operands[0], "exp") if total else None
    return unshifted(exponential.operands[0]) if exponential else None


def unshifted(value: Value) -> Value:
    """`x` of `x - max x`, else what is given."""
    op = moved(value).op
    return op.operands[0] if op and is_below_its_maximum(op) else value


def is_below_its_maximum(op: Op) -> bool:
    """Whether this is `x - max x`."""
    return op.primitive == "sub" and _is_maximum(op.operands[1], moved(op.operands[0]))


def _is_maximum(value: Value, x: Value) -> bool:
    """Whether an array is `max x`, with something else where that is not finite, as libraries have it."""
    op = moved(value).op
    if op is None or op.primitive == "reduce_max":
        return op is not None and moved(op.operands[0]) is x
    return op.primitive in ("stop_gradient", "max", "select_n") and any(_is_maximum(v, x) for v in op.operands)
