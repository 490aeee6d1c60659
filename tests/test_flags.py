"""Settings that are True or False take nothing else: "no", 0.5 and None are refused by all who have one."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from descend import InputError, Trainer, Watch, minimize, optimizers, sources
from descend.neural import ConvClassifier, MLPClassifier, TextClassifier
from descend.optimizers import SGD
from descend.rl import A2C, PPO, Reinforce
from enforced import without_types


@pytest.fixture(autouse=True)
def types_are_left_to_the_refusals() -> Iterator[None]:
    with without_types():
        yield


NONE = ["no", 0.5, None, 1]
BOWL = lambda x: (x - 1.0) ** 2


def flags() -> list[Any]:
    kinds = [kind for kind in map(vars(optimizers).get, optimizers.__all__) if dataclasses.is_dataclass(kind)]
    found = [(kind, f.name) for kind in (*kinds, PPO, A2C, Reinforce, Watch) for f in dataclasses.fields(kind)
             if f.type in (bool, "bool")]
    return [pytest.param(kind, name, id=f"{kind.__name__}-{name}") for kind, name in found]


def test_there_are_many() -> None:
    assert len(flags()) > 30


@pytest.mark.parametrize(("kind", "name"), flags())
def test_settings(kind: Any, name: str) -> None:
    given = {f.name: SGD(0.1) if "optimizer" in f.name or "rule" in f.name else 0.1 for f in dataclasses.fields(kind)
             if f.init and f.default is f.default_factory is dataclasses.MISSING and f.name != name}
    for value in NONE:
        with pytest.raises(InputError, match=f"{name} must be True or False, but is {value!r}"):
            kind(**{**given, name: value})


def test_numpys_truth_values_are_flags() -> None:
    rule = SGD(0.1, momentum=0.9, nesterov=np.bool_(True))
    assert rule.nesterov is True


@pytest.mark.parametrize("value", NONE)
def test_arguments(value: Any) -> None:
    images, y = np.random.default_rng(0).normal(size=(8, 4, 4)), [0, 1] * 4
    for attempt in (
        lambda: minimize(BOWL, 0.0, steps=2, resume=value),
        lambda: sources.mini_batches(np.zeros(3), 2, shuffle=value),
        lambda: MLPClassifier(warm_start=value).fit(images[:, 0], y),
        lambda: ConvClassifier(flip=value).fit(images, y),
        lambda: TextClassifier(warm_start=value).fit(["a b"] * 8, y),
    ):
        with pytest.raises(InputError, match=f"must be True or False, but is {value!r}"):
            attempt()


@pytest.mark.parametrize(("settings", "message"), [
    ({"snapshots": "no"}, "snapshots must be True, False or a number of bytes, but is 'no'"),
    ({"snapshots": None}, "snapshots must be True, False or a number of bytes"),
    ({"snapshots": np.nan}, "snapshots must be True, False or a number of bytes"),
    ({"on_nonfinite": "Skip"}, "on_nonfinite must be 'stop' or 'skip', but is 'Skip'"),
    ({"steps": 2.5}, "steps must be a whole number, but are 2.5"),
    ({"steps": "3"}, "steps must be a number, but is '3'"),
    ({"seed": 1.5}, "seed must be a whole number, but is 1.5"),
    ({"seed": None}, "seed must be a whole number, but is None"),
    ({"seconds": "1"}, "seconds must be a number, but is '1'"),
])
def test_what_would_mean_something_else(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Trainer.begin(BOWL, 0.0, **settings)


def test_a_trainer_is_not_taken_further_by_a_part_of_a_step() -> None:
    with pytest.raises(InputError, match=r"steps must be a whole number, but are 2\.5"):
        Trainer.begin(BOWL, 0.0, optimizer=SGD(0.1), stop=[]).advance(steps=2.5)


def test_whole_numbers_of_steps_may_be_written_as_floats() -> None:
    assert minimize(BOWL, 0.0, optimizer=SGD(0.1), steps=2e0, stop=[]).run.step == 2
