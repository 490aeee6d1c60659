"""Forks of a module's run: the run with things changed."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import torch

from descend._tree import Tree, described, named_leaves
from descend.engine.advancing import R
from descend.engine.checks import random_key
from descend.engine.descent import RUNNING, State
from descend.engine.forking import with_rate
from descend.errors import InputError
from descend.optimizers import Optimizer, as_optimizer
from descend.torch._batches import LoaderBatches, TensorBatches, batches_for
from descend.torch._bench import Bench, path_of
from descend.torch._named import ByName
from descend.torch._refusals import refuse_foreign


def forked(
    run: R,
    optimizer: Any,
    learning_rate: Any,
    params: Tree,
    data: Any,
    batch_size: int | None,
    state: Tree,
    seed: int | None,
) -> R:
    """The run with what is given in the place of what it had."""
    if optimizer is not None and learning_rate is not None:
        raise InputError("fork takes optimizer= or learning_rate=: a new optimizer brings its own rate")
    descent, now = run.descent, run.state
    now = now._replace(guard=now.guard._replace(status=np.int32(RUNNING)))
    if params is not None:
        now = now._replace(params=_changed(now.params, params, "parameter"))
    if state is not None:
        buffers = _changed(now.carried.state, state, "buffer")
        now = now._replace(carried=now.carried._replace(state=buffers))
    if learning_rate is not None:
        descent = dataclasses.replace(descent, optimizer=with_rate(descent.optimizer, learning_rate))
    if optimizer is not None:
        descent = dataclasses.replace(descent, optimizer=rule_of_ours(optimizer).over(None))
        now = now._replace(optimizer=_memory(descent, now))
    if data is not None or batch_size is not None:
        descent, now = _with_data(descent, now, data, batch_size)
    if seed is not None:
        carried = now.carried._replace(key=random_numbers(descent.bench, seed))
        now = now._replace(cursor=descent.source.init(random_key(seed)), carried=carried)
    return dataclasses.replace(run, state=now, descent=descent)


def random_numbers(bench: Bench, seed: int) -> dict[str, torch.Tensor]:
    """The states of PyTorch's random numbers at first, by device."""
    made = lambda device: torch.Generator(device).manual_seed(seed).get_state()
    return {"cpu": made("cpu")} | {str(device): made(device) for device in bench.devices}


def rule_of_ours(optimizer: Any) -> Optimizer:
    """A rule of `descend.optimizers`.

    **Raises** `InputError` for one of PyTorch's or of Optax's.
    """
    if isinstance(optimizer, torch.optim.Optimizer):
        raise InputError(f"optimizer= takes a rule of descend's, such as AdamW(0.001), and this is PyTorch's "
                         f"{type(optimizer).__name__}, which has numbers that a run cannot keep as a value")
    rule = as_optimizer(optimizer)
    refuse_foreign(rule)
    return rule


def _changed(before: ByName, given: Mapping[str, Any], what: str) -> ByName:
    """Tensors by name with others in the place of some."""
    new = {path_of(name): torch.as_tensor(x) for name, x in given.items()}
    for name, tensor in new.items():
        if name not in before:
            raise InputError(f"the module has no {what} '{name.replace('/', '.')}'; it has {', '.join(before)}")
        if tensor.shape != before[name].shape:
            raise InputError(f"{what} '{name.replace('/', '.')}' has shape {list(before[name].shape)}, but is given "
                             f"{list(tensor.shape)}")
    return ByName((name, new[name].detach().to(old).clone() if name in new else old) for name, old in before.items())


def _memory(descent: Any, state: State) -> Tree:
    """The optimizer's memory, if it is one of this optimizer; else a new one, which is told."""
    with descent.bench.lock:
        descent.bench.put(state.params, state.carried.state)
        new = descent.bench.memory(descent.optimizer)
    kind = lambda tree: (jax.tree.structure(tree), described(tree))
    if kind(new) == kind(state.optimizer):
        return state.optimizer
    if named_leaves(state.optimizer):
        warnings.warn(f"the memory of the fork's {type(descent.optimizer).__name__} begins anew: that of the run is of "
                      "another rule", stacklevel=3)
    return new


def _with_data(
    descent: Any, state: State, data: Any, batch_size: int | None
) -> tuple[Any, State]:
    """Other data, or batches of another size; the same place in the order of as many examples, else the beginning."""
    before: Any = descent.source
    if data is None and not isinstance(before, TensorBatches):
        raise InputError(f"batch_size is given, but the batches come from {type(before).__name__}, which has its own")
    size = batch_size or (before.batch_size if isinstance(before, TensorBatches) else None)
    is_loader = isinstance(data, LoaderBatches | torch.utils.data.DataLoader)
    source = batches_for(before.data if data is None else data, None if is_loader else size)
    same = isinstance(source, TensorBatches) and isinstance(before, TensorBatches) and source.length == before.length
    cursor = state.cursor if same else source.init(random_key(0))
    return dataclasses.replace(descent, source=source), state._replace(cursor=cursor)
