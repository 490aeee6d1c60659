"""What a checkpoint must agree with, and what numbers depend on besides."""

import hashlib
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxlib import version as jaxlib

from descend._arrays import precision
from descend._division import is_divided
from descend._tree import Tree, described, named_leaves
from descend.engine.descent import Descent
from descend.engine.digesting import source_digest
from descend.programs import processor

JAX_SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl", "jax_threefry_partitionable")


def identity(descent: Descent, numbers: Tree, seed: int) -> dict[str, Any]:
    """What a checkpoint must agree with: a run that goes on from it would otherwise be another one."""
    source = descent.source
    return {
        "parameters": {name: f"{x.dtype}{list(x.shape)}" for name, x in named_leaves(numbers).items()},
        "loss": without_addresses(repr(descent.loss)),
        # The rule before a rate is sought, if one is: the rate is what the checkpoint tells.
        "optimizer": without_addresses(repr(descent.optimizer)),
        "source": without_addresses(getattr(source, "identity", type(source).__name__)),
        "batch size": getattr(source, "batch_size", None),
        "shuffle": getattr(source, "shuffle", None),
        "data": source_digest(source),
        "seed": seed,
        # With another watch the history would have other columns.
        "watch": descent.watch and repr(descent.watch),
    }


def settings_of(descent: Descent, numbers: Tree, state: Tree, seed: int) -> dict[str, str]:
    """What must be the same in all processes of a descent before its first step; `numbers` and `state`: at first."""
    source: Any = descent.source
    return {
        "versions": f"jax {jax.__version__}, jaxlib {jaxlib.__version__}, numpy {np.__version__}",
        "parameters": _hash(numbers),
        "state": _hash(state),
        "loss": without_addresses(repr(descent.loss)),
        "optimizer": without_addresses(repr(descent.optimizer)),
        "data": f"{type(source).__name__} of {described(getattr(source, 'data', None))}",
        "batch size": str(getattr(source, "batch_size", None)),
        "shuffle": str(getattr(source, "shuffle", None)),
        "seed": str(seed),
    }


def _hash(tree: Tree) -> str:
    """A hash of arrays that are small enough to be looked at whole."""
    each = (f"{name} {kind} {np.asarray(leaf).tobytes().hex()}"
            for (name, kind), leaf in zip(described(tree).items(), jax.tree.leaves(tree), strict=True))
    return f"of hash {hashlib.sha256(chr(10).join(each).encode()).hexdigest()[:16]}"


def without_addresses(told: str) -> str:
    """A text that tells of objects, without where in memory they are."""
    return re.sub(r" at 0x[0-9a-f]+", "", told)


def surroundings(params: Tree) -> dict[str, Any]:
    """What numbers depend on besides a run, here: in their last bits, or in all that is random.

    XLA divides products among cores, and adds up in another order where there are others.
    """
    device = jax.devices()[0]
    with precision(params):
        settings = {name: getattr(jax.config, name) for name in JAX_SETTINGS}
    return {
        "device": device.device_kind,
        "processor": processor(),
        "cores": usable_cores() if device.platform == "cpu" else None,
        "divided among": _divided(params),
        "jaxlib": jaxlib.__version__,
        "numpy": np.__version__,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        **settings,
    }


def _divided(params: Tree) -> str:
    """Among how many devices, and processes, the steps of these parameters are divided; and they, in which parts."""
    leaves = jax.tree.leaves(params)
    lies = getattr(leaves[0], "sharding", None)
    devices = lies.device_set if lies else {}
    processes = {device.process_index for device in devices}
    among = f"{len(devices)} devices of {len(processes)} processes" if len(devices) > 1 else "one device"
    parts = {f"{list(leaf.shape)} in {list(leaf.sharding.shard_shape(leaf.shape))}" for leaf in leaves
             if is_divided(leaf)}
    return ", ".join([among, *sorted(parts)])


def warn_of_other_surroundings(path: str | Path, now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """Say so where a run goes on to other numbers than it would have come to where its file was written."""
    changed = [f"{name} was {was!r} and is {now[name]!r}" for name, was in then.items() if was != now.get(name, was)]
    if changed:
        warnings.warn(f"{path} was written where numbers are others ({', '.join(changed)}): what comes after it is "
                      "not, bit for bit, what would have come there", stacklevel=2)


def usable_cores() -> int:
    """The threads that XLA has on a CPU: as many as the cores that this process may use, unless it is told."""
    told = os.environ.get("PJRT_NPROC") or os.environ.get("NPROC") or ""
    if told.isdecimal():
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
