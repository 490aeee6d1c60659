"""Looking into a run: its next batch, and its loss, with gradients and curvature, there or on other data."""

import dataclasses
from typing import Any

import jax
import numpy as np

from descend._arrays import keeping_precision, precision
from descend._tree import Tree, described, split
from descend.engine.advancing import NOTHING, R, fed
from descend.engine.descent import Descent, State
from descend.engine.loop import first_batch
from descend.engine.loss import AuxiliaryState
from descend.errors import InputError
from descend.optimizers import Iterate, Modifier, Optimizer
from descend.sources import Batch, as_data, on_device


def next_batch(run: R) -> Any:
    """The batch that the next step will see."""
    with precision(run.state.params):
        descent, feed = fed(run, 1)
        draws = jax.tree.map(lambda array: array[:1], feed.draws) if feed else NOTHING
        state = run.state._replace(step=NOTHING, cursor=NOTHING if feed else run.state.cursor)
        batch = descent.draw(_drawn, state, draws)[0]
    return keeping_precision(batch)


def past_the_next_batch(run: R) -> R:
    """The run as it would be after the next step if that moved no parameter: what it sees next are other examples."""
    with precision(run.state.params):
        state, (_, later) = run.state, run.state.carried.for_a_step()
        descent, feed = fed(run, 1)
        cursor = feed.after(1) if feed else descent.draw(_drawn, state._replace(step=NOTHING), NOTHING)[1]
        carried = state.carried._replace(key=later)
        return dataclasses.replace(run, state=state._replace(cursor=cursor, carried=carried))


def loss(run: R, data: Any = None) -> float:
    """The loss at the parameters, on the next batch or on given data."""
    with precision(run.state.params):
        return float(run.descent.without_data.run(_value, *given(run, data)))


def loss_and_grad(run: R, data: Any = None) -> tuple[float, Tree]:
    """The loss and its gradient."""
    with precision(run.state.params):
        value, grads = run.descent.without_data.run(_value_and_grad, *given(run, data))
        told = float(value), run.descent.whole(grads)
    return keeping_precision(told)


def hvp(run: R, v: Tree, data: Any = None) -> Tree:
    """The product of the loss's Hessian with a tree like the parameters."""
    with precision(run.state.params):
        tangent = _like_parameters(run, v)
        product = run.descent.whole(run.descent.without_data.run(_hessian_product, tangent, *given(run, data)))
    return keeping_precision(product)


def given(run: R, data: Any) -> tuple[Tree, Any, AuxiliaryState]:
    """The parameters, the batch, and what passes through the loss: what the next step is given, or, on given data,
    nothing that is random."""
    if data is None:
        return run.state.params, next_batch(run), run.state.carried.for_a_step()[0]
    return run.state.params, on_device(as_data(data)[0]), run.state.carried.for_evaluation


def _like_parameters(run: R, v: Tree) -> Tree:
    """A direction in the space of the parameters, in their dtype.

    **Raises** `InputError` if it is of another structure or shape.
    """
    numbers: Any = run.state.params
    given = jax.tree.map(lambda p, x: np.asarray(x, p.dtype), numbers, split(v)[0])
    if described(given) != described(numbers):
        raise InputError(f"the direction must be like the parameters, {described(numbers)}, but is {described(given)}")
    return run.descent.placed(given)


def _drawn(descent: Descent, state: State, draws: Tree) -> Any:
    # The cursor as well, so that whoever needs it has no other program compiled: to play a policy takes long to.
    return first_batch(descent, state, draws)


def _value(descent: Descent, params: Tree, batch: Batch, carried: AuxiliaryState) -> Any:
    return descent.evaluate(params, batch, carried).value


def _value_and_grad(descent: Descent, params: Tree, batch: Batch, carried: AuxiliaryState) -> Any:
    output, grads = descent.value_and_grad(params, batch, carried)
    return output.value, grads


def _hessian_product(descent: Descent, v: Tree, params: Tree, batch: Batch, carried: AuxiliaryState) -> Tree:
    gradient = lambda params: descent.value_and_grad(params, batch, carried)[1]
    return jax.jvp(gradient, (params,), (v,))[1]


def evaluated(run: R) -> Tree:
    """The numbers of the parameters to evaluate: the rule's average, where it keeps one."""
    if is_inherited(run.descent.optimizer, "eval_params"):
        return run.state.params
    with precision(run.state.params):
        return run.descent.without_data.run(_to_evaluate, run.state.optimizer, run.state.params)


def accepted(run: R) -> Tree:
    """The numbers of the parameters where the gradient was taken that a test of convergence looks at."""
    if is_inherited(run.descent.optimizer, "accepted_iterate"):
        return run.state.params
    with precision(run.state.params):
        state = run.state
        return run.descent.without_data.run(_to_accepted, state.optimizer, state.params, state.guard.first_norm)


def is_inherited(optimizer: Optimizer, method: str) -> bool:
    """Whether a method is what all optimizers have, which gives back what it is given: no program is needed for it."""
    own = getattr(type(optimizer), method)
    if own is getattr(Modifier, method) and isinstance(optimizer, Modifier):
        return is_inherited(optimizer.rule, method)
    return own is getattr(Optimizer, method)


def _to_evaluate(descent: Descent, state: Tree, params: Tree) -> Tree:
    return descent.optimizer.eval_params(state, params)


def _to_accepted(descent: Descent, state: Tree, params: Tree, value: Any) -> Tree:
    return descent.optimizer.accepted_iterate(state, Iterate(params, value, params)).params
