"""Parameters that are divided over a mesh of devices: as they lie already, or by the patterns of their paths."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from descend._division import Division, Shard, automatic_mesh, sharding_of
from descend._paths import Patterns, matches, refuse_unmatched
from descend._tree import Tree, named_leaves
from descend.errors import InputError

# The axes of the mesh that a dimension is divided over.
Axes = tuple[str, ...]


def with_shards(division: Division | None, numbers: Tree, shard: Any = None, data: Tree = None) -> Division | None:
    """The division of the rows with that of the parameters: as `shard` says, and else as they lie.

    The mesh is that of the rows, if they are divided; or else the parameters', or that which the data are whole on.

    **Raises** `InputError` for what parameters cannot be divided by.
    """
    leaves = named_leaves(numbers)
    lying = {path: spec for path, leaf in leaves.items() if any(spec := _lying(leaf))}
    if shard is None and not lying:
        return division
    mesh = division.mesh if division else _mesh_of(numbers) or _mesh_of(data)
    if mesh is None:
        raise InputError("shard= needs a mesh of devices: lay the rows of the data, or the parameters, over one, by "
                         "jax.device_put with a jax.sharding.NamedSharding")
    for path in lying:
        if _mesh_of(leaves[path]) != mesh:
            raise InputError(f"the parameter '{path}' is divided over another mesh than the rows of the data, or other "
                             "parameters: lay all of them over one")
    specs = lying | ({} if shard is None else _asked(shard, leaves, mesh))
    # Of a bare array, the path is empty.
    is_bare = jax.tree_util.all_leaves([numbers])
    shards = tuple(Shard("" if is_bare else path, leaves[path].shape, PartitionSpec(*(axes or None for axes in spec)))
                   for path, spec in specs.items() if any(spec))
    found = replace(division or Division(mesh), shards=shards)
    if shards and found.processes.are_several:
        raise InputError("parameters cannot be divided among several processes: over gloo only sums over devices are "
                         "sound (jax#40830), and nothing else was tried; divide them among the devices of one process")
    return found


def _mesh_of(tree: Tree) -> Mesh | None:
    """The mesh that arrays of a tree lie on, if any does."""
    found = filter(None, map(sharding_of, jax.tree.leaves(tree)))
    return next(map(automatic_mesh, found), None)


def _lying(leaf: Any) -> tuple[Axes, ...]:
    """How an array is divided, by dimension; whole, where the axes are of one device."""
    sharding = sharding_of(leaf)
    return () if sharding is None or sharding.is_fully_replicated else _as_axes(sharding.spec)


def _as_axes(spec: Iterable[Any]) -> tuple[Axes, ...]:
    """A way to divide in one spelling of many, so that equal ones are equal."""
    axes = [() if over is None else (over,) if isinstance(over, str) else tuple(over) for over in spec]
    while axes and not axes[-1]:
        axes.pop()
    return tuple(axes)


def _asked(shard: Any, leaves: Mapping[str, Any], mesh: Mesh) -> dict[str, tuple[Axes, ...]]:
    """How parameters that fit a pattern are to be divided, by path."""
    if not isinstance(shard, Mapping):
        raise InputError(f"shard must be a mapping, such as {{'*/kernel': (None, 'model')}}, but is {shard!r}")
    specs: dict[str, tuple[Axes, ...]] = {}
    by: dict[str, Patterns] = {}
    for patterns, given in shard.items():
        refuse_unmatched("shard", patterns, leaves)
        spec = _checked(patterns, given, mesh)
        for path in (path for path in leaves if matches(patterns, path)):
            if specs.get(path, spec) != spec:
                raise InputError(f"shard: '{path}' fits both {by[path]!r} and {patterns!r}, which divide it otherwise: "
                                 "let one of them alone fit it")
            _refuse_misfit(path, leaves[path].shape, spec, mesh)
            specs[path], by[path] = spec, patterns
    return specs


def _checked(patterns: Patterns, given: Any, mesh: Mesh) -> tuple[Axes, ...]:
    """What the dimensions of a pattern's parameters are divided over, if the mesh has it."""
    known = isinstance(given, tuple | list | PartitionSpec)
    if not (known and all(over is None or isinstance(over, str | tuple) for over in given)):
        raise InputError(f"shard: {patterns!r} has {given!r}: give a tuple with an axis of the mesh, or None, for each "
                         "dimension, such as (None, 'model')")
    spec = _as_axes(given)
    named = [axis for axes in spec for axis in axes]
    for axis in named:
        if axis not in mesh.axis_names:
            raise InputError(f"shard: {patterns!r} names {axis!r}, but the axes of the mesh are "
                             f"{', '.join(map(repr, mesh.axis_names))}: name one of them, or None")
        if named.count(axis) > 1:
            raise InputError(f"shard: {patterns!r} names {axis!r} twice: an axis can divide one dimension")
    return spec


def _refuse_misfit(path: str, shape: tuple[int, ...], spec: tuple[Axes, ...], mesh: Mesh) -> None:
    """Refuse to divide what has too few dimensions, or not equal parts."""
    if len(spec) > len(shape):
        raise InputError(f"shard: '{path}' has {len(shape)} dimensions, {shape}, and is given entries for {len(spec)}: "
                         "give no more than there are")
    for i, axes in enumerate(spec):
        parts = math.prod(mesh.shape[axis] for axis in axes)
        if shape[i] % parts:
            raise InputError(f"shard: dimension {i} of '{path}', of {shape[i]}, cannot be divided among the {parts} "
                             f"devices of {', '.join(map(repr, axes))}: divide another, or none")
