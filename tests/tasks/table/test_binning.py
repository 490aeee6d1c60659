"""The ranges of numbers: piecewise-linear, about as many rows in each, and the same from a file."""

import numpy as np
import pytest

from descend._facts import Facts
from descend.errors import CheckpointError
from descend.tasks.table.networks import binning
from descend.tasks.table.networks.binning import Bins

RNG = np.random.default_rng(0)


def column(values):
    return np.asarray(values, np.float32)[:, None]


def test_a_number_fills_the_ranges_below_it_and_a_part_of_its_own():
    bins = Bins(np.zeros(3, np.int32), np.float32([0, 1, 3]), np.float32([1, 2, 1]))
    fed = bins(column([-1, 0.5, 2, 9]))
    expected = [[0, 0, 0], [0.5, 0, 0], [1, 0.5, 0], [1, 1, 1]]
    np.testing.assert_allclose(fed[:, 1:], np.array(expected) - 0.5)
    np.testing.assert_allclose(fed[:, 0], [x / np.sqrt(1 + (x / 3) ** 2) for x in (-1, 0.5, 2, 9)], rtol=1e-6)
    assert fed.dtype == np.float32


def test_ranges_hold_about_as_many_rows_each():
    values = RNG.lognormal(size=12_000)
    bins = Bins.learnt(column(values))
    inside, _ = np.histogram(values, [*bins.lower, bins.lower[-1] + bins.width[-1]])
    assert len(bins) == 24  # one of 500 rows each
    np.testing.assert_allclose(inside, 500, rtol=0.02)


def test_a_value_of_most_rows_leaves_ranges_for_the_others():
    values = np.where(RNG.random(3000) < 0.9, 0.0, RNG.uniform(1, 2, 3000))
    bins = Bins.learnt(column(values))
    assert len(bins) == 12
    assert (bins.lower >= 1).sum() >= 10


@pytest.mark.parametrize("values", [np.zeros(50), np.arange(50) % 2, [0.0] * 49 + [1e30]])
def test_of_two_values_or_fewer_there_is_nothing_to_divide(values):
    bins = Bins.learnt(column(values))
    assert len(bins) == 0
    assert np.isfinite(bins(column(values))).all()


def test_ranges_meet_and_end_where_the_values_do():
    values = RNG.integers(0, 7, 400).astype(np.float32)
    bins = Bins.learnt(column(values))
    assert bins.lower[0] == 0
    np.testing.assert_array_equal(bins.lower[:-1] + bins.width[:-1], bins.lower[1:])
    assert bins.lower[-1] + bins.width[-1] == 6


@pytest.mark.parametrize(("rows", "columns", "of_each"), [(400, 8, 12), (400, 32, 6), (400, 50, 0), (8000, 50, 10)])
def test_a_column_has_its_share_of_as_many_ranges_as_the_rows_can_tell_of(rows, columns, of_each):
    """192 in all, or one of sixteen rows if that is more; twelve of a column at the most, where rows are few, and none
    where there would be fewer than four."""
    assert len(Bins.learnt(RNG.normal(size=(rows, columns)).astype(np.float32))) == columns * of_each


def test_a_wide_or_long_table_has_fewer_ranges_and_none_where_there_is_no_room(monkeypatch):
    monkeypatch.setattr(binning, "FEWEST_RANGES", 10_000)
    rows = RNG.normal(size=(100, 100)).astype(np.float32)
    assert len(Bins.learnt(rows)) == 100 * ((1024 - 100) // 100)
    monkeypatch.setattr(binning, "MAX_VALUES", 100 * 700)
    assert len(Bins.learnt(rows)) == 600
    monkeypatch.setattr(binning, "MAX_FEATURES", 450)
    assert len(Bins.learnt(rows)) == 0


def test_blocks_of_rows_are_fed_alike():
    rows = RNG.normal(size=(100, 3)).astype(np.float32)
    bins = Bins.learnt(rows)
    np.testing.assert_array_equal(bins.of_all(rows, at_once=7), bins(rows))


def test_they_come_back_and_what_is_something_else_is_refused():
    bins = Bins.learnt(RNG.normal(size=(50, 3)).astype(np.float32))
    arrays = bins.to_arrays()
    facts = Facts({}, "the file")
    again = Bins.from_arrays(arrays, 3, facts)
    np.testing.assert_array_equal(again.lower, bins.lower)
    changed = {"bins/columns": np.full_like(bins.columns, 3), "bins/width": np.zeros_like(bins.width),
               "bins/lower": bins.lower[:-1]}
    for name, array in changed.items():
        with pytest.raises(CheckpointError, match="the file: bins must be ranges of 3 columns"):
            Bins.from_arrays(arrays | {name: array}, 3, facts)
    with pytest.raises(CheckpointError, match="bins must be the ranges"):
        Bins.from_arrays({}, 3, facts)
