"""Compiled functions called by their address: a kernel that is given one is compiled once for all of them.

Numba has functions as values, but asks Python for their address at each call of a kernel, under the interpreter's lock,
as long as a part of the rows takes. Nothing checks that an address belongs to arguments of these types: they come from
`Kind`, which compiles for the types of the arrays that a kernel is given.
"""

from operator import attrgetter
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, njit, types
from numba.core import cgutils

# What it makes of a function has other arguments.
intrinsic: Any = extending.intrinsic
Number = types.float64


def address(function: Any, kinds: Any, result: Any = Number) -> int:
    """Where a compiled function lies, as it was compiled for arguments of these types."""
    code, described = attrgetter("library", "fndesc")(function.get_compile_result(result(*kinds)))
    return int(code.get_pointer_to_function(described.llvm_cfunc_wrapper_name))


def _call(context, builder, result, kinds, place, values):
    shape = ir.FunctionType(context.get_value_type(result), [context.get_value_type(kind) for kind in kinds])
    return builder.call(builder.inttoptr(place, shape.as_pointer()), values)


@intrinsic
def number_at(_typing, place, arguments):
    """What the function there makes of these numbers."""
    if any(kind != Number for kind in arguments):
        # It would read them as what they are not.
        return None

    def generate(context, builder, signature, values):
        return _call(context, builder, Number, signature.args[1], values[0], cgutils.unpack_tuple(builder, values[1]))

    return Number(place, arguments), generate


@intrinsic
def run(_typing, place, arguments):
    """Call the function there, which gives nothing, with these arguments."""

    def generate(context, builder, signature, values):
        _call(context, builder, types.void, signature.args[1], values[0], cgutils.unpack_tuple(builder, values[1]))
        return context.get_dummy_value()

    return types.void(place, arguments), generate


@njit(cache=True, inline="always")
def number(place, z, y, p, mu):
    """What a function of four numbers makes of these."""
    return number_at(place, (np.float64(z), np.float64(y), np.float64(p), np.float64(mu)))
