"""What a training of pictures starts from: the layers of another network, out of a file of weights or a run."""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from descend._facts import Facts, refuse_nonfinite, refuse_other_size
from descend._saved import ESTIMATOR, file_of
from descend._tree import join, split
from descend.engine.storing import is_ours, read_arrays, tree_from_arrays
from descend.errors import InputError
from descend.neural._pictured import PictureNetwork
from descend.neural._residual import Residual
from descend.neural._resnet import ResNet, ResNetShape, drawn_layers, pixel_units
from descend.neural._weights import weights
from descend.neural.resnet_files import layers_in, read_weights

# What a file calls a network of pictures.
SAVED_AS = "ConvClassifier"
# Numbers of a picture that a saved network may ask for: files may be anybody's.
LARGEST_PICTURE = 2**20
# Pixels along the shorter side: a ResNet halves five times, and of smaller pictures one place would be left.
LEAST_SIDE = 64
Sees = tuple[int, int, int]


@dataclass(frozen=True)
class Plan:
    """How a residual network is made up: what it `sees` (height, width, channels), and the `width` of one of ours, or
    the shape of a `resnet`."""

    sees: Sees
    width: int
    resnet: ResNetShape | None = None

    def drawn(
        self, outputs: int, units: tuple[bool, float, float], dropout: float, rng: np.random.Generator
    ) -> tuple[PictureNetwork, Any]:
        """A network with weights drawn, and the state that it begins with; `units`: whether pictures are bytes, what is
        subtracted from pixels, and what they are divided by then."""
        if self.resnet is None:
            _, centre, scale = units
            return Residual.drawn(self.sees, outputs, centre, 1 / scale, dropout, self.width, rng)
        layers = drawn_layers(self.resnet, rng)
        given = pixel_units(self.resnet.channels, *units)
        network = ResNet.of(self.resnet, layers, self.sees, outputs, given, dropout, rng)
        return network, self.resnet.nested(layer.fresh for layer in layers)

    def size(self, outputs: int) -> int:
        """How many weights one with so many outputs has."""
        return self.resnet.size(outputs) if self.resnet else Residual.size(self.sees, outputs, self.width)

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        made = {"resnet": self.resnet.facts()} if self.resnet else {"width": self.width}
        return {"sees": list(self.sees)} | made

    @classmethod
    def of_facts(cls, told: Facts) -> "Plan":
        """What `facts` gave, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """
        sees = told.wholes("sees")
        if len(sees) != 3 or min(sees) < 1 or math.prod(sees) > LARGEST_PICTURE:
            told.refuse("sees", f"height, width and channels, {LARGEST_PICTURE:,} numbers at the most", sees)
        if not told.has("resnet"):
            return cls(sees, told.whole("width", 1))
        resnet = ResNetShape.of_facts(told.inner("resnet"))
        if resnet.channels != sees[2]:
            told.refuse("sees", f"of {resnet.channels} channels", sees)
        return cls(sees, 0, resnet)


@dataclass(frozen=True)
class Start:
    """The layers and the state of a network that was trained, how it is made up, the file that it is from, and a digest
    of that. A `resnet` of torchvision's sees pictures of any size: its plan is made when they are known.

    `head`: a last layer, its matrix and what is added, for those who have one already.
    """

    plan: Plan
    network: PictureNetwork
    state: Any
    file: Path
    digest: str
    head: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def read(cls, path: str | Path) -> "Start":
        """What a file of weights in torchvision's layout has, or a model that descend saved, or the folder of a run.

        **Raises** `InputError` where there is no such network, `CheckpointError` if it is damaged.
        """
        path = Path(path).expanduser()
        file = file_of(path) if path.is_dir() else path
        if not file.is_file():
            raise InputError(f"{path} has no model: give a folder that `descend fit` wrote, whose training ended, or a "
                             "file of weights" if path.is_dir() else f"there is no file or folder '{path}': check the "
                             "path")
        make = _of_ours if is_ours(file) else _of_weights
        return make(file, hashlib.sha256(file.read_bytes()).hexdigest())

    def plan_for(self, shape: tuple[int, ...]) -> Plan:
        """How the network for pictures of a shape is made up.

        **Raises** `InputError` for pictures that cannot be brought to what it sees.
        """
        height, width, channels = shape
        if channels != self.plan.sees[2] and {channels, self.plan.sees[2]} != {1, 3}:
            raise InputError(f"the pictures have {channels} channels, but {self.file} starts from {self.plan.sees[2]}: "
                             "bring them to that")
        if self.plan.sees[0]:
            return self.plan
        larger = max(LEAST_SIDE / min(height, width), 1)
        return replace(self.plan, sees=(round(larger * height), round(larger * width), self.plan.sees[2]))

    def put_into(self, network: Any) -> tuple[PictureNetwork, Any]:
        """A network that was made by the plan, with these layers; and the state."""
        theirs: Any = self.network
        head = {} if self.head is None else dict(zip(("weight", "bias"), map(weights, self.head), strict=True))
        return replace(network, stem=theirs.stem, blocks=theirs.blocks, **head), self.state

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.plan.resnet.name if self.plan.resnet else "residual network"


def _of_weights(file: Path, digest: str) -> Start:
    """A network of a file in torchvision's layout."""
    arrays, shape = read_weights(file)
    layers, state = layers_in(arrays, shape)
    # Which size it sees is not known before the pictures are.
    plan = Plan((0, 0, shape.channels), 0, shape)
    rng = np.random.default_rng(0)
    network = ResNet.of(shape, layers, plan.sees, 1, pixel_units(shape.channels, True, 0.0, 1.0), 0.0, rng)
    return Start(plan, network, state, file, digest)


def _of_ours(file: Path, digest: str) -> Start:
    """The network of a model that descend saved; of several models, the first that is one."""
    arrays, facts = read_arrays(file)
    found = _network_in(Facts(facts, str(file)), facts, arrays)
    if found is None or found.settings.any("model") != "residual" or "network/bias" not in found.arrays:
        raise InputError(f"{file} has no residual network of pictures to start from: name a run of pictures that kept "
                         "one, or a file of weights")
    plan, arrays = found.plan, found.arrays
    outputs = arrays["network/bias"].size
    refuse_other_size(arrays, "network", plan.size(outputs), str(file))
    network, state = plan.drawn(outputs, (True, 0.0, 1.0), 0.0, np.random.default_rng(0))
    numbers, rest = split(network)
    refuse_nonfinite(arrays, str(file))
    return Start(plan, join(tree_from_arrays(numbers, arrays, "network"), rest),
                 tree_from_arrays(state, arrays, "state"), file, digest)


class _Found(NamedTuple):
    """A network in a file: what it was made by, what it learnt of pictures, and its arrays."""

    settings: Facts
    learnt: Facts
    arrays: dict[str, np.ndarray]

    @property
    def plan(self) -> Plan:
        if self.learnt.has("plan"):
            return Plan.of_facts(self.learnt.inner("plan"))
        return Plan.of_facts(Facts({"sees": self.learnt.any("shape"), "width": self.settings.any("width")},
                                   self.learnt.where))


def _network_in(told: Facts, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> _Found | None:
    """What an estimator's file has, or that of a run, which may have several models."""
    if told.has(ESTIMATOR):
        mine = told.inner(ESTIMATOR)
        is_one = mine.any("class") == SAVED_AS
        return _Found(mine.inner("settings"), told.inner("learnt"), arrays) if is_one else None
    for name, each in facts.items():
        if isinstance(each, dict) and each.get("kind") == SAVED_AS:
            # Of a network alone, arrays are called as they are; of several models, after the model's number, too.
            begin = f"{name}/" if name.isdigit() else ""
            own = {key.removeprefix(begin): array for key, array in arrays.items() if key.startswith(begin)}
            return _Found(told.inner(name).inner("settings"), told.inner(name), own)
    return None
