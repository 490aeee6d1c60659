"""Trees of arrays in one file, keyed by path, checksummed, replaced atomically.

The file is in the safetensors format: arrays by name, and a JSON text. Nothing in it is executed when it is read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open

from descend._arrays import as_numpy, in_world_of, precision
from descend._division import gathered, is_divided, placed, sharding_of
from descend._files import writing_atomically
from descend._tree import Tree, named_leaves
from descend.errors import CheckpointError, InputError

FORMAT = 1
# Facts inside each other. Deeper ones than descend writes could exhaust the stack of whoever reads them.
MAX_DEPTH = 64
# Paths of a kind that the text of a match lists.
MAX_PATHS_LISTED = 10
# What safetensors calls the types of numbers.
STORED_AS = {
    "bool": "BOOL", "bfloat16": "BF16", "complex64": "C64",
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
}


def write_arrays(
    path: Path, arrays: Mapping[str, Any], facts: Mapping[str, Any], older: Path | None = None
) -> None:
    """Write arrays and facts (what JSON can hold) to a file, with a checksum over both; the one before is `older`.

    One array at a time: the file is never whole in memory, and of divided arrays one alone is.

    **Raises** `InputError` for numbers of a type that such files have not.
    """
    for name, array in arrays.items():
        if array.dtype.name not in STORED_AS:
            raise InputError(f"'{name}' has numbers of type {array.dtype.name}, which no checkpoint can hold: choose "
                             f"one of {', '.join(STORED_AS)}")
    text = json.dumps({"format": FORMAT, **facts}, sort_keys=True)
    # Large numbers first, so that each array begins where it may lie in memory.
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    head: dict[str, Any] = {"__metadata__": {"descend": f"{_checksum(arrays, text)} {text}"}}
    end = 0
    for name in names:
        array, begin = arrays[name], end
        end += array.nbytes
        head[name] = {"dtype": STORED_AS[array.dtype.name], "shape": array.shape, "data_offsets": (begin, end)}
    told = json.dumps(head, separators=(",", ":")).encode()
    told = told.ljust(-(-len(told) // 8) * 8)
    with writing_atomically(path, older) as file:
        file.write(len(told).to_bytes(8, "little") + told)
        for name in names:
            file.write(_bytes(arrays[name]))


def _bytes(array: Any) -> Any:
    """The numbers of an array, whole, as bytes."""
    whole = np.ascontiguousarray(gathered(array) if is_divided(array) else array)
    return whole.reshape(-1).view(np.uint8).data


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
    facts = _facts_in(text, path)
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{path} has format {facts.get('format')}, but this version of descend reads {FORMAT}")
    return arrays, facts


def is_ours(path: Path) -> bool:
    """Whether `write_arrays` wrote a file, as far as its head tells; whatever cannot be read is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            return "descend" in (file.metadata() or {})
    except (SafetensorError, OSError, ValueError, TypeError):
        return False


def read_part(path: Path, prefix: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays whose names begin so, and the facts, to be looked at: a checksum is of a whole file, so that what is
    read here may be damaged.

    **Raises** `CheckpointError` for a file that is not one of these.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            chosen = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118  # it is no mapping
            arrays = {name: file.get_tensor(name) for name in chosen}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or is no checkpoint ({error})") from None
    return arrays, _facts_in(metadata.get("descend", "").partition(" ")[2], path)


def _facts_in(text: str, path: Path) -> dict[str, Any]:
    """The facts of a file; the checksum says that they are whole, but not who wrote them."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no checkpoint of descend's ({error}): delete it to begin anew") from None
    if not isinstance(facts, dict) or _is_deep(facts):
        raise CheckpointError(f"{path} is no checkpoint of descend's: its facts are not as it writes them; delete it "
                              "to begin anew")
    return facts


def _is_deep(value: Any) -> bool:
    """Whether there is more inside each other than anything that is written here has."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level if isinstance(item, dict | list)
                 for inner in (item.values() if isinstance(item, dict) else item)]
    return bool(level)


def tree_to_arrays(tree: Tree, prefix: str) -> dict[str, Any]:
    """A tree's leaves as arrays by `prefix/path`, NumPy's but for divided ones; random keys as the numbers that make
    them."""
    leaves = {name: _unwrapped(leaf) for name, leaf in named_leaves(tree).items()}
    return {f"{prefix}/{name}": leaf if is_divided(leaf) else as_numpy(leaf) for name, leaf in leaves.items()}


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
            lines += [f"{what}: {name}" for name in names[:MAX_PATHS_LISTED]]
            lines += [f"{what}: {len(names) - MAX_PATHS_LISTED} more"] if len(names) > MAX_PATHS_LISTED else []
        return "\n  ".join(lines)


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
    mine = {name.removeprefix("/"): _described(leaf) for name, leaf in tree_to_arrays(like, "").items()}
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


def _described(array: Any) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _unwrapped(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _wrapped(array: np.ndarray, like: Any) -> Any:
    made: Any = array
    if _is_key(like):
        made = jax.random.wrap_key_data(jax.device_put(array), impl=jax.random.key_impl(like))
    # No one device need have room for what is divided.
    place = sharding_of(like)
    if place is not None:
        return placed(made, place)
    return made if _is_key(like) else in_world_of(like, array)


def _is_key(leaf: object) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _checksum(arrays: Mapping[str, Any], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(_bytes(array))
    return digest.hexdigest()
