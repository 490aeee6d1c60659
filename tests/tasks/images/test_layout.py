"""Which pictures a folder has: parts of the data, classes, tables of labels, and what is passed over."""

import numpy as np
import pytest
from PIL import Image

from descend.errors import InputError
from descend.neural import pictures
from descend.tasks.images.pictures import pictures_to_predict, read_collection

RNG = np.random.default_rng(0)
TAKEN = "pictures of 5×6 pixels (height×width), taken as they are"


@pytest.fixture(autouse=True)
def without_heic(monkeypatch):
    """As where its package is not installed."""
    monkeypatch.setattr(pictures, "suffixes", lambda: pictures.SUFFIXES)


def paint(root, *names, shape=(5, 6, 3)):
    """A picture in each of these files; and these pictures by name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, shape).astype(np.uint8)).save(root / name)


def of(*folders, count=2):
    return [f"{folder}/{number}.png" for folder in folders for number in range(count)]


def told(part, classes):
    return [(name, classes[target]) for name, target in zip(part.names, part.targets, strict=True)]


def refused(*parts):
    pattern = "[^\\n]*".join(parts)
    return pytest.raises(InputError, match=rf"^[^\n]*{pattern}[^\n]*$")


def test_each_folder_is_a_class_with_all_that_is_below_it(tmp_path):
    paint(tmp_path, "dog/a.png", "cat/a.png", "cat/in/b.png", "cat/.ipynb_checkpoints/a.png", ".trash/x/a.png")
    found = read_collection(tmp_path)
    assert found.classes == ("cat", "dog")
    assert told(found.examples, found.classes) == [("cat/a.png", "cat"), ("cat/in/b.png", "cat"), ("dog/a.png", "dog")]
    assert (found.test, found.validation, found.notes) == (None, None, (TAKEN,))
    pixels = [np.asarray(Image.open(tmp_path / name)).tolist() for name in found.examples.names]
    assert found.examples.inputs.tolist() == pixels


@pytest.mark.parametrize("names", [
    ("train", "val", "test"), ("Train", "Valid", "TEST"), ("TRAINING", "Validation", "eval"),
    ("train", "dev", "testing"),
])
def test_parts_of_the_data_are_not_classes(tmp_path, names):
    learn, validate, test = names
    paint(tmp_path, *of(f"{learn}/a", f"{learn}/b", count=3), *of(f"{validate}/a", f"{validate}/b"), f"{test}/b/x.png")
    found = read_collection(tmp_path)
    assert found.classes == ("a", "b")
    assert [len(part) for part in (found.examples, found.validation, found.test)] == [6, 4, 1]
    assert told(found.test, found.classes) == [(f"{test}/b/x.png", "b")]
    assert found.notes == (f"{learn}: 6 to learn from; {validate}: 4 to validate on; {test}: 1 to test on", TAKEN)


@pytest.mark.parametrize(("there", "validation", "test"), [
    (("train", "val"), 4, None), (("train", "Test"), None, 4), (("train",), None, None),
])
def test_some_parts_may_be_missing(tmp_path, there, validation, test):
    paint(tmp_path, *(name for part in there for name in of(f"{part}/a", f"{part}/b")))
    found = read_collection(tmp_path)
    size = lambda part: None if part is None else len(part)
    assert (len(found.examples), size(found.validation), size(found.test)) == (4, validation, test)


def test_parts_with_a_class_of_their_own_or_twice(tmp_path):
    paint(tmp_path, *of("train/a", "train/b"), *of("val/c"))
    with refused("val has the class 'c', which .*train has not"):
        read_collection(tmp_path)
    paint(tmp_path, *of("dev/a"))
    with refused("dev and .*val are both to validate on: keep one of them"):
        read_collection(tmp_path)


def test_a_train_is_a_class_among_others(tmp_path):
    paint(tmp_path, *of("train", "bus", "car"))
    assert read_collection(tmp_path).classes == ("bus", "car", "train")


def test_parts_without_classes(tmp_path):
    """Tests without classes are to be predicted later; there is nothing to learn from where the others have none."""
    paint(tmp_path, *of("train/a", "train/b"), *of("test"))
    found = read_collection(tmp_path)
    assert found.test is None
    without = "2 pictures without a class, passed over: test/0.png, test/1.png"
    assert found.notes == ("train: 4 to learn from", without, TAKEN)
    paint(tmp_path / "flat", *of("train", "test"))
    with refused("flat/train has pictures to learn from, but no folder for each class, nor a table"):
        read_collection(tmp_path / "flat")


@pytest.mark.parametrize(("outer", "inner"), [(("fold1", "fold2"), ("cat", "dog")), (("cat", "dog"), ("train", "val"))])
def test_two_levels_that_may_both_be_the_classes_are_refused(tmp_path, outer, inner):
    paint(tmp_path, *of(*(f"{one}/{other}" for one in outer for other in inner)))
    with refused(f"its folders {', '.join(outer)} all hold the same folders, {', '.join(inner)}: ",
                 f"/{outer[0]}, or "):
        read_collection(tmp_path)
    paint(tmp_path, f"{outer[0]}/of_its_own.png")
    assert read_collection(tmp_path).classes == outer


def test_one_folder_within_each_is_no_second_level(tmp_path):
    paint(tmp_path, *of("cat/images", "dog/images"))
    assert read_collection(tmp_path).classes == ("cat", "dog")


def test_what_is_passed_over_is_told_by_its_kind(tmp_path):
    paint(tmp_path, *of("a", "b"), "stray.png")
    for name in ["a/1.HEIC", "a/2.heic", "b/notes.txt", "b/Thumbs.db", "b/README", "c/nothing", "a/._0.png", "x.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
    assert read_collection(tmp_path).notes == (
        "1 folder without pictures: c",
        "1 picture without a class, passed over: stray.png",
        "7 other files passed over: 2 without an ending, 2 .heic, 1 .csv and of 2 more kinds; "
        "to read HEIC, install the package pillow-heif",
        TAKEN,
    )
    pixels, names, notes = pictures_to_predict(str(tmp_path), (5, 6, 3))
    assert (pixels.shape, names) == ((5, 5, 6, 3), ["a/0.png", "a/1.png", "b/0.png", "b/1.png", "stray.png"])
    assert notes[0].startswith("7 other files passed over: 2 without")


def test_a_folder_of_nothing_but_heic_says_so(tmp_path):
    for name in ("a/1.heic", "b/1.heic"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"ftypheic")
    with refused("without anything to learn from", "2 .heic; to read HEIC, install the package pillow-heif"):
        read_collection(tmp_path)
    with refused("has no pictures in it; 2 other files passed over: 2 .heic"):
        pictures_to_predict(str(tmp_path), (5, 6, 3))


def test_what_cannot_be_read_is_told_all_at_once_or_skipped(tmp_path):
    """One is seen to be damaged from its first bytes, and one only where it is decoded."""
    paint(tmp_path, *of("train/a", "train/b", "test/a", count=3), "test/a/3.jpg", shape=(40, 40, 3))
    (tmp_path / "train/a/0.png").write_bytes(b"<html>")
    cut = tmp_path / "test/a/3.jpg"
    cut.write_bytes(cut.read_bytes()[:-500])
    both = ("2 of 10 pictures cannot be read: ", "train/a/0.png is damaged", "test/a/3.jpg is damaged")
    with refused(*both, "by --skip-damaged$"):
        read_collection(tmp_path)
    found = read_collection(tmp_path, skip_damaged=True)
    assert found.examples.names == (*of("train/a", count=3)[1:], *of("train/b", count=3))
    assert found.test.names == tuple(of("test/a", count=3))
    assert found.examples.inputs.shape == (5, 40, 40, 3)
    assert np.asarray(Image.open(tmp_path / "test/a/2.png")).tolist() == found.test.inputs[2].tolist()
    assert found.notes[-2].startswith("2 pictures that cannot be read, left out: ")
    with refused("2 of 10 pictures cannot be read: ", "take them away$"):
        pictures_to_predict(str(tmp_path), (5, 6, 3))
    for name in of("train/a", count=3):
        (tmp_path / name).write_bytes(b"")
    with refused("train has pictures of one class alone, 'b'"):
        read_collection(tmp_path, skip_damaged=True)


def test_grey_pictures_among_colour_ones_are_read_as_colour_and_named(tmp_path):
    paint(tmp_path, "cat/colour.png")
    paint(tmp_path, *of("dog", count=5), shape=(5, 6))
    found = read_collection(tmp_path)
    assert found.examples.inputs.shape == (6, 5, 6, 3)
    grey = "dog/0.png, dog/1.png, dog/2.png and 2 more are grey among colour pictures: read as colour"
    assert found.notes == (TAKEN, grey)
    paint(tmp_path, "cat/colour.png", shape=(5, 6))
    assert read_collection(tmp_path).examples.inputs.shape == (6, 5, 6)


def test_links_to_folders(tmp_path):
    """A class may lie elsewhere; links around, or to what is here already, are not followed."""
    paint(tmp_path, *of("elsewhere"), *of("data/cat"))
    (tmp_path / "data/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/cat/around").symlink_to(tmp_path / "data")
    (tmp_path / "data/cat/other").symlink_to(tmp_path / "data/dog")
    (tmp_path / "data/rabbit").symlink_to(tmp_path / "data/cat")
    found = read_collection(tmp_path / "data")
    assert found.examples.names == ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")


@pytest.mark.parametrize(("names", "words"), [
    ([], "is a folder without anything to learn from: expected a folder of pictures for each class, train, val and"),
    (["a.png", "b.png"], "without anything to learn from"),
    (["cat/a.png"], "has pictures of one class alone, 'cat'"),
])
def test_what_cannot_be_learnt_from(tmp_path, names, words):
    paint(tmp_path, *names)
    with refused(words):
        read_collection(tmp_path)
