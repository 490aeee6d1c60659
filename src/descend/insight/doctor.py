"""What went wrong in a descent: causes are suspected from its signals, and proved by replay."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from descend.engine.identity import usable_cores
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight.case import Case
from descend.insight.faults import OF_TRAINING, ORDER, SUSPECTS, Suspicion
from descend.insight.judging import Judge
from descend.insight.replay import AS_IT_WAS, Change, Replay, replayed
from descend.insight.stability import beside_limit
from descend.training import Result, Trainer

MOST_HYPOTHESES = 6
SCREENING, CONFIRMING = 3, 6  # draws of the data: to choose what to look at, and to prove it
SHARE = 0.6  # of the time that is left, that a first replay of all suspicions may take
LEAST_STEPS = 20
AT_LEAST = 100  # steps of a replay of what diverged, and of what nobody knows how long it takes
NEARLY = 0.7  # of the largest gain: causes whose gains are as near are told apart by where they lie
CONFIDENCE = 0.95

Outcome = Literal["proved", "not proved", "refuted", "explained"]


@dataclass(frozen=True)
class Diagnosis:
    """What was suspected, and what came of it.

    `name`: of the fault. `verdict`: `proved`, by the `replay`; `not proved`; `refuted`: the change made it worse;
    `explained`: what would help is no help any more once the diagnosis before it is seen to. `sentence`: in words.
    `symptoms`: what spoke for it. `line`: what to write instead.
    """

    name: str
    verdict: Outcome
    sentence: str
    symptoms: str
    replay: Replay | None = None
    line: str = ""
    change: Change | None = field(default=None, repr=False)
    judged: Callable[[Judge], Judge] = field(default=lambda judge: judge, repr=False)

    def __str__(self) -> str:
        shown = f"\n    {self.replay}" if self.replay else ""
        mend = f"\n    write: {self.line}" if self.verdict == "proved" and self.line else ""
        return f"{self.verdict}: {self.sentence} ({self.symptoms}){shown}{mend}"


@dataclass(frozen=True)
class Examination:
    """What an examination found: the `diagnoses`, those that are proved first; how many `steps` from `step` were
    replayed; the `seconds` that it took; and of what could not be looked at, why (`notes`)."""

    diagnoses: Sequence[Diagnosis]
    case: Case = field(repr=False)
    steps: int
    seconds: float
    notes: Sequence[str] = ()

    @property
    def proved(self) -> list[Diagnosis]:
        """The diagnoses that were proved, the one that matters most first."""
        return [diagnosis for diagnosis in self.diagnoses if diagnosis.verdict == "proved"]

    def judged_by(self, diagnosis: Diagnosis) -> Judge:
        """By what the descents of a diagnosis were judged; on held-out examples, if there are any."""
        return diagnosis.judged(self.case.judge)

    def mended(self) -> Run:
        """The run from which replays began, with all that was proved seen to: advance it to have the better descent.

        **Raises** `InputError` if nothing was proved that can be seen to.
        """
        changes = [diagnosis.change for diagnosis in self.proved if diagnosis.change]
        if not changes:
            raise InputError("nothing was proved that a change of the descent would mend")
        run = self.case.start
        for change in changes:
            run = change.make(run)
        return run

    def __str__(self) -> str:
        if not self.proved:
            looked = ", ".join(diagnosis.name for diagnosis in self.diagnoses) or "nothing"
            return f"no fault was proved; suspected and looked into: {looked}"
        return "\n".join(str(diagnosis) for diagnosis in self.proved)


def examine(subject: Run | Result | Trainer, data: Any = None, *, seconds: float = 60.0) -> Examination:
    """What went wrong in a descent, if anything did: causes are suspected from its signals, and proved by replay.

    `subject`: a result of `minimize` or a trainer, best with `snapshots=True`, as a replay must begin before the
    damage; or a run, whose next steps are then examined. `data`: examples to judge by, held out if possible, or a
    function from the parameters to a loss; by default the examples that it descends on. `seconds`: for all of it; what
    is under way is ended.

    Up to six causes are suspected. For each the descent is made again from the earliest run that was kept, with one
    thing changed, over the same data, in several draws of their order. "Proved" is said where the whole 95 % interval
    of the gain in log loss, corrected for how many causes were confirmed, is above .05 (more, where healthy descents
    could gain that, too), the loss falls, and a second replay with other draws, twice as long if there is time, says
    the same. What is no help any more once the first cause is seen to is called explained by it.

    **Raises** `InputError` where two descents cannot be compared: give `data` then; and for a loss that cannot be
    evaluated without anything random in it.

    >>> import numpy as np
    >>> from descend import SGD, minimize
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> loss = lambda w, batch: ((batch[0] @ w - batch[1]) ** 2).mean()
    >>> result = minimize(loss, np.zeros(3), (X, X @ [1.0, 2.0, 3.0]), optimizer=SGD(1.5), batch_size=20, steps=60,
    ...                   snapshots=True)
    >>> examine(result, seconds=20).proved[0].name
    'learning rate too high'
    """
    begun = time.perf_counter()
    case = Case.of(subject, data, seconds)
    refuse_unjudged(case)
    found, notes = suspicions(case)
    return Examiner(case, begun, seconds).examined(found, notes)


def refuse_unjudged(case: Case) -> None:
    """Refuse a descent whose loss cannot be evaluated as it is judged by: each replay would end in the same error.

    **Raises** `InputError`.
    """
    try:
        case.loss_at(case.start.step)
    except InputError:
        raise
    except Exception as error:  # whatever a user's loss raises
        raise InputError(f"descents are judged by the loss without anything random in it, with key=None where it takes "
                         f"a key, and it cannot be evaluated so ({_first_line(error)}): give data= a function of the "
                         "parameters, or have the loss take key=None") from error


def suspicions(case: Case) -> tuple[list[Suspicion], list[str]]:
    """What may be wrong, the likeliest first; and what could not be looked at."""
    found, notes = [], []
    for suspect in SUSPECTS:
        try:
            suspicion = suspect(case)
        except Exception as error:  # whatever a user's loss raises where it is called in a way that it was not before
            notes.append(f"{suspect.__name__.replace('_', ' ')} was not looked at: {_first_line(error)}")
            continue
        if suspicion is not None:
            found.append(suspicion)
    found.sort(key=lambda suspicion: -suspicion.likely)
    return found, notes


@dataclass
class Examiner:
    """An examination under way: suspicions in, diagnoses out."""

    case: Case
    begun: float
    seconds: float
    steps: int = 0

    @property
    def _left(self) -> float:
        return self.seconds - (time.perf_counter() - self.begun)

    def examined(self, found: list[Suspicion], notes: list[str]) -> Examination:
        """All that was suspected, looked into for as long as there is time."""
        # 1. What is found by counting needs no replay.
        facts = [_fact(suspicion) for suspicion in found if suspicion.is_fact]
        asked = [suspicion for suspicion in found if not suspicion.is_fact][:MOST_HYPOTHESES]
        # 2. As many steps as the time allows: of the whole descent, if possible, as short replays favour small rates.
        self.steps = self._affordable(asked)
        # 3. Few draws of each change. They choose, and prove nothing: who looks at many finds one by luck.
        screened = self._screened(asked, AS_IT_WAS, notes)
        proved: list[Diagnosis] = []
        explained: list[Diagnosis] = []
        base = AS_IT_WAS
        # 4. The best is proved by other draws. Then the others are replayed on top of it: a cause that is left has to
        #    help a descent that is mended already, or it may be the same cause under another name.
        while screened and (winner := _winner(screened)) and (not proved or self._left > 0):
            confirmed = self._confirmed(winner, base, len([one for one in screened if one.promises]), notes)
            screened = [one for one in screened if one.suspicion is not winner.suspicion]
            if confirmed.verdict != "proved":
                explained.append(confirmed)
                continue
            proved.append(self._with_curvature(confirmed, winner.suspicion))
            base = winner.change if base is AS_IT_WAS else base.then(winner.change)
            is_same = winner.suspicion.is_told_with
            others = [one for one in screened if one.promises and not is_same(one.suspicion)]
            explained += [_explained(one, winner) for one in screened if one.promises and one not in others]
            rest = [one for one in screened if not one.promises]
            again = self._screened([one.suspicion for one in others], base, notes) if others else []
            explained += [_explained(one, winner) for one in again if not one.promises]
            screened = [one for one in again if one.promises] + rest
            if not any(one.promises for one in screened):
                break
        unproved = [_unproved(one) for one in screened]
        return Examination([*facts, *proved, *explained, *unproved], self.case, self.steps,
                           time.perf_counter() - self.begun, notes)

    def _affordable(self, asked: list[Suspicion]) -> int:
        """How many steps each replay may have, so that all of them take two thirds of the seconds that are left."""
        changes = 1 + sum(len(suspicion.changes) for suspicion in asked)
        each = self.case.seconds_a_step
        if not math.isfinite(each) or each <= 0:
            return AT_LEAST
        # Of one that diverged soon, it has to be seen whether the mended one goes on.
        wanted = max(self.case.length, AT_LEAST) if self.case.has_diverged else self.case.length
        made = SCREENING * changes + 4 * CONFIRMING
        cores = max(1, min(usable_cores(), 2))
        steps = int(0.5 * self._left * cores / (made * each))
        return max(min(wanted, steps), min(LEAST_STEPS, wanted))

    def _screened(self, asked: Sequence[Suspicion], base: Change, notes: list[str]) -> list["Screened"]:
        """A first replay of each change, few draws of it, to see what is worth more."""
        screened: list[Screened] = []
        end = time.perf_counter() + SHARE * self._left
        for suspicion in asked:
            for change in suspicion.changes:
                if time.perf_counter() > end and screened:
                    notes.append(f"{suspicion.name} {change.words} was not replayed: the time was over")
                    continue
                made = self._replayed(suspicion, [change], base, self.steps, SCREENING, 1, CONFIDENCE, notes)
                if made:
                    screened.append(Screened(suspicion, change, made[0]))
        best: dict[int, Screened] = {}
        for one in screened:
            key = id(one.suspicion)
            if key not in best or one.rank > best[key].rank:
                best[key] = one
        return list(best.values())

    def _confirmed(self, one: "Screened", base: Change, hypotheses: int, notes: list[str]) -> Diagnosis:
        """A second replay, with other draws and twice as long if there is time."""
        each = self.case.seconds_a_step
        wanted = 2 * self.steps
        affordable = int(0.4 * self._left / (CONFIRMING * each)) if each > 0 else wanted
        steps = max(min(wanted, affordable), min(self.steps, LEAST_STEPS))
        # Bonferroni's correction, for as many as may be confirmed.
        confidence = 1 - (1 - CONFIDENCE) / max(hypotheses, 1)
        made = self._replayed(one.suspicion, [one.change], base, steps, CONFIRMING, 100, confidence, notes)
        replay = made[0] if made else one.replay
        verdict: Outcome = replay.verdict
        if verdict == "proved" and not _is_enough(replay, one.suspicion):
            verdict = "not proved"
        return _diagnosis(one.suspicion, verdict, replay, one.change)

    def _usual(self, judge: Judge) -> float:
        """What losses are compared with; where a suspicion has a judge of its own, that at the start."""
        return self.case.usual if judge is self.case.judge or judge is self.case.training else math.nan

    def _with_curvature(self, diagnosis: Diagnosis, suspicion: Suspicion) -> Diagnosis:
        """With the curvature as evidence, where steps are too large; the replay is what proves it."""
        told = beside_limit(self.case) if suspicion.group == "step size" and self._left > 0 else ""
        return replace(diagnosis, symptoms=f"{diagnosis.symptoms}; {told}") if told else diagnosis

    def _judges(self, suspicion: Suspicion) -> tuple[Judge, Judge | None]:
        """By what a suspicion is judged; and by what besides: no descent is better that only its own examples like."""
        case = self.case
        # A rate that is too low for the examples may be early stopping for those held out, which is another fault.
        if suspicion.kind in OF_TRAINING and case.training is not case.judge:
            return suspicion.judged(case.training), suspicion.judged(case.judge)
        return suspicion.judged(case.judge), None

    def _replayed(
        self, suspicion: Suspicion, changes: list[Change], base: Change, steps: int, draws: int, seed: int,
        confidence: float, notes: list[str],
    ) -> list[Replay]:
        if suspicion.begins and base is not AS_IT_WAS:
            return []  # where it stands is not where a descent comes to that is mended already
        begins, until = suspicion.begins or self.case.start, self.begun + self.seconds
        after = changes if base is AS_IT_WAS else [base.then(change) for change in changes]
        judge, besides = self._judges(suspicion)
        try:
            return replayed(begins, after, steps, draws, judge, base=base, first_seed=seed,
                            confidence=confidence, until=until, usual=self._usual(judge), held_out=besides,
                            is_still=suspicion.begins is not None)
        except Exception as error:  # as a change may ask of a loss what it was not written for
            notes.append(f"{suspicion.name} was not replayed: {_first_line(error)}")
            return []


@dataclass(frozen=True)
class Screened:
    """A suspicion, the change that mends most of it, and its first replay."""

    suspicion: Suspicion
    change: Change
    replay: Replay

    @property
    def rank(self) -> tuple[bool, float, float]:
        """By which the better of two changes is told: one that promises, then by the gain, which has an end, then by
        the loss."""
        loss = float(np.median(self.replay.after))
        return self.promises, self.replay.gain, -loss if math.isfinite(loss) else -math.inf

    @property
    def promises(self) -> bool:
        """Whether it is worth a second replay."""
        descends = not math.isfinite(self.replay.start) or self.replay.after.min() < self.replay.start
        enough = self.replay.gain > self.suspicion.least and self.replay.share <= self.suspicion.share
        held_out = self.replay.held_out
        return enough and bool(descends) and (held_out is None or held_out.gain > 0)


def _is_enough(replay: Replay, suspicion: Suspicion) -> bool:
    """Whether a gain that is proved is more than healthy descents could have."""
    return replay.interval[0] > suspicion.least and replay.share <= suspicion.share


def _winner(screened: list[Screened]) -> Screened | None:
    """Of those that promise nearly as much as the best, the one that lies deepest: in the loss, the data, the start."""
    promising = [one for one in screened if one.promises]
    if not promising:
        return None
    most = max(one.replay.gain for one in promising)
    # A rate that is low enough mends much of what other faults do, so gains alone do not tell which is the cause.
    near = [one for one in promising if one.replay.gain >= NEARLY * most]
    return min(near, key=lambda one: (ORDER.index(one.suspicion.kind), -one.suspicion.likely, -one.replay.gain))


def _fact(suspicion: Suspicion) -> Diagnosis:
    return Diagnosis(suspicion.name, "proved", suspicion.says, suspicion.symptoms)


def _diagnosis(suspicion: Suspicion, verdict: Outcome, made: Replay, change: Change) -> Diagnosis:
    sentence = suspicion.says if verdict == "proved" else f"{suspicion.name}: {verdict} by a replay"
    return Diagnosis(suspicion.name, verdict, sentence, suspicion.symptoms, made, change.line, change, suspicion.judged)


def _unproved(one: Screened) -> Diagnosis:
    verdict: Outcome = "refuted" if one.replay.verdict == "refuted" else "not proved"
    return _diagnosis(one.suspicion, verdict, one.replay, one.change)


def _explained(one: Screened, winner: Screened) -> Diagnosis:
    sentence = f"{one.suspicion.name}: explained by {winner.suspicion.name}"
    return Diagnosis(one.suspicion.name, "explained", sentence, one.suspicion.symptoms, one.replay, "", None)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
