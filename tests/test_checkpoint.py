"""Checkpoints: a descent goes on from its file as if nothing had happened, or says why it cannot."""

import errno
import gc
import os
import shutil
import signal
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save

from descend import SGD, Adam, Checkpoint, CheckpointError, InputError, Plateau, Trainer, minimize
from descend.engine.storing import STORED_AS, read_arrays, write_arrays
from descend.sources import HostArrays, IterableBatches
from locking import locked_by

DATA = np.random.default_rng(0).normal(1, 2, (37, 2)).astype(np.float32)
RULES = {"momentum": SGD(0.05, momentum=0.9), "adam": Adam(0.1)}


def distance(p, batch):
    return 0.5 * ((p["at"] - batch) ** 2).mean() + p["scale"] ** 2, {"scale": p["scale"]}


def further(p, batch):
    return 2 * distance(p, batch)[0]


def start():
    return {"at": np.zeros(2), "scale": 1.0}


def quartic(x):
    return 0.25 * (x**4).sum()


def epochs_of(epoch):
    """Batches of 5, 5 and 3, the same ones for the same epoch."""
    rows = np.random.default_rng(epoch).normal(1, 2, (13, 2)).astype(np.float32)
    return iter((rows[:5], rows[5:10], rows[10:]))


def descent(source, rule="momentum", **settings):
    settings = {"optimizer": RULES[rule], "stop": [], **settings}
    if source == "function":
        return minimize(quartic, [3.0, -2.0], **settings)
    if source in ("host", "iterable"):
        data = HostArrays(DATA, 5) if source == "host" else IterableBatches(epochs_of, 3.0)
        return minimize(distance, start(), data, **settings)
    return minimize(distance, start(), DATA, batch_size=37 if source == "whole" else 5, **settings)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def assert_same(fit, other):
    assert str(fit.reason) == str(other.reason)
    assert fit.best == other.best
    assert bits(fit.params) == bits(other.params)
    assert bits(fit.run.state) == bits(other.run.state)
    assert bits(fit.history.columns) == bits(other.history.columns)
    assert fit.history.validation == other.history.validation


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint after 30 steps, which others may copy and read."""
    path = tmp_path_factory.mktemp("saved") / "run"
    descent("memory", steps=30, checkpoint=path, validation=DATA)
    return path


# ------------------------------------------------------------------------------------------------ going on


@pytest.mark.parametrize(
    ("source", "rule"),
    [("memory", "momentum"), ("memory", "adam"), ("host", "momentum"), ("iterable", "momentum"), ("whole", "momentum"),
     ("function", "adam")],
)
def test_goes_on_bit_for_bit(source, rule, path):
    whole = descent(source, rule, steps=50)
    for steps in (1, 7, 8, 30, 50):
        descent(source, rule, steps=steps, checkpoint=path)
        resumed = descent(source, rule, steps=50, checkpoint=path, resume=True)
        assert_same(resumed, whole)
        path.unlink()


def test_goes_on_again_and_again(path):
    for steps in range(3, 50, 9):
        fit = descent("host", steps=steps, checkpoint=path, resume=True)
        assert fit.reason.step == fit.run.step == steps
    assert_same(fit, descent("host", steps=steps))


def test_goes_on_in_float64(path):
    settings = {"dtype": np.float64, "validation": DATA}
    descent("host", steps=15, checkpoint=path, **settings)
    resumed = descent("host", steps=30, checkpoint=path, resume=True, **settings)
    assert_same(resumed, descent("host", steps=30, **settings))
    assert resumed.params["at"].dtype == np.float64


def test_goes_on_from_each_checkpoint_on_the_way(tmp_path):
    """A process may be killed at any moment: what it leaves behind is the last file that it wrote."""
    path, left = tmp_path / "run", []

    def keep(progress):
        if path.exists():
            left.append(path.with_name(f"after-{progress.step}"))
            shutil.copy(path, left[-1])

    settings = {"steps": 400, "validation": DATA, "validate_every": 20, "stop": Plateau(patience=100)}
    whole = descent("memory", checkpoint=Checkpoint(path, every=0.0), observers=[keep], **settings)
    assert len(left) > 2
    for file in left[:: max(1, len(left) // 5)]:
        assert_same(descent("memory", checkpoint=file, resume=True, **settings), whole)


def towards_ten(x):
    return 0.5 * ((x - 10.0) ** 2).sum()


def beyond_three(**settings):
    """A descent that comes past its best validation, at step 36 of those evaluated, and is stopped by its plateau."""
    return minimize(
        towards_ten, [0.0], optimizer=SGD(0.01), stop=Plateau(patience=4), validation=lambda x: abs(float(x[0]) - 3.0),
        validate_every=6, **{"steps": 500, **settings},
    )


@pytest.mark.parametrize("steps", [6, 36, 42, 7, 35, 40])
def test_the_plateau_goes_on_too(steps, path):
    whole = beyond_three()
    assert (whole.reason.name, whole.best.step, whole.reason.step) == ("plateau", 36, 60)
    assert float(whole.params[0]) == pytest.approx(10 - 10 * 0.99**36)
    beyond_three(steps=steps, checkpoint=path)
    resumed = beyond_three(checkpoint=path, resume=True)
    assert (resumed.reason, resumed.best) == (whole.reason, whole.best)
    assert bits(resumed.params) == bits(whole.params)


def test_an_interrupted_descent_goes_on(path):
    def interrupt(progress):
        if progress.step > 50 and progress.reason is None:
            signal.raise_signal(signal.SIGINT)

    settings = {"steps": 300, "validation": DATA, "validate_every": 40, "stop": Plateau(patience=100)}
    first = descent("memory", checkpoint=path, observers=[interrupt], **settings)
    assert first.reason.name == "interrupted"
    assert 50 < first.reason.step < 300
    assert_same(descent("memory", checkpoint=path, resume=True, **settings), descent("memory", **settings))


def test_a_descent_that_has_ended_stays_ended(path):
    first = beyond_three(checkpoint=path)
    progress = []
    again = beyond_three(checkpoint=path, resume=True, observers=[progress.append])
    assert_same(again, first)
    assert [(report.step, report.reason) for report in progress] == [(60, first.reason)]


def test_without_a_file_it_begins(path):
    assert_same(descent("memory", steps=5, checkpoint=path, resume=True), descent("memory", steps=5))
    assert path.exists()


@pytest.mark.peers
def test_an_optax_descent_goes_on(path):
    optax = pytest.importorskip("optax")
    for steps in (10, 20):
        rule = optax.sgd(0.1, momentum=0.9)
        resumed = descent("memory", optimizer=rule, steps=steps, checkpoint=str(path), resume=True)
    assert_same(resumed, descent("memory", optimizer=rule, steps=20))


# ------------------------------------------------------------------------------------------------- damage


def test_every_truncation_is_noticed(saved, path):
    content = saved.read_bytes()
    for length in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="damaged"):
            read_arrays(path)


def test_every_bit_counts(saved, path):
    content, rng = saved.read_bytes(), np.random.default_rng(1)
    header = 8 + int.from_bytes(content[:8], "little")
    for byte in [*range(0, 8), *rng.integers(8, header, 150), *rng.integers(header, len(content), 50)]:
        flipped = bytearray(content)
        flipped[byte] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match=r"damaged|format"):
            read_arrays(path)


@pytest.mark.parametrize("content", [
    b"", b"\0" * 4, b"\xff" * 100, b"epoch,loss\n1,0.5\n" * 50, b"\x80\x04\x95K\x00.", save({"weights": np.ones(3)}),
    save({"weights": np.ones(3)}, metadata={"descend": '{"format": 1}', "sha256": "0"}),
], ids=["empty", "short", "huge header", "text", "pickle", "weights", "wrong sum"])  # fmt: skip
def test_another_file_is_no_checkpoint(content, path):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        descent("memory", steps=5, checkpoint=path, resume=True)
    assert path.read_bytes() == content


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"damaged|no checkpoint"):
        descent("memory", steps=5, checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": SGD(0.07, momentum=0.9)}, r"optimizer was SGD\(learning_rate=0.05.*, and is SGD\(.*0.07"),
        ({"optimizer": Adam(0.1)}, "optimizer was SGD.*, and is Adam"),
        ({"loss": further}, "loss was <function distance>, and is <function further>"),
        ({"seed": 1}, "seed was 0, and is 1"),
        ({"batch_size": 6}, "batch size was 5, and is 6"),
        ({"data": DATA + 1}, "data was"),
        ({"data": HostArrays(DATA, 5), "batch_size": None}, "source was MiniBatches, and is HostArrays"),
        ({"dtype": np.float64}, "parameters was .*float32.*, and is .*float64"),
        ({"params": {"at": np.zeros(1), "scale": 1.0}}, r"parameters was .*float32\[2\].*, and is .*float32\[1\]"),
        ({"params": {"at": np.zeros(2), "scale": 1.0, "more": 0.0}}, "parameters was .*, and is .*more"),
    ],
    ids=["rate", "optimizer", "loss", "seed", "batch size", "data", "source", "dtype", "shape", "name"],
)
def test_another_descent_is_refused(changes, message, saved):
    settings = {"loss": distance, "params": start(), "data": DATA, "batch_size": 5, "optimizer": RULES["momentum"]}
    with pytest.raises(CheckpointError, match=f"belongs to another run: .*{message}"):
        minimize(**settings | changes, steps=60, checkpoint=saved, resume=True)


def older(path):
    return path.with_name(f"{path.name}.older")


def test_a_damaged_checkpoint_gives_way_to_the_one_before_it(path):
    for steps in (10, 20):
        descent("memory", steps=steps, checkpoint=path, resume=True)
    before = older(path).read_bytes()
    assert int(read_arrays(older(path))[0]["state/step"]) == 10
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.warns(UserWarning, match=r"run.safetensors is damaged: the descent goes on from the .* before it"):
        trainer = Trainer.begin(distance, start(), DATA, batch_size=5, optimizer=RULES["momentum"], stop=[], steps=50,
                                checkpoint=path, resume=True)  # fmt: skip
    assert trainer.run.step == 10
    assert path.read_bytes() == before  # so that it is not lost with the next that is written
    assert_same(trainer.to_the_end(), descent("memory", steps=50))
    assert int(read_arrays(older(path))[0]["state/step"]) == 10


def test_two_damaged_checkpoints_are_refused(path):
    path.write_bytes(b"damaged")
    older(path).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"run.safetensors is damaged"):
        descent("memory", steps=5, checkpoint=path, resume=True)


def test_a_checkpoint_before_it_that_cannot_take_its_place_is_named(path):
    descent("memory", steps=10, checkpoint=path)
    path.rename(older(path))
    path.mkdir()
    with pytest.raises(CheckpointError, match=r"cannot take its place \(Is a directory\): move .*older there"):
        descent("memory", steps=20, checkpoint=path, resume=True)
    assert older(path).exists()


# ------------------------------------------------------------------------------------------- other processes


@pytest.mark.parametrize("resume", [False, True])
def test_what_another_process_writes_is_refused(path, resume, saved):
    shutil.copy(saved, path)
    before, lock = path.read_bytes(), Checkpoint(path).lock
    with locked_by(1234, lock), pytest.raises(InputError, match=r"another process, 1234, writes to .*run.safetensors"):
        descent("memory", steps=60, checkpoint=path, resume=resume)
    assert path.read_bytes() == before
    descent("memory", steps=60, checkpoint=path, resume=resume)
    assert not lock.exists()


def test_a_trainer_that_nobody_knows_of_keeps_nobody_out(path):
    trainer = Trainer.begin(quartic, [3.0], optimizer=SGD(0.01), steps=5, stop=[], checkpoint=path)
    trainer.advance(1)
    assert Checkpoint(path).lock.exists()
    del trainer
    gc.collect()
    assert not Checkpoint(path).lock.exists()


# --------------------------------------------------------------------------------------------- full disks


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_warned_of_and_survived(call, path, monkeypatch):
    descent("memory", steps=10, checkpoint=path)
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), full)
    with pytest.warns(UserWarning, match=r"could not be written \(No space left on device\)"):
        fit = descent("memory", steps=30, checkpoint=path, resume=True)
    assert_same(fit, descent("memory", steps=30))
    assert path.read_bytes() == before
    assert {entry.name for entry in path.parent.iterdir()} <= {path.name, f"{path.name}.older"}
    monkeypatch.undo()
    assert_same(descent("memory", steps=30, checkpoint=path, resume=True), fit)


def no_room(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system does not reserve")
def test_a_disk_without_room_is_found_out_before_the_first_step(path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    seen = []
    with pytest.raises(InputError, match=r"run.safetensors cannot be written \(No space left on device\): make room"):
        descent("memory", steps=10, checkpoint=path, observers=[seen.append])
    assert seen == []
    assert list(path.parent.iterdir()) == []


def test_a_file_system_that_reserves_nothing_is_written_to(path, monkeypatch):
    def refused(*_):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refused, raising=False)
    descent("memory", steps=10, checkpoint=path)
    assert path.exists()


def test_a_descent_of_which_nothing_can_be_saved_ends_at_the_first_failure(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", no_room)
    steps = []
    with pytest.raises(InputError, match=r"run.safetensors could not be written \(No space.*\), nor any before"):
        descent("memory", steps=10**6, checkpoint=Checkpoint(path, every=0.0),
                observers=[lambda progress: steps.append(progress.step)])  # fmt: skip
    assert max(steps, default=0) < 10**6


def test_a_descent_that_is_over_is_not_lost_with_its_checkpoint(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.warns(UserWarning, match=r"could not be written \(No space left on device\): none is there"):
        fit = descent("memory", steps=10, checkpoint=path)
    assert_same(fit, descent("memory", steps=10))


def test_a_warning_tells_which_checkpoint_is_whole(path, monkeypatch):
    descent("memory", steps=10, checkpoint=path)
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.warns(UserWarning, match=r": the last one, after 10 steps, is whole"):
        descent("memory", steps=30, checkpoint=path, resume=True)
    assert int(read_arrays(path)[0]["state/step"]) == 10


def test_no_temporary_file_is_left(path):
    descent("memory", steps=10, checkpoint=Checkpoint(path, every=0.0))
    assert {entry.name for entry in path.parent.iterdir()} <= {path.name, f"{path.name}.older"}


def test_a_reader_always_finds_a_whole_file(path):
    descent("memory", steps=1, checkpoint=path)
    over, steps, failures = threading.Event(), set(), []

    def read():
        while not over.is_set():
            try:
                steps.add(int(read_arrays(path)[0]["state/step"]))
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(2, 14):
            descent("memory", steps=number, checkpoint=path, resume=True)
    finally:
        over.set()
        reader.join()
    assert failures == []
    assert steps <= set(range(1, 14))
    assert len(steps) > 2


@pytest.mark.parametrize("name", STORED_AS)
def test_numbers_of_every_type_come_back(name, path):
    numbers = np.arange(6).reshape(2, 3).T.astype(np.dtype(name))
    write_arrays(path, {"x": numbers, "none": numbers[:0], "one": numbers[0, 0]}, {})
    back, _ = read_arrays(path)
    for key, array in (("x", numbers), ("none", numbers[:0]), ("one", numbers[0, 0])):
        assert (back[key].dtype, back[key].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back[key], array)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "int4", "complex128"])
def test_numbers_that_could_not_be_read_back_are_refused(name, path):
    with pytest.raises(InputError, match=f"'x' has numbers of type {name}, which no checkpoint can hold"):
        write_arrays(path, {"x": np.zeros(3, np.dtype(name))}, {})
    assert not path.exists()
