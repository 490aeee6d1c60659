"""Folders of pictures as nobody should arrange them: parts, classes and tables in any order, odd names, damage."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

PARTS = ["train", "Train", "val", "valid", "test", "EVAL", "dev"]
FOLDERS = [*PARTS, "a", "b", "cat", "2024", "a\nb", "x\x1b[2J", "c d;'\"",
           "é", "e\u0301", "__MACOSX", ".hidden", "a.png", "\udcff\udcfe", "n" * 200]  # fmt: skip
MODES = ["L", "RGB", "RGBA", "P", "1", "CMYK", "LA", "I;16", "F", "YCbCr", "HSV"]
FORMATS = {"png": "PNG", "jpg": "JPEG", "JPG": "JPEG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP",
           "ppm": "PPM"}  # fmt: skip
OTHERS = ["notes.txt", "Thumbs.db", "h.heic", "README", ".DS_Store", "._1.png", "x.svg", "data.parquet", "a.csv.gz",
          "odd.\n"]  # fmt: skip


def hostile_folder(root: Path, seed: int) -> bool:
    """Fill a folder; whether there are links in it."""
    rng = np.random.default_rng(seed)
    folders = [root, *_folders(root, rng)]
    damage = rng.random() < 0.4
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(int(rng.integers(0, 4)) if number else int(rng.integers(0, 2))):
            _picture(folder, damage, rng)
        if rng.random() < 0.3:
            (folder / str(rng.choice(OTHERS))).write_bytes(rng.bytes(20))
    if rng.random() < 0.4:
        _table(folders[0 if rng.random() < 0.5 else rng.integers(len(folders))], root, rng)
    links = rng.random() < 0.3
    for _ in range(int(rng.integers(1, 4)) if links else 0):
        _link(folders[rng.integers(len(folders))], root, folders, rng)
    return links


def _folders(root: Path, rng: np.random.Generator) -> list[Path]:
    """Classes, parts with the same classes, or whatever comes."""
    draw = lambda among, count: [str(name) for name in rng.choice(among, count, replace=False)]
    kind, classes = rng.random(), draw(FOLDERS, int(rng.integers(2, 4)))
    if kind < 0.3:
        return [root / name for name in classes]
    if kind < 0.6:
        return [root / part / name for part in ["train", *draw(PARTS[2:], 1)] for name in classes]
    return [root.joinpath(*draw(FOLDERS, int(rng.integers(1, 4)))) for _ in range(int(rng.integers(1, 8)))]


def _picture(folder: Path, damage: bool, rng: np.random.Generator) -> None:
    """A small picture of some mode in some format, or in another where that cannot hold it; maybe changed."""
    ending = str(rng.choice(list(FORMATS)))
    height, width = (int(n) for n in rng.choice([1, 5, 5, 5, 70], 2))
    colours = Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8))
    mode, file = str(rng.choice(MODES)), io.BytesIO()
    try:
        picture = colours.convert("L").convert(mode) if mode in ("I;16", "F") else colours.convert(mode)
        picture.save(file, FORMATS[ending])
    except (OSError, ValueError, KeyError):
        file = io.BytesIO()
        colours.save(file, "PNG")
    raw = file.getvalue()
    if damage and rng.random() < 0.3:
        cut = int(rng.integers(len(raw)))
        raw = [b"", b"<html>404</html>", raw[:cut], raw[:cut] + rng.bytes(4) + raw[cut + 4 :]][rng.integers(4)]
    (folder / f"{rng.integers(9)}.{ending}").write_bytes(raw)


def _table(folder: Path, root: Path, rng: np.random.Generator) -> None:
    """Labels of pictures that are there and of others, or what only looks like labels."""
    found = [os.path.relpath(Path(where, name), folder) for where, _, names in os.walk(root) for name in names]
    rows = [(str(name), str(rng.choice(["x", "y", "z", ""]))) for name in found if rng.random() < 0.7]
    if rng.random() < 0.5:
        rows = [(name, label) for name, label in rows if name.endswith(tuple(FORMATS)) and '"' not in name]
    if rng.random() < 0.2:
        rows += [("gone.png", "x"), ("/dev/null", "y"), ("../..", "x")]
    header = str(rng.choice(["file,label", "file,label", "File,Label", "file,class", "label"]))
    lines = [header, *(f'"{name}",{label}' for name, label in rows)]
    (folder / "labels.csv").write_bytes("\n".join(lines).encode(errors="surrogateescape"))


def _link(folder: Path, root: Path, folders: list[Path], rng: np.random.Generator) -> None:
    targets = [root, root.parent, Path("/dev/null"), Path("gone"), *folders]
    place = folder / str(rng.choice(["link", "link.png", "train", "z"]))
    if not place.exists() and not place.is_symlink():
        place.symlink_to(targets[rng.integers(len(targets))])
