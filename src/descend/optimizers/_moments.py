"""What Adam and its kin have in common: a mean of gradients, divided by the root of a mean of their squares."""

from typing import Any

from descend._arrays import Array, Scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, require
from descend._tree import Tree
from descend.optimizers._rule import Rule, Slots, bias_correction, once, rule
from descend.schedules import Number, Rate, Schedule


@rule
class Moments(Rule):
    """A rule with two moving averages, of the gradient and of its square."""

    learning_rate: Rate | Schedule = 0.001
    beta1: Number = 0.9
    beta2: Number = 0.999
    eps: Number = 1e-8

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "mean_square")

    def averaged(self, g: Array, m: Array, v: Array) -> tuple[Any, Any]:
        """Both averages, one gradient later."""
        # The paper's lines for both, biased as they begin at zero. The corrections are scalars, and applied where they
        # are used.
        return self.beta1 * m + (1 - self.beta1) * g, self.beta2 * v + (1 - self.beta2) * g * g

    @once
    def corrections(self, t: Array) -> tuple[Any, Any]:
        """`1 − β₁ᵗ` and `1 − β₂ᵗ`: what averages that began at zero fall short of the mean by."""
        return bias_correction(self.beta1, t), bias_correction(self.beta2, t)

    def root(self, v: Array, correction: Scalar) -> Any:
        """`√v̂ + ε`. Arrays are multiplied by what scalars are divided by, which costs less."""
        return namespace(v).sqrt(v * (1 / correction)) + self.eps

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        """`√v̂ + ε`, with v the second of what is remembered."""
        return self.root(slots[1], self.corrections(t)[1])

    def stability_limit(self) -> float | None:
        """(2 + 2β₁) / (1 − β₁), for the curvature divided by what the steps are divided by: 38 at β₁ = .9.

        It holds once the bias corrections have died out: before, the steps are larger.
        """
        return (2 + 2 * self.beta1) / (1 - self.beta1)


@rule
class Decoupled(Rule):
    """The W in a rule's name: weight decay that is kept out of its averages, times the learning rate."""

    weight_decay: Number = 0.01
    needs_params = True

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[misc]  # of the rule that this is mixed with
        require(self, weight_decay=POSITIVE)

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, *args: Any, **shared: Any
    ) -> tuple[Any, Slots]:
        update, slots = super().update_parameter(g, p, slots, t, lr, *args, **shared)
        # Disputed: the paper multiplies λ by the schedule's factor, but not by the learning rate. PyTorch, Optax and
        # Keras multiply by both, and so does this.
        return update - (lr * self.weight_decay) * p, slots

    def metrics(self, state: Tree) -> dict[str, Any]:
        return {**super().metrics(state), "weight_decay": self.weight_decay}
