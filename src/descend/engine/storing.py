"""Checkpoints: a run and its progress in one file, keyed by parameter path, checksummed, replaced atomically.

The file is in the safetensors format: arrays by name, and a JSON text. Nothing in it is executed when it is read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from descend._arrays import precision
from descend._files import write_atomically
from descend._tree import Tree, named_leaves
from descend.engine.run import Run
from descend.errors import CheckpointError

FORMAT = 1
TOLD = 10  # paths of a kind that the text of a match lists


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Write arrays and facts (what JSON can hold) to a file, with a checksum over both."""
    text = json.dumps({"format": FORMAT, **facts}, sort_keys=True)
    whole = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    # One entry, because safetensors writes several in an order that differs from time to time.
    write_atomically(path, save(whole, metadata={"descend": f"{_checksum(whole, text)} {text}"}))


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the facts of a file that `write_arrays` wrote.

    **Raises** `CheckpointError` if it is not one, is cut short, or has been changed.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or is no checkpoint ({error}): delete it to begin anew") from None
    checksum, _, text = metadata.get("descend", "").partition(" ")
    if checksum != _checksum(arrays, text):
        raise CheckpointError(f"{path} is damaged: its contents do not match its checksum; delete it to begin anew")
    facts = json.loads(text)
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{path} has format {facts.get('format')}, but this version of descend reads {FORMAT}")
    return arrays, facts


def tree_to_arrays(tree: Tree, prefix: str) -> dict[str, np.ndarray]:
    """A tree's leaves as arrays by `prefix/path`; random keys as the numbers that make them."""
    return {f"{prefix}/{name}": np.asarray(_unwrapped(leaf)) for name, leaf in named_leaves(tree).items()}


@dataclass(frozen=True)
class Match:
    """How the arrays of a file fit a tree, by path.

    `matched`: were taken over. `missing`: are not in the file, and stay as they are. `unexpected`: are only in the
    file. `differing`: have another shape or dtype there, which the text beside tells, and stay as they are.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    differing: dict[str, str]

    def __repr__(self) -> str:
        wanted = len(self.matched) + len(self.missing) + len(self.differing)
        told = {
            "missing in the file": self.missing,
            "only in the file": self.unexpected,
            "differing": tuple(f"{name} is {how}" for name, how in self.differing.items()),
        }
        lines = [f"{len(self.matched)} of {wanted} arrays were taken over"]
        for what, names in told.items():
            lines += [f"{what}: {name}" for name in names[:TOLD]]
            lines += [f"{what}: {len(names) - TOLD} more"] if len(names) > TOLD else []
        return "\n  ".join(lines)


def restore(path: str | Path, run: Run) -> tuple[Run, Match]:
    """A run with the parameters and the optimizer's state that a checkpoint has for it by the same paths; and which.

    For a model that has changed since: layers that are new, have another size or another name stay as they are in
    `run`, which also keeps its data, its step and its settings. The checkpoint is a file that
    `minimize(..., checkpoint=...)` wrote. The optimizer's state is only taken over if it is that of the same rule: if
    nothing else in it is missing or unexpected than what belongs to such layers. Layers are known by their paths alone:
    where two of one shape have changed places in a list, each gets the other's numbers.

    **Raises** `CheckpointError` for a damaged file, and if no parameter matches.

    >>> import numpy as np, tempfile
    >>> from descend import SGD, minimize
    >>> file = f"{tempfile.mkdtemp()}/run"
    >>> old = minimize(lambda p: (p["a"] ** 2).sum(), {"a": np.ones(2)}, optimizer=SGD(0.1), steps=3, checkpoint=file)
    >>> new = minimize(lambda p: p["a"] @ p["b"], {"a": np.ones(2), "b": np.ones(2)}, optimizer=SGD(0.1), steps=1).run
    >>> run, match = restore(file, new)
    >>> match
    2 of 3 arrays were taken over
      missing in the file: params/b
    """
    arrays, _ = read_arrays(Path(path))

    def of(*parts: str) -> tuple[Tree, Match]:
        mine = {part: getattr(run.state, part) for part in parts}
        return match_arrays(mine, {name: a for name, a in arrays.items() if name.split("/")[1] in parts}, "state")

    tree, match = of("params", "optimizer")
    unmatched = (*match.missing, *match.unexpected, *match.differing)
    gone = tuple(name.removeprefix("params") for name in unmatched if name.startswith("params/"))
    if not any(name.startswith("params") for name in match.matched):
        told = "; ".join(line.strip() for line in repr(of("params")[1]).splitlines()[1:])
        raise CheckpointError(f"{path} has none of these parameters: {told}")
    if any(name.startswith("optimizer") and not name.endswith(gone) for name in unmatched):
        tree, match = of("params")
        match = replace(match, differing=match.differing | {"optimizer": "that of another rule in the checkpoint"})
    return replace(run, state=run.state._replace(**tree)), match


def tree_from_arrays(like: Tree, arrays: Mapping[str, np.ndarray], prefix: str) -> Tree:
    """A tree shaped as `like`, with the arrays of its paths.

    **Raises** `CheckpointError` if a path is missing or there is one too many, or a shape or a dtype differs.
    """
    tree, match = match_arrays(like, arrays, prefix)
    if match.missing or match.unexpected:
        missing, surplus = sorted(match.missing), sorted(match.unexpected)
        raise CheckpointError(f"the {prefix} differ from the stored: missing {missing[:5]}, not known {surplus[:5]}")
    for name, how in match.differing.items():
        raise CheckpointError(f"{prefix} '{name}' is {how}")
    return tree


def match_arrays(like: Tree, arrays: Mapping[str, np.ndarray], prefix: str) -> tuple[Tree, Match]:
    """A tree shaped as `like`, with the arrays whose path, shape and dtype are the same, else its own; and which."""
    stored = {name.removeprefix(f"{prefix}/"): a for name, a in arrays.items() if name.startswith(f"{prefix}/")}
    wanted = named_leaves(like)
    mine = {name: _described(np.asarray(_unwrapped(leaf))) for name, leaf in wanted.items()}
    theirs = {name: _described(array) for name, array in stored.items()}
    match = Match(
        matched=tuple(name for name in mine if mine[name] == theirs.get(name)),
        missing=tuple(name for name in mine if name not in theirs),
        unexpected=tuple(name for name in theirs if name not in mine),
        differing={
            name: f"{mine[name]} here, but {theirs[name]} in the checkpoint"
            for name in mine if mine[name] != theirs.get(name, mine[name])
        },
    )
    with precision(like):
        taken = {name: _wrapped(stored[name], wanted[name]) for name in match.matched}
    return jax.tree.unflatten(jax.tree.structure(like), list((wanted | taken).values())), match


def _described(array: np.ndarray) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _unwrapped(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _wrapped(array: np.ndarray, like: Any) -> Any:
    if isinstance(like, np.ndarray | np.generic):
        return array
    if not _is_key(like):
        return jnp.asarray(array)
    return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _checksum(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
