"""Adam, with weight decay, with Nesterov's momentum, and with a careful start."""

import math
from typing import Any

from descend._arrays import Array, Scalar, as_scalar, is_array, log, namespace
from descend._hyperparameters import POSITIVE, require
from descend.optimizers._moments import Decoupled, Moments
from descend.optimizers._rule import Leaf, RuleState, Slots, once, rule
from descend.optimizers._sums import as_sum
from descend.schedules import Number, Rate, Schedule, fixed, has, switched


@rule
class Adam(Moments):
    """Momentum over a moving average of squared gradients, both corrected for their start at zero.

        m ← β₁ m + (1 − β₁) g             m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²            v̂ = v / (1 − β₂ᵗ)
        θ ← θ − η m̂ / (√v̂ + ε)

    ε is added outside the root and after the correction, as PyTorch, Optax, "Dive into Deep Learning" and the paper's
    Algorithm 1 have it. `eps_hat` adds it before the correction, to √v, as Keras, TensorFlow and the end of the
    paper's section 2 do. `eps_root`: Optax's, added to v̂ inside the root.

    >>> import numpy as np
    >>> rule = Adam(0.1)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)
    array([-0.1,  0.1])

    Reference: Kingma and Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980.
    """

    eps_root: Number = switched(default=0.0)
    eps_hat: bool = fixed(default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, eps_root=POSITIVE)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, v = self.averaged(g, *slots)
        first, second = self.corrections(t)
        # m̂ and v̂ are never made as arrays: their corrections are scalars, which cost a product each.
        return -(lr / first) * m / self.root(v, second), (m, v)

    def root(self, v: Array, correction: Scalar) -> Any:
        v_hat = v * (1 / correction)
        if has(self, "eps_root"):
            v_hat = v_hat + self.eps_root
        # ε̂ is added to √v before its correction. Beside √v̂ that is ε̂ / √(1 − β₂ᵗ), which is large at first.
        return namespace(v).sqrt(v_hat) + (self.eps / correction**0.5 if self.eps_hat else self.eps)


@rule
class AdamW(Decoupled, Adam):
    """Adam, with weight decay kept out of the averages:

        θ ← θ − η (m̂ / (√v̂ + ε) + λ θ)

    `weight_decay`: λ, multiplied by the learning rate as in PyTorch, Optax and Keras. For some parameters only, it is
    `WeightDecay(Adam(η), λ, where=...)`.

    >>> import numpy as np
    >>> rule = AdamW(0.1, weight_decay=0.5)
    >>> x = np.array([2.0])
    >>> update, state = rule.update(np.array([0.0]), rule.init(x), x)
    >>> update
    array([-0.1])

    Reference: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
    """


@rule
class NAdam(Adam):
    """Adam with Nesterov's momentum, whose coefficient μ rises to β₁.

        μₜ = β₁ (1 − ½ · .96^(ψ t))
        m̂ = μₜ₊₁ m / (1 − μ₁ ⋯ μₜ₊₁) + (1 − μₜ) g / (1 − μ₁ ⋯ μₜ)
        θ ← θ − η m̂ / (√v̂ + ε)

    with m and v of Adam. `momentum_decay`: ψ (PyTorch .004, Keras 1). A large one, such as 10⁶, leaves μ at β₁, as
    Optax does.

    >>> import numpy as np
    >>> rule = NAdam(0.1, momentum_decay=1e6)
    >>> update, state = rule.update(np.array([1.0, -2.0]), rule.init(np.zeros(2)))
    >>> update.round(4)  # .9 · .1 / (1 − .81) + .1 / (1 − .9) times the learning rate
    array([-0.1474,  0.1474])

    Reference: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016.
    """

    learning_rate: Rate | Schedule = 0.002
    momentum_decay: Number = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, momentum_decay=POSITIVE)

    def shared_start(self, params: list[Any]) -> dict[str, Any]:
        return {"momentum_product": as_sum(1.0, params)}

    def reduce(self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar) -> dict[str, Any]:
        product = shared["momentum_product"]
        # A running product, because μ changes from step to step and is no power.
        return {"momentum_product": product * self.momentum(as_scalar(t, product))}

    @once
    def momentum(self, t: Array) -> Any:
        """μ at step `t`."""
        return self.beta1 * (1 - 0.5 * namespace(t).exp(t * (self.momentum_decay * math.log(0.96))))

    @once
    def _momentum_ahead(self, t: Array) -> Any:
        return self.momentum(t + 1)

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, *_: Any, **shared: Any
    ) -> tuple[Any, Slots]:
        m, v = self.averaged(g, *slots)
        product, now, ahead = shared["momentum_product"], self.momentum(t), self._momentum_ahead(t)
        # The mean is corrected by the product that the next step will have, the gradient by this step's.
        of_mean = lr * ahead / (1 - product * ahead)
        of_gradient = lr * (1 - now) / (1 - product)
        return -(of_mean * m + of_gradient * g) / self.root(v, self.corrections(t)[1]), (m, v)

    def stability_limit(self) -> float | None:
        """(2 + 2β₁) / ((1 − β₁)(1 + 2β₁)), for the curvature divided by √v̂, once μ has come to β₁."""
        return (2 + 2 * self.beta1) / ((1 - self.beta1) * (1 + 2 * self.beta1))


@rule
class NAdamW(Decoupled, NAdam):
    """NAdam, with weight decay kept out of the averages: `− η λ θ` besides, as in AdamW.

    `weight_decay`: λ. PyTorch's `NAdam(decoupled_weight_decay=True)`, Optax's `nadamw`.

    >>> import numpy as np
    >>> rule = NAdamW(0.1, weight_decay=0.5)
    >>> x = np.array([2.0])
    >>> update, state = rule.update(np.array([0.0]), rule.init(x), x)
    >>> update
    array([-0.1])

    References: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016; Loshchilov and Hutter,
    "Decoupled weight decay regularization", arXiv 1711.05101.
    """


@rule
class RAdam(Adam):
    """Adam that begins as momentum alone, until √v̂ is an average of enough gradients to divide by.

        ρ∞ = 2 / (1 − β₂) − 1,  ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
        θ ← θ − η m̂                               while ρₜ ≤ 5
        θ ← θ − η rₜ m̂ / (√v̂ + ε)                 then, with
        rₜ = √( (ρₜ − 4)(ρₜ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρₜ) )

    `threshold`: PyTorch, Optax and the authors' code wait for 5, the paper for 4. `eps_hat`: as in PyTorch and the
    authors' code, ε is added to √v before its correction; Optax adds it after.

    >>> import numpy as np
    >>> rule = RAdam(0.1)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)  # as long as the gradient: nothing is divided yet
    array([-0.3,  0.4])
    >>> float(rule.metrics(state)["rectification"])
    0.0

    Reference: Liu et al., "On the variance of the adaptive learning rate and beyond", arXiv 1908.03265.
    """

    eps_hat: bool = fixed(default=True)
    threshold: Number = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, threshold=(4.0, math.inf))

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, v = self.averaged(g, *slots)
        first, second = self.corrections(t)
        # Both branches are computed and one is chosen, because t is traced. Where r is 0, nothing is divided.
        r = self.rectification(t)
        return -(lr / first) * m * namespace(g).where(r > 0, r / self.root(v, second), 1.0), (m, v)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        r = self.rectification(t)
        xp = namespace(p)
        return xp.where(r > 0, super().divisor(p, slots, t) / xp.where(r > 0, r, 1.0), 1.0)

    @once
    def rectification(self, t: Array) -> Any:
        """rₜ; 0 while ρₜ is not above the threshold."""
        longest = 2 / (1 - self.beta2) - 1
        # An average that is too short, β₂ ≤ ⅔ for a threshold of 5, never sees enough: it is momentum alone for good.
        never = longest <= self.threshold
        if not is_array(never):
            return 0.0 * t if never else self._rectification(t, longest)
        return namespace(never).where(never, 0.0, self._rectification(t, longest))

    def _rectification(self, t: Array, longest: Scalar) -> Any:
        length = averaged_over(self.beta2, t)
        xp = namespace(length)
        ratio = (length - 4) * (length - 2) / length * (longest / ((longest - 4) * (longest - 2)))
        return xp.where(length > self.threshold, xp.sqrt(xp.clip(ratio, 0, None)), 0.0)

    def metrics(self, state: RuleState) -> dict[str, Any]:
        t = namespace(state.count).clip(state.count, 1, None) * 1.0
        return {**super().metrics(state), "rectification": self.rectification(t)}


def averaged_over(beta: Scalar, t: Array) -> Any:
    """ρₜ: over how many gradients an average with coefficient β is taken after `t` steps.

    Its two terms are large and nearly the same at first, when it is compared with 5: in float32 that would leave three
    digits. With a = −ln β and y = at/2 they are coth(a/2) + t − t coth y, from which 2/a and t/y are taken out.
    """
    a, longest = -log(beta), (1 + beta) / (1 - beta)
    y = a / 2 * t
    xp = namespace(y)
    rest = longest - 2 / a if not is_array(a) else xp.where(a < 0.5, _coth_less_pole(a / 2), longest - 2 / a)
    # While a·t is small the terms nearly cancel: by the series. Then as the formula has it.
    few = rest + t * (1 - _coth_less_pole(xp.clip(y, None, 0.25)))
    many = longest + 2 * t * xp.exp(-a * t) / xp.expm1(-a * t)
    return xp.where(a * t < 0.5, few, many)


def _coth_less_pole(y: Array) -> Any:
    """`coth y − 1/y` for y up to ¼."""
    return y / 3 - y**3 / 45 + 2 * y**5 / 945 - y**7 / 4725 + 2 * y**9 / 93555
