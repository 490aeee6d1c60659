"""Compiled programs: they belong to a loss, and go when it goes; equal ones are compiled once.

Two losses of the same code, such as the lambdas of a loop, are two functions. Each is traced by itself, and what comes
of it is compared, as the text that the compiler is given: if that is the same, so is the program. A few programs
outlive their loss, for the next one of the same code.
"""

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import jax

from descend._division import processes_among
from descend._processes import Processes
from descend.engine.checks import refuse_tracers
from descend.errors import InputError

Compiled = Callable[[list[Any]], list[Any]]
# From the shapes of what is returned to the place of each.
Layout = Callable[[Any], Any]

# Programs that are kept for losses to come.
MAX_PROGRAMS_KEPT = 32
PROGRAM_SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_default_device", "jax_numpy_dtype_promotion",
            "jax_default_prng_impl", "jax_debug_nans")  # of JAX, which may be other ones within a context


class Programs:
    """What was compiled for a loss, by function and by the kinds of its arguments.

    All of them are equal, as no number depends on them: runs with and without a program in store are the same.
    """

    def __init__(self) -> None:
        # Of several threads that need one program, the first compiles it.
        self._lock = threading.Lock()
        self._known: dict[Any, tuple[Compiled, Any]] = {}
        self._traced: dict[Any, tuple[Any, bool]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Programs)

    def __hash__(self) -> int:
        return hash(Programs)

    def __deepcopy__(self, memo: Any) -> "Programs":
        return self

    def run(self, function: Callable[..., Any], descent: Any, *args: Any, layout: Layout | None = None) -> Any:
        """`function(descent, *args)`, compiled for arguments of these kinds if it is not yet; `layout`: where what it
        returns is to be, if that is not for the compiler to say."""
        leaves, treedef, kinds = _taken(descent, args)
        key = (function, treedef, kinds)
        if key not in self._known:
            # Looked at twice: before the lock, as it mostly is there; and within, as another thread may have compiled
            # it meanwhile.
            with self._lock:
                if key not in self._known:
                    self._known[key] = _compiled(
                        function, descent.loss, treedef, leaves, kinds, layout, processes_among(descent.division)
                    )
        program, structure = self._known[key]
        return structure.unflatten(program(leaves))

    def traced(self, function: Callable[..., Any], descent: Any, *args: Any) -> tuple[Any, bool]:
        """The shapes of what `function(descent, *args)` returns, and whether it convolves; nothing is compiled.

        **Raises** `InputError` where the loss refers to what one of JAX's transformations gave.
        """
        leaves, treedef, kinds = _taken(descent, args)
        key = (function, treedef, kinds)
        if key not in self._traced:
            flat = _flat(function, descent.loss, treedef)
            jaxpr, returned = jax.make_jaxpr(flat, return_shape=True)(leaves)
            refuse_tracers("minimize and begin", **{"what the loss refers to": jaxpr.consts})
            self._traced[key] = returned, _convolves(jaxpr.jaxpr)
        return self._traced[key]


def _taken(descent: Any, args: Any) -> tuple[list[Any], Any, Any]:
    """The leaves of what a program takes, their structure, and all else that it is specialised to.

    Without the loss, because what is known of its programs must not keep it alive.
    """
    leaves, treedef = jax.tree.flatten((dataclasses.replace(descent, loss=None), args))
    return leaves, treedef, (tuple(map(_kind, leaves)), settings_here())


def settings_here() -> tuple[Any, ...]:
    """The settings of JAX that a program depends on, as they are here: a context is of one thread alone."""
    return tuple(getattr(jax.config, name) for name in PROGRAM_SETTINGS)


def _flat(function: Callable[..., Any], loss: Any, treedef: jax.tree_util.PyTreeDef) -> Callable[[list[Any]], Any]:
    """The function of its arguments' leaves."""

    def flat(leaves: list[Any]) -> Any:
        descent, args = treedef.unflatten(leaves)
        return function(dataclasses.replace(descent, loss=loss), *args)

    flat.__name__ = function.__name__.strip("_")
    return flat


def _convolves(jaxpr: Any) -> bool:
    """Whether there is a convolution in it, at any depth."""
    inner = (getattr(value, "jaxpr", value) for eqn in jaxpr.eqns for value in eqn.params.values())
    return any(eqn.primitive.name == "conv_general_dilated" for eqn in jaxpr.eqns) or any(
        _convolves(part) for part in inner if hasattr(part, "eqns")
    )


def programs_of(loss: Any) -> Programs:
    """Those of a loss that is known already, or none yet."""
    try:
        return _of_losses.setdefault(loss, Programs())
    except TypeError:
        # No weak reference to it, or no hash of it, can be had.
        return Programs()


_of_losses: WeakKeyDictionary[Any, Programs] = WeakKeyDictionary()


def forget() -> None:
    """Forget all programs, as `jax.clear_caches` does JAX's: what comes next is compiled anew."""
    with _lock:
        _kept.clear()
    _of_losses.clear()


def _compiled(
    function: Callable[..., Any], loss: Any, treedef: jax.tree_util.PyTreeDef, leaves: list[Any], kinds: Any,
    layout: Layout | None, processes: Processes,
) -> tuple[Compiled, Any]:
    """The program, on the leaves of its arguments, and the structure of what it returns."""
    structures: list[Any] = []

    def leaves_of(leaves: list[Any]) -> list[Any]:
        returned, structure = jax.tree.flatten(flat(leaves))
        structures.append(structure)
        return returned

    flat = _flat(function, loss, treedef)
    leaves_of.__name__ = flat.__name__
    program = jax.jit(leaves_of, keep_unused=True)
    if layout is not None:
        # JAX does not trace the same function again.
        shapes = program.trace(leaves).out_info
        places = jax.tree.leaves(layout(structures[-1].unflatten(shapes)))
        program = jax.jit(leaves_of, keep_unused=True, out_shardings=places)
    lowered = program.lower(leaves)
    text = lowered.as_text()
    _refuse_others(text, processes)
    return _shared(lowered, text, kinds), structures[-1]


def _refuse_others(text: str, processes: Processes) -> None:
    """Refuse what would be another program in another process: they would wait for each other forever, or take one
    number for another.

    **Raises** `InputError`, in all of them.
    """
    # What names a function of this process is another text in each.
    told = "" if "callback" in text else hashlib.sha256(text.encode()).hexdigest()
    each = processes.gathered(told)
    if len(set(each)) > 1:
        other = next(i for i, theirs in enumerate(each) if theirs != each[0])
        raise InputError(f"process {other} would make other steps than process 0: give all of them the same loss, from "
                         "the same files, and data of the same shapes")


def _shared(lowered: Any, text: str, kinds: Any) -> Compiled:
    """The program of this text: one that was compiled before, or a new one."""
    if "callback" in text:
        # The text does not tell which function of Python's is called, so that equal texts may be different programs.
        return lowered.compile()
    key = hashlib.sha256(f"{text}{kinds}".encode()).digest()
    with _lock:
        found = _kept.get(key)
    if found is None:
        found = lowered.compile()
    with _lock:
        _kept[key] = found
        _kept.move_to_end(key)
        while len(_kept) > MAX_PROGRAMS_KEPT:
            _kept.popitem(last=False)
    return found


_kept: OrderedDict[bytes, Compiled] = OrderedDict()
_lock = threading.Lock()


def _kind(leaf: Any) -> Any:
    """What a program is specialised to, of an argument."""
    if not isinstance(leaf, jax.Array):
        return getattr(leaf, "shape", ()), getattr(leaf, "dtype", type(leaf)), False, None
    # The usual place is where NumPy's arrays go, too: it must not make another program.
    placed = None if leaf.sharding == _usual() else leaf.sharding
    # Random keys have no weak type.
    return leaf.shape, leaf.dtype, getattr(leaf, "weak_type", False), placed


@cache
def _usual() -> Any:
    return jax.sharding.SingleDeviceSharding(jax.devices()[0])
