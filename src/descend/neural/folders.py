"""Folders of pictures, with a folder in them for each class."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from descend.errors import InputError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
GREY = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L"})  # Pillow's modes of one channel, or with opacity
TURNED = frozenset({5, 6, 7, 8})  # EXIF's orientations of pictures that lie on their side
ORIENTATION = 0x0112  # its tag
NAMED = 3  # files that a note names


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size, with their classes.

    `pixels`: uint8, `(count, height, width)` if all are grey, else `(count, height, width, 3)`. `classes`: the name of
    the folder of each. `paths`: the file of each. `notes`: what was done to them, in sentences.
    """

    pixels: np.ndarray
    classes: np.ndarray
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Header:
    size: tuple[int, int]  # height and width, upright
    is_grey: bool


def read_folder(folder: str | Path, size: tuple[int, int] | None = None) -> Pictures:
    """The pictures in the folders of a folder, each of which is a class; what is no picture by its name is passed over.

    Grey pictures among colour ones are read as colour, with three equal channels, and a note says which; transparency
    is laid on white, and pictures are turned upright as their camera recorded. `size`: the height and width that all
    are brought to, by scaling and then cutting off what is too long at both ends; by default they must have one size.

    **Raises** `InputError` if there are no pictures, no two classes, a file that is damaged, or different sizes.
    """
    folder = Path(folder)
    paths = _paths(folder)
    headers = [_looked_at(path) for path in paths]
    shape = _common_size(paths, headers) if size is None else size
    greys = [path for path, header in zip(paths, headers, strict=True) if header.is_grey]
    all_grey = len(greys) == len(paths)
    pixels = np.empty((len(paths), *shape, *(() if all_grey else (3,))), np.uint8)
    for row, path in enumerate(paths):
        pixels[row] = _read(path, shape, all_grey)
    notes = [] if all_grey or not greys else [f"{_listed(greys, folder)} grey among colour pictures: read as colour"]
    return Pictures(pixels, np.array([path.relative_to(folder).parts[0] for path in paths]), tuple(paths), tuple(notes))


def read_pictures(paths: Sequence[str | Path], shape: tuple[int, ...]) -> np.ndarray:
    """Pictures as a network takes them that was trained on others; `shape`: that of `Pictures.pixels`, but the count.

    **Raises** `InputError` if a file is damaged.
    """
    height, width, *channels = shape
    pixels = np.empty((len(paths), *shape), np.uint8)
    for row, path in enumerate(paths):
        pixels[row] = _read(Path(path), (height, width), not channels)
    return pixels


def is_folder_of_pictures(folder: str | Path) -> bool:
    """Whether there are pictures in the folders of a folder."""
    folder = Path(folder)
    return folder.is_dir() and next(_found(folder), None) is not None


def paths_in_classes(folder: str | Path) -> list[Path]:
    """The pictures in the folders of a folder."""
    return sorted(_found(Path(folder)))


def paths_below(folder: str | Path) -> list[Path]:
    """All pictures in a folder and in those within it."""
    return sorted(path for path in Path(folder).rglob("*") if _is_picture(path))


def sizes_of(paths: Sequence[Path]) -> set[tuple[int, int]]:
    """The heights and widths that there are among pictures, as their first bytes tell them.

    **Raises** `InputError` if a file is damaged.
    """
    return {_looked_at(path).size for path in paths}


def _paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder")
    paths = paths_in_classes(folder)
    classes = {path.relative_to(folder).parts[0] for path in paths}
    if not paths:
        raise InputError(f"{folder} has no pictures in its folders: put those of each class into a folder of their own")
    if len(classes) < 2:
        raise InputError(f"{folder} has pictures of one class alone, '{min(classes)}': there must be two or more")
    return paths


def _found(folder: Path) -> Iterator[Path]:
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.name.startswith("."):
            yield from filter(_is_picture, inner.rglob("*"))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _looked_at(path: Path) -> _Header:
    """What a picture's first bytes say, without decoding it."""
    with _opened(path) as picture:
        width, height = picture.size
        # Of TIFF files, Pillow turns the picture itself.
        on_its_side = picture.format != "TIFF" and picture.getexif().get(ORIENTATION) in TURNED
        return _Header((width, height) if on_its_side else (height, width), picture.mode in GREY)


def _read(path: Path, size: tuple[int, int], as_grey: bool) -> np.ndarray:
    height, width = size
    with _opened(path) as picture:
        upright = _eight_bits(ImageOps.exif_transpose(picture))
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
        plain = upright.convert("L" if as_grey else "RGB")
        if plain.size != (width, height):
            plain = ImageOps.fit(plain, (width, height), Image.Resampling.BILINEAR)
        return np.asarray(plain)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A picture with 16 bits a pixel with 8, which Pillow would cut off at 255 instead of scaling."""
    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture that is open; what Pillow raises for one that is damaged becomes an `InputError` with its name."""
    try:
        with Image.open(path) as picture:
            if picture.mode in ("I", "F"):
                raise ValueError("32 bits a pixel")
            yield picture
    except Exception as error:  # a damaged file leads Pillow's readers to errors of any kind
        raise InputError(f"{path} is damaged, or no picture that can be read: mend it or take it away "
                         f"({str(error).splitlines()[0] if str(error) else type(error).__name__})") from None


def _common_size(paths: Sequence[Path], headers: Sequence[_Header]) -> tuple[int, int]:
    first = headers[0].size
    for path, header in zip(paths, headers, strict=True):
        if header.size != first:
            a, b = ("×".join(map(str, size)) for size in (first, header.size))
            raise InputError(f"the pictures differ in size (height×width): {paths[0]} is {a}, but {path} is {b}; "
                             "give the size to bring all to")
    return first


def _listed(paths: Sequence[Path], folder: Path) -> str:
    named = ", ".join(str(path.relative_to(folder)) for path in paths[:NAMED])
    if len(paths) == 1:
        return f"{named} is"
    return f"{named}{f' and {len(paths) - NAMED:,} more' if len(paths) > NAMED else ''} are"
