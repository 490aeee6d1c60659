"""Parameters by name, as a tree of its own kind: in the state of any optimizer it tells what belongs to one of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.tree_util import DictKey
from torch import Tensor

from descend._tree import Tree, path_name


@jax.tree_util.register_pytree_with_keys_class
class ByName(dict[str, Any]):
    """Values by the name of a parameter; no optimizer has such a node in its state for anything else."""

    def tree_flatten_with_keys(self) -> tuple[list[tuple[DictKey, Any]], tuple[str, ...]]:
        """The values with their names."""
        return [(DictKey(name), value) for name, value in self.items()], tuple(self)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: Sequence[Any]) -> "ByName":
        """The values by name again."""
        return cls(zip(names, values, strict=True))


class Layout(NamedTuple):
    """Where the parts of an optimizer's state are kept: what belongs to a parameter with it, the rest in its group.

    `labels`: for each place in the state, the names of its entries by parameter, or its name in the group.
    """

    treedef: Any
    labels: tuple[Mapping[str, str] | str, ...]

    @classmethod
    def of(cls, tree: Tree) -> "Layout":
        """The layout of a state: an entry is called by the end of its path, as much as tells it from others."""
        places, treedef = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_by_name)
        paths = [path_name(path).split("/") for path, _ in places]
        holders = [_holders(value) for _, value in places]
        common = [path for path, held in zip(paths, holders, strict=True) if held is None]

        def label(path: list[str], name: str | None) -> str:
            if name is None:
                return _told_apart(path, common)
            others = [other for other, held in zip(paths, holders, strict=True) if held and name in held]
            return _told_apart(path, others)

        return cls(treedef, tuple(
            label(path, None) if held is None else {name: label(path, name) for name in held}
            for path, held in zip(paths, holders, strict=True)
        ))

    def split(self, tree: Tree) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """The entries of each parameter, and those that all share."""
        own: dict[str, dict[str, Any]] = {}
        shared: dict[str, Any] = {}
        for labels, value in zip(self.labels, jax.tree.leaves(tree, is_leaf=_is_by_name), strict=True):
            if isinstance(labels, str):
                shared[labels] = value
                continue
            for name, held in value.items():
                if held is not None:
                    own.setdefault(name, {})[labels[name]] = held
        return own, shared

    def join(self, own: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any], order: Sequence[str]) -> Any:
        """The state of some of the parameters, from their entries and those that all share."""
        return self.treedef.unflatten([
            shared[labels] if isinstance(labels, str) else
            ByName((name, own[name][labels[name]] if name in labels and name in own else None) for name in order)
            for labels in self.labels
        ])


def owned(tree: Tree, others: Sequence[Tensor]) -> Tree:
    """A state whose tensors share no memory with parameters or gradients, which are changed in place."""
    # By the memory itself: a view, or a tensor that was detached, is another object with the same numbers.
    taken = {other.untyped_storage().data_ptr() for other in others}

    def own(leaf: object) -> object:
        if isinstance(leaf, Tensor) and leaf.untyped_storage().data_ptr() in taken:
            return leaf.detach().clone()
        return leaf

    return jax.tree.map(own, tree)


def _is_by_name(node: object) -> bool:
    return isinstance(node, ByName)


def _holders(value: object) -> list[str] | None:
    """The parameters with an entry in this place; `None` if it is no place for parameters' entries."""
    return [name for name, held in value.items() if held is not None] if isinstance(value, ByName) else None


def _told_apart(path: list[str], others: list[list[str]]) -> str:
    """The shortest end of the path that is no other's, beginning with a name rather than with a number."""
    # Short labels are what people read in `optimizer.state`, and what other rules call the same thing by.
    for length in range(1, len(path)):
        end = path[-length:]
        if not end[0].isdigit() and sum(other[-length:] == end for other in others) == 1:
            return "/".join(end)
    return "/".join(path)
