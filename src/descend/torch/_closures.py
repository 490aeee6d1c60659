"""What a closure tells an optimizer: the loss here, and the loss and its gradient at other points of the same batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor

from descend.torch._named import ByName

Closure = Callable[[], Any]


def extra_of(
    closure: Closure, loss: object, moving: Sequence[Tensor], names: Mapping[Tensor, str], every: Sequence[Tensor]
) -> dict[str, Any]:
    """The extra arguments of `Optimizer.update`; `every`: all parameters whose gradients a closure may change."""

    def value_and_grad(there: ByName) -> tuple[Tensor, ByName]:
        # 1. Remember where the parameters are, and all gradients that the closure may write over: it zeroes those of
        #    the whole model, as loops do.
        held = [(p, p.grad) for p in every]
        here = [p.detach().clone() for p in moving]
        try:
            for p, _ in held:
                # Or the closure, which may zero them in place, would write into the gradients that are remembered.
                p.grad = None
            # 2. Go there, and evaluate.
            for p in moving:
                p.copy_(there[names[p]])
            value = number(evaluated(closure))
            grads = ByName((names[p], torch.zeros_like(p) if p.grad is None else p.grad.detach()) for p in moving)
        # 3. Come back, also from a closure that raises.
        finally:
            for p, x in zip(moving, here, strict=True):
                p.copy_(x)
            for p, g in held:
                p.grad = g
        return value, grads

    if not is_loss(loss):
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


def is_loss(loss: object) -> TypeGuard[Tensor | float]:
    """Whether this can be a loss: PyTorch lets closures return anything."""
    return isinstance(loss, (int, float)) or (isinstance(loss, Tensor) and loss.numel() == 1)


def number(loss: Tensor | float) -> Tensor:
    """The loss as a scalar of its own."""
    return loss.detach().clone().reshape(()) if isinstance(loss, Tensor) else torch.tensor(float(loss))
