"""Along which axes of an array the examples lie, and along which the units of a layer."""

from collections import Counter
from collections.abc import Callable
from typing import Literal

from descend.insight.probe.graph import CARRY, SLICE, STACK, Graph, Op, Value

Axis = Literal["example", "unit"] | None
Axes = tuple[Axis, ...]

REDUCTIONS = {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "argmax", "argmin"}


def axes_of(graph: Graph) -> dict[Value, Axes]:
    """What the axes of all arrays are, as far as it can be told from where they come from.

    Examples lie along the first axis of the data. The axes of parameters are units, and those of a layer's result which
    come from its weights are its units.
    """
    length = examples(graph)
    # A carry is what it was at first until its body has been gone through: so a second time, where there is a loop.
    known: dict[Value, Axes] = {}
    for value in (*graph.inputs, *graph.constants):
        known[value] = _of_input(value, length)
    for _ in range(2 if any(op.primitive == CARRY for op in graph.ops) else 1):
        for op in graph.ops:
            inputs = [known.get(value, (None,) * len(value.shape)) for value in op.operands]
            for result in op.results:
                known[result] = _fitting(RULES.get(op.primitive, _merged)(op, inputs, result), result)
    return known


def examples(graph: Graph) -> int | None:
    """How many examples there are: the commonest length of the batch's arrays, or else of what the loss refers to."""
    for kind in ("batch", "constant"):
        data = [value for value in (*graph.inputs, *graph.constants) if value.kind == kind]
        lengths = Counter(value.shape[0] for value in data if value.shape and value.shape[0] > 1)
        if lengths:
            return lengths.most_common(1)[0][0]
    return None


def _of_input(value: Value, length: int | None) -> Axes:
    unit: Axis = "unit"
    # All axes of a weight: which of them are summed over, and which stay, is told by the product.
    if value.kind == "params":
        return (unit,) * len(value.shape)
    axes: Axes = (None,) * len(value.shape)
    is_data = value.kind in ("batch", "constant") and value.shape and value.shape[0] == length
    return ("example", *axes[1:]) if is_data else axes


def _fitting(axes: Axes, value: Value) -> Axes:
    """An axis of one number is neither."""
    if len(axes) != len(value.shape):
        return (None,) * len(value.shape)
    return tuple(axis if size > 1 else None for axis, size in zip(axes, value.shape, strict=True))


def _both(one: Axis, other: Axis) -> Axis:
    return "example" if "example" in (one, other) else one or other


def _merged(op: Op, inputs: list[Axes], result: Value) -> Axes:
    """Of what is done number by number, and of anything that keeps its operands' shape."""
    axes: Axes = (None,) * len(result.shape)
    for operand, given in zip(op.operands, inputs, strict=True):
        sizes = tuple(operand.shape)
        if len(sizes) == len(result.shape) and all(m in (1, n) for m, n in zip(sizes, result.shape, strict=True)):
            axes = tuple(map(_both, axes, given))
    return axes


def _product(op: Op, inputs: list[Axes], result: Value) -> Axes:
    (of_left, of_right), (batch_left, batch_right) = op.params["dimension_numbers"]
    left, right = inputs[:2]
    together = [_both(left[i], right[j]) for i, j in zip(batch_left, batch_right, strict=True)]
    free = lambda axes, gone: [axis for i, axis in enumerate(axes) if i not in gone]
    return (*together, *free(left, (*of_left, *batch_left)), *free(right, (*of_right, *batch_right)))


def _convolution(op: Op, inputs: list[Axes], result: Value) -> Axes:
    numbers = op.params["dimension_numbers"]
    axes: list[Axis] = [None] * len(result.shape)
    axes[numbers.out_spec[0]] = inputs[0][numbers.lhs_spec[0]]
    axes[numbers.out_spec[1]] = "unit"
    return tuple(axes)


def _broadcast(op: Op, inputs: list[Axes], result: Value) -> Axes:
    axes: list[Axis] = [None] * len(result.shape)
    sizes = op.operands[0].shape
    for i, j in enumerate(op.params["broadcast_dimensions"]):
        axes[j] = inputs[0][i] if sizes[i] == result.shape[j] else None
    return tuple(axes)


def _reduced(op: Op, inputs: list[Axes], result: Value) -> Axes:
    return tuple(axis for i, axis in enumerate(inputs[0]) if i not in op.params["axes"])


def _squeezed(op: Op, inputs: list[Axes], result: Value) -> Axes:
    return tuple(axis for i, axis in enumerate(inputs[0]) if i not in op.params["dimensions"])


def _transposed(op: Op, inputs: list[Axes], result: Value) -> Axes:
    return tuple(inputs[0][i] for i in op.params["permutation"])


def _reshaped(op: Op, inputs: list[Axes], result: Value) -> Axes:
    """Axes are grouped, from the first on, into the smallest groups that hold as many numbers before as after."""
    before, after, axes = list(op.operands[0].shape), list(result.shape), inputs[0]
    made: list[Axis] = []
    i = 0
    # A reshape does not say which axis becomes which: whatever has the same product of lengths is taken together.
    while len(made) < len(after):
        first, start = i, len(made)
        have, wanted = 1, after[start]
        end = start + 1
        while have != wanted:
            if have < wanted and i < len(before):
                have, i = have * before[i], i + 1
            elif end < len(after):
                wanted, end = wanted * after[end], end + 1
            else:
                return (None,) * len(after)
        group = [k for k in range(first, i) if before[k] > 1]
        made += _regrouped([axes[k] for k in group], [before[k] for k in group], after[start:end])
    return tuple(made)


def _regrouped(axes: list[Axis], sizes: list[int], wanted: list[int]) -> list[Axis]:
    """What the axes of a group are that are made of those of another. Examples come first in what they are merged
    with, so that they are the first of what it is divided into."""
    made: list[Axis] = [None] * len(wanted)
    several = [i for i, size in enumerate(wanted) if size > 1]
    if not axes or not several:
        return made
    kinds = set(axes) - {None}
    if len(axes) == 1 and axes[0] == "unit":
        return ["unit" if size > 1 else None for size in wanted]
    if len(several) == 1:
        made[several[0]] = axes[0] if len(kinds) == 1 and axes[0] else "unit" if kinds == {"unit"} else None
        return made
    if sizes[0] % wanted[several[0]] == 0:
        made[several[0]] = axes[0]
    if len(axes) > 1 and sizes[-1] % wanted[several[-1]] == 0:
        made[several[-1]] = axes[-1]
    return made


def _gathered(op: Op, inputs: list[Axes], result: Value) -> Axes:
    numbers = op.params["dimension_numbers"]
    dropped = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    of_slices = iter([axis for i, axis in enumerate(inputs[0]) if i not in dropped])
    of_places = iter(inputs[1][:-1])
    return tuple(next(of_slices if i in numbers.offset_dims else of_places) for i in range(len(result.shape)))


def _sliced(op: Op, inputs: list[Axes], result: Value) -> Axes:
    return inputs[0][1:]


def _stacked(op: Op, inputs: list[Axes], result: Value) -> Axes:
    return (None, *inputs[0])


def _placed_together(op: Op, inputs: list[Axes], result: Value) -> Axes:
    axes = list(inputs[0])
    axes.insert(op.params["axis"], None)
    return tuple(axes)


def _parts(op: Op, inputs: list[Axes], result: Value) -> Axes:
    """Of some of the numbers, or of more of the same kind."""
    axes: Axes = (None,) * len(result.shape)
    for given in inputs:
        if len(given) == len(axes):
            axes = tuple(map(_both, axes, given))
    return axes


RULES: dict[str, Callable[[Op, list[Axes], Value], Axes]] = {
    "dot_general": _product, "conv_general_dilated": _convolution, "broadcast_in_dim": _broadcast,
    "squeeze": _squeezed, "transpose": _transposed, "reshape": _reshaped, "gather": _gathered,
    "stack": _placed_together, SLICE: _sliced, STACK: _stacked, CARRY: _parts,
    **dict.fromkeys(REDUCTIONS, _reduced),
    **dict.fromkeys(("slice", "dynamic_slice", "split", "concatenate", "pad", "select_and_gather_add",
                     "reduce_window_max", "reduce_window_sum", "reduce_window_min", "sort", "rev"), _parts),
}  # fmt: skip
