"""Faults of the step's size, and of what a rule remembers."""

import math

import numpy as np

from descend.engine.run import Run
from descend.insight.case import Case, norm_of
from descend.insight.faults.changes import in_double
from descend.insight.faults.suspicion import Suspicion
from descend.insight.replay import Change
from descend.insight.rules import as_code, innermost, mean_rate, setting_of, with_scaled_rate, with_setting
from descend.optimizers import ClipByNorm, Optimizer
from descend.schedules import Warmup, as_schedule

LOWER, HIGHER = (1 / 3, 1 / 10, 1 / 100), (10.0, 100.0)
RISEN = 0.9  # of the loss at the start, above which a descent has not got anywhere
FAR = 0.67  # of the fall with a better setting: a descent that had more of it was not far from what it could be
LITTLE_HARM = 0.95  # of it: nearer than that, a setting of the rule has done no harm
NEARBY = 50  # steps on both sides of one, beside which its gradient is large
SPIKE = 20.0  # times the median, from which on a gradient is one that explodes


def rescaled(factor: float) -> Change:
    """Another learning rate."""

    def make(run: Run) -> Run:
        return run.fork(optimizer=with_scaled_rate(run.descent.optimizer, factor))

    words = f"at {factor:g} times the rate" if factor > 1 else f"at a {_part(factor)} of the rate"
    return Change(words, make, f"learning_rate={factor:.3g} * learning_rate")


def with_rule(words: str, change: object, line: str) -> Change:
    """Another optimizer, made from the one that there is."""
    return Change(words, lambda run: run.fork(optimizer=change(run.descent.optimizer)), line)  # type: ignore[operator]


def too_high(case: Case) -> Suspicion | None:
    """A learning rate that is too high: the loss rises, swings or is not finite."""
    smooth, rate = case.smoothed, mean_rate(case.start.descent.optimizer, case.start.step, case.length)
    if rate is None or not rate:
        return None
    told, likely = [], 0.0
    if case.has_diverged:
        told.append(f"the descent diverged after {case.end.step} steps")
        likely = 0.9
    if len(smooth) > 1 and np.isfinite(smooth).all():
        low, first, last = float(smooth.min()), float(case.columns["loss"][0]), float(smooth[-1])
        if last > RISEN * first:
            told.append(f"the loss, {first:.3g} at first, ended at {last:.3g}")
            likely = max(likely, 0.7)
        if low > 0 and smooth.max() > 3 * max(first, low):
            told.append(f"the loss rose to {smooth.max():.3g} on the way")
            likely = max(likely, 0.8)
        if low > 0 and last > 1.5 * (low + 0.01 * first):
            told.append(f"the loss ended at {last / low:.3g} times its lowest")
            likely = max(likely, 0.6)
    # Without a symptom a lower rate is tried all the same, and asked for much more: most descents gain a little by it.
    if not told:
        told, likely = ["the noise of large steps can hide how far the loss could fall"], 0.2
    return Suspicion(
        "learning rate too high", "rate", "; ".join(told), [rescaled(factor) for factor in LOWER],
        f"The learning rate, {rate:.3g}, is too high.", likely=likely, least=0.2, share=1.0 if likely > 0.5 else FAR,
        group="step size",
    )


def too_low(case: Case) -> Suspicion | None:
    """A learning rate that is too low: the loss has hardly begun to fall."""
    rate = mean_rate(case.start.descent.optimizer, case.start.step, case.length)
    smooth = case.smoothed
    if case.has_diverged or rate is None or len(smooth) < 4 or not np.isfinite(smooth).all():
        return None
    fell = smooth[0] - smooth[-1]
    late = smooth[len(smooth) // 2] - smooth[-1]
    still = late / fell if fell > 0 else 0.0
    moved = _moved(case)
    return Suspicion(
        "learning rate too low", "rate",
        f"all steps together moved the parameters by {moved:.2g} of their size; {max(still, 0):.0%} of the fall came "
        "in the second half", [rescaled(factor) for factor in HIGHER],
        f"The learning rate, {rate:.3g}, is too low for {case.length:,} steps.",
        likely=0.7 if moved < 0.1 or still > 0.3 else 0.3, least=0.2, share=FAR, group="step size",
    )


def momentum(case: Case) -> Suspicion | None:
    """A momentum by which steps add up to more than the loss can bear."""
    rule = case.start.descent.optimizer
    name = next((n for n in ("momentum", "beta1") if setting_of(rule, n)), None)
    value = setting_of(rule, name) if name else None
    usual = 0.9
    if name is None or value is None or value <= usual:
        return None
    changed = with_rule(f"with {name}={usual}", lambda o: with_setting(o, name, usual), f"{name}={usual}")
    return Suspicion(
        "momentum too high", "rule", f"{name} is {value:g}, so that a gradient is felt for {1 / (1 - value):.0f} steps",
        [changed], f"The momentum, {value:g}, is too high: steps add up to {1 / (1 - value):.0f} of their kind.",
        likely=0.75, group="step size", least=0.2, share=LITTLE_HARM,
    )


def epsilon(case: Case) -> Suspicion | None:
    """An ε in the denominator that is as large as what it is added to."""
    eps, rule = setting_of(case.start.descent.optimizer, "eps"), case.start.descent.optimizer
    if eps is None or 1e-10 <= eps <= 1e-6:
        return None
    changed = with_rule("with eps=1e-8", lambda o: with_setting(o, "eps", 1e-8), "eps=1e-8")
    return Suspicion("epsilon unfit", "rule", f"eps is {eps:g}", [changed],
                     f"ε, {eps:g}, is of the size of what {type(innermost(rule)).__name__} adds it to.",
                     likely=0.7, least=0.2, share=LITTLE_HARM)


def beta2(case: Case) -> Suspicion | None:
    """An average of squares over too few steps, or too many."""
    value = setting_of(case.start.descent.optimizer, "beta2")
    if value is None or 0.95 <= value <= 0.9999:
        return None
    changed = with_rule("with beta2=0.999", lambda o: with_setting(o, "beta2", 0.999), "beta2=0.999")
    return Suspicion("beta2 unfit", "rule", f"beta2 is {value:g}", [changed],
                     f"β₂, {value:g}, averages squares over {1 / max(1 - value, 1e-9):.0f} steps.",
                     likely=0.7, least=0.2, share=LITTLE_HARM)


def warm_up(case: Case) -> Suspicion | None:
    """Steps that are too large only at the beginning."""
    losses = np.asarray(case.columns.get("loss", ()), np.float64)
    if len(losses) < 40 or case.start.step > 0:
        return None
    early = losses[: max(len(losses) // 10, 10)]
    rose = float(np.nanmax(early)) / max(abs(float(losses[0])), 1e-30)
    if not (rose > 1.5 or not np.isfinite(early).all()):
        return None
    # A tenth of the steps is what schedules with a warm-up usually have.
    steps = max(case.length // 10, 10)

    def warmed(rule: Optimizer) -> Optimizer:
        return with_setting(rule, "learning_rate", Warmup(as_schedule(rate_setting(rule)), steps))

    changed = with_rule(f"with a warm-up of {steps} steps", warmed, f"learning_rate=Warmup(learning_rate, {steps})")
    return Suspicion("no warm-up", "clipping", f"within the first tenth of the steps the loss rose to {rose:.3g} times "
                     "its first", [changed],
                     "The first steps are too large, before the rule knows the size of gradients.",
                     likely=0.6, least=0.2, share=FAR)


def rate_setting(rule: Optimizer) -> object:
    """The learning rate as it was given."""
    value = getattr(rule, "learning_rate", None)
    return value if value is not None or not hasattr(rule, "rule") else rate_setting(rule.rule)


def exploding(case: Case) -> Suspicion | None:
    """Single gradients that are far larger than the others."""
    norms = np.asarray(case.columns.get("gradient_norm", ()), np.float64)
    finite = norms[np.isfinite(norms)]
    if len(finite) < 10 or not np.median(finite):
        return None
    # Beside the steps around them, as all gradients become small where a descent ends.
    around = np.array([np.median(finite[max(i - NEARBY, 0) : i + NEARBY + 1]) for i in range(len(finite))])
    # The median is what most steps have: clipped there, the large ones become like them.
    median, most = float(np.median(finite)), float((finite / np.maximum(around, 1e-30)).max())
    if most < SPIKE and len(finite) == len(norms):
        return None
    changed = with_rule(f"with gradients clipped at {median:.3g}", lambda rule: ClipByNorm(rule, median),
                        f"optimizer=ClipByNorm({as_code(case.start.descent.optimizer)}, {median:.3g})")
    return Suspicion("exploding gradients", "clipping", f"a gradient's norm is {most:.3g} times the median of the "
                     f"steps around it; that of all is {median:.3g}", [changed],
                     "Some gradients are far larger than the others, and their steps undo what others did.",
                     likely=0.7, least=0.2, share=FAR, group="clipping")


def decay(case: Case) -> Suspicion | None:
    """A decay that draws weights to nothing faster than the loss can hold them."""
    rule = case.start.descent.optimizer
    name = next((n for n in ("weight_decay", "decay") if setting_of(rule, n)), None)
    if name is None:
        return None
    value = setting_of(rule, name) or 0.0
    shrunk = norm_of(case.end.params) / max(norm_of(case.start.params), 1e-30)
    told = f"{name} is {value:g}; the parameters' norm became {shrunk:.2g} times what it was"
    changed = with_rule(f"with {name}=0", lambda o: with_setting(o, name, 0.0), f"{name}=0")
    likely = 0.8 if shrunk < 0.5 else 0.3
    return Suspicion("too much weight decay", "rule", told, [changed],
                     f"The weight decay, {value:g}, draws the parameters to nothing.", likely=likely, least=0.2,
                     share=LITTLE_HARM)


def stagnation(case: Case) -> Suspicion | None:
    """Steps that rounding swallows."""
    updates = np.asarray(case.columns.get("update_norm", ()), np.float64)
    dtype = case.start.state.guard.first_norm.dtype
    if not len(updates) or dtype == np.float64 or case.has_diverged:
        return None
    size = norm_of(case.end.params)
    # Near its end a descent's steps are small for good reasons; so it is the last quarter that tells.
    share = float(np.median(updates[-len(updates) // 4 :])) / max(size, 1e-30)
    if not 0 < share < 4 * float(np.finfo(np.float32).eps):
        return None
    return Suspicion("steps below rounding", "rule", f"a step moves the parameters by {share:.2g} of their size, and "
                     f"their rounding is {np.finfo(np.float32).eps:.2g}", [in_double()],
                     "Steps are below the rounding of single precision, and are lost.", likely=0.8)


def _moved(case: Case) -> float:
    """How far all steps together may have moved the parameters, in relation to their size."""
    updates = np.asarray(case.columns.get("update_norm", ()), np.float64)
    if not len(updates):
        return math.nan
    each = float(np.nanmean(updates))
    return each * case.length / max(norm_of(case.start.params), 1e-30)


def _part(factor: float) -> str:
    return {3: "third", 10: "tenth", 100: "hundredth"}.get(round(1 / factor), f"{factor:.2g}")


OF_RATES = (too_high, too_low, momentum, epsilon, beta2, warm_up, exploding, decay, stagnation)
