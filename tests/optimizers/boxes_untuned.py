"""Algorithm boxes in plain NumPy: rules that find the length of their steps by themselves. All look at all arrays."""

import numpy as np
import pytest
from case import Case, zeros

from descend.optimizers import DoG, DoWG, Prodigy, WeightDecay


def prodigy(
    xs, gradients, rates, *, beta1=0.9, beta2=0.999, beta3=None, eps=1e-8, weight_decay=0.0, d0=1e-6, d_coef=1.0,
    growth_rate=np.inf, use_bias_correction=False, safeguard_warmup=False,
):
    """Mishchenko and Defazio 2023, Algorithm 4, with the settings of the authors' package; ε is times the new d."""
    beta3 = np.sqrt(beta2) if beta3 is None else beta3
    start, d, d_max, r = xs, d0, d0, 0.0
    m, v, s = zeros(xs), zeros(xs), zeros(xs)
    for t, (gs, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        gamma = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t) if use_bias_correction else rate
        inner = sum(np.sum(g * (x0 - x)) for g, x0, x in zip(gs, start, xs, strict=True))
        m = [beta1 * a + (1 - beta1) * d * g for a, g in zip(m, gs, strict=True)]
        v = [beta2 * a + (1 - beta2) * d**2 * g**2 for a, g in zip(v, gs, strict=True)]
        r = beta3 * r + gamma * d**2 * inner
        s = [beta3 * a + (1 if safeguard_warmup else gamma) * d**2 * g for a, g in zip(s, gs, strict=True)]
        d_hat = d_coef * r / sum(np.abs(a).sum() for a in s)
        d_max = max(d_max, d_hat)
        d_new = min(d_max, (max(d, d_hat) if d == d0 else d) * growth_rate)
        xs = [
            x - gamma * d * (a / (np.sqrt(b) + d_new * eps) + weight_decay * x)
            for x, a, b in zip(xs, m, v, strict=True)
        ]
        d = d_new
        yield xs


def length(xs):
    return np.sqrt(sum(np.sum(x**2) for x in xs))


def over_gradients(xs, gradients, rates, *, reps_rel, weight_decay, weight, step):
    """r̄ and a weighted sum of ‖g‖², and from both the length of the step."""
    start, r, total = xs, reps_rel * (1 + length(xs)), 0.0
    for step_gradients, rate in zip(gradients, rates, strict=True):
        gs = [g + weight_decay * x for g, x in zip(step_gradients, xs, strict=True)]
        r = max(r, length([x - x0 for x, x0 in zip(xs, start, strict=True)]))
        total += weight(r) * length(gs) ** 2
        xs = [x - rate * step(r, total) * g for x, g in zip(xs, gs, strict=True)]
        yield xs


def dog(xs, gradients, rates, *, reps_rel=1e-6, eps=0.0, weight_decay=0.0):
    """Ivgi, Hinder and Carmon 2023, equation 2; weight decay is added to the gradients."""
    return over_gradients(
        xs, gradients, rates, reps_rel=reps_rel, weight_decay=weight_decay, weight=lambda r: 1.0,
        step=lambda r, total: r / np.sqrt(total + eps),
    )


def ldog(x, gradients, rates, *, layerwise, **settings):
    """DoG, on one array by itself."""
    assert layerwise
    return (x for (x,) in dog([x], ([g] for g in gradients), rates, **settings))


def dowg(xs, gradients, rates, *, reps_rel=1e-6, eps=0.0):
    """Khaled, Mishchenko and Jin 2023, Algorithm 1, with ε as in the authors' code."""
    return over_gradients(
        xs, gradients, rates, reps_rel=reps_rel, weight_decay=0.0, weight=lambda r: r**2,
        step=lambda r, total: r**2 / (np.sqrt(total) + eps),
    )


def optax_dowg(learning_rate, reps_rel, eps):
    """Optax's DoWG, which begins at a number, at our beginning: relative to the parameters."""
    optax = pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    make = lambda distance: optax.contrib.dowg(learning_rate, distance**2, eps)
    init = lambda params: make(reps_rel * (1 + optax.tree.norm(params))).init(params)
    return optax.GradientTransformation(init, make(1.0).update)


def decayed_dog(learning_rate, weight_decay, **settings):
    return WeightDecay(DoG(learning_rate, **settings), weight_decay, decoupled=False)


# The gradients of the cases are noise, in which no distance grows: the rules begin with steps that can be seen.
CASES = {
    "prodigy": Case(
        Prodigy, prodigy, {"d0": 0.5},
        whole=True,
        torch=("prodigyopt.Prodigy", {"d0": 0.5}),
    ),
    "prodigy_corrected": Case(
        Prodigy, prodigy, {"d0": 0.2, "d_coef": 3.0, "weight_decay": 0.1, "use_bias_correction": True},
        whole=True,
        torch=("prodigyopt.Prodigy", {"d0": 0.2, "d_coef": 3.0, "weight_decay": 0.1, "use_bias_correction": True}),
        optax=("optax.contrib.prodigy", {"estim_lr0": 0.2, "estim_lr_coef": 3.0, "weight_decay": 0.1}),
    ),
    "prodigy_limited": Case(
        Prodigy, prodigy,
        {"beta1": 0.5, "beta2": 0.9, "beta3": 0.8, "eps": 1e-3, "d0": 0.1, "d_coef": 9.0, "growth_rate": 1.02,
         "safeguard_warmup": True},
        whole=True,
        torch=("prodigyopt.Prodigy",
               {"betas": (0.5, 0.9), "beta3": 0.8, "eps": 1e-3, "d0": 0.1, "d_coef": 9.0, "growth_rate": 1.02,
                "safeguard_warmup": True}),
    ),
    "dog": Case(
        DoG, dog, {"reps_rel": 0.05, "eps": 1e-8},
        whole=True,
        torch=("dog.DoG", {"reps_rel": 0.05}),
        optax=("optax.contrib.dog", {"init_step": ("heuristic", 0.05)}),
    ),
    "dog_decayed": Case(
        decayed_dog, dog, {"reps_rel": 0.05, "eps": 0.5, "weight_decay": 0.1},
        whole=True,
        torch=("dog.DoG", {"reps_rel": 0.05, "eps": 0.5, "weight_decay": 0.1}),
        optax=("optax.contrib.dog", {"init_step": ("heuristic", 0.05), "eps": 0.5, "weight_decay": 0.1}),
    ),
    "ldog": Case(
        DoG, ldog, {"reps_rel": 0.05, "eps": 1e-8, "layerwise": True},
        torch=("dog.LDoG", {"reps_rel": 0.05}),
    ),
    "dowg": Case(
        DoWG, dowg, {"reps_rel": 0.05, "eps": 1e-2},
        whole=True,
        optax=("boxes_untuned.optax_dowg", {"reps_rel": 0.05, "eps": 1e-2}),
    ),
}
