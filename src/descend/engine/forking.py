"""Forks: a run with things changed."""

import dataclasses
import warnings
from typing import Any

import jax
import numpy as np

from descend._arrays import precision
from descend._division import Division
from descend._shards import with_shards
from descend._tree import Tree, as_parameters, described, named_leaves, split
from descend.engine.advancing import R, first_memory
from descend.engine.checks import key_beside, random_key, state_arrays
from descend.engine.descent import RUNNING, Descent, State, Static
from descend.engine.loss import AuxiliaryState
from descend.errors import InputError
from descend.optimizers import Modifier, Optimizer, as_optimizer
from descend.sources import HostArrays, MiniBatches, WholeSet, among, as_data, division_of, source_of
from descend.sources.batches import Place, mini_batches


def forked(
    run: R,
    optimizer: Any = None,
    learning_rate: Any = None,
    params: Tree = None,
    data: Any = None,
    batch_size: int | None = None,
    state: Tree = None,
    seed: int | None = None,
) -> R:
    """The run with what is given in the place of what it had; see `Run.fork`."""
    if optimizer is not None and learning_rate is not None:
        raise InputError("fork takes optimizer= or learning_rate=: a new optimizer brings its own rate")
    with precision(run.state.params):
        descent, now = run.descent, run.state._replace(guard=run.state.guard._replace(status=np.int32(RUNNING)))
        if params is not None:
            descent, now = _with_params(descent, now, params)
        if learning_rate is not None:
            descent = dataclasses.replace(descent, optimizer=with_rate(descent.optimizer, learning_rate))
        if optimizer is not None:
            descent = dataclasses.replace(descent, optimizer=as_optimizer(optimizer).over(None))
        if optimizer is not None or params is not None:
            # After rule and parameters, because the memory must fit both.
            now = _with_memory(descent, now)
        if data is not None or batch_size is not None:
            descent, now = _with_data(descent, now, data, batch_size)
        if state is not None:
            now = now._replace(carried=now.carried._replace(state=descent.placed(_like(now.carried, state))))
        if seed is not None:
            now = _with_seed(descent, now, seed)
        return dataclasses.replace(run, state=now, descent=descent)


def with_rate(optimizer: Optimizer, rate: Any) -> Optimizer:
    """The optimizer with another learning rate, also within modifiers.

    **Raises** `InputError` if it has none, or several.
    """
    if any(field.name == "learning_rate" for field in dataclasses.fields(optimizer)):  # type: ignore[arg-type]
        return dataclasses.replace(optimizer, learning_rate=rate)  # type: ignore[type-var]
    if isinstance(optimizer, Modifier):
        return dataclasses.replace(optimizer, rule=with_rate(optimizer.rule, rate))  # type: ignore[type-var]
    raise InputError(f"{type(optimizer).__name__} has no one learning rate to change: give optimizer=")


def _with_params(descent: Descent, state: State, params: Tree) -> tuple[Descent, State]:
    """Other parameters, of any kind that the loss takes."""
    dtype = jax.tree.leaves(state.params)[0].dtype
    numbers, rest = split(as_parameters(params, dtype))
    descent, state = _divided(dataclasses.replace(descent, rest=Static.of(rest)), state,
                              with_shards(descent.division, numbers))
    return descent, state._replace(params=descent.placed(numbers))


def _with_memory(descent: Descent, state: State) -> State:
    """The optimizer's memory, if it is one of this optimizer for these parameters; else a new one, which is told."""
    new = first_memory(descent, state.params)
    if _kind(new) == _kind(state.optimizer):
        return state
    if named_leaves(state.optimizer):
        warnings.warn(f"the memory of the fork's {type(descent.optimizer).__name__} begins anew: that of the run is of "
                      "another rule, or of other parameters", stacklevel=4)
    return state._replace(optimizer=new)


def _with_data(descent: Descent, state: State, data: Any, batch_size: int | None) -> tuple[Descent, State]:
    """Other data, or batches of another size; the same place in the order of as many examples, else the beginning."""
    before: Any = descent.source
    known = isinstance(before, MiniBatches | HostArrays | WholeSet)
    if data is None and not known:
        raise InputError(f"batch_size is given, but the batches come from {type(before).__name__}, which has its own")
    source: Any = source_of(before.data if data is None else data, _size(before, data, batch_size))
    is_given = isinstance(data, MiniBatches | HostArrays)  # then its batches are as it says
    if known and not is_given and isinstance(source, MiniBatches | HostArrays):
        shuffle = getattr(before, "shuffle", True)
        if HostArrays in (type(before), type(source)):
            source = HostArrays(source.data, source.batch_size, shuffle)
        else:
            # Batches of the same data are divided as they were.
            kept_division = division_of(before) if data is None else None
            source = mini_batches(source.data, source.batch_size, shuffle, kept_division)
    descent, state = _divided(dataclasses.replace(descent, source=source), state,
                              with_shards(division_of(source), state.params, data=source))
    kept = isinstance(state.cursor, Place) and _length(before) == _length(source)
    cursor = state.cursor if kept else source.init(random_key(0))
    return descent, state._replace(cursor=cursor)


def _divided(descent: Descent, state: State, division: Division | None) -> tuple[Descent, State]:
    """The same, divided so."""
    is_moved, source = division != descent.division, among(division, descent.source)
    descent = dataclasses.replace(descent, source=source, division=division)
    if not is_moved or division is None:
        return descent, state
    params, optimizer, guard, carried = descent.placed((state.params, state.optimizer, state.guard, state.carried))
    guard = guard._replace(status=state.guard.status)
    return descent, State(params, optimizer, state.cursor, state.step, guard, carried)


def _size(before: Any, data: Any, batch_size: int | None) -> int | None:
    """How many examples a batch is to have: as many as before, if nothing else is said."""
    if batch_size is not None or data is None or isinstance(data, MiniBatches | HostArrays) or hasattr(data, "draw"):
        return batch_size
    if isinstance(before, WholeSet):
        return as_data(data)[1]
    size = getattr(before, "batch_size", None)
    return None if size is None else min(size, as_data(data)[1])


def _length(source: Any) -> int | None:
    """How many examples there are, if they lie in arrays and are drawn in batches."""
    return len(jax.tree.leaves(source.data)[0]) if isinstance(source, MiniBatches | HostArrays) else None


def _like(carried: AuxiliaryState, state: Tree) -> Tree:
    """What the loss keeps, if it is of the kind that it kept before."""
    new = state_arrays(state)
    if _kind(new) != _kind(carried.state):
        kept = ", ".join(f"'{name}' {kind}" for name, kind in described(carried.state).items()) or "none"
        raise InputError(f"state= must be like the one that the loss keeps, {kept}")
    return new


def _kind(tree: Tree) -> tuple[Any, Any]:
    """What trees have in common that can take each other's place."""
    return jax.tree.structure(tree), described(tree)


def _with_seed(descent: Descent, state: State, seed: int) -> State:
    """Another order of the data from the beginning, and other random numbers."""
    key = random_key(seed)
    of_loss = None if state.carried.key is None else descent.placed(key_beside(key))
    return state._replace(cursor=descent.source.init(key), carried=state.carried._replace(key=of_loss))
