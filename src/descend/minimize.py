"""The everyday door: `minimize(loss, params, data, ...)`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from descend._restarts import from_several
from descend._tree import Tree
from descend.engine.progress import Observer
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.stopping import Stop
from descend.training import Result, Trainer


def minimize(
    loss: Callable[..., Any],
    params: Tree,
    data: Any = None,
    *,
    state: Tree = None,
    optimizer: Any = "auto",
    bounds: Any = None,
    restarts: int = 0,
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
    watch: Any = None,
    snapshots: bool | float = False,
    seed: int = 0,
    dtype: Any = None,
    on_nonfinite: Literal["stop", "skip"] = "stop",
    shard: Any = None,
) -> Result:
    """Descend on `loss` from `params`: `θ ← θ + u(∇J(θ))`, with the updates `u` of an optimizer.

    **Arguments**

    - `loss`: `loss(params)`, or with data `loss(params, batch)`: a real scalar, or a pair of it and a dict of what
      else to record at each step. It is differentiated and compiled by JAX, unless it brings `value_and_grad`.
    - `params`: where to begin: an array, a list of numbers, a dict, an Equinox module, any pytree.
    - `data`: a pytree of arrays with a common first axis, the examples; or a source of batches; or a data loader, any
      object that gives batches each time it is iterated over. Where JAX's arrays have their rows divided among devices,
      of this process or of several, each device calculates with its own rows of a batch.
    - `state`: what the loss keeps from step to step without descending on it, for instance the running means of batch
      normalisation. The loss is called with `state=` then, and returns `(scalar, state)`, or `(scalar, state, dict)`.
      A loss with an argument `key` is given a random key, another one at each step: for dropout, or for noise. Both are
      part of the run, and of its checkpoint. Where it is validated, Equinox modules are in their inference mode, the
      key is `None`, and the state that comes back is not kept.
    - `optimizer`: a rule of `descend.optimizers`, or any object with Optax's `init` and `update`. `"auto"` needs no
      learning rate: `LBFGS` where the loss is the same function at each step (a function, or all the data), and for
      batches `AdamW`, whose rate short descents find beforehand; they take an eighth to a fifth of the steps besides,
      160 at the least, and more where first steps tell little. `search` in the result tells of them, and whether they
      learnt anything. Its weights decay the faster, the fewer examples there are. `ema`: the decay of an average of the
      parameters, which is then what is validated and returned.
    - `bounds`: a pair, `(lower, upper)`: numbers for all parameters, or trees like them, `None` where there is none;
      for functions, and for all the data at each step. The rule is `LBFGSB` then, and a start beyond is moved to them.
    - `restarts`: begin from so many more points, too, normally distributed around `params`, as wide as each of them is
      large, and at least 1. The result is that of the lowest minimum; `minima` has all that were found, and how often.
    - `batch_size`: 1 is stochastic, the number of examples is batch gradient descent. By default 64, or all if fewer.
    - `epochs`, `steps`, `seconds`: the budget; the first to be spent ends the descent. By default 100,000 steps for
      a function and 100 epochs for data. Of the seconds, all that goes on is counted, compiling too, and the last
      validation has room in them; there is always time for one dispatch. Where they end the descent, a rate that
      falls over it is to do so in them: some steps, and a validation, are timed beforehand.
    - `stop`: tests that end it earlier. By default `Convergence()` where there is no noise (a function, or all the data
      at each step), and `Plateau()` where there are batches and a validation. `Target(name, ...)` ends it when
      the validation is good enough; `[]` leaves the budget alone.
    - `validation`: data for the same loss, or a function of the parameters (and of the state, if there is one), which
      returns a scalar, or a scalar and a dict.
    - `validate_every`: steps; by default an epoch.
    - `observers`: called with a `Progress` between dispatches, about ten times a second.
    - `checkpoint`: a file to save the run in, every five seconds and at the end. `resume`: go on from it, if it is
      there; the parameters will be, bit for bit, those of a descent that was never interrupted. The one before is kept
      beside it, for a disk that damages the last; see `Checkpoint`.
    - `watch`: what to record of the parameters besides: a pattern of their paths, such as `"layers/0/*"`, several of
      them by name, or a `Watch`, which may also record where the parameters are.
    - `snapshots`: keep the run as it was at its start and after 1, 2, 4, 8, … steps, in the result and the checkpoint.
      A number is the most bytes that they may take, and `True` a quarter of a gigabyte. Where they would take more,
      every second one is left out: then come 2, 8, 32, …, later 8, 128, ….
    - `seed`: of the shuffling. `dtype`: of the parameters, float32 or float64; by default float64 for a function,
      `data=None`, and float32 with data.
    - `on_nonfinite`: `"stop"` before a step whose loss, gradient or update is not finite, or `"skip"` it.
    - `shard`: which parameters are divided among devices of this process, by patterns of their paths; for each, which
      axis of the mesh each dimension is divided over, `{"*/kernel": (None, "model")}`. The mesh is that of the data, or
      of the parameters. What the rule remembers of a parameter is divided as it is. Parameters that lie divided already
      stay so.

    **Returns** a `Result`.

    **Raises** `InputError` for a loss that is no real scalar or is not finite at the start, parameters that are not
    floating-point numbers, data or settings that do not fit, and a checkpoint that another process writes or the disk
    has no room for; `CheckpointError` for a checkpoint of another run.

    >>> result = minimize(lambda x: (x - 3.0) ** 2, 0.0)
    >>> result.reason.name, round(float(result.params), 3)
    ('converged', 3.0)
    """
    # All that was given, by name: the doors forward it, and none of them can forget a setting.
    settings = dict(locals())
    if not settings.pop("restarts"):
        return Trainer.begin(**settings).to_the_end()
    if checkpoint is not None:
        raise InputError("restarts= are several descents, and a checkpoint is of one: leave one of them out")
    several = lambda start: Trainer.begin(**settings | {"params": start}).to_the_end()
    return from_several(several, params, restarts, seed)
