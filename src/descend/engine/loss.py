"""How a loss is called: what it is given besides parameters and a batch, and what it gives back besides its value."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from descend._tree import Tree, described
from descend.errors import InputError
from descend.sources import Batch

# Arrays of a kind that a message names.
MAX_ARRAYS_NAMED = 8


class AuxiliaryState(NamedTuple):
    """What passes through a descent without being descended on; `None` for what a loss does not take.

    `state`: what the loss gives back anew at each step, such as running statistics. `key`: of all that is random in it.
    """

    state: Tree = None
    key: Any = None

    def for_a_step(self) -> tuple["AuxiliaryState", Any]:
        """What a step's loss is given, and the key for the steps after it."""
        if self.key is None:
            return self, None
        now, later = jax.random.split(self.key)
        return self._replace(key=now), later

    @property
    def for_evaluation(self) -> "AuxiliaryState":
        """What a loss is given where nothing is to be random."""
        return self._replace(key=None)


class LossOutput(NamedTuple):
    """What a loss gave: its value, the state after it, and what else is to be recorded."""

    value: Any
    state: Tree
    aux: dict[str, Any]


@dataclass(frozen=True)
class LossSignature:
    """Which arguments a loss takes, and what it returns.

    `has_batch`, `has_state`, `takes_key`: what it is called with, `loss(params, batch, state=..., key=...)`. `has_aux`:
    whether a dict of what to record comes last in what it returns.
    """

    has_batch: bool = True
    has_state: bool = False
    takes_key: bool = False
    has_aux: bool = False

    def called(self, loss: Callable[..., Any], params: Tree, batch: Batch, carried: AuxiliaryState) -> Any:
        """What the loss returns."""
        # A copy of the containers: it is the loss's own, which may change it in place.
        state = jax.tree.map(lambda leaf: leaf, carried.state)
        named = ({"state": state} if self.has_state else {}) | ({"key": carried.key} if self.takes_key else {})
        return loss(params, *((batch,) if self.has_batch else ()), **named)

    def output(self, returned: Any) -> LossOutput:
        """What a loss returned, by name."""
        if not (self.has_state or self.has_aux):
            return LossOutput(returned, None, {})
        value, *others = returned
        return LossOutput(value, others[0] if self.has_state else None, others[-1] if self.has_aux else {})

    def settled(self, returned: Any, state: Tree) -> "LossSignature":
        """This signature, with `has_aux` as in what the loss `returned` (shapes are enough).

        **Raises** `InputError` unless that is a real scalar, with a state like the one before and a dict where there
        may be.
        """
        parts = returned if isinstance(returned, tuple) else (returned,)
        least = 1 + self.has_state
        has_aux = len(parts) == least + 1 and isinstance(parts[-1], dict)
        if len(parts) != least + has_aux:
            expected = ", its state, and perhaps a dict" if self.has_state else ", or a scalar and a dict"
            raise InputError(f"the loss must return a scalar{expected}, but returns "
                             + (f"a tuple of {len(parts)}" if isinstance(returned, tuple) else "no tuple"))
        _check_scalar(parts[0])
        if self.has_state:
            _check_state(state, parts[1])
        return LossSignature(self.has_batch, self.has_state, self.takes_key, has_aux)


def signature_of(loss: Callable[..., Any], has_batch: bool, has_state: bool) -> LossSignature:
    """The signature of a loss by the names of its arguments, `key` and `state`.

    **Raises** `InputError` if there is a state and the loss takes none, or the other way round.
    """
    try:
        named = list(inspect.signature(loss).parameters.values())[1 + has_batch :]
    except (TypeError, ValueError):
        # What is written in C tells no signature.
        named = []
    # Compared by identity: a default may be an array.
    takes = {p.name for p in named if p.default is inspect.Parameter.empty or p.default is None}
    if has_state and "state" not in takes:
        raise InputError("state= is given, but the loss takes no argument named state")
    if not has_state and any(p.name == "state" and p.default is inspect.Parameter.empty for p in named):
        raise InputError("the loss takes an argument named state: give state=, what it is at first")
    return LossSignature(has_batch, has_state, "key" in takes)


def _check_scalar(value: Any) -> None:
    if not hasattr(value, "shape"):
        raise InputError(f"the loss must return a scalar, but returns {type(value).__name__}")
    if value.shape != ():
        raise InputError(f"the loss must return a scalar, but returns an array of shape {value.shape}: "
                         "take its mean or its sum")
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise InputError(f"the loss must return a real floating-point scalar, but returns {value.dtype}")


def _check_state(before: Tree, after: Tree) -> None:
    """Refuse a state that a step changes in kind: the steps after it would be another program."""
    old, new = described(before), described(after)
    structures: list[Any] = [jax.tree.structure(tree) for tree in (before, after)]
    if old != new or structures[0] != structures[1]:
        name = next((name for name in old | new if old.get(name) != new.get(name)), "its structure")
        raise InputError(f"the loss must return a state like the one it is given, but '{name}' is "
                         f"{new.get(name, 'gone' if name in old else 'another')} after {old.get(name, 'none')}")


def shapes_of(params: Tree, batch: Batch, state: Tree) -> str:
    """What a loss is called with, for whoever wrote it."""
    told = []
    for what, tree in (("parameters", params), ("a batch", batch), ("a state", state)):
        every = [f"'{name}' {kind}" for name, kind in described(tree).items()]
        more = f" and {len(every) - MAX_ARRAYS_NAMED} more" if len(every) > MAX_ARRAYS_NAMED else ""
        told += [f"{what} of {', '.join(every[:MAX_ARRAYS_NAMED])}{more}"] if every else []
    return "; ".join(told)
