"""Descents that are divided among processes, or among devices: what each of them trains, and what it says of it.

`python tests/divided.py FOLDER INDEX COUNT PORT` is one of the processes, which find each other at the port. Each
trains all workloads, one after the other, and writes what came of them into the folder. One process alone,
`FOLDER 0 1 0`, trains what can be divided among its devices. With `lost` behind it, one of them is gone on the way.
"""

import json
import os
import re
import signal
import sys
import time
from itertools import chain
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from descend import Adam, Target, begin, load, minimize
from descend._division import Division
from descend.engine import programs
from descend.engine.digesting import digest
from descend.engine.trainer import Checkpoint
from descend.errors import CheckpointError, InputError
from descend.optimizers import EMA, Accumulate
from descend.sources import GlobalBatches, MiniBatches

ROWS, COLUMNS, HIDDEN = 384, 8, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, COLUMNS)).astype(np.float32)
Y = (X @ RNG.normal(size=COLUMNS) + RNG.normal(size=ROWS) > 0).astype(np.float32)
HELD_OUT = RNG.normal(size=(64, COLUMNS)).astype(np.float32)
TABLE = {"x": X, "y": Y}
WEIGHTS = {"w": RNG.normal(size=(COLUMNS, HIDDEN)).astype(np.float32), "v": np.zeros(HIDDEN, np.float32)}
MEANS = {"mean": np.zeros(HIDDEN, np.float32)}


def logistic(w, batch):
    z = batch["x"] @ w
    return jnp.mean(jnp.logaddexp(0, z) - batch["y"] * z) + 1e-2 * (w @ w)


def perceptron(p, batch):
    z = jnp.tanh(batch["x"] @ p["w"]) @ p["v"]
    return jnp.mean(jnp.logaddexp(0, z) - batch["y"] * z)


def noisy(p, batch, state, key=None):
    """With batch normalisation and dropout."""
    hidden = batch["x"] @ p["w"]
    mean = hidden.mean(0) if key is not None else state["mean"]
    hidden = jnp.tanh((hidden - mean) / jnp.sqrt(hidden.var(0) + 1e-3))
    if key is not None:
        hidden = hidden * jax.random.bernoulli(key, 0.8, hidden.shape) / 0.8
    z = hidden @ p["v"]
    return jnp.mean(jnp.logaddexp(0, z) - batch["y"] * z), {"mean": 0.9 * state["mean"] + 0.1 * mean}


def part(table, index, count):
    """The rows of one of so many processes."""
    rows = len(jax.tree.leaves(table)[0]) // count
    return jax.tree.map(lambda array: array[index * rows : (index + 1) * rows], table)


def over(devices):
    """A function that divides a table, of which all processes have the whole here, over the rows of a mesh."""
    sharding = NamedSharding(jax.make_mesh((devices,), ("rows",)), PartitionSpec("rows"))
    return lambda table: jax.tree.map(
        lambda array: jax.make_array_from_callback(array.shape, sharding, lambda index: array[index]), table
    )


def trained(divided, folder):
    """What the engine is to train alike, however its data are divided."""
    table = divided(TABLE)
    mini = {"loss": perceptron, "params": WEIGHTS, "data": table, "optimizer": Adam(0.02), "batch_size": 64}
    yield "whole", minimize(perceptron, WEIGHTS, table, optimizer=Adam(0.02), batch_size=ROWS, steps=12)
    alike = MiniBatches(TABLE, 64, division=Division.of(table))
    yield "whole on each", minimize(**mini | {"data": alike, "batch_size": None}, steps=12)
    yield "lbfgs", minimize(logistic, np.zeros(COLUMNS), table, batch_size=ROWS, dtype=np.float64)
    yield "validated", minimize(**mini, steps=30, validation=divided(TABLE), validate_every=10)
    yield "target", minimize(**mini, steps=300, stop=Target("loss", at_most=0.5), validate_every=3,
                             validation=lambda p: perceptron(p, TABLE))
    yield "auto", minimize(perceptron, WEIGHTS, table, batch_size=64, steps=100)
    rule = EMA(Accumulate(Adam(0.02), 2), 0.9)
    yield "noisy", minimize(noisy, WEIGHTS, table, state=MEANS, optimizer=rule, batch_size=64, steps=12)
    saved = folder / "run"
    minimize(**mini, steps=14, checkpoint=saved)
    yield "resumed", minimize(**mini, steps=30, checkpoint=saved, resume=True)
    run = begin(perceptron, WEIGHTS, table, optimizer=Adam(0.02), batch_size=64)
    run.advance(7)[0].save(folder / "verb")
    run, _ = load(folder / "verb", perceptron, table).advance(23)
    yield "loaded", run


# ------------------------------------------------------------------------------------------- of several processes alone


def from_own_rows(index, count, folder):
    """Descents on rows that each process has alone; and one that goes on from its checkpoint."""
    own = part(TABLE, index, count)
    mini = {"loss": perceptron, "params": WEIGHTS, "optimizer": Adam(0.02)}
    yield "whole of own", minimize(**mini, data=GlobalBatches(own, ROWS, shuffle=False), steps=12)

    def batches():
        # Each process gives other numbers, and all as many.
        return [part(own, i, 8) for i in range(8)]

    class Loader:
        def __iter__(self):
            return iter(batches())

        def __len__(self):
            return 8

    yield "loader", minimize(**mini, data=GlobalBatches(Loader()), steps=21)
    saved = folder / "loader"
    minimize(**mini, data=GlobalBatches(Loader()), steps=13, checkpoint=saved)
    yield "loader resumed", minimize(**mini, data=GlobalBatches(Loader()), steps=21, checkpoint=saved, resume=True)


def ended(index, count, folder, divided):
    """Descents that end by the clock, or because somebody asked one of the processes."""
    mini = {"loss": perceptron, "params": WEIGHTS, "data": divided(TABLE), "optimizer": Adam(0.02), "batch_size": 64}
    # By the clock of the first: the other is slow.
    wait = lambda progress: time.sleep(0.2 * index)
    yield "seconds", minimize(**mini, seconds=3.0, validation=TABLE, observers=[wait])

    def ask(progress):
        # Once, as a second Ctrl-C ends a process at once.
        if index == 1 and progress.step > 5 and progress.reason is None:
            os.kill(os.getpid(), signal.SIGINT)

    yield "interrupted", minimize(**mini, steps=10**6, observers=[ask], checkpoint=folder / "asked")


def refused(index, count, folder, divided):
    """What each process says to input that is none, or not the same in all of them."""
    table = divided(TABLE)
    mini = {"loss": perceptron, "params": WEIGHTS, "data": table, "optimizer": Adam(0.02), "batch_size": 64, "steps": 4}
    other = {name: array + index for name, array in WEIGHTS.items()}
    # Two functions of one name.
    losses = [lambda p, batch, i=i: (1 + i) * perceptron(p, batch) for i in range(count)]
    yield "seed", lambda: minimize(**mini | {"seed": index})
    yield "parameters", lambda: minimize(**mini | {"params": other})
    yield "loss", lambda: minimize(**mini | {"loss": losses[index]})
    yield "steps", lambda: minimize(**mini | {"steps": 4 + index})
    yield "batch size", lambda: minimize(**mini | {"batch_size": 63})
    fewer = {name: array[: ROWS - 2 * index] for name, array in TABLE.items()}
    yield "shape", lambda: minimize(**mini | {"data": divided(fewer)})
    yield "rows", lambda: GlobalBatches(part(TABLE, index, count)["x"][index:], 64)
    uneven = [np.zeros((4 + index, COLUMNS), np.float32)]
    yield "parts", lambda: minimize(lambda w, x: jnp.mean((x - w) ** 2), 0.0, GlobalBatches(iter_of(uneven)), steps=2,
                                    optimizer=Adam(0.1))
    yield "shards", lambda: minimize(**mini, shard={"w": ("rows",)})
    yield "checkpoint", lambda: minimize(**mini | {"optimizer": Adam(0.03)}, checkpoint=folder / "run", resume=True)


def iter_of(batches):
    """A loader of these batches."""

    class Loader:
        def __iter__(self):
            return iter(batches)

    return Loader()


def said(result):
    """What there is to say of a result or a run: arrays by name, and facts."""
    run = getattr(result, "run", result)
    params = getattr(result, "params", run.params)
    arrays = {f"params/{name}": np.asarray(leaf) for name, leaf in _named(params)}
    arrays |= {f"state/{name}": np.asarray(leaf) for name, leaf in _named(run.state.carried.state or {})}
    facts = {"step": run.step}
    if result is not run:
        arrays["loss"] = result.history["loss"]
        facts |= {"reason": str(result.reason), "name": result.reason.name, "seconds": result.seconds,
                  "validation": result.history.validation, "rate": result.search and result.search.rate}
    return arrays, facts


def _named(tree):
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
            if hasattr(leaf, "dtype")]


def write(folder, index, name, arrays, facts):
    """Keep what a process says."""
    np.savez(folder / f"{name}-{index}.npz", **arrays)
    (folder / f"{name}-{index}.json").write_text(json.dumps(facts))


def compiled():
    """Of the compiled loops: the shapes of products, and how devices talk to each other."""
    texts = [text for program in programs._kept.values() if "while(" in (text := program.as_text())]
    products = {shape for text in texts for shape in re.findall(r"= (\w+\[[\d,]*\])\S* dot\(", text)}
    talks = {kind for text in texts for kind in
             re.findall(r"\s(all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)\(", text)}
    return {"products": sorted(products), "talks": sorted(talks)}


def hashes():
    """Of one table, and of others, over devices in many ways."""
    table = np.random.default_rng(1).integers(0, 9, (16, 6, 4))
    ways = [((1,), ("a",)), ((2,), ("a",)), ((8,), ("a",)), ((2, 2), ("a", "b")), ((2, 4), (("a", "b"),)),
            ((4, 2), ("a", None, "b"))]

    def of(array, shape, axes):
        mesh = jax.make_mesh(shape, ("a", "b")[: len(shape)], devices=jax.devices()[: np.prod(shape)])
        return digest({"x": jax.device_put(array, NamedSharding(mesh, PartitionSpec(*axes)))})

    kinds = ("float32", "bool", "uint8", "float16", "complex64")
    others = [table + (np.arange(16) == 15)[:, None, None], table[[1, 0, *range(2, 16)]], table.reshape(16, 4, 6)]
    return {
        "one": [[of(table.astype(kind), *way) for way in ways] for kind in kinds],
        "others": [of(other.astype(np.float32), *ways[1]) for other in others],
    }


def lost(folder, index, count, divided):
    """A descent of which the last process is gone on the way."""

    def vanish(progress):
        if index == count - 1 and progress.step > 5:
            os._exit(9)

    table = divided(TABLE)
    fit = minimize(perceptron, WEIGHTS, table, optimizer=Adam(0.02), batch_size=64, steps=10**6, observers=[vanish],
                   checkpoint=Checkpoint(folder / "lost", every=0.0))
    write(folder, index, "lost", *said(fit))
    # Nobody is there to part from.
    os._exit(0)


def main():
    """One of the processes."""
    folder, index, count, port = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    # Files are written by one process alone: the other has none of them.
    files = folder / f"files-{index}"
    files.mkdir()
    if count > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", count, index)
    divided = over(jax.device_count())
    if sys.argv[5:] == ["lost"]:
        lost(folder, index, count, divided)
    for name, result in trained(divided, files):
        write(folder, index, name, *said(result))
        if name == "validated":
            write(folder, index, "compiled", {}, compiled())
    if count > 1:
        among_several(folder, files, index, count, divided)
    else:
        write(folder, index, "hashes", {}, {"hashes": hashes()})


def among_several(folder, files, index, count, divided):
    """What needs several processes."""
    for name, result in chain(from_own_rows(index, count, files), ended(index, count, files, divided)):
        write(folder, index, name, *said(result))
    for name, action in refused(index, count, files, divided):
        try:
            action()
            told = "nothing"
        except (InputError, CheckpointError) as error:
            told = f"{type(error).__name__}: {error}"
        write(folder, index, f"refused {name}", {}, {"told": told})


if __name__ == "__main__":
    main()
