"""The kinds of models for tables: those that come with `descend`, and those that somebody registered."""

from collections.abc import Mapping

import numpy as np

from descend._facts import Facts, shown
from descend.errors import CheckpointError, InputError
from descend.tasks.common.choosing.blending import Blend
from descend.tasks.common.fitted import Predictor
from descend.tasks.common.settings import AUTO, Settings
from descend.tasks.common.target import Target
from descend.tasks.table.candidate import Candidate
from descend.tasks.table.linear.candidate import LinearCandidate
from descend.tasks.table.perceptron import PERCEPTRONS

# The simplest first, which is kept where another one loses as much.
_candidates: list[Candidate] = [LinearCandidate(), *PERCEPTRONS]


def register(candidate: Candidate) -> None:
    """Add a kind of model, for as long as the process lasts: `fit` tries it after all others, `predict` loads it.

    **Raises** `InputError` if its name is taken.
    """
    if candidate.name in (*names(), Blend.kind):
        raise InputError(f"there is a model {candidate.name!r} already: give this one another name")
    _candidates.append(candidate)


def candidates() -> tuple[Candidate, ...]:
    """All of them, in the order in which they are preferred."""
    return tuple(_candidates)


def names() -> tuple[str, ...]:
    """What `--model` may be."""
    return (AUTO, *(candidate.name for candidate in _candidates))


def refuse_unknown_model(name: str) -> None:
    """Refuse what is no model's name.

    **Raises** `InputError`.
    """
    if name not in names():
        raise InputError(f"there is no model '{name}': choose one of {', '.join(names())}")


def asked_for(settings: Settings, target: Target) -> tuple[Candidate, ...]:
    """The candidates that were asked for: all that suit the target, or one by its name.

    **Raises** `InputError` if there is none of this name, or if it does not suit the target, or has no hidden layers
    where somebody says how many.
    """
    refuse_unknown_model(settings.model)
    if settings.model == AUTO:
        tried = (candidate for candidate in _candidates if settings.best or not candidate.only_best)
        return tuple(candidate for candidate in tried if candidate.suits(target))
    (chosen,) = (candidate for candidate in _candidates if candidate.name == settings.model)
    if (settings.hidden_layers or settings.width) and not chosen.has_layers:
        raise InputError(f"the {chosen.title} has no hidden layers: leave --hidden-layers and --width out, or choose "
                         "another --model")
    if not chosen.suits(target):
        raise InputError(f"the {chosen.title} cannot learn this target, which is for {target.kind}: choose another "
                         "--model")
    return (chosen,)


def load_predictor(
    told: Facts, arrays: Mapping[str, np.ndarray], features: int, target: Target
) -> Predictor:
    """What a file says predicts, for so many features: a candidate's model, or a blend of some.

    **Raises** `CheckpointError` if it is none of a kind that is registered, or something else.
    """
    kind, predictor = told.text("kind"), told.inner("predictor")
    single = lambda one, own: candidate_of(one).load(one.text("kind"), one.inner("predictor"), own, features, target)
    return Blend.from_parts(predictor, arrays, single) if kind == Blend.kind else single(told, arrays)


def candidate_of(told: Facts) -> Candidate:
    """The candidate whose model a file has. A file never brings code along: its kind must be a registered one's.

    **Raises** `CheckpointError` if it is not.
    """
    kind, predictor = told.text("kind"), told.inner("predictor")
    for candidate in _candidates:
        if candidate.reads(kind, predictor):
            return candidate
    raise CheckpointError(f"{told.where} has a model of the kind {shown(kind)}, which is none that is registered here: "
                          "register it first (docs/extending.md), or train again")
