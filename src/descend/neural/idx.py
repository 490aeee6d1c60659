"""IDX files, as MNIST and its kin come in, plain or compressed with gzip."""

import gzip
import math
import zlib
from io import BufferedReader
from pathlib import Path

import numpy as np

from descend._packed import most_of, refuse_larger
from descend.errors import InputError

GZIP = b"\x1f\x8b"
# By the third byte of a file.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_AXES = 8
# Of files that belong together.
FILE_PAIRS = (("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1"))


def read_idx(path: str | Path) -> np.ndarray:
    """The array of an IDX file.

        0 0 type axes  length₁ … lengthₙ  number₁ …           lengths of 4 bytes; the largest byte first

    **Raises** `InputError` if the file is not there, is no IDX file, or has fewer or more numbers than it says.

    Reference: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            kind, shape = _header(file, path)
            size, packed = math.prod(shape) * kind.itemsize, path.stat().st_size
            if isinstance(file, gzip.GzipFile):
                refuse_larger(size, packed, str(path))
            # One byte more than there should be, which tells of a file that goes on; and never more than such a file
            # can unpack to, whatever size its header claims.
            content = file.read(min(size, most_of(packed)) + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error):
        raise InputError(f"{path} is damaged: its gzip data end early or are garbled; get it again") from None
    if len(content) != size:
        found = "has more bytes after them" if len(content) > size else f"ends after {len(content):,} of {size:,} bytes"
        raise InputError(f"{path} should hold {'×'.join(map(str, shape))} numbers, but {found}: get it again")
    return np.frombuffer(content, kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def read_labelled(images: str | Path, labels: str | Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images and their labels, from two IDX files; those of the labels are beside the images by default.

    **Raises** `InputError` as `read_idx` does, and if the two do not belong together.
    """
    images = Path(images)
    labels = labels_beside(images) if labels is None else Path(labels)
    pictures, classes = read_idx(images), read_idx(labels)
    if pictures.ndim not in (3, 4):
        raise InputError(f"{images} holds an array of shape {pictures.shape}, which are no images")
    if classes.ndim != 1:
        raise InputError(f"{labels} holds an array of shape {classes.shape}, which are no labels")
    if len(pictures) != len(classes):
        raise InputError(f"{images} has {len(pictures):,} images, but {labels} has {len(classes):,} labels: "
                         "they are not of one set")
    return pictures, classes


def labels_beside(images: str | Path) -> Path:
    """The file with the labels of a file of images, by the names that such files have.

    >>> labels_beside("data/train-images-idx3-ubyte.gz").name
    'train-labels-idx1-ubyte.gz'

    **Raises** `InputError` if the name is not of that kind.
    """
    images = Path(images)
    for ours, theirs in FILE_PAIRS:
        if ours in images.name:
            beside = images.with_name(images.name.replace(ours, theirs))
            other = beside.with_suffix("") if beside.suffix == ".gz" else beside.with_name(f"{beside.name}.gz")
            return other if other.exists() and not beside.exists() else beside
    raise InputError(f"{images}: its labels cannot be found by its name, which has no 'images-idx3' in it")


def is_idx(path: str | Path) -> bool:
    """Whether a file begins as IDX files do."""
    try:
        with _opened(Path(path)) as file:
            _header(file, Path(path))
    except (OSError, EOFError, zlib.error, InputError):
        return False
    return True


def _opened(path: Path) -> BufferedReader | gzip.GzipFile:
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP
    return gzip.open(path) if is_gzip else path.open("rb")


def _header(file: BufferedReader | gzip.GzipFile, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 1 <= start[3] <= MAX_AXES:
        raise InputError(f"{path} is no IDX file: it does not begin as one")
    lengths = file.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise InputError(f"{path} ends within its header: get it again")
    return np.dtype(TYPES[start[2]]), tuple(int(n) for n in np.frombuffer(lengths, ">u4"))
