"""Where a descent begins: from a loss, parameters, data and settings to a run that has made no step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np

from descend._arrays import precision
from descend._division import Division, processes_among
from descend._shards import with_shards
from descend._tree import Tree, as_parameters, floating, split
from descend.engine.advancing import initial_state
from descend.engine.checks import random_key, refuse_modules, refuse_tracers, state_arrays
from descend.engine.descent import Descent, Static
from descend.engine.identity import settings_of
from descend.engine.loss import AuxiliaryState, LossSignature, shapes_of, signature_of
from descend.engine.programs import programs_of
from descend.engine.run import Run
from descend.engine.watching import Watch, as_watch
from descend.errors import InputError
from descend.optimizers import EMA, LBFGS, Optimizer, as_optimizer
from descend.sources import Empty, Fed, HostSource, WholeSet, among, division_of, source_of
from descend.stopping import Flatness


def begin(
    loss: Callable[..., Any],
    params: Tree,
    data: Any = None,
    *,
    state: Tree = None,
    optimizer: Any = "auto",
    ema: float | None = None,
    batch_size: int | None = None,
    stop: Flatness | None = None,
    seed: int = 0,
    dtype: Any = None,
    on_nonfinite: Literal["stop", "skip"] = "stop",
    watch: Any = None,
    shard: Any = None,
) -> Run:
    """The run that a descent on `loss` from `params` begins with: a value to advance, fork, look into and save.

    It is what `minimize` starts from, and the arguments are those of `minimize`, but for two. `optimizer`: without
    data, or with all of them at each step, L-BFGS if none is named; for batches one must be, as a learning rate is
    found by `minimize` alone. A schedule needs a length of its own, because a run has no end. `stop`: a test of
    convergence that ends it, `GradientTolerance()`; by default none.

    **Raises** `InputError` for what `minimize` raises it for.

    >>> from descend.optimizers import SGD
    >>> run = begin(lambda x: (x - 3.0) ** 2, 0.0, optimizer=SGD(0.25))
    >>> run, trace = run.advance(2)
    >>> run.step, float(run.params), trace.columns["loss"].tolist()
    (2, 2.25, [9.0, 2.25])
    """
    setup = Setup.of(loss, params, data, state, batch_size, dtype, shard)
    with precision(setup.numbers):
        if isinstance(optimizer, str) and optimizer == "auto" and not setup.is_noiseless:
            raise InputError("batches need a rule: give optimizer=, such as Adam(0.001), or let minimize find a rate")
        rule = LBFGS() if isinstance(optimizer, str) and optimizer == "auto" else as_optimizer(optimizer).over(None)
        return setup.begun(rule if ema is None else EMA(rule, ema), stop, seed, on_nonfinite, as_watch(watch))[0]


@dataclass(frozen=True)
class Setup:
    """What is descended on: the loss and its signature, the numbers of the parameters and the rest of them, the source
    of the batches, what the loss keeps, and among which devices all of it is divided, if it is."""

    loss: Callable[..., Any]
    signature: LossSignature
    numbers: Tree
    rest: Tree
    source: Any
    state: Tree
    division: Division | None

    @classmethod
    def of(
        cls, loss: Callable[..., Any], params: Tree, data: Any, state: Tree, batch_size: int | None, dtype: Any,
        shard: Any = None,
    ) -> "Setup":
        """The set-up, if it can be descended on."""
        refuse_tracers("minimize and begin", params=params, data=data, state=state)
        refuse_modules(loss, params)
        if dtype is None:
            # A function is no sum over examples: it has no noise that would hide its rounding.
            dtype = np.float64 if data is None else np.float32
        numbers, rest = split(as_parameters(params, floating(dtype)))
        with precision(numbers):
            source, state = source_of(data, batch_size), state_arrays(state)
            signature = signature_of(loss, not isinstance(source, Empty), state is not None)
            division = with_shards(division_of(source), numbers, shard, source)
            source, numbers = among(division, source), numbers if division is None else division.placed(numbers)
            return cls(loss, signature, numbers, rest, source, state, division)

    @property
    def is_noiseless(self) -> bool:
        """Whether the loss is the same function at each step."""
        return isinstance(self.source, Empty | WholeSet) and not (self.signature.takes_key or self.signature.has_state)

    def begun(
        self, rule: Optimizer, stop: Flatness | None, seed: int, on_nonfinite: str, watch: Watch | None
    ) -> tuple[Run, bool]:
        """The run before its first step; and whether the loss convolves."""
        if on_nonfinite not in ("stop", "skip"):
            raise InputError(f"on_nonfinite must be 'stop' or 'skip', but is {on_nonfinite!r}")
        descent = Descent(
            source=self.source,
            optimizer=rule,
            stop=stop,
            loss=self.loss,
            rest=Static.of(self.rest),
            signature=self.signature,
            skip_nonfinite=on_nonfinite == "skip",
            watch=watch and watch.checked(self.numbers),
            division=self.division,
            programs=programs_of(self.loss),
        )
        if (processes := processes_among(descent.division)).are_several:
            processes.refuse_differences(**settings_of(descent, self.numbers, self.state, seed))
        key = random_key(seed)
        # Within jax.jit, a new key has no value either.
        refuse_tracers("minimize and begin", optimizer=rule, seed=key)
        descent, convolves = _inspected(descent, self.numbers, key, self.state)
        return Run(initial_state(descent, self.numbers, key, self.state), descent), convolves


def _inspected(descent: Descent, numbers: Tree, key: jax.Array, state: Tree) -> tuple[Descent, bool]:
    """The descent with a loss that is known to return what it may; and whether it convolves.

    Of convolutions it is known that XLA may compile them far worse inside a loop. Only for them it is tried out: a
    measurement that is not needed could only make two runs differ.
    """
    batch = _first_batch(descent, numbers, key)
    carried = AuxiliaryState(state, key if descent.signature.takes_key else None)
    try:
        returned, convolves = descent.programs.traced(Descent.call, descent.without_data, numbers, batch, carried)
    except Exception as error:
        error.add_note(f"The loss was called with {shapes_of(numbers, batch, state)}.")
        raise
    return replace(descent, signature=descent.signature.settled(returned, state)), convolves


def _first_batch(descent: Descent, numbers: Tree, key: jax.Array) -> Any:
    """The shapes of a first batch; of a host's source, the batch itself."""
    source = descent.source
    if isinstance(source, HostSource):
        return source.draw(source.init(key), descent.whole(numbers))[0]
    if isinstance(source, Fed):
        draws = source.feed(source.init(key), descent.whole(numbers), 1).draws
        first = lambda source, draws: source.batch(jax.tree.map(lambda array: array[0], draws))
        return jax.eval_shape(first, source, draws)
    first_draw = lambda source, numbers, key: source.draw(source.init(key), descent.whole(numbers))[0]
    return jax.eval_shape(first_draw, source, numbers, key)
