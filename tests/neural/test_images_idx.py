"""IDX files, whole and damaged."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from descend.errors import InputError
from descend.neural.idx import is_idx, labels_beside, read_idx, read_labelled

RNG = np.random.default_rng(0)
TYPES = [(0x08, "B"), (0x09, "b"), (0x0B, "h"), (0x0C, "i"), (0x0D, "f"), (0x0E, "d")]


def idx_bytes(numbers, shape, code=0x08, letter="B"):
    """The format as its authors describe it, one number after the other."""
    header = struct.pack(">BBBB", 0, 0, code, len(shape)) + struct.pack(f">{len(shape)}I", *shape)
    return header + struct.pack(f">{len(numbers)}{letter}", *numbers)


def written(path, content):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("code", "letter"), TYPES)
def test_every_type_is_read(tmp_path, code, letter, suffix):
    numbers = [0, 1, 7, 100, 2, 3] if letter != "b" else [0, -1, 7, -100, 2, 3]
    path = written(tmp_path / f"numbers{suffix}", idx_bytes(numbers, (3, 2), code, letter))
    array = read_idx(path)
    assert array.dtype == np.dtype(letter)
    assert array.tolist() == np.reshape(numbers, (3, 2)).tolist()
    assert is_idx(path)


def images_and_labels(folder, count=4, labels=4, suffix=""):
    pixels = RNG.integers(0, 256, count * 6).tolist()
    images = written(folder / f"train-images-idx3-ubyte{suffix}", idx_bytes(pixels, (count, 3, 2)))
    written(folder / f"train-labels-idx1-ubyte{suffix}", idx_bytes(list(range(labels)), (labels,)))
    return images, pixels


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_labels_are_found_beside_images(tmp_path, suffix):
    images, pixels = images_and_labels(tmp_path, suffix=suffix)
    X, y = read_labelled(images)
    assert X.ravel().tolist() == pixels
    assert (X.shape, X.dtype, y.tolist()) == ((4, 3, 2), np.uint8, [0, 1, 2, 3])


def test_labels_may_be_compressed_where_images_are_not(tmp_path):
    images, _ = images_and_labels(tmp_path)
    beside = tmp_path / "train-labels-idx1-ubyte"
    written(tmp_path / "train-labels-idx1-ubyte.gz", beside.read_bytes())
    beside.unlink()
    assert labels_beside(images).suffix == ".gz"


def refused(message):
    return pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$")


def test_counts_that_differ(tmp_path):
    images, _ = images_and_labels(tmp_path, labels=3)
    with refused("has 4 images, but .*train-labels-idx1-ubyte has 3 labels"):
        read_labelled(images)


def test_labels_in_place_of_images(tmp_path):
    images_and_labels(tmp_path)
    with refused(r"labels-idx1-ubyte holds an array of shape \(4,\), which are no images"):
        read_labelled(tmp_path / "train-labels-idx1-ubyte", tmp_path / "train-labels-idx1-ubyte")


WHOLE = idx_bytes(list(range(12)), (2, 3, 2))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut", WHOLE[:-3], "should hold 2×3×2 numbers, but ends after 9 of 12 bytes"),
        ("long", WHOLE + b"\0", "should hold 2×3×2 numbers, but has more bytes after them"),
        ("header", WHOLE[:9], "ends within its header"),
        ("empty", b"", "is no IDX file"),
        ("text", b"label,pixel1\n1,2\n", "is no IDX file"),
        ("huge", struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 4), "should .* ends after 0 of"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_damaged_files(tmp_path, name, content, message):
    with refused(f"{name} {message}"):
        read_idx(written(tmp_path / name, content))


def test_damaged_gzip(tmp_path):
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(WHOLE)[:-12])
    with refused(r"cut\.gz is damaged"):
        read_idx(path)


def test_missing_file(tmp_path):
    with refused("nowhere cannot be read: No such file"):
        read_idx(tmp_path / "nowhere")


def test_a_name_that_says_nothing_of_labels(tmp_path):
    with refused("its labels cannot be found by its name"):
        labels_beside(tmp_path / "pictures")


@pytest.mark.data
def test_fashion_mnist_is_read():
    path = Path(os.environ.get("DESCEND_DATA", "data"), "t10k-images-idx3-ubyte.gz")
    if not path.exists():
        pytest.skip(f"{path} is not there: `python -m benchmarks.fetch` brings it")
    X, y = read_labelled(path)
    assert (X.shape, X.dtype) == ((10_000, 28, 28), np.uint8)
    assert np.bincount(y).tolist() == [1000] * 10
