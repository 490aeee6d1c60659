"""The toy sets are what they are called: classes of one size, where geometry has them."""

import numpy as np
import pytest

from descend.studio.playground.toys import GAP, HUMP_WIDTH, HUMPS, INNER, MEANS, OUTER, REACH, TOYS, TURNS

CLASSES = [name for name, toy in TOYS.items() if toy.kind == "classification"]


def drawn(name, count=1000, noise=0.0, seed=3):
    return TOYS[name].points(count, noise, seed)


@pytest.mark.parametrize("count", [50, 101, 1000])
@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_of_one_size(name, count):
    sizes = np.bincount(drawn(name, count).targets)
    assert sizes.sum() == count
    assert sizes.tolist() == [(count + 1) // 2, count // 2]


@pytest.mark.parametrize("name", TOYS)
def test_a_seed_is_a_draw_and_all_lie_in_the_window(name):
    first, again, other = drawn(name), drawn(name), drawn(name, seed=4)
    np.testing.assert_array_equal(first.positions, again.positions)
    assert (first.positions != other.positions).any()
    assert np.abs(first.positions).max() < REACH


def test_circles_are_even_over_their_areas():
    points = drawn("circles", 20_000)
    for which, (low, high) in enumerate((INNER, OUTER)):
        radius = np.hypot(*points.positions[points.targets == which].T)
        assert low <= radius.min() <= radius.max() <= high
        # Of an even ring, half of the area lies within this radius.
        assert np.mean(radius < np.sqrt((low**2 + high**2) / 2)) == pytest.approx(0.5, abs=0.02)


def test_exclusive_or_is_the_sign_of_the_product():
    points = drawn("xor")
    np.testing.assert_array_equal(points.targets == 1, points.positions.prod(1) < 0)
    assert np.abs(points.positions).min() >= GAP
    # All four quarters.
    assert len({tuple(signs) for signs in np.sign(points.positions)}) == 4


def test_gaussians_are_about_their_means():
    points = drawn("gaussians", 20_000)
    for which, mean in enumerate(MEANS):
        of_class = points.positions[points.targets == which]
        np.testing.assert_allclose(of_class.mean(0), mean, atol=0.04)
        np.testing.assert_allclose(of_class.std(0), 0.8, atol=0.02)


def test_arms_of_the_spiral_turn_with_their_radius_and_face_each_other():
    points = drawn("spiral")
    x, y = points.positions.T
    way = np.hypot(x, y) / OUTER[1]
    turned = np.arctan2(x, y) - TURNS * 2 * np.pi * way - np.pi * points.targets
    np.testing.assert_allclose(np.cos(turned), 1, atol=1e-9)


def test_numbers_are_those_of_the_plane_and_the_humps():
    plane, humps = drawn("plane"), drawn("humps")
    np.testing.assert_allclose(plane.targets, (plane.positions[:, 0] + plane.positions[:, 1]) / 12)
    x, y = humps.positions.T
    expected = sum(s * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * HUMP_WIDTH**2)) for (a, b), s in HUMPS)
    np.testing.assert_allclose(humps.targets, expected)
    assert sum(sign for _, sign in HUMPS) == 0


@pytest.mark.parametrize("name", TOYS)
def test_noise_moves_points_and_leaves_their_targets(name):
    still, moved = drawn(name, 5000), drawn(name, 5000, noise=0.7)
    np.testing.assert_array_equal(still.targets, moved.targets)
    assert (moved.positions - still.positions).std() == pytest.approx(0.7, rel=0.03)


def test_a_split_is_a_partition_by_seed():
    points = drawn("circles", 100)
    learned, tested = points.split(0.3, 0)
    assert (len(learned), len(tested)) == (70, 30)
    assert sorted([*learned, *tested]) == list(range(100))
    assert (points.split(0.3, 1)[1] != tested).any()
    few = drawn("circles", 4)
    assert [len(part) for part in few.split(0.9, 0)] == [2, 2]
    assert [len(part) for part in few.split(0.0, 0)] == [3, 1]
