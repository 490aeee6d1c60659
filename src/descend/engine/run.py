"""A run is a value: it can be kept, forked, looked into, saved and advanced."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax

from descend._arrays import keeping_precision
from descend._tree import Tree
from descend.engine import advancing, evaluating, forking, identity, saving
from descend.engine.advancing import Trace
from descend.engine.descent import RUNNING, Descent, State

__all__ = ["Run", "Trace", "advance"]


@partial(jax.tree_util.register_dataclass, data_fields=["state", "descent"], meta_fields=[])
@dataclass(frozen=True)
class Run:
    """A descent at rest: a value that can be kept, forked, looked into, saved and advanced.

    `descend.begin` makes one, a `Result` of `minimize` has the one that it ended with. Nothing that is done with a run
    changes it.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> run = begin(lambda x: 0.5 * (x**2).sum(), np.array([4.0, -2.0]), optimizer=SGD(0.5))
    >>> ahead, trace = run.advance(3)
    >>> run.step, ahead.step, ahead.params.tolist(), trace.columns["loss"].tolist()
    (0, 3, [0.5, -0.25], [10.0, 2.5, 0.625])
    >>> slower, _ = run.fork(learning_rate=0.25).advance(3)
    >>> slower.params.tolist()
    [1.6875, -0.84375]
    """

    state: State
    descent: Descent
    # Whether runs of this kind make their steps in one place, one after the other.
    takes_turns: ClassVar[bool] = False

    @property
    def step(self) -> int:
        """The number of steps that were made."""
        return int(self.state.step)

    @property
    def is_halted(self) -> bool:
        """Whether the last advance ended before its steps were made: converged, stalled, or not finite."""
        return int(self.state.guard.status) != RUNNING

    @property
    def params(self) -> Tree:
        """The parameters as they are descended on."""
        return keeping_precision(self.descent.whole(self.state.params))

    @property
    def eval_params(self) -> Tree:
        """The parameters to evaluate and to save: the rule's average, where it keeps one."""
        return keeping_precision(self.descent.whole(self.eval_numbers))

    @property
    def eval_numbers(self) -> Tree:
        """The numbers among `eval_params`."""
        return evaluating.evaluated(self)

    @property
    def accepted_numbers(self) -> Tree:
        """The numbers of the parameters that a test of convergence looks at: those where the gradient was taken."""
        return evaluating.accepted(self)

    def advance(self, n: int) -> tuple["Run", Trace]:
        """The run after `n` more steps, and the trace of them.

        There are fewer steps if the gradient's tolerance is met or a step is not finite; `is_halted` tells. The same
        steps are made however they are divided.

        A step's entries in the trace are `loss`, `gradient_norm`, `update_norm`, what the rule reads out
        (`learning_rate`), and what the loss returned besides. A last entry without a step is that of the test which
        ended the run.

        **Raises** `InputError` unless `n` is a whole number, of at least 0.
        """
        return advancing.advance(self, n)

    def dispatch(self, n: int) -> tuple["Run", Trace]:
        """The run after up to `n` more steps, at least one of them, and their trace: as many as are made at a time,
        which is what the loop on the host is driven by."""
        return advancing.dispatch(self, n)

    def fork(
        self,
        *,
        optimizer: Any = None,
        learning_rate: Any = None,
        params: Tree = None,
        data: Any = None,
        batch_size: int | None = None,
        state: Tree = None,
        seed: int | None = None,
    ) -> "Run":
        """The run with what is given in the place of what it had.

        - `optimizer`: another rule. What the old one remembered is kept where it is also the new one's, such as from
          Adam to AdamW; where it is not, the new one begins anew, and a warning says so.
        - `learning_rate`: a number or a schedule, of the same rule. A schedule is asked for the rate of the rule's own
          step count, which goes on.
        - `params`: other parameters.
        - `data`, `batch_size`: other data, other batches. The place in the order of the examples is kept if there are
          as many of them, and else is the beginning.
        - `state`: of the loss, if it keeps one.
        - `seed`: another order of the data, from its beginning, and other random numbers of the loss.

        Numbers that change (a rate, data of one shape) do not have the step compiled again.

        **Raises** `InputError` for what does not fit.
        """
        return forking.forked(self, optimizer, learning_rate, params, data, batch_size, state, seed)

    def batch(self) -> Any:
        """The batch that the next step will see; empty for a loss without data."""
        return evaluating.next_batch(self)

    def loss(self, data: Any = None) -> float:
        """The loss at `params`: on the batch that the next step will see and with its random numbers, which is what
        that step will record; or on `data`, all of them at once, without anything that is random (`key` is `None`)."""
        return evaluating.loss(self, data)

    def loss_and_grad(self, data: Any = None) -> tuple[float, Tree]:
        """The loss, as `loss` gives it, and its gradient: a tree like `params`."""
        return evaluating.loss_and_grad(self, data)

    def hvp(self, v: Tree, data: Any = None) -> Tree:
        """`∇²J(θ) v`, the product of the loss's Hessian at `params` with a tree like them, on what `loss` looks at.

        It is the derivative of the gradient along v (forward over reverse), and costs about as much as two gradients.

        >>> import numpy as np
        >>> from descend import SGD, begin
        >>> run = begin(lambda x: x[0] ** 2 * x[1], np.array([3.0, 5.0]), optimizer=SGD(0.1))
        >>> run.hvp(np.array([1.0, 0.0])).tolist()  # the first column of [[2 y, 2 x], [2 x, 0]]
        [10.0, 6.0]

        Reference: Pearlmutter, "Fast exact multiplication by the Hessian", 1994.
        """
        return evaluating.hvp(self, v, data)

    def save(self, path: str | Path) -> None:
        """Write the run to a file, which `descend.load` reads: parameters, the rule and what it remembers, the place in
        the data, the step count, and what the loss keeps; not the loss nor the data. The file is replaced atomically,
        has a checksum, and nothing in it is executed."""
        saving.save(self, Path(path))

    @property
    def surroundings(self) -> Mapping[str, Any]:
        """What its last bits depend on besides it, here: cores, processor, versions, settings."""
        return identity.surroundings(self.state.params)

    def facts(self, data: str) -> dict[str, Any]:
        """What steps do not change, as JSON can tell it, for a file; `data`: a hash of them."""
        return saving.facts_of(self, data)


def advance(run: Run, n: int) -> tuple[Run, Trace]:
    """The run after `n` more steps, and the trace of them: `run.advance(n)`."""
    return run.advance(n)
