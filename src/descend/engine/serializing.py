"""Rules, schedules and trees of parameters as JSON, and back; only classes of `descend` are ever made.

Plain values and lists stand for themselves. A dict with one key says what else there is: `{"tuple": [...]}`,
`{"dict": [[key, value], ...]}`, `{"number": [value, dtype]}`, `{"setting": [class, {name: value, ...}]}`; `{"other":
...}` for what cannot be written, which whoever reads must bring.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from descend import optimizers, schedules
from descend._tree import Tree, path_name
from descend.errors import CheckpointError
from descend.optimizers.modifiers.groups import Groups
from descend.schedules.trapezium import Trapezium
from descend.stopping import Convergence, GradientTolerance

# A number of a tree, which lies among the arrays of the file.
LEAF = {"leaf": None}


def written(value: Any) -> Any:
    """A setting as JSON."""
    told: Any
    match value:
        case None | bool() | str():
            told = value
        case np.generic() | np.ndarray() | jax.Array():
            told = {"number": [np.asarray(value).tolist(), str(value.dtype)]}
        case int() | float():
            told = value
        case list():
            told = [written(item) for item in value]
        case tuple():
            told = {"tuple": [written(item) for item in value]}
        case dict():
            told = {"dict": [[written(key), written(item)] for key, item in value.items()]}
        case _ if _classes().get(type(value).__name__) is type(value):
            names = [field.name for field in dataclasses.fields(value) if field.init]  # type: ignore[arg-type]
            told = {"setting": [type(value).__name__, {name: written(getattr(value, name)) for name in names}]}
        case _:
            told = {"other": repr(value)}
    return told


def read(value: Any, what: str) -> Any:
    """The setting that was written; `what` it is, for the message.

    **Raises** `CheckpointError` for what was not written, or by no setting of this version.
    """
    if isinstance(value, list):
        return [read(item, what) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    try:
        match tag:
            case "number":
                return np.asarray(content[0], content[1])[()]
            case "tuple":
                return tuple(read(item, what) for item in content)
            case "dict":
                return {read(key, what): read(item, what) for key, item in content}
            case "setting":
                return _classes()[content[0]](**{name: read(item, what) for name, item in content[1].items()})
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the {what} of the file cannot be made here ({error}): give {what}=") from None
    raise CheckpointError(f"the {what} of the file is none of descend's, {content}: give {what}=")


def outline(node: Tree) -> Any:
    """The structure of a tree of plain containers, and what in it is no number."""
    if type(node) is dict and all(isinstance(key, str | int) for key in node):
        return {"dict": [[key, outline(item)] for key, item in node.items()]}
    if type(node) in (list, tuple):
        return {type(node).__name__: [outline(item) for item in node]}
    if isinstance(node, np.ndarray | np.generic | jax.Array):
        return LEAF
    return node if node is None or isinstance(node, bool | str) else {"other": type(node).__name__}


def tree_of(outlined: Any, arrays: dict[str, np.ndarray], what: str) -> Tree:
    """The tree of an outline, its numbers by path.

    **Raises** `CheckpointError` if the file does not have them, or the tree was none of plain containers.
    """

    def made(node: Any, path: tuple[Any, ...]) -> Any:
        if not isinstance(node, dict):
            return node
        ((tag, content),) = node.items()
        if tag == "leaf":
            name = path_name(path)
            if name not in arrays:
                raise CheckpointError(f"the {what} of the file have no '{name}': it is damaged")
            return arrays[name]
        if tag == "dict":
            return {key: made(item, (*path, jax.tree_util.DictKey(key))) for key, item in content}
        if tag in ("list", "tuple"):
            items = [made(item, (*path, jax.tree_util.SequenceKey(i))) for i, item in enumerate(content)]
            return items if tag == "list" else tuple(items)
        raise CheckpointError(f"the {what} of the file are a {content}, which has to be given: {what}=")

    return made(outlined, ())


def _classes() -> dict[str, type]:
    """The settings that may be made, by name."""
    known = [*(getattr(optimizers, name) for name in optimizers.__all__),
             *(getattr(schedules, name) for name in schedules.__all__), Groups, Trapezium, Convergence,
             GradientTolerance]
    ours = (cls for cls in known if isinstance(cls, type) and dataclasses.is_dataclass(cls))
    return {cls.__name__: cls for cls in ours if cls is not optimizers.External}
