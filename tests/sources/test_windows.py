"""Rows that are read in windows: each once in an epoch, in an order that is a function of the cursor."""

import weakref
from collections.abc import Sequence

import jax
import numpy as np
import pytest

from descend.errors import InputError
from descend.sources import WindowedBatches

SIZES = [3, 0, 5, 1, 4, 4, 2]
STARTS = np.cumsum([0, *SIZES])


def rows_of(parts: Sequence[int]) -> np.ndarray:
    return np.concatenate([np.arange(STARTS[i], STARTS[i + 1]) for i in parts])


def source(batch_size: int = 4, window: int = 6, read=rows_of) -> WindowedBatches:
    return WindowedBatches(SIZES, read, batch_size, window)


def drawn(from_source: WindowedBatches, count: int, seed: int = 0) -> tuple[list[np.ndarray], list]:
    cursors, batches = [from_source.init(jax.random.key(seed))], []
    for _ in range(count):
        batch, cursor = from_source.draw(cursors[-1], None)
        batches, cursors = [*batches, batch], [*cursors, cursor]
    return batches, cursors


def test_each_row_is_seen_once_in_an_epoch_and_epochs_differ():
    batches, cursors = drawn(source(batch_size=1), 3 * 19)
    epochs = np.concatenate(batches).reshape(3, 19)
    assert (np.sort(epochs, axis=1) == np.arange(19)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert int(cursors[-1].epoch) == 3
    assert int(cursors[-1].position) == 0


def test_windows_have_whole_parts_and_no_more_rows_than_they_may():
    asked = []
    drawn(source(read=lambda parts: asked.append(tuple(parts)) or rows_of(parts)), 19)
    assert all(sum(SIZES[i] for i in parts) <= 6 for parts in asked)
    # Those of an epoch that was read to its end: each part that has a row, once.
    first = [i for parts in asked for i in parts][:6]
    assert sorted(first) == [0, 2, 3, 4, 5, 6]
    # A part that is larger than a window is one by itself.
    asked.clear()
    drawn(source(window=1, read=lambda parts: asked.append(tuple(parts)) or rows_of(parts)), 4)
    assert {len(parts) for parts in asked} == {1}


def test_rows_within_a_window_are_shuffled():
    sizes = [50] * 4
    shuffled = WindowedBatches(sizes, lambda parts: np.concatenate([np.arange(50) + 50 * i for i in parts]), 100, 100)
    (first, second), _ = drawn(shuffled, 2)
    assert len(set(first // 50)) == 2  # one window of two parts
    assert set(first // 50).isdisjoint(second // 50)
    assert abs(np.corrcoef(np.arange(100), first % 50)[0, 1]) < 0.4
    assert not (np.diff(first) == 1).mean() > 0.1


def test_a_cursor_tells_the_batch_wherever_it_is_asked_from():
    whole, cursors = drawn(source(), 12)
    for number in (11, 3, 7, 0):
        batch, after = source().draw(cursors[number], None)
        np.testing.assert_array_equal(batch, whole[number])
        assert tuple(map(int, after)) == tuple(map(int, cursors[number + 1]))


def test_a_batch_may_have_more_rows_than_a_window_and_than_what_is_left_of_an_epoch():
    batches, _ = drawn(source(batch_size=19, window=2), 2)
    assert [sorted(batch) for batch in batches] == [list(range(19))] * 2


def test_seeds_have_orders_of_their_own():
    first, second = (np.concatenate(drawn(source(batch_size=1), 19, seed)[0]) for seed in (0, 1))
    assert (first != second).any()


def test_one_window_at_most_is_in_memory_while_another_is_read():
    read_before, most = [], []

    def read(parts):
        most.append(sum(rows() is not None for rows in read_before))
        rows = rows_of(parts)
        read_before.append(weakref.ref(rows))
        return rows

    drawn(source(batch_size=1, read=read), 60)
    assert len(most) > 6
    # None where steps were done with a window before the next one began to be read.
    assert max(most) <= 1


@pytest.mark.parametrize("size", [0, 20])
def test_a_batch_that_rows_cannot_fill_is_refused(size):
    with pytest.raises(InputError, match="batch_size must be between 1 and the 19 examples there are"):
        source(batch_size=size)


def test_more_rows_than_a_cursor_counts_are_refused():
    with pytest.raises(InputError, match="an epoch has at most 4,294,967,295"):
        WindowedBatches([2**31, 2**31], rows_of, 1, 1)
