"""Faults that are known, found by `descend.insight.examine`: how many of them, and what besides.

Each fault of `_ailing.FAULTS` is put into two descents on real data (letters, airfoil noise, wine, Fashion-MNIST and
digits; perceptrons, a linear model, a convolutional, a recurrent network and a transformer), which are then examined
for a minute at the most, with held-out examples; so is each descent without a fault, with three optimizers. Thresholds
were chosen on other data and descents (`_ailing.CALIBRATING`). A fault that does no harm, as its held-out loss is
within a tenth of that without it, is left out, as nothing can be proved of it.

Precision: of the diagnoses that were proved, the share that names the fault, or another that is the same by its effect
(`_ailing.NAMES`). Recall: the share of the faults that was named. The mended descent: the share of those that, made to
their end with the first diagnosis seen to, are better on held-out examples than the faulty one.

After the first judging suite had been looked at, what it showed was mended (a start that is better than the old one,
rows that are equal by chance, many classes), and four faults came in. So a second one, of other data, judges that
(`_ailing.JUDGING_AGAIN`: satellite pictures, concrete, spam). Two peers look at the same descents (`_doctor_peers`).
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import descend
from benchmarks._ailing import JUDGING, JUDGING_AGAIN, Ailing, ailing
from benchmarks._ailing_tasks import Task
from benchmarks._doctor_peers import PEERS, means
from benchmarks._rows import Row
from descend.insight import Examination, examine
from descend.insight.judging import Judge

PACKAGES = ("descend", "jax", "numpy", "scikit-learn", "runmedic", "torchmortem", "torch")
SECONDS = 60.0
HARM = 1.1  # times the loss without the fault
OTHERS = ("overlap", "imbalance", "leakage", "training mode")  # whose harm the loss on these held-out examples hides


@dataclass(frozen=True)
class Examined:
    """A descent, what was found of it, and the seconds that took; `is_mended`: whether its cure is one."""

    of: Ailing
    found: Examination
    seconds: float
    is_mended: bool | None

    @property
    def named(self) -> list[str]:
        """The names of what was proved."""
        return [diagnosis.name for diagnosis in self.found.proved]


def examined(tasks: dict[str, Callable[[], Task]], faults: tuple[str, ...] = ()) -> Iterator[Examined]:
    """Each descent that ails, and each that does not."""
    sound = lru_cache(lambda name: _loss(tasks[name]().descended().run, tasks[name]()))
    for one in ailing(tasks):
        if faults and one.fault not in faults:
            continue
        subject, loss = _descended(one.task)
        comparable = one.task.held_out[1] is not None and one.fault not in OTHERS and "unscaled" not in one.fault
        if one.names and comparable and one.fault != "bounded output" and loss < HARM * sound(one.task.name):
            continue
        begun = time.perf_counter()
        found = examine(subject, one.task.held_out, seconds=SECONDS)
        yield Examined(one, found, time.perf_counter() - begun, _is_mended(found, one.task.steps))


def _descended(task: Task) -> tuple[descend.Result | descend.Run, float]:
    """The descent, and its held-out loss; of one that cannot begin, the run."""
    try:
        result = task.descended()
    except descend.InputError:
        return task.begun(), math.inf
    loss = _loss(result.run, task)
    return result, loss if math.isfinite(loss) else math.inf


def _loss(run: descend.Run, task: Task) -> float:
    return Judge(task.held_out)(run)


def _is_mended(found: Examination, steps: int) -> bool | None:
    """Whether the first diagnosis, seen to, leads further with all steps; `None` if none can be seen to."""
    first = next((one for one in found.proved if one.change), None)
    if first is None or first.change is None:
        return None
    case = found.case
    run = first.change.make(case.start)
    end = run.advance(max(1, round(steps / first.change.examples)))[0]
    judge = found.judged_by(first)
    before, after = judge(case.end), first.change.judge(judge)(end)
    return after < before or not math.isfinite(before)


def rows() -> Iterator[Row]:
    """What came of it, beside the bars and the peers: on the suite that was not looked at, and on the one that was."""
    for title, tasks in (("", JUDGING_AGAIN), ("looked at before: ", JUDGING)):
        done = list(examined(tasks))
        yield from _of_suite(title, done)
        yield from _beside_peers(title, done)


def _of_suite(title: str, done: list[Examined]) -> Iterator[Row]:
    faulty = [one for one in done if one.of.names]
    sound = [one for one in done if not one.of.names]
    for fault in dict.fromkeys(one.of.fault for one in faulty):
        mine = [one for one in faulty if one.of.fault == fault]
        named = "; ".join(one.of.task.name for one in mine)
        yield Row(f"{title}{fault} ({named})", "all", "found", "share", _recall(mine), 1.0)
    names = [(name, one.of.names) for one in done for name in one.named]
    right = sum(name in names for name, names in names)
    mended = [one.is_mended for one in faulty if one.is_mended is not None]
    yield Row(f"{title}{len(faulty)} with faults", "the bar", "recall", "share", _recall(faulty), 0.9)
    yield Row(f"{title}{len(done)} descents", "the bar", "precision", "share", right / max(len(names), 1), 0.9)
    yield Row(f"{title}{len(sound)} without", "the bar", "no false alarm", "share", _quiet(sound), 14 / 15)
    better = sum(mended) / max(len(mended), 1)
    yield Row(f"{title}{len(mended)} mended", "the bar", "better held out", "share", better, 0.9)
    median = statistics.median(one.seconds for one in done)
    yield Row(f"{title}{len(done)} descents", "the bar", "median time", "s", median, 30)


def _beside_peers(title: str, done: list[Examined]) -> Iterator[Row]:
    """Of the same descents, those that a peer can look at."""
    for peer, look, symptoms in PEERS:
        seen = [(one, found) for one in done if (found := look(one.of)) is not None]
        faulty = [(one, found) for one, found in seen if one.of.names]
        sound = [(one, found) for one, found in seen if not one.of.names]
        theirs = sum(means(symptoms, found, one.of.fault) for one, found in faulty) / max(len(faulty), 1)
        ours = _recall([one for one, _ in faulty])
        yield Row(f"{title}{len(faulty)} with faults", peer, "recall (theirs: a symptom of it)", "share", ours, theirs)
        quiet = sum(not found for _, found in sound) / max(len(sound), 1)
        yield Row(f"{title}{len(sound)} without", peer, "no false alarm", "share", _quiet([one for one, _ in sound]),
                  quiet)


def _quiet(sound: list[Examined]) -> float:
    return sum(not one.named for one in sound) / max(len(sound), 1)


def _recall(done: list[Examined]) -> float:
    return sum(any(name in one.of.names for name in one.named) for one in done) / max(len(done), 1)
