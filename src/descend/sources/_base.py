"""The contract of a source, and the two that need no drawing: no data, and all of it."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from descend._tree import Tree, is_plain_list, named_leaves
from descend.errors import InputError
from descend.schedules import setting

# A small pytree of arrays: where in its stream a source is.
Cursor = Any
# A pytree of arrays, as the loss takes it.
Batch = Any


@runtime_checkable
class Source(Protocol):
    """Where batches come from; batch, stochastic and mini-batch gradient descent differ here and nowhere else.

    A source is a pytree, whose leaves are its data. `draw` is pure and traceable: it is compiled together with the
    step, and the same cursor always draws the same batch, which is what makes a run resumable and replayable. A source
    that knows how many steps see every example once, which need not be a whole number, has `steps_per_epoch`; one that
    has settings which a run must not go on without, tells of them in `identity`, a text.
    """

    def init(self, key: jax.Array) -> Cursor:
        """The cursor before the first batch, from a random key."""

    def draw(self, cursor: Cursor, params: Tree) -> tuple[Batch, Cursor]:
        """The next batch and the cursor after it; `params` is for sources that look at them (a policy's rollouts)."""


class Plan(NamedTuple):
    """What is settled of the next draws.

    `draws`: a pytree of arrays, whose first axis the draws lie along. `count`: how many they are, which may be fewer
    than there is room for. `cursor`: the cursor that they are taken with.
    """

    draws: Any
    count: Any
    cursor: Cursor


@runtime_checkable
class Planned(Source, Protocol):
    """A source that settles for some draws ahead what they have in common, which then costs a step next to nothing.

    What is settled may depend on the parameters: a rollout is played with those of its first draw. A plan that was
    begun must then be kept in the cursor, because a dispatch may end, and another one go on, in the middle of it.
    `draw(cursor, params)` gives the batch that `take` gives for the first of `plan(cursor, params)`.
    """

    def plan(self, cursor: Cursor, params: Tree) -> Plan:
        """The next draws, at least one."""

    def take(self, draw: Tree, cursor: Cursor, params: Tree) -> tuple[Batch, Cursor]:
        """The batch of one draw of a plan, and the cursor as it is while the plan lasts."""

    def after(self, cursor: Cursor, draws: jax.Array) -> Cursor:
        """The cursor after so many draws of the plan."""


class Feed(NamedTuple):
    """What the host tells of the next draws.

    `draws`: a pytree of arrays, whose first axis the draws lie along; it has one length for all feeds of a source, so
    that they share a program. `size`: how many they are, of those that there is room for. `after`: the cursor after so
    many of them.
    """

    draws: Any
    size: int
    after: Callable[[int], Cursor]


@runtime_checkable
class Fed(Protocol):
    """A source whose draws are told ahead by the host, and made into batches as a part of the compiled step.

    What the host can do in plain Python need not be compiled, which is time that somebody waits. The cursor is a small
    pytree of NumPy's numbers.
    """

    def init(self, key: jax.Array) -> Cursor:
        """The cursor before the first batch, from a random key."""

    def feed(self, cursor: Cursor, params: Tree, most: int) -> Feed:
        """The next draws: at least one, and at most so many."""

    def batch(self, draw: Tree) -> Batch:
        """The batch of one draw; pure and traceable."""


class Nothing(NamedTuple):
    """The cursor of a source that has nowhere to go."""


@setting
class Empty:
    """No data: for losses of the parameters alone."""

    def init(self, key: jax.Array) -> Cursor:
        """Nothing to remember."""
        return Nothing()

    def draw(self, cursor: Cursor, params: Tree) -> tuple[Batch, Cursor]:
        """An empty batch."""
        return (), cursor


@setting
class WholeSet:
    """All the data at every step: batch gradient descent.

    `data`: a pytree of arrays with a common first axis, the examples.
    """

    data: Batch

    def init(self, key: jax.Array) -> Cursor:
        """Nothing to remember."""
        return Nothing()

    def draw(self, cursor: Cursor, params: Tree) -> tuple[Batch, Cursor]:
        """All of it."""
        return self.data, cursor

    @property
    def steps_per_epoch(self) -> float:
        """Every step is an epoch."""
        return 1.0


def as_data(data: Any, what: str = "data") -> tuple[Batch, int]:
    """A pytree of arrays (or frames, or lists of numbers) as NumPy or JAX arrays, and the number of its examples.

    **Raises** `InputError` if there is nothing in it, if arrays differ in length, or hold something but numbers.
    """
    arrays = jax.tree.map(
        lambda leaf: leaf if isinstance(leaf, (jax.Array, np.ndarray)) else np.asarray(leaf),
        data,
        is_leaf=is_plain_list,
    )
    lengths = {}
    for name, array in named_leaves(arrays).items():
        if array.ndim == 0 or not (array.dtype == bool or jnp.issubdtype(array.dtype, jnp.number)):
            raise InputError(f"{what} '{name}' must be an array of numbers with one row per example, "
                             f"but has dtype {array.dtype} and shape {array.shape}")
        lengths[name] = array.shape[0]
    if not lengths or 0 in lengths.values():
        raise InputError(f"{what} holds no examples: {lengths or 'no arrays at all'}")
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise InputError(f"{what} arrays differ in their number of examples: {counts}")
    return arrays, next(iter(lengths.values()))
