"""Numbers asked for before they are needed: stated in the compiler's own language, as there is no other."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.core import cgutils

# What it makes of a function has other arguments.
intrinsic: Any = extending.intrinsic
BYTE, NUMBER = ir.IntType(8), ir.IntType(32)
# Rows, where some columns of each are read: the processor itself does not foresee which.
ROWS_AHEAD = 4
TO_READ, TO_KEEP, DATA = NUMBER(0), NUMBER(3), NUMBER(1)


@intrinsic
def prefetch(_typing, X, _row, _column):
    """Have the line of memory that holds X[row, column] brought to the nearest cache; it is not waited for."""

    def generate(context, builder, signature, values):
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, values[0])
        place = cgutils.get_item_pointer(context, builder, kind, array, values[1:], wraparound=False)
        place = builder.bitcast(place, BYTE.as_pointer())
        shape = ir.FunctionType(ir.VoidType(), [place.type, NUMBER, NUMBER, NUMBER])
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", [place.type], shape),
                     [place, TO_READ, TO_KEEP, DATA])
        return context.get_dummy_value()

    return types.void(X, types.intp, types.intp), generate
