"""Rows one after the other: an adaptive, normalised step for each, as it comes, at several rates side by side."""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import weight_of
from descend.linear._kernels.calling import number

# At most so many to find the slope where a step ends.
NEWTON_STEPS = 6
# How near to the right length a step is, relative to itself.
STEP_TOL = 1e-3


@njit(cache=True, nogil=True)
def _length(loss, p, mu, score, y, r, reach):
    """The d with d = −reach ℓ'(score + d): how far a score moves if the slope is that of where the step ends.

    It lies between 0 and −reach r. Newton's steps, kept between the two.
    """
    _, slope, curvature = loss
    low, high = min(0.0, -reach * r), max(0.0, -reach * r)
    d = -reach * r / (1 + reach * number(curvature, score, y, p, mu))
    for _ in range(NEWTON_STEPS):
        excess = d + reach * number(slope, score + d, y, p, mu)
        if excess > 0:
            high = d
        else:
            low = d
        after = d - excess / (1 + reach * number(curvature, score + d, y, p, mu))
        if not low < after < high:
            after = 0.5 * (low + high)
        if abs(after - d) <= STEP_TOL * abs(after):
            return after
        d = after
    return d


@njit(cache=True, nogil=True)
def step_rows(data, indices, indptr, loss, p, mu, y, s, offset, rates, w, squares, greatest, seen, lost, intercept):
    """Step the coefficients at each row of a sparse matrix, for each of the rates.

    A step moves a coefficient by rate·√(t/N)/greatest · r x / √Σ(r x)²: neither the column's unit nor how great slopes
    are matters. N sums up (x/greatest)² over the t rows; r is the slope where the step ends, so that no row is stepped
    beyond. As a column's greatest number grows, its coefficient, which was learnt with less, shrinks.

    `loss`: the addresses of its value, slope and curvature. `offset`: of each row's score, if there is one. `w`,
    `squares`: (columns + 1, rates), with the intercept last. `greatest`: by column. `seen`: t and N. `lost`: by rate,
    the losses before the steps, the later the weightier.
    """
    value, slope, _ = loss
    count, last = rates.size, w.shape[0] - 1
    scores, slopes, reach = np.empty(count), np.empty(count), np.empty(count)
    # Of a row's coefficients, for a slope of one.
    steps = np.empty((max(1, np.max(np.diff(indptr))), count))
    for i in range(indptr.size - 1):
        weight = weight_of(s, i)
        if weight == 0:
            continue
        for m in range(count):
            scores[m], reach[m] = w[last, m] + (offset[i] if offset.size > 0 else 0.0), 0.0
        seen[0] += 1
        seen[1] += intercept
        for k in range(indptr[i], indptr[i + 1]):
            j, x = indices[k], np.float64(data[k])
            size = abs(x)
            # 1. A greater number than ever in this column: what was learnt of lesser ones is brought to its scale.
            if size > greatest[j]:
                w[j] *= greatest[j] / size
                greatest[j] = size
            if size > 0:
                seen[1] += (size / greatest[j]) ** 2
            for m in range(count):
                scores[m] += x * w[j, m]
        factor = weight * np.sqrt(seen[0] / max(seen[1], 1.0))
        # 2. The loss before the step, by which rates are compared: the row has not been learnt from yet.
        for m in range(count):
            slopes[m] = number(slope, scores[m], y[i], p, mu)
            lost[m] += weight * seen[0] * number(value, scores[m], y[i], p, mu)
            squares[last, m] += intercept * weight * slopes[m] ** 2
            if intercept and squares[last, m] > 0:
                reach[m] = factor * rates[m] / np.sqrt(squares[last, m])
        # 3. How far each coefficient moves for a slope of one, and how far the score does.
        first = indptr[i]
        for k in range(first, indptr[i + 1]):
            j, x = indices[k], np.float64(data[k])
            share = factor * x / greatest[j] if x != 0 else 0.0
            for m in range(count):
                squares[j, m] += weight * (slopes[m] * x) ** 2
                step = rates[m] * share / np.sqrt(squares[j, m]) if squares[j, m] > 0 else 0.0
                steps[k - first, m] = step
                reach[m] += step * x
        # 4. The slope where the step ends (Karampatziakis and Langford, 2011): with that at its beginning, a heavy row
        #    would be stepped beyond, and rates would have to be small for its sake.
        for m in range(count):
            if reach[m] > 0:
                slopes[m] = -_length(loss, p, mu, scores[m], y[i], slopes[m], reach[m]) / reach[m]
            if intercept and squares[last, m] > 0:
                w[last, m] -= factor * rates[m] * slopes[m] / np.sqrt(squares[last, m])
        for k in range(first, indptr[i + 1]):
            for m in range(count):
                w[indices[k], m] -= slopes[m] * steps[k - first, m]
