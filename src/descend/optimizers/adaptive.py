"""Rules with a learning rate per coordinate, from the gradients seen there."""

from typing import Any

from descend._arrays import namespace
from descend.optimizers._checks import FRACTION, POSITIVE, require
from descend.optimizers._rule import Rule, Slots, bias_correction, rule
from descend.schedules import Rate, Schedule, fixed


def _divided(g: Any, second_moment: Any, eps: float, eps_in_root: bool) -> Any:
    """`g / (√s + ε)`, or `g / √(s + ε)`."""
    xp = namespace(g)
    return g / xp.sqrt(second_moment + eps) if eps_in_root else g / (xp.sqrt(second_moment) + eps)


@rule
class AdaGrad(Rule):
    """Steps divided by the root of the sum of all squared gradients so far.

        s ← s + g²
        θ ← θ − η g / (√s + ε)

    `eps_in_root` takes `√(s + ε)` instead, as Optax and "Dive into Deep Learning" do; PyTorch and Keras add ε
    outside. `initial_accumulator`: s at the start (PyTorch 0; Optax and Keras 0.1).

    >>> import numpy as np
    >>> rule = AdaGrad(0.4)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)
    array([-0.4,  0.4])

    Reference: Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011.
    """

    learning_rate: Rate | Schedule = 0.01
    eps: float = fixed(default=1e-10)
    initial_accumulator: float = fixed(default=0.0)
    eps_in_root: bool = fixed(default=False)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, eps=POSITIVE, initial_accumulator=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sum_of_squares",)

    def slot_start(self, name: str) -> Any:
        return lambda p: namespace(p).full_like(p, self.initial_accumulator)

    def leaf(self, g: Any, p: Any, slots: Slots, t: Any, lr: Any) -> tuple[Any, Slots]:
        (s,) = slots
        s = s + g * g
        return -lr * _divided(g, s, self.eps, self.eps_in_root), (s,)

    def stability_limit(self) -> float:
        """2, for the curvature divided by √s."""
        return 2.0


@rule
class RMSprop(Rule):
    """Steps divided by the root of a moving average of squared gradients.

        s ← ρ s + (1 − ρ) g²
        θ ← θ − η g / (√s + ε)

    `decay`: ρ (PyTorch .99; Keras, Optax and "Dive into Deep Learning" .9). `eps_in_root` takes `√(s + ε)` instead,
    as Optax and "Dive into Deep Learning" do; PyTorch adds ε outside.

    >>> import numpy as np
    >>> rule = RMSprop(0.1, decay=0.99, eps=0.0)
    >>> update, state = rule.update(np.array([3.0]), rule.init(np.zeros(1)))
    >>> update.round(6)
    array([-1.])

    Reference: Tieleman and Hinton, "Lecture 6.5: RMSProp", COURSERA, 2012.
    """

    learning_rate: Rate | Schedule = 0.01
    decay: float = fixed(default=0.9)
    eps: float = fixed(default=1e-8)
    eps_in_root: bool = fixed(default=False)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, decay=FRACTION, eps=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean_square",)

    def leaf(self, g: Any, p: Any, slots: Slots, t: Any, lr: Any) -> tuple[Any, Slots]:
        (s,) = slots
        s = self.decay * s + (1 - self.decay) * g * g
        return -lr * _divided(g, s, self.eps, self.eps_in_root), (s,)

    def stability_limit(self) -> float:
        """2, for the curvature divided by √s."""
        return 2.0


@rule
class Adam(Rule):
    """Momentum over a moving average of squared gradients, both corrected for their start at zero.

        m ← β₁ m + (1 − β₁) g             m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²            v̂ = v / (1 − β₂ᵗ)
        θ ← θ − η m̂ / (√v̂ + ε)

    ε is added outside the root and after the correction, as PyTorch, Optax and the paper's Algorithm 1 have it.

    >>> import numpy as np
    >>> rule = Adam(0.1)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)
    array([-0.1,  0.1])

    Reference: Kingma and Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980.
    """

    learning_rate: Rate | Schedule = 0.001
    beta1: float = fixed(default=0.9)
    beta2: float = fixed(default=0.999)
    eps: float = fixed(default=1e-8)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "mean_square")

    def leaf(self, g: Any, p: Any, slots: Slots, t: Any, lr: Any) -> tuple[Any, Slots]:
        m, v = slots
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g * g
        m_hat = m / bias_correction(self.beta1, t)
        v_hat = v / bias_correction(self.beta2, t)
        return -lr * m_hat / (namespace(g).sqrt(v_hat) + self.eps), (m, v)

    def stability_limit(self) -> float:
        """(2 + 2β₁) / (1 − β₁), for the curvature divided by √v̂: 38 at β₁ = .9.

        It holds once the bias corrections have died out: before, the steps are larger.
        """
        return (2 + 2 * self.beta1) / (1 - self.beta1)


@rule
class AdamW(Adam):
    """Adam, with weight decay kept out of the averages:

        θ ← θ − η (m̂ / (√v̂ + ε) + λ θ)

    `weight_decay`: λ, multiplied by the learning rate as in PyTorch and Optax.

    >>> import numpy as np
    >>> rule = AdamW(0.1, weight_decay=0.5)
    >>> x = np.array([2.0])
    >>> update, state = rule.update(np.array([0.0]), rule.init(x), x)
    >>> update
    array([-0.1])

    Reference: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
    """

    weight_decay: float = fixed(default=0.01)
    needs_params = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, weight_decay=POSITIVE)

    def leaf(self, g: Any, p: Any, slots: Slots, t: Any, lr: Any) -> tuple[Any, Slots]:
        update, slots = super().leaf(g, p, slots, t, lr)
        return update - lr * self.weight_decay * p, slots
