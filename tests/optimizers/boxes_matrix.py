"""The algorithm boxes of the papers in plain NumPy, in float64: rules that look at whole matrices.

Where a rule multiplies its way to a function of a matrix, the box takes the matrix apart instead.
"""

import numpy as np
from boxes_adam import adamw
from case import Arrays, Case

from descend.optimizers import SOAP, Shampoo


def muon(
    x, gradients, rates, *, momentum=0.95, nesterov=True, weight_decay=0.0, steps=5, eps=1e-7, scale=None,
    outputs_last=False, companion_rate=3e-4,
) -> Arrays:
    """Jordan et al. 2024. A polynomial of a matrix is that polynomial of its singular values."""
    if x.ndim < 2:
        yield from adamw(x, gradients, [companion_rate] * len(rates))
        return
    m = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        m = momentum * m + (1 - momentum) * g
        pull = momentum * m + (1 - momentum) * g if nesterov else m
        matrix = pull.reshape(-1, x.shape[-1]).T if outputs_last else pull.reshape(len(x), -1)
        outputs, inputs = matrix.shape
        u, s, v = np.linalg.svd(matrix / (np.linalg.norm(matrix) + eps), full_matrices=False)
        for _ in range(steps):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        o = u @ np.diag(s) @ v
        factor = {None: np.sqrt(max(1, outputs / inputs)), "rms": 0.2 * np.sqrt(max(outputs, inputs)), "none": 1}[scale]
        x = (1 - rate * weight_decay) * x - rate * factor * (o.T if outputs_last else o).reshape(x.shape)
        yield x


def shampoo(
    x, gradients, rates, *, eps=1e-4, beta=None, exponent=None, momentum=0.0, every=1, max_dim=8192
) -> Arrays:
    """Gupta, Koren and Singer 2018, Algorithm 2, with the settings of the authors' program."""
    shape, x = x.shape, np.atleast_1d(x)
    sums, powers = [np.zeros((n, n)) for n in x.shape], [np.eye(n) for n in x.shape]
    v, exponent = np.zeros_like(x), 1 / (2 * x.ndim) if exponent is None else exponent
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        v = momentum * v + g
        for axis, n in enumerate(x.shape):
            others = [other for other in range(x.ndim) if other != axis]
            new = np.tensordot(np.atleast_1d(g), np.atleast_1d(g), (others, others))
            new = new if n <= max_dim else np.diag(np.diag(new))
            sums[axis] = sums[axis] + new if beta is None else beta * sums[axis] + (1 - beta) * new
            if (t - 1) % every == 0:
                corrected = sums[axis] if beta is None else sums[axis] / (1 - beta**t)
                u, s, _ = np.linalg.svd(corrected + eps * np.eye(n))
                powers[axis] = u @ np.diag(s**-exponent) @ u.T
        step = v
        for axis, power in enumerate(powers):
            step = np.moveaxis(np.tensordot(power, step, (1, axis)), 0, axis)
        x = x - rate * step
        yield x.reshape(shape)


def soap(
    x, gradients, rates, *, beta1=0.95, beta2=0.95, eps=1e-8, weight_decay=0.01, shampoo_beta=None, every=10,
    max_dim=10000,
) -> Arrays:
    """Vyas et al. 2024, Algorithm 3, as the authors' program has it, which orders the eigenvectors by what they have
    grown to, and averages the gradients outside of the basis. The identity is the basis of an axis that has none."""
    beta = beta2 if shampoo_beta is None else shampoo_beta
    has_basis = [x.ndim > 1 and n <= max_dim for n in x.shape]
    correlations, basis = [np.zeros((n, n)) for n in x.shape], [np.eye(n) for n in x.shape]
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True)):
        if t > 0:
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * contracted(g, basis, 0) ** 2
            size = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
            x = x - size * contracted(contracted(m, basis, 0) / (np.sqrt(v) + eps), basis, 1)
            x = x - rate * weight_decay * x
        for axis in np.flatnonzero(has_basis):
            others = [other for other in range(x.ndim) if other != axis]
            correlations[axis] = beta * correlations[axis] + (1 - beta) * np.tensordot(g, g, (others, others))
            if t == 0:
                basis[axis] = np.linalg.eigh(correlations[axis])[1][:, ::-1]
            elif t % every == 0:
                product = correlations[axis] @ basis[axis]
                order = np.argsort((basis[axis] * product).sum(0))[::-1]
                v = v.take(order, axis)
                basis[axis] = np.linalg.qr(product[:, order])[0]
        yield x


def contracted(x, matrices, side):
    """The array's axes with this side of their matrices."""
    for matrix in matrices:
        x = np.tensordot(x, matrix, (0, side))
    return x


CASES = {
    "shampoo": Case(Shampoo, shampoo, {}),
    "shampoo_average": Case(
        Shampoo, shampoo, {"beta": 0.9, "eps": 0.01, "exponent": 0.2, "momentum": 0.9, "every": 3, "max_dim": 2},
    ),
    "soap": Case(SOAP, soap, {}),
    "soap_often": Case(
        SOAP, soap, {"beta1": 0.9, "beta2": 0.99, "shampoo_beta": 0.9, "every": 1, "weight_decay": 0.5, "eps": 1e-4,
                     "max_dim": 3},
    ),
}
