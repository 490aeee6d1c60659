"""Where a model looks: at the only place that it is made to look at; and what of it is on the page."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from descend.tasks.images import occlusion
from descend.tasks.images.occlusion import speaking_for
from descend.tasks.images.shown import shown_picture


def bright_corner(images):
    """Two classes, told by the mean of the upper left quarter: of light ones, the second."""
    chance = images[:, :8, :10].mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - chance, chance], axis=1)


@pytest.mark.parametrize("numbers", [np.uint8, np.float32])
def test_it_is_seen_where_the_model_looks(numbers):
    image = np.zeros((16, 20, 3), numbers)
    image[:8, :10] = 255
    for_light, for_dark = speaking_for(bright_corner, np.stack([image, image]), np.array([1, 0]))
    inside, outside = for_light[:8, :10], for_light[10:, 12:]
    assert inside.mean() > 0.02
    assert outside == pytest.approx(0, abs=1e-12)
    # What speaks for one of two classes speaks against the other one as much.
    np.testing.assert_allclose(for_dark, -for_light, atol=1e-12)


def test_what_a_patch_hides_is_counted_by_hand():
    """One row of two pixels: a patch at either place hides both, and both pixels lose the same."""
    seen = []
    predict = lambda images: (seen.append(images), bright_corner(images))[1]
    image = np.array([[[250], [50]]], np.uint8)[None]
    found = speaking_for(predict, image, np.array([1]))
    assert [each.ravel().tolist() for each in seen[0]] == [[150, 150], [150, 150]]
    np.testing.assert_allclose(found, 0, atol=1e-12)


def planted(side, patch):
    """Of patches that alone tell the class: in how many the peak lies, and how much of all that is found."""
    rng, hits, shares = np.random.default_rng(0), [], []
    for row, column in rng.integers(0, side - patch, (20, 2)):
        there = slice(row, row + patch), slice(column, column + patch)
        image = np.zeros((1, side, side, 1), np.float32)
        image[0][there] = 255
        light = lambda images, there=there: images[:, *there].mean(axis=(1, 2, 3)) / 255
        found = speaking_for(lambda images, light=light: np.stack([1 - light(images), light(images)], 1), image,
                             np.array([1]))[0]
        hits.append((found[there] >= found.max() - 1e-9).any())
        shares.append(found[there].sum() / found[found > 0].sum())
    return np.mean(hits), np.mean(shares)


@pytest.mark.parametrize(("side", "patch"), [(32, 6), (64, 10)])
def test_small_pictures_are_looked_at_more_finely(side, patch, monkeypatch):
    hits, share = planted(side, patch)
    monkeypatch.setattr(occlusion, "LARGE", 0)
    assert hits == 1
    assert share > 1.2 * planted(side, patch)[1]


def test_large_pictures_are_looked_at_in_bounded_time():
    asked = []
    speaking_for(lambda images: asked.append(len(images)) or np.ones((len(images), 2)),
                 np.zeros((1, 65, 65, 1), np.float32), np.array([0]))
    assert asked == [49, 1]


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7, 1), (1, 1, 1)])
def test_the_page_has_the_picture_and_red_where_it_was_looked_at(shape):
    looked = np.zeros(shape[:2])
    looked[0, 0] = 0.5
    told = shown_picture(np.full(shape, 90, np.uint8), looked, "<b>cat</b>")
    assert told.endswith("<figcaption><b>cat</b></figcaption></figure>")
    first, second = (np.asarray(Image.open(io.BytesIO(base64.b64decode(each))))
                     for each in re.findall(r"base64,([^\"]+)", told))
    assert (first == 90).all()
    red, green, _ = second[0, 0].astype(int)
    assert red - green > 60
    assert (second.reshape(-1, 3)[1:].std(axis=1) < 2).all()
