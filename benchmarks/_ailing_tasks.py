"""Descents on real data: perceptrons, linear models, convolutions, a recurrent network and a transformer."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import descend
from benchmarks._linear_data import find
from descend import Adam

Tree = Any
ADAM = Adam(0.003)


@dataclass(frozen=True)
class Task:
    """A descent: the loss of a model, where it begins, its examples, and its settings."""

    name: str
    loss: Callable[..., Any]
    params: Tree
    train: Any
    held_out: Any
    optimizer: Any = ADAM
    batch_size: int = 32
    steps: int = 1000
    source: Any = None
    activation: str = "relu"

    def begun(self) -> descend.Run:
        """The run that it begins with."""
        data, size = self._data
        return descend.begin(self.loss, self.params, data, optimizer=self.optimizer, batch_size=size)

    @property
    def _data(self) -> tuple[Any, int | None]:
        return (self.train, self.batch_size) if self.source is None else (self.source, None)

    def descended(self, **settings: Any) -> descend.Result:
        """The result of it."""
        data, size = self._data
        return descend.minimize(
            self.loss,
            self.params,
            data,
            optimizer=self.optimizer,
            batch_size=size,
            steps=self.steps,
            snapshots=True,
            stop=[],
            **settings,
        )


# ---------------------------------------------------------------------------------------------------------------- data


@lru_cache
def table(name: str, seed: int = 0) -> tuple[Any, Any, bool]:
    """Examples to descend on and to judge by, with columns of mean 0 and spread 1; whether the target is a class."""
    from sklearn import datasets

    if name in ("digits", "wine", "breast_cancer", "iris"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        classes, y = True, y.astype(np.int32)
    elif name in FRAMES:
        X, y = frame_of(name)
        classes = True
    elif name == "fashion":
        X, y = fashion()
        classes = True
    else:
        X, y = regression(name)
        classes = False
    X = np.asarray(X, np.float32)
    order = np.random.default_rng(seed).permutation(len(X))
    X, y = X[order], y[order]
    cut = len(X) * 7 // 10
    centre, spread = (0.0, X.max()) if name in ("digits", "fashion") else (X[:cut].mean(0), X[:cut].std(0))
    X = (X - centre) / np.maximum(spread, 1e-6)
    if not classes:
        y = ((y - y[:cut].mean()) / y[:cut].std()).astype(np.float32)
    return (X[:cut], y[:cut]), (X[cut:], y[cut:]), classes


def regression(name: str) -> tuple[Any, Any]:
    """A regression."""
    from sklearn.datasets import load_diabetes

    if name == "diabetes":
        return load_diabetes(return_X_y=True)
    if name == "concrete":
        columns = np.loadtxt(find("concrete.csv"), delimiter=",", skiprows=1)[:, 1:]
    else:
        columns = np.loadtxt(find("airfoil_self_noise.dat"))
    return columns[:, :-1], columns[:, -1]


FRAMES = {  # a file, its rows, and whether the classes come first
    "letters": ("LetterRecognition.rda", 6000, True),
    "satellite": ("Satellite.rda", 6435, False),
    "spam": ("spam.rda", 4601, False),
}


def frame_of(name: str) -> tuple[Any, Any]:
    """A classification out of a file of R's."""
    import rdata

    file, rows, is_first = FRAMES[name]
    frame = next(iter(rdata.read_rda(find(file)).values())).iloc[:rows]
    target, columns = (frame.iloc[:, 0], frame.iloc[:, 1:]) if is_first else (frame.iloc[:, -1], frame.iloc[:, :-1])
    return columns.to_numpy(np.float32), target.astype("category").cat.codes.to_numpy(np.int32)


def fashion() -> tuple[Any, Any]:
    """Pictures of clothes."""
    read = lambda file, skip: np.frombuffer(gzip.decompress(find(file).read_bytes()), np.uint8, offset=skip)
    X = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:3000, ::2, ::2]
    return X.reshape(3000, -1).astype(np.float32), read("t10k-labels-idx1-ubyte.gz", 8)[:3000].astype(np.int32)


# -------------------------------------------------------------------------------------------------------------- models

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}


def layer(rng: np.random.Generator, inputs: int, outputs: int) -> dict[str, Any]:
    """A dense layer, drawn by Glorot's law."""
    return {"w": rng.normal(0, (2 / (inputs + outputs)) ** 0.5, (inputs, outputs)), "b": np.zeros(outputs)}


def mlp_start(sizes: list[int], seed: int = 0) -> dict[str, Any]:
    """The weights of a perceptron."""
    rng = np.random.default_rng(seed)
    return {f"layer{i}": layer(rng, a, b) for i, (a, b) in enumerate(pairwise(sizes))}


def mlp(params: Tree, x: Any, activation: str = "relu") -> Any:
    """The scores of a perceptron."""
    layers = list(params.values())
    for one in layers[:-1]:
        x = ACTIVATIONS[activation](x @ one["w"] + one["b"])
    return x @ layers[-1]["w"] + layers[-1]["b"]


def conv_start(outputs: int, seed: int = 0) -> dict[str, Any]:
    """The weights of a small convolutional network."""
    rng = np.random.default_rng(seed)
    kernel = lambda i, o: rng.normal(0, (2 / ((i + o) * 9)) ** 0.5, (3, 3, i, o))
    return {
        "conv1": {"w": kernel(1, 8), "b": np.zeros(8)},
        "conv2": {"w": kernel(8, 16), "b": np.zeros(16)},
        "out": layer(rng, 16, outputs),
    }


def conv(params: Tree, x: Any, activation: str = "relu") -> Any:
    """The scores of a convolutional network for square pictures."""
    side = round(x.shape[1] ** 0.5)
    x = x.reshape(-1, side, side, 1)
    for name, stride in (("conv1", 2), ("conv2", 2)):
        x = jax.lax.conv_general_dilated(
            x, params[name]["w"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = ACTIVATIONS[activation](x + params[name]["b"])
    return x.max((1, 2)) @ params["out"]["w"] + params["out"]["b"]


def gru_start(inputs: int, outputs: int, size: int = 32, seed: int = 0) -> dict[str, Any]:
    """The weights of a gated recurrent network."""
    rng = np.random.default_rng(seed)
    return {
        "in": layer(rng, inputs, 3 * size),
        "back": {"w": rng.normal(0, size**-0.5, (size, 3 * size))},
        "out": layer(rng, size, outputs),
    }


def gru(params: Tree, x: Any, activation: str = "tanh") -> Any:
    """The scores of a recurrent network that reads pictures by rows."""
    side = round(x.shape[1] ** 0.5)
    size = params["back"]["w"].shape[0]

    def step(h: Any, row: Any) -> Any:
        a, b = row @ params["in"]["w"] + params["in"]["b"], h @ params["back"]["w"]
        z, r = (jax.nn.sigmoid(a[:, i * size : (i + 1) * size] + b[:, i * size : (i + 1) * size]) for i in (0, 1))
        new = ACTIVATIONS[activation](a[:, 2 * size :] + r * b[:, 2 * size :])
        return (1 - z) * h + z * new, None

    rows = x.reshape(len(x), side, side).swapaxes(0, 1)
    last, _ = jax.lax.scan(step, jnp.zeros((x.shape[0], size)), rows)
    return last @ params["out"]["w"] + params["out"]["b"]


def attention_start(inputs: int, outputs: int, size: int = 32, seed: int = 0) -> dict[str, Any]:
    """The weights of a small transformer."""
    rng = np.random.default_rng(seed)
    return {
        "in": layer(rng, inputs, size),
        "position": {"w": rng.normal(0, 0.1, (inputs, size))},
        "qkv": layer(rng, size, 3 * size),
        "up": layer(rng, size, 2 * size),
        "down": layer(rng, 2 * size, size),
        "out": layer(rng, size, outputs),
    }


def attention(params: Tree, x: Any, activation: str = "relu") -> Any:
    """The scores of a transformer that reads pictures by rows."""
    side = round(x.shape[1] ** 0.5)
    dense = lambda name, h: h @ params[name]["w"] + params[name]["b"]
    normed = lambda h: (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-5)
    h = dense("in", x.reshape(-1, side, side)) + params["position"]["w"]
    q, k, v = jnp.split(dense("qkv", normed(h)), 3, axis=-1)
    weights = jax.nn.softmax(jnp.einsum("bik,bjk->bij", q, k) / q.shape[-1] ** 0.5)
    h = h + weights @ v
    h = h + dense("down", ACTIVATIONS[activation](dense("up", normed(h))))
    return normed(h).mean(1) @ params["out"]["w"] + params["out"]["b"]


MODELS = {"mlp": mlp, "conv": conv, "gru": gru, "attention": attention}


def loss_of(model: Callable[..., Any], classes: bool, activation: str = "relu") -> Callable[..., Any]:
    """Cross-entropy, or half the squared error."""

    def loss(params: Tree, batch: Any) -> Any:
        x, target = batch
        scores = model(params, x, activation)
        if classes:
            return descend.losses.softmax_cross_entropy(scores, target).mean()
        return descend.losses.squared(scores[:, 0], target).mean()

    return loss


def task(
    data: str,
    model: str = "mlp",
    activation: str = "relu",
    seed: int = 0,
    hidden: tuple[int, ...] = (32,),
    **settings: Any,
) -> Task:
    """A sound descent."""
    train, held_out, classes = table(data, seed)
    inputs, outputs = train[0].shape[1], int(train[1].max()) + 1 if classes else 1
    side = round(inputs**0.5)
    starts = {
        "mlp": lambda: mlp_start([inputs, *hidden, outputs], seed),
        "conv": lambda: conv_start(outputs, seed),
        "gru": lambda: gru_start(side, outputs, seed=seed),
        "attention": lambda: attention_start(side, outputs, seed=seed),
    }
    made = Task(
        f"{data}, {model}",
        loss_of(MODELS[model], classes, activation),
        starts[model](),
        train,
        held_out,
        activation=activation,
    )
    return replace(made, **settings)
