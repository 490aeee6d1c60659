"""exp and log in plain arithmetic, to about 1e-16 of their values: a loop over them becomes vector instructions, which
calls of the C library do not.

They must not be compiled with sums in any order ("reassoc"): adding a large number and taking it away again rounds.
"""

import numpy as np
from numba import njit

EXACT = {"contract", "nsz"}
# The least exponent: beyond, exp is below all normal numbers, and taken for what it is here.
EXP_UNDERFLOW = -708.0
# The least argument of a logarithm.
LOG_FLOOR = 1e-300
LOG2E, LN2_HIGH, LN2_LOW, LN2 = 1.4426950408889634, 6.93147180369123816490e-01, 1.90821492927058770002e-10, np.log(2.0)
# 1.5 * 2**52: added to a number it leaves its integer in the last bits.
SHIFT = 6755399441055744.0
# Bits of 1.0, and of what follows the exponent.
ONE, FRACTION = np.int64(1023 << 52), np.int64((1 << 52) - 1)
# 2**52, whose last bits count.
TWO52 = 4503599627370496.0
BITS52 = np.int64((1023 + 52) << 52)
ROOT2 = 1.4142135623730951


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def fast_exp(x):
    """exp(x) for x ≤ 0: 2ⁿ times Taylor's series of what is left, which is at most ln 2 / 2."""
    x = max(x, EXP_UNDERFLOW)
    shifted = x * LOG2E + SHIFT
    n = shifted - SHIFT
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    series = 1 / 6227020800.0
    series = series * r + 1 / 479001600.0
    series = series * r + 1 / 39916800.0
    series = series * r + 1 / 3628800.0
    series = series * r + 1 / 362880.0
    series = series * r + 1 / 40320.0
    series = series * r + 1 / 5040.0
    series = series * r + 1 / 720.0
    series = series * r + 1 / 120.0
    series = series * r + 1 / 24.0
    series = series * r + 1 / 6.0
    series = series * r + 0.5
    scale = np.int64((np.float64(shifted).view(np.int64) << np.int64(52)) + ONE).view(np.float64)
    return scale + scale * (r + r * r * series)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _log_near_1(f):
    """log(1 + f) for f from √½ − 1 to √2 − 1: 2 artanh(f / (2 + f)), by its series."""
    s = f / (2.0 + f)
    square = s * s
    series = 2 / 23.0
    series = series * square + 2 / 21.0
    series = series * square + 2 / 19.0
    series = series * square + 2 / 17.0
    series = series * square + 2 / 15.0
    series = series * square + 2 / 13.0
    series = series * square + 2 / 11.0
    series = series * square + 2 / 9.0
    series = series * square + 2 / 7.0
    series = series * square + 2 / 5.0
    series = series * square + 2 / 3.0
    # f − s f = 2 s, and f is exact
    return f - s * (f - square * series)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def fast_log1p(x):
    """log(1 + x) for x from 0 to 1."""
    beyond = x > ROOT2 - 1
    near = _log_near_1(0.5 * (x - 1.0) if beyond else x)
    return near + (LN2 if beyond else 0.0)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def fast_log(x):
    """log(x) for x from `LOG_FLOOR` on."""
    bits = np.float64(x).view(np.int64)
    part = np.int64((bits & FRACTION) | ONE).view(np.float64)
    power = np.int64((bits >> np.int64(52)) | BITS52).view(np.float64) - (TWO52 + 1023.0)
    beyond = part > ROOT2
    part = 0.5 * part if beyond else part
    power = power + 1.0 if beyond else power
    return power * LN2_HIGH + (_log_near_1(part - 1.0) + power * LN2_LOW)
