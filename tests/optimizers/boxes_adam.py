"""The algorithm boxes of Adam and its kin in plain NumPy: see `boxes_first`."""

import numpy as np
from case import Arrays, Case
from decayed import DECAY, coupled, coupled_box, decoupled, decoupled_box

from descend.optimizers import AdaBelief, Adam, AdaMax, AdamW, AMSGrad, NAdam, NAdamW, RAdam, Yogi


def adam(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0, eps_hat=False) -> Arrays:
    """Kingma and Ba 2015, Algorithm 1; with `eps_hat` as at the end of section 2."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        if eps_hat:
            x = x - rate * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + eps)
        else:
            m_hat = m / (1 - beta1**t)
            v_hat = v / (1 - beta2**t)
            x = x - rate * m_hat / (np.sqrt(v_hat + eps_root) + eps)
        yield x


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


def amsgrad(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8, eps_hat=False, corrected_max=False) -> Arrays:
    """Reddi et al. 2018, Algorithm 2, with Adam's corrections after the maximum is taken, or before."""
    m, v, largest = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        correction = np.sqrt(1 - beta2**t)
        largest = np.maximum(largest, v / correction**2 if corrected_max else v)
        if eps_hat:
            below = (np.sqrt(largest) + eps) / correction
        else:
            below = np.sqrt(largest) / (1 if corrected_max else correction) + eps
        x = x - rate * m / (1 - beta1**t) / below
        yield x


def adamax(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8, eps_outside=False) -> Arrays:
    """Kingma and Ba 2015, Algorithm 2, whose u may be zero: ε is added within the maximum, or after."""
    m, u = np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, np.abs(g) + (0 if eps_outside else eps))
        x = x - rate / (1 - beta1**t) * m / (u + (eps if eps_outside else 0))
        yield x


def nadam(
    x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0, momentum_decay=0.004, weight_decay=0.0,
) -> Arrays:
    """Dozat 2016, Algorithm 2, with the schedule of μ that its section 3 proposes, and v̂ of Adam."""
    m, v, product = np.zeros_like(x), np.zeros_like(x), 1.0
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (s * momentum_decay)) for s in (t, t + 1))
        product = product * mu
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        v_hat = v / (1 - beta2**t)
        x = x - rate * weight_decay * x - rate * m_hat / (np.sqrt(v_hat + eps_root) + eps)
        yield x


def radam(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-8, threshold=5.0, eps_hat=True) -> Arrays:
    """Liu et al. 2020, Algorithm 2, whose threshold is 4."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    longest = 2 / (1 - beta2) - 1
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        if length > threshold:
            correction = np.sqrt(1 - beta2**t)
            adaptive = correction / (np.sqrt(v) + eps) if eps_hat else 1 / (np.sqrt(v) / correction + eps)
            r = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
            x = x - rate * r * m_hat * adaptive
        else:
            x = x - rate * m_hat
        yield x


def yogi(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-3, initial_accumulator=1e-6) -> Arrays:
    """Zaheer et al. 2018, Algorithm 2, with Adam's corrections, as in Optax and in "Dive into Deep Learning"."""
    m, v = np.full_like(x, initial_accumulator), np.full_like(x, initial_accumulator)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = v - (1 - beta2) * np.sign(v - g**2) * g**2
        x = x - rate * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
        yield x


def adabelief(x, gradients, rates, *, beta1=0.9, beta2=0.999, eps=1e-16, eps_root=1e-16) -> Arrays:
    """Zhuang et al. 2020, Algorithm 2."""
    m, s = np.zeros_like(x), np.zeros_like(x)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * (g - m) ** 2 + eps_root
        x = x - rate * m / (1 - beta1**t) / (np.sqrt(s / (1 - beta2**t)) + eps)
        yield x


def optax_yogi(learning_rate, **settings):
    """Optax's Yogi with a start of one's own."""
    import optax

    return optax.chain(optax.scale_by_yogi(**settings), optax.scale_by_learning_rate(learning_rate))


CONSTANT_MOMENTUM = 1e6  # a decay of NAdam's that leaves nothing but β₁

CASES = {
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
    "adam_eps_root": Case(
        Adam, adam, {"eps": 1e-3, "eps_root": 0.01},
        optax=("optax.adam", {"eps": 1e-3, "eps_root": 1e-2}),
    ),
    "adam_eps_hat": Case(
        Adam, adam, {"eps": 0.01, "eps_hat": True},
        keras=("keras.optimizers.Adam", {"epsilon": 1e-2}),
    ),
    "adam_coupled_decay": Case(
        coupled(Adam), coupled_box(adam), {},
        torch=("torch.optim.Adam", {"weight_decay": DECAY}),
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
    "adam_decoupled_decay": Case(
        decoupled(Adam), decoupled_box(adam), {"eps": 0.01, "eps_hat": True},
        keras=("keras.optimizers.AdamW", {"epsilon": 1e-2, "weight_decay": DECAY}),
    ),
    "amsgrad": Case(
        AMSGrad, amsgrad, {},
        torch=("torch.optim.Adam", {"amsgrad": True}),
    ),
    "amsgrad_eps_hat": Case(
        AMSGrad, amsgrad, {"beta2": 0.9, "eps": 0.01, "eps_hat": True},
        keras=("keras.optimizers.Adam", {"amsgrad": True, "beta_2": 0.9, "epsilon": 1e-2}),
    ),
    "amsgrad_corrected_max": Case(
        AMSGrad, amsgrad, {"eps": 0.01, "corrected_max": True},
        optax=("optax.amsgrad", {"eps": 1e-2}),
    ),
    "amsgrad_decay": Case(
        decoupled(AMSGrad), decoupled_box(amsgrad), {"beta2": 0.9},
        torch=("torch.optim.AdamW", {"amsgrad": True, "betas": (0.9, 0.9), "weight_decay": DECAY}),
    ),
    "adamax": Case(
        AdaMax, adamax, {"eps": 0.01},
        torch=("torch.optim.Adamax", {"eps": 1e-2}),
        optax=("optax.adamax", {"eps": 1e-2}),
    ),
    "adamax_eps_outside": Case(
        AdaMax, adamax, {"eps": 0.01, "beta2": 0.9, "eps_outside": True},
        keras=("keras.optimizers.Adamax", {"epsilon": 1e-2, "beta_2": 0.9}),
    ),
    "adamax_coupled_decay": Case(
        coupled(AdaMax), coupled_box(adamax), {},
        torch=("torch.optim.Adamax", {"weight_decay": DECAY}),
    ),
    "adamax_decoupled_decay": Case(
        decoupled(AdaMax), decoupled_box(adamax), {},
        optax=("optax.adamaxw", {"weight_decay": DECAY}),
    ),
    "nadam": Case(
        NAdam, nadam, {},
        torch=("torch.optim.NAdam", {}),
    ),
    "nadam_constant": Case(
        NAdam, nadam, {"eps": 1e-3, "eps_root": 0.01, "momentum_decay": CONSTANT_MOMENTUM},
        optax=("optax.nadam", {"eps": 1e-3, "eps_root": 1e-2}),
    ),
    "nadam_keras": Case(
        NAdam, nadam, {"beta1": 0.8, "eps": 0.01, "momentum_decay": 1.0},
        keras=("keras.optimizers.Nadam", {"beta_1": 0.8, "epsilon": 1e-2}),
    ),
    "nadam_coupled_decay": Case(
        coupled(NAdam), coupled_box(nadam), {},
        torch=("torch.optim.NAdam", {"weight_decay": DECAY}),
    ),
    "nadamw": Case(
        NAdamW, nadam, {"beta1": 0.8, "beta2": 0.95, "momentum_decay": 0.1, "weight_decay": 0.1},
        torch=("torch.optim.NAdam", {"betas": (0.8, 0.95), "momentum_decay": 0.1, "weight_decay": 0.1,
                                     "decoupled_weight_decay": True}),
    ),
    "nadamw_constant": Case(
        NAdamW, nadam, {"momentum_decay": CONSTANT_MOMENTUM, "weight_decay": 0.1},
        optax=("optax.nadamw", {"weight_decay": 0.1}),
    ),
    "radam": Case(
        RAdam, radam, {},
        torch=("torch.optim.RAdam", {}),
    ),
    "radam_eps_hat": Case(
        RAdam, radam, {"beta2": 0.99, "eps": 0.01},
        torch=("torch.optim.RAdam", {"betas": (0.9, 0.99), "eps": 1e-2}),
    ),
    "radam_optax": Case(
        RAdam, radam, {"beta2": 0.95, "eps": 0.01, "eps_hat": False, "threshold": 4.5},
        optax=("optax.radam", {"b2": 0.95, "eps": 1e-2, "threshold": 4.5}),
    ),
    "radam_never": Case(
        RAdam, radam, {"beta2": 0.5},
        torch=("torch.optim.RAdam", {"betas": (0.9, 0.5)}),
    ),
    "radam_coupled_decay": Case(
        coupled(RAdam), coupled_box(radam), {},
        torch=("torch.optim.RAdam", {"weight_decay": DECAY}),
    ),
    "radam_decoupled_decay": Case(
        decoupled(RAdam), decoupled_box(radam), {},
        torch=("torch.optim.RAdam", {"weight_decay": DECAY, "decoupled_weight_decay": True}),
    ),
    "yogi": Case(
        Yogi, yogi, {},
        optax=("optax.yogi", {}),
    ),
    "yogi_d2l": Case(
        Yogi, yogi, {"initial_accumulator": 0.0},
        optax=("boxes_adam.optax_yogi", {"initial_accumulator_value": 0.0}),
    ),
    "yogi_decay": Case(
        decoupled(Yogi), decoupled_box(yogi), {"beta2": 0.9, "eps": 0.01, "initial_accumulator": 0.1},
        torch=("pytorch_optimizer.Yogi", {"betas": (0.9, 0.9), "eps": 1e-2, "initial_accumulator": 0.1,
                                          "weight_decay": DECAY}),
    ),
    "adabelief": Case(
        AdaBelief, adabelief, {},
        torch=("adabelief_pytorch.AdaBelief", {"rectify": False, "print_change_log": False}),
        optax=("optax.adabelief", {}),
    ),
    "adabelief_eps": Case(
        AdaBelief, adabelief, {"beta2": 0.9, "eps": 0.01, "eps_root": 1e-3},
        optax=("optax.adabelief", {"b2": 0.9, "eps": 1e-2, "eps_root": 1e-3}),
    ),
    "adabelief_decay": Case(
        decoupled(AdaBelief), decoupled_box(adabelief), {"eps": 1e-4, "eps_root": 1e-4},
        torch=("adabelief_pytorch.AdaBelief", {"eps": 1e-4, "weight_decay": DECAY, "rectify": False,
                                               "print_change_log": False}),
    ),
}
