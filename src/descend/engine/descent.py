"""What a descent is: the values that a step changes, and those that it does not."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jax.flatten_util import ravel_pytree

from descend._division import Division
from descend._tree import Tree, join
from descend.engine.loss import AuxiliaryState, LossOutput, LossSignature
from descend.engine.programs import Programs
from descend.engine.serializing import read
from descend.engine.watching import Watch
from descend.optimizers import Optimizer
from descend.schedules import fixed, setting
from descend.sources import Batch, Empty, Fed, HostSource, Source
from descend.stopping import Convergence, Flatness

RUNNING, CONVERGED, NONFINITE, STALLED = range(4)


class Guard(NamedTuple):
    """What watches over the steps: whether to go on, the first gradient's norm, the updates that were skipped."""

    status: Any
    first_norm: Any
    skipped: Any


class State(NamedTuple):
    """What a step changes. The step count, the status and where a source stands that the host draws from are the
    host's, as NumPy's numbers; all else is where the steps are made."""

    params: Tree
    optimizer: Any
    cursor: Any
    step: Any
    guard: Guard
    carried: AuxiliaryState = AuxiliaryState()


@setting
class Descent:
    """What a step does not change: the loss, the data, the rule, and what to do when a number is not finite.

    `loss`: `loss(params, batch)`, and `signature`, what it takes and returns besides. It may bring its own
    `value_and_grad`. `rest`: the parts of the parameters that are not numbers.
    `stop`: a test of convergence, or `None`. `skip_nonfinite`: pass over a step that is not finite, instead of
    stopping before it. `stepwise`: dispatch every step by itself. `watch`: what to record besides, or `None`.
    `division`: among which devices the rows of batches, and parameters, are divided, or `None`. `programs`: what was
    compiled for the loss.
    """

    source: Source | HostSource | Fed
    optimizer: Optimizer
    stop: Flatness | None
    loss: Any = fixed()
    rest: "Static" = fixed()
    signature: LossSignature = fixed(default=LossSignature())
    skip_nonfinite: bool = fixed(default=False)
    stepwise: bool = fixed(default=False)
    watch: Watch | None = fixed(default=None)
    division: Division | None = fixed(default=None)
    programs: Programs = fixed(default=Programs())

    def call(self, params: Tree, batch: Batch, carried: AuxiliaryState) -> Any:
        """What the loss returns for the numbers of the parameters and a batch."""
        return self.signature.called(self.loss, self.whole(params), batch, carried)

    def evaluate(self, params: Tree, batch: Batch, carried: AuxiliaryState) -> LossOutput:
        """The loss on a batch, and what it returned besides."""
        return self.signature.output(self.call(params, batch, carried))

    def value_and_grad(self, params: Tree, batch: Batch, carried: AuxiliaryState) -> tuple[LossOutput, Tree]:
        """The same, and the gradient; the loss's own, if it brings one."""
        own = getattr(self.loss, "value_and_grad", None)
        if own is not None:
            returned, grads = self.signature.called(own, self.whole(params), batch, carried)
            return self.signature.output(returned), grads

        def value(numbers: Tree) -> tuple[jax.Array, LossOutput]:
            output = self.evaluate(numbers, batch, carried)
            return output.value, output

        (_, output), grads = jax.value_and_grad(value, has_aux=True)(params)
        return output, grads

    def functions(self, batch: Batch, carried: AuxiliaryState) -> dict[str, Callable[[Tree], Any]]:
        """The loss on this batch, as functions of the parameters, for optimizers that look at other points too."""

        def value_and_grad(params: Tree) -> tuple[jax.Array, Tree]:
            (value, _, _), grads = self.value_and_grad(params, batch, carried)
            return value, grads

        functions: dict[str, Callable[[Tree], Any]] = {
            "value_fn": lambda params: self.evaluate(params, batch, carried).value,
            "value_and_grad": value_and_grad,
        }
        if residuals := getattr(self.loss, "residuals", None):
            called = lambda params: self.signature.called(residuals, self.whole(params), batch, carried)
            functions["residual_fn"] = lambda params: ravel_pytree(called(params))[0]
        return functions

    def whole(self, params: Tree) -> Tree:
        """The parameters as the loss, and a source that looks at them, are given them."""
        return join(params, self.rest.thaw())

    def gone_on(self, told: Mapping[str, Any]) -> "Descent":
        """The descent as a file tells how it stood: how its steps are dispatched, and how strict its test had become
        by signs that misled."""
        stop, was = self.stop, read(told["stop"], "stop")
        if isinstance(was, Convergence) and isinstance(stop, Convergence):
            stop = stop.as_strict_as(was)
        return dataclasses.replace(self, stepwise=told["stepwise"], stop=stop)

    @property
    def without_data(self) -> "Descent":
        """The descent for programs that are given a batch, or none."""
        return dataclasses.replace(self, source=Empty())

    @property
    def has_shards(self) -> bool:
        """Whether parameters are divided."""
        return self.division is not None and bool(self.division.shards)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """`function(self, *args)`, as a compiled program; what it returns is whole on each device, but for what belongs
        to divided parameters."""
        layout = None if self.division is None else self.division.layout
        return self.programs.run(function, self, *args, layout=layout)

    def draw(self, function: Callable[..., Any], *args: Any) -> Any:
        """The same, but that rows of what it returns stay divided."""
        return self.programs.run(function, self, *args)

    def divided(self, batch: Batch) -> Batch:
        """A batch, of which each device calculates with its own rows alone; traceable."""
        return batch if self.division is None else self.division.divided(batch)

    def placed(self, tree: Tree) -> Tree:
        """A tree that the host made, where the steps are made."""
        return jax.device_put(tree) if self.division is None else self.division.placed(tree)


@dataclass(frozen=True)
class Static:
    """A pytree without arrays, comparable and hashable, so that a program can be specialised to it."""

    leaves: tuple[Any, ...]
    treedef: Any

    @classmethod
    def of(cls, tree: Tree) -> "Static":
        """The tree, frozen."""
        leaves, treedef = jax.tree.flatten(tree)
        return cls(tuple(leaves), treedef)

    def thaw(self) -> Tree:
        """The tree again."""
        return self.treedef.unflatten(self.leaves)
