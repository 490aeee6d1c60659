"""Adam with another measure of how large gradients are."""

from typing import Any

from descend._arrays import Array, namespace
from descend._hyperparameters import POSITIVE, require
from descend.optimizers._moments import Moments
from descend.optimizers._rule import Slots, rule
from descend.optimizers.adam import Adam
from descend.schedules import Number, Rate, Schedule, fixed


@rule
class AMSGrad(Adam):
    """Adam whose denominator never shrinks.

        m, v as in Adam
        w ← max(w, v)
        θ ← θ − η m̂ / (√ŵ + ε),        ŵ = w / (1 − β₂ᵗ)

    This is PyTorch's order, and with `eps_hat` Keras's. `corrected_max`: Optax's, the maximum of the corrected v̂, by
    which the steps at the start count for ever. The paper corrects neither m nor v.

    >>> import numpy as np
    >>> rule = AMSGrad(0.1)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)
    array([-0.1,  0.1])

    Reference: Reddi, Kale and Kumar, "On the convergence of Adam and beyond", arXiv 1904.09237.
    """

    corrected_max: bool = fixed(default=False)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "mean_square", "largest")

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, v, w = slots
        m, v = self.averaged(g, m, v)
        first, second = self.corrections(t)
        # Disputed: the maximum of v (PyTorch, Keras) or of v̂ (Optax), which counts the large corrections of the first
        # steps for ever.
        w = namespace(g).maximum(w, v * (1 / second) if self.corrected_max else v)
        return -(lr / first) * m / self.root(w, 1.0 if self.corrected_max else second), (m, v, w)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        return self.root(slots[2], 1.0 if self.corrected_max else self.corrections(t)[1])


@rule
class AdaMax(Moments):
    """Adam with the largest gradient, slowly forgotten, in place of the root of the mean square.

        m ← β₁ m + (1 − β₁) g
        u ← max(β₂ u, |g| + ε)
        θ ← θ − η m / ((1 − β₁ᵗ) u)

    `eps_outside` adds ε to u instead, as Keras does; within the maximum is PyTorch's and Optax's way.

    >>> import numpy as np
    >>> rule = AdaMax(0.1)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)
    array([-0.1,  0.1])

    Reference: Kingma and Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980, section 7.1.
    """

    learning_rate: Rate | Schedule = 0.002
    eps_outside: bool = fixed(default=False)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "largest")

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, u = slots
        xp = namespace(g)
        m = self.beta1 * m + (1 - self.beta1) * g
        # u needs no correction: unlike an average, a maximum does not begin too small.
        u = xp.maximum(self.beta2 * u, xp.abs(g) if self.eps_outside else xp.abs(g) + self.eps)
        scale = lr / self.corrections(t)[0]
        return -scale * m / (u + self.eps if self.eps_outside else u), (m, u)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        return slots[1] + self.eps if self.eps_outside else slots[1]


@rule
class Yogi(Moments):
    """Adam whose v moves towards g² by steps that depend on g² alone: it grows fast, and shrinks slowly.

        m ← β₁ m + (1 − β₁) g
        v ← v − (1 − β₂) sign(v − g²) g²
        θ ← θ − η m̂ / (√v̂ + ε)

    `initial_accumulator`: m and v at the start, as in Optax (10⁻⁶, the paper's for v; "Dive into Deep Learning" 0).
    Because of m, the first steps move a little even where the gradient is zero.

    >>> import numpy as np
    >>> rule = Yogi(0.1, initial_accumulator=0.0, eps=0.0)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)
    array([-0.1,  0.1])

    Reference: Zaheer et al., "Adaptive methods for nonconvex optimization", NeurIPS 2018.
    """

    learning_rate: Rate | Schedule = 0.01
    eps: Number = 1e-3
    initial_accumulator: Number = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, initial_accumulator=POSITIVE)

    def slot_start(self, name: str) -> Any:
        return lambda p: namespace(p).full_like(p, self.initial_accumulator)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, v = slots
        m = self.beta1 * m + (1 - self.beta1) * g
        # The step is of g²'s size, where Adam's is a share of v: so a v that was large once is not forgotten at once.
        v = v - (1 - self.beta2) * namespace(g).sign(v - g * g) * (g * g)
        first, second = self.corrections(t)
        return -(lr / first) * m / self.root(v, second), (m, v)


@rule
class AdaBelief(Moments):
    """Adam that divides by how far gradients are from their mean: long steps where they are as expected.

        m ← β₁ m + (1 − β₁) g
        s ← β₂ s + (1 − β₂) (g − m)² + ε_root
        θ ← θ − η m̂ / (√ŝ + ε)

    `eps_root` adds up in s, as in the paper, its authors' code and Optax. Both default to 10⁻¹⁶, as there.

    >>> import numpy as np
    >>> rule = AdaBelief(0.1)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)  # the mean begins at zero, so that 1 − β₁ of a gradient is expected: .1 / .9
    array([-0.111111,  0.111111])

    Reference: Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients",
    arXiv 2010.07468.
    """

    eps: Number = 1e-16
    eps_root: Number = 1e-16

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, eps_root=POSITIVE)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, s = slots
        m = self.beta1 * m + (1 - self.beta1) * g
        # m is the new mean, which holds a part of g already: so it is in the paper and in the authors' code.
        s = self.beta2 * s + ((1 - self.beta2) * (g - m) * (g - m) + self.eps_root)
        first, second = self.corrections(t)
        return -(lr / first) * m / self.root(s, second), (m, s)
