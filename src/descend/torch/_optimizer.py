"""`TorchOptimizer`: an optimizer of ours in PyTorch's loops."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from descend.errors import InputError
from descend.optimizers import MissingExtraError, Optimizer
from descend.torch._closures import Closure, evaluated, extra_of
from descend.torch._loading import Current, load
from descend.torch._refusals import refuse_foreign, refuse_settings, why_fixed, without_loss
from descend.torch._steppers import STEPS, TRAINING, Group, Moving, PerParameter, Stepper, stepper

# From which on compiling, which takes seconds, pays within a thousand steps.
MIN_COMPILED_NUMBERS = 2**20


class TorchOptimizer(torch.optim.Optimizer):
    """Any optimizer of `descend` as a `torch.optim.Optimizer`, for your own loop, Lightning, or a `Trainer`.

    `params`: what PyTorch's optimizers take: parameters, `model.named_parameters()`, or groups of them. `rule`: the
    optimizer. A group may have an `lr` of its own, or a `rule` in place of this one.

    **Learning rate.** `group["lr"]` is the rule's: set it, or give the optimizer to one of PyTorch's schedulers. In an
    optimizer that has several, it is the first, and the others keep their proportion to it. A rule with a schedule of
    ours sets it before each step, and refuses that anybody else does: two schedules would fight. So does an optimizer
    that has no learning rate.

    **State.** What a rule remembers of a parameter is in `optimizer.state[p]`, by its name in the rule
    (`state[p]["mean"]`), beside `"steps"`: each parameter counts its own, so that one which joins late is at its first,
    as in PyTorch. What parameters share is in `group["shared"]`, and `group["steps"]` counts for schedules.
    Optimizers that look at all parameters together (modifiers, searches) have one count for all.

    **Closures.** `step(closure)` is PyTorch's. Optimizers that need the loss (`PolyakStep`, `LBFGS`) or gradients
    elsewhere (`SAM`) take them from the closure, and need all parameters in one group.

    **Averages.** Where a rule is evaluated at other parameters than it descends on (Schedule-Free, `EMA`), have them
    within `with optimizer.evaluating():`, or between `eval()` and `train()`. A state that is saved in between is whole:
    it has the training parameters, too.

    **Saving.** `state_dict()` has tensors, numbers and strings alone. With `named_parameters()` it is loaded by name.

    `compiled`: compile rules whose mathematics is pointwise into one pass over memory. By default they are from a
    million numbers on a CPU, where it pays for the seconds that it takes; if it fails, steps are made eagerly, with one
    warning. `optimizer.compiled` says which.

    >>> import torch, descend
    >>> from descend.torch import TorchOptimizer
    >>> x = torch.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = TorchOptimizer([("x", x)], descend.SGD(0.1))
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     x.square().sum().backward()
    ...     optimizer.step()
    >>> x
    tensor([ 1.9200, -2.5600], requires_grad=True)
    """

    state: defaultdict[Any, Any]  # by parameter, as PyTorch has it

    def __init__(self, params: ParamsT, rule: Optimizer, *, compiled: bool | None = None) -> None:
        refuse_foreign(rule)
        # Of each group, as are the steppers.
        self.rules: list[Optimizer] = []
        self._default, self._wish = rule, compiled
        self.steppers: list[Stepper] = []
        super().__init__(params, {})

    @property
    def compiled(self) -> bool:
        """Whether steps are made by compiled kernels; it is decided at the first step."""
        return any(isinstance(each, PerParameter) and each.kernels.used for each in self.steppers)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, which may have an `lr` or a `rule` of its own.

        **Raises** `InputError` for other settings of a rule: a group that needs others, needs a rule of its own.
        """
        rule = param_group.get("rule", self._default)
        refuse_foreign(rule)
        made = stepper(rule)
        refuse_settings(param_group, made.rates)
        settings = {"lr": made.rates.at(0)} | param_group
        super().add_param_group(settings | {"rule": repr(rule), "steps": 0, "shared": {}})
        self.rules.append(rule)
        self.steppers.append(made)
        self._decide()

    def step(self, closure: Closure | None = None) -> Any:
        """Make a step; the loss, if there is a closure that returns it.

        **Raises** `InputError` for sparse gradients, for an optimizer that needs a closure and has none, and between
        `eval()` and `train()`.
        """
        # With gradients on, which steps themselves are made without.
        loss = None if closure is None else evaluated(closure)
        with torch.no_grad():
            self._step(closure, loss)
        return loss

    # Private, as in PyTorch's own optimizers: what is worth compiling is compiled here.
    @torch._disable_dynamo  # type: ignore
    def _step(self, closure: Closure | None, loss: object) -> None:
        every = [self._moving(group) for group in self.param_groups]
        alone = sum(bool(group["params"]) for group in self.param_groups) == 1
        for i, (group, moving, each) in enumerate(zip(self.param_groups, every, self.steppers, strict=True)):
            if not moving.params:
                continue
            self._show_rate(i, group, each)
            # The loss is of all parameters: what looks at it elsewhere must move them all, and so have one group.
            names, extra = partial(self._names, i), {}
            if closure is not None and alone:
                extra = extra_of(closure, loss, moving.params, names(), group["params"])
            try:
                each.step(group, self.state, names, moving, extra)
            except MissingExtraError as error:
                raise InputError(without_loss(error, alone, closure is not None)) from None
            if each.rates.scheduled and not isinstance(each, PerParameter):
                group["lr"] = each.shown = each.read_rate(group, self.state, names())

    def _moving(self, group: Group) -> Moving:
        """The parameters of a group that are stepped: those with a gradient."""
        moving = Moving([], [], [])
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            own = self.state.setdefault(p, {})
            if TRAINING in own:
                raise InputError("the parameters are those for evaluation: call optimizer.train() before step()")
            if g.layout is not torch.strided:
                raise InputError(f"TorchOptimizer steps dense gradients, but that of '{self._name(p)}' is sparse: make "
                                 "its layer with sparse=False")
            moving.params.append(p)
            moving.grads.append(g)
            moving.owns.append(own)
        return moving

    def eval(self) -> None:
        """Put the parameters in place that are to be evaluated, until `train()`."""
        with torch.no_grad():
            for i, group in enumerate(self.param_groups):
                names, each = self._names(i), self.steppers[i]
                begun = {p: name for p, name in names.items() if STEPS in self.state.get(p, ())}
                if not begun or any(TRAINING in self.state[p] for p in begun):
                    continue
                kept, params = each.assembled(group, self.state, names)
                there = each.rule.eval_params(kept, params)
                for p, name in begun.items():
                    if there[name] is not params[name]:
                        self.state[p][TRAINING] = p.detach().clone()
                        p.copy_(there[name])

    def train(self) -> None:
        """Put the parameters back that are descended on."""
        with torch.no_grad():
            for p, own in self.state.items():
                if TRAINING in own:
                    p.copy_(own.pop(TRAINING))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """A block in which the parameters are those to be evaluated; within it, nothing changes if they are already."""
        before = any(TRAINING in own for own in self.state.values())
        self.eval()
        try:
            yield
        finally:
            if not before:
                self.train()

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> Any:
        """Load a state, by the names of the parameters if both sides have them; copies of it, exact to the bit.

        `strict=False` loads what belongs together, and leaves the rest as it is. What was loaded is returned: a
        `Loaded`.

        **Raises** `InputError` if the state is of other parameters, which it names, or of another optimizer.
        """
        # Not PyTorch's own, which casts all that is remembered to the dtype of the parameters, and so loses bits.
        state_dict = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        names = [self._names(i) for i in range(len(self.param_groups))]
        with torch.no_grad():
            loaded, state, settings = load(
                state_dict, Current(self.param_groups, self.steppers, names, self.state), strict
            )
        self.state = defaultdict(dict, state)
        for group, own, each in zip(self.param_groups, settings, self.steppers, strict=True):
            group.update(own)
            each.shown = group["lr"]
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)
        return loaded

    def __getstate__(self) -> dict[str, Any]:
        own = {"rules": self.rules, "_default": self._default, "_wish": self._wish}
        return super().__getstate__() | own

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.steppers = [stepper(rule) for rule in self.rules]
        for group, each in zip(self.param_groups, self.steppers, strict=True):
            each.shown = group["lr"]
        self._decide()

    def _decide(self) -> None:
        """Whether kernels are to be made."""
        every = [p for group in self.param_groups for p in group["params"]]
        worth = sum(p.numel() for p in every) >= MIN_COMPILED_NUMBERS and all(p.device.type == "cpu" for p in every)
        for each in self.steppers:
            if isinstance(each, PerParameter):
                each.compiled = worth if self._wish is None else self._wish

    def _names(self, i: int) -> dict[Tensor, str]:
        """The parameters of a group with their paths, as patterns see them: `layers/0/weight`; or their numbers."""
        group = self.param_groups[i]
        if "param_names" in group:
            return {p: name.replace(".", "/") for p, name in zip(group["params"], group["param_names"], strict=True)}
        first = sum(len(before["params"]) for before in self.param_groups[:i])
        return {p: str(first + j) for j, p in enumerate(group["params"])}

    def _name(self, p: Tensor) -> str:
        everywhere = (self._names(i) for i in range(len(self.param_groups)))
        return next(names[p] for names in everywhere if p in names).replace("/", ".")

    def _show_rate(self, i: int, group: Group, each: Stepper) -> None:
        """Tell the group the rate of the step to come, if it is a schedule's; refuse what others have set."""
        if each.rates.settable:
            return
        if "initial_lr" in group or group["lr"] != each.shown:
            raise InputError(f"the learning rate of group {i} was set from outside, but the group has "
                             f"{why_fixed(each.rates)}: set no lr and use no scheduler of PyTorch's, or give the rule "
                             "a number")
        if each.rates.scheduled and isinstance(each, PerParameter):
            group["lr"] = each.shown = each.rates.at(group["steps"])
