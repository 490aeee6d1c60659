"""The algorithm boxes of the papers in plain NumPy, one array at a time and in float64: plain descent and signs.

A reference takes the start, the gradients and the learning rates, one for each step, and the rule's other settings;
it yields the parameters after each step. Nothing here uses `descend`'s mathematics.
"""

import numpy as np
from case import Arrays, Case
from decayed import DECAY, coupled, coupled_box, decoupled, decoupled_box

from descend.optimizers import SGD, Lion, SignSGD


def sgd(x, gradients, rates, *, momentum=0.0, nesterov=False, ema=False) -> Arrays:
    """Polyak's heavy ball, and Nesterov's momentum as Sutskever et al. write it for PyTorch; or averaging instead."""
    velocity = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        pull = g * (1 - momentum) if ema else g
        velocity = momentum * velocity + pull
        direction = pull + momentum * velocity if nesterov else velocity
        x = x - rate * direction
        yield x


def sutskever(x, gradients, rates, *, momentum, nesterov=False, rate_in_velocity) -> Arrays:
    """Sutskever et al. 2013, equations 1 to 4. There Nesterov's gradient is taken at x + momentum · velocity, which
    is the point that programs keep, and that is yielded."""
    velocity = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        bare = x - momentum * velocity if nesterov else x
        velocity = momentum * velocity - rate * g
        bare = bare + velocity
        x = bare + momentum * velocity if nesterov else bare
        yield x


def signum(x, gradients, rates, *, momentum=0.0) -> Arrays:
    """Bernstein et al. 2018, Algorithms 1 and 2."""
    m = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        m = momentum * m + (1 - momentum) * g
        x = x - rate * np.sign(m)
        yield x


def lion(x, gradients, rates, *, beta1=0.9, beta2=0.99) -> Arrays:
    """Chen et al. 2023, Algorithm 2, without its weight decay."""
    m = np.zeros_like(x)
    for g, rate in zip(gradients, rates, strict=True):
        c = beta1 * m + (1 - beta1) * g
        x = x - rate * np.sign(c)
        m = beta2 * m + (1 - beta2) * g
        yield x


def optax_average(learning_rate, decay):
    """Steps along an average of gradients, put together of Optax's parts."""
    import optax

    return optax.chain(optax.ema(decay, debias=False), optax.scale_by_learning_rate(learning_rate))


def optax_gathered(learning_rate, **trace):
    """Momentum that gathers steps, not gradients, put together of Optax's parts."""
    import optax

    return optax.chain(optax.scale_by_learning_rate(learning_rate), optax.trace(**trace))


CASES = {
    "sgd": Case(
        SGD, sgd, {},
        torch=("torch.optim.SGD", {}),
        optax=("optax.sgd", {}),
        keras=("keras.optimizers.SGD", {}),
    ),
    "sgd_coupled_decay": Case(
        coupled(SGD), coupled_box(sgd), {"momentum": 0.9},
        torch=("torch.optim.SGD", {"momentum": 0.9, "weight_decay": DECAY}),
    ),
    "sgd_decoupled_decay": Case(
        decoupled(SGD), decoupled_box(sutskever), {"momentum": 0.9, "rate_in_velocity": True},
        keras=("keras.optimizers.SGD", {"momentum": 0.9, "weight_decay": DECAY}),
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
    "average": Case(
        SGD, sgd, {"momentum": 0.9, "ema": True},
        optax=("boxes_first.optax_average", {"decay": 0.9}),
    ),
    "nesterov_average": Case(
        SGD, sgd, {"momentum": 0.8, "nesterov": True, "ema": True},
    ),
    "heavy_ball_of_steps": Case(
        SGD, sutskever, {"momentum": 0.9, "rate_in_velocity": True},
        optax=("boxes_first.optax_gathered", {"decay": 0.9}),
        keras=("keras.optimizers.SGD", {"momentum": 0.9}),
    ),
    "nesterov_of_steps": Case(
        SGD, sutskever, {"momentum": 0.9, "nesterov": True, "rate_in_velocity": True},
        optax=("boxes_first.optax_gathered", {"decay": 0.9, "nesterov": True}),
        keras=("keras.optimizers.SGD", {"momentum": 0.9, "nesterov": True}),
    ),
    "sign_sgd": Case(
        SignSGD, signum, {},
        optax=("optax.sign_sgd", {}),
    ),
    "signum": Case(
        SignSGD, signum, {"momentum": 0.9},
        optax=("optax.signum", {"beta": 0.9}),
    ),
    "signum_decay": Case(
        decoupled(SignSGD), decoupled_box(signum), {"momentum": 0.8},
        torch=("pytorch_optimizer.SignSGD", {"momentum": 0.8, "weight_decay": DECAY}),
    ),
    "lion": Case(
        Lion, lion, {},
        optax=("optax.lion", {"weight_decay": 0.0}),
        keras=("keras.optimizers.Lion", {}),
    ),
    "lion_decay": Case(
        decoupled(Lion), decoupled_box(lion), {"beta1": 0.95, "beta2": 0.98},
        torch=("lion_pytorch.Lion", {"betas": (0.95, 0.98), "weight_decay": DECAY}),
        optax=("optax.lion", {"b1": 0.95, "b2": 0.98, "weight_decay": DECAY}),
    ),
}
