"""The everyday door: `minimize(loss, params, data, ...)`, and what it gives back."""

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend._drive import Checkpoint, Drive, Validate
from descend._tree import Tree, as_parameters, join, named_leaves, split
from descend.descent import Descent, Run, Static, call, evaluate, start
from descend.errors import InputError
from descend.history import History
from descend.observers import Observer
from descend.optimizers import Adam, AdamW, External, Optimizer
from descend.schedules import Cosine
from descend.sources import Empty, HostArrays, HostSource, MiniBatches, Source, WholeSet, as_data, mini_batches
from descend.stopping import Best, Budget, GradientTolerance, Plateau, Reason, Stop

if TYPE_CHECKING:
    import plotly.graph_objects as go

FUNCTION_STEPS = 100_000
DATA_EPOCHS = 100
BATCH_SIZE = 64


@dataclass(frozen=True)
class Result:
    """Where a descent ended, why, and how it got there.

    `params`: the best validated parameters, or the last ones where nothing was validated. `reason`: the named reason
    to stop, with its evidence. `history`: what was recorded, per step. `loss`: the last step's. `best`: the best
    validation. `run`: the run as it ended, a value to keep, to fork and to `advance`. `seconds`: of training.
    """

    params: Tree
    reason: Reason
    history: History
    loss: float
    best: Best
    run: Run
    seconds: float

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
    optimizer: Any = None,
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
    - `data`: a pytree of arrays with a common first axis, the examples; or a source of batches.
    - `optimizer`: a rule of `descend.optimizers`, or any object with Optax's `init` and `update`. Without one, `Adam`
      for a function and `AdamW` with a cosine schedule for data.
    - `batch_size`: 1 is stochastic, the number of examples is batch gradient descent. By default 64, or all if fewer.
    - `epochs`, `steps`, `seconds`: the budget; the first to be spent ends the descent. By default 100,000 steps for
      a function and 100 epochs for data.
    - `stop`: tests that end it earlier. By default `GradientTolerance()` where there is no noise (a function, or all
      the data at each step), and `Plateau()` where there are batches and a validation. `[]` for the budget alone.
    - `validation`: data for the same loss, or a function of the parameters, which returns what a loss does.
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
    numbers, rest = split(as_parameters(params, _floating(dtype)))
    with precision(numbers):
        source = _source(data, batch_size)
        budget = _budget(source, epochs, steps, seconds)
        rule = _optimizer(optimizer, source, budget.steps)
        tolerance, plateau = _stops(stop, source, validation)
        descent = Descent(
            source=source,
            optimizer=rule,
            stop=tolerance,
            loss=loss,
            rest=Static.of(rest),
            skip_nonfinite=on_nonfinite == "skip",
        )
        key = jax.random.key(seed)
        has_aux, convolves = _inspect(descent, numbers, key)
        descent = dataclasses.replace(descent, has_aux=has_aux)
        per_epoch = getattr(source, "steps_per_epoch", None) or 1.0
        if validate_every is not None and validate_every < 1:
            raise InputError(f"validate_every must be at least 1 step, but is {validate_every}")
        saved = Checkpoint(Path(checkpoint)) if isinstance(checkpoint, str | Path) else checkpoint
        drive = Drive(
            run=start(descent, numbers, key),
            budget=budget,
            plateau=plateau,
            validate=_validation(validation, descent),
            validate_every=validate_every or max(per_epoch, 1.0),
            observers=observers,
            checkpoint=saved,
            tries_stepwise=convolves,
            identity=_identity(descent, numbers, seed) if saved else {},
        )
        if resume and saved is None:
            raise InputError("resume=True needs checkpoint=, the file to go on from")
        if resume and saved and saved.path.exists():
            drive.resume(saved.path)
        return _result(drive, drive.to_the_end())


def _floating(dtype: Any) -> Any:
    try:
        known = np.dtype(dtype)
    except TypeError:
        raise InputError(f"dtype must be a floating-point type such as float32, but is {dtype!r}") from None
    if not jnp.issubdtype(known, jnp.floating):
        raise InputError(f"dtype must be a floating-point type such as float32, but is {known}")
    return known


def _source(data: Any, batch_size: int | None) -> Source | HostSource:
    if data is None:
        if batch_size is not None:
            raise InputError("batch_size is given, but no data")
        return Empty()
    if isinstance(data, Source | HostSource):
        if batch_size is not None:
            raise InputError(f"batch_size is given, but the batches come from {type(data).__name__}, which has its own")
        if isinstance(data, MiniBatches):
            data = mini_batches(data.data, data.batch_size, data.shuffle)
        return _on_device(data)
    arrays, length = as_data(data)
    size = min(BATCH_SIZE, length) if batch_size is None else index(batch_size)
    if any(isinstance(array, np.memmap) for array in jax.tree.leaves(arrays)):
        return HostArrays(arrays, size)
    return _on_device(WholeSet(arrays) if size == length else mini_batches(arrays, size))


def _on_device(tree: Tree) -> Tree:
    """The tree with its arrays where the steps are made, so that no dispatch brings them there again."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, tree)


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


def _optimizer(optimizer: Any, source: Any, steps: int | None) -> Any:
    if optimizer is None:
        if isinstance(source, Empty):
            return Adam(0.02)
        optimizer = AdamW(Cosine(0.01) if steps else 0.001)
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")) or isinstance(optimizer, type):
        raise InputError(f"optimizer must be a rule such as Adam(0.001), but is {optimizer!r}")
    return optimizer.over(steps) if isinstance(optimizer, Optimizer) else External(optimizer)


def _stops(stop: Any, source: Any, validation: Any) -> tuple[GradientTolerance | None, Plateau | None]:
    if stop is None:
        noiseless = isinstance(source, Empty | WholeSet)
        stop = GradientTolerance() if noiseless else Plateau() if validation is not None else []
    chosen = list(stop) if isinstance(stop, Sequence) else [stop]
    for test in chosen:
        if not isinstance(test, GradientTolerance | Plateau):
            raise InputError(f"stop takes GradientTolerance and Plateau, but not {test!r}")
        if isinstance(test, Plateau) and validation is None:
            raise InputError("Plateau() looks at the validation loss: give validation=")
    tolerance = next((test for test in chosen if isinstance(test, GradientTolerance)), None)
    return tolerance, next((test for test in chosen if isinstance(test, Plateau)), None)


def _inspect(descent: Descent, numbers: Tree, key: jax.Array) -> tuple[bool, bool]:
    """Whether the loss returns a pair, once it is sure that it is something to descend on; and whether it convolves.

    Of convolutions it is known that XLA may compile them far worse inside a loop. Only for them it is tried out: a
    measurement that is not needed could only make two runs differ.
    """
    # Traced by `jit`, which remembers it: to minimize the same loss again then begins at once.
    traced = _loss_alone.trace(*_without_data(descent, numbers, key))
    program, value = traced.jaxpr, traced.out_info
    has_aux = isinstance(value, tuple)
    if has_aux and not (len(value) == 2 and isinstance(value[1], dict)):
        raise InputError(f"the loss must return a scalar, or a scalar and a dict, but returns a tuple of {len(value)}")
    scalar = value[0] if has_aux else value
    if not hasattr(scalar, "shape"):
        raise InputError(f"the loss must return a scalar, but returns {type(scalar).__name__}")
    if scalar.shape != ():
        raise InputError(f"the loss must return a scalar, but returns an array of shape {scalar.shape}: "
                         "take its mean or its sum")
    if not jnp.issubdtype(scalar.dtype, jnp.floating):
        raise InputError(f"the loss must return a real floating-point scalar, but returns {scalar.dtype}")
    return has_aux, "conv_general_dilated" in str(program)


_loss_alone = jax.jit(call)
_first_draw = jax.jit(lambda source, numbers, key: source.draw(source.init(key), numbers)[0])


def _without_data(descent: Descent, numbers: Tree, key: jax.Array) -> tuple[Descent, Tree, Any]:
    """What the loss is traced with: the shapes of a first batch, and no more data than that."""
    source = descent.source
    if isinstance(source, Empty):
        return descent, numbers, ()
    if isinstance(source, HostSource):
        batch = source.draw(source.init(key), numbers)[0]
    else:
        batch = _first_draw.trace(source, numbers, key).out_info
    return dataclasses.replace(descent, source=WholeSet(())), numbers, batch


def _validation(validation: Any, descent: Descent) -> Validate | None:
    if validation is None:
        return None
    if callable(validation):
        measure = validation
    else:
        held_out, _ = as_data(validation, "validation data")
        on_all = dataclasses.replace(descent, source=WholeSet(_on_device(held_out)))
        compiled = jax.jit(lambda descent, numbers: evaluate(descent, numbers, descent.source.data))

        def measure(params: Tree) -> Any:
            return compiled(on_all, split(params)[0])

    def validate(params: Tree) -> dict[str, float]:
        value = measure(params)
        loss, others = value if isinstance(value, tuple) else (value, {})
        return {"loss": float(loss), **{name: float(x) for name, x in named_leaves(others).items() if np.ndim(x) == 0}}

    return validate


def _identity(descent: Descent, numbers: Tree, seed: int) -> dict[str, Any]:
    """What a checkpoint must agree with: a run that goes on from it would otherwise be another one."""
    source = descent.source
    return {
        "parameters": {name: f"{x.dtype}{list(x.shape)}" for name, x in named_leaves(numbers).items()},
        "optimizer": re.sub(r" at 0x[0-9a-f]+", "", repr(descent.optimizer)),
        "source": type(source).__name__,
        "batch size": getattr(source, "batch_size", None),
        "shuffle": getattr(source, "shuffle", None),
        "data": _digest(getattr(source, "data", None)),
        "seed": seed,
    }


def _digest(data: Any) -> str:
    """A hash of the data, some rows at a time, because they may be larger than memory."""
    digest = hashlib.sha256()
    for name, array in named_leaves(data).items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        rows = max(1, 2**24 // max(array[:1].nbytes, 1))
        for row in range(0, len(array), rows):
            digest.update(np.ascontiguousarray(array[row : row + rows]).tobytes())
    return digest.hexdigest()[:16]


def _result(drive: Drive, reason: Reason) -> Result:
    run = drive.run
    if drive.best_numbers is not None:
        numbers = drive.best_numbers
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
    )
