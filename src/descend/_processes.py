"""The processes that one descent is divided among, and what they have to agree on."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from descend.errors import CheckpointError, InputError, LostError

R = TypeVar("R")
Arrays = Mapping[str, np.ndarray]
# Bytes of what is told at a time: of little, and of much.
LITTLE, MUCH = 256, 2**20
# By name: what a process may raise for all of them.
ERRORS = {kind.__name__: kind for kind in (InputError, CheckpointError)}
# What JAX's errors say where another process is gone.
GONE = re.compile("gloo|connection (reset|closed|refused)|coordination service", re.IGNORECASE)


@dataclass(frozen=True)
class Processes:
    """The processes that one descent is divided among. All of them make the same calls, in the same order.

    `devices`: one of each process; none, for a process alone, which has nobody to ask, and for which all of this costs
    nothing. What they tell each other goes the way that gradients go, so that nothing but JAX's own devices is needed,
    and processes that belong to other descents are not kept waiting.
    """

    devices: tuple[Any, ...] = ()

    @property
    def are_several(self) -> bool:
        """Whether there is anybody to agree with."""
        return len(self.devices) > 1

    @cached_property
    def index(self) -> int:
        """Which of them this process is."""
        return next((i for i, device in enumerate(self.devices) if device.process_index == jax.process_index()), 0)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that decides, and writes files."""
        return self.index == 0

    def agreed(self, value: R) -> R:
        """What the first process has; a value that JSON can hold."""
        return json.loads(self._from_first(json.dumps(value).encode())) if self.are_several else value

    def gathered(self, value: R) -> list[R]:
        """What each of the processes has; a value that JSON can hold."""
        if not self.are_several:
            return [value]
        told = json.dumps(value).encode()
        longest = int(max(self._exchanged(np.array([len(told)], np.uint32))[:, 0]))
        parts = [self._exchanged(part) for part in _parts(told, longest)]
        whole = (np.concatenate([part[i] for part in parts]).tobytes() for i in range(len(self.devices)))
        return [json.loads(text.rstrip(b"\0")) for text in whole]

    def refuse_differences(self, **settings: str) -> None:
        """Refuse to go on where a process has another setting than the first.

        **Raises** `InputError`, in all of them.
        """
        first, *others = self.gathered(settings)
        for i, theirs in enumerate(others, 1):
            differing = [f"{name} {theirs.get(name)} and {was}" for name, was in first.items()
                         if theirs.get(name) != was]
            if differing:
                raise InputError(f"process {i} was given other settings than process 0: {'; '.join(differing)}")

    def refuse_other_numbers(self, arrays: Arrays, when: str) -> None:
        """Refuse to go on where an array of a process is, in any bit, another one than the first's.

        **Raises** `InputError`, in all of them.
        """
        if not self.are_several:
            return
        first, *others = self.gathered({name: hashlib.sha256(array.tobytes()).hexdigest()[:16]
                                        for name, array in arrays.items()})
        for i, theirs in enumerate(others, 1):
            if differing := [name for name, was in first.items() if theirs.get(name) != was]:
                raise InputError(f"{when}, process {i} has other numbers than process 0 in {', '.join(differing[:3])}"
                                 f"{', …' if len(differing) > 3 else ''}: they need processors of one kind, and as "
                                 "many cores each; the last checkpoint is from before")

    def first_does(self, action: Callable[[], R]) -> R | None:
        """Have the first process do something, such as to write a file. What it raises, all do."""
        if not self.are_several:
            return action()
        result, told = None, None
        if self.is_first:
            try:
                result = action()
            except tuple(ERRORS.values()) as error:
                told = (type(error).__name__, str(error))
        if (told := self.agreed(told)) is not None:
            raise ERRORS[told[0]](told[1])
        return result

    def arrays_of_first(self, read: Callable[[], tuple[Arrays, Any]]) -> tuple[Arrays, Any]:
        """Arrays by name, and what JSON can hold beside them, that the first process reads; what that raises, all do.
        Nobody else need have the file."""
        if not self.are_several:
            return read()
        found = self.first_does(read) or ({}, None)
        kinds = {name: (str(array.dtype), array.shape) for name, array in found[0].items()}
        kinds, beside = self.agreed((kinds, found[1]))
        arrays = {}
        for name, (dtype, shape) in kinds.items():
            told = found[0][name].tobytes() if self.is_first else b""
            arrays[name] = np.frombuffer(self._from_first(told), dtype).reshape(shape)
        return arrays, beside

    @contextmanager
    def noticing_loss(self) -> Iterator[None]:
        """What JAX raises within, where another process is gone, is a `LostError`."""
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            # The latter is raised where a number is read that could not be calculated.
            told = str(error)
            if not (self.are_several and GONE.search(told)):
                raise
            reason = told.splitlines()[0]
            raise LostError(f"another process has ended, or cannot be reached ({reason})") from error

    def _from_first(self, told: bytes) -> bytes:
        """The bytes that the first process has."""
        sent = np.array([len(told) if self.is_first else 0], np.uint32)
        if (length := int(self._sum(sent)[0])) == 0:
            return b""
        parts = _parts(told if self.is_first else b"", length)
        return np.concatenate([self._sum(part) for part in parts]).tobytes()[:length]

    def _exchanged(self, row: np.ndarray) -> np.ndarray:
        """A row of numbers of each process."""
        rows = np.zeros((len(self.devices), len(row)), row.dtype)
        rows[self.index] = row
        return self._sum(rows)

    def _sum(self, numbers: np.ndarray) -> np.ndarray:
        """The sum of whole numbers over the processes."""
        # An all-reduce, because over gloo not all other collectives are sound (jax#40830).
        device = self.devices[self.index]
        mine = jax.device_put(numbers[None], device)
        whole = jax.make_array_from_single_device_arrays(
            (len(self.devices), *numbers.shape), NamedSharding(self._mesh, PartitionSpec("processes")), [mine]
        )
        with self.noticing_loss():
            return np.asarray(self._summed(whole))

    @cached_property
    def _mesh(self) -> Mesh:
        return Mesh(np.array(self.devices), ("processes",))

    @cached_property
    def _summed(self) -> Callable[[jax.Array], jax.Array]:
        everywhere = NamedSharding(self._mesh, PartitionSpec())
        return jax.jit(lambda rows: jnp.sum(rows, axis=0, dtype=rows.dtype), out_shardings=everywhere)


ALONE = Processes()


@lru_cache(maxsize=8)
def processes_of(devices: Sequence[Any]) -> Processes:
    """The processes that devices belong to."""
    first = {device.process_index: device for device in reversed(devices)}
    return Processes(tuple(first[i] for i in sorted(first))) if len(first) > 1 else ALONE


def _parts(told: bytes, length: int) -> list[np.ndarray]:
    """Bytes in parts of one of two sizes, so that no more programs are compiled; zeros behind them."""
    size = LITTLE if length <= LITTLE else MUCH
    whole = told.ljust(-(-length // size) * size, b"\0")
    return [np.frombuffer(whole[i : i + size], np.uint8) for i in range(0, len(whole), size)]
