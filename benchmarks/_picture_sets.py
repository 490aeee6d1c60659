"""Small sets of pictures that packages carry; what models of pictures do by default was chosen on others."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sklearn.model_selection import train_test_split

from benchmarks._images import fashion_mnist
from benchmarks._linear_data import find

# Of the splits; the ones before were looked at while recipes were chosen.
SEED, HELD_OUT = 7, 0.25
FASHION_LEARNT = 3000
GLYPH_SIDE = 32
# Where scripts and signs lie in Unicode, from the first to the last.
SCRIPTS = {
    "Latin": (0x00C0, 0x024F), "Greek": (0x0370, 0x03FF), "Cyrillic": (0x0400, 0x052F), "Armenian": (0x0531, 0x0587),
    "Hebrew": (0x05D0, 0x05EA), "Arabic": (0x0620, 0x06FF), "Georgian": (0x10A0, 0x10FF), "syllables": (0x1401, 0x1676),
    "arrows": (0x2190, 0x21FF), "mathematics": (0x2200, 0x22FF), "boxes": (0x2500, 0x257F), "braille": (0x2801, 0x28FF),
    "symbols": (0x2600, 0x26FF), "dingbats": (0x2701, 0x27BE),
}  # fmt: skip
# As freedesktop.org's rules for names of icons have them; those with fewer are left out.
CONTEXTS = ("actions", "categories", "devices", "emotes", "mimetypes", "places", "status")

Pictures = tuple[np.ndarray, np.ndarray]
Parts = tuple[Pictures, Pictures]  # to learn from, and held out


def emoji() -> Parts:
    """Twitter's emoji, 64 × 64, by their categories."""
    folder = find("emoji-datasource-twitter")
    known = json.loads((folder / "emoji.json").read_text())
    each = [(folder / "img/twitter/64" / one["image"], one["category"]) for one in known
            if one["category"] != "Component"]
    return _split((_on_white(Image.open(path)), category) for path, category in each if path.exists())


def icons() -> Parts:
    """Icons of Adwaita, 48 × 48, by what they are for."""
    folder = find("Adwaita")
    each = ((path, context) for context in CONTEXTS for path in sorted((folder / context).glob("*.png")))
    return _split((_on_white(Image.open(path)), context) for path, context in each)


def glyphs() -> Parts:
    """What Matplotlib's font DejaVu Sans draws, 32 × 32, by scripts and kinds of signs."""
    from matplotlib import get_data_path

    font = ImageFont.truetype(Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf"), 22)
    missing = _glyph(font, 0x10FFFF)
    each = ((_glyph(font, code), script) for script, (first, last) in SCRIPTS.items()
            for code in range(first, last + 1))
    return _split((picture, script) for picture, script in each if (picture != missing).any() and picture.min() < 128)


def fashion() -> Parts:
    """Some of Fashion-MNIST's pictures, and all of those that it holds out."""
    (X, y), held_out = fashion_mnist(), fashion_mnist("t10k")
    rows = np.random.default_rng(SEED).permutation(len(y))[:FASHION_LEARNT]
    return (X[rows], y[rows]), held_out


def _split(pictures: Iterator[tuple[np.ndarray, str]]) -> Parts:
    """A quarter held out, as much of each class."""
    images, labels = zip(*pictures, strict=True)
    X, y = np.stack(images), np.unique(labels, return_inverse=True)[1]
    learn, judge = train_test_split(np.arange(len(y)), test_size=HELD_OUT, random_state=SEED, stratify=y)
    return (X[learn], y[learn]), (X[judge], y[judge])


def _on_white(picture: Image.Image) -> np.ndarray:
    """What is transparent is white."""
    picture = picture.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))


def _glyph(font: ImageFont.FreeTypeFont, code: int) -> np.ndarray:
    picture = Image.new("L", (GLYPH_SIDE, GLYPH_SIDE), 255)
    ImageDraw.Draw(picture).text((GLYPH_SIDE / 2, GLYPH_SIDE / 2), chr(code), font=font, fill=0, anchor="mm")
    return np.asarray(picture)


SETS: dict[str, Callable[[], Parts]] = {
    "emoji, 64 × 64": emoji,
    "icons, 48 × 48": icons,
    "glyphs, 32 × 32": glyphs,
    f"Fashion-MNIST, {FASHION_LEARNT:,} pictures": fashion,
}
