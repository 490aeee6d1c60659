"""What the page of a playground asks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from descend.errors import InputError
from descend.studio.asked import MAX_SEED, ball_of
from descend.studio.messages import Fields, Request, told_briefly
from descend.studio.playground.learner import Start, ToyChoice
from descend.studio.playground.network import ACTIVATIONS, FEATURES, Architecture
from descend.studio.playground.own_table import Choice, TargetKind
from descend.studio.playground.toys import TOYS
from descend.studio.playground.training import Conduct
from descend.studio.racing.rules import BY_NAME

MAX_LAYERS, MAX_UNITS = 4, 8
SAMPLES = (50, 1000)
TEST_SHARE = (0.1, 0.9)
MAX_SHIFT = 3.0
MAX_PENALTY = 1.0
MAX_GRADIENT_NOISE = 10.0
MAX_DROPOUT = 0.8
MAX_BATCH = 10_000
# For one frame.
MAX_STEPS_PER_FRAME = 1000


@dataclass(frozen=True)
class AdvanceRequest(Request):
    """Some steps of a run, and a frame of what came of it. `shown`: the layer and number of a unit to be shown big."""

    start: Start
    conduct: Conduct
    steps: int
    shown: tuple[int, int] | None


@dataclass(frozen=True)
class SharpnessRequest(Request):
    """How the loss curves where the run is."""


def advance_of(fields: Fields, id: int) -> AdvanceRequest:
    """The whole setting of a page, whatever of it is new, and how many steps to make."""
    start = start_of(fields)
    steps = fields.whole("steps", 0, MAX_STEPS_PER_FRAME)
    return AdvanceRequest(id, start, conduct_of(fields), steps, _shown_of(fields, start.architecture))


def start_of(fields: Fields) -> Start:
    """What is learned, and by which network."""
    return Start(
        data=_data_of(fields.inner("data")),
        test_share=fields.number("test_share", *TEST_SHARE),
        architecture=_architecture_of(fields.inner("network")),
        seed=fields.whole("seed", 0, MAX_SEED),
        attempt=fields.whole("attempt", 0, MAX_SEED, 0),
    )


def conduct_of(fields: Fields) -> Conduct:
    """How it is learned."""
    return Conduct(
        ball=ball_of(fields.inner("optimizer"), BY_NAME),
        batch_size=fields.whole("batch_size", 1, MAX_BATCH),
        l1=fields.number("l1", 0, MAX_PENALTY, 0),
        l2=fields.number("l2", 0, MAX_PENALTY, 0),
        noise=fields.number("noise", 0, MAX_GRADIENT_NOISE, 0),
        dropout=fields.number("dropout", 0, MAX_DROPOUT, 0),
    )


def _data_of(fields: Fields) -> ToyChoice | Choice:
    if "toy" in fields.found:
        return ToyChoice(
            name=_one_of(fields, "toy", TOYS),
            count=fields.whole("count", *SAMPLES),
            noise=fields.number("noise", 0, MAX_SHIFT, 0),
            seed=fields.whole("seed", 0, MAX_SEED, 0),
        )
    kind = None if fields.found.get("kind") is None else _one_of(fields, "kind", get_args(TargetKind))
    return Choice(fields.text("x"), fields.text("y"), fields.text("target"), kind)  # type: ignore[arg-type]


def _architecture_of(fields: Fields) -> Architecture:
    features = fields.items("features", 1, len(FEATURES))
    if wrong := [name for name in features if not isinstance(name, str) or name not in FEATURES]:
        raise InputError(f"network.features must be some of {', '.join(FEATURES)}, but has {told_briefly(wrong[0])}")
    layers = fields.items("layers", 0, MAX_LAYERS)
    if not all(type(units) is int and 1 <= units <= MAX_UNITS for units in layers):
        raise InputError(f"network.layers must be whole numbers from 1 to {MAX_UNITS}, but is {told_briefly(layers)}")
    # In one order, and each once: a network is the same however its inputs were chosen.
    chosen = tuple(name for name in FEATURES if name in features)
    return Architecture(chosen, tuple(layers), _one_of(fields, "activation", ACTIVATIONS))


def _shown_of(fields: Fields, architecture: Architecture) -> tuple[int, int] | None:
    if fields.found.get("shown") is None:
        return None
    shown = fields.inner("shown")
    layer = shown.whole("layer", 0, len(architecture.layers))
    units = (len(architecture.features), *architecture.layers)[layer]
    return layer, shown.whole("unit", 0, units - 1)


def _one_of(fields: Fields, name: str, names: Iterable[str]) -> str:
    known = list(names)
    if (found := fields.text(name)) not in known:
        raise InputError(f"{fields.named(name)} must be one of {', '.join(known)}, but is {told_briefly(found)}")
    return found
