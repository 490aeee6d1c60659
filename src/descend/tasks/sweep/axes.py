"""Which settings a sweep varies, and through which values: what `--over` says, or a mapping in Python."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from numbers import Integral, Real
from typing import Any

import numpy as np

from descend.errors import InputError

# What may vary, and what its values are. All else says what is learnt from, or by what trials are compared.
VARIED: dict[str, type] = {"learning_rate": float, "batch_size": int, "epochs": float, "hidden_layers": int,
                          "width": int, "optimizer": str, "model": str, "seed": int}
WHAT = {int: "whole number", float: "number", str: "text"}
MAX_TRIALS = 500
# Of a number between two others: as many as are written, so that the same may be given to `descend fit`.
DIGITS = 6
FORMS = ("write values, as in 0.1,0.3; FROM:TO:log:COUNT or FROM:TO:linear:COUNT; or of whole numbers FROM:TO, without "
         "TO")


@dataclass(frozen=True)
class Axis:
    """A setting, and the values that it is tried with.

    >>> axis_of("learning_rate=0.01:1:log:3")
    Axis(name='learning_rate', values=(0.01, 0.1, 1.0))
    >>> axis_of("seed=0:4").values
    (0, 1, 2, 3)
    """

    name: str
    values: tuple[Any, ...]


def spanned(words: Sequence[str]) -> tuple[Axis, ...]:
    """The axes that these words say, which span a grid.

    **Raises** `InputError` for what is none, for a setting that is given twice, and for more trials than 500.
    """
    axes = tuple(map(axis_of, words))
    names = [axis.name for axis in axes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--over {twice[0]}: it is given twice; write all of its values in one")
    return _refused_many(axes)


def spanned_by(over: Mapping[str, Any]) -> tuple[Axis, ...]:
    """The axes of a mapping: of each setting its values, or what `--over` would say of them.

    >>> spanned_by({"learning_rate": "0.01:1:log:3", "seed": range(2)})
    (Axis(name='learning_rate', values=(0.01, 0.1, 1.0)), Axis(name='seed', values=(0, 1)))

    **Raises** `InputError` as `spanned` does.
    """
    return _refused_many(tuple(
        axis_of(f"{name}={values}") if isinstance(values, str) else _axis(name, values) for name, values in over.items()
    ))


def grid(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Each trial's settings, as far as they vary."""
    return [dict(zip((axis.name for axis in axes), values, strict=True))
            for values in product(*(axis.values for axis in axes))]


def axis_of(word: str) -> Axis:
    """What one `--over` says.

    **Raises** `InputError`.
    """
    name, is_there, text = word.partition("=")
    name = name.strip().replace("-", "_")
    if not is_there:
        raise InputError(f"--over {word}: write NAME=VALUES, as in learning_rate=0.001:1:log:9 or optimizer=sgd,adam")
    _refuse_unknown(name)
    return _without_twins(name, _range(name, text) if ":" in text else _listed(name, text))


def _axis(name: str, values: Any) -> Axis:
    """An axis of values that are no text."""
    _refuse_unknown(name)
    try:
        # What has no end is told of, too.
        found = list(islice(values, MAX_TRIALS + 1))
    except TypeError:
        raise InputError(f"--over {name}: {values!r} is no list of values, and no text such as 0.001:1:log:9") from None
    if not 0 < len(found) <= MAX_TRIALS:
        told = f"more than {MAX_TRIALS}" if found else "no"
        raise InputError(f"--over {name}: it has {told} values: give a list of some")
    return _without_twins(name, [exact(value, VARIED[name], f"--over {name}") for value in found])


def exact(value: Any, kind: type, where: str) -> Any:
    """A number or a text that somebody gave, as Python's own.

    **Raises** `InputError` for what is of another kind.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, {int: Integral, float: Real, str: str}[kind]):
        raise InputError(f"{where}: {value!r} is no {WHAT[kind]}")
    return kind(value)


def _refuse_unknown(name: str) -> None:
    if name not in VARIED:
        raise InputError(f"--over {name}: there is no such setting to vary; choose one of {', '.join(VARIED)}")


def _without_twins(name: str, values: list[Any]) -> Axis:
    if twice := [value for value in values if values.count(value) > 1]:
        raise InputError(f"--over {name}: {twice[0]} comes twice")
    return Axis(name, tuple(values))


def _refused_many(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    if (count := math.prod(len(axis.values) for axis in axes)) > MAX_TRIALS:
        raise InputError(f"--over: {' × '.join(str(len(axis.values)) for axis in axes)} are {count:,} trials, and "
                         f"{MAX_TRIALS} is the most: give fewer values")
    return axes


def _listed(name: str, text: str) -> list[Any]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise InputError(f"--over {name}: it has no values; {FORMS}")
    if len(parts) > MAX_TRIALS:
        raise InputError(f"--over {name}: these are {len(parts):,} trials, and {MAX_TRIALS} is the most: give fewer")
    return [_value(name, part) for part in parts]


def _value(name: str, text: str) -> Any:
    kind = VARIED[name]
    try:
        value = kind(text)
    except ValueError:
        raise InputError(f"--over {name}: {text!r} is no {WHAT[kind]}; {FORMS}") from None
    return value


def _range(name: str, text: str) -> list[Any]:
    """The numbers that a range stands for."""
    parts = [part.strip() for part in text.split(":")]
    if VARIED[name] is str or len(parts) not in (2, 4) or (len(parts) == 2 and VARIED[name] is not int):
        raise InputError(f"--over {name}: {text!r} is no range; {FORMS}")
    low, high = _value(name, parts[0]), _value(name, parts[1])
    if not (low < high and math.isfinite(high - low)):
        raise InputError(f"--over {name}: from {parts[0]} to {parts[1]} there is nothing; begin with the smaller one")
    if len(parts) == 2:
        _refuse_many(name, high - low)
        return list(range(low, high))
    return _spaced(name, low, high, *parts[2:])


def _spaced(name: str, low: float, high: float, how: str, count: str) -> list[Any]:
    """So many numbers from one to another, both included."""
    if how not in ("log", "linear") or not count.isdecimal() or int(count) < 2:
        raise InputError(f"--over {name}: {how}:{count} is not log:COUNT or linear:COUNT with a COUNT of 2 at least")
    _refuse_many(name, int(count))
    if how == "log" and low <= 0:
        raise InputError(f"--over {name}: on a logarithmic scale it cannot begin at {low}; begin above 0")
    numbers = (np.geomspace if how == "log" else np.linspace)(low, high, int(count)).tolist()
    return [round(number) if VARIED[name] is int else float(f"{number:.{DIGITS}g}") for number in numbers]


def _refuse_many(name: str, count: int) -> None:
    if count > MAX_TRIALS:
        raise InputError(f"--over {name}: these are {count:,} trials, and {MAX_TRIALS} is the most: give fewer values")
