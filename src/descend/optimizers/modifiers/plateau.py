"""A learning rate that falls when the loss does not."""

from typing import Any

import jax
from jax.tree_util import GetAttrKey, tree_leaves_with_path

from descend._arrays import Array, Scalar, as_scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, require, require_whole
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._modifier import Modifier, ModifierState, Own, Wrapped, scalar
from descend.optimizers._optimizer import Optimizer, needed
from descend.optimizers._partition import Partition
from descend.optimizers._rule import rule as setting
from descend.schedules import Number, Rate, Schedule, as_schedule, fixed, has, switched

RATE = GetAttrKey("learning_rate")


@setting
class ReduceOnPlateau(Modifier):
    """The learning rate multiplied by a factor whenever the loss has stopped falling:

        η ← max(f η, floor)        once more than `patience` losses in a row were not below (1 − threshold) · best

    `factor`: f. `cooldown`: so many losses after a reduction do not count. `floor`: the least learning rate. `every`:
    compare the mean of so many losses: those of single batches differ too much to tell. Cooldown and patience are
    counted in means.

    All learning rates inside are multiplied, whatever their schedules, and `learning_rate` reads out the result; the
    updates of an optimizer that has none (`External`) are multiplied themselves, as Optax does for all. `rate_scale`
    reads out the product of the factors. As in a loop with PyTorch's `ReduceLROnPlateau`, a loss counts from the next
    step on; Optax lets it count at once, and calls `patience` what is one more here.

    `update` needs the loss: `update(grads, state, params, value=...)`; a descent gives it.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule, g = ReduceOnPlateau(SGD(1.0), factor=0.5, patience=1), np.array([1.0])
    >>> state, read = rule.init(g), []
    >>> for loss in (2.0, 1.0, 1.0, 1.0, 1.0):
    ...     update, state = rule.update(g, state, value=loss)
    ...     read.append(float(rule.metrics(state)["learning_rate"]))
    >>> read
    [1.0, 1.0, 1.0, 1.0, 0.5]

    **Raises** `InputError` if there is a floor, but no learning rate.
    """

    rule: Wrapped
    factor: Number = 0.1
    patience: int = fixed(default=10)
    threshold: Number = 1e-4
    cooldown: int = fixed(default=0)
    floor: Number = switched(default=0.0)
    every: int = fixed(default=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, factor=FRACTION, threshold=FRACTION, floor=POSITIVE)
        require_whole(self, patience=0, cooldown=0)
        if self.every < 1:
            raise InputError(f"ReduceOnPlateau: every must be at least 1 step, but is {self.every}")

    def own_start(self, params: Tree) -> Own:
        numbers = {"scale": 1.0, "used": 1.0, "best": float("inf"), "total": 0.0}
        counts = dict.fromkeys(("seen", "bad", "cooling"), 0)
        return {name: scalar(params, start) for name, start in numbers.items()} | {
            name: scalar(params, start, "int32") for name, start in counts.items()
        }

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        value = as_scalar(needed(self, extra, "value"), own["total"])
        # With the factor that losses up to the last step have given: this one counts from the next on.
        updates, inner = self._slowed(own["scale"]).update(grads, inner, params, **extra)
        own = own | {"used": own["scale"], "total": own["total"] + value, "seen": own["seen"] + 1}
        where, judged = namespace(value).where, self._judged(own)
        return updates, inner, {name: where(own["seen"] == self.every, judged[name], own[name]) for name in own}

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        used = state.own["used"]
        return {**self._slowed(used).metrics(state.rule), "rate_scale": used}

    def rates(self, state: ModifierState, params: Tree) -> Tree:
        return self._slowed(state.own["used"]).rates(state.rule, params)

    def _judged(self, own: Own) -> Own:
        """What is remembered once a mean of losses is complete; PyTorch's algorithm."""
        xp, mean, best = namespace(own["total"]), own["total"] / self.every, own["best"]
        # PyTorch multiplies a best below 0 by 1 − threshold, too, so that a loss that rises counts as better: hence the
        # sign.
        better = mean < best * (1 - self.threshold * xp.sign(best))
        cooling = own["cooling"] > 0
        bad = xp.where(better | cooling, 0, own["bad"] + 1)
        reduces = bad > self.patience
        return {
            "scale": xp.where(reduces, as_scalar(self.factor, mean) * own["scale"], own["scale"]),
            "used": own["used"],
            "best": xp.where(better, mean, best),
            # A new zero, as the old total may not be finite.
            "total": xp.zeros_like(own["total"]),
            "seen": xp.zeros_like(own["seen"]),
            "bad": xp.where(reduces, 0, bad),
            "cooling": xp.where(reduces, self.cooldown, xp.clip(own["cooling"] - 1, 0, None)),
        }

    def _slowed(self, scale: Array) -> Optimizer:
        """The rule with its learning rates multiplied."""

        def slow(path: tuple[Any, ...], node: object) -> Any:
            if isinstance(node, Optimizer):
                if has(self, "floor"):
                    raise InputError(f"ReduceOnPlateau: {type(node).__name__} has no learning rate that could be held "
                                     "above a floor")
                return _Slowed(node, scale)
            return _Reduced(as_schedule(node), scale, self.floor) if path and path[-1] == RATE else node

        return jax.tree_util.tree_map_with_path(slow, self.rule, is_leaf=_is_leaf)


@setting
class _Reduced(Schedule):
    """A schedule multiplied by a factor, as far as the floor."""

    schedule: Schedule
    scale: Rate
    floor: Number

    def __call__(self, step: Scalar) -> Rate:
        rate = self.schedule(step)
        reduced = as_scalar(rate, self.scale) * self.scale
        xp = namespace(reduced)
        return xp.maximum(reduced, xp.minimum(as_scalar(rate, reduced), as_scalar(self.floor, reduced)))


@setting
class _Slowed(Optimizer):
    """An optimizer whose updates are multiplied by a factor."""

    rule: Optimizer
    scale: Rate

    def update(self, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, Any]:
        updates, state = self.rule.update(grads, state, params, **extra)
        return jax.tree.map(lambda u: u * as_scalar(self.scale, u), updates), state

    def metrics(self, state: Tree) -> dict[str, Any]:
        return self.rule.metrics(state)


def _is_leaf(node: object) -> bool:
    """Schedules, and optimizers in which there is no learning rate."""
    whole = isinstance(node, Optimizer) and not isinstance(node, Modifier | Partition)
    return isinstance(node, Schedule) or (whole and not any(RATE in path for path, _ in tree_leaves_with_path(node)))
