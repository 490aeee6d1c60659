"""Different settings for different parameters, chosen by the pattern of their path."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from descend._paths import Patterns, as_tuple, matches, refuse_unmatched
from descend._tree import Tree, named_leaves
from descend.errors import InputError
from descend.optimizers._modifier import Wrapped, refuse_foreign, refuse_searches
from descend.optimizers._optimizer import Optimizer
from descend.optimizers._partition import Partition, PartitionState
from descend.optimizers._rule import rule as setting
from descend.schedules import fixed

REST, MOVING, FROZEN = "default", "moving", "frozen"  # names of parts


@setting
class Groups:
    """Optimizers by pattern, in their order: a mapping whose numbers are leaves of a pytree."""

    patterns: tuple[Patterns, ...] = fixed()
    rules: tuple[Wrapped, ...] = ()

    def __repr__(self) -> str:
        return repr(dict(zip(self.patterns, self.rules, strict=True)))

    def over(self, steps: int | None) -> "Groups":
        """The same for a descent of `steps` steps."""
        return dataclasses.replace(self, rules=tuple(rule.over(steps) for rule in self.rules))


@setting
class PerGroup(Partition):
    """An optimizer for each group of parameters, by the pattern of their path.

    `default`: for the parameters that fit no pattern. `groups`: optimizers by pattern, or by several patterns; the
    first group that fits a parameter has it. In a pattern `*` stands for anything, also for `/`.

    Clipping within a group looks at the group's gradient alone. What is read out carries the group's name,
    `learning_rate/*/bias`; without it, it is that of the default. There is no one limit of stability.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = PerGroup(SGD(0.5), {"*/bias": SGD(0.1), ("embed*", "head/*"): SGD(0.2)})
    >>> params = {"embedding": np.ones(1), "head": {"weight": np.ones(1), "bias": np.ones(1)}, "scale": np.ones(1)}
    >>> rule.update(params, rule.init(params), params)[0]
    {'embedding': array([-0.2]), 'head': {'bias': array([-0.1]), 'weight': array([-0.2])}, 'scale': array([-0.5])}

    **Raises** `InputError` for a pattern that fits no parameter, a group whose parameters all belong to groups before
    it, and a line search, which has to move all parameters together.
    """

    default: Wrapped
    # A mapping, kept as `Groups`.
    groups: Any

    def __post_init__(self) -> None:
        if isinstance(self.groups, Mapping):
            object.__setattr__(self, "groups", Groups(tuple(self.groups), tuple(self.groups.values())))
        for optimizer in (self.default, *self.groups.rules):
            refuse_foreign("PerGroup", optimizer)
            refuse_searches("PerGroup", optimizer)
        names = [REST, *map(_name, self.groups.patterns)]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"PerGroup: two groups have the name '{twice[0]}'; put their patterns into one")

    def parts(self) -> Mapping[str, Optimizer | None]:
        return {REST: self.default, **dict(zip(map(_name, self.groups.patterns), self.groups.rules, strict=True))}

    def part_of(self, path: str, leaf: Any) -> str:
        # In their order, so that an exception may stand before the rule that it is from.
        fitting = (patterns for patterns in self.groups.patterns if matches(patterns, path))
        return next(map(_name, fitting), REST)

    def init(self, params: Tree) -> PartitionState:
        held = self._held(params)
        for patterns in self.groups.patterns:
            refuse_unmatched("PerGroup", patterns, named_leaves(params))
            if (name := _name(patterns)) not in held:
                raise InputError(f"PerGroup: all parameters that fit '{name}' belong to groups before it: put it first")
        return super().init(params)

    def over(self, steps: int | None) -> "PerGroup":
        return PerGroup(self.default.over(steps), self.groups.over(steps))


@setting
class Freeze(Partition):
    """Some parameters held where they are, bit for bit.

    Nothing is remembered of them, and their gradients, which may be `None`, do not count, neither for the rule nor for
    a test of convergence. `where`: patterns of the paths that are frozen; integers may be, too.

    Freeze outermost: what an optimizer around this one does to gradients (clipping by the norm of all, say), it does
    with those of frozen parameters among them.

    >>> import numpy as np
    >>> from descend.optimizers import Adam
    >>> rule = Freeze(Adam(0.1), "encoder/*")
    >>> params = {"encoder": {"weight": np.ones(2)}, "head": np.ones(2)}
    >>> updates, state = rule.update(params, rule.init(params), params)
    >>> updates["head"].round(6), state.parts["moving"].slots["mean"]
    (array([-0.1, -0.1]), {'encoder': {'weight': None}, 'head': array([0.1, 0.1])})

    **Raises** `InputError` for a pattern that fits no parameter, and if all are frozen.
    """

    rule: Wrapped
    where: Patterns = fixed()

    def __post_init__(self) -> None:
        refuse_foreign("Freeze", self.rule)

    def parts(self) -> Mapping[str, Optimizer | None]:
        return {MOVING: self.rule, FROZEN: None}

    def part_of(self, path: str, leaf: Any) -> str:
        return FROZEN if matches(self.where, path) else MOVING

    def init(self, params: Tree) -> PartitionState:
        refuse_unmatched("Freeze", self.where, named_leaves(params))
        return super().init(params)

    def metrics(self, state: PartitionState) -> dict[str, Any]:
        return self.rule.metrics(state.parts[MOVING])

    def stability_limit(self) -> float | None:
        """That of the rule, for the curvature along the parameters that move."""
        return self.rule.stability_limit()


def _name(patterns: Patterns) -> str:
    return ",".join(as_tuple(patterns))
