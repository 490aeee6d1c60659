"""Folders of pictures, whole and damaged. The pictures are written with NumPy and Pillow, and read back."""

import numpy as np
import pytest
from PIL import Image

from descend.errors import InputError
from descend.neural.folders import is_folder_of_pictures, read_folder, read_pictures

RNG = np.random.default_rng(0)


def picture(folder, name, height=6, width=8, channels=3, **settings):
    """A picture in a file, and its pixels."""
    pixels = RNG.integers(0, 256, (height, width, channels) if channels > 1 else (height, width)).astype(np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **settings)
    return pixels


def refused(message):
    return pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$")


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_and_their_classes(tmp_path, channels):
    names = ["cat/a.png", "cat/deeper/b.png", "dog/a.bmp"]
    pixels = [picture(tmp_path, name, channels=channels) for name in names]
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "dog" / "._a.png").write_bytes(b"what another system leaves")
    (tmp_path / "readme.png").write_bytes(b"in no class")
    found = read_folder(tmp_path)
    assert found.pixels.dtype == np.uint8
    assert found.pixels.tolist() == np.stack(pixels).tolist()
    assert found.classes.tolist() == ["cat", "cat", "dog"]
    assert [str(path.relative_to(tmp_path)) for path in found.paths] == names
    assert found.notes == ()
    assert is_folder_of_pictures(tmp_path)
    assert not is_folder_of_pictures(tmp_path / "cat" / "deeper")


def test_a_grey_picture_among_colour_ones_is_read_as_colour_and_named(tmp_path):
    picture(tmp_path, "cat/colour.png")
    grey = picture(tmp_path, "dog/grey.png", channels=1)
    found = read_folder(tmp_path)
    assert found.pixels[1].tolist() == np.repeat(grey[..., None], 3, axis=2).tolist()
    assert found.notes == ("dog/grey.png is grey among colour pictures: read as colour",)


def test_few_of_many_grey_pictures_are_named(tmp_path):
    picture(tmp_path, "cat/colour.png")
    for number in range(5):
        picture(tmp_path, f"dog/{number}.png", channels=1)
    assert read_folder(tmp_path).notes[0].startswith("dog/0.png, dog/1.png, dog/2.png and 2 more are grey among")


def test_a_damaged_picture_is_named(tmp_path):
    picture(tmp_path, "cat/a.png")
    picture(tmp_path, "dog/cut.png", 40, 40)
    path = tmp_path / "dog" / "cut.png"
    path.write_bytes(path.read_bytes()[:-300])
    with refused(r"dog/cut\.png is damaged, or no picture"):
        read_folder(tmp_path, size=(6, 8))


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"this is text\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_only_has_the_name_of_a_picture_is_named(tmp_path, content):
    picture(tmp_path, "cat/a.png")
    picture(tmp_path, "dog/a.png")
    (tmp_path / "dog" / "b.png").write_bytes(content)
    with refused(r"dog/b\.png is damaged, or no picture"):
        read_folder(tmp_path)


def test_sizes_that_differ(tmp_path):
    picture(tmp_path, "cat/a.png")
    picture(tmp_path, "dog/b.png", 6, 9)
    with refused(r"differ in size \(height×width\): .*cat/a\.png is 6×8, but .*dog/b\.png is 6×9; give the size"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, size=(4, 5)).pixels.shape == (2, 4, 5, 3)


def test_a_size_is_reached_by_scaling_and_cutting(tmp_path):
    """A picture with a white left, a grey middle and a black right third keeps, in a square, what is in its middle."""
    pixels = np.repeat(np.array([255, 128, 0], np.uint8), 8)[None].repeat(8, 0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "x.png")
    assert read_folder(tmp_path, size=(8, 8)).pixels.tolist() == np.full((2, 8, 8), 128).tolist()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_pictures_are_turned_upright(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn to the left, so the picture is to be turned to the right
    pixels = picture(tmp_path, f"cat/a.{suffix}", exif=exif)
    picture(tmp_path, "dog/b.png", 8, 6)
    assert read_folder(tmp_path).pixels[0].tolist() == np.rot90(pixels, -1).tolist()


def test_transparency_is_laid_on_white(tmp_path):
    for name, opacity in (("a", 0), ("b", 255)):
        pixels = np.full((3, 3, 4), 10, np.uint8)
        pixels[..., 3] = opacity
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "x.png")
    assert np.unique(read_folder(tmp_path).pixels[0]).tolist() == [255]
    assert np.unique(read_folder(tmp_path).pixels[1]).tolist() == [10]


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / name / "x.png")
    assert read_folder(tmp_path).pixels[0].tolist() == [[0, 1, 255]]


def test_one_class(tmp_path):
    picture(tmp_path, "cat/a.png")
    with refused("has pictures of one class alone, 'cat'"):
        read_folder(tmp_path)


def test_no_classes(tmp_path):
    picture(tmp_path, "a.png")
    with refused("has no pictures in its folders"):
        read_folder(tmp_path)


def test_no_folder(tmp_path):
    with refused("nowhere is no folder"):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(("shape", "channels"), [((6, 8), 3), ((6, 8, 3), 1), ((3, 3, 3), 3)])
def test_pictures_to_predict_come_in_the_shape_of_those_trained_on(tmp_path, shape, channels):
    pixels = picture(tmp_path, "a.png", channels=channels)
    found = read_pictures([tmp_path / "a.png"], shape)
    assert found.shape == (1, *shape)
    if shape == (6, 8, 3):
        assert found[0].tolist() == np.repeat(pixels[..., None], 3, axis=2).tolist()
