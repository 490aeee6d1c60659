"""Averages of the parameters on the way, which are evaluated, saved and returned in place of the last ones."""

from typing import Any

import jax

from descend._arrays import Array, as_scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, is_known_scalar, plain, require, require_whole
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._modifier import Modifier, ModifierState, Own, Wrapped, scalar, wide_dtype
from descend.optimizers._rule import bias_correction, copy_of
from descend.optimizers._rule import rule as setting
from descend.optimizers._sums import as_sum
from descend.schedules import Number, fixed


class _Average(Modifier):
    """A moving average of the parameters θ₁, θ₂, ... after each step, at least in float32:

        x ← x + w (θ − x)

    What is remembered lags by a step: parameters are averaged when the next step finds them, so that whatever changes
    updates further out is in them. `eval_params` adds the last ones.
    """

    needs_params = True

    def weight(self, n: Array) -> Any:
        """The weight w of the last of n parameters; 1 for the first."""
        raise NotImplementedError

    def own_start(self, params: Tree) -> Own:
        return {"count": scalar(params, 0, "int32"), "average": jax.tree.map(_wide_copy, params)}

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        updates, inner = self.rule.update(grads, inner, params, **extra)
        return updates, inner, {"count": own["count"] + 1, "average": self._average(own, params)}

    def eval_params(self, state: ModifierState, params: Tree) -> Tree:
        return self._average(state.own, params)

    def _average(self, own: Own, params: Tree) -> Tree:
        # The start is not averaged: θ₁ takes its place.
        n = namespace(own["count"]).clip(own["count"], 1, None)
        weight = self.weight(as_sum(n, jax.tree.leaves(own["average"])))

        def averaged(x: Array, p: Array) -> Any:
            new = as_scalar(p, x)
            # From the new one, and so exactly θ where w is 1.
            return new - (1 - as_scalar(weight, x)) * (new - x)

        return jax.tree.map(averaged, own["average"], params)


@setting
class EMA(_Average):
    """An exponential moving average of the parameters:

        x ← d x + (1 − d) θ,        divided by 1 − dᵗ: as if it had begun at zero, and that were corrected

    `decay`: d. `debias`: the correction, as in Adam and `optax.ema`: all θ so far weigh alike at first, and a long
    average is of use from the first step on. Without it the average begins at θ₁, which keeps its weight for some
    1/(1 − d) steps; so it is in PyTorch's `get_ema_multi_avg_fn` and in Keras.

    An average that `rule` may keep itself is passed over. If `rule` steps once in k updates (`Accumulate`), put the
    average inside.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = EMA(SGD(1.0), decay=0.5)
    >>> x = np.array([0.0])
    >>> state = rule.init(x)
    >>> for g in (-1.0, -3.0):                       # to 1, and then to 4
    ...     update, state = rule.update(np.array([g]), state, x)
    ...     x = x + update
    >>> rule.eval_params(state, x)                   # (.25 · 1 + .5 · 4) / .75
    array([3.])

    Reference: Morales-Brotons, Vogels and Hendrikx, "Exponential moving average of weights in deep learning",
    arXiv 2411.18704.
    """

    rule: Wrapped
    decay: Number = 0.999
    debias: bool = fixed(default=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, decay=FRACTION)

    def weight(self, n: Array) -> Any:
        if self.debias:
            return (1 - self.decay) / bias_correction(self.decay, n)
        return namespace(n).where(n == 1, n, 1 - self.decay)


@setting
class PolyakAverage(_Average):
    """The mean of the parameters after each step, or one in which later ones weigh more:

        x ← x + (1 + γ) / (t + γ) (θ − x)         t = 1, 2, ... for the steps after the first `start`

    `start`: so many steps are left out; until then the last parameters are evaluated. `gamma`: γ, 0 for the mean of
    Polyak and Ruppert (PyTorch's `AveragedModel`, stochastic weight averaging), more for polynomial decay: the weight
    of step t is about t^γ. Shamir and Zhang take 3; the authors of `DoG`, who recommend it, 8.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = PolyakAverage(SGD(1.0))
    >>> x = np.array([0.0])
    >>> state = rule.init(x)
    >>> for g in (-1.0, -3.0):                       # to 1, and then to 4
    ...     update, state = rule.update(np.array([g]), state, x)
    ...     x = x + update
    >>> rule.eval_params(state, x)
    array([2.5])

    References: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; Shamir and Zhang,
    "Stochastic gradient descent for non-smooth optimization", arXiv 1212.1824.
    """

    rule: Wrapped
    start: int = fixed(default=0)
    gamma: Number = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, gamma=POSITIVE)
        require_whole(self, start=0)

    def weight(self, n: Array) -> Any:
        return (1 + self.gamma) / (namespace(n).clip(n - self.start, 1, None) + self.gamma)


@setting
class Lookahead(Modifier):
    """The rule runs ahead for k steps, and is then called back part of the way:

        φ ← φ + α (θ − φ),        θ ← φ          at every k-th step

    `every`: k. `fraction`: α. What is evaluated are the slow weights φ. The rule's own state stays as it is when θ is
    called back, as by default in the authors' code; with momentum it then still heads where θ was going. It belongs
    inside of what changes updates, such as weight decay.

    Any step at which the rule is stable stays so; theory gives no one limit.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = Lookahead(SGD(1.0), every=2, fraction=0.5)
    >>> x = np.array([0.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):                           # to 1, and 2, which becomes 1
    ...     update, state = rule.update(np.array([-1.0]), state, x)
    ...     x = x + update
    >>> x
    array([1.])

    Reference: Zhang, Lucas, Hinton and Ba, "Lookahead optimizer: k steps forward, 1 step back", arXiv 1907.08610.
    """

    rule: Wrapped
    every: int = fixed(default=5)
    fraction: Number = 0.5
    needs_params = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if is_known_scalar(self.fraction) and not 0 < self.fraction <= 1:
            raise InputError(f"Lookahead: fraction must be above 0 and at most 1, but is {self.fraction}")
        plain(self, "fraction")
        if self.every < 1:
            raise InputError(f"Lookahead: every must be at least 1 step, but is {self.every}")

    def own_start(self, params: Tree) -> Own:
        return {"count": scalar(params, 0, "int32"), "slow": jax.tree.map(copy_of, params)}

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        slow, count = self._slow(own, params), own["count"] + 1
        updates, inner = self.rule.update(grads, inner, params, **extra)

        def called_back(u: Array, p: Array, s: Array) -> Any:
            # As an update from θ: the optimizer is asked what to add, not where to go.
            back = s + as_scalar(self.fraction, s) * (p + u - s) - p
            return namespace(p).where(count % self.every == 0, back, u)

        return jax.tree.map(called_back, updates, params, slow), inner, {"count": count, "slow": slow}

    def eval_params(self, state: ModifierState, params: Tree) -> Tree:
        return self._slow(state.own, params)

    def stability_limit(self) -> None:
        return None

    def _slow(self, own: Own, params: Tree) -> Tree:
        """φ: after every k-th step it is where the parameters are, else where they were."""
        here = own["count"] % self.every == 0
        return jax.tree.map(lambda s, p: namespace(p).where(here, p, s), own["slow"], params)


def _wide_copy(p: Array) -> Any:
    """The parameter, at least in float32, in memory of its own: a caller may give both away."""
    return namespace(p).asarray(p, dtype=wide_dtype(p), copy=True)
