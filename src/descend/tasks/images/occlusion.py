"""Where in pictures a model looks: what it says once a part of them is hidden."""

from collections.abc import Callable, Iterator
from itertools import islice, product

import numpy as np
from jaxtyping import Float, Int, Real

# Places along a side at which a patch lies; it is as wide as two steps between them, so that no edge is its alone. The
# more there are, the smaller is what is found: of patches of 6 pixels in pictures of 32, 7 places found .92, 10 all.
# In pictures of more than so many pixels that would take too long.
PLACES, PLACES_IN_LARGE, LARGE = 10, 7, 64**2
# Pictures with something hidden, told apart at a time.
AT_ONCE = 256


def speaking_for(
    predict: Callable[[np.ndarray], np.ndarray],
    images: Real[np.ndarray, "n height width channels"],
    classes: Int[np.ndarray, " n"],
) -> Float[np.ndarray, "n height width"]:
    """Of each pixel, how much less probable the picture's class is, on average, where a patch hides it.

    Whatever the model is, only its predictions are asked. A patch has the picture's mean colour. Below 0 is what speaks
    against the class.

    Reference: Zeiler and Fergus, "Visualizing and understanding convolutional networks", section 4.2, arXiv 1311.2901.
    """
    patches = _patches(*images.shape[1:3])
    means = images.mean(axis=(1, 2), keepdims=True).astype(images.dtype)
    hidden = (np.where(patch[..., None], mean, image) for image, mean in zip(images, means, strict=True)
              for patch in patches)
    chances = _predicted(predict, hidden, len(images) * len(patches)).reshape(len(images), len(patches), -1)
    rows = np.arange(len(images))
    lost = predict(images)[rows, classes][:, None] - chances[rows, :, classes]
    # The mean over the patches that hide a pixel.
    return np.einsum("np,phw->nhw", lost, patches / patches.sum(axis=0))


def _patches(height: int, width: int) -> np.ndarray:
    """Which pixels each patch hides, (patches, height, width)."""
    places = PLACES if height * width <= LARGE else PLACES_IN_LARGE
    rows, columns = (_along(length, places) for length in (height, width))
    return np.array([down[:, None] & right for down, right in product(rows, columns)])


def _along(length: int, places: int) -> np.ndarray:
    """Which pixels along an axis a patch at each place hides: each is hidden by one at the least."""
    places = min(places, length)
    centres, step = (np.arange(places) + 0.5) * length / places, length / places
    return np.abs(np.arange(length) + 0.5 - centres[:, None]) <= step


def _predicted(predict: Callable[[np.ndarray], np.ndarray], images: Iterator[np.ndarray], count: int) -> np.ndarray:
    """What is said of pictures that are made when they are asked for."""
    sizes = [min(AT_ONCE, count - start) for start in range(0, count, AT_ONCE)]
    return np.concatenate([predict(np.stack(list(islice(images, size)))) for size in sizes])
