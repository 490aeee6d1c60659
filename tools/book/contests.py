"""What each of the family races on, and against what."""

from dataclasses import dataclass
from typing import Literal

from descend import schedules
from descend.optimizers import (
    EMA,
    SAM,
    SGD,
    Accumulate,
    AdaptiveClip,
    ClipByNorm,
    ClipByValue,
    Freeze,
    Lookahead,
    Member,
    Optimizer,
    PerGroup,
    PolyakAverage,
    ReduceOnPlateau,
    SkipNonfinite,
    WeightDecay,
)
from descend.studio.racing.gallery import BY_NAME, Example

BANANA, NOISY, BOWL, HIMMELBLAU = (BY_NAME[name] for name in ("rosenbrock", "noisy", "bowl10", "himmelblau"))
STEPS = 200
# Rules that find their rate by themselves, or take it from the loss: to search for one would hide that.
OWN_RATE = frozenset({"DoG", "DoWG", "Prodigy", "PolyakStep"})
# Rules that are about a matrix: the two parameters are a matrix of one row for them.
OF_MATRICES = frozenset({"Muon", "Shampoo", "SOAP", "Adafactor"})
Shape = Literal["vector", "matrix", "names"]


@dataclass(frozen=True)
class Entrant:
    """Who races. `tunes`: its learning rate is the best of those that are tried. `shape`: what it is given the two
    parameters as."""

    title: str
    optimizer: Optimizer
    tunes: bool = False
    shape: Shape = "vector"


@dataclass(frozen=True)
class Contest:
    """A race of two: `ours` is who the page is about. `says`: what there is to see. `averages`: what is drawn of ours
    is the point that it would return, not the one that it steps from."""

    function: Example
    ours: Entrant
    rival: Entrant
    steps: int
    says: str
    noise: float = 0.0
    averages: bool = False


def contest_of(member: Member) -> Contest:
    """The race of one of the family."""
    made = {"rule": _of_rule, "search": _of_search, "modifier": _of_modifier, "schedule": _of_schedule}
    return made[member.kind](member)


DESCENT = Entrant("gradient descent", SGD(0.001), tunes=True)


def _of_rule(member: Member) -> Contest:
    shape: Shape = "matrix" if member.name in OF_MATRICES else "vector"
    tunes = member.name not in OWN_RATE
    if member.name == "SGD":
        ours, rival = Entrant("SGD, momentum=0.9", SGD(0.001, momentum=0.9), tunes=True), DESCENT
    else:
        ours, rival = Entrant(member.name, member.cls(), tunes, shape), DESCENT
    says = ("Both have the best of the learning rates that were tried." if tunes else
            f"{member.name} has its default settings, gradient descent the best of the learning rates that were tried.")
    return Contest(BANANA, ours, rival, STEPS, says)


def _of_search(member: Member) -> Contest:
    says = ("Each step is one evaluation of the loss and its gradient, and the point is the one that was tried. "
            "Gradient descent has the best of the learning rates that were tried, the search its default settings.")
    return Contest(BANANA, Entrant(member.name, member.cls()), DESCENT, 60, says)


# Stable in the valley of the banana, and not on its walls.
STEEP = SGD(0.008)
NOISE = 1.0


def _of_modifier(member: Member) -> Contest:
    return MODIFIERS[member.name]


def _against(
    function: Example, ours: Optimizer, title: str, rival: Optimizer, rival_title: str, says: str, *,
    steps: int = STEPS, noise: float = 0.0, shape: Shape = "vector", averages: bool = False,
) -> Contest:
    return Contest(function, Entrant(title, ours, shape=shape), Entrant(rival_title, rival, shape=shape), steps, says,
                   noise, averages)


MODIFIERS = {
    "Accumulate": _against(
        NOISY, Accumulate(SGD(0.3), batches=4), "Accumulate(SGD(0.3), batches=4)", SGD(0.3), "SGD(0.3)",
        "Gradients have noise. Four of them are averaged before each step: steps are fewer and calmer.", noise=NOISE),
    "AdaptiveClip": _against(
        BANANA, AdaptiveClip(STEEP, limit=10), "AdaptiveClip(SGD(0.008), limit=10)", STEEP, "SGD(0.008)",
        "At this rate plain descent diverges on the first slopes. Clipped, a gradient is at most ten times as long as "
        "what it changes."),
    "ClipByNorm": _against(
        BANANA, ClipByNorm(STEEP, 10.0), "ClipByNorm(SGD(0.008), 10)", STEEP, "SGD(0.008)",
        "At this rate plain descent diverges on the first slopes. Clipped, no gradient is longer than 10."),
    "ClipByValue": _against(
        BANANA, ClipByValue(STEEP, 5.0), "ClipByValue(SGD(0.008), 5)", STEEP, "SGD(0.008)",
        "At this rate plain descent diverges on the first slopes. Clipped, no number of a gradient is beyond ±5."),
    "EMA": _against(
        NOISY, EMA(SGD(0.3), decay=0.95), "EMA(SGD(0.3), decay=0.95)", SGD(0.3), "SGD(0.3)",
        "The same steps. What is drawn of the first is the average that it keeps beside them, in which noise averages "
        "out.", noise=NOISE, averages=True),
    "Freeze": _against(
        BOWL, Freeze(SGD(0.1), "y"), 'Freeze(SGD(0.1), "y")', SGD(0.1), "SGD(0.1)",
        "y stays where it began; x goes as it would anyway.", steps=60, shape="names"),
    "Lookahead": _against(
        NOISY, Lookahead(SGD(0.3)), "Lookahead(SGD(0.3))", SGD(0.3), "SGD(0.3)",
        "At every fifth step it goes back half of the way to where it stood five steps ago.", noise=NOISE),
    "PerGroup": _against(
        BOWL, PerGroup(SGD(0.1), {"x": SGD(1.0)}), 'PerGroup(SGD(0.1), {"x": SGD(1.0)})', SGD(0.1), "SGD(0.1)",
        "The bowl is ten times as steep along y. With a rate of its own for x, both are at the bottom at once.",
        steps=60, shape="names"),
    "PolyakAverage": _against(
        NOISY, PolyakAverage(SGD(0.3), start=20), "PolyakAverage(SGD(0.3), start=20)", SGD(0.3), "SGD(0.3)",
        "The same steps. What is drawn of the first is the mean of all points since step 20.", noise=NOISE,
        averages=True),
    "ReduceOnPlateau": _against(
        NOISY, ReduceOnPlateau(SGD(0.3), factor=0.5, patience=10), "ReduceOnPlateau(SGD(0.3), factor=0.5)", SGD(0.3),
        "SGD(0.3)", "Once the loss falls no further, the rate is halved, and with it the noise of the steps.",
        noise=NOISE),
    "SAM": _against(
        HIMMELBLAU, SAM(SGD(0.005), radius=0.2), "SAM(SGD(0.005), radius=0.2)", SGD(0.005), "SGD(0.005)",
        "SAM takes the gradient a fifth of a unit up the hill, so that it minds how steep the surroundings are. Near a "
        "minimum it does not come to rest.", steps=120),
    "SkipNonfinite": _against(
        BANANA, SkipNonfinite(SGD(0.002)), "SkipNonfinite(SGD(0.002))", SGD(0.002), "SGD(0.002)",
        "Here all gradients are finite, and the steps are the same: it acts on nothing else."),
    "WeightDecay": _against(
        BANANA, WeightDecay(SGD(0.001), 1.0), "WeightDecay(SGD(0.001), 1)", SGD(0.001), "SGD(0.001)",
        "Decay pulls to the origin, so that it comes to rest between the minimum and there."),
}


def _of_schedule(member: Member) -> Contest:
    schedule = SCHEDULES[member.name]
    says = ("Gradients have noise. At a constant rate of 0.3 it moves the ball for ever; as the rate falls, the noise "
            "of the steps falls with it.")
    return _against(NOISY, SGD(schedule), f"SGD under {member.name}", SGD(0.3), "SGD(0.3)", says, noise=NOISE)


SCHEDULES: dict[str, schedules.Schedule] = {
    "Constant": schedules.Constant(0.1),
    "Cosine": schedules.Cosine(0.3, steps=STEPS),
    "Cyclic": schedules.Cyclic(0.01, 0.3, rise=25),
    "Exponential": schedules.Exponential(0.3, 0.02),
    "Factor": schedules.Factor(0.3, 0.5, every=40),
    "InverseTime": schedules.InverseTime(0.3, 0.1),
    "Joined": schedules.Joined([schedules.Constant(0.3), schedules.Exponential(0.3, 0.03)], [80]),
    "MultiStep": schedules.MultiStep(0.3, [80, 150]),
    "OneCycle": schedules.OneCycle(0.4, steps=STEPS),
    "Polynomial": schedules.Polynomial(0.3, steps=STEPS, power=2.0),
    "SquareRoot": schedules.SquareRoot(0.3, 0.2),
    "Step": schedules.Step(0.3, 60, 0.3),
    "WarmRestarts": schedules.WarmRestarts(0.3, 50),
    "Warmup": schedules.Warmup(schedules.InverseTime(0.3, 0.1), 20),
    "WarmupStableDecay": schedules.WarmupStableDecay(0.3, STEPS),
}
