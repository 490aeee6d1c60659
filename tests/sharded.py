"""Descents whose parameters are divided among devices: what is trained, and what there is to say of it.

`python tests/sharded.py FOLDER` trains all of it among eight devices, and writes what came of it into the folder; with
`killed` behind it, it is killed on the way of a descent with a checkpoint.
"""

import os
import re
import signal
import sys
import tracemalloc
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from descend import SGD, Adam, begin, load, minimize
from descend._tree import named_leaves
from descend.engine import programs
from descend.engine.storing import read_arrays
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.neural._gpt import GPT, Shape
from descend.neural._next_token import NextToken
from descend.optimizers import EMA, LBFGS, Accumulate, Muon, Shampoo
from divided import said, write

ROWS, COLUMNS, HIDDEN = 256, 16, 32
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, COLUMNS)).astype(np.float32)
TABLE = {"x": X, "y": (X @ RNG.normal(size=COLUMNS) > 0).astype(np.float32)}
WEIGHTS = {
    "first": {"kernel": 0.3 * RNG.normal(size=(COLUMNS, HIDDEN)).astype(np.float32), "bias": np.zeros(HIDDEN)},
    "last": {"kernel": 0.3 * RNG.normal(size=HIDDEN).astype(np.float32)},
}
BY_UNITS = {"first/kernel": (None, "model"), ("*/bias", "last/*"): ("model",)}
# GPT's matrices have outputs first. Heads, and the inner units, are what is divided.
BY_HEADS = {("*/qkv", "*/up", "tokens"): ("model",), ("*/out", "*/down"): (None, "model")}
NETWORK = GPT.drawn(Shape(vocabulary=32, context=8, layers=1, heads=4, width=16), np.random.default_rng(1))
TOKENS = np.random.default_rng(2).integers(0, 32, (64, 9)).astype(np.int32)
TEXTS = (TOKENS[:, :-1], TOKENS[:, 1:])
MINI = {"optimizer": Adam(0.02), "batch_size": 64}


def perceptron(p, batch):
    z = jnp.tanh(batch["x"] @ p["first"]["kernel"] + p["first"]["bias"]) @ p["last"]["kernel"]
    return jnp.mean(jnp.logaddexp(0, z) - batch["y"] * z) + 1e-3 * jnp.sum(p["first"]["kernel"] ** 2)


def dropped(p, batch, state, key=None):
    """With dropout, and with running means."""
    hidden = jnp.tanh(batch["x"] @ p["first"]["kernel"])
    means = {"mean": 0.9 * state["mean"] + 0.1 * hidden.mean(0)}
    if key is not None:
        hidden = hidden * jax.random.bernoulli(key, 0.8, hidden.shape) / 0.8
    z = (hidden - state["mean"]) @ p["last"]["kernel"]
    return jnp.mean(jnp.logaddexp(0, z) - batch["y"] * z), means


def runaway(p):
    return jnp.sum(p["w"] ** 4)


def trained(lay, by_units=None, by_heads=None, by_rows=None):
    """What is to be trained alike, however it is divided."""
    table, means = lay(TABLE), {"mean": np.zeros(HIDDEN, np.float32)}
    units = {"params": WEIGHTS, "data": table, "shard": by_units}
    yield "adam", minimize(perceptron, **units, **MINI, steps=12)
    yield "lbfgs", minimize(perceptron, **units, optimizer=LBFGS(), batch_size=ROWS, steps=20, dtype=np.float64)
    rule = EMA(Accumulate(SGD(0.1, momentum=0.9), 2), 0.9)
    yield "averaged", minimize(dropped, **units, state=means, optimizer=rule, batch_size=64, steps=12)
    yield "muon", minimize(perceptron, **units, optimizer=Muon(0.02, vectors="last/*"), batch_size=64, steps=6)
    yield "shampoo", minimize(perceptron, **units, optimizer=Shampoo(0.05), batch_size=64, steps=6)
    rule = Adam(0.01)
    yield "gpt", minimize(NextToken(), NETWORK, lay(TEXTS), shard=by_heads, optimizer=rule, batch_size=32, steps=6)
    start = {"w": lay(np.linspace(1, 2, 16).reshape(8, 2), whole=True)}
    yield "undone", minimize(runaway, start, shard=by_rows, optimizer=SGD(0.5))


# -------------------------------------------------------------------------------------------- among eight devices alone


def over(*shape):
    """A function that lays a table over a mesh, its rows along the first axis; or `whole`, on each device."""
    mesh = jax.make_mesh(shape, ("data", "model"), devices=jax.devices()[: np.prod(shape)])

    def lay(table, whole=False):
        return jax.device_put(table, NamedSharding(mesh, PartitionSpec() if whole else PartitionSpec("data")))

    return lay


def by_units(table, lay):
    """Parameters that somebody has laid so."""
    mesh = lay(table, whole=True)["x"].sharding.mesh
    return jax.tree.map(lambda w: jax.device_put(
        w, NamedSharding(mesh, PartitionSpec(*[None] * (w.ndim - 1), "model"))), WEIGHTS)


def divided_otherwise(folder):
    """One training, divided in many ways."""
    for shape in ((2, 4), (1, 8)):
        yield "x".join(map(str, shape)), minimize(perceptron, WEIGHTS, over(*shape)(TABLE), **MINI, steps=12,
                                                  shard=BY_UNITS)
    yield "by data", minimize(perceptron, WEIGHTS, over(8, 1)(TABLE), **MINI, steps=12, shard={"*": ("data",)})
    lay = over(4, 2)
    yield "placed", minimize(perceptron, by_units(TABLE, lay), lay(TABLE), **MINI, steps=12)
    yield "table of the host", minimize(perceptron, by_units(TABLE, lay), TABLE, **MINI, steps=12)
    # 1. A run that was saved, and goes on divided alike.
    run = begin(perceptron, WEIGHTS, lay(TABLE), **MINI, shard=BY_UNITS)
    run.advance(5)[0].save(folder / "verb")
    yield "loaded", load(folder / "verb", perceptron, lay(TABLE), shard=BY_UNITS).advance(7)[0]
    # 2. The same, divided otherwise.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        moved = load(folder / "verb", perceptron, over(2, 4)(TABLE), shard={"first/kernel": ("model",)})
    write(folder, 0, "moved warned", {}, {"told": [str(warning.message) for warning in caught]})
    yield "moved", moved.advance(7)[0]
    # 3. A fork with other data, parameters of the host, and parameters that are divided, of a run that is not.
    yield "forked", run.fork(data=TABLE, params=WEIGHTS).advance(12)[0]
    alone = begin(perceptron, WEIGHTS, TABLE, **MINI)
    yield "forked by parameters", alone.fork(params=run.params).advance(12)[0]


KILLED = {**MINI, "shard": BY_UNITS, "snapshots": True}


def killed(folder):
    """A descent that its own process kills."""

    def kill(progress):
        if progress.step > 5:
            os.kill(os.getpid(), signal.SIGKILL)

    minimize(perceptron, WEIGHTS, over(4, 2)(TABLE), **KILLED, steps=10**6, observers=[kill],
             checkpoint=Checkpoint(folder / "killed", every=0.0))


def gone_on(folder):
    """The descent that was killed, as it goes on; and one that nobody disturbed."""
    made = int(read_arrays(folder / "killed")[0]["state/step"]) + 9
    data = over(4, 2)(TABLE)
    saved = {"checkpoint": folder / "killed", "resume": True}
    yield "gone on", minimize(perceptron, WEIGHTS, data, **KILLED, steps=made, **saved)
    yield "undisturbed", minimize(perceptron, WEIGHTS, data, **KILLED, steps=made)


def written(folder):
    """How many bytes the host had at most while a run was written, of which state."""
    params = {f"{i}": np.ones((256, 256), np.float32) for i in range(4)}
    square = lambda p, batch: sum(jnp.mean(w**2) for w in p.values()) * jnp.mean(batch)
    run = begin(square, params, over(4, 2)(TABLE)["x"], **MINI, shard={"*": (None, "model")})
    tracemalloc.start()
    run.save(folder / "written")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    again = load(folder / "written", square, over(4, 2)(TABLE)["x"], shard={"*": ("model",)})
    state = jax.tree.leaves((run.state.params, run.state.optimizer))
    same = all(np.array_equal(run.params[name], again.params[name]) for name in params)
    return {"peak": peak, "whole": sum(leaf.nbytes for leaf in state), "same": same}


def refused():
    """What is said to what parameters cannot be divided by."""
    lay = over(2, 4)
    table, odd = lay(TABLE), WEIGHTS | {"last": {"kernel": np.ones((HIDDEN, 3))}}
    descend = lambda shard, params=WEIGHTS, data=table: minimize(perceptron, params, data, **MINI, steps=1, shard=shard)
    yield "unmatched", lambda: descend({"*/kernal": ("model",)})
    yield "axis", lambda: descend({"*/kernel": ("modl",)})
    yield "uneven", lambda: descend({"last/kernel": (None, "model")}, odd)
    yield "too many", lambda: descend({"*/bias": (None, "model")})
    yield "twice", lambda: descend({"first/kernel": ("model", "model")})
    yield "contradicting", lambda: descend({"*/kernel": ("model",), "first/*": ("data",)})
    yield "text", lambda: descend({"*/kernel": "model"})
    yield "number", lambda: descend({"*/kernel": (0, "model")})
    yield "mapping", lambda: descend("model")
    yield "no mesh", lambda: descend({"*/kernel": ("model",)}, data=TABLE)
    yield "other mesh", lambda: descend(None, by_units(TABLE, over(4, 2)))


def lies(result):
    """How parameters lie, and how many bytes of its parameters and of all that it remembers each device has."""
    run = getattr(result, "run", result)
    trees = [] if result is run else [result.params, result.start, *(run.params for run in result.snapshots.values())]
    specs = lambda tree: {name: str(leaf.sharding.spec) for name, leaf in named_leaves(tree).items()
                          if isinstance(leaf, jax.Array)}
    arrays = [leaf for leaf in jax.tree.leaves((run.state.params, run.state.optimizer)) if leaf.ndim]
    devices = sorted({device.id for leaf in arrays for device in leaf.sharding.device_set})
    return {
        "specs": specs(run.state.params),
        "bytes": [sum(shard.data.nbytes for leaf in arrays for shard in leaf.addressable_shards if shard.device.id == i)
                  for i in devices],
        "whole": sum(leaf.nbytes for leaf in arrays),
        # What a result has besides its run: parameters, those at the start, and those on the way.
        "kept": sorted({specs(tree).get("first/kernel", "NumPy") for tree in trees}),
    }


def products():
    """The shapes of products in the loop that was compiled last."""
    texts = [text for program in programs._kept.values() if "while(" in (text := program.as_text())]
    return sorted(set(re.findall(r"= (\w+\[[\d,]*\])\S* dot\(", texts[-1])))


def main():
    """All of it."""
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["killed"]:
        killed(folder)
    lay = over(4, 2)
    for results in (trained(lay, BY_UNITS, BY_HEADS, {"w": ("model",)}), divided_otherwise(folder), gone_on(folder)):
        for name, result in results:
            arrays, facts = said(result)
            write(folder, 0, name, arrays, facts | lies(result) | {"products": products()})
    write(folder, 0, "written", {}, written(folder))
    for name, action in refused():
        try:
            action()
            told = "nothing"
        except InputError as error:
            told = str(error)
        write(folder, 0, f"refused {name}", {}, {"told": told})


if __name__ == "__main__":
    main()
