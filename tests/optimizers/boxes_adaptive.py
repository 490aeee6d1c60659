"""The algorithm boxes of AdaGrad, AdaDelta and RMSprop in plain NumPy: see `boxes_first`."""

import numpy as np
from case import Arrays, Case
from decayed import DECAY, coupled, coupled_box, decoupled, decoupled_box

from descend.optimizers import AdaDelta, AdaGrad, RMSprop


def adagrad(x, gradients, rates, *, eps=1e-10, initial_accumulator=0.0, eps_in_root=False) -> Arrays:
    """Duchi, Hazan and Singer 2011, with a diagonal matrix."""
    total = np.full_like(x, initial_accumulator)
    for g, rate in zip(gradients, rates, strict=True):
        total = total + g**2
        x = x - rate * g / (np.sqrt(total + eps) if eps_in_root else np.sqrt(total) + eps)
        yield x


def adadelta(x, gradients, rates, *, decay=0.9, eps=1e-6) -> Arrays:
    """Zeiler 2012, Algorithm 1, whose step is multiplied by the rate."""
    of_gradients, of_steps = np.zeros_like(x), np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        of_gradients = decay * of_gradients + (1 - decay) * g**2
        step = -np.sqrt(of_steps + eps) / np.sqrt(of_gradients + eps) * g
        of_steps = decay * of_steps + (1 - decay) * step**2
        x = x + rate * step
        yield x


def rmsprop(x, gradients, rates, *, decay=0.9, eps=1e-8, eps_in_root=False, centered=False) -> Arrays:
    """Tieleman and Hinton 2012; centered: Graves 2013, equations 38 to 40."""
    average, mean = np.zeros_like(x), np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        average = decay * average + (1 - decay) * g**2
        mean = decay * mean + (1 - decay) * g
        n = average - mean**2 if centered else average
        x = x - rate * g / (np.sqrt(n + eps) if eps_in_root else np.sqrt(n) + eps)
        yield x


def rmsprop_momentum(x, gradients, rates, *, momentum, rate_in_velocity=False, **settings) -> Arrays:
    """The heavy ball on RMSprop's steps at rate 1, or at the rates, of which it takes the differences."""
    velocity, last = np.zeros_like(x), np.zeros_like(x)
    ones = [1.0] * len(rates)
    for moved, rate in zip(rmsprop(last, gradients, rates if rate_in_velocity else ones, **settings), rates,
                           strict=True):
        velocity = momentum * velocity + (moved - last)
        last = moved
        x = x + (velocity if rate_in_velocity else rate * velocity)
        yield x


CASES = {
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
        keras=("keras.optimizers.Adagrad", {"epsilon": 1e-2}),
    ),
    "adagrad_coupled_decay": Case(
        coupled(AdaGrad), coupled_box(adagrad), {},
        torch=("torch.optim.Adagrad", {"weight_decay": DECAY}),
    ),
    "adadelta": Case(
        AdaDelta, adadelta, {},
        torch=("torch.optim.Adadelta", {}),
        optax=("optax.adadelta", {}),
    ),
    "adadelta_keras": Case(
        AdaDelta, adadelta, {"decay": 0.95, "eps": 1e-3},
        torch=("torch.optim.Adadelta", {"rho": 0.95, "eps": 1e-3}),
        keras=("keras.optimizers.Adadelta", {"rho": 0.95, "epsilon": 1e-3}),
    ),
    "adadelta_coupled_decay": Case(
        coupled(AdaDelta), coupled_box(adadelta), {},
        torch=("torch.optim.Adadelta", {"weight_decay": DECAY}),
        optax=("optax.adadelta", {"weight_decay": DECAY}),
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
        keras=("keras.optimizers.RMSprop", {"epsilon": 1e-2}),
    ),
    "rmsprop_centered": Case(
        RMSprop, rmsprop, {"centered": True},
        torch=("torch.optim.RMSprop", {"alpha": 0.9, "centered": True}),
        optax=("optax.rmsprop", {"eps_in_sqrt": False, "centered": True}),
    ),
    "rmsprop_momentum": Case(
        RMSprop, rmsprop_momentum, {"momentum": 0.8},
        torch=("torch.optim.RMSprop", {"alpha": 0.9, "momentum": 0.8}),
    ),
    "rmsprop_momentum_of_steps": Case(
        RMSprop, rmsprop_momentum,
        {"momentum": 0.9, "rate_in_velocity": True, "centered": True, "eps_in_root": True, "eps": 1e-3},
        optax=("optax.rmsprop", {"momentum": 0.9, "centered": True, "eps": 1e-3}),
        keras=("keras.optimizers.RMSprop", {"momentum": 0.9, "centered": True, "epsilon": 1e-3}),
    ),
    "rmsprop_coupled_decay": Case(
        coupled(RMSprop), coupled_box(rmsprop_momentum), {"momentum": 0.9, "centered": True},
        torch=("torch.optim.RMSprop", {"alpha": 0.9, "momentum": 0.9, "centered": True, "weight_decay": DECAY}),
    ),
    "rmsprop_decoupled_decay": Case(
        decoupled(RMSprop), decoupled_box(rmsprop), {"eps": 1e-3, "eps_in_root": True},
        keras=("keras.optimizers.RMSprop", {"epsilon": 1e-3, "weight_decay": DECAY}),
    ),
}
