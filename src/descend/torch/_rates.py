"""The learning rate of any optimizer as one number, which PyTorch's schedulers may change."""

from typing import Any

import jax
from jax.tree_util import GetAttrKey

from descend.errors import InputError
from descend.optimizers import Optimizer
from descend.schedules import Rate, Schedule


class Rates:
    """The learning rates inside an optimizer: numbers, or schedules.

    Where there are several, `first` stands for all: the others keep their proportion to it.
    """

    def __init__(self, rule: Optimizer) -> None:
        self.rule = rule
        self._leaves, treedef = jax.tree_util.tree_flatten_with_path(rule, is_leaf=_is_schedule)
        self._treedef: Any = treedef
        rates = [leaf for path, leaf in self._leaves if _is_rate(path)]
        self.scheduled = any(map(_is_schedule, rates))
        self._first = rates[0] if rates else None
        self.settable = bool(rates) and not self.scheduled

    def at(self, step: int) -> float:
        """The first rate at a step, counted from 0; 1 for an optimizer that has none."""
        if self._first is None:
            return 1.0
        return float(self._first(step) if isinstance(self._first, Schedule) else self._first)

    def set_to(self, rate: Rate) -> Optimizer:
        """The optimizer with another first rate, and the others in proportion."""
        if not self.settable or rate is self._first or rate == self._first:
            return self.rule
        # A group has one `lr`, which PyTorch's schedulers set. Of several rates the first is that one; the others
        # follow it.
        first: Any = self._first

        def changed(path: tuple[Any, ...], leaf: Any) -> Any:
            if not _is_rate(path):
                return leaf
            if leaf != first and first == 0:
                raise InputError(f"{self.rule}: to a first learning rate of 0 the others have no proportion")
            return rate if leaf == first else leaf * (rate / first)

        return self._treedef.unflatten([changed(path, leaf) for path, leaf in self._leaves])


def _is_rate(path: tuple[Any, ...]) -> bool:
    return bool(path) and path[-1] == GetAttrKey("learning_rate")


def _is_schedule(node: object) -> bool:
    return isinstance(node, Schedule)
