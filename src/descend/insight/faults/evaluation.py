"""Faults of how a loss is evaluated: as in training, where nothing should be random, nor examples count for others."""

import jax
import numpy as np

from descend.insight.case import Case
from descend.insight.faults.data import inputs_of, on_leaf
from descend.insight.faults.suspicion import Suspicion
from descend.insight.judging import examples_of, some
from descend.insight.probe import random_draws

LOOKED_AT = 64  # examples
APART = 1e-3  # of the loss: of a sum over examples, what two halves add differs by rounding, far less


def random(case: Case) -> Suspicion | None:
    """Random numbers where none are asked for: a dropout that is not switched off, or whose mask is always the same."""
    examples = examples_of(case.start)
    if examples is None or getattr(case.start.descent.loss, "value_and_grad", None) is not None:
        return None
    sites = random_draws(case.start, some(examples, LOOKED_AT))
    if not sites:
        return None
    where = f"random numbers are drawn where the loss is evaluated without a key ({sites[0].place})"
    if case.start.descent.signature.takes_key:
        return _fact("evaluated in training mode", where, "The loss is as random in evaluation as in training, so that "
                     "it says less of the model than it could: leave that out where key is None.")
    return _fact("the same random numbers in each step", where, "The loss draws the same random numbers in each step, "
                 "as its key is a constant: let it take an argument named key if others are meant.")


def batch_statistics(case: Case) -> Suspicion | None:
    """A loss with running statistics that is evaluated by those of its batch."""
    examples = examples_of(case.start)
    name = inputs_of(examples)
    if not case.start.descent.signature.has_state or name is None:
        return None
    chosen = some(examples, LOOKED_AT)
    half = len(jax.tree.leaves(chosen)[0]) // 2
    # Where it stands after some steps, as running statistics begin at what no batch has.
    run = case.start if case.has_diverged else case.end
    run = run.fork(params=run.eval_params)

    def with_doubled(rows: slice) -> float:
        def doubled(inputs: np.ndarray) -> np.ndarray:
            changed = inputs.copy()
            changed[rows] *= 2
            return changed

        return run.loss(on_leaf(name, doubled)(chosen))

    # In a sum over examples, or a mean of any weights, what one half adds does not depend on the inputs of the other.
    both, first, second, none = map(with_doubled, (slice(None), slice(half), slice(half, None), slice(0)))
    apart = abs(both - first - second + none)
    if not np.isfinite(apart) or apart <= APART * max(map(abs, (both, first, second, none))):
        return None
    told = (f"with the inputs of half of {2 * half} examples doubled the loss changes by {first - none:.3g}, and by "
            f"{both - second:.3g} where the others' are, too")
    return _fact("evaluated in training mode", told, "In evaluation, the loss of an example depends on the others in "
                 "its batch: use the running statistics that are in state where key is None.")


def _fact(name: str, told: str, says: str) -> Suspicion:
    return Suspicion(name, "generalisation", told, [], says, likely=1.0, is_fact=True)


OF_EVALUATION = (random, batch_statistics)
