"""The door for modules: `descend.torch.minimize(module, loss, data, ...)`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn

from descend.engine.progress import Observer
from descend.engine.trainer import Checkpoint
from descend.stopping import Stop
from descend.torch._training import ModuleTrainer
from descend.training import Result


def minimize(
    module: nn.Module,
    loss: Callable[..., Any],
    data: Any,
    *,
    optimizer: Any = "auto",
    ema: float | None = None,
    batch_size: int | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    stop: Stop | Sequence[Stop] | None = None,
    validation: Any = None,
    validate_every: int | None = None,
    observers: Sequence[Observer] = (),
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool = False,
    snapshots: bool | float = False,
    seed: int = 0,
    on_nonfinite: Literal["stop", "skip"] = "stop",
) -> Result:
    """Train a `torch.nn.Module`, by the contract of `descend.minimize`: it ends with a named reason, a rate is found if
    none is given, and it resumes bit for bit.

    **Arguments**

    - `module`: any module; it is trained in place, and has the result's numbers in the end. One that `torch.compile`
      has made stays compiled.
    - `loss`: `loss(module, batch)`: a scalar tensor, or a pair of it and a dict of what else to record. Whatever
      PyTorch has may be in it, such as `torch.autocast`.
    - `data`: tensors or arrays with a common first axis, a tuple or a dict of them, or a `TensorDataset`: batches of
      `batch_size` (64, if nothing is said) are drawn from them in the order that `descend.minimize` has. Or a
      `DataLoader`, or any iterable of batches that begins anew. A loader's shuffle is made from its seed and the number
      of the epoch, and each batch has random numbers of its own, so that a resumed run draws the same batches. One that
      gives others, as its order or its transforms come from NumPy's or Python's random numbers, is refused then.
    - `optimizer`: a rule of `descend.optimizers`. `"auto"` is `AdamW`, whose rate short trainings find beforehand, as
      `descend.minimize` has it. `ema`: the decay of an average of the parameters, which is validated and returned.
    - `epochs`, `steps`, `seconds`: the budget; the first to be spent ends it. By default 100 epochs. In the
      seconds a rate that falls over the training is to do so: some steps, and a validation, are timed beforehand.
    - `stop`: `Plateau()`, the default where there is a validation, `Target(...)`; `[]` leaves the budget alone.
    - `validation`: tensors for the same loss, all at once; a `DataLoader`, of whose batches it is the mean; or a
      function of the module, which returns a scalar, or a scalar and a dict. The module is in its mode of evaluation.
    - `validate_every`: steps; by default an epoch.
    - `observers`, `checkpoint`, `resume`, `snapshots`: as `descend.minimize` has them. A checkpoint has parameters,
      buffers, the optimizer's memory, PyTorch's random numbers, and the place in the data. It is no pickle.
    - `seed`: of the order of the data, and of PyTorch's random numbers in the loss; those around it stay as they were.
    - `on_nonfinite`: `"stop"` before a step whose loss, gradient or update is not finite, or `"skip"` it.

    **Returns** a `descend.Result`. Its `params` and `state`, the buffers, are dicts by PyTorch's names. Its `run` has
    the verbs of a run: `advance`, `fork`, `loss`, `hvp`. Steps have no `update_norm`, which would cost them a copy.

    **Raises** `InputError` for what cannot be trained, `CheckpointError` for a checkpoint of another run.

    A run is a value: while it is advanced, a copy of its numbers is kept beside the module, which takes as much memory
    as parameters and optimizer do.

    >>> import torch, descend.torch
    >>> _ = torch.manual_seed(0)
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    >>> X = torch.randn(256, 2)
    >>> loss = lambda module, batch: (module(batch[0]) - batch[1]).square().mean()
    >>> result = descend.torch.minimize(module, loss, (X, X.prod(1, keepdim=True)), epochs=100)
    >>> result.reason.evidence, loss(module, (X, X.prod(1, keepdim=True))).item() < 0.1
    ('100 epochs (400 steps) were made', True)
    """
    return ModuleTrainer.begin(**dict(locals())).to_the_end()
