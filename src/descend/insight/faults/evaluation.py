"""Faults of how a loss is evaluated: as in training, where nothing should be random, nor examples count for others."""

import jax
import numpy as np

from descend.insight.case import Case
from descend.insight.faults.suspicion import Suspicion
from descend.insight.judging import examples_of, some
from descend.insight.probe import random_draws

LOOKED_AT, PIECES = 64, 8  # examples, and how many parts of them are looked at, too
APART = 1e-3  # of the loss, by which it may differ from the mean of its parts: rounding is far less


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
                 "as its key is a constant: let it take an argument named key.")


def batch_statistics(case: Case) -> Suspicion | None:
    """A loss with running statistics that is evaluated by those of its batch."""
    examples = examples_of(case.start)
    if not case.start.descent.signature.has_state or examples is None:
        return None
    chosen = some(examples, LOOKED_AT)
    size = len(jax.tree.leaves(chosen)[0]) // PIECES
    if size == 0:
        return None
    # Where it stands after some steps, as running statistics begin at what no batch has.
    run = case.start if case.has_diverged else case.end
    evaluated = lambda part: run.fork(params=run.eval_params).loss(jax.tree.map(lambda a: np.asarray(a)[part], chosen))
    whole = evaluated(slice(size * PIECES))
    parts = float(np.mean([evaluated(slice(size * i, size * (i + 1))) for i in range(PIECES)]))
    if not np.isfinite([whole, parts]).all() or abs(whole - parts) <= APART * abs(whole):
        return None
    told = f"the loss of {size * PIECES} examples is {whole:.4g}, and that of parts of {size} {parts:.4g} on average"
    return _fact("evaluated in training mode", told, "In evaluation, the loss of an example depends on the others in "
                 "its batch: use the running statistics that are in state where key is None.")


def _fact(name: str, told: str, says: str) -> Suspicion:
    return Suspicion(name, "generalisation", told, [], says, likely=1.0, is_fact=True)


OF_EVALUATION = (random, batch_statistics)
