"""The algorithm boxes of rules that look at each array as a whole, in plain NumPy: see `boxes_first`."""

from functools import partial

import numpy as np
from case import Arrays, Case
from decayed import DECAY, decoupled

from descend.optimizers import LAMB, LARS, Adafactor


def length(x) -> float:
    """The Euclidean norm of an array of any rank."""
    return float(np.sqrt(np.sum(x**2)))


def rms(x) -> float:
    """The root of the mean of squares."""
    return float(np.sqrt(np.mean(x**2)))


def lars(
    x, gradients, rates, *, momentum=0.9, weight_decay=0.0, trust_coefficient=0.001, joint_norm=False,
    rate_in_velocity=True,
) -> Arrays:
    """You, Gitman and Ginsburg 2017, Algorithm 1."""
    v = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        decayed = g + weight_decay * x
        local = trust_coefficient * length(x) / (
            length(decayed) if joint_norm else length(g) + weight_decay * length(x)
        )
        if rate_in_velocity:
            v = momentum * v + rate * local * decayed
            x = x - v
        else:
            v = momentum * v + local * decayed
            x = x - rate * v
        yield x


def lamb(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.0) -> Arrays:
    """You et al. 2020, Algorithm 2, with φ(z) = z."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        r = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
        step = r + weight_decay * x
        x = x - rate * length(x) / length(step) * step
        yield x


def adafactor(
    x, gradients, rates, *, power=0.8, eps=1e-30, min_scale=1e-3, clip=1.0, relative_step=True, eps_as_floor=False,
    weight_decay=0.0,
) -> Arrays:
    """Shazeer and Stern 2018, Algorithms 4 and 5, with sums for means; the floors and the decay are PyTorch's."""
    factored = x.ndim >= 2
    rows, columns, v = np.zeros(x.shape[:-1]), np.zeros(x.shape[:-2] + x.shape[-1:]), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        beta2 = 1 - t**-power
        squares = g**2 + (0 if eps_as_floor else eps)
        if factored:
            rows = beta2 * rows + (1 - beta2) * squares.sum(-1)
            columns = beta2 * columns + (1 - beta2) * squares.sum(-2)
            total = rows.sum(-1, keepdims=True)[..., None]
            if eps_as_floor:  # of the means: sums over rows are their number times as large
                total = np.maximum(total, eps * x.shape[-1] * x.shape[-2])
            v_hat = rows[..., None] * columns[..., None, :] / total
        else:
            v_hat = v = beta2 * v + (1 - beta2) * squares
        u = g / np.sqrt(np.maximum(v_hat, eps**2) if eps_as_floor else v_hat)
        u = u / max(1, rms(u) / clip)
        alpha = max(min_scale, rms(x)) * (min(rate, t**-0.5) if relative_step else rate)
        x = x - rate * weight_decay * x - alpha * u
        yield x


CASES = {
    "lars": Case(
        LARS, lars, {"trust_coefficient": 0.1, "weight_decay": 0.1},
    ),
    "lars_joint_norm": Case(
        LARS, lars, {"trust_coefficient": 0.1, "weight_decay": 0.1, "joint_norm": True},
        optax=("optax.lars", {"trust_coefficient": 0.1, "weight_decay": 0.1}),
    ),
    "lars_rate_outside": Case(
        LARS, lars, {"trust_coefficient": 0.1, "weight_decay": 0.1, "rate_in_velocity": False},
    ),
    "lars_without_momentum": Case(
        LARS, lars, {"momentum": 0.0, "weight_decay": 0.5, "trust_coefficient": 1.0, "joint_norm": True},
        optax=("optax.lars", {"momentum": 0.0, "weight_decay": 0.5, "trust_coefficient": 1.0}),
    ),
    "lamb": Case(
        LAMB, lamb, {},
        optax=("optax.lamb", {}),
        keras=("keras.optimizers.Lamb", {"epsilon": 1e-6}),
    ),
    "lamb_decay": Case(
        LAMB, lamb, {"beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weight_decay": 0.5},
        optax=("optax.lamb", {"b1": 0.8, "b2": 0.95, "eps": 1e-2, "weight_decay": 0.5}),
    ),
    "adafactor": Case(
        Adafactor, adafactor, {},
        keras=("keras.optimizers.Adafactor", {}),
    ),
    "adafactor_absolute": Case(
        Adafactor, adafactor, {"power": 0.5, "clip": 0.5, "min_scale": 2.0, "relative_step": False},
        torch=("pytorch_optimizer.AdaFactor", {"decay_rate": -0.5, "clip_threshold": 0.5, "eps2": 2.0,
                                               "relative_step": False, "betas": (None, 0.999)}),
    ),
    "adafactor_floor": Case(
        Adafactor, adafactor, {"eps": 0.5, "min_scale": 0.5, "eps_as_floor": True},
        torch=("torch.optim.Adafactor", {"eps": (0.5, 0.5)}),
    ),
    "adafactor_decay": Case(
        decoupled(Adafactor), partial(adafactor, weight_decay=DECAY), {"eps": 1e-8, "eps_as_floor": True},
        torch=("torch.optim.Adafactor", {"eps": (1e-8, 1e-3), "weight_decay": DECAY}),
    ),
}
