"""The algorithm boxes of the papers in plain NumPy, one array at a time and in float64: plain and adaptive descent.

A reference takes the start, the gradients and the learning rates, one for each step, and the rule's other settings;
it yields the parameters after each step. Nothing here uses `descend`'s mathematics.
"""

import numpy as np
from case import Arrays, Case

from descend.optimizers import SGD, AdaGrad, Adam, AdamW, RMSprop


def sgd(x, gradients, rates, *, momentum=0.0, nesterov=False) -> Arrays:
    """Polyak's heavy ball, and Nesterov's momentum as Sutskever et al. write it for PyTorch."""
    velocity = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        velocity = momentum * velocity + g
        direction = g + momentum * velocity if nesterov else velocity
        x = x - rate * direction
        yield x


def adagrad(x, gradients, rates, *, eps=1e-10, initial_accumulator=0.0, eps_in_root=False) -> Arrays:
    """Duchi, Hazan and Singer 2011, with a diagonal matrix."""
    total = np.full_like(x, initial_accumulator)
    for g, rate in zip(gradients, rates, strict=True):
        total = total + g**2
        x = x - rate * g / (np.sqrt(total + eps) if eps_in_root else np.sqrt(total) + eps)
        yield x


def rmsprop(x, gradients, rates, *, decay=0.9, eps=1e-8, eps_in_root=False) -> Arrays:
    """Tieleman and Hinton 2012."""
    average = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        average = decay * average + (1 - decay) * g**2
        x = x - rate * g / (np.sqrt(average + eps) if eps_in_root else np.sqrt(average) + eps)
        yield x


def adam(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8) -> Arrays:
    """Kingma and Ba 2015, Algorithm 1: what Loshchilov and Hutter's algorithm is without weight decay."""
    yield from adamw(x, gradients, rates, beta1=beta1, beta2=beta2, eps=eps, weight_decay=0.0)


def adamw(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01) -> Arrays:
    """Loshchilov and Hutter 2019, Algorithm 2, with the weight decay times the learning rate."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        x = x - rate * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * x)
        yield x


CASES = {
    "sgd": Case(
        SGD, sgd, {},
        torch=("torch.optim.SGD", {}),
        optax=("optax.sgd", {}),
    ),
    "heavy_ball": Case(
        SGD, sgd, {"momentum": 0.9},
        torch=("torch.optim.SGD", {"momentum": 0.9}),
        optax=("optax.sgd", {"momentum": 0.9}),
    ),
    "nesterov": Case(
        SGD, sgd, {"momentum": 0.9, "nesterov": True},
        torch=("torch.optim.SGD", {"momentum": 0.9, "nesterov": True}),
        optax=("optax.sgd", {"momentum": 0.9, "nesterov": True}),
    ),
    "nesterov_without_momentum": Case(
        SGD, sgd, {"nesterov": True},
    ),
    "adagrad": Case(
        AdaGrad, adagrad, {},
        torch=("torch.optim.Adagrad", {}),
    ),
    "adagrad_accumulator": Case(
        AdaGrad, adagrad, {"initial_accumulator": 0.1, "eps": 1e-3},
        torch=("torch.optim.Adagrad", {"initial_accumulator_value": 0.1, "eps": 1e-3}),
    ),
    "adagrad_eps_in_root": Case(
        AdaGrad, adagrad, {"initial_accumulator": 0.1, "eps": 0.01, "eps_in_root": True},
        optax=("optax.adagrad", {"eps": 1e-2}),
    ),
    "rmsprop": Case(
        RMSprop, rmsprop, {},
        torch=("torch.optim.RMSprop", {"alpha": 0.9}),
        optax=("optax.rmsprop", {"eps_in_sqrt": False}),
    ),
    "rmsprop_slow": Case(
        RMSprop, rmsprop, {"decay": 0.99, "eps": 0.01},
        torch=("torch.optim.RMSprop", {"eps": 1e-2}),
        optax=("optax.rmsprop", {"decay": 0.99, "eps": 0.01, "eps_in_sqrt": False}),
    ),
    "rmsprop_eps_in_root": Case(
        RMSprop, rmsprop, {"eps": 0.01, "eps_in_root": True},
        optax=("optax.rmsprop", {"eps": 1e-2}),
    ),
    "adam": Case(
        Adam, adam, {},
        torch=("torch.optim.Adam", {}),
        optax=("optax.adam", {}),
    ),
    "adam_other_betas": Case(
        Adam, adam, {"beta1": 0.5, "beta2": 0.9, "eps": 0.01},
        torch=("torch.optim.Adam", {"betas": (0.5, 0.9), "eps": 1e-2}),
        optax=("optax.adam", {"b1": 0.5, "b2": 0.9, "eps": 1e-2}),
    ),
    "adam_without_averages": Case(
        Adam, adam, {"beta1": 0.0, "beta2": 0.0},
        torch=("torch.optim.Adam", {"betas": (0.0, 0.0)}),
        optax=("optax.adam", {"b1": 0.0, "b2": 0.0}),
    ),
    "adamw": Case(
        AdamW, adamw, {},
        torch=("torch.optim.AdamW", {}),
        optax=("optax.adamw", {"weight_decay": 1e-2}),
    ),
    "adamw_strong": Case(
        AdamW, adamw, {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.5},
        torch=("torch.optim.AdamW", {"betas": (0.8, 0.95), "weight_decay": 0.5}),
        optax=("optax.adamw", {"b1": 0.8, "b2": 0.95, "weight_decay": 0.5}),
    ),
}
