"""How arrays lie over several devices: the rows of examples and some parameters divided, and all else whole on each."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from descend._processes import ALONE, Processes, processes_of
from descend._tree import Tree, named_leaves, path_name
from descend.errors import InputError


class Shard(NamedTuple):
    """A parameter that is divided: the path of its array, its shape, and the axes that its dimensions are over."""

    path: str
    shape: tuple[int, ...]
    spec: PartitionSpec


@dataclass(frozen=True)
class Division:
    """Rows are divided over the `axes` of a mesh of devices, parameters as `shards` say, and all else is whole on each.

    The mesh is one of automatic axes: where an operation is divided is for the compiler to find, as a loss need not
    know that its batch is, and a rule need not know that parameters are.
    """

    mesh: Mesh
    axes: tuple[str, ...] = ()
    shards: tuple[Shard, ...] = ()

    @classmethod
    def of(cls, tree: Tree) -> "Division | None":
        """That of the arrays in a tree; none, if no array has its rows divided.

        **Raises** `InputError` where arrays have their rows divided otherwise than others.
        """
        found = {name: division for name, leaf in named_leaves(tree).items() if (division := _of_array(leaf))}
        first = next(iter(found.values()), None)
        for name, other in found.items():
            if other != first:
                raise InputError(f"the rows of all data must be divided alike, but those of '{next(iter(found))}' are "
                                 f"among {first}, and those of '{name}' among {other}")
        return first

    @classmethod
    def among_all(cls) -> "Division | None":
        """That among the devices of all processes of this program; none, where it is one process."""
        # Asked first, as it costs nothing: to count them makes JAX look for its devices.
        if not jax.distributed.is_initialized() or jax.process_count() == 1:
            return None
        return cls(Mesh(np.array(jax.devices()), ("rows",)), ("rows",))

    @property
    def parts(self) -> int:
        """How many parts rows are divided into."""
        return int(np.prod([self.mesh.shape[axis] for axis in self.axes]))

    @property
    def everywhere(self) -> NamedSharding:
        """The whole of an array on each device."""
        return NamedSharding(self.mesh, PartitionSpec())

    @cached_property
    def processes(self) -> Processes:
        """Those that the devices belong to."""
        return processes_of(tuple(self.mesh.devices.flat))

    def rows(self, before: int = 0) -> NamedSharding:
        """Of arrays that are divided along an axis, with so many before it."""
        return NamedSharding(self.mesh, PartitionSpec(*[None] * before, self.axes))

    def divided(self, batch: Tree) -> Tree:
        """A batch, of which each device calculates with its own rows alone; traceable."""
        free = PartitionSpec.UNCONSTRAINED
        by_rows = lambda leaf: NamedSharding(self.mesh, PartitionSpec(self.axes, *[free] * (jnp.ndim(leaf) - 1)))
        return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, by_rows(leaf)), batch)

    def layout(self, tree: Tree) -> Tree:
        """Where each array of a tree lies: what is a divided parameter, or remembered of one, as that does."""
        return jax.tree_util.tree_map_with_path(self._place, tree)

    def placed(self, tree: Tree) -> Tree:
        """The tree with its arrays where they lie."""
        return jax.tree.map(placed, tree, self.layout(tree))

    def _place(self, path: tuple[Any, ...], leaf: Any) -> NamedSharding:
        """Where an array lies. It belongs to a divided parameter if its path ends as the parameter's, and it has its
        shape, or is a stack of such."""
        parts = path_name(path).split("/") if self.shards else []
        # The empty end is a path of parameters that are a bare array.
        ends = ("/".join(parts[i:]) for i in range(len(parts) + 1))
        shard = next((self._by_path[end] for end in ends if end in self._by_path), None)
        before = len(leaf.shape) - len(shard.shape) if shard else 0
        if shard is None or leaf.shape[max(before, 0) :] != shard.shape:
            return self.everywhere
        return NamedSharding(self.mesh, PartitionSpec(*[None] * before, *shard.spec))

    @cached_property
    def _by_path(self) -> dict[str, Shard]:
        return {shard.path: shard for shard in self.shards}

    def usual_size(self, size: int) -> int:
        """The size of a batch, of about so many rows, that devices can have equal parts of."""
        return max(self.parts, size - size % self.parts)

    def check_batch_size(self, size: int) -> None:
        """Refuse a batch that devices cannot have equal parts of."""
        if size % self.parts:
            raise InputError(f"a batch of {size} rows cannot be divided among {self.parts} devices: give a batch_size "
                             f"that is a multiple of {self.parts}")

    def __str__(self) -> str:
        return f"{self.parts} devices ({', '.join(self.axes)})"


def processes_among(division: Division | None) -> Processes:
    """Those that a descent is divided among: this one alone, where nothing is divided."""
    return ALONE if division is None else division.processes


def placed(leaf: Any, sharding: NamedSharding) -> Any:
    """An array that all processes have, where a sharding says."""
    if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
        return leaf
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(placed(jax.random.key_data(leaf), sharding), impl=jax.random.key_impl(leaf))
    if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
        raise InputError("parameters and state must be whole on each process, but an array of them is divided")
    if is_divided(leaf):
        return jax.device_put(leaf, sharding)
    here = np.asarray(leaf)
    return jax.make_array_from_callback(here.shape, sharding, lambda index: here[index])


def is_divided(leaf: Any) -> bool:
    """Whether no device has the whole of an array."""
    return isinstance(leaf, jax.Array) and not (isinstance(leaf, jax.core.Tracer) or leaf.is_fully_replicated)


def gathered(array: jax.Array) -> np.ndarray:
    """A divided array as NumPy's, of which JAX keeps no copy, as it does where it is asked for one."""
    whole = np.empty(array.shape, array.dtype)
    for shard in array.addressable_shards:
        if shard.replica_id == 0:
            whole[shard.index] = shard.data
    return whole


def automatic(tree: Tree) -> Tree:
    """The tree as it can be calculated with, where rows of some of its arrays are divided: these on meshes of automatic
    axes, without a copy, and all others whole on each device."""
    division = Division.of(tree)
    if division is None:
        return tree
    whole = lambda leaf: placed(leaf, division.everywhere)
    return jax.tree.map(lambda leaf: _on_automatic(leaf) if _of_array(leaf) else whole(leaf), tree)


def _on_automatic(array: jax.Array) -> jax.Array:
    division: Any = _of_array(array)
    sharding: Any = array.sharding
    if sharding.mesh == division.mesh:
        return array
    parts = [shard.data for shard in array.addressable_shards]
    return jax.make_array_from_single_device_arrays(
        array.shape, NamedSharding(division.mesh, sharding.spec), parts, dtype=array.dtype
    )


def _of_array(leaf: Any) -> Division | None:
    """The division of an array whose rows are divided."""
    sharding = sharding_of(leaf)
    if sharding is None or not sharding.spec or sharding.spec[0] is None:
        return None
    axes = sharding.spec[0] if isinstance(sharding.spec[0], tuple) else (sharding.spec[0],)
    return Division(automatic_mesh(sharding), axes)


def sharding_of(leaf: Any) -> NamedSharding | None:
    """Where an array lies, if that is on a mesh."""
    sharding = leaf.sharding if isinstance(leaf, jax.Array) and not isinstance(leaf, jax.core.Tracer) else None
    return sharding if isinstance(sharding, NamedSharding) else None


def automatic_mesh(sharding: NamedSharding) -> Mesh:
    """Its mesh, of automatic axes."""
    mesh: Any = sharding.mesh
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))
