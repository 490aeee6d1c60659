"""Facts of a file from anybody: each type is told from those that Python takes for it, and each range is kept."""

import math

import numpy as np
import pytest

from descend import CheckpointError
from descend._facts import Facts, checked_array, refuse_nonfinite, refuse_other_size


@pytest.mark.parametrize(("ask", "good", "bad"), [
    (lambda told: told.whole("x", 1, 9), [1, 9], [0, 10, True, 1.0, "1", None, 10**400]),
    (lambda told: told.number("x", 0, 1), [0, 1, 0.5], [-0.1, 2, True, math.nan, math.inf, "0", None, 10**400]),
    (lambda told: told.number("x"), [-1e300, 7], [math.nan, -math.inf, 10**400, []]),
    (lambda told: told.truth("x"), [True, False], [0, 1, "true", None]),
    (lambda told: told.text("x"), ["", "a"], [1, None, ["a"]]),
    (lambda told: told.choice("x", ("a", "b")), ["a", "b"], ["c", "", None, ["a"], {"a": 1}]),
    (lambda told: told.texts("x"), [[], ["a", "b"]], [["a", "a"], ["a", 1], "ab", None, {"a": 1}]),
    (lambda told: told.numbers("x"), [[], [1, 2.5, math.inf]], [[math.nan], [True], ["1"], 1, None]),
    (lambda told: told.wholes("x"), [[], [1, 7]], [[0], [True], [1.5], [10**10], 7, None]),
    (lambda told: told.inner("x").where, [{}], [[], None, 1]),
])  # fmt: skip
def test_a_fact_is_of_its_type_and_within_its_range(ask, good, bad):
    for value in good:
        ask(Facts({"x": value}, "it"))
    for value in bad:
        with pytest.raises(CheckpointError, match=r"^it: x.* must be .*; train again$"):
            ask(Facts({"x": value}, "it"))
    with pytest.raises(CheckpointError, match="x must be there"):
        ask(Facts({}, "it"))


def test_a_refusal_is_short_whatever_was_found():
    with pytest.raises(CheckpointError) as caught:
        Facts({"x": "a\n" * 10**6}, "it").whole("x")
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_arrays_are_of_a_kind_and_a_shape():
    arrays = {"w/a": np.zeros((2, 3), np.float32), "w/b": np.array([1.0, np.nan]), "n": np.arange(3)}
    assert checked_array(arrays, "n", "it", (3,), "i") is arrays["n"]
    for name, shape, kind in (("n", (3,), "f"), ("n", (4,), "i"), ("w/a", (3, 2), "f"), ("gone", (), "f")):
        with pytest.raises(CheckpointError, match=f"it: {name} must be an array of"):
            checked_array(arrays, name, "it", shape, kind)
    with pytest.raises(CheckpointError, match="it: w/b must be finite"):
        refuse_nonfinite(arrays, "it")
    refuse_other_size(arrays, "w", 8, "it")
    with pytest.raises(CheckpointError, match="it: weights must be 9, "):
        refuse_other_size(arrays, "w", 9, "it")
