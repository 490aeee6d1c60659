"""What a closure tells an optimizer: the loss here, and the loss and its gradient at other points of the same batch."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from descend.torch._named import ByName

Closure = Callable[[], Any]


def extra_of(
    closure: Closure, loss: Any, moving: Sequence[Tensor], names: Any, every: Sequence[Tensor]
) -> dict[str, Any]:
    """The extra arguments of `Optimizer.update`; `every`: all parameters whose gradients a closure may change."""

    def value_and_grad(there: ByName) -> tuple[Tensor, ByName]:
        held = [(p, p.grad) for p in every]
        here = [p.detach().clone() for p in moving]
        try:
            for p, _ in held:
                p.grad = None  # so that the closure, which may zero them in place, leaves the gradients here alone
            for p in moving:
                p.copy_(there[names[p]])
            value = number(evaluated(closure))
            grads = ByName((names[p], torch.zeros_like(p) if p.grad is None else p.grad.detach()) for p in moving)
        finally:
            for p, x in zip(moving, here, strict=True):
                p.copy_(x)
            for p, g in held:
                p.grad = g
        return value, grads

    if not is_number(loss):
        return {}
    return {
        "value": number(loss),
        "value_fn": lambda there: value_and_grad(there)[0],
        "value_and_grad": value_and_grad,
    }


def evaluated(closure: Closure) -> Any:
    """What the closure returns; it is made to take gradients."""
    with torch.enable_grad():
        return closure()


def is_number(loss: Any) -> bool:
    """Whether this can be a loss: PyTorch lets closures return anything."""
    return isinstance(loss, (int, float)) or (isinstance(loss, Tensor) and loss.numel() == 1)


def number(loss: Any) -> Tensor:
    """The loss as a scalar of its own."""
    return loss.detach().clone().reshape(()) if isinstance(loss, Tensor) else torch.tensor(float(loss))
