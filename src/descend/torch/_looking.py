"""Looking into a module's run: its loss, with gradients and curvature, on the next batch or on other data."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader

from descend._tree import Tree
from descend.engine.descent import State
from descend.errors import InputError
from descend.optimizers import Optimizer
from descend.torch._batches import examples_in, tensors_of
from descend.torch._bench import Bench
from descend.torch._named import ByName
from descend.torch._steps import called


def average(bench: Bench, state: State, rule: Optimizer) -> ByName:
    """The parameters to evaluate, of a rule that keeps an average."""
    with bench.at(state, rule) as optimizer, optimizer.evaluating():
        return bench.numbers()


def loss(run: Any, data: Any) -> float:
    """The loss on the next batch, as the next step will see it; or on given data, without anything random."""
    with _looked_at(run, data) as (batch, module), torch.no_grad():
        return float(called(run.descent.loss, module, batch)[0])


def loss_and_grad(run: Any, data: Any) -> tuple[float, Tree]:
    """The loss and its gradient."""
    with _looked_at(run, data) as (batch, module), torch.enable_grad():
        value, _ = called(run.descent.loss, module, batch)
        grads = torch.autograd.grad(value, list(run.descent.bench.parameters.values()), allow_unused=True)
        return value.item(), run.descent.whole(_by_name(run, grads))


def hvp(run: Any, v: Tree, data: Any) -> Tree:
    """The product of the loss's Hessian with a dict like the parameters: the gradient of the gradient along it."""
    params, wanted = run.descent.bench.parameters, {name.replace(".", "/"): x for name, x in v.items()}
    if {name: tuple(x.shape) for name, x in wanted.items()} != {name: tuple(p.shape) for name, p in params.items()}:
        raise InputError("the direction must be like the parameters: a dict of arrays of their names and shapes")
    with _looked_at(run, data) as (batch, module), torch.enable_grad():
        value, _ = called(run.descent.loss, module, batch)
        grads = torch.autograd.grad(value, list(params.values()), create_graph=True, allow_unused=True)
        along = [(g * torch.as_tensor(wanted[name]).to(g)).sum()
                 for name, g in zip(params, grads, strict=True) if g is not None and g.requires_grad]
        if not along:
            return run.descent.whole(_by_name(run, [None] * len(params)))
        product = torch.autograd.grad(torch.stack(along).sum(), list(params.values()), allow_unused=True)
        return run.descent.whole(_by_name(run, product))


@contextlib.contextmanager
def _looked_at(run: Any, data: Any) -> Iterator[tuple[Any, Any]]:
    """A batch, and the module with the run's numbers: in training for the next batch, else after it."""
    bench, state = run.descent.bench, run.state
    if data is not None:
        batch = tensors_of(data)[0]
        with bench.evaluating(state.params, state.carried.state) as module:
            yield batch, module
        return
    batch = run.batch()
    with bench.at(state, run.descent.optimizer), bench.modes():
        bench.put(state.params, state.carried.state)
        yield batch, bench.module


def _by_name(run: Any, values: Any) -> ByName:
    """Values by the names of the parameters, 0 where a parameter has none."""
    params = run.descent.bench.parameters
    return ByName((name, torch.zeros_like(p) if value is None else value.detach())
                  for (name, p), value in zip(params.items(), values, strict=True))


def validation_of(validation: Any, descent: Any) -> Callable[[Tree, Tree], Mapping[str, float]]:
    """How to validate: by a function of the module, or on held-out data.

    **Raises** `InputError` for data that are none.
    """
    measure = validation if callable(validation) else _on_held_out(validation, descent.loss)

    def validate(params: Tree, buffers: Tree) -> dict[str, float]:
        numbers = ByName((name.replace(".", "/"), p) for name, p in params.items())
        with descent.bench.evaluating(numbers, buffers) as module, torch.no_grad():
            value = measure(module)
        told, others = value if isinstance(value, tuple) else (value, {})
        scalars = {name: float(x) for name, x in others.items() if not getattr(x, "ndim", 0)}
        return {"loss": float(told), **scalars}

    return validate


def _on_held_out(validation: Any, loss: Callable[..., Any]) -> Callable[[Any], Any]:
    """The loss on held-out data: on all tensors at once; of a loader's batches the mean, weighed by their examples."""
    if not isinstance(validation, DataLoader):
        held_out, _ = tensors_of(validation, "validation data")
        return lambda module: called(loss, module, held_out)

    def measure(module: Any) -> tuple[float, dict[str, float]]:
        sums: dict[str, float] = {}
        seen = 0
        for batch in validation:
            value, others = called(loss, module, batch)
            size = examples_in(batch)
            seen += size
            for name, x in {"loss": value, **others}.items():
                if not getattr(x, "ndim", 0):
                    sums[name] = sums.get(name, 0.0) + size * float(x)
        mean = {name: total / seen for name, total in sums.items()}
        return mean.pop("loss"), mean

    return measure
