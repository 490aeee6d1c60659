"""From a loss and what it is given to its program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr

from descend._tree import join, path_name, split
from descend.insight.probe.graph import Graph


@dataclass(frozen=True)
class Traced:
    """A loss's program for arguments of certain kinds: `program` takes their arrays, and gives the arrays of what the
    loss returns, which `returned` puts together. `arrays`: those it was traced with; `names`: of which argument each
    is, and its path there."""

    program: ClosedJaxpr
    arrays: list[Any]
    names: list[tuple[str, str]]
    returned: Any

    @classmethod
    def of(cls, function: Callable[..., Any], given: dict[str, Any]) -> "Traced":
        """`function(**given)`, traced; what is no number in an argument (names, functions) is not one of its arrays."""
        numbers, rest = split_all(given)
        leaves, treedef = jax.tree.flatten(numbers)
        names = [(str(path[0].key), path_name(path[1:])) for path, _ in jax.tree_util.tree_leaves_with_path(numbers)]
        made: list[Any] = []
        together: Any = treedef

        def flat(arrays: list[Any]) -> list[Any]:
            results, structure = jax.tree.flatten(function(**join(together.unflatten(arrays), rest)))
            made.append(structure)
            return results

        program = jax.make_jaxpr(flat)(leaves)
        return cls(program, leaves, names, made[-1])

    @property
    def graph(self) -> Graph:
        """The program as a graph."""
        return Graph.of(self.program, self.names)


def split_all(given: dict[str, Any]) -> tuple[Any, Any]:
    """The numbers of all arguments, and the rest. Keys are arrays."""
    pairs = {name: split(value) for name, value in given.items()}
    return {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}

