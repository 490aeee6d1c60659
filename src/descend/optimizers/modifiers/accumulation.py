"""One step from several batches."""

import dataclasses
from difflib import get_close_matches
from typing import Any

import jax

from descend._arrays import as_scalar, namespace
from descend._checks import refuse_other_structure
from descend._control import choose, unmoved
from descend._tree import Tree, named_leaves
from descend.errors import InputError
from descend.optimizers._modifier import Modifier, ModifierState, Own, Wrapped, scalar, wide_dtype
from descend.optimizers._optimizer import needed
from descend.optimizers._rule import rule as setting
from descend.schedules import fixed


@setting
class Accumulate(Modifier):
    """Gradients averaged over k batches, for a step that is that of one large batch:

        G ← G + w g        W ← W + w        at every batch
        u(G / W), then G, W ← 0             at every k-th; no step at the others

    `batches`: k. `weight`: the name of what the loss returns besides its value by which its mean over a batch is to
    be weighted, the number of items that it is a mean over: for batches with padding (`"tokens"`), or of different
    sizes, the mean of means is not the mean. `None`: w = 1.

    The rule gets the mean of the losses and the sum of the weights, too, and counts its own steps: a schedule for n
    steps of a descent is one for n/k of the rule. A sum that is not complete when a descent ends is not stepped.
    Metric: `accumulated`, the batches that wait for a step.

    What looks at other points (`SAM`) belongs around `Accumulate`, because of the batches before the last nothing is
    left to evaluate; and so does `SkipNonfinite`, which then leaves single batches out.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = Accumulate(SGD(1.0), batches=2, weight="tokens")
    >>> x = np.zeros(1)
    >>> state = rule.init(x)
    >>> for g, tokens in ((np.array([1.0]), 10), (np.array([4.0]), 20)):
    ...     update, state = rule.update(g, state, x, aux={"tokens": tokens})
    >>> update                                       # (10 · 1 + 20 · 4) / 30
    array([-3.])

    **Raises** `InputError` if the loss returns nothing of the weight's name.
    """

    rule: Wrapped
    batches: int = fixed()
    weight: str | None = fixed(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches < 1:
            raise InputError(f"Accumulate: batches must be at least 1, but is {self.batches}")

    def own_start(self, params: Tree) -> Own:
        return {
            "count": scalar(params, 0, "int32"),
            "weight": scalar(params, 0.0),
            "value": scalar(params, 0.0),
            "gradient": jax.tree.map(lambda p: namespace(p).zeros_like(p, dtype=wide_dtype(p)), params),
        }

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        refuse_other_structure(grads, own["gradient"], "the gradients before them")
        weight = as_scalar(self._weight(extra), own["weight"])
        value = extra.get("value")
        sums: Own = {
            "count": own["count"] + 1,
            "weight": own["weight"] + weight,
            "value": own["value"] + (0 if value is None else weight * as_scalar(value, weight)),
            "gradient": jax.tree.map(lambda s, g: s + as_scalar(weight, s) * as_scalar(g, s), own["gradient"], grads),
        }

        def stepped() -> tuple[Tree, Any, Own]:
            # Of no items the mean is 0, and not 0/0.
            total = namespace(weight).where(sums["weight"] == 0, 1, sums["weight"])
            # Of k batches the last alone is at hand here: its loss at other points would not be that of the mean.
            known = extra | {name: _gone for name in ("value_fn", "value_and_grad") if name in extra}
            if value is not None:
                known["value"] = sums["value"] / total
            if self.weight is not None:
                known["aux"] = {**extra["aux"], self.weight: sums["weight"]}
            mean = jax.tree.map(lambda s, g: as_scalar(s / as_scalar(total, s), g), sums["gradient"], grads)
            return *self.rule.update(mean, inner, params, **known), self.own_start(grads)

        return choose(sums["count"] == self.batches, stepped, lambda: (unmoved(grads), inner, sums))

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        return {**self.rule.metrics(state.rule), "accumulated": state.own["count"]}

    def skipped_update(self, state: ModifierState) -> Any:
        said = self.rule.skipped_update(state.rule)
        # The rule tells of its own last step, and not of a batch since.
        return said if said is False else said & (state.own["count"] == 0)

    def over(self, steps: int | None) -> "Accumulate":
        return dataclasses.replace(self, rule=self.rule.over(None if steps is None else max(1, steps // self.batches)))

    def _weight(self, extra: dict[str, Any]) -> Any:
        if self.weight is None:
            return 1.0
        known = named_leaves(needed(self, extra, "aux"))
        if self.weight not in known:
            near = get_close_matches(self.weight, known, n=1) or list(known)
            raise InputError(f"Accumulate weighs batches by '{self.weight}', but besides its value the loss returns " +
                             (f"{', '.join(near)}" if near else "nothing: let it return a dict with that number"))
        return known[self.weight]


def _gone(_: Tree) -> Any:
    raise InputError("an optimizer inside Accumulate evaluates the loss at other points, but of the batches only the "
                     "last is there: put Accumulate inside of it, around the rule that steps")
