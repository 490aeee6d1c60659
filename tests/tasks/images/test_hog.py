"""Histograms of oriented gradients, against the paper's words in plain loops; and colours, counted by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from descend.tasks.images.kernel.colours import colours_of
from descend.tasks.images.kernel.gradients import ORIENTATIONS, blocks, gradients_of, in_cells, oriented

RNG = np.random.default_rng(0)


def by_hand(image, rows, columns):
    """Cells of one picture, pixel by pixel: the steepest channel, shared by two orientations and by four cells."""
    height, width, channels = image.shape
    cells = np.zeros((rows, columns, ORIENTATIONS))
    at = lambda y, x, c: float(image[min(max(y, 0), height - 1), min(max(x, 0), width - 1), c])
    for y in range(height):
        for x in range(width):
            steps = [(at(y + 1, x, c) - at(y - 1, x, c), at(y, x + 1, c) - at(y, x - 1, c)) for c in range(channels)]
            down, right = max(steps, key=lambda step: math.hypot(*step))
            place = math.degrees(math.atan2(down, right)) % 180 / (180 / ORIENTATIONS)
            for orientation, of_turn in ((math.floor(place), 1 - place % 1), (math.floor(place) + 1, place % 1)):
                for row in range(rows):
                    for column in range(columns):
                        away = [abs((pixel + 0.5) / length * count - 0.5 - cell) for pixel, length, count, cell in
                                ((y, height, rows, row), (x, width, columns, column))]
                        share = max(1 - away[0], 0) * max(1 - away[1], 0)
                        cells[row, column, orientation % ORIENTATIONS] += share * of_turn * math.hypot(down, right)
    return cells


@pytest.mark.parametrize(("shape", "rows", "columns"), [((9, 12, 3), 4, 4), ((8, 8, 1), 2, 3), ((5, 3, 2), 2, 1)])
def test_cells_are_those_of_plain_loops(shape, rows, columns):
    image = RNG.uniform(size=shape).astype(np.float32)
    found = in_cells(oriented(255 * image[None]), rows, columns)[0]
    np.testing.assert_allclose(found, by_hand(image, rows, columns), rtol=1e-4, atol=1e-5)


def test_an_edge_has_one_orientation_whichever_side_is_lit():
    """A vertical edge climbs to the right: half a turn further it is the same edge, as is its negative."""
    edge = np.repeat(np.array([0.0, 0.0, 255.0, 255.0], np.float32)[None, :], 4, axis=0)[None, ..., None]
    votes = oriented(edge).sum(axis=(0, 1, 2))
    assert votes.argmax() == 0
    assert votes[1:] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(oriented(255 - edge), oriented(edge), atol=1e-6)
    assert oriented(edge.transpose(0, 2, 1, 3)).sum(axis=(0, 1, 2))[[4, 5]] == pytest.approx([votes[0] / 2] * 2)


def test_blocks_are_of_one_length_and_nothing_stands_out():
    cells = RNG.exponential(size=(2, 3, 4, ORIENTATIONS)).astype(np.float32)
    found = blocks(cells).reshape(2, 2, 3, 4 * ORIENTATIONS)
    one = cells[1, 1:3, 2:4].transpose(2, 0, 1).ravel()
    one = np.minimum(one / np.linalg.norm(one), 0.2)
    np.testing.assert_allclose(found[1, 1, 2], one / np.linalg.norm(one), rtol=1e-4)


def test_more_light_changes_nothing_and_one_tone_is_nothing():
    images = RNG.uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(gradients_of(images / 3 + 50), gradients_of(images), atol=2e-3)
    assert not gradients_of(np.full((1, 1, 1, 1), 180, np.float32)).any()


def test_colours_are_counted():
    """Left red, right grey: two parts by two are alike in rows; half of the pixels are of either colour."""
    image = np.zeros((1, 2, 2, 3), np.float32)
    image[..., 0, 0], image[..., 1, :] = 1.0, 0.5
    found = colours_of(255 * image)[0]
    parts, occurrences = found[:-64].reshape(4, 2, 3), found[-64:]
    np.testing.assert_array_equal(parts[:, 0], [[1, 0, 0], [0.5, 0.5, 0.5]] * 2)
    assert not parts[:, 1].any()
    # Of four degrees each, 1 is the last, and 0.5 the third.
    expected = np.zeros(64)
    expected[[3, 2 + 2 * 4 + 2 * 16]] = math.sqrt(0.5)
    np.testing.assert_allclose(occurrences, expected, rtol=1e-6)


@pytest.mark.parametrize("side", [17, 48])
def test_jax_computes_the_same_of_photographs(side):
    """Pieces of two photographs, many of whose pixels are as steep in one channel as in another, and flat patches."""
    pieces = [photo[y : y + side, x : x + side] for photo in load_sample_images().images
              for y, x in ((0, 0), (150, 200), (300, 500))]
    images = np.stack([*pieces, pieces[0] // 86 * 86]).astype(np.float32)
    for features in (gradients_of, colours_of):
        np.testing.assert_allclose(features(jnp.asarray(images)), features(images), atol=1e-5)
