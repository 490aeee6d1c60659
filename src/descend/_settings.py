"""What `minimize` is given, made into what a descent is driven by: its budget, its rule, its tests, its validation."""

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from descend._hyperparameters import is_known_scalar
from descend._tree import Tree, is_plain_list, named_leaves, split
from descend.engine.begin import Setup
from descend.engine.descent import Descent, Static
from descend.engine.loss import AuxiliaryState
from descend.engine.rate_search import UNKNOWN_PER_EXAMPLE, USUAL_RATE, RateSearch
from descend.engine.timed import Validate
from descend.errors import InputError
from descend.optimizers import EMA, LBFGS, LBFGSB, Optimizer, as_optimizer
from descend.sources import (
    Empty,
    HostArrays,
    IterableBatches,
    MiniBatches,
    WholeSet,
    WindowedBatches,
    as_data,
    on_device,
)
from descend.stopping import Budget, Convergence, GradientTolerance, Plateau, Target

FUNCTION_STEPS = 100_000
DATA_EPOCHS = 100


def budget_of(source: Any, epochs: float | None, steps: int | None, seconds: float | None) -> Budget:
    """What a descent may use at most.

    **Raises** `InputError` for less than nothing, parts of a step, and epochs of a source that has none.
    """
    for name, value in (("epochs", epochs), ("steps", steps), ("seconds", seconds)):
        if value is not None and not is_known_scalar(value):
            raise InputError(f"{name} must be a number, but is {value!r}")
        if value is not None and not value >= 0:
            raise InputError(f"{name} must be at least 0, but is {value}")
    if epochs is not None and math.isinf(epochs):
        raise InputError("epochs must be finite: for a descent without end give seconds= alone")
    if epochs is None and steps is None and seconds is None:
        if isinstance(source, Empty):
            steps = FUNCTION_STEPS
        else:
            epochs = DATA_EPOCHS
    if epochs is not None:
        per_epoch = getattr(source, "steps_per_epoch", None)
        if per_epoch is None:
            raise InputError("epochs= needs a source that knows its steps_per_epoch: give steps= or seconds= instead")
        # Rounded first, because 100 · 2.2 is a little more than 220.
        in_epochs = math.ceil(round(epochs * per_epoch, 6))
        # Of two budgets in steps the smaller ends the descent, and lends the reason its words.
        if steps is None or in_epochs <= steps:
            return Budget(_countable(in_epochs), seconds, f"{epochs:g} epochs ({in_epochs:,} steps)")
    return Budget(_countable(steps), seconds, f"{steps} steps")


def _countable(steps: int | None) -> int | None:
    if steps is not None and steps >= 2**31:
        raise InputError(f"steps are counted in 32 bits, and {steps:,} are too many: give less, or seconds= alone")
    return None if steps is None else whole_steps(steps)


def whole_steps(steps: Any) -> int:
    """A number of steps; refused is one with a part of a step, where a descent would never be."""
    if not (is_known_scalar(steps) and float(steps).is_integer()):
        raise InputError(f"steps must be a whole number, but are {steps!r}")
    return int(steps)


def rule_of(
    optimizer: Any, bounds: Any, ema: float | None, steps: int | None, setup: Setup
) -> tuple[Optimizer, RateSearch | None]:
    """The rule, its lengths left open; where it was left to us and its learning rate must be found first, how."""
    within = (lambda rule: rule) if ema is None else (lambda rule: EMA(rule, ema))
    if bounds is not None:
        return within(_bounded(optimizer, bounds, setup)), None
    if not isinstance(optimizer, str) or optimizer != "auto":
        return within(as_optimizer(optimizer)), None
    if setup.is_noiseless:
        return within(LBFGS()), None
    return searched(steps, setup.source, setup.numbers, within)


def searched(
    steps: int | None, source: Any, numbers: Tree, within: Callable[[Optimizer], Optimizer]
) -> tuple[Optimizer, RateSearch]:
    """The rule whose learning rate has to be found first, and how. It is an outline, without its length: by it a
    checkpoint is known again."""
    rate_search = RateSearch(steps, *_parameters_per_example(source, numbers), within=within)
    return rate_search.over(None).rule(USUAL_RATE), rate_search


def _bounded(optimizer: Any, bounds: Any, setup: Setup) -> LBFGSB:
    """The rule for bounds.

    **Raises** `InputError` for what are no bounds, and where they cannot be kept.
    """
    if not (isinstance(optimizer, str) and optimizer == "auto"):
        raise InputError("bounds= are kept by LBFGSB, and by no other rule: leave optimizer= out")
    if not setup.is_noiseless:
        raise InputError("bounds= are for a function, or for all the data at each step: give batch_size= the number of "
                         "examples")
    if not (isinstance(bounds, tuple | list) and len(bounds) == 2):
        raise InputError(f"bounds= are a pair, (lower, upper), each a number or a tree like params, but not {bounds!r}")
    rule = LBFGSB(lower=_bound(bounds[0], -np.inf), upper=_bound(bounds[1], np.inf))
    rule.refuse_empty(setup.numbers)
    return rule


def _bound(given: Any, none: float) -> Any:
    """A bound, or what there is none by; a list of numbers is an array, as it is of parameters."""
    if given is None:
        return none
    return np.asarray(given, np.float64) if is_plain_list(given) else given


def _parameters_per_example(source: Any, numbers: Tree) -> tuple[float, float]:
    """How many parameters there are for each example, and in how many steps all are passed; few and 0, if nobody knows
    how many examples there are."""
    known = isinstance(source, MiniBatches | HostArrays | IterableBatches | WindowedBatches)
    if known and (per_pass := source.steps_per_epoch) and (size := getattr(source, "batch_size", None)):
        pass
    elif isinstance(source, WholeSet):
        per_pass, size = 1, len(jax.tree.leaves(source.data)[0])
    else:
        return UNKNOWN_PER_EXAMPLE, 0.0
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(numbers)) / (per_pass * size), per_pass


def stops_of(stop: Any, is_noiseless: bool, validation: Any) -> tuple[Any, Any, Any]:
    """The test of convergence, the plateau and the target, each `None` if it is not asked for."""
    if stop is None:
        stop = Convergence() if is_noiseless else Plateau() if validation is not None else []
    chosen = list(stop) if isinstance(stop, Sequence) else [stop]
    for test in chosen:
        if not isinstance(test, Convergence | GradientTolerance | Plateau | Target):
            raise InputError(f"stop takes Convergence, GradientTolerance, Plateau and Target, but not {test!r}")
        if isinstance(test, Plateau) and validation is None:
            raise InputError("Plateau() looks at the validation loss: give validation=")
        if isinstance(test, Target) and validation is None:
            raise InputError(f"Target({test.name!r}) looks at the validation: give validation=")
    kinds = (Convergence | GradientTolerance, Plateau, Target)
    first = lambda kind: next((test for test in chosen if isinstance(test, kind)), None)
    return tuple(map(first, kinds))  # type: ignore[return-value]


def validation_of(validation: Any, descent: Descent) -> Validate | None:
    """How to validate, if it is asked for."""
    if validation is None:
        return None
    if own := getattr(descent, "validation_of", None):
        return own(validation)
    measure = validation if callable(validation) else _on_held_out(validation, descent)

    def validate(params: Tree, state: Tree) -> dict[str, float]:
        if descent.signature.has_state or descent.signature.takes_key:
            params = _in_inference(params)
        value = measure(params, state) if descent.signature.has_state else measure(params)
        loss, others = value if isinstance(value, tuple) else (value, {})
        return {"loss": float(loss), **{name: float(x) for name, x in named_leaves(others).items() if np.ndim(x) == 0}}

    return validate


def _on_held_out(validation: Any, descent: Descent) -> Callable[..., Any]:
    """The loss on held-out data, without anything that is random in it."""
    held_out, _ = as_data(validation, "validation data")
    # The same descent with another source, so that there is one way alone to call the loss.
    on_all = dataclasses.replace(descent, source=WholeSet(on_device(held_out)))

    def measure(params: Tree, state: Tree = None) -> tuple[Any, Any]:
        numbers, rest = split(params)
        return dataclasses.replace(on_all, rest=Static.of(rest)).run(_on_all, numbers, state)

    return measure


def _on_all(descent: Descent, numbers: Tree, state: Tree) -> tuple[Any, Any]:
    whole: Any = descent.source
    value, _, aux = descent.evaluate(numbers, whole.data, AuxiliaryState(state))
    return value, aux


def _in_inference(params: Tree) -> Tree:
    """The parameters with all Equinox modules among them as they are used after training."""
    # It takes a while to import, and whoever has modules has done so.
    equinox = sys.modules.get("equinox")
    return params if equinox is None else equinox.nn.inference_mode(params)
