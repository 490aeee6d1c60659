"""Kernels of the interior-point method: terms max_r r (t − kink), lower ≤ r ≤ upper, each of one score t.

A term holds four positive numbers: `a` = r − lower, `c` = upper − r, and how far its score is above (`p`) and below
(`q`) its kink, t − kink = p − q, both more than the truth by the same. At the optimum p c = q a = 0; a step towards
p c = q a = goal is Newton's of these equations,

    h = 1 / (p/c + q/a),  Δr = h (Δt − e/c + f/a),  e = goal − p c,  f = goal − q a

and `f`, `e` less the products of the steps that were foreseen with the goal 0 (Mehrotra's correction).
"""

from numba import njit

from descend.linear._kernels.block_losses import weight_of


@njit(cache=True, inline="always")
def slope_of(a, c, lower, upper):
    """r, from the bound that is nearer."""
    return lower + a if a < c else upper - c


@njit(cache=True, inline="always")
def moved(a, c, p, q, e, f, dt):
    """The steps of r, p and q."""
    dr = (dt - e / c + f / a) / (p / c + q / a)
    return dr, (e + p * dr) / c, (f - q * dr) / a


@njit(cache=True, inline="always")
def errors(a, c, p, q, predictor, barrier):
    """`e` and `f` for a goal, corrected by the steps that `predictor` (a change of the score) has with the goal 0."""
    dr, dp, dq = moved(a, c, p, q, -p * c, -q * a, predictor)
    return barrier - p * c + dp * dr, barrier - q * a - dq * dr


@njit(cache=True, nogil=True)
def place(start, stop, lower, upper, kink, t, share, offset, terms):
    """Put the slopes at a share of their ranges, and the scores' distances `offset` above the truth."""
    for i in range(start, stop):
        range_of = upper[i] - lower[i]
        terms[0, i] = share[i] * range_of
        terms[1, i] = (1 - share[i]) * range_of
        terms[2, i] = max(t[i] - kink[i], 0.0) + offset
        terms[3, i] = max(kink[i] - t[i], 0.0) + offset


@njit(cache=True, nogil=True)
def state(start, stop, lower, upper, kink, s, terms, r, h, pull):
    """Add slopes, curvatures and h·(p − q) to `r`, `h`, `pull`.

    Gives Σ s (loss, conjugate, p c + q a, h kink), and how much of h may be added to the slopes or taken from them.
    """
    loss, conjugate, products, kinks, room = 0.0, 0.0, 0.0, 0.0, 1e300
    for i in range(start, stop):
        if weight_of(s, i) == 0:
            continue
        weight, a, c, over, under = weight_of(s, i), terms[0, i], terms[1, i], terms[2, i], terms[3, i]
        slope, away = slope_of(a, c, lower[i], upper[i]), over - under
        second = 1 / (over / c + under / a)
        r[i] += slope
        h[i] += second
        pull[i] += second * away
        loss += weight * (upper[i] * away if away > 0 else lower[i] * away)
        conjugate += weight * kink[i] * slope
        products += weight * (over * c + under * a)
        kinks += weight * second * kink[i]
        room = min(room, min(a, c) / second)
    return loss, conjugate, products, kinks, room


@njit(cache=True, nogil=True)
def reach(start, stop, s, terms, predictor, dt, barrier, corrected):
    """The longest step of p, q, a and c until one of them vanishes, or 1e300."""
    longest = 1e300
    for i in range(start, stop):
        if weight_of(s, i) == 0:
            continue
        a, c, p, q = terms[0, i], terms[1, i], terms[2, i], terms[3, i]
        e, f = errors(a, c, p, q, predictor[i], barrier) if corrected else (-p * c, -q * a)
        dr, dp, dq = moved(a, c, p, q, e, f, dt[i])
        worst = max(dr / c, -dr / a, -dp / p, -dq / q)
        if worst * longest > 1:
            longest = 1 / worst
    return longest


@njit(cache=True, nogil=True)
def after(start, stop, s, terms, dt, step):
    """Σ s (p c + q a) after a step towards 0."""
    products = 0.0
    for i in range(start, stop):
        a, c, p, q = terms[0, i], terms[1, i], terms[2, i], terms[3, i]
        dr, dp, dq = moved(a, c, p, q, -p * c, -q * a, dt[i])
        products += weight_of(s, i) * ((p + step * dp) * (c - step * dr) + (q + step * dq) * (a + step * dr))
    return products


@njit(cache=True, nogil=True)
def pulled(start, stop, s, terms, predictor, barrier, pull):
    """Add h (f/a − e/c) to `pull`."""
    for i in range(start, stop):
        if weight_of(s, i) == 0:
            continue
        a, c, p, q = terms[0, i], terms[1, i], terms[2, i], terms[3, i]
        e, f = errors(a, c, p, q, predictor[i], barrier)
        pull[i] += (f / a - e / c) / (p / c + q / a)


@njit(cache=True, nogil=True)
def advance(start, stop, s, terms, predictor, dt, barrier, step):
    """Take the step."""
    for i in range(start, stop):
        if weight_of(s, i) == 0:
            continue
        a, c, p, q = terms[0, i], terms[1, i], terms[2, i], terms[3, i]
        e, f = errors(a, c, p, q, predictor[i], barrier)
        dr, dp, dq = moved(a, c, p, q, e, f, dt[i])
        terms[0, i] += step * dr
        terms[1, i] -= step * dr
        terms[2, i] += step * dp
        terms[3, i] += step * dq
