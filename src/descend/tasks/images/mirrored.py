"""Whether images may be mirrored in training."""

import numpy as np

# The correlation of two pictures: of clothes' means with their mirror images it is .98, of digits' .76.
MIRROR_CORRELATION = 0.9


def is_mirrorable(images: np.ndarray, classes: np.ndarray) -> bool:
    """Whether the mean picture of most classes is nearly its own mirror image, as of clothes, and not of letters."""
    means = (images[classes == chosen].mean(axis=0, dtype=np.float64) for chosen in np.unique(classes))
    # Of a picture of one tone: nothing can be said of it, and NaN is not alike.
    with np.errstate(invalid="ignore"):
        alike = [np.corrcoef(mean.ravel(), mean[:, ::-1].ravel())[0, 1] for mean in means]
    return bool(np.median(alike) > MIRROR_CORRELATION)
