"""Pictures from what the user names: a folder, a table of labels, or IDX files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descend._text import in_a_line
from descend.errors import InputError
from descend.neural.idx import is_idx, read_idx
from descend.neural.pictures import Header, Unreadable, counted, listed, look_at, named, read_pictures, shown
from descend.tasks.common.examples import Examples
from descend.tasks.common.network.collection import Collection
from descend.tasks.common.patterns import files_of
from descend.tasks.common.reading import Table
from descend.tasks.images.idx import from_idx, sets_of_images, to_learn_from
from descend.tasks.images.labels import labels_from
from descend.tasks.images.layout import LEARN, TEST, VALIDATE, Layout, Part, layout_of, passed_over, scanned
from descend.tasks.images.parts import digest_of, refuse_unknown
from descend.tasks.images.sizes import size_for

# What is predicted of pictures.
CLASS = "class"
WITHOUT_THEM = ", or go on without what cannot be read by --skip-damaged"


def has_pictures(source: str | Path) -> bool:
    """Whether a source is a folder that is not one of tables, or an IDX file: then it has pictures, or nothing that can
    be read."""
    path = Path(source).expanduser()
    return (path.is_dir() and not files_of(path)) or (path.is_file() and is_idx(path))


def read_collection(source: str | Path, skip_damaged: bool = False) -> Collection:
    """The pictures of a folder, or of IDX files, with their classes.

    A folder has a folder for each class, a table of labels, or IDX files; or folders called train, val and test, or so,
    which have these. IDX files whose names begin as a test set's do are held out. `skip_damaged`: go on without the
    pictures that cannot be read.

    **Raises** `InputError` if there are none, or if some cannot be read.
    """
    path = Path(source).expanduser()
    if not path.is_dir():
        return from_idx(path, path.name.removesuffix(".gz"))
    name = path.resolve().name
    if found := sets_of_images(path):
        return from_idx(to_learn_from(found, path), name)
    return _read(layout_of(path), path, name, skip_damaged)


def labelled_by(table: Table, source: str | Path, skip_damaged: bool = False) -> Collection | None:
    """The pictures that a table in a file gives labels to; None, if it speaks of none.

    **Raises** `InputError` as `read_collection` does.
    """
    path = Path(source).expanduser()
    found = labels_from(table, path)
    if found is None:
        return None
    layout = Layout({LEARN: Part(shown(path), found.paths, found.labels, found.names)}, found.notes)
    return _read(layout, path.parent, table.name, skip_damaged)


def pictures_to_predict(source: str | Path, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str], list[str]]:
    """All pictures of a folder, of a file of its own, or of an IDX file, as a network takes them; their names, and what
    is to be told of other files.

    `shape`: height, width, and channels if there are several.

    **Raises** `InputError` if there are none, or if some cannot be read.
    """
    path = Path(source).expanduser()
    if path.is_file() and is_idx(path):
        pixels = read_idx(path)
        if pixels.ndim not in (3, 4):
            raise InputError(f"{path} holds an array of shape {pixels.shape}, which are no images")
        return pixels, [str(number) for number in range(len(pixels))], []
    if not path.exists():
        raise InputError(f"there is no file or folder '{path}': check the path")
    paths, names, notes = [path], [path.name], []
    if path.is_dir():
        files = scanned(path)
        paths = [path / file for file in files.pictures]
        names, notes = [named(file) for file in files.pictures], passed_over(files, paths)
    if not paths:
        raise InputError("; ".join([f"{shown(path)} has no pictures in it", *notes]))
    unreadable = Unreadable()
    pixels = read_pictures(paths, shape, unreadable)
    if unreadable.reasons:
        raise unreadable.refusal(len(paths))
    return pixels, names, notes


@dataclass(frozen=True)
class _Shape:
    """What all pictures are brought to, and what is to be said of that."""

    size: tuple[int, int]
    is_grey: bool
    notes: tuple[str, ...]


def _read(layout: Layout, root: Path, name: str, skip_damaged: bool) -> Collection:
    """The pixels of all parts, in one shape."""
    unreadable = Unreadable()
    paths = [path for part in layout.parts.values() for path in part.paths]
    headers = look_at(paths, unreadable)
    shape = _shape(headers, layout.parts[LEARN], root) if headers else _Shape((1, 1), True, ())
    # All parts are read before any is refused, so that one refusal tells of all that is damaged.
    wanted = shape.size if shape.is_grey else (*shape.size, 3)
    pixels = {purpose: read_pictures(part.paths, wanted, unreadable) for purpose, part in layout.parts.items()}
    if unreadable.reasons and not (skip_damaged and headers):
        raise unreadable.refusal(len(paths), WITHOUT_THEM)
    parts = {purpose: _those(part, unreadable) for purpose, part in layout.parts.items()}
    classes = tuple(np.unique(parts[LEARN].labels).tolist())
    if len(classes) < 2:
        alone = f" alone, '{in_a_line(classes[0])}'" if classes else ""
        raise InputError(f"{parts[LEARN].where} has pictures of one class{alone}: there must be two or more")
    examples = {}
    for purpose, part in parts.items():
        if part.paths:
            refuse_unknown(set(part.labels) - set(classes), part.where, parts[LEARN].where)
            targets = np.searchsorted(classes, part.labels).astype(np.int32)
            examples[purpose] = Examples(pixels[purpose], targets, part.names)
    skipped = (_skipped(unreadable),) if unreadable.reasons else ()
    held = [examples.get(purpose) for purpose in (VALIDATE, TEST)]
    return Collection(
        name, digest_of(classes, examples[LEARN], *held), classes, examples[LEARN], held[1],
        validation=held[0], notes=(*layout.notes, *skipped, *shape.notes),
    )


def _those(part: Part, unreadable: Unreadable) -> Part:
    """The pictures of a part that could be read."""
    rows = [row for row in zip(part.paths, part.labels, part.names, strict=True) if row[0] not in unreadable.reasons]
    paths, labels, names = zip(*rows, strict=True) if rows else ((), (), ())
    return Part(part.where, paths, labels, names)


def _skipped(unreadable: Unreadable) -> str:
    return f"{counted(unreadable.reasons, 'picture')} that cannot be read, left out: {listed(unreadable.reasons)}"


def _shape(headers: dict[Path, Header], learn: Part, root: Path) -> _Shape:
    """Grey ones among pictures with colours are read as colour, with three equal channels."""
    seen = [path for path in learn.paths if path in headers]
    greys = [path for path in seen if headers[path].is_grey]
    all_grey = len(greys) == len(seen)
    chosen = size_for([header.size for header in headers.values()], len(headers))
    notes = [chosen.note]
    if greys and not all_grey:
        names = [path.relative_to(root) if path.is_relative_to(root) else path for path in greys]
        verb = "is" if len(greys) == 1 else "are"
        notes.append(f"{listed(names)} {verb} grey among colour pictures: read as colour")
    return _Shape(chosen.size, all_grey, tuple(notes))
