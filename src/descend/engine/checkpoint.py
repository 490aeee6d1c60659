"""Runs from files: whole, or as far as a changed model still fits."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from descend._arrays import precision
from descend._division import processes_among
from descend._tree import Tree
from descend.engine.begin import begin
from descend.engine.digesting import source_digest
from descend.engine.identity import warn_of_other_surroundings
from descend.engine.run import Run
from descend.engine.serializing import read, tree_of
from descend.engine.storing import Match, match_arrays, read_arrays, tree_from_arrays
from descend.engine.watching import Watch
from descend.errors import CheckpointError
from descend.sources import HostArrays, MiniBatches, Source, WholeSet, as_data, division_of, on_device


def load(
    path: str | Path,
    loss: Callable[..., Any],
    data: Any = None,
    *,
    params: Tree = None,
    optimizer: Any = None,
    shard: Any = None,
) -> Run:
    """The run that `run.save` wrote, or that a checkpoint of `minimize` holds: the same step count, the same place in
    the data, the same bits. To advance it is to go on as if it had never been saved.

    `loss` and `data` are not in the file: give those that the run had. `params`: parameters of the same structure, for
    those that are not of plain containers (dicts, lists, tuples) but, for instance, an Equinox module; their numbers do
    not matter. `optimizer`: for one that is not of `descend.optimizers`. `shard`: how to divide parameters, as for
    `minimize`; the file does not tell, and they may be divided otherwise than they were.

    **Raises** `CheckpointError` for a damaged file, other data than the run had, or what does not fit. To go on with
    other data, load with the old ones and `run.fork(data=...)`, or `restore`.

    >>> import numpy as np, tempfile
    >>> from descend import Adam, begin, load
    >>> loss = lambda p: ((p["a"] - 1.0) ** 2).sum()
    >>> run, _ = begin(loss, {"a": np.zeros(2)}, optimizer=Adam(0.1)).advance(5)
    >>> file = f"{tempfile.mkdtemp()}/run"
    >>> run.save(file)
    >>> again = load(file, loss)
    >>> again.step, bool((again.advance(3)[0].params["a"] == run.advance(3)[0].params["a"]).all())
    (5, True)
    """
    arrays, facts = _read(path, data)
    if "run" not in facts:
        raise CheckpointError(f"{path} holds no run")
    told = facts["run"]
    part = lambda prefix: {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    with precision(np.zeros((), told["dtype"])):
        data = _source(data, told, path)
    run = begin(
        loss,
        tree_of(told["params"], part("state/params/") | _bare(arrays, "state/params"), "params")
        if params is None else params,
        data,
        state=tree_of(told["state"], part("state/carried/state/") | _bare(arrays, "state/carried/state"), "state"),
        optimizer=read(told["optimizer"], "optimizer") if optimizer is None else optimizer,
        stop=read(told["stop"], "stop"),
        dtype=np.dtype(told["dtype"]),
        watch=None if told["watch"] is None else Watch(read(told["watch"][0], "watch"), told["watch"][1]),
        on_nonfinite="skip" if told["skip_nonfinite"] else "stop",
        shard=shard,
    )
    descent = dataclasses.replace(run.descent, stepwise=told["stepwise"])
    warn_of_other_surroundings(path, run.surroundings, told.get("surroundings", {}))
    with precision(run.state.params):
        return Run(tree_from_arrays(run.state, arrays, "state"), descent)


def _read(path: str | Path, data: Any) -> tuple[Mapping[str, np.ndarray], dict[str, Any]]:
    """What the file has, which one of the processes reads that the data are divided among."""
    return processes_among(division_of(data)).arrays_of_first(lambda: read_arrays(Path(path)))


def _bare(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """An array that is a whole tree, under the name that its path has there."""
    return {"params": arrays[name]} if name in arrays else {}


def _source(data: Any, told: dict[str, Any], path: str | Path) -> Any:
    """The data as the run had them.

    **Raises** `CheckpointError` if they are others.
    """
    if told["source"] in ("MiniBatches", "HostArrays", "WholeSet") and not isinstance(data, Source):
        if data is None:
            raise CheckpointError(f"{path} is of a run with data: give data=")
        arrays, length = as_data(data)
        kinds: dict[str, Any] = {"MiniBatches": MiniBatches, "HostArrays": HostArrays}
        if made := kinds.get(told["source"]):
            data = made(arrays, min(told["batch_size"], length), told["shuffle"])
        else:
            data = WholeSet(arrays)
    data = on_device(data)
    if told["data"] != source_digest(data):
        raise CheckpointError(f"{path} is of a run with other data: load it with those, or restore() what fits")
    return data


def restore(path: str | Path, run: Run) -> tuple[Run, Match]:
    """A run with the parameters and the optimizer's state that a checkpoint has for it by the same paths; and which.

    For a model that has changed since: layers that are new, have another size or another name stay as they are in
    `run`, which also keeps its data and its settings. The checkpoint is a file that `minimize(..., checkpoint=...)` or
    `run.save` wrote. The optimizer's state is only taken over if it is that of the same rule: if nothing else in it is
    missing or unexpected than what belongs to such layers; the step count then is the checkpoint's, too, and else stays
    the run's, so that both count the same steps. Layers are known by their paths alone: where two of one shape have
    changed places in a list, each gets the other's numbers. For the same model, `load` gives the whole run.

    **Raises** `CheckpointError` for a damaged file, and if no parameter matches.

    >>> import numpy as np, tempfile
    >>> from descend import SGD, minimize
    >>> file = f"{tempfile.mkdtemp()}/run"
    >>> old = minimize(lambda p: (p["a"] ** 2).sum(), {"a": np.ones(2)}, optimizer=SGD(0.1), steps=3, checkpoint=file)
    >>> new = minimize(lambda p: p["a"] @ p["b"], {"a": np.ones(2), "b": np.ones(2)}, optimizer=SGD(0.1), steps=1).run
    >>> run, match = restore(file, new)
    >>> match
    2 of 3 arrays were taken over
      missing in the file: params/b
    """
    arrays, _ = processes_among(run.descent.division).arrays_of_first(lambda: read_arrays(Path(path)))

    def of(*parts: str) -> tuple[Tree, Match]:
        mine = {part: getattr(run.state, part) for part in parts}
        return match_arrays(mine, {name: a for name, a in arrays.items() if name.split("/")[1] in parts}, "state")

    tree, match = of("params", "optimizer")
    unmatched = (*match.missing, *match.unexpected, *match.differing)
    # The rule's memory of layers that are gone, or new, may be missing; anything else shows that it was another rule.
    gone = tuple(name.removeprefix("params") for name in unmatched if name.startswith("params/"))
    if not any(name.startswith("params") for name in match.matched):
        told = "; ".join(line.strip() for line in repr(of("params")[1]).splitlines()[1:])
        raise CheckpointError(f"{path} has none of these parameters: {told}")
    if any(name.startswith("optimizer") and not name.endswith(gone) for name in unmatched):
        tree, match = of("params")
        match = replace(match, differing=match.differing | {"optimizer": "that of another rule in the checkpoint"})
    elif "state/step" in arrays:
        tree["step"] = arrays["state/step"]
    return replace(run, state=run.state._replace(**tree)), match
