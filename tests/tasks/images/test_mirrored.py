"""Which images may be mirrored in training."""

import numpy as np
from sklearn.datasets import load_digits

from descend.tasks.images.mirrored import is_mirrorable


def test_pictures_of_what_looks_the_same_in_a_mirror_are_told_from_digits():
    digits = load_digits()
    assert not is_mirrorable(digits.images, digits.target)
    symmetric = digits.images + digits.images[:, :, ::-1]
    assert is_mirrorable(symmetric, digits.target)
    mostly = np.where(digits.target[:, None, None] < 3, digits.images, symmetric)
    assert is_mirrorable(mostly[..., None].astype(np.uint8), digits.target)
    assert not is_mirrorable(np.full((4, 5, 5), 7, np.uint8), np.array([0, 0, 1, 1]))
