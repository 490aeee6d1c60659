"""Fashion-MNIST, from the folder `DESCEND_DATA`."""

import numpy as np

from benchmarks._linear_data import find
from descend.neural.idx import read_labelled


def fashion_mnist(part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Images 28×28 of type uint8 and their classes: 60,000 of the part "train", 10,000 of "t10k"."""
    find(f"{part}-labels-idx1-ubyte.gz")  # is looked for beside the images
    return read_labelled(find(f"{part}-images-idx3-ubyte.gz"))
