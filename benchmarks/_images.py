"""Fashion-MNIST, from the folder `DESCEND_DATA`, or where the Debian package dataset-fashion-mnist puts it."""

import os
from pathlib import Path

import numpy as np

from descend.neural.idx import read_labelled

PACKAGED = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist(part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Images 28×28 of type uint8 and their classes: 60,000 of the part "train", 10,000 of "t10k"."""
    name = f"{part}-images-idx3-ubyte.gz"
    places = [Path(os.environ["DESCEND_DATA"])] if "DESCEND_DATA" in os.environ else []
    for place in (*places, PACKAGED):
        if (place / name).exists():
            return read_labelled(place / name)
    raise SystemExit(f"{name} is not there: install the Debian package dataset-fashion-mnist, or name the folder with "
                     "its files in DESCEND_DATA")
