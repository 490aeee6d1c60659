"""From what was proved of a training to the settings by which it is made anew."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from descend.engine.run import Run
from descend.errors import InputError
from descend.insight.changed import differing
from descend.insight.doctor import CONFIRMING, Diagnosis, Examination
from descend.insight.replay import Change, Replay, replayed
from descend.insight.rules import rate_of, with_setting
from descend.optimizers import Optimizer
from descend.tasks.common.settings import OPTIMIZERS

# What no setting is, and where it lies.
ELSEWHERE = {"loss": "in the loss", "data": "in the data", "shuffle": "in the order of the data",
             "params": "in the initial weights", "dtype": "in the precision"}
# Steps at which two schedules are compared, and of which the highest rate is that of one that does not end.
COMPARED, ENDLESS = 64, 10_000
# Draws of the replay by which settings are proved: others than a diagnosis was proved by.
FIRST_SEED = 1000


@dataclass(frozen=True)
class Mending:
    """What is mended by settings: `settings`, by name; `because`: the sentences that were proved; `left`: of what was
    proved and is not applied, why; `examples`: how many a step sees, for one that it saw."""

    settings: Mapping[str, Any]
    because: tuple[str, ...]
    left: tuple[str, ...]
    examples: float = 1.0


def mending(found: Examination) -> Mending:
    """Which settings see to what was proved, as far as it lies in settings."""
    start = run = found.case.start
    settings: dict[str, Any] = {}
    because, left, examples = [], [], 1.0
    for diagnosis in found.proved:
        with warnings.catch_warnings():
            # That the memory of another rule begins anew is what is asked for here.
            warnings.simplefilter("ignore")
            other = run if diagnosis.change is None else diagnosis.change.make(run)
        told = dict(_settings_of(found, diagnosis, start, run, other))
        if why := told.pop("why", None):
            left.append(f"{diagnosis.name}: {why}")
            continue
        # Each was proved on top of those before it, and all of them make the settings together.
        run, settings = other, settings | told
        because.append(diagnosis.sentence)
        examples *= diagnosis.change.examples if diagnosis.change else 1.0
    return Mending(settings, tuple(because), tuple(left), examples)


def _settings_of(
    found: Examination, diagnosis: Diagnosis, start: Run, run: Run, other: Run
) -> Iterator[tuple[str, Any]]:
    """The settings by which the start becomes the other run, or `why` there are none."""
    names = differing(run, other)
    if diagnosis.change is None:
        yield "why", "it lies in the data"
    elif elsewhere := [ELSEWHERE[name] for name in ELSEWHERE if name in names]:
        yield "why", f"it lies {elsewhere[0]}"
    elif not names and diagnosis.change.examples > 1:
        # It was the same descent, stopped sooner.
        yield "epochs", _epochs(found, diagnosis.change)
    else:
        if "batch_size" in names:
            source: Any = other.descent.source
            yield "batch_size", source.batch_size
        if "optimizer" in names or not names:
            rule = rule_settings(start.descent.optimizer, other.descent.optimizer) if names else None
            yield from (rule or {"why": "descend fit has no setting for it"}).items()


def _epochs(found: Examination, change: Change) -> float:
    """For how long a training is to go on that was best after a part of its steps."""
    steps = found.case.length / change.examples
    per_epoch = getattr(found.case.start.descent.source, "steps_per_epoch", None) or 1.0
    return _rounded(steps / per_epoch)


def rule_settings(before: Optimizer, after: Optimizer) -> dict[str, Any] | None:
    """The optimizer's name and its highest rate, by which one rule becomes another; `None`, where these do not."""
    first, second = rate_of(before), rate_of(after)
    if first is None or second is None:
        return None
    steps = np.linspace(0, (first.length or ENDLESS) - 1, COMPARED).round()
    old, new = (np.array([float(schedule(step)) for step in steps]) for schedule in (first, second))
    moving = old > 0
    factors = new[moving] / old[moving]
    if not np.allclose(factors, factors[0], rtol=1e-3) or (new[~moving] > 0).any():
        return None
    names = {kind: name for name, kind in OPTIMIZERS.items()}
    without_decay = with_setting(before, "weight_decay", 0.0)
    if _but_for_the_rate(after) == _but_for_the_rate(before):
        name = names.get(type(after))
    else:
        # Of AdamW, what is left without its decay is Adam.
        name = "adam" if _but_for_the_rate(after) == _but_for_the_rate(without_decay) else None
    peak = max(float(first(step)) for step in range(min(first.length or ENDLESS, ENDLESS)))
    return {"optimizer": name, "learning_rate": _rounded(peak * factors[0])} if name else None


def _but_for_the_rate(rule: Optimizer) -> Optimizer:
    return with_setting(rule, "learning_rate", 1.0)


def _rounded(number: float) -> float:
    return float(f"{number:.3g}")


def proved(found: Examination, mended: Run, made: Mending) -> Replay:
    """The training by the mended settings beside that as it was, over the same draws of the data.

    A diagnosis was proved of the run with one thing changed; settings may change more than that, such as the shape of
    a schedule. So what is applied is proved itself.

    **Raises** `InputError` where it is not.
    """
    words = ", ".join(f"{name}={value}" for name, value in made.settings.items())
    change = Change(f"with {words}", lambda _: mended, examples=made.examples)
    (replay,) = replayed(found.case.start, [change], found.steps, CONFIRMING, found.case.judge, first_seed=FIRST_SEED,
                         usual=found.case.usual)
    if replay.verdict != "proved":
        raise InputError(f"the settings that would see to it, {words}, did not prove better by themselves: {replay}")
    return replay
