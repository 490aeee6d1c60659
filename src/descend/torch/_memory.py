"""What a `TorchOptimizer` remembers, as a tree of the same structure from before the first step on."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import torch
from torch import Tensor

from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers import MissingExtraError
from descend.torch._named import ByName
from descend.torch._optimizer import TorchOptimizer
from descend.torch._steppers import Stepper


def fresh(optimizer: TorchOptimizer, names: Mapping[Tensor, str]) -> Tree:
    """What is remembered before the first step."""
    with torch.no_grad():
        own, shared = _stepper(optimizer).fresh(dict(names))
        return copied({"own": ByName((names[p], own[p]) for p in names), "shared": shared, "steps": 0})


def taken(optimizer: TorchOptimizer, names: Mapping[Tensor, str]) -> Tree:
    """A copy of what is remembered now."""
    (group,) = optimizer.param_groups
    own = ByName((name, optimizer.state[p]) for p, name in names.items())
    return copied({"own": own, "shared": group["shared"], "steps": group["steps"]})


def put(optimizer: TorchOptimizer, names: Mapping[Tensor, str], tree: Tree) -> None:
    """Have it remember a copy of this."""
    (group,) = optimizer.param_groups
    kept = jax.tree.map(_live, copied(tree))
    for p, name in names.items():
        optimizer.state[p] = kept["own"][name]
    group |= {"shared": kept["shared"], "steps": kept["steps"]}


def copied(tree: Tree) -> Tree:
    """Copies of a tree's tensors; its plain numbers are NumPy's, as a checkpoint holds them."""
    return jax.tree.map(lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else np.asarray(leaf), tree)


def looks_at_loss(optimizer: TorchOptimizer, names: Mapping[Tensor, str]) -> bool:
    """Whether steps need the loss, or gradients elsewhere, besides the gradients here: a step is tried on zeros.

    **Raises** `InputError` for parameters that the rule cannot move.
    """
    rule = optimizer.rules[0]
    with torch.no_grad():
        params = ByName((name, p.detach().clone()) for p, name in names.items())
        grads = jax.tree.map(torch.zeros_like, params)
        try:
            rule.update(grads, rule.init(params), params)
        except MissingExtraError:
            return True
        except TypeError as error:
            raise InputError(f"{type(rule).__name__} cannot step PyTorch's tensors ({error}): give another "
                             "rule, such as AdamW or LBFGS") from None
        return False


def _stepper(optimizer: TorchOptimizer) -> Stepper:
    (stepper,) = optimizer.steppers
    return stepper


def _live(leaf: Any) -> Any:
    """Plain numbers as the optimizer counts with them."""
    return leaf.item() if isinstance(leaf, np.ndarray) and leaf.ndim == 0 else leaf
