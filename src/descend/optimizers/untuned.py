"""Rules that find the length of their steps by themselves, from how far they have come.

Their first steps are about a millionth of the parameters long.
"""

import math
from functools import reduce
from typing import Any

import jax

from descend._arrays import Array, Scalar, as_scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, require
from descend._tree import Tree
from descend.optimizers._rule import Leaf, Rule, RuleState, Slots, bias_correction, copy_of, rule
from descend.optimizers._sums import as_sum, dot, norm, ratio, sum_abs
from descend.schedules import Number, Rate, Schedule, fixed

# The least that float32 tells from 0.
ABOVE_0 = (1e-37, math.inf)


class OwnStep(Rule):
    """A rule that finds the length of its steps, which it keeps as the shared scalar `step`."""

    def metrics(self, state: RuleState) -> dict[str, Any]:
        return super().metrics(state) | {"effective_step": state.shared["step"]}

    def rates(self, state: RuleState, params: Tree) -> Tree:
        return jax.tree.map(lambda _: state.shared["step"], params)


@rule
class Prodigy(OwnStep):
    """Adam with steps as long as a growing lower bound d of the distance from the start to the minimum asks for:

        m ← β₁ m + (1 − β₁) d g
        v ← β₂ v + (1 − β₂) d² g²
        r ← β₃ r + η d² ⟨g, θ₀ − θ⟩
        s ← β₃ s + η d² g
        d' = max(d, r / ‖s‖₁)
        θ ← θ − η d (m / (√v + d' ε) + λ θ),    d ← d'

    r and ‖s‖₁ are sums over all parameters. `learning_rate`: η, a factor; leave it at 1, or give a schedule whose
    largest rate that is. The authors recommend a cosine.

    `beta3`: by default √β₂. `weight_decay`: λ, decoupled as in AdamW. `d0`: d at the start, far below the distance.
    `d_coef`: a factor of r / ‖s‖₁, the one to tune if one must. `growth_rate`: the most by which d grows in a step,
    once it has left d₀; `None` for no limit. `use_bias_correction`: Adam's, as a factor of η; the authors leave it
    out, Optax has it. `safeguard_warmup`: leave η out of s, for schedules that begin near 0.

    There is no limit of stability: the steps have a length of their own. Metrics: `distance` is d, `effective_step`
    is η d (with the correction), as the step used them.

    >>> import numpy as np
    >>> rule, x = Prodigy(), np.array([3.0, -4.0])
    >>> state = rule.init(x)
    >>> for _ in range(100):
    ...     update, state = rule.update(x, state, x)
    ...     x = x + update
    >>> round(float(rule.metrics(state)["distance"]), 2), bool(abs(x).max() < 0.1)
    (1.53, True)

    Reference: Mishchenko and Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", arXiv 2306.06101.
    """

    learning_rate: Rate | Schedule = 1.0
    beta1: Number = 0.9
    beta2: Number = 0.999
    beta3: Number | None = None
    eps: Number = 1e-8
    weight_decay: Number = 0.0
    d0: Number = 1e-6
    d_coef: Number = 1.0
    growth_rate: Number | None = None
    use_bias_correction: bool = fixed(default=False)
    safeguard_warmup: bool = fixed(default=False)
    needs_params = True

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, beta3=FRACTION, eps=POSITIVE,
                weight_decay=POSITIVE, d0=ABOVE_0, d_coef=POSITIVE, growth_rate=(1.0, math.inf))

    @property
    def slots(self) -> tuple[str, ...]:
        return ("start", "mean", "mean_square", "gradient_sum")

    def slot_start(self, name: str) -> Any:
        return copy_of if name == "start" else super().slot_start(name)

    def shared_start(self, params: list[Any]) -> dict[str, Any]:
        start = {"distance": self.d0, "largest": self.d0, "before": self.d0, "step": 0.0, "weight": 0.0, "product": 0.0}
        return {name: as_sum(value, params) for name, value in start.items()}

    def reduce(self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar) -> dict[str, Any]:
        """d (`before`) and η d (`step`) of this step, d' (`distance`), and r (`product`); r and s divided by d₀."""
        d, decay = shared["distance"], self._decay
        # 1. This step's length is by the d before it: d' is for the next.
        step = d * as_scalar(lr, d) * self._correction(as_scalar(t, d))
        weight = d / self.d0 * (d if self.safeguard_warmup else step)
        # 2. ⟨g, θ₀ − θ⟩ is above 0 for as long as the gradients agree with the way that was come.
        towards_start = dot([g for g, _, _ in leaves], [start - p for _, p, (start, *_) in leaves])
        # 3. r over d₀, because d² is 10⁻¹² at first, and soon beyond what float32 adds up.
        product = decay * shared["product"] + d / self.d0 * step * towards_start
        # 4. The bound may fall again. d' does not: the distance to the minimum was at least that.
        estimate = self.d_coef * ratio(product, sum_abs([decay * s + weight * g for g, _, (*_, s) in leaves]))
        largest = namespace(d).maximum(shared["largest"], estimate)
        return {"distance": self._grown(d, estimate, largest), "largest": largest, "before": d, "step": step,
                "weight": weight, "product": product}

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, **shared: Array
    ) -> tuple[Any, Slots]:
        start, m, v, s = slots
        d, step = shared["before"], shared["step"]
        m = self.beta1 * m + (1 - self.beta1) * d * g
        v = self.beta2 * v + (1 - self.beta2) * (d * g) ** 2
        s = self._decay * s + shared["weight"] * g
        direction = m / (namespace(g).sqrt(v) + shared["distance"] * self.eps)
        return -step * (direction + self.weight_decay * p), (start, m, v, s)

    def metrics(self, state: RuleState) -> dict[str, Any]:
        return super().metrics(state) | {"distance": state.shared["before"]}

    @property
    def _decay(self) -> Number:
        """β₃."""
        return self.beta2**0.5 if self.beta3 is None else self.beta3

    def _correction(self, t: Array) -> Any:
        if not self.use_bias_correction:
            return 1.0
        return bias_correction(self.beta2, t) ** 0.5 / bias_correction(self.beta1, t)

    def _grown(self, d: Array, estimate: Array, largest: Array) -> Any:
        """d', below the largest estimate so far where growth is limited; from d₀ the first leap is not."""
        if self.growth_rate is None:
            return largest
        xp = namespace(d)
        leapt = xp.where(d == as_scalar(self.d0, d), xp.maximum(d, estimate), d)
        return xp.minimum(largest, leapt * self.growth_rate)


class _OverGradients(OwnStep):
    """Gradient descent whose steps are a distance over gradients: r̄, the furthest that the parameters have been from
    their start, over what is summed of the gradients so far, all arrays together."""

    needs_params = True
    reps_rel: Number
    eps: Number

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, reps_rel=ABOVE_0, eps=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("start",)

    def slot_start(self, name: str) -> Any:
        return copy_of

    def shared_start(self, params: list[Any]) -> dict[str, Any]:
        start = {"distance": self.reps_rel * (1 + norm(params)), "squares": 0.0, "step": 0.0}
        return {name: as_sum(value, params) for name, value in start.items()}

    def reduce(self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar) -> dict[str, Any]:
        gradients = [g for g, _, _ in leaves]
        # One distance for all arrays together, and so one length: directions stay the gradient's.
        moved = norm([p - start for _, p, (start, *_) in leaves])
        distance = namespace(moved).maximum(shared["distance"], moved)
        squares, step = self._step(distance, shared["squares"], dot(gradients, gradients))
        return {"distance": distance, "squares": squares, "step": as_scalar(lr, step) * step}

    def _step(self, distance: Array, squares: Array, square: Array) -> tuple[Any, Any]:
        """The sum with this step's ‖g‖², and the length η of the step."""
        raise NotImplementedError

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, *, step: Array, **_: Array
    ) -> tuple[Any, Slots]:
        return -step * g, slots

    def metrics(self, state: RuleState) -> dict[str, Any]:
        return super().metrics(state) | {"distance": state.shared["distance"]}


@rule
class DoG(_OverGradients):
    """Gradient descent with steps of the distance from the start, over the gradients so far:

        r̄ ← max(r̄, ‖θ − θ₀‖)            at the start ρ (1 + ‖θ₀‖)
        G ← G + ‖g‖²
        θ ← θ − η r̄ / √(G + ε) g

    No step is longer than r̄. With batches the steps shrink slowly, so the authors evaluate an average with polynomial
    decay, which is `PolyakAverage(DoG(), gamma=8.0)`; the rule by itself evaluates the last parameters.

    `learning_rate`: η, a factor; leave it at 1. `reps_rel`: ρ, to be so small that the first step does no harm; with
    batch normalization the authors take 1e-4. `eps`: ε, the authors' package and Optax 1e-8; at 0 the path does not
    depend on the loss's scale, and a gradient of zero still makes no step. `layerwise`: all of this for each array by
    itself (LDoG). Weight decay: wrapped in `WeightDecay(..., decoupled=False)`, as in the authors' package.

    There is no limit of stability: the steps have a length of their own. Metrics: `distance` is r̄, `effective_step`
    the length of the step over the gradient; of layers, their largest.

    >>> import numpy as np
    >>> rule, x = DoG(), np.array([3.0, -4.0])
    >>> state = rule.init(x)
    >>> for _ in range(200):
    ...     update, state = rule.update(x, state, x)
    ...     x = x + update
    >>> round(float(rule.metrics(state)["distance"]), 2), bool(abs(x).max() < 1e-5)
    (5.0, True)

    Reference: Ivgi, Hinder and Carmon, "DoG is SGD's best friend", arXiv 2302.12022.
    """

    learning_rate: Rate | Schedule = 1.0
    reps_rel: Number = 1e-6
    eps: Number = 0.0
    layerwise: bool = fixed(default=False)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("start", *OF_ALL) if self.layerwise else ("start",)

    def slot_start(self, name: str) -> Any:
        return copy_of if name == "start" else lambda p: super(DoG, self).shared_start([p])[name]

    def shared_start(self, params: list[Any]) -> dict[str, Any]:
        return {} if self.layerwise else super().shared_start(params)

    def reduce(self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar) -> dict[str, Any]:
        return {} if self.layerwise else super().reduce(leaves, shared, t, lr)

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, **shared: Array
    ) -> tuple[Any, Slots]:
        if not self.layerwise:
            return super().update_parameter(g, p, slots, t, lr, **shared)
        start, *own = slots
        of_all = super().reduce([(g, p, slots)], dict(zip(OF_ALL, own, strict=True)), t, lr)
        return -as_scalar(of_all["step"], g) * g, (start, *of_all.values())

    def metrics(self, state: RuleState) -> dict[str, Any]:
        if self.layerwise:
            state = state._replace(shared={name: _largest(state.slots[name]) for name in OF_ALL})
        return super().metrics(state)

    def rates(self, state: RuleState, params: Tree) -> Tree:
        return state.slots["step"] if self.layerwise else super().rates(state, params)

    def _step(self, distance: Array, squares: Array, square: Array) -> tuple[Any, Any]:
        # ε within the root, as the paper has it; DoWG has it outside.
        squares = squares + square
        return squares, ratio(distance, (squares + self.eps) ** 0.5)


OF_ALL = ("distance", "squares", "step")


def _largest(tree: Tree) -> Any:
    leaves = jax.tree.leaves(tree)
    return reduce(namespace(leaves[0]).maximum, leaves)


@rule
class DoWG(_OverGradients):
    """Gradient descent with steps of the squared distance from the start, over the gradients weighted by it:

        r̄ ← max(r̄, ‖θ − θ₀‖)            at the start ρ (1 + ‖θ₀‖)
        v ← v + r̄² ‖g‖²
        θ ← θ − η r̄² / (√v + ε) g

    Early gradients weigh less than in DoG, so the steps are longer, up to r̄, and adapt to the curvature, too.

    `learning_rate`: η, a factor; leave it at 1. `reps_rel`: ρ; the authors' code and Optax begin at r̄² = 1e-4
    instead, wherever the parameters are. `eps`: ε, there 1e-4; at 0 the path does not depend on the loss's scale, and
    a gradient of zero still makes no step. Weight decay: wrapped in `WeightDecay(..., decoupled=False)`.

    There is no limit of stability: the steps have a length of their own. Metrics: `distance` is r̄, `effective_step`
    the length of the step over the gradient.

    >>> import numpy as np
    >>> rule, x = DoWG(), np.array([3.0, -4.0])
    >>> state = rule.init(x)
    >>> for _ in range(100):
    ...     update, state = rule.update(x, state, x)
    ...     x = x + update
    >>> round(float(rule.metrics(state)["distance"]), 2), bool(abs(x).max() < 1e-5)
    (7.14, True)

    Reference: Khaled, Mishchenko and Jin, "DoWG unleashed", arXiv 2305.16284.
    """

    learning_rate: Rate | Schedule = 1.0
    reps_rel: Number = 1e-6
    eps: Number = 0.0

    def _step(self, distance: Array, squares: Array, square: Array) -> tuple[Any, Any]:
        squares = squares + distance**2 * square
        return squares, ratio(distance**2, squares**0.5 + self.eps)
