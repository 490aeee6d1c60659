"""Rules with a learning rate per coordinate, from the gradients seen there."""

from typing import Any

from descend._arrays import Array, Scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, refuse_zeros, require
from descend.optimizers._rule import Rule, Slots, rule
from descend.schedules import Number, Rate, Schedule, fixed, has, switched


def _root(second_moment: Array, eps: Scalar, eps_in_root: bool) -> Any:
    """`√s + ε`, or `√(s + ε)`."""
    xp = namespace(second_moment)
    return xp.sqrt(second_moment + eps) if eps_in_root else xp.sqrt(second_moment) + eps


@rule
class AdaGrad(Rule):
    """Steps divided by the root of the sum of all squared gradients so far.

        s ← s + g²
        θ ← θ − η g / (√s + ε)

    `eps_in_root` takes `√(s + ε)` instead, as Optax, Keras and "Dive into Deep Learning" do; PyTorch adds ε
    outside. `initial_accumulator`: s at the start (PyTorch 0; Optax and Keras 0.1).

    >>> import numpy as np
    >>> rule = AdaGrad(0.4)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(6)
    array([-0.4,  0.4])

    Reference: Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011.
    """

    learning_rate: Rate | Schedule = 0.01
    eps: Number = 1e-10
    initial_accumulator: Number = 0.0
    eps_in_root: bool = fixed(default=False)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, eps=POSITIVE, initial_accumulator=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sum_of_squares",)

    def slot_start(self, name: str) -> Any:
        return lambda p: namespace(p).full_like(p, self.initial_accumulator)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        (s,) = slots
        s = s + g * g
        return -lr * (g / _root(s, self.eps, self.eps_in_root)), (s,)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        return _root(slots[0], self.eps, self.eps_in_root)

    def stability_limit(self) -> float:
        """2, for the curvature divided by √s."""
        return 2.0


@rule
class AdaDelta(Rule):
    """Steps as long as the steps before, over gradients as long as the gradients before: no unit is left to choose.

        s ← ρ s + (1 − ρ) g²
        d ← g √(x + ε) / √(s + ε)
        x ← ρ x + (1 − ρ) d²
        θ ← θ − η d

    `learning_rate`: η, which the paper does not have: 1, as in PyTorch and "Dive into Deep Learning" (Keras: .001).
    `decay`: ρ (PyTorch, Optax and "Dive into Deep Learning" .9; the paper and Keras .95). `eps`: ε, which sets the
    length of the first steps (the paper, PyTorch and Optax 10⁻⁶; Keras 10⁻⁷; "Dive into Deep Learning" 10⁻⁵).

    What the steps are divided by depends on the steps, so theory gives no stability limit.

    >>> import numpy as np
    >>> rule = AdaDelta(decay=0.75, eps=1e-4)
    >>> update, state = rule.update(np.array([3.0, -4.0]), rule.init(np.zeros(2)))
    >>> update.round(4)  # √ε / √(1 − ρ)
    array([-0.02,  0.02])

    Reference: Zeiler, "ADADELTA: an adaptive learning rate method", arXiv 1212.5701.
    """

    learning_rate: Rate | Schedule = 1.0
    decay: Number = switched(default=0.9)
    eps: Number = 1e-6

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, decay=FRACTION, eps=POSITIVE)
        refuse_zeros(self, "decay")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean_square", "mean_square_step")

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        (s, x), rho, eps = slots, self.decay, self.eps
        s = rho * s + (1 - rho) * (g * g)
        # The x of the steps before, as in the paper's box: this step's own length is not yet known.
        over, under = x + eps, s + eps
        x = rho * x + (1 - rho) * (g * over / under * g)
        if has(self, "decay"):
            # Both one gradient later, whose ratio is the same: a step in place need not keep the old x then.
            over, under = x + rho * eps, rho * s + (1 - rho) * g * g + rho * eps
        return -lr * g * namespace(g).sqrt(over / under), (s, x)


@rule
class RMSprop(Rule):
    """Steps divided by the root of a moving average of squared gradients.

        s ← ρ s + (1 − ρ) g²
        θ ← θ − η g / (√s + ε)

    `decay`: ρ (PyTorch .99; Keras, Optax and "Dive into Deep Learning" .9). `eps_in_root` takes `√(s + ε)` instead,
    as Optax, Keras and "Dive into Deep Learning" do; PyTorch adds ε outside. `centered` takes s less the square of a
    moving average of g, an estimate of the variance. `momentum`: β of a heavy ball, whose g is the quotient above.
    `rate_in_velocity`: its velocity gathers η times the quotient, as in Keras and Optax; PyTorch multiplies outside.

    >>> import numpy as np
    >>> rule = RMSprop(0.1, decay=0.99, eps=0.0)
    >>> update, state = rule.update(np.array([3.0]), rule.init(np.zeros(1)))
    >>> update.round(6)
    array([-1.])

    References: Tieleman and Hinton, "Lecture 6.5: RMSProp", COURSERA, 2012; centered: Graves, "Generating sequences
    with recurrent neural networks", arXiv 1308.0850.
    """

    learning_rate: Rate | Schedule = 0.01
    decay: Number = 0.9
    eps: Number = 1e-8
    eps_in_root: bool = fixed(default=False)
    centered: bool = fixed(default=False)
    momentum: Number = switched(default=0.0)
    rate_in_velocity: bool = fixed(default=False)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, decay=FRACTION, eps=POSITIVE, momentum=FRACTION)

    @property
    def slots(self) -> tuple[str, ...]:
        others = (("mean",) if self.centered else ()) + (("velocity",) if has(self, "momentum") else ())
        return ("mean_square", *others)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        kept = dict(zip(self.slots, slots, strict=True))
        s = kept["mean_square"] = self.decay * kept["mean_square"] + (1 - self.decay) * g * g
        if self.centered:
            mean = kept["mean"] = self.decay * kept["mean"] + (1 - self.decay) * g
            s = self._variance(s, mean)
        step = g / _root(s, self.eps, self.eps_in_root)
        if not has(self, "momentum"):
            return -lr * step, tuple(kept.values())
        # With a constant η both are the same. After a change, a velocity that has η in it goes on at the old rate.
        gathered = lr * step if self.rate_in_velocity else step
        v = kept["velocity"] = self.momentum * kept["velocity"] + gathered
        return -v if self.rate_in_velocity else -lr * v, tuple(kept.values())

    def _variance(self, s: Array, mean: Array) -> Any:
        # Of equal gradients, rounding leaves less than nothing.
        return namespace(s).clip(s - mean * mean, 0, None)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        s = self._variance(slots[0], slots[1]) if self.centered else slots[0]
        return _root(s, self.eps, self.eps_in_root)

    def stability_limit(self) -> float:
        """2 + 2β, for the curvature divided by √s."""
        return 2 + 2 * self.momentum
