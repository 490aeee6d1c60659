"""Pictures from what the user names: a folder with a folder for each class, or IDX files."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descend.errors import InputError
from descend.labelled.collection import Collection, Examples
from descend.neural.folders import (
    is_folder_of_pictures,
    paths_below,
    paths_in_classes,
    read_folder,
    read_pictures,
    sizes_of,
)
from descend.neural.idx import is_idx, read_idx, read_labelled

SIDE = 64  # pixels along the shorter side, at the most: a step on larger pictures would take minutes
PARTS = ("train", "test")
IDX = re.compile(r".*images[-.]idx3.*")
OTHERS = ("t10k", "test")  # instead of "train" in the name of a file: what belongs to it, to be held out


def has_pictures(source: str) -> bool:
    """Whether a source is a folder, or an IDX file: then it has pictures, or nothing that can be read."""
    path = Path(source).expanduser()
    return path.is_dir() or (path.is_file() and is_idx(path))


def read_collection(source: str) -> Collection:
    """The pictures of a folder, or of IDX files, with their classes.

    A folder may have the folders `train` and `test`, each with a folder for each class, or IDX files; those whose names
    begin as the test set's do are held out.

    **Raises** `InputError` if there are none, or if some are damaged.
    """
    path = Path(source).expanduser()
    if not path.is_dir():
        return _from_idx(path, path.name.removesuffix(".gz"))
    name = path.resolve().name
    if found := [file for file in sorted(path.iterdir()) if IDX.fullmatch(file.name) and is_idx(file)]:
        return _from_idx(_to_learn_from(found, path), name)
    if is_folder_of_pictures(path):
        return _from_folder(path, name)
    raise InputError(f"{path} is a folder without anything to learn from: expected a folder of pictures for each "
                     "class, train/ and test/ with such folders, or IDX files")


def pictures_to_predict(source: str, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """All pictures of a folder, of a file of its own, or of an IDX file, as a network takes them; and their names.

    `shape`: height, width, and channels if there are several.

    **Raises** `InputError` if there are none, or if some are damaged.
    """
    path = Path(source).expanduser()
    if path.is_file() and is_idx(path):
        pixels = read_idx(path)
        if pixels.ndim not in (3, 4):
            raise InputError(f"{path} holds an array of shape {pixels.shape}, which are no images")
        return pixels, [str(number) for number in range(len(pixels))]
    if not path.exists():
        raise InputError(f"there is no file or folder '{path}': check the path")
    paths = paths_below(path) if path.is_dir() else [path]
    if not paths:
        raise InputError(f"{path} has no pictures in it")
    return read_pictures(paths, shape), [str(file.relative_to(path)) if path.is_dir() else file.name for file in paths]


def _to_learn_from(found: list[Path], folder: Path) -> Path:
    """The training set among a folder's IDX files."""
    chosen = [file for file in found if "train" in file.name] or found
    if len(chosen) > 1:
        raise InputError(f"{folder} has several sets of images, {', '.join(file.name for file in chosen)}: name one "
                         "of the files")
    return chosen[0]


def _from_idx(path: Path, name: str) -> Collection:
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
        _refuse_unknown(set(test_labels.tolist()) - set(classes), str(beside), str(path))
        test, notes = _of_labels(test_pixels, test_labels, classes), (f"{beside.name} was held out",)
    names = tuple(map(str, classes))
    return Collection("pictures", name, _digest(names, examples, test), names, examples, test, notes=notes)


def _labelled(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images with their channels, and their labels."""
    from descend.neural.images import as_images  # a second to import

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
    names = [path.name.replace("train", other) for other in OTHERS] if "train" in path.name else []
    return next((path.with_name(name) for name in names if path.with_name(name).exists()), None)


def _from_folder(folder: Path, name: str) -> Collection:
    learn, test_folder = _parts(folder)
    brought = _size([*paths_in_classes(learn), *(paths_in_classes(test_folder) if test_folder else [])])
    found = read_folder(learn, brought.size)
    classes = tuple(np.unique(found.classes).tolist())
    examples = _of_files(found.pixels, found.classes, found.paths, classes, folder)
    test: Examples | None = None
    if test_folder is not None:
        paths = paths_in_classes(test_folder)
        labels = np.array([path.relative_to(test_folder).parts[0] for path in paths])
        _refuse_unknown(set(labels.tolist()) - set(classes), str(test_folder), str(learn))
        test = _of_files(read_pictures(paths, found.pixels.shape[1:]), labels, paths, classes, folder)
    notes = (*brought.notes, *found.notes)
    return Collection("pictures", name, _digest(classes, examples, test), classes, examples, test, notes=notes)


def _parts(folder: Path) -> tuple[Path, Path | None]:
    """The folder with the classes to learn, and that with those to be held out, if there is one."""
    learn, test = (folder / part for part in PARTS)
    return (learn, test) if is_folder_of_pictures(learn) and is_folder_of_pictures(test) else (folder, None)


@dataclass(frozen=True)
class _Size:
    """What size pictures are brought to, if they are, and what is to be said of that."""

    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


def _size(paths: list[Path]) -> _Size:
    sizes = sizes_of(paths)
    if len(sizes) > 1:
        return _Size((SIDE, SIDE), (f"pictures of {len(sizes):,} sizes: brought to {SIDE}×{SIDE} pixels",))
    ((height, width),) = sizes
    if min(height, width) <= SIDE:
        return _Size()
    scale = SIDE / min(height, width)
    size = (round(scale * height), round(scale * width))
    return _Size(size, (f"pictures of {height}×{width} pixels (height×width): brought to {size[0]}×{size[1]}",))


def _of_files(
    pixels: np.ndarray, labels: np.ndarray, paths: list[Path] | tuple[Path, ...], classes: tuple[str, ...], root: Path
) -> Examples:
    targets = np.searchsorted(classes, labels).astype(np.int32)
    return Examples(pixels, targets, [str(path.relative_to(root)) for path in paths])


def _refuse_unknown(labels: set[object], test: str, learn: str) -> None:
    if labels:
        raise InputError(f"{test} has the class '{min(map(str, labels))}', which {learn} has not: nothing can be "
                         "learnt of it")


def _digest(classes: tuple[str, ...], examples: Examples, test: Examples | None) -> str:
    digest = hashlib.sha256("\0".join(classes).encode())
    for part in (examples, test):
        if part is not None:
            digest.update(repr((part.inputs.dtype, part.inputs.shape)).encode())
            digest.update(np.ascontiguousarray(part.inputs).data)
            digest.update(part.targets.data)
    return digest.hexdigest()
