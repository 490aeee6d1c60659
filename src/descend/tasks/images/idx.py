"""Pictures with their classes in IDX files, as MNIST and its kin come in."""

import re
from pathlib import Path

import numpy as np

from descend.errors import InputError
from descend.neural.idx import is_idx, read_labelled
from descend.tasks.common.examples import Examples
from descend.tasks.common.network.collection import Collection
from descend.tasks.images.parts import digest_of, refuse_unknown

IMAGE_FILE = re.compile(r".*images[-.]idx3.*")
# What a test set is called where the training set has "train" in its name.
TEST_NAMES = ("t10k", "test")


def sets_of_images(folder: Path) -> list[Path]:
    """The IDX files of images in a folder."""
    return [file for file in sorted(folder.iterdir()) if IMAGE_FILE.fullmatch(file.name) and is_idx(file)]


def to_learn_from(found: list[Path], folder: Path) -> Path:
    """The training set among a folder's IDX files."""
    chosen = [file for file in found if "train" in file.name] or found
    if len(chosen) > 1:
        raise InputError(f"{folder} has several sets of images, {', '.join(file.name for file in chosen)}: name one "
                         "of the files")
    return chosen[0]


def from_idx(path: Path, name: str) -> Collection:
    """A file of images with the labels beside it; the test set beside it is held out.

    **Raises** `InputError` if they are damaged, do not belong together, or have no two classes.
    """
    pixels, labels = _labelled(path)
    classes = sorted(np.unique(labels).tolist())
    if len(classes) < 2:
        raise InputError(f"{path}: all images have the label {classes[0]}; there must be two or more classes")
    examples = _of_labels(pixels, labels, classes)
    test: Examples | None = None
    notes: tuple[str, ...] = ()
    if beside := _test_beside(path):
        test_pixels, test_labels = _labelled(beside)
        if test_pixels.shape[1:] != pixels.shape[1:]:
            theirs, ours = ("×".join(map(str, array.shape[1:])) for array in (test_pixels, pixels))
            raise InputError(f"{beside} has images of {theirs}, but {path} has images of {ours}")
        refuse_unknown(set(test_labels.tolist()) - set(classes), str(beside), str(path))
        test, notes = _of_labels(test_pixels, test_labels, classes), (f"{beside.name} was held out",)
    names = tuple(map(str, classes))
    return Collection(name, digest_of(names, examples, test), names, examples, test, notes=notes)


def _labelled(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images with their channels, and their labels."""
    # This takes a second to import.
    from descend.neural.images import as_images

    images, labels = read_labelled(path)
    if not len(images):
        raise InputError(f"{path} has no images in it")
    try:
        return as_images(images), labels
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _of_labels(pixels: np.ndarray, labels: np.ndarray, classes: list[int]) -> Examples:
    targets = np.searchsorted(classes, labels).astype(np.int32)
    return Examples(pixels, targets, [f"number {number:,}" for number in range(len(labels))])


def _test_beside(path: Path) -> Path | None:
    """The test set that lies beside a training set."""
    names = [path.name.replace("train", other) for other in TEST_NAMES] if "train" in path.name else []
    return next((path.with_name(name) for name in names if path.with_name(name).exists()), None)
