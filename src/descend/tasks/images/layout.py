"""Which pictures a folder has, what class each is of, and which part of the data it belongs to."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from descend.errors import InputError
from descend.neural.pictures import HEIF, counted, is_picture, listed, named, shortened, shown
from descend.tasks.common.reading import read_table
from descend.tasks.images.labels import labels_from, tables_of_labels

LEARN, VALIDATE, TEST = "learn from", "validate on", "test on"
PARTS = {
    "train": LEARN, "training": LEARN,
    "val": VALIDATE, "valid": VALIDATE, "validation": VALIDATE, "dev": VALIDATE,
    "test": TEST, "testing": TEST, "eval": TEST,
}  # fmt: skip
# Kinds of files that a note names.
NAMED_KINDS = 3
EXPECTED_LAYOUTS = (
    "a folder of pictures for each class, train, val and test with such folders, a table with the columns file and "
    "label, IDX files, or nothing but tables"
)


@dataclass(frozen=True)
class Part:
    """Pictures with their classes, and what to call each of them. `where`: the folder, or the table, they are from."""

    where: str
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The pictures by what they are for, and what is to be told of them."""

    parts: dict[str, Part]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Files:
    """What is below a folder, hidden things left out, by paths from it."""

    root: Path
    files: tuple[Path, ...]
    folders: tuple[Path, ...]

    @property
    def pictures(self) -> list[Path]:
        """Those files that are pictures by their names."""
        return [path for path in self.files if is_picture(path)]


def scanned(root: Path) -> Files:
    """All files below a folder, in order. Folders that are links are gone into where they may be parts or classes.

    **Raises** `InputError` if a folder may not be looked into.
    """
    found: list[Path] = []
    folders: list[Path] = []
    linked = {root.resolve()}
    # Links are followed, as data sets are often linked to from several places; so loops must be told.
    for where, inner, files in os.walk(root, followlinks=True, onerror=_refuse):
        place = Path(where).relative_to(root)
        seen = sorted(name for name in inner if not name.startswith("."))
        # Changed in place: that is how `os.walk` is told where to go on.
        inner[:] = [name for name in seen if _is_followed(root, place / name, linked)]
        folders += [place / name for name in inner]
        found += [place / name for name in sorted(files) if not name.startswith(".")]
    return Files(root, tuple(sorted(found)), tuple(folders))


def layout_of(root: Path) -> Layout:
    """The pictures of a folder.

    **Raises** `InputError` if there are none to learn from, or if it cannot be told which are the classes.
    """
    files = scanned(root)
    prefixes = _parts(files)
    tables = {prefix: _table(files, prefix) for prefix in prefixes.values()}
    parts, notes, used = {}, [], set()
    for purpose, prefix in prefixes.items():
        table = tables[prefix]
        if table is None:
            part = _by_folder(files, prefix)
        else:
            found = labels_from(read_table(root / table), root / table)
            if found is None:
                raise InputError(f"{shown(root / table)} has changed while it was read: try again")
            part = Part(shown(root / table), found.paths, found.labels, found.names)
            notes += [f"{len(part.paths):,} pictures with the labels in {shown(table)}", *found.notes]
            used.add(root / table)
        if part.paths:
            parts[purpose] = part
            used.update(part.paths)
    if LEARN not in parts:
        raise InputError(f"{shown(root)} is a folder without anything to learn from: expected {EXPECTED_LAYOUTS}"
                         + "".join(f"; {note}" for note in passed_over(files, used)))
    if len(prefixes) > 1 or prefixes[LEARN] != Path():
        notes.insert(0, "; ".join(f"{shown(prefixes[purpose])}: {len(parts[purpose].paths):,} to {purpose}"
                                  for purpose in parts))
    empty = [] if any(tables.values()) else _empty_classes(files, prefixes.values())
    return Layout(parts, (*notes, *empty, *passed_over(files, used)))


def passed_over(files: Files, used: Iterable[Path]) -> list[str]:
    """What is to be told of files that were not used: pictures without a class, and how many others of each kind."""
    rest = set(used)
    unused = [path for path in files.files if files.root / path not in rest]
    notes = []
    if pictures := [path for path in unused if is_picture(path)]:
        notes.append(f"{counted(pictures, 'picture')} without a class, passed over: {listed(pictures)}")
    others = Counter(path.suffix.lower() for path in unused if not is_picture(path))
    if others:
        kinds = ", ".join(f"{count:,} {shortened(shown(kind)) if kind else 'without an ending'}"
                          for kind, count in sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMED_KINDS])
        more = f" and of {len(others) - NAMED_KINDS:,} more kinds" if len(others) > NAMED_KINDS else ""
        needs = "; to read HEIC, install the package pillow-heif" if HEIF & set(others) else ""
        notes.append(f"{counted(range(others.total()), 'other file')} passed over: {kinds}{more}{needs}")
    return notes


def _refuse(error: OSError) -> None:
    raise InputError(f"{shown(Path(error.filename))} cannot be looked into: {error.strerror or error}") from None


def _is_followed(root: Path, place: Path, linked: set[Path]) -> bool:
    """Whether a folder is gone into: each that a link leads to once, and none that is here already or goes around."""
    path = root / place
    if not path.is_symlink():
        return True
    real, top = path.resolve(), root.resolve()
    # Below the classes no link is followed: what is there has no meaning of its own.
    if len(place.parts) > 2 or real in linked or real.is_relative_to(top) or top.is_relative_to(real):
        return False
    linked.add(real)
    return True


def _parts(files: Files) -> dict[str, Path]:
    """The folders of the parts by their purpose; the folder itself, if it is not divided into parts."""
    with_pictures = sorted({path.parts[0] for path in files.pictures if len(path.parts) > 1})
    by_purpose: dict[str, Path] = {}
    for name in with_pictures:
        if (purpose := PARTS.get(name.casefold())) is None:
            continue
        if purpose in by_purpose:
            both = " and ".join(shown(files.root / other) for other in (by_purpose[purpose], Path(name)))
            raise InputError(f"{both} are both to {purpose}: keep one of them")
        by_purpose[purpose] = Path(name)
    others = [name for name in with_pictures if PARTS.get(name.casefold()) is None]
    # A class may be called "test", too: parts are parts only where one of them is there to learn from.
    alone = {LEARN: Path()}
    if LEARN not in by_purpose or (others and len(by_purpose) == 1):
        return alone
    learn = by_purpose[LEARN]
    if any(path.parts[0] == learn.name and len(path.parts) > 2 for path in files.pictures) or _table(files, learn):
        return {purpose: by_purpose[purpose] for purpose in (LEARN, VALIDATE, TEST) if purpose in by_purpose}
    if others or _table(files, Path()):
        return alone
    raise InputError(f"{shown(files.root / learn)} has pictures to learn from, but no folder for each class, nor a "
                     "table with the columns file and label")


def _table(files: Files, prefix: Path) -> Path | None:
    """The table of labels in a folder."""
    here = [files.root / path for path in files.files if path.parent == prefix]
    found = tables_of_labels(here)
    if len(found) > 1:
        raise InputError(f"{shown(files.root / prefix)} has several tables of labels, "
                         f"{' and '.join(shown(path.name) for path in found[:NAMED_KINDS])}: keep one of them")
    return found[0].relative_to(files.root) if found else None


def _by_folder(files: Files, prefix: Path) -> Part:
    """The pictures in the folders of a folder, each of which is a class."""
    depth = len(prefix.parts)
    mine = [path for path in files.pictures if path.parts[:depth] == prefix.parts and len(path.parts) > depth + 1]
    labels = tuple(named(path.parts[depth]) for path in mine)
    _refuse_two_levels(files.root / prefix, [path.parts[depth:] for path in mine])
    paths = tuple(files.root / path for path in mine)
    return Part(shown(files.root / prefix), paths, labels, tuple(map(named, mine)))


def _refuse_two_levels(folder: Path, paths: list[tuple[str, ...]]) -> None:
    """Refuse folders that hold the same folders, and nothing else: either may be the classes."""
    inner: dict[str, set[str]] = {}
    for outer, *rest in paths:
        if len(rest) == 1:
            # A picture of this folder's own: it is a class.
            return
        inner.setdefault(outer, set()).add(rest[0])
    common = sorted(set.intersection(*inner.values())) if len(inner) > 1 else []
    if len(common) > 1:
        outer, within = (listed(names) for names in (sorted(inner), common))
        one = shown(folder / min(inner))
        raise InputError(f"{shown(folder)}: its folders {outer} all hold the same folders, {within}: if these are the "
                         f"classes, name one of the folders, such as {one}, or call them train, val and test; if not, "
                         "put the pictures of each class into its folder itself")


def _empty_classes(files: Files, prefixes: Iterable[Path]) -> list[str]:
    full = {parent for path in files.pictures for parent in path.parents}
    empty = [path for prefix in prefixes for path in files.folders if path.parent == prefix and path not in full]
    return [f"{counted(empty, 'folder')} without pictures: {listed(empty)}"] if empty else []
