"""Equations of JAX by operators of ONNX, by the names of their primitives; only such as mean exactly the same."""

import string
from collections.abc import Callable
from typing import Any

import numpy as np

from descend._onnx.values import Tracer
from descend.errors import InputError

# An equation that calls another program has it in one of these.
INLINED = ("jaxpr", "call_jaxpr", "fun_jaxpr")

Equation = Callable[..., Any]
SAME = {
    "abs": "Abs", "add": "Add", "add_any": "Add", "and": "And", "atan": "Atan", "ceil": "Ceil", "copy": "Identity",
    "cos": "Cos", "div": "Div", "eq": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual",
    "gt": "Greater", "le": "LessOrEqual", "log": "Log", "logistic": "Sigmoid", "lt": "Less", "max": "Max", "min": "Min",
    "mul": "Mul", "neg": "Neg", "not": "Not", "or": "Or", "pow": "Pow", "sign": "Sign", "sin": "Sin", "sqrt": "Sqrt",
    "stop_gradient": "Identity", "sub": "Sub", "tanh": "Tanh",
}  # fmt: skip


def _same(op: str) -> Equation:
    return lambda tracer, _, *values: tracer.add(op, *values)


def _of(value: Any, dtype: Any) -> np.ndarray:
    return np.asarray(value, dtype)


def _integer_pow(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.add("Pow", x, _of(equation.params["y"], equation.outvars[0].aval.dtype))


def _rsqrt(tracer: Tracer, _: Any, x: Any) -> str:
    return tracer.add("Reciprocal", tracer.add("Sqrt", x))


def _square(tracer: Tracer, _: Any, x: Any) -> str:
    return tracer.add("Mul", x, x)


def _log1p(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.add("Log", tracer.add("Add", x, _of(1, equation.outvars[0].aval.dtype)))


def _expm1(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.add("Sub", tracer.add("Exp", x), _of(1, equation.outvars[0].aval.dtype))


def _ne(tracer: Tracer, _: Any, x: Any, y: Any) -> str:
    return tracer.add("Not", tracer.add("Equal", x, y))


def _is_finite(tracer: Tracer, _: Any, x: Any) -> str:
    return tracer.add("Not", tracer.add("Or", tracer.add("IsNaN", x), tracer.add("IsInf", x)))


def _select_n(tracer: Tracer, equation: Any, which: Any, *cases: Any) -> str:
    if equation.invars[0].aval.dtype != bool:
        raise InputError("the model chooses among several by a number, which is not exported to ONNX")
    return tracer.add("Where", which, cases[1], cases[0])


def _clamp(tracer: Tracer, _: Any, low: Any, x: Any, high: Any) -> str:
    return tracer.add("Min", tracer.add("Max", x, low), high)


def _convert(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.graph.cast(tracer.name(x), equation.outvars[0].aval.dtype)


def _reshape(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.graph.add("Reshape", tracer.name(x), tracer.shape(equation.outvars[0].aval.shape))


def _squeeze(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.add("Squeeze", x, _of(equation.params["dimensions"], np.int64))


def _expand_dims(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.add("Unsqueeze", x, _of(equation.params["dimensions"], np.int64))


def _transpose(tracer: Tracer, equation: Any, x: Any) -> str:
    return tracer.add("Transpose", x, perm=list(equation.params["permutation"]))


def _broadcast(tracer: Tracer, equation: Any, x: Any, *_: Any) -> str:
    """Axes of size one where there are none, and then as many as are wanted."""
    shape, given = equation.params["shape"], equation.invars[0].aval.shape
    placed = dict(zip(equation.params["broadcast_dimensions"], given, strict=True))
    ones = [placed.get(axis, 1) for axis in range(len(shape))]
    spread = tracer.graph.add("Reshape", tracer.name(x), tracer.shape(ones))
    return tracer.graph.add("Expand", spread, tracer.shape(shape))


def _concatenate(tracer: Tracer, equation: Any, *parts: Any) -> str:
    return tracer.add("Concat", *parts, axis=equation.params["dimension"])


def _stack(tracer: Tracer, equation: Any, *parts: Any) -> str:
    axis = equation.params["axis"]
    return tracer.add("Concat", *(tracer.add("Unsqueeze", part, _of([axis], np.int64)) for part in parts), axis=axis)


def _unstack(tracer: Tracer, equation: Any, x: Any) -> list[str]:
    axis = equation.params["axis"]
    return [tracer.add("Gather", x, _of(place, np.int64), axis=axis) for place in range(len(equation.outvars))]


def _slice(tracer: Tracer, equation: Any, x: Any) -> str:
    """The axes that are cut; of that of the rows all are taken."""
    settings, given = equation.params, equation.invars[0].aval.shape
    starts, ends, steps = settings["start_indices"], settings["limit_indices"], settings["strides"]
    steps = steps or (1,) * len(given)
    cut = [axis for axis, size in enumerate(given) if (starts[axis], steps[axis]) != (0, 1) or ends[axis] != size]
    if not cut:
        return tracer.name(x)
    chosen = [[each[axis] for axis in cut] for each in (starts, ends)] + [cut, [steps[axis] for axis in cut]]
    return tracer.add("Slice", x, *(_of(each, np.int64) for each in chosen))


def _split(tracer: Tracer, equation: Any, x: Any) -> list[str]:
    axis, begin, parts = equation.params["axis"], 0, []
    for size in equation.params["sizes"]:
        parts.append(tracer.add("Slice", x, *(_of([each], np.int64) for each in (begin, begin + size, axis))))
        begin += size
    return parts


def _pad(tracer: Tracer, equation: Any, x: Any, filling: Any) -> str:
    settings = equation.params["padding_config"]
    if any(between for _, _, between in settings):
        raise InputError("the model puts numbers between others, which is not exported to ONNX")
    return tracer.add("Pad", x, _of([each[side] for side in (0, 1) for each in settings], np.int64), filling)


def _reduced(op: str) -> Equation:
    return lambda tracer, equation, x: tracer.add(op, x, _of(equation.params["axes"], np.int64), keepdims=0)


def _argmax(tracer: Tracer, equation: Any, x: Any) -> str:
    (axis,) = equation.params["axes"]
    return tracer.graph.cast(tracer.add("ArgMax", x, axis=axis, keepdims=0), equation.outvars[0].aval.dtype)


def _dot(tracer: Tracer, equation: Any, x: Any, y: Any) -> str:
    """A product along axes, others of both side by side: JAX puts those first, then what is left of each."""
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    letters = iter(string.ascii_letters)
    of_x = [next(letters) for _ in equation.invars[0].aval.shape]
    of_y = [next(letters) for _ in equation.invars[1].aval.shape]
    for mine, theirs in (*zip(left, right, strict=True), *zip(left_batch, right_batch, strict=True)):
        of_y[theirs] = of_x[mine]
    out = [of_x[axis] for axis in left_batch]
    out += [letter for axis, letter in enumerate(of_x) if axis not in (*left, *left_batch)]
    out += [letter for axis, letter in enumerate(of_y) if axis not in (*right, *right_batch)]
    of = [variable.aval.dtype for variable in equation.invars]
    wanted = equation.outvars[0].aval.dtype
    x, y = (tracer.graph.cast(tracer.name(value), wanted) if dtype != wanted else value
            for value, dtype in zip((x, y), of, strict=True))
    return tracer.add("Einsum", x, y, equation=f"{''.join(of_x)},{''.join(of_y)}->{''.join(out)}")


def _gather(tracer: Tracer, equation: Any, x: Any, places: Any) -> str:
    """Rows of an array along one of its axes, as embeddings are looked up; or a part of some axes."""
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    given, axes = equation.invars[0].aval.shape, numbers.start_index_map
    whole = all(size == given[axis] for axis, size in enumerate(sizes) if axis not in axes)
    count = len(equation.invars[1].aval.shape) - 1
    if whole and not numbers.collapsed_slice_dims and not count:
        # A part of some axes, from a place on.
        end = tracer.add("Add", places, _of([sizes[axis] for axis in axes], equation.invars[1].aval.dtype))
        return tracer.add("Slice", x, places, end, _of(axes, equation.invars[1].aval.dtype))
    if len(axes) != 1 or numbers.collapsed_slice_dims != axes or not whole:
        raise InputError("the model looks numbers up in a way that is not exported to ONNX")
    (axis,) = axes
    found = tracer.add("Gather", x, tracer.add("Squeeze", places, _of([-1], np.int64)), axis=axis)
    # ONNX has the axes of the places where the axis was; JAX says where those of the array go.
    array_axes = [*range(axis), *range(axis + count, axis + count + len(given) - axis - 1)]
    place_axes = iter(range(axis, axis + count))
    offsets = dict(zip(numbers.offset_dims, array_axes, strict=True))
    rank = len(equation.outvars[0].aval.shape)
    return tracer.add("Transpose", found, perm=[offsets[k] if k in offsets else next(place_axes) for k in range(rank)])


def _reduce_window(op: str) -> Equation:
    def pooled(tracer: Tracer, equation: Any, x: Any) -> str:
        """Of pictures, with the channels last: each channel by itself."""
        settings = equation.params
        window, strides, padding = (settings[name] for name in ("window_dimensions", "window_strides", "padding"))
        if any(each[0] != 1 or each[3] != 1 for each in (window, strides)) or len(window) != 4:
            raise InputError("the model pools in a way that is not exported to ONNX")
        pads = [padding[axis][side] for side in (0, 1) for axis in (1, 2)]
        first = tracer.add("Transpose", x, perm=[0, 3, 1, 2])
        made = tracer.add(op, first, kernel_shape=list(window[1:3]), strides=list(strides[1:3]), pads=pads,
                          **({"count_include_pad": 1} if op == "AveragePool" else {}))
        last = tracer.add("Transpose", made, perm=[0, 2, 3, 1])
        if op == "MaxPool":
            return last
        # A sum is the mean times how many there are.
        return tracer.add("Mul", last, _of(window[1] * window[2], equation.outvars[0].aval.dtype))

    return pooled


def _convolution(tracer: Tracer, equation: Any, x: Any, kernel: Any) -> str:
    settings = equation.params
    numbers = settings["dimension_numbers"]
    if settings["batch_group_count"] != 1 or any(each != 1 for each in settings["lhs_dilation"]):
        raise InputError("the model convolves in a way that is not exported to ONNX")
    first = tracer.add("Transpose", x, perm=list(numbers.lhs_spec))
    weights = tracer.add("Transpose", kernel, perm=list(numbers.rhs_spec))
    pads = [pad[side] for side in (0, 1) for pad in settings["padding"]]
    made = tracer.add("Conv", first, weights, strides=list(settings["window_strides"]), pads=pads,
                      dilations=list(settings["rhs_dilation"]), group=settings["feature_group_count"])
    return tracer.add("Transpose", made, perm=[int(axis) for axis in np.argsort(numbers.out_spec)])


EQUATIONS: dict[str, Equation] = {name: _same(op) for name, op in SAME.items()} | {
    "argmax": _argmax, "broadcast_in_dim": _broadcast, "clamp": _clamp, "concatenate": _concatenate,
    "conv_general_dilated": _convolution, "convert_element_type": _convert, "dot_general": _dot,
    "expand_dims": _expand_dims, "expm1": _expm1, "gather": _gather, "integer_pow": _integer_pow,
    "is_finite": _is_finite, "log1p": _log1p, "ne": _ne, "pad": _pad, "reduce_max": _reduced("ReduceMax"),
    "reduce_min": _reduced("ReduceMin"), "reduce_prod": _reduced("ReduceProd"), "reduce_sum": _reduced("ReduceSum"),
    "reduce_window_max": _reduce_window("MaxPool"), "reduce_window_sum": _reduce_window("AveragePool"),
    "reshape": _reshape, "rsqrt": _rsqrt, "select_n": _select_n, "slice": _slice, "split": _split, "square": _square,
    "squeeze": _squeeze, "stack": _stack, "transpose": _transpose,
    "unstack": _unstack,
}  # fmt: skip
