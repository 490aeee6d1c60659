"""Whatever folder is named, its pictures are learnt from, all of its files told of, or it is refused on one line."""

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from amounts import times
from descend.errors import InputError
from descend.tasks.images.pictures import pictures_to_predict, read_collection
from fuzz.folders import hostile_folder

# Seeds of folders with which something was wrong: two lines about a class, and HEIC in a table of labels.
FOUND = [102, 493]
LONGEST = 2500  # letters of a refusal
COUNTED = re.compile(r"([\d,]+) (?:pictures? without a class|other files? passed over|pictures? that cannot be read)")


def visible_files(root: Path) -> int:
    """How many files there are that are not hidden, nor in a hidden folder."""
    inside = [Path(where).relative_to(root) / name for where, _, names in os.walk(root) for name in names]
    return sum(not any(part.startswith(".") for part in path.parts) for path in inside)


def outcome(seed: int, folder: Path) -> str:
    root = folder / str(seed)
    has_links = hostile_folder(root, seed)
    try:
        pictures_to_predict(str(root), (4, 4, 3))
    except InputError as refusal:
        assert_is_one_line(str(refusal))
    try:
        found = read_collection(str(root), skip_damaged=seed % 2 == 0)
    except InputError as refusal:
        assert_is_one_line(str(refusal))
        return "refused"
    parts = [part for part in (found.examples, found.validation, found.test) if part is not None]
    for part in parts:
        assert len(part.inputs) == len(part.targets) == len(part.names) > 0
        assert part.inputs.dtype == np.uint8
        assert part.inputs.shape[1:] == found.examples.inputs.shape[1:]
        assert set(part.targets) <= set(range(len(found.classes)))
    assert set(found.examples.targets) == set(range(len(found.classes)))
    names = [name for part in parts for name in part.names]
    tables = sum("with the labels in" in note for note in found.notes)
    files = {os.path.realpath(root / name) for name in names}
    assert tables or len(files) == len(names)  # none is learnt from and tested on, by whatever name
    "".join([*names, *found.classes, *found.notes]).encode()
    assert not any("\n" in note for note in found.notes)
    told = sum(int(count.replace(",", "")) for note in found.notes for count in COUNTED.findall(note))
    assert has_links or tables or len(names) + told == visible_files(root)
    return "labels" if tables else "parts" if "to learn from" in "".join(found.notes[:1]) else "classes"


def assert_is_one_line(message: str) -> None:
    assert "\n" not in message
    assert len(message) < LONGEST
    message.encode()


@pytest.mark.parametrize("seed", FOUND)
def test_folders_that_were_wrong_once(seed: int, tmp_path: Path) -> None:
    outcome(seed, tmp_path)


def test_any_folder_is_learnt_from_or_refused(tmp_path: Path) -> None:
    found = Counter(outcome(seed, tmp_path) for seed in range(50))
    assert min(found["refused"], found["classes"], found["parts"]) >= 3  # else the folders would try only one way


@pytest.mark.slow
def test_many_folders_are_learnt_from_or_refused(tmp_path: Path) -> None:
    for seed in range(1000, 1000 + times(200)):
        outcome(seed, tmp_path)
