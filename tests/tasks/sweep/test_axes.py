"""What `--over` says: which settings vary, through which values."""

from itertools import product

import numpy as np
import pytest

from descend.errors import InputError
from descend.tasks.sweep.axes import axis_of, grid, spanned


def test_a_list_is_taken_as_it_is_written():
    assert axis_of("learning_rate=0.01,0.1, 1").values == (0.01, 0.1, 1.0)
    assert axis_of("hidden-layers=1,3") == axis_of("hidden_layers= 1 , 3")
    assert axis_of("optimizer=sgd,adam").values == ("sgd", "adam")


def test_a_range_is_spaced_as_it_is_asked_for():
    values = axis_of("learning_rate=0.001:1:log:9").values
    np.testing.assert_allclose(np.diff(np.log10(values)), 3 / 8, rtol=1e-5)
    assert (values[0], values[-1], len(values)) == (0.001, 1.0, 9)
    assert axis_of("epochs=1:3:linear:5").values == (1.0, 1.5, 2.0, 2.5, 3.0)
    assert axis_of("width=16:256:log:5").values == (16, 32, 64, 128, 256)
    assert axis_of("seed=2:5").values == (2, 3, 4)


def test_a_number_of_a_range_can_be_typed_again():
    assert all(len(str(value)) <= 11 for value in axis_of("learning_rate=0.0007:0.3:log:50").values)


def test_several_span_a_grid():
    axes = spanned(["seed=0:3", "optimizer=sgd,adam"])
    assert [tuple(each.values()) for each in grid(axes)] == list(product(range(3), ("sgd", "adam")))


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("learning_rate", "--over learning_rate: write NAME=VALUES"),
        ("colour=1,2", "--over colour: there is no such setting to vary; choose one of learning_rate, batch_size"),
        ("hold_out=0.1,0.2", "there is no such setting to vary"),
        ("seed=", "--over seed: it has no values"),
        ("seed=,", "--over seed: it has no values"),
        ("learning_rate=fast", "'fast' is no number"),
        ("width=1.5", "'1.5' is no whole number"),
        ("seed=8:0", "from 8 to 0 there is nothing; begin with the smaller one"),
        ("seed=0:0", "from 0 to 0 there is nothing"),
        ("learning_rate=0:1", "'0:1' is no range"),
        ("learning_rate=0:inf:linear:3", "from 0 to inf there is nothing"),
        ("learning_rate=0:1:log:3", "on a logarithmic scale it cannot begin at 0"),
        ("learning_rate=0.1:1:log:1", "log:1 is not log:COUNT or linear:COUNT with a COUNT of 2 at least"),
        ("learning_rate=0.1:1:cubic:5", "cubic:5 is not log:COUNT"),
        ("learning_rate=0.1:1:log:x", "log:x is not log:COUNT"),
        ("optimizer=sgd:adam", "'sgd:adam' is no range"),
        ("seed=0,0", "0 comes twice"),
        ("width=1:3:log:9", "1 comes twice"),
        ("seed=0:1000000000000", "these are 1,000,000,000,000 trials, and 500 is the most"),
    ],
)
def test_what_is_no_axis_is_refused(word, part):
    with pytest.raises(InputError) as error:
        axis_of(word)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_what_spans_no_grid_is_refused():
    with pytest.raises(InputError, match="--over seed: it is given twice"):
        spanned(["seed=0:3", "width=8", "seed=4,5"])
    with pytest.raises(InputError, match="40 × 40 are 1,600 trials, and 500 is the most"):
        spanned(["seed=0:40", "learning_rate=0.1:1:log:40"])
