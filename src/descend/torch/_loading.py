"""Which saved state belongs to which parameter: by name where there are names, else by position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import torch
from torch import Tensor

from descend.errors import InputError
from descend.torch._steppers import TRAINING, Group, Stepper

# What is remembered of a parameter.
Entry = Mapping[str, Any]

# In a message on one line.
MAX_NAMES = 5


@dataclass(frozen=True)
class Loaded:
    """What a saved state was loaded for, by the names of parameters; by their numbers, if they have no names.

    `matched`: those whose state was loaded. `missing`: those of the optimizer that were not saved. `unexpected`: those
    that were saved, but are not the optimizer's. `reshaped`: those that had another shape, or were in another group.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether everything belonged together."""
        return not (self.missing or self.unexpected or self.reshaped)

    def refuse(self, named: bool) -> None:
        """Refuse what does not belong together."""
        if not self.complete:
            parts = {"missing": self.missing, "unexpected": self.unexpected, "of other shape or group": self.reshaped}
            told = "; ".join(f"{what}: {_some(names)}" for what, names in parts.items() if names)
            hint = "" if named else "; give the optimizer named_parameters(), and they are matched by name"
            raise InputError(f"this state is of other parameters: {len(self.matched)} match ({_some(self.matched)}), "
                             f"{told}{hint}; load_state_dict(..., strict=False) loads what matches")


class Match(NamedTuple):
    """A parameter and its saved counterpart: the numbers of their groups, and the saved id."""

    p: Tensor
    group: int
    saved_group: int
    saved_id: Any


class Current(NamedTuple):
    """What an optimizer has now: its groups, what steps each, the names in each, and the parameters' state."""

    groups: Sequence[Group]
    steppers: Sequence[Stepper]
    names: Sequence[Mapping[Tensor, str]]
    state: Mapping[Tensor, Entry]


def load(saved: Mapping[str, Any], kept: Current, strict: bool) -> tuple[Loaded, dict[Tensor, Entry], list[Group]]:
    """What a saved state is loaded for, the state of all parameters then, and the settings of each group.

    **Raises** `InputError` if it is of another optimizer; if `strict`, also if it is of other parameters.
    """
    groups, others = kept.groups, saved["param_groups"]
    alike = len(groups) == len(others)
    if strict and not alike:
        raise InputError(f"this state has {len(others)} groups of parameters, but the optimizer {len(groups)}; "
                         "load_state_dict(..., strict=False) loads what matches by name")
    if strict:
        _refuse_other_rule(groups, others)
    # 1. Which saved entry is which parameter's: by name where both sides have names, as orders change with a model.
    by_name = all("param_names" in group for group in (*groups, *others))
    ours, theirs = _numbered(groups, by_name), _numbered(others, by_name)
    found = {name: Match(p, i, *theirs[name]) for name, (i, p) in ours.items() if name in theirs}
    # A group that is another one has other settings: what was remembered under those is not taken over.
    misfits = [name for name, match in found.items() if alike and match.saved_group != match.group]
    # 2. For each group, what would be remembered of its parameters had they just begun: what is saved must be like
    #    that.
    state, settings = dict(kept.state), []
    for i, each in enumerate(kept.steppers):
        here = {name: match for name, match in found.items() if match.group == i}
        mine = {match.p: (name, saved["state"].get(match.saved_id)) for name, match in here.items()}
        begun = {p: entry for p, (_, entry) in mine.items() if entry}
        fresh, shared = each.fresh({p: kept.names[i][p] for p in begun}) if begun else ({}, {})
        for p, (name, entry) in mine.items():
            if not entry:
                state.pop(p, None)
            elif _fits(entry, fresh[p], p, each):
                state[p] = _placed(entry, fresh[p], p)
            else:
                misfits.append(name)
        settings.append(_settings(others[i], shared, each) if alike and mine else {})
    # 3. What was loaded is told in full, and nothing was changed yet that a refusal would have to undo.
    loaded = Loaded(
        tuple(name for name in found if name not in misfits),
        tuple(name for name in ours if name not in theirs),
        tuple(name for name in theirs if name not in ours),
        tuple(dict.fromkeys(misfits)),
    )
    if strict:
        loaded.refuse(by_name)
    return loaded, state, settings


def _numbered(groups: Sequence[Group], by_name: bool) -> dict[str, tuple[int, Any]]:
    """Each parameter with the number of its group, by its name or else its number."""
    entries = [(i, p) for i, group in enumerate(groups) for p in group["params"]]
    names = [name for group in groups for name in group["param_names"]] if by_name else map(str, range(len(entries)))
    return dict(zip(names, entries, strict=True))


def _fits(entry: Entry, fresh: Entry, p: Tensor, each: Stepper) -> bool:
    """Whether a parameter's saved entries have the shapes of fresh ones.

    **Raises** `InputError` if they are other entries.
    """
    kept = {label: value for label, value in entry.items() if label != TRAINING}
    if kept.keys() != fresh.keys():
        raise InputError(f"{type(each.rule).__name__} keeps {sorted(fresh)} of each parameter, but this state holds "
                         f"{sorted(kept)}: it belongs to another optimizer")
    if TRAINING in entry and entry[TRAINING].shape != p.shape:
        return False
    return jax.tree.map(_shape, kept) == jax.tree.map(_shape, dict(fresh))


def _placed(entry: Entry, fresh: Entry, p: Tensor) -> dict[str, Any]:
    """Saved entries as copies with the dtypes of fresh ones, which need not be the parameter's, on its device."""
    own = {label: jax.tree.map(_copied, fresh[label], entry[label]) for label in fresh}
    return own | ({TRAINING: _copied(p, entry[TRAINING])} if TRAINING in entry else {})


def _settings(saved: Group, fresh_shared: Entry, each: Stepper) -> Group:
    """What a saved group says, but for its parameters and its rule: these are the optimizer's own."""
    settings = {key: value for key, value in saved.items() if key not in ("params", "param_names", "rule")}
    shared = settings.get("shared", {})
    if fresh_shared and shared.keys() != fresh_shared.keys():
        raise InputError(f"{type(each.rule).__name__} shares {sorted(fresh_shared)} among parameters, but this state "
                         f"{sorted(shared)}: it belongs to another optimizer")
    return settings | {"shared": {name: _copied(fresh_shared.get(name), value) for name, value in shared.items()}}


def _refuse_other_rule(groups: Sequence[Group], saved: Sequence[Group]) -> None:
    for ours, theirs in zip(groups, saved, strict=True):
        if _name(theirs.get("rule", ours["rule"])) != _name(ours["rule"]):
            raise InputError(f"this state is of {theirs['rule']}, but the optimizer is {ours['rule']}")


def _name(rule: object) -> str:
    return str(rule).partition("(")[0]


def _copied(like: object, value: object) -> Any:
    if isinstance(like, Tensor) and isinstance(value, Tensor):
        return torch.empty_like(like, requires_grad=False).copy_(value)
    return value


def _shape(value: object) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (", ..." if len(names) > MAX_NAMES else "") or "none"
