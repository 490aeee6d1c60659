"""Files of pictures: which they are, what their first bytes say, and their pixels as a network takes them."""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from descend._text import in_a_line, visible
from descend.errors import InputError

T = TypeVar("T")
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
# What telephones write; Pillow reads it with the package HEIF_READER.
HEIF = frozenset({".heic", ".heif", ".hif"})
HEIF_READER = "pillow_heif"
# Pillow's modes of one channel, or with opacity.
GREY = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L"})
# EXIF's tag, and its orientations of pictures that lie on their side.
ORIENTATION_TAG = 0x0112
SIDEWAYS = frozenset({5, 6, 7, 8})
# Of a message on one line: files told of with a reason, and by name alone; letters of each.
FILES_WITH_REASON, FILES_NAMED, MAX_LETTERS = 5, 3, 160


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes say: height and width, upright, and whether it has shades of grey alone."""

    size: tuple[int, int]
    is_grey: bool


@dataclass(frozen=True)
class Unreadable:
    """Files that are no pictures that can be read, by path, each with the reason: one is no reason to stop looking."""

    reasons: dict[Path, str] = field(default_factory=dict)

    def refusal(self, total: int, others: str = "") -> InputError:
        """All of them on one line, of which a few are named. `others`: what else can be done about them."""
        first = list(self.reasons.items())[:FILES_WITH_REASON]
        told = [f"{shortened(shown(path))} {shortened(why)}" for path, why in first]
        if len(self.reasons) == 1:
            return InputError(f"{told[0]}: mend it or take it away{others}")
        more = f"; and {len(self.reasons) - FILES_WITH_REASON:,} more" if len(self.reasons) > FILES_WITH_REASON else ""
        return InputError(f"{len(self.reasons):,} of {total:,} pictures cannot be read: {'; '.join(told)}{more}: mend "
                          f"them or take them away{others}")


@cache
def suffixes() -> frozenset[str]:
    """How names of pictures end that can be read here."""
    more = {".avif"} if features.check("avif") else set()
    return SUFFIXES | more | (HEIF if find_spec(HEIF_READER) else frozenset())


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, by its name."""
    return path.suffix.lower() in suffixes()


def look_at(paths: Sequence[Path], unreadable: Unreadable) -> dict[Path, Header]:
    """What the first bytes of pictures say; those that cannot be read are added to `unreadable`."""
    headers = {}
    for path in paths:
        header = _done(path, unreadable, _header)
        if header is not None:
            headers[path] = header
    return headers


def read_pictures(paths: Sequence[Path], shape: tuple[int, ...], unreadable: Unreadable) -> np.ndarray:
    """Those pictures that can be read, brought to a shape: height, width, and 3 channels, if they are to have colours.

    They are turned upright as their camera recorded, scaled, and cut off at both ends where they are too long;
    transparency is laid on white. What cannot be read is added to `unreadable`, and what is there already passed over.
    """
    height, width, *channels = shape
    pixels, count = np.empty((len(paths), *shape), np.uint8), 0
    bring = lambda picture: _brought_to(picture, (width, height), "RGB" if channels else "L")
    for path in paths:
        if path not in unreadable.reasons:
            row = _done(path, unreadable, bring)
            if row is not None:
                pixels[count] = row
                count += 1
    return pixels[:count]


def named(path: Path | str) -> str:
    """A path as text that can be written: names of files are bytes, and may be no text."""
    return os.fsencode(path).decode(errors="replace")


def shown(path: Path | str) -> str:
    """A path in a message: one line, whatever is in its name."""
    return in_a_line(named(path))


def shortened(text: str) -> str:
    """The text, without its middle if it is long."""
    return text if len(text) <= MAX_LETTERS else f"{text[: MAX_LETTERS // 2]}…{text[-MAX_LETTERS // 2 :]}"


def counted(things: Sized, name: str) -> str:
    """How many there are of them."""
    return f"{len(things):,} {name}{'' if len(things) == 1 else 's'}"


def listed(paths: Iterable[Path | str]) -> str:
    """The first few of them, and how many more there are."""
    names = [shortened(shown(path)) for path in paths]
    others = len(names) - FILES_NAMED
    return ", ".join(names[:FILES_NAMED]) + (f" and {others:,} more" if others > 0 else "")


def _header(picture: Image.Image) -> Header:
    width, height = picture.size
    # Of TIFF files, Pillow turns the picture itself.
    on_its_side = picture.format != "TIFF" and picture.getexif().get(ORIENTATION_TAG) in SIDEWAYS
    return Header((width, height) if on_its_side else (height, width), picture.mode in GREY)


def _brought_to(picture: Image.Image, size: tuple[int, int], mode: str) -> np.ndarray:
    """No step copies a picture that is already as it is to be: one may be the size of a large scan."""
    ImageOps.exif_transpose(picture, in_place=True)
    upright = _eight_bits(picture)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    plain = upright if upright.mode == mode else upright.convert(mode)
    return np.asarray(plain if plain.size == size else ImageOps.fit(plain, size, Image.Resampling.BILINEAR))


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A picture with 16 bits a pixel with 8, which Pillow would cut off at 255 instead of scaling."""
    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _done(path: Path, unreadable: Unreadable, work: Callable[[Image.Image], T]) -> T | None:
    """What is to be done with a picture; if it cannot be, the picture is added to `unreadable`.

    Pillow warns of a picture above a limit, and refuses one above twice as many pixels: the first is a large scan, and
    is read; the second would take gigabytes.
    """
    if path.suffix.lower() in HEIF:
        if not is_picture(path):
            unreadable.reasons[path] = "is HEIC, which is read where the package pillow-heif is installed"
            return None
        import_module(HEIF_READER).register_heif_opener()
    try:
        if not path.is_file():  # from a pipe, nothing might ever come
            raise FileNotFoundError
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                if picture.mode in ("I", "F"):
                    raise ValueError("32 bits a pixel")
                return work(picture)
    except MemoryError:
        raise
    except FileNotFoundError:
        unreadable.reasons[path] = "is not there, or no file"
    except Image.DecompressionBombError:
        unreadable.reasons[path] = f"has more than the {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels that are read"
    except Exception as error:  # a damaged file leads Pillow's readers to errors of any kind
        unknown = isinstance(error, UnidentifiedImageError)  # whose message has the path once more
        why = "no format is known by its content" if unknown else " ".join(visible(str(error)).split())
        unreadable.reasons[path] = f"is damaged, or no picture that can be read ({why or type(error).__name__})"
    return None
