"""Files of pictures, whole and damaged. The pictures are written with NumPy and Pillow, and read back."""

import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from descend.neural import pictures
from descend.neural.pictures import Unreadable, is_picture, look_at, read_pictures

RNG = np.random.default_rng(0)


def picture(folder, name, height=6, width=8, channels=3, **settings):
    """A picture in a file, and its pixels."""
    pixels = RNG.integers(0, 256, (height, width, channels) if channels > 1 else (height, width)).astype(np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **settings)
    return pixels


def read(path, *shape):
    """The only picture, which can be read, in a shape; that of its header with three channels, if none is given."""
    unreadable = Unreadable()
    headers = look_at([path], unreadable)
    (pixels,) = read_pictures([path], shape or (*headers[path].size, 3), unreadable)
    assert unreadable.reasons == {}
    return pixels


def why(path):
    """Why a picture cannot be read."""
    unreadable = Unreadable()
    look_at([path], unreadable)
    assert not len(read_pictures([path], (4, 4), unreadable))
    return unreadable.reasons[path]


@pytest.mark.parametrize(
    ("shape", "channels"), [((6, 8), 1), ((6, 8), 3), ((6, 8, 3), 1), ((6, 8, 3), 3), ((3, 3, 3), 3)]
)
def test_pixels_come_in_the_shape_of_those_trained_on(tmp_path, shape, channels):
    pixels = picture(tmp_path, "a.png", channels=channels)
    found = read(tmp_path / "a.png", *shape)
    assert (found.shape, found.dtype) == (shape, np.uint8)
    if shape == (6, 8, 3):
        assert found.tolist() == (pixels if channels == 3 else np.repeat(pixels[..., None], 3, axis=2)).tolist()
    if (shape, channels) == ((6, 8), 1):
        assert found.tolist() == pixels.tolist()


def test_a_damaged_picture_does_not_keep_others_from_being_read(tmp_path):
    first = picture(tmp_path, "a.png")
    picture(tmp_path, "cut.jpg", 40, 40)
    path = tmp_path / "cut.jpg"
    path.write_bytes(path.read_bytes()[:-300])
    last = picture(tmp_path, "c.png")
    paths, unreadable = [tmp_path / name for name in ("a.png", "cut.jpg", "c.png")], Unreadable()
    assert list(look_at(paths, unreadable)) == paths  # its first bytes are whole
    assert read_pictures(paths, (6, 8, 3), unreadable).tolist() == [first.tolist(), last.tolist()]
    assert list(unreadable.reasons) == [path]
    assert str(unreadable.refusal(3)) == f"{path} {unreadable.reasons[path]}: mend it or take it away"


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"this is text\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_only_has_the_name_of_a_picture(tmp_path, content):
    (tmp_path / "b.png").write_bytes(content)
    assert why(tmp_path / "b.png").startswith("is damaged, or no picture that can be read (")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "link.png", "folder.png", "gone.png"):
        assert why(tmp_path / name) == "is not there, or no file"


def test_all_that_cannot_be_read_are_told_on_one_line_that_is_not_too_long(tmp_path):
    names = ["a\nb.png", "x" * 240 + ".png", *(f"{number}.png" for number in range(200))]
    unreadable = Unreadable()
    look_at([tmp_path / name for name in names], unreadable)
    told = str(unreadable.refusal(300, ", or skip them"))
    assert told.startswith("202 of 300 pictures cannot be read: ")
    assert "a\\nb.png is not there, or no file; " in told
    assert told.endswith("; and 197 more: mend them or take them away, or skip them")
    assert "\n" not in told
    assert len(told) < 2000


def test_a_large_scan_is_read_and_a_larger_one_is_not_called_damaged(tmp_path, monkeypatch):
    """Pillow warns above a limit, which is that of 90 million pixels, and refuses twice as many."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    pixels = picture(tmp_path, "scan.png", 40, 50)
    assert read(tmp_path / "scan.png").tolist() == pixels.tolist()
    picture(tmp_path, "larger.png", 40, 51)
    assert why(tmp_path / "larger.png") == "has more than the 2,000 pixels that are read"


def test_a_size_is_reached_by_scaling_and_cutting(tmp_path):
    """A picture with a white left, a grey middle and a black right third keeps, in a square, what is in its middle."""
    pixels = np.repeat(np.array([255, 128, 0], np.uint8), 8)[None].repeat(8, 0)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    assert read(tmp_path / "x.png", 8, 8).tolist() == np.full((8, 8), 128).tolist()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_pictures_are_turned_upright(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn to the left, so the picture is to be turned to the right
    pixels = picture(tmp_path, f"a.{suffix}", exif=exif)
    assert read(tmp_path / f"a.{suffix}").tolist() == np.rot90(pixels, -1).tolist()


@pytest.mark.parametrize(("opacity", "seen"), [(0, 255), (255, 10)])
def test_transparency_is_laid_on_white(tmp_path, opacity, seen):
    pixels = np.full((3, 3, 4), 10, np.uint8)
    pixels[..., 3] = opacity
    Image.fromarray(pixels).save(tmp_path / "x.png")
    assert np.unique(read(tmp_path / "x.png")).tolist() == [seen]


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / "x.png")
    assert read(tmp_path / "x.png", 1, 3).tolist() == [[0, 1, 255]]


@pytest.mark.parametrize("installed", [False, True])
def test_heic_is_read_where_its_package_is(tmp_path, monkeypatch, installed):
    """One function of the package is called, to teach Pillow; what it would teach is done by the plugin for PNG."""
    pixels, taught = picture(tmp_path, "a.png"), []
    (tmp_path / "a.png").rename(tmp_path / "a.HEIC")
    package = ModuleType("pillow_heif")
    package.__spec__, package.register_heif_opener = ModuleSpec("pillow_heif", None), lambda: taught.append(1)
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    monkeypatch.setattr(pictures, "find_spec", lambda name: installed or None)
    pictures.suffixes.cache_clear()
    try:
        assert is_picture(tmp_path / "a.HEIC") == installed
        if not installed:
            assert why(tmp_path / "a.HEIC") == "is HEIC, which is read where the package pillow-heif is installed"
        else:
            assert read(tmp_path / "a.HEIC").tolist() == pixels.tolist()
            assert taught
    finally:
        pictures.suffixes.cache_clear()


@pytest.mark.parametrize("has_avif", [False, True])
def test_avif_is_a_picture_where_pillow_reads_it(tmp_path, monkeypatch, has_avif):
    monkeypatch.setattr(pictures, "features", SimpleNamespace(check=lambda name: has_avif))
    pictures.suffixes.cache_clear()
    assert is_picture(tmp_path / "a.avif") == has_avif
    pictures.suffixes.cache_clear()


@pytest.mark.peers
def test_a_picture_of_a_telephone(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32, 0], pixels[:, 32:, 2] = 200, 250
    heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / "a.heic", quality=95)
    np.testing.assert_allclose(read(tmp_path / "a.heic").astype(int), pixels, atol=20)
