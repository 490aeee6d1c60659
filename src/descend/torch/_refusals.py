"""What `TorchOptimizer` refuses, and how it says so."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from descend.errors import InputError
from descend.optimizers import External, MissingExtraError, Optimizer
from descend.torch._rates import Rates


def refuse_foreign(rule: object) -> None:
    """Refuse what is no optimizer of ours; what Optax has computes with JAX."""
    if not isinstance(rule, Optimizer) or isinstance(rule, External):
        raise InputError(f"TorchOptimizer takes an optimizer of descend's, but this is a {type(rule).__name__}: write "
                         "TorchOptimizer(model.parameters(), descend.Adam(1e-3))")


def refuse_settings(group: Mapping[str, Any], rates: Rates) -> None:
    """Refuse settings of a rule in a group, where PyTorch has them: they would do nothing; and rates that cannot be."""
    rule: Any = rates.rule
    for name in sorted({field.name for field in dataclasses.fields(rule)} & group.keys() - {"rule"}):
        raise InputError(f"'{name}' is a setting of {type(rule).__name__}, not of a group: give the group a rule, "
                         f"{{'params': ..., 'rule': {type(rule).__name__}(..., {name}={group[name]!r})}}")
    if "lr" in group and not rates.settable:
        raise InputError(f"a group with an lr of its own cannot have {why_fixed(rates)}: give it a rule of its own")
    if "lr" in group and not group["lr"] >= 0:
        raise InputError(f"lr must be at least 0, but is {group['lr']}")


def why_fixed(rates: Rates) -> str:
    """The optimizer, and why nobody else sets its learning rate."""
    name = type(rates.rule).__name__
    return f"{name}, whose schedule sets it" if rates.scheduled else f"{name}, which has no learning rate"


def without_loss(error: MissingExtraError, alone: bool, has_closure: bool) -> str:
    """What to do where an optimizer looks at the loss, and was not given it."""
    if has_closure and not alone:
        return (f"{error.owner} looks at the loss of all parameters together: give it one group; PerGroup has "
                "different rules within one")
    return (f"{error.owner} needs {error.what}: call step(closure), with a function that zeroes the gradients, "
            "computes the loss, calls backward() and returns the loss")
