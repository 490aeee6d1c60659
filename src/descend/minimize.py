"""The everyday door: `minimize(loss, params, data, ...)`, and what it gives back."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from descend._arrays import precision
from descend._tree import Tree, join, named_leaves, split
from descend.engine.begin import Setup
from descend.engine.descent import Descent, Static
from descend.engine.history import History
from descend.engine.identity import identity
from descend.engine.loss import Carried
from descend.engine.progress import Observer
from descend.engine.run import Run
from descend.engine.search import FIRST, Race, Search
from descend.engine.trainer import Checkpoint, Drive, Validate
from descend.errors import InputError
from descend.optimizers import EMA, LBFGS, as_optimizer
from descend.sources import Empty, HostArrays, MiniBatches, WholeSet, as_data, on_device
from descend.stopping import Best, Budget, GradientTolerance, Plateau, Reason, Stop, Target

if TYPE_CHECKING:
    import plotly.graph_objects as go

FUNCTION_STEPS = 100_000
DATA_EPOCHS = 100


@dataclass(frozen=True)
class Result:
    """Where a descent ended, why, and how it got there.

    `params`: the best validated parameters, or the last ones where nothing was validated. `reason`: the named reason
    to stop, with its evidence. `history`: what was recorded, per step. `loss`: the last step's. `best`: the best
    validation. `run`: the run as it ended, a value to keep, to fork and to `advance`. `seconds`: of training. `state`:
    the loss's own, if it keeps one, as it belongs to `params`. `search`: how the learning rate was found, if it was.
    """

    params: Tree
    reason: Reason
    history: History
    loss: float
    best: Best
    run: Run
    seconds: float
    state: Tree = None
    search: Search | None = None

    def plot(self) -> "go.Figure":
        """The loss, the gradient's norm and the learning rate over the steps, as a Plotly figure."""
        from descend._figures import training_curves  # Plotly is for those who look

        return training_curves(self.history, self.reason)

    def __repr__(self) -> str:
        return f"Result({self.reason}; loss {self.loss:.6g} after {self.reason.step} steps in {self.seconds:.3g} s)"


def minimize(
    loss: Callable[..., Any],
    params: Tree,
    data: Any = None,
    *,
    state: Tree = None,
    optimizer: Any = "auto",
    ema: float | None = None,
    batch_size: int | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    stop: Stop | Sequence[Stop] | None = None,
    validation: Any = None,
    validate_every: int | None = None,
    observers: Sequence[Observer] = (),
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool = False,
    seed: int = 0,
    dtype: Any = np.float32,
    on_nonfinite: Literal["stop", "skip"] = "stop",
) -> Result:
    """Descend on `loss` from `params`: `θ ← θ + u(∇J(θ))`, with the updates `u` of an optimizer.

    **Arguments**

    - `loss`: `loss(params)`, or with data `loss(params, batch)`: a real scalar, or a pair of it and a dict of what
      else to record at each step. It is differentiated and compiled by JAX, unless it brings `value_and_grad`.
    - `params`: where to begin: an array, a list of numbers, a dict, an Equinox module, any pytree.
    - `data`: a pytree of arrays with a common first axis, the examples; or a source of batches; or a data loader, any
      object that gives batches each time it is iterated over.
    - `state`: what the loss keeps from step to step without descending on it, for instance the running means of batch
      normalisation. The loss is called with `state=` then, and returns `(scalar, state)`, or `(scalar, state, dict)`.
      A loss with an argument `key` is given a random key, another one at each step: for dropout, or for noise. Both are
      part of the run, and of its checkpoint. Where it is validated, Equinox modules are in their inference mode, the
      key is `None`, and the state that comes back is not kept.
    - `optimizer`: a rule of `descend.optimizers`, or any object with Optax's `init` and `update`. `"auto"` needs no
      learning rate: `LBFGS` where the loss is the same function at each step (a function, or all the data), and for
      batches `AdamW`, whose rate short descents find beforehand; they take about a tenth of the steps besides, and
      `search` in the result tells of them. Its weights decay the faster, the fewer examples there are. `ema`: the decay
      of an average of the parameters, which is then what is validated and returned.
    - `batch_size`: 1 is stochastic, the number of examples is batch gradient descent. By default 64, or all if fewer.
    - `epochs`, `steps`, `seconds`: the budget; the first to be spent ends the descent. By default 100,000 steps for
      a function and 100 epochs for data.
    - `stop`: tests that end it earlier. By default `GradientTolerance()` where there is no noise (a function, or all
      the data at each step), and `Plateau()` where there are batches and a validation. `Target(name, ...)` ends it when
      the validation is good enough; `[]` leaves the budget alone.
    - `validation`: data for the same loss, or a function of the parameters (and of the state, if there is one), which
      returns a scalar, or a scalar and a dict.
    - `validate_every`: steps; by default an epoch.
    - `observers`: called with a `Progress` between dispatches, about ten times a second.
    - `checkpoint`: a file to save the run in, every five seconds and at the end. `resume`: go on from it, if it is
      there; the parameters will be, bit for bit, those of a descent that was never interrupted.
    - `seed`: of the shuffling. `dtype`: of the parameters, float32 or float64.
    - `on_nonfinite`: `"stop"` before a step whose loss, gradient or update is not finite, or `"skip"` it.

    **Returns** a `Result`.

    **Raises** `InputError` for a loss that is no real scalar or is not finite at the start, parameters that are not
    floating-point numbers, and data or settings that do not fit; `CheckpointError` for a checkpoint of another run.

    >>> result = minimize(lambda x: (x - 3.0) ** 2, 0.0)
    >>> result.reason.name, round(float(result.params), 3)
    ('converged', 3.0)
    """
    setup = Setup.of(loss, params, data, state, batch_size, dtype)
    with precision(setup.numbers):
        source = setup.source
        budget = _budget(source, epochs, steps, seconds)
        rule, race = _optimizer(optimizer, ema, budget.steps, setup)
        tolerance, plateau, target = _stops(stop, source, validation)
        run, convolves = setup.begun(rule, tolerance, seed, on_nonfinite)
        per_epoch = getattr(source, "steps_per_epoch", None) or 1.0
        if validate_every is not None and validate_every < 1:
            raise InputError(f"validate_every must be at least 1 step, but is {validate_every}")
        saved = Checkpoint(Path(checkpoint)) if isinstance(checkpoint, str | Path) else checkpoint
        drive = Drive(
            run=run,
            budget=budget,
            plateau=plateau,
            target=target,
            validate=_validation(validation, run.descent),
            validate_every=validate_every or max(per_epoch, 1.0),
            observers=observers,
            checkpoint=saved,
            tries_stepwise=convolves,
            race=race,
            identity=identity(run.descent, setup.numbers, seed) if saved else {},
        )
        if resume and saved is None:
            raise InputError("resume=True needs checkpoint=, the file to go on from")
        if resume and saved and saved.path.exists():
            drive.resume(saved.path)
        return _result(drive, drive.to_the_end())


def _budget(source: Any, epochs: float | None, steps: int | None, seconds: float | None) -> Budget:
    for name, value in (("epochs", epochs), ("steps", steps), ("seconds", seconds)):
        if value is not None and not value > 0:
            raise InputError(f"{name} must be more than 0, but is {value}")
    if epochs is None and steps is None and seconds is None:
        if isinstance(source, Empty):
            steps = FUNCTION_STEPS
        else:
            epochs = DATA_EPOCHS
    if epochs is not None:
        per_epoch = getattr(source, "steps_per_epoch", None)
        if per_epoch is None:
            raise InputError("epochs= needs a source that knows its steps_per_epoch: give steps= or seconds= instead")
        in_epochs = math.ceil(round(epochs * per_epoch, 6))  # 100 · 2.2 is a little more than 220
        if steps is None or in_epochs <= steps:
            return Budget(_countable(in_epochs), seconds, f"{epochs:g} epochs ({in_epochs:,} steps)")
    return Budget(_countable(steps), seconds, f"{steps} steps")


def _countable(steps: int | None) -> int | None:
    if steps is not None and steps >= 2**31:
        raise InputError(f"steps are counted in 32 bits, and {steps:,} are too many: give less, or seconds= alone")
    return steps


def _optimizer(optimizer: Any, ema: float | None, steps: int | None, setup: Setup) -> tuple[Any, Race | None]:
    """The rule; where it was left to us and its learning rate must be found first, how."""
    within = (lambda rule: rule) if ema is None else (lambda rule: EMA(rule, ema))
    if isinstance(optimizer, str) and optimizer == "auto":
        if setup.is_noiseless:
            return within(LBFGS()), None
        race = Race(steps, *_crowding(setup, steps), within)
        return race.rule(FIRST), race
    return within(as_optimizer(optimizer).over(steps)), None


def _crowding(setup: Setup, steps: int | None) -> tuple[float, float]:
    """How many parameters there are for each example, and how often all are passed; one and without end, if nobody
    knows how many examples there are."""
    source = setup.source
    if isinstance(source, MiniBatches | HostArrays):
        per_pass, size = source.steps_per_epoch, source.batch_size
    elif isinstance(source, WholeSet):
        per_pass, size = 1, len(jax.tree.leaves(source.data)[0])
    else:
        return 1.0, math.inf
    passes = math.inf if steps is None else steps / per_pass
    return sum(leaf.size for leaf in jax.tree.leaves(setup.numbers)) / (per_pass * size), passes


def _stops(stop: Any, source: Any, validation: Any) -> tuple[Any, Any, Any]:
    """The test of convergence, the plateau and the target, each `None` if it is not asked for."""
    if stop is None:
        noiseless = isinstance(source, Empty | WholeSet)
        stop = GradientTolerance() if noiseless else Plateau() if validation is not None else []
    chosen = list(stop) if isinstance(stop, Sequence) else [stop]
    for test in chosen:
        if not isinstance(test, GradientTolerance | Plateau | Target):
            raise InputError(f"stop takes GradientTolerance, Plateau and Target, but not {test!r}")
        if isinstance(test, Plateau) and validation is None:
            raise InputError("Plateau() looks at the validation loss: give validation=")
        if isinstance(test, Target) and validation is None:
            raise InputError(f"Target({test.name!r}) looks at the validation: give validation=")
    kinds = (GradientTolerance, Plateau, Target)
    first = lambda kind: next((test for test in chosen if isinstance(test, kind)), None)
    return tuple(map(first, kinds))  # type: ignore[return-value]


def _validation(validation: Any, descent: Descent) -> Validate | None:
    if validation is None:
        return None
    measure = validation if callable(validation) else _on_held_out(validation, descent)

    def validate(params: Tree, state: Tree) -> dict[str, float]:
        if descent.form.has_state or descent.form.takes_key:
            params = _in_inference(params)
        value = measure(params, state) if descent.form.has_state else measure(params)
        loss, others = value if isinstance(value, tuple) else (value, {})
        return {"loss": float(loss), **{name: float(x) for name, x in named_leaves(others).items() if np.ndim(x) == 0}}

    return validate


def _on_held_out(validation: Any, descent: Descent) -> Callable[..., Any]:
    """The loss on held-out data, without anything that is random in it."""
    held_out, _ = as_data(validation, "validation data")
    on_all = dataclasses.replace(descent, source=WholeSet(on_device(held_out)))

    def measure(params: Tree, state: Tree = None) -> tuple[Any, Any]:
        numbers, rest = split(params)
        return dataclasses.replace(on_all, rest=Static.of(rest)).run(_on_all, numbers, state)

    return measure


def _on_all(descent: Descent, numbers: Tree, state: Tree) -> tuple[Any, Any]:
    whole: Any = descent.source
    value, _, aux = descent.evaluate(numbers, whole.data, Carried(state))
    return value, aux


def _in_inference(params: Tree) -> Tree:
    """The parameters with all Equinox modules among them as they are used after training."""
    import equinox as eqx  # whose import is for those who have modules

    return eqx.nn.inference_mode(params)


def _result(drive: Drive, reason: Reason) -> Result:
    run = drive.run
    state = run.state.carried.state
    if drive.best_numbers is not None:
        numbers, state = drive.best_numbers
    elif reason.name == "converged":  # an average may lag far behind the parameters that passed the test
        numbers = run.judged_numbers
    else:
        numbers = run.eval_numbers
    losses = drive.history.columns.get("loss", np.full(1, np.nan))
    return Result(
        params=join(numbers, run.descent.rest.thaw()),
        reason=reason,
        history=drive.history,
        loss=float(losses[-1]),
        best=drive.best,
        run=run,
        seconds=drive.seconds,
        state=state,
        search=drive.search,
    )
