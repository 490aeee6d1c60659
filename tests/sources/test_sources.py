"""Sources: every example once in an epoch, the same batches wherever the data are, and data that are refused."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest

from descend import SGD, InputError, advance, minimize
from descend.sources import HostArrays, IterableBatches, MiniBatches, WholeSet, as_data, mini_batches

KEY = jax.random.key(0)


def drawn(source, count):
    """The first batches of a source, and the cursor after them."""
    cursor, found = source.init(KEY), []
    draw = source.draw if isinstance(source, HostArrays | IterableBatches) else jax.jit(source.draw)
    for _ in range(count):
        batch, cursor = draw(cursor, None)
        found.append(batch)
    return found, cursor


def mean_square(p, batch):
    return 0.5 * ((p - batch) ** 2).mean()


def seen(p, batch):
    """A loss that records its batch."""
    return mean_square(p, batch), {"batch": batch, "first": batch[0]}


# ---------------------------------------------------------------------------------------------------- epochs


@pytest.mark.parametrize(
    ("make", "length", "batch_size"),
    [*((HostArrays, *sizes) for sizes in [(7, 3), (10, 4), (6, 5), (5, 1), (4, 4), (1, 1), (12, 3)]),
     (MiniBatches, 7, 3), (MiniBatches, 6, 5)],
)  # fmt: skip
def test_every_example_once_in_each_epoch(make, length, batch_size):
    epochs = 3 * batch_size  # so many that the last one ends with a batch
    found, _ = drawn(make(np.arange(length), batch_size), 3 * length)
    assert {np.shape(batch) for batch in found} == {(batch_size,)}
    rows = np.concatenate(found).reshape(epochs, length)
    assert (np.sort(rows, axis=1) == np.arange(length)).all()
    if length > 4:
        assert len(np.unique(rows, axis=0)) > 1


@pytest.mark.parametrize("make", [MiniBatches, HostArrays])
def test_without_shuffling_the_order_is_kept(make):
    found, _ = drawn(make(np.arange(5), 3, shuffle=False), 4)
    assert np.concatenate(found).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


@pytest.mark.parametrize("make", [MiniBatches, HostArrays])
def test_a_batch_keeps_examples_together(make):
    data = {"x": np.arange(14.0).reshape(7, 2), "y": np.arange(7), "deep": {"z": np.arange(7) * 10}}
    for batch in drawn(make(data, 3), 5)[0]:
        np.testing.assert_array_equal(batch["x"], np.stack([2 * batch["y"], 2 * batch["y"] + 1], axis=1))
        np.testing.assert_array_equal(batch["deep"]["z"], 10 * batch["y"])


def test_a_cursor_always_draws_the_same():
    source = HostArrays(np.arange(9), 4)
    _, cursor = drawn(source, 3)
    first, after = source.draw(cursor, None)
    again, after_again = source.draw(cursor, None)
    assert first.tolist() == again.tolist()
    assert after == after_again


def test_seeds_shuffle_differently():
    def batches_of(seed):
        fit = minimize(seen, 0.0, np.arange(20, dtype=np.float32), batch_size=5, steps=4, seed=seed, stop=[])
        return fit.history["batch"].tolist()

    assert batches_of(0) == batches_of(0) != batches_of(1)


def test_the_steps_of_an_epoch():
    assert MiniBatches(np.arange(10), 4).steps_per_epoch == HostArrays(np.arange(10), 4).steps_per_epoch == 2.5
    assert WholeSet(np.arange(10)).steps_per_epoch == 1


# ------------------------------------------------------------------------------------------ through minimize


@pytest.mark.parametrize("batch_size", [6, None])
def test_a_batch_of_all_is_the_whole_set(batch_size):
    fit = minimize(seen, 0.0, np.arange(6, dtype=np.float32), batch_size=batch_size, steps=3, stop=[])
    assert isinstance(fit.run.descent.source, WholeSet)
    np.testing.assert_array_equal(fit.history["batch"], [np.arange(6)] * 3)


def test_a_batch_of_one_is_stochastic_descent():
    fit = minimize(seen, 0.0, np.arange(6, dtype=np.float32), batch_size=1, epochs=1.0, optimizer=SGD(0.5), stop=[])
    p = 0.0
    for example in fit.history["first"]:
        p -= 0.5 * (p - example)
    np.testing.assert_allclose(fit.params, p, rtol=1e-6)
    assert sorted(fit.history["first"]) == list(range(6))


@pytest.fixture(scope="module", params=["array", "memmap", "minimize's choice"])
def in_memory_and_on_host(request, tmp_path_factory):
    """The same descent on the same data, in memory and where they stay on the host."""
    tmp_path, kind = tmp_path_factory.mktemp("data"), request.param
    X = np.random.default_rng(0).normal(size=(50, 3))
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    host = {"array": HostArrays(X, 8), "memmap": HostArrays(mapped, 8), "minimize's choice": mapped}[kind]
    return [
        minimize(seen, np.zeros(3), data, optimizer=SGD(0.1, momentum=0.9), steps=60, stop=[],
                 batch_size=None if isinstance(data, HostArrays) else 8)
        for data in (X, host)
    ]  # fmt: skip


def test_data_on_the_host_give_the_same_batches(in_memory_and_on_host):
    in_memory, on_host = in_memory_and_on_host
    assert isinstance(on_host.run.descent.source, HostArrays)
    assert on_host.history["batch"].tobytes() == in_memory.history["batch"].tobytes()
    np.testing.assert_allclose(on_host.params, in_memory.params, rtol=1e-5)


def test_data_on_the_host_give_the_same_parameters_bit_for_bit(in_memory_and_on_host):
    in_memory, on_host = in_memory_and_on_host
    # Not bit for bit: gathering is fused with the step in one program and not in the other.
    np.testing.assert_allclose(on_host.params, in_memory.params, rtol=1e-5)


def test_epochs_are_counted_exactly():
    # 100 epochs of 11 examples, 5 at a time, are 220 steps, although 100 · (11 / 5) is a little more than that.
    fit = minimize(mean_square, 0.0, np.arange(11.0), batch_size=5, epochs=100.0, stop=[])
    assert fit.reason.step == 220


# ------------------------------------------------------------------------------------------------- iterables


def uneven(epoch):
    """Batches of 4, 4 and 2 examples, whose numbers say where they come from."""
    for number, size in enumerate((4, 4, 2)):
        yield np.full(size, 10 * epoch + number, np.float32)


UNEVEN = [10 * epoch + number for epoch in range(6) for number in range(3)]


def value(p, batch):
    return mean_square(p, batch), {"first": batch[0]}


@pytest.mark.parametrize("sizes", [[1] * 17, [17], [2, 3, 5, 7], [4] * 4 + [1]])
def test_a_smaller_last_batch_loses_none(sizes):
    run = minimize(value, 0.0, IterableBatches(uneven, 3.0), steps=1, optimizer=SGD(0.1), stop=[]).run
    firsts = [0.0]
    for size in sizes:
        end = run.step + size
        while run.step < end:
            run, trace = advance(run, end - run.step)
            firsts += trace.columns["first"].tolist()
    assert firsts == UNEVEN


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
def test_an_iterable_is_resumed_in_the_middle(steps):
    make = lambda: IterableBatches(uneven, 3.0)
    run = minimize(value, 0.0, make(), steps=steps, optimizer=SGD(0.1), stop=[]).run
    elsewhere = dataclasses.replace(run, descent=dataclasses.replace(run.descent, source=make()))
    firsts = []
    while elsewhere.step < 15:
        elsewhere, trace = advance(elsewhere, 15 - elsewhere.step)
        firsts += trace.columns["first"].tolist()
    assert firsts == UNEVEN[steps:15]


def test_an_epoch_of_an_iterable_is_opened_once():
    opened = []

    def opening(epoch):
        opened.append(epoch)
        return uneven(epoch)

    minimize(value, 0.0, IterableBatches(opening, 3.0), epochs=4.0, optimizer=SGD(0.1), stop=[])
    assert len(opened) <= 5


def test_an_iterable_that_does_not_start_again():
    batches = iter([np.ones(3), np.ones(3)])
    with pytest.raises(InputError, match="gave no batch in epoch 1: does it start again for each epoch"):
        minimize(mean_square, 0.0, IterableBatches(lambda epoch: batches), steps=5)


def test_an_iterable_that_has_become_shorter():
    source = IterableBatches(lambda epoch: [np.ones(3)])
    with pytest.raises(InputError, match="epoch 0 gave 1 batches, but 2 were drawn from it before"):
        source.draw(source.init(KEY)._replace(position=np.int64(2)), None)


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "make", [mini_batches, HostArrays, lambda *a: minimize(mean_square, 0.0, a[0], batch_size=a[1])]
)
@pytest.mark.parametrize("batch_size", [6, 0, -1])
def test_a_batch_size_that_does_not_fit(make, batch_size):
    with pytest.raises(InputError, match=f"between 1 and the 5 examples there are, but is {batch_size}"):
        make(np.arange(5.0), batch_size)


@pytest.mark.parametrize("batch_size", [6, 0])
def test_a_source_made_by_hand_is_checked_too(batch_size):
    with pytest.raises(InputError, match="batch_size must be between 1 and the 5 examples"):
        minimize(mean_square, 0.0, MiniBatches(np.arange(5.0), batch_size), steps=3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": np.ones(3), "y": np.ones(4)}, "differ in their number of examples: 'x' 3, 'y' 4"),
        (np.ones((0, 3)), "holds no examples: {'params': 0}"),
        ([], "holds no examples"),
        ((), "holds no examples: no arrays at all"),
        (np.array(["a", "b"]), "must be an array of numbers with one row per example, but has dtype <U1"),
        ("abc", "must be an array of numbers"),
        (["a", "b"], "must be an array of numbers"),
        ({"x": np.ones(3), "y": 1.0}, r"'y' must be an array of numbers .* shape \(\)"),
        ({"x": np.array([1, "a", None], object)}, "'x' must be an array of numbers .* dtype object"),
        (np.array(["2020-01-01"], "datetime64[D]"), "must be an array of numbers .* dtype datetime64"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "must be an array of numbers"),
    ],
    ids=["lengths", "no rows", "list", "nothing", "strings", "string", "texts", "scalar", "object", "date", "frame"],
)
def test_data_that_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        as_data(data)
    with pytest.raises(InputError, match=message):
        minimize(mean_square, 0.0, data, batch_size=2)


@pytest.mark.parametrize("kind", [list, pd.Series, np.asarray, jax.numpy.asarray])
def test_data_of_many_kinds(kind):
    fit = minimize(mean_square, 0.0, kind([1.0, 2.0, 6.0]), optimizer=SGD(0.5))
    assert float(fit.params) == pytest.approx(3.0, rel=1e-4)


def test_a_list_of_arrays_is_a_tree():
    arrays, length = as_data([np.ones((5, 2)), np.arange(5)])
    assert ([array.shape for array in arrays], length) == ([(5, 2), (5,)], 5)


def test_flags_and_integers_are_data():
    arrays, length = as_data({"frame": pd.DataFrame({"a": [1, 2], "b": [3, 4]}), "flag": [True, False]})
    assert (length, arrays["frame"].shape, arrays["flag"].dtype) == (2, (2, 2), bool)
