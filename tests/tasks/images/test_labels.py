"""A table of labels beside pictures, or named instead of them."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from descend.errors import InputError
from descend.tasks.common.reading import read_table
from descend.tasks.images.pictures import labelled_by, read_collection

NAMES = [f"images/{number}.png" for number in range(6)]
LABELS = ["b", "a"] * 3
TAKEN = "pictures of 4×4 pixels (height×width), taken as they are"


@pytest.fixture
def folder(tmp_path):
    """Six pictures in a folder of their own, each of one tone, which tells it."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / name)
    return tmp_path


def write(path, files=NAMES, labels=LABELS, columns=("file", "label")):
    frame = pd.DataFrame(dict(zip(columns, (list(files), list(labels)), strict=True)))
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


def tones(found):
    """Of the pictures in the order of the classes."""
    tone, targets = found.examples.inputs[:, 0, 0], found.examples.targets
    return [tone[targets == number].tolist() for number in range(len(found.classes))]


def refused(*parts):
    pattern = "[^\\n]*".join(parts)
    return pytest.raises(InputError, match=rf"^[^\n]*{pattern}[^\n]*$")


@pytest.mark.parametrize(("name", "columns"), [
    ("labels.csv", ("file", "label")), ("x.csv", ("File ", "LABEL")), ("labels.parquet", ("file", "label")),
])
def test_a_table_beside_pictures_has_their_labels(folder, name, columns):
    path = write(folder / name, columns=columns)
    found = read_collection(folder)
    assert (found.classes, tones(found)) == (("a", "b"), [[1, 3, 5], [0, 2, 4]])
    assert found.examples.names == tuple(NAMES)
    assert found.notes == (f"6 pictures with the labels in {name}", TAKEN)
    named = labelled_by(read_table(path), str(path))
    assert (named.digest, named.notes) == (found.digest, (TAKEN,))


def test_labels_have_more_to_say_than_folders(folder):
    """Nothing else is known of pictures without a label, nor of labels without a picture, or none of either."""
    for name in ("images", "more"):
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 4), 9, np.uint8)).save(folder / name / "9.png")
    write(folder / "labels.csv", [*NAMES, "images/9.png", None, NAMES[0]], [*LABELS, None, "b", "b"])
    found = read_collection(folder)
    assert tones(found) == [[1, 3, 5], [0, 2, 4]]
    assert found.notes == (
        "6 pictures with the labels in labels.csv",
        "2 rows of labels.csv lack a file or a label",
        "2 pictures without a class, passed over: images/9.png, more/9.png",
        TAKEN,
    )


def test_each_part_may_have_its_table(folder):
    (folder / "test/images").mkdir(parents=True)
    (folder / "train").mkdir()
    (folder / "images").rename(folder / "train/images")
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(folder / "test/images/0.png")
    write(folder / "train/labels.csv")
    write(folder / "test/labels.csv", NAMES[:1], ["a"])
    found = read_collection(folder)
    assert (tones(found), found.test.inputs[0, 0, 0], found.test.targets.tolist()) == ([[1, 3, 5], [0, 2, 4]], 7, [0])


def test_files_that_are_not_there_are_told_with_the_damaged_ones(folder):
    (folder / NAMES[2]).write_bytes(b"")
    path = write(folder / "labels.csv", [*NAMES, "images/gone.png"], [*LABELS, "a"])
    words = ("2 of 7 pictures cannot be read: ", "2.png is damaged", "images/gone.png is not there")
    with refused(*words):
        read_collection(folder)
    with refused(*words):
        labelled_by(read_table(path), str(path))
    assert tones(read_collection(folder, skip_damaged=True)) == [[1, 3, 5], [0, 4]]


def test_a_picture_with_two_labels(folder):
    write(folder / "labels.csv", [*NAMES, "./images/0.png"], [*LABELS, "a"])
    with refused("labels.csv has './images/0.png' with the labels 'b' and 'a': keep one of them"):
        read_collection(folder)


def test_two_tables(folder):
    write(folder / "a.csv")
    write(folder / "b.csv")
    with refused("has several tables of labels, a.csv and b.csv: keep one of them"):
        read_collection(folder)


@pytest.mark.parametrize("content", ["", "x", "name,label\na,b\n", "file,label\n", 'file,label\n"', "file,label\n,\n"])
def test_other_tables_are_no_labels(folder, content):
    (folder / "labels.csv").write_text(content)
    for name in ("a", "b"):
        (folder / name).mkdir()
        Image.fromarray(np.full((4, 4), 9, np.uint8)).save(folder / name / "9.png")
    assert read_collection(folder).classes == ("a", "b", "images")


def test_tables_that_speak_of_other_files_remain_tables(tmp_path):
    for name, columns in (("sounds.csv", ("file", "label")), ("pictures.csv", ("path", "label"))):
        path = write(tmp_path / name, ["a.wav" if columns[0] == "file" else "a.png"] * 6, columns=columns)
        assert labelled_by(read_table(path), str(path)) is None
