"""The steps of a run on its bench: loss, gradient, update, and what is recorded of them."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from descend.engine.advancing import Trace, joined
from descend.engine.descent import NONFINITE, RUNNING, State
from descend.errors import InputError
from descend.torch._bench import Bench
from descend.torch._optimizer import TorchOptimizer

# What is recorded of a step.
Entry = dict[str, Any]


class Made(NamedTuple):
    """Steps that were made: the state after them, their trace, and whether all of it is finite."""

    state: State
    trace: Trace
    is_finite: bool


def advanced(descent: Any, state: State, n: int) -> tuple[State, Trace]:
    """The state after `n` more steps, and the trace of them: fewer where a number is not finite.

    Steps are made without a look back. Where one turns out not to be finite, all are made again, one by one, from the
    state that is still there, up to the one that is not to be made, or to be skipped.
    """
    state = state._replace(guard=state.guard._replace(status=np.int32(RUNNING)))
    if not descent.skip_nonfinite:
        made = _made(descent, state, n)
        if made.is_finite:
            return made.state, made.trace
    traces = []
    for _ in range(n):
        made = _made(descent, state, 1)
        traces.append(made.trace)
        if made.is_finite:
            state = made.state
            continue
        guard = state.guard._replace(first_norm=made.state.guard.first_norm)
        if not descent.skip_nonfinite:
            state = state._replace(guard=guard._replace(status=np.int32(NONFINITE)))
            break
        guard = guard._replace(skipped=guard.skipped + np.int32(1))
        state = state._replace(guard=guard, cursor=made.state.cursor, step=made.state.step)
    return state, joined(traces)


def _made(descent: Any, state: State, n: int) -> Made:
    """The next `n` steps, whatever comes of them; none after the first that is seen not to be finite."""
    bench, rule, entries, cursor = descent.bench, descent.optimizer, [], state.cursor
    with bench.at(state, rule) as optimizer, bench.modes(), torch.enable_grad():
        if not bench.module.training:
            bench.module.train()
        step = Step(descent.loss, bench, optimizer)
        for batch, after in descent.source.walk(cursor, n):
            entries.append(step.made(batch))
            cursor = after
            if step.is_there and not _is_finite(entries[-1]):
                break
        trace = Trace(int(state.step), _columns(entries))
        first = state.guard.first_norm
        if math.isnan(first):
            first = np.float64(trace.columns["gradient_norm"][0])
        is_finite = all(map(_is_finite, _rows(trace))) and bench.is_finite
        after_all = state._replace(guard=state.guard._replace(first_norm=first))
        return Made(bench.state_after(after_all, rule, cursor, len(entries)), trace, is_finite)


class Step:
    """Makes steps on a bench. `is_there`: whether numbers are there as soon as they are computed, so that it costs
    nothing to look at them; on a GPU, whoever looks waits."""

    def __init__(self, loss: Callable[..., Any], bench: Bench, optimizer: TorchOptimizer) -> None:
        self._loss, self._module, self._optimizer = loss, bench.module, optimizer
        self._params = list(bench.parameters.values())
        self._looks = bench.optimizer(optimizer.rules[0])[1]
        rates = optimizer.steppers[0].rates
        self._has_rate = rates.settable or rates.scheduled
        self.is_there = all(p.device.type == "cpu" for p in self._params)

    def made(self, batch: Any) -> Entry:
        """A step, and what is recorded of it; none is made where it is already seen that it would not be finite."""
        entry: Entry = {}

        def closure() -> Tensor:
            self._optimizer.zero_grad(set_to_none=True)
            value, others = called(self._loss, self._module, batch)
            value.backward()
            if not entry:
                entry["loss"], entry["gradient_norm"] = self._told(value), self._told(norm_of_gradient(self._params))
                entry.update((name, self._told(other)) for name, other in others.items())
            return value

        if self._looks:
            self._optimizer.step(closure)
        else:
            closure()
            if not self.is_there or _is_finite(entry):
                self._optimizer.step()
        if self._has_rate:
            entry["learning_rate"] = self._optimizer.param_groups[0]["lr"]
        return entry

    def _told(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        value = value.detach()
        return value.item() if self.is_there and value.ndim == 0 else value.clone()


def called(loss: Callable[..., Any], module: nn.Module, batch: Any) -> tuple[Tensor, Mapping[str, Any]]:
    """The loss on a batch, and what it returned besides.

    **Raises** `InputError` if it is no real scalar that depends on the module's parameters.
    """
    returned = loss(module, batch)
    value, others = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, {})
    if not (isinstance(value, Tensor) and value.numel() == 1 and value.is_floating_point()):
        kind = f"{value.dtype} of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"the loss must return a real scalar, or a pair of it and a dict, but returned {kind}")
    if torch.is_grad_enabled() and not value.requires_grad:
        raise InputError("the loss does not depend on any parameter that requires a gradient: is the module called in "
                         "it, with gradients on?")
    if not isinstance(others, Mapping):
        raise InputError(f"beside the loss there may be a dict of what to record, but this is a "
                         f"{type(others).__name__}")
    return value.reshape(()), others


def norm_of_gradient(params: list[Any]) -> Tensor:
    """The Euclidean norm of all gradients together."""
    grads = [p.grad for p in params if p.grad is not None]
    if not grads:
        return torch.zeros(())
    norms = list(torch._foreach_norm(grads))
    # In one precision, as parameters may have several, and squares of half of it overflow.
    if len({norm.dtype for norm in norms} | {torch.float32}) > 1:
        norms = [norm.double() for norm in norms]
    return torch.linalg.vector_norm(torch.stack(norms))


def _columns(entries: list[Entry]) -> dict[str, np.ndarray]:
    """The entries as columns; what is on a GPU comes from there at once."""
    return {name: _column([entry[name] for entry in entries]) for name in entries[0]}


def _column(values: list[Any]) -> np.ndarray:
    if isinstance(values[0], Tensor):
        stacked = torch.stack(values).cpu()
        return np.asarray(stacked.float() if stacked.dtype in (torch.bfloat16, torch.float16) else stacked)
    return np.asarray(values)


def _rows(trace: Trace) -> list[Entry]:
    names = ("loss", "gradient_norm")
    return [dict(zip(names, row, strict=True)) for row in zip(*(trace.columns[name] for name in names), strict=True)]


def _is_finite(entry: Entry) -> bool:
    return math.isfinite(entry["loss"]) and math.isfinite(entry["gradient_norm"])
