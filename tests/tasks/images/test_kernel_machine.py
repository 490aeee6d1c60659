"""The kernel: pictures left out against fits without them, its minimum, and files that may be anybody's."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from descend import load_model
from descend._facts import Facts
from descend.errors import CheckpointError, InputError
from descend.tasks.images.kernel import machine, solving
from descend.tasks.images.kernel.machine import HogClassifier
from descend.tasks.images.kernel.ridge import Decomposed
from descend.tasks.images.kernel.solving import Kernel, best_kernel, solved

RNG = np.random.default_rng(0)


def pictures(count, classes=2, shape=(8, 8, 3), seed=0):
    """Pictures whose tone tells their class mostly."""
    rng, numbers = np.random.default_rng(seed), np.arange(count) % classes
    tones = 60 + 40 * numbers
    return np.clip(rng.normal(tones[:, None, None, None], 40, (count, *shape)), 0, 255).astype(np.uint8), numbers


def test_rows_left_out_are_those_of_fits_without_them():
    columns, targets = RNG.normal(size=(12, 5)), RNG.normal(size=(12, 2))
    found = Decomposed.of(columns, targets)
    for row in range(12):
        some, theirs = np.delete(columns, row, axis=0), np.delete(targets, row, axis=0)
        alone = np.linalg.solve(some.T @ some + 0.3 * np.eye(5), some.T @ theirs)
        np.testing.assert_allclose(found.without_each(0.3)[row], columns[row] @ alone, rtol=1e-8)


def test_all_pictures_compared_with_is_the_kernel_itself():
    """Against scikit-learn's solution of the whole kernel's system, whose constant is one more column."""
    points, others = RNG.normal(size=(30, 3)), RNG.normal(size=(7, 3))
    apart = lambda one, other: np.square(one[:, None] - other).sum(axis=2)
    numbers = np.arange(30) % 3
    kernel, every = Kernel(0.5, 0.7), [apart(points, points), apart(points, points[:, :1] @ np.ones((1, 3)))]
    every[1] = every[0] / 2
    found = solved(kernel, every, np.arange(30), numbers)
    peer = KernelRidge(alpha=found.penalty, kernel="precomputed").fit(kernel(*every) + 1, np.eye(3)[numbers])
    new = [apart(others, points), apart(others, points) / 2]
    mine = kernel(*new) @ found.weights[:-1] + found.weights[-1]
    np.testing.assert_allclose(mine, peer.predict(kernel(*new) + 1), atol=1e-5)


def test_the_kernel_that_is_kept_loses_least():
    """Colours alone tell the classes: with a share of colours less is lost than without."""
    shapes, colours = np.square(RNG.normal(size=(40, 40))), np.zeros((40, 40))
    numbers = np.arange(40) % 2
    colours[numbers[:, None] != numbers] = 4.0
    shapes = (shapes + shapes.T) * (1 - np.eye(40))
    found = best_kernel([shapes, colours], np.arange(40), numbers)
    assert found.kernel.share > 0
    assert found.loss < solved(Kernel(0.0, 1.0), [shapes, colours], np.arange(40), numbers).loss
    assert found.loss == pytest.approx(-np.log(found.left_out[np.arange(40), numbers]).mean(), rel=1e-6)


def test_as_many_kernels_are_tried_as_there_is_time_for(monkeypatch):
    tried = []
    monkeypatch.setattr(solving, "solved", lambda kernel, *rest: tried.append(kernel) or solved(kernel, *rest))
    apart, numbers = [np.square(RNG.normal(size=(20, 20)))] * 2, np.arange(20) % 2
    best_kernel(apart, np.arange(20), numbers, lambda: len(tried) >= 2)
    assert len(tried) == 2
    tried.clear()
    best_kernel(apart, np.arange(20), numbers, lambda: True)
    assert len(tried) == 1


def test_it_tells_pictures_apart_and_is_stored(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "LANDMARKS", 40)
    images, numbers = pictures(90, classes=3)
    model = HogClassifier().fit(images, np.array(["a", "b", "c"])[numbers])
    new, truth = pictures(60, classes=3, seed=1)
    assert (model.predict(new) == np.array(["a", "b", "c"])[truth]).mean() > 0.9
    facts, arrays = model.parts()
    assert len(arrays["gradients"]) == 40
    model.save(tmp_path / "kernel")
    again = load_model(tmp_path / "kernel")
    np.testing.assert_array_equal(again.predict_proba(new), model.predict_proba(new))
    np.testing.assert_array_equal(again.predict(new), model.predict(new))
    with pytest.raises(InputError, match="trained on were"):
        model.predict(new[:, :7])
    for name, value in {"shape": [8, 8], "distances": [1.0], "unit": 0, "steepness": "x"}.items():
        with pytest.raises(CheckpointError):
            HogClassifier().take_parts(Facts(facts | {name: value}, "file"), arrays, 3)
    for name in arrays:
        with pytest.raises(CheckpointError):
            HogClassifier().take_parts(Facts(facts, "file"), arrays | {name: arrays[name][:, :-1]}, 3)


@pytest.mark.parametrize("images", [np.zeros((6, 1, 1), np.uint8), np.full((6, 3, 4, 2), 0.5)])
def test_pictures_of_one_tone_have_the_shares_of_their_classes(images):
    said = HogClassifier().fit(images, [0, 0, 0, 0, 1, 1]).predict_proba(images)
    assert np.isfinite(said).all()
    assert (said[:, 0] > 0.5).all()


def test_bytes_and_the_same_pictures_as_fractions_are_told_alike():
    images, numbers = pictures(40)
    images[0], images[1] = 0, 255
    fractions = images.astype(np.float32) / 255
    one, other = HogClassifier().fit(images, numbers), HogClassifier().fit(fractions, numbers)
    np.testing.assert_allclose(other.predict_proba(fractions), one.predict_proba(images), atol=1e-3)
