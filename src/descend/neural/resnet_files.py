"""Weights of a residual network as files in torchvision's layout: its names, PyTorch's order of axes, safetensors."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from descend._files import write_atomically
from descend.errors import InputError
from descend.neural._residual import ConvBatchNorm, RunningStatistics
from descend.neural._resnet import MOST_BLOCKS, MOST_CHANNELS, STAGES, LayerShape, ResNet, ResNetShape
from descend.neural._weights import weights

Arrays = Mapping[str, np.ndarray]
# What PyTorch writes itself has pickles in it, which may be programs.
PICKLED = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".tar"})
AS_SAFETENSORS = ("save it once more where it came from, by safetensors.torch.save_file(torch.load(FILE, "
                  "weights_only=True), 'weights.safetensors')")
# Batches that a layer has seen, which nothing is calculated from.
COUNTED = ".num_batches_tracked"
HEAD = ("fc.weight", "fc.bias")
NAMES_SHOWN = 3


def read_weights(path: Path) -> tuple[dict[str, np.ndarray], ResNetShape]:
    """The arrays of a file in torchvision's layout, in single precision, and the shape of the network that they make.

    The layers are told by the names and the shapes. A last layer, `fc`, may be missing.

    **Raises** `InputError` for a file that is none, cut short, or of another network.
    """
    if path.suffix.lower() in PICKLED:
        raise InputError(f"{path} may hold a pickle, which could run anything, and is not read: {AS_SAFETENSORS}")
    arrays = {name: array for name, array in _arrays_in(path).items() if not name.endswith(COUNTED)}
    shape = _shape_of(arrays, path)
    _refuse_others(arrays, dict(layout(shape)), path)
    whole = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    for name, array in whole.items():
        if not np.isfinite(array).all() or (name.endswith("running_var") and array.min(initial=0) < 0):
            raise InputError(f"{path}: {name} has numbers that are infinite, none, or a variance below 0")
    return whole, shape


def write_weights(path: Path, network: ResNet, state: Any, shape: ResNetShape) -> None:
    """Write a network as torchvision would.

    **Raises** `InputError` where nothing can be written.
    """
    arrays: dict[str, Any] = {}
    running = (each for part in state for each in ([part] if isinstance(part, RunningStatistics) else part))
    for (conv, norm, _), layer, means in zip(_names(shape), network.layers, running, strict=True):
        arrays[f"{conv}.weight"] = np.transpose(layer.kernel, (3, 2, 0, 1))
        arrays |= {f"{norm}.weight": layer.gain, f"{norm}.bias": layer.bias, f"{norm}.running_mean": means.mean,
                   f"{norm}.running_var": means.var, f"{norm}{COUNTED}": np.array(0, np.int64)}
    arrays |= {"fc.weight": np.transpose(network.weight), "fc.bias": network.bias}
    whole = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    try:
        write_atomically(path, save(whole, {"format": "pt"}))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def layers_in(arrays: Arrays, shape: ResNetShape) -> tuple[list[ConvBatchNorm], list[Any]]:
    """The layers that a file has, in order, and the state of a network of them."""
    layers, running = [], []
    for conv, norm, _ in _names(shape):
        kernel = arrays[f"{conv}.weight"].transpose(2, 3, 1, 0)
        gain, bias = (weights(arrays[f"{norm}.{name}"]) for name in ("weight", "bias"))
        layers.append(ConvBatchNorm(weights(kernel), gain, bias))
        running.append(RunningStatistics(*(weights(arrays[f"{norm}.running_{name}"]) for name in ("mean", "var"))))
    return layers, shape.nested(running)


def layout(shape: ResNetShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The names of its arrays but for those of the last layer, and their shapes."""
    for conv, norm, layer in _names(shape):
        yield f"{conv}.weight", (layer.outputs, layer.inputs, layer.side, layer.side)
        for name in ("weight", "bias", "running_mean", "running_var"):
            yield f"{norm}.{name}", (layer.outputs,)


def _names(shape: ResNetShape) -> Iterator[tuple[str, str, LayerShape]]:
    """What each convolution and what comes after it are called, in the order of the layers."""
    yield "conv1", "bn1", shape.stem
    for stage, blocks in enumerate(shape.stages, 1):
        for number, block in enumerate(blocks):
            where = f"layer{stage}.{number}"
            for place, layer in enumerate(block.layers, 1):
                yield f"{where}.conv{place}", f"{where}.bn{place}", layer
            if block.shortcut:
                yield f"{where}.downsample.0", f"{where}.downsample.1", block.shortcut


def _arrays_in(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="numpy") as file:
            # Half precision of either kind is known to NumPy, as JAX has taught it the other one.
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} is no file of weights that can be read ({error}): give a whole one in the format "
                         "safetensors") from None


def _shape_of(arrays: Arrays, path: Path) -> ResNetShape:
    """The shape that the names and the first arrays tell of."""
    first = arrays.get("conv1.weight")
    depths = tuple(_depth(arrays, stage) for stage in range(1, STAGES + 1))
    if first is None or first.ndim != 4 or not all(depths):
        some = ", ".join(sorted(arrays)[:NAMES_SHOWN]) or "nothing"
        raise InputError(f"{path} has no weights of a ResNet in torchvision's layout, conv1.weight, "
                         f"layer1.0.conv1.weight and so on, but {some}")
    width, channels = first.shape[:2]
    if channels not in (1, 3) or width > MOST_CHANNELS:
        raise InputError(f"{path}: conv1.weight has the shape {first.shape}, which is not for pictures of one channel "
                         "or of three")
    return ResNetShape(depths, width, "layer1.0.conv3.weight" in arrays, channels)


def _depth(arrays: Arrays, stage: int) -> int:
    """How many blocks a stage has."""
    there = (f"layer{stage}.{number}.conv1.weight" in arrays for number in range(MOST_BLOCKS + 1))
    return next((number for number, is_there in enumerate(there) if not is_there), MOST_BLOCKS)


def _refuse_others(arrays: Arrays, wanted: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Refuse arrays that are not those of a network of this shape.

    **Raises** `InputError`.
    """
    missing = [name for name in wanted if name not in arrays]
    # Of another number of classes, or of none: the last layer is made anew.
    surplus = sorted(set(arrays) - set(wanted) - set(HEAD))
    for names, what in ((missing, "lacks"), (surplus, "has besides what a ResNet has")):
        if names:
            more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
            raise InputError(f"{path} {what} {', '.join(names[:NAMES_SHOWN])}{more}: give the weights of a ResNet in "
                             "torchvision's layout")
    for name, shape in wanted.items():
        if arrays[name].shape != shape or arrays[name].dtype.kind not in "fV":
            raise InputError(f"{path}: {name} is {arrays[name].dtype} of shape {arrays[name].shape}, but in a ResNet "
                             f"of these layers fractions of shape {shape}")
