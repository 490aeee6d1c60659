"""Kernels of dual coordinate ascent on several problems that differ in their targets alone.

Eight problems at a time have their coefficients side by side, those of a column in one line of the cache and in one
vector: reading a row's numbers and finding their places costs as much as for one problem. Loops over lanes inside loops
over a row's numbers are too short for a compiler to make vectors of, so these two products are stated in its own
language.
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, njit, types
from numba.core import cgutils

from descend.linear._kernels.block_losses import FAST_MATH, weight_of
from descend.linear._kernels.sdca import renewed

# What it makes of a function has other arguments.
intrinsic: Any = extending.intrinsic
LANES = 8
VECTOR = ir.VectorType(ir.DoubleType(), LANES)
INDEX = ir.IntType(32)
FUSED = ("contract",)


def _broadcast(builder, x):
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), x, ir.Constant(INDEX, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(INDEX, LANES), [0] * LANES))


def _along_row(context, builder, kinds, values, use):
    """Call `use` with each stored number of a row, as a vector, and the place of its column's coefficients."""
    data, indices, W = (context.make_array(kinds[k])(context, builder, values[k]).data for k in (0, 1, 4))
    columns = builder.bitcast(W, VECTOR.as_pointer())
    step = context.get_constant(types.intp, 1)
    with cgutils.for_range_slice(builder, values[2], values[3], step, inc=True) as (k, _):
        x = context.cast(builder, builder.load(builder.gep(data, [k])), kinds[0].dtype, types.float64)
        column = context.cast(builder, builder.load(builder.gep(indices, [k])), kinds[1].dtype, types.intp)
        use(_broadcast(builder, x), builder.gep(columns, [column]))


def _loaded(builder, place):
    vector = builder.load(place)
    vector.align = 8
    return vector


@intrinsic
def row_scores(_typing, data, indices, _first, _last, W):
    """Σ x w of the numbers `_first` to `_last` of compressed rows, for each lane of W (columns, lanes)."""

    def generate(context, builder, signature, values):
        total = cgutils.alloca_once_value(builder, ir.Constant(VECTOR, [0.0] * LANES))

        def use(x, place):
            product = builder.fmul(x, _loaded(builder, place), flags=FUSED)
            builder.store(builder.fadd(builder.load(total), product, flags=FUSED), total)

        _along_row(context, builder, signature.args, values, use)
        sums = builder.load(total)
        out = [builder.extract_element(sums, ir.Constant(INDEX, lane)) for lane in range(LANES)]
        return context.make_tuple(builder, signature.return_type, out)

    return types.UniTuple(types.float64, LANES)(data, indices, types.intp, types.intp, W), generate


@intrinsic
def add_row(_typing, data, indices, _first, _last, W, change):
    """Add x · change to the coefficients of a row's columns, in place."""

    def generate(context, builder, signature, values):
        array = context.make_array(signature.args[5])(context, builder, values[5])
        by = _loaded(builder, builder.bitcast(array.data, VECTOR.as_pointer()))

        def use(x, place):
            after = builder.fadd(_loaded(builder, place), builder.fmul(x, by, flags=FUSED), flags=FUSED)
            builder.store(after, place).align = 8

        _along_row(context, builder, signature.args, values, use)
        return context.get_dummy_value()

    return types.void(data, indices, types.intp, types.intp, W, change), generate


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def epoch(data, indices, indptr, best, p, y, s, inverse, bias, norms, rows, going, r, W, b):
    """Renew the slopes r (rows, lanes) of the lanes that are going, row by row; gives Σ s a Δr² of each lane.

    `inverse`: of the l2 penalty, one number; see `sdca.epoch_sparse` for the others.
    """
    gain, change = np.zeros(LANES), np.zeros(LANES)
    for k in range(rows.size):
        i = rows[k]
        first, last = np.intp(indptr[i]), np.intp(indptr[i + 1])
        weight = weight_of(s, i)
        a, any_change = weight * norms[i], False
        scores = row_scores(data, indices, first, last, W)
        for lane in range(LANES):
            change[lane] = 0.0
            if not going[lane]:
                continue
            after = renewed(best, p, a, y[i, lane], scores[lane] + b[lane], r[i, lane])
            step = after - r[i, lane]
            if step == 0:
                continue
            r[i, lane] = after
            gain[lane] += weight * a * step * step
            b[lane] -= bias * weight * step
            change[lane] = -weight * inverse * step
            any_change = True
        if any_change:
            add_row(data, indices, first, last, W, change)
    return gain


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scores(data, indices, indptr, W, b, out):
    """The scores (lanes, rows) of all rows."""
    for i in range(indptr.size - 1):
        row = row_scores(data, indices, np.intp(indptr[i]), np.intp(indptr[i + 1]), W)
        for lane in range(LANES):
            out[lane, i] = row[lane] + b[lane]


@njit(cache=True, nogil=True)
def unpacked(W, out):
    """The coefficients, lane by lane."""
    for j in range(W.shape[0]):
        for lane in range(LANES):
            out[lane, j] = W[j, lane]
