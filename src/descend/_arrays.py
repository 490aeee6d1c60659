"""What the three array worlds (NumPy, JAX, PyTorch) have in common, and the precision that a tree asks for."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

import jax
import numpy as np

# A float, or a 0-d array of NumPy or JAX; under `vmap` it stands for many.
Number = Any


@runtime_checkable
class Array(Protocol):  # noqa: PLW1641  # arrays have no hash
    """An array of one of the three worlds, or what stands for one while JAX traces: what rules are written on.

    At run time it is whatever has a shape and a dtype. Its operators are declared for type checkers: to look at each of
    them would take `make types` longer than the checks are worth.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...

    if TYPE_CHECKING:

        def __add__(self, other: "Number", /) -> Any: ...
        def __radd__(self, other: "Number", /) -> Any: ...
        def __sub__(self, other: "Number", /) -> Any: ...
        def __rsub__(self, other: "Number", /) -> Any: ...
        def __mul__(self, other: "Number", /) -> Any: ...
        def __rmul__(self, other: "Number", /) -> Any: ...
        def __truediv__(self, other: "Number", /) -> Any: ...
        def __rtruediv__(self, other: "Number", /) -> Any: ...
        def __floordiv__(self, other: "Number", /) -> Any: ...
        def __rfloordiv__(self, other: "Number", /) -> Any: ...
        def __mod__(self, other: "Number", /) -> Any: ...
        def __pow__(self, other: "Number", /) -> Any: ...
        def __rpow__(self, other: "Number", /) -> Any: ...
        def __matmul__(self, other: "Number", /) -> Any: ...
        def __rmatmul__(self, other: "Number", /) -> Any: ...
        def __and__(self, other: "Number", /) -> Any: ...
        def __rand__(self, other: "Number", /) -> Any: ...
        def __or__(self, other: "Number", /) -> Any: ...
        def __ror__(self, other: "Number", /) -> Any: ...
        def __xor__(self, other: "Number", /) -> Any: ...
        def __rxor__(self, other: "Number", /) -> Any: ...
        def __rshift__(self, other: "Number", /) -> Any: ...
        def __lshift__(self, other: "Number", /) -> Any: ...
        def __lt__(self, other: "Number", /) -> Any: ...
        def __le__(self, other: "Number", /) -> Any: ...
        def __gt__(self, other: "Number", /) -> Any: ...
        def __ge__(self, other: "Number", /) -> Any: ...
        def __neg__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __abs__(self) -> Any: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __bool__(self) -> bool: ...
        @property
        def ndim(self) -> int: ...
        def __eq__(self, other: "Number", /) -> Any: ...
        def __ne__(self, other: "Number", /) -> Any: ...
        def __iter__(self) -> Iterator[Any]: ...
        def __len__(self) -> int: ...
        def __getitem__(self, index: Any, /) -> Any: ...
        @property
        def reshape(self) -> Callable[..., Any]: ...


# One number, or an array of them: what formulas of steps and rates are written on.
Scalar = float | Array


def namespace(array: object) -> ModuleType:
    """The module whose functions act on `array`: `torch` for its tensors, `jax.numpy` for JAX, else NumPy, as for plain
    numbers."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return torch
    return jax.numpy if isinstance(array, jax.Array) else np


def is_array(value: object) -> TypeGuard[Array]:
    """Whether this is an array of one of the three worlds; NumPy's scalars are arrays without axes."""
    torch = sys.modules.get("torch")
    return isinstance(value, (jax.Array, np.ndarray, np.generic)) or (
        torch is not None and isinstance(value, torch.Tensor)
    )


def as_numpy(array: Any) -> np.ndarray:
    """An array of any world as NumPy's, with the same bits; its memory may be the array's own."""
    if namespace(array).__name__ != "torch":
        return np.asarray(array)
    there = array.detach().cpu()
    # NumPy has no bfloat16: its bits are those of the type that JAX brings.
    return there.view(namespace(there).int16).numpy().view(jax.numpy.bfloat16) if _is_bfloat16(there) else there.numpy()


def in_world_of(like: Any, array: np.ndarray) -> Any:
    """NumPy's array as one of the same world as `like`, where that is, with the same bits and memory of its own."""
    if isinstance(like, np.ndarray | np.generic):
        return array
    torch = namespace(like)
    if torch.__name__ != "torch":
        return jax.device_put(array)
    if _is_bfloat16(like):
        return torch.tensor(array.view(np.int16), device=like.device).view(like.dtype)
    return torch.tensor(array, device=like.device)


def _is_bfloat16(tensor: Any) -> bool:
    return str(tensor.dtype) == "torch.bfloat16"


def as_scalar(value: Scalar, like: Array) -> Any:
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
