"""What the three array worlds (NumPy, JAX, PyTorch) have in common, and the precision that a tree asks for."""

import math
import sys
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

import jax
import numpy as np


def namespace(array: Any) -> ModuleType:
    """The module whose functions act on `array`: `torch` for its tensors, `jax.numpy` for JAX, else NumPy."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return torch
    return jax.numpy if isinstance(array, jax.Array) else np


def is_array(value: Any) -> bool:
    """Whether this is an array of one of the three worlds; NumPy's scalars are arrays without axes."""
    torch = sys.modules.get("torch")
    return isinstance(value, (jax.Array, np.ndarray, np.generic)) or (
        torch is not None and isinstance(value, torch.Tensor)
    )


def as_scalar(value: Any, like: Any) -> Any:
    """`value` in the array's own kind and dtype, so that a float32 array is not promoted by a float64 scalar."""
    return namespace(like).asarray(value, dtype=like.dtype)


def log(x: Any) -> Any:
    """`ln x` of a number, Python's or an array; near 1 from how far it is from there, which float32 tells exactly."""
    return namespace(x).log1p(x - 1) if is_array(x) else math.log(x)


def keeping_precision(tree: Any) -> Any:
    """The tree, its 64-bit arrays as NumPy's where JAX is not asked for 64 bits: what a caller calculates with them
    would otherwise be rounded to 32."""
    if jax.config.read("jax_enable_x64"):
        return tree
    wide = lambda leaf: isinstance(leaf, jax.Array) and leaf.dtype == np.float64
    return jax.tree.map(lambda leaf: np.asarray(leaf) if wide(leaf) else leaf, tree)


def precision(tree: Any) -> AbstractContextManager[Any]:
    """The context in which JAX keeps the dtypes of `tree`: 64 bits if a leaf has them, else the caller's own.

    JAX turns 64-bit arrays into 32-bit ones unless told not to. The flag is set for the calls that need it only,
    never for the process.
    """
    wide = (np.float64, np.complex128)
    if any(getattr(leaf, "dtype", None) in wide for leaf in jax.tree.leaves(tree)):
        return jax.enable_x64(True)
    return nullcontext()
