"""Checkpoints: a run and its progress in one file, keyed by parameter path, checksummed, replaced atomically.

The file is in the safetensors format: arrays by name, and a JSON text. Nothing in it is executed when it is read.
"""

import hashlib
import json
from collections.abc import Mapping
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
from descend.errors import CheckpointError

FORMAT = 1


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


def tree_from_arrays(like: Tree, arrays: Mapping[str, np.ndarray], prefix: str) -> Tree:
    """A tree shaped as `like`, with the arrays of its paths.

    **Raises** `CheckpointError` if a path is missing or there is one too many, or a shape or a dtype differs.
    """
    stored = {name.removeprefix(f"{prefix}/"): a for name, a in arrays.items() if name.startswith(f"{prefix}/")}
    wanted = named_leaves(like)
    if stored.keys() != wanted.keys():
        missing, surplus = sorted(wanted.keys() - stored.keys()), sorted(stored.keys() - wanted.keys())
        raise CheckpointError(f"the {prefix} differ from the stored: missing {missing[:5]}, not known {surplus[:5]}")
    for name, leaf in wanted.items():
        mine, theirs = np.asarray(_unwrapped(leaf)), stored[name]
        if (mine.shape, mine.dtype) != (theirs.shape, theirs.dtype):
            raise CheckpointError(f"{prefix} '{name}' is {mine.dtype}{list(mine.shape)} here, "
                                  f"but {theirs.dtype}{list(theirs.shape)} in the checkpoint")
    with precision(like):
        leaves = [_wrapped(stored[name], leaf) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _unwrapped(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _wrapped(array: np.ndarray, like: Any) -> Any:
    if isinstance(like, np.ndarray | np.generic):
        return array
    return jax.random.wrap_key_data(jnp.asarray(array)) if _is_key(like) else jnp.asarray(array)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _checksum(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
