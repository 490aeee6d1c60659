"""What size pictures are brought to, by their own sizes and by how many there are."""

import math

import numpy as np
import pytest
from PIL import Image

from descend.tasks.images.kernel.machine import HogClassifier
from descend.tasks.images.pictures import read_collection
from descend.tasks.images.sizes import size_for


@pytest.mark.parametrize("size", [(24, 24), (28, 28), (64, 48), (128, 128), (128, 200), (1, 1)])
def test_pictures_that_are_small_enough_stay_as_they_are(size):
    chosen = size_for([size] * 3, 2400 if size != (128, 200) else 1000)
    assert chosen.size == size
    assert chosen.note == f"pictures of {size[0]}×{size[1]} pixels (height×width), taken as they are"


@pytest.mark.parametrize(
    ("sizes", "count", "size", "why"),
    [
        ([(1000, 1500)] * 4, 4, (128, 192), ", the largest that is taken"),
        ([(128, 128)] * 4, 4000, (100, 100), ", as 4,000 larger ones would take too long"),
        ([(128, 128)] * 4, 60_000, (64, 64), ", as 60,000 larger ones would take too long"),
        ([(128, 256)] * 4, 60_000, (45, 91), ", as 60,000 larger ones would take too long"),
        ([(64, 8192)] * 4, 4, (23, 2896), ", as longer ones would take too long"),
        ([(16, 16), (24, 24), (24, 24), (64, 64)], 4, (24, 24), ""),
        ([(16, 16), (24, 24), (24, 30), (64, 64)], 4, (24, 24), ", 1 of them cut to that shape"),
        ([(300, 400), (400, 300), (20, 30)], 3, (128, 128), ", the largest that is taken, 3 of them cut to that shape"),
    ],
)
def test_larger_ones_and_those_of_many_sizes_are_brought_to_one(sizes, count, size, why):
    chosen = size_for(sizes, count)
    assert chosen.size == size
    assert chosen.note.endswith(f": brought to {size[0]:,}×{size[1]:,}{why}")
    if len(set(sizes)) == 1:
        assert chosen.note.startswith(f"pictures of {sizes[0][0]:,}×{sizes[0][1]:,} pixels (height×width): ")
    else:
        side = sorted(min(each) for each in sizes)[len(sizes) // 2]
        assert chosen.note.startswith(f"pictures of {len(set(sizes))} sizes, half of them of {side} pixels or more")


@pytest.mark.parametrize("size", [(1, 170_000_000), (13_000, 13_000), (2, 90_000_000), (1, 65_537)])
@pytest.mark.parametrize("count", [1, 10_000, 10**7])
def test_however_large_and_many_they_are_their_pixels_are_bounded(size, count):
    """A side is rounded, and is one pixel at the least, so that the area may be a little more."""
    chosen = size_for([size], count)
    assert min(chosen.size) >= 1
    assert math.prod(chosen.size) <= 1.01 * max(min(4e7 / count, 4 * 128**2), 64**2)


def test_small_detail_tells_classes_apart(tmp_path):
    """Stripes of two pixels, upright or level, that begin with one: of half the size, both would be one grey."""
    rng = np.random.default_rng(0)
    for name, axis in (("level", 0), ("upright", 1)):
        (tmp_path / name).mkdir()
        stripes = np.where((np.indices((128, 128))[axis] + 1) % 4 < 2, 100, 140)
        for number in range(12):
            pixels = np.clip(rng.normal(stripes, 20), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    found = read_collection(tmp_path)
    images, truth = found.examples.inputs, found.examples.targets
    right = lambda pixels: float((HogClassifier().fit(pixels, truth).left_out_.argmax(axis=1) == truth).mean())
    assert images.shape[1:3] == (128, 128)
    assert right(images) == 1
    halved = images.reshape(-1, 64, 2, 64, 2, 1).mean(axis=(2, 4)).astype(np.uint8)
    assert right(halved) < 0.8
