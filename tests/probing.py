"""What the tests of the probe have in common."""

import inspect

import numpy as np

from descend import SGD, begin

rng = np.random.default_rng(0)
X = rng.normal(size=(32, 5)).astype(np.float32)
CLASSES = rng.integers(0, 3, 32).astype(np.int32)
NUMBERS = rng.normal(size=32).astype(np.float32)


def drawn(*shape):
    return (0.4 * rng.normal(size=shape)).astype(np.float32)


def run_of(loss, params, data=(X, CLASSES), **settings):
    return begin(loss, params, data, optimizer=SGD(0.1), **settings)


def line_of(function, text):
    """The number of the line of a function that has a text in it."""
    lines, first = inspect.getsourcelines(function)
    (found,) = (i for i, line in enumerate(lines) if text in line)
    return first + found


def of_kind(found, kind):
    """The one finding of a kind."""
    assert found.refusal is None
    (one,) = (finding for finding in found.findings if isinstance(finding, kind))
    return one
