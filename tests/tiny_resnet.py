"""Small residual networks of random weights, in files as torchvision would write them."""

import numpy as np
from safetensors.numpy import save_file

from descend.neural._resnet import ResNetShape
from descend.neural.resnet_files import layout

SHAPE = ResNetShape((1, 1, 1, 1), 4, is_deep=False, channels=3)


def arrays_of(shape=SHAPE, classes=7, seed=0):
    """Weights by torchvision's names; variances above 0, and means that leave something to tell."""
    rng = np.random.default_rng(seed)
    shapes = dict(layout(shape)) | {"fc.weight": (classes, shape.features), "fc.bias": (classes,)}
    arrays = {name: rng.normal(0, 1 / np.sqrt(max(np.prod(sizes[1:]), 1)), sizes) for name, sizes in shapes.items()}
    arrays |= {name: rng.uniform(0.5, 1.5, sizes) for name, sizes in shapes.items()
               if name.endswith("running_var") or (len(sizes) == 1 and name.endswith("weight"))}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def written(path, arrays=None):
    """The file, with these weights."""
    save_file(arrays_of() if arrays is None else arrays, path)
    return path
