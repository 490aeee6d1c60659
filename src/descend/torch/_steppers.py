"""How the parameters of a group are stepped: array by array, in place, where a rule allows it; else as one tree."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from descend._arrays import as_scalar
from descend._checks import refuse_unmovable
from descend.optimizers import Optimizer, Rule, RuleState
from descend.schedules import Rate
from descend.torch._kernels import Kernels, PreparedParameter
from descend.torch._named import ByName, Layout, owned
from descend.torch._rates import Rates

Group = dict[str, Any]
# `Optimizer.state`: entries by parameter.
State = Any
Names = Mapping[Tensor, str]
# Entries of one parameter.
Own = dict[str, Any]
# Entries of a parameter besides its rule's: how many steps; its value while that for evaluation is in its place.
STEPS, TRAINING = "steps", "training"


class Moving(NamedTuple):
    """The parameters of a group that have gradients, these, and what is remembered of each."""

    params: list[Tensor]
    grads: list[Tensor]
    owns: list[Own]


class Stepper:
    """What steps a group, and knows how its state is kept."""

    rule: Optimizer

    def __init__(self, rule: Optimizer) -> None:
        self.rule, self.rates = rule, Rates(rule)
        # The learning rate that the group was told: another one there was set by somebody else.
        self.shown: Any = self.rates.at(0)

    def step(self, group: Group, state: State, names: Callable[[], Names], moving: Moving, extra: Own) -> None:
        """Step the parameters that move; `extra` is `Optimizer.update`'s."""
        raise NotImplementedError

    def assembled(self, group: Group, state: State, names: Names) -> tuple[Any, ByName]:
        """The rule's own state for all parameters that have been stepped, and these."""
        raise NotImplementedError

    def fresh(self, names: Names) -> tuple[dict[Tensor, dict[str, Any]], dict[str, Any]]:
        """Entries before the first step: of each of these parameters, and of the group."""
        raise NotImplementedError

    def read_rate(self, group: Group, state: State, names: Names) -> float:
        """The rate of the step that was made last, for what has a schedule."""
        return self.rates.at(max(group["steps"] - 1, 0))


def stepper(rule: Optimizer) -> Stepper:
    """What steps a group by this rule."""
    # A rule that has its own way with whole trees may look at all arrays together, and is given them so.
    if isinstance(rule, Rule) and all(
        getattr(type(rule), name) is getattr(Rule, name) for name in ("init", "update", "update_parameters")
    ):
        return PerParameter(rule)
    return WholeTree(rule)


class PerParameter(Stepper):
    """The arrays of a rule one by one: each counts its own steps, so that one that joins late is at its first."""

    rule: Rule

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.kernels = Kernels(rule)
        # Whether to make kernels.
        self.compiled = False

    def step(self, group: Group, state: State, names: Callable[[], Names], moving: Moving, extra: Own) -> None:
        # 1. What each parameter remembers; one that has a gradient for the first time begins here.
        rule, t, lr = self.rule, group["steps"] + 1, group["lr"]
        taken = rule.extra_scalars(extra)
        self._begin(names, moving)
        slot_names = rule.slots
        # A list in the tuple, as a generator would be slower: for small arrays this loop is what a step costs.
        slots = [tuple([own[slot] for slot in slot_names]) for own in moving.owns]
        # 2. What arrays must know of each other, where a rule asks for that.
        shared = group["shared"]
        if t == 1 or taken or type(rule).reduce is not Rule.reduce:
            xs = [p.detach() for p in moving.params]
            before = rule.shared_start(xs) if t == 1 else shared
            leaves: Any = list(zip(moving.grads, xs, slots, strict=True))
            shared = rule.reduce(leaves, before | taken, torch.tensor(t, dtype=torch.int32), lr)
        group["steps"], group["shared"] = t, shared
        # 3. The arrays, each with its own count of steps.
        numbers, shared_names, changed = Numbers(lr, shared), tuple(shared), []
        for g, p, own, kept in zip(moving.grads, moving.params, moving.owns, slots, strict=True):
            own[STEPS] = n = own[STEPS] + 1
            ready = self.kernels.ready(g, p, kept, shared_names) if self.compiled else None
            if ready is not None:
                ready.run(g, numbers.of(n, ready, g))
                changed.append(p)
                continue
            count, rate, by_name = numbers.plain(n, g)
            update, new = rule.update_parameter(g, p.detach(), kept, count, rate, **by_name)
            own.update(zip(slot_names, owned(new, (p, g)), strict=True))
            p.add_(update)
        # As what PyTorch changes in place does by itself: autograd refuses to go back through what has changed since.
        torch.autograd.graph.increment_version(changed)

    def _begin(self, names: Callable[[], Names], moving: Moving) -> None:
        late = {p: own for p, own in zip(moving.params, moving.owns, strict=True) if STEPS not in own}
        if late:
            name_of = names()
            for p, fresh in self._fresh({p: name_of[p] for p in late}).items():
                late[p].update(fresh)

    def assembled(self, group: Group, state: State, names: Names) -> tuple[Any, ByName]:
        begun = {p: name for p, name in names.items() if STEPS in state.get(p, ())}
        params = ByName((name, p.detach()) for p, name in begun.items())
        slots = {slot: ByName((name, state[p][slot]) for p, name in begun.items()) for slot in self.rule.slots}
        return RuleState(torch.tensor(group["steps"], dtype=torch.int32), slots, group["shared"]), params

    def fresh(self, names: Names) -> tuple[dict[Tensor, dict[str, Any]], dict[str, Any]]:
        return self._fresh(names), self.rule.shared_start([p.detach() for p in names])

    def _fresh(self, names: Names) -> dict[Tensor, dict[str, Any]]:
        refuse_unmovable(type(self.rule).__name__, ByName((name, p) for p, name in names.items()))
        start = {slot: self.rule.slot_start(slot) for slot in self.rule.slots}
        return {p: {STEPS: 0} | {slot: owned(make(p.detach()), [p]) for slot, make in start.items()} for p in names}


class WholeTree(Stepper):
    """All parameters of a group as one tree: for what looks further than at one array after the other."""

    def __init__(self, rule: Optimizer) -> None:
        super().__init__(rule)
        # Names of parameters, and the layout of their state.
        self._layout: Any = None

    def step(self, group: Group, state: State, names: Callable[[], Names], moving: Moving, extra: Own) -> None:
        every = names()
        self._begin(group, state, every, moving.params)
        order = [every[p] for p in moving.params]
        params = ByName(zip(order, [p.detach() for p in moving.params], strict=True))
        grads = ByName(zip(order, moving.grads, strict=True))
        layout = self._laid_out(state, every)
        kept = layout.join(dict(zip(order, moving.owns, strict=True)), group["shared"], order)
        updates, after = self.rates.set_to(group["lr"]).update(grads, kept, params, **extra)
        new, shared = layout.split(owned(after, [*moving.params, *moving.grads]))
        group["steps"], group["shared"] = group["steps"] + 1, shared
        for name, p, own in zip(order, moving.params, moving.owns, strict=True):
            own.update(new.get(name, {}), **{STEPS: own[STEPS] + 1})
            p.add_(updates[name])

    def assembled(self, group: Group, state: State, names: Names) -> tuple[Any, ByName]:
        params = ByName((name, p.detach()) for p, name in names.items() if STEPS in state.get(p, ()))
        by_name = {name: state[p] for p, name in names.items() if name in params}
        return self._laid_out(state, names).join(by_name, group["shared"], list(params)), params

    def fresh(self, names: Names) -> tuple[dict[Tensor, dict[str, Any]], dict[str, Any]]:
        tree = owned(self.rule.init(ByName((name, p.detach()) for p, name in names.items())), list(names))
        self._layout = tuple(names.values()), Layout.of(tree)
        own, shared = self._layout[1].split(tree)
        return {p: {STEPS: 0} | own.get(name, {}) for p, name in names.items()}, shared

    def read_rate(self, group: Group, state: State, names: Names) -> float:
        kept, params = self.assembled(group, state, names)
        return float(self.rule.metrics(kept)["learning_rate"]) if params else super().read_rate(group, state, names)

    def _begin(self, group: Group, state: State, names: Names, moving: Sequence[Tensor]) -> None:
        """Entries for parameters that are stepped for the first time; at the first step, for all that may be."""
        late = {p for p in moving if STEPS not in state[p]}
        if not late:
            return
        begun = {p: name for p, name in names.items() if p in late or p.requires_grad or STEPS in state.get(p, ())}
        own, shared = self.fresh(begun)
        if not group["steps"]:
            group["shared"] = shared
            late = set(own)
        for p in late:
            state[p].update(own[p])

    def _laid_out(self, state: State, names: Names) -> Layout:
        begun = {p: name for p, name in names.items() if STEPS in state.get(p, ())}
        if self._layout is None or self._layout[0] != tuple(begun.values()):
            self.fresh(begun)
        return self._layout[1]


class Numbers:
    """The numbers of a step as tensors, made once for each dtype."""

    def __init__(self, lr: Rate, shared: Mapping[str, Any]) -> None:
        self._lr, self._shared = lr, shared
        self._plain: dict[Any, tuple[Tensor, Tensor, dict[str, Tensor]]] = {}
        self._by_program: dict[Any, Sequence[Tensor]] = {}

    def plain(self, t: int, like: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Step number, learning rate and the shared scalars, as `leaf` takes them."""
        key = t, like.dtype
        if key not in self._plain:
            shared = {name: as_scalar(value, like) for name, value in self._shared.items()}
            self._plain[key] = as_scalar(t, like), as_scalar(self._lr, like), shared
        return self._plain[key]

    def of(self, t: int, ready: PreparedParameter, like: Tensor) -> Sequence[Tensor]:
        """What the body of a program takes."""
        key = t, id(ready.program), like.dtype
        numbers = self._by_program.get(key)
        if numbers is None:
            count, lr, shared = self.plain(t, like)
            numbers = self._by_program[key] = ready.program.scalars(count, lr, *shared.values())
        return numbers
