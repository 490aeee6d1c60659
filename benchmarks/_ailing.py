"""Descents on real data, sound ones, and ones with a fault that is known: what the doctor is measured on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import descend
from descend import SGD, Adam, AdamW
from descend.optimizers import WeightDecay
from descend.schedules import Cosine
from descend.sources import MiniBatches

Tree = Any


@dataclass(frozen=True)
class Task:
    """A descent: the loss of a model, where it begins, its examples, and its settings."""

    name: str
    loss: Callable[..., Any]
    params: Tree
    train: Any
    held_out: Any
    optimizer: Any = Adam(0.003)
    batch_size: int = 32
    steps: int = 1000
    source: Any = None
    activation: str = "relu"

    def descended(self) -> descend.Result:
        """The result of it."""
        data = self.source if self.source is not None else self.train
        size = None if self.source is not None else self.batch_size
        return descend.minimize(self.loss, self.params, data, optimizer=self.optimizer, batch_size=size,
                                steps=self.steps, snapshots=True, stop=[])


@dataclass(frozen=True)
class Ailing:
    """A task with a fault; `names`: what a diagnosis of it may be called, none for a sound one."""

    task: Task
    fault: str
    names: tuple[str, ...]


# ---------------------------------------------------------------------------------------------------------------- data


@lru_cache
def table(name: str, seed: int = 0) -> tuple[Any, Any, bool]:
    """Examples to descend on and to judge by, with columns of mean 0 and spread 1; whether the target is a class."""
    from sklearn import datasets

    if name in ("digits", "wine", "breast_cancer", "iris"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        classes, y = True, y.astype(np.int32)
    elif name == "letters":
        X, y = letters()
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
    if name in ("digits", "fashion"):
        X = X / X.max()
    else:
        X = (X - X[:cut].mean(0)) / np.maximum(X[:cut].std(0), 1e-6)
    if not classes:
        y = ((y - y[:cut].mean()) / y[:cut].std()).astype(np.float32)
    return (X[:cut], y[:cut]), (X[cut:], y[cut:]), classes


def regression(name: str) -> tuple[Any, Any]:
    """A regression."""
    from sklearn.datasets import load_diabetes

    if name == "diabetes":
        return load_diabetes(return_X_y=True)
    import pandas as pd
    from benchmarks.fetch import DATA

    if name == "airfoil":
        frame = np.loadtxt(DATA / "airfoil_self_noise.dat")
        return frame[:, :-1], frame[:, -1]
    frame = pd.read_csv(DATA / f"{name}.csv").select_dtypes("number").dropna()
    columns = frame.to_numpy(np.float64)
    return columns[:, :-1], columns[:, -1]


def letters() -> tuple[Any, Any]:
    """Pictures of letters, by sixteen numbers."""
    import rdata
    from benchmarks.fetch import DATA

    frame = next(iter(rdata.read_rda(DATA / "LetterRecognition.rda").values()))
    return frame.iloc[:6000, 1:].to_numpy(np.float32), frame.iloc[:6000, 0].astype("category").cat.codes.to_numpy(np.int32)


def fashion() -> tuple[Any, Any]:
    """Pictures of clothes."""
    import gzip

    from benchmarks.fetch import DATA

    read = lambda file, skip: np.frombuffer(gzip.open(DATA / file).read(), np.uint8, offset=skip)
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
    return {f"layer{i}": layer(rng, a, b) for i, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False))}


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
    return {"conv1": {"w": kernel(1, 8), "b": np.zeros(8)}, "conv2": {"w": kernel(8, 16), "b": np.zeros(16)},
            "out": layer(rng, 16, outputs)}


def conv(params: Tree, x: Any, activation: str = "relu") -> Any:
    """The scores of a convolutional network for square pictures."""
    side = round(x.shape[1] ** 0.5)
    x = x.reshape(-1, side, side, 1)
    for name, stride in (("conv1", 2), ("conv2", 2)):
        x = jax.lax.conv_general_dilated(x, params[name]["w"], (stride, stride), "SAME",
                                         dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = ACTIVATIONS[activation](x + params[name]["b"])
    return x.max((1, 2)) @ params["out"]["w"] + params["out"]["b"]


def gru_start(inputs: int, outputs: int, size: int = 32, seed: int = 0) -> dict[str, Any]:
    """The weights of a gated recurrent network."""
    rng = np.random.default_rng(seed)
    return {"in": layer(rng, inputs, 3 * size), "back": {"w": rng.normal(0, size**-0.5, (size, 3 * size))},
            "out": layer(rng, size, outputs)}


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
    return {"in": layer(rng, inputs, size), "position": {"w": rng.normal(0, 0.1, (inputs, size))},
            "qkv": layer(rng, size, 3 * size), "up": layer(rng, size, 2 * size), "down": layer(rng, 2 * size, size),
            "out": layer(rng, size, outputs)}


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


def task(data: str, model: str = "mlp", activation: str = "relu", seed: int = 0, hidden: tuple[int, ...] = (32,),
         **settings: Any) -> Task:
    """A sound descent."""
    train, held_out, classes = table(data, seed)
    inputs, outputs = train[0].shape[1], int(train[1].max()) + 1 if classes else 1
    side = round(inputs**0.5)
    starts = {"mlp": lambda: mlp_start([inputs, *hidden, outputs], seed), "conv": lambda: conv_start(outputs, seed),
              "gru": lambda: gru_start(side, outputs, seed=seed),
              "attention": lambda: attention_start(side, outputs, seed=seed)}
    made = Task(f"{data}, {model}", loss_of(MODELS[model], classes, activation), starts[model](), train, held_out,
                activation=activation)
    return replace(made, **settings)


# -------------------------------------------------------------------------------------------------------------- faults


def scaled(params: Tree, factor: float) -> Tree:
    """Parameters with all weights multiplied."""
    return jax.tree.map(lambda a: a * factor if a.ndim > 1 else a, params)


def offset(params: Tree, value: float) -> Tree:
    """Parameters whose last bias is at a value."""
    last = list(params)[-1]
    return {**params, last: {**params[last], "b": np.full_like(params[last]["b"], value)}}


def biased(params: Tree, names: tuple[str, ...], value: float) -> Tree:
    """Parameters with biases set to a value."""
    return {name: {**one, "b": np.full_like(one["b"], value)} if name in names else one for name, one in params.items()}


def in_units(one: Task, factor: float, **settings: Any) -> Task:
    """Inputs in units that differ."""
    sizes = np.geomspace(1, factor, one.train[0].shape[1]).astype(np.float32)
    change = lambda data: ((data[0] + 1) * sizes, data[1])
    return replace(one, train=change(one.train), held_out=change(one.held_out), **settings)


def with_target(one: Task, change: Callable[[Any], Any]) -> Task:
    """Another target."""
    return replace(one, train=(one.train[0], change(one.train[1])), held_out=(one.held_out[0], change(one.held_out[1])))


def sorted_by_class(one: Task) -> Task:
    """Examples in the order of their target, and drawn so."""
    order = np.argsort(one.train[1], kind="stable")
    data = jax.tree.map(lambda array: array[order], one.train)
    return replace(one, source=MiniBatches(data, one.batch_size, shuffle=False))


def mislabelled(one: Task, share: float = 0.3) -> Task:
    """Some labels drawn at random."""
    rng = np.random.default_rng(0)
    labels = one.train[1].copy()
    wrong = rng.random(len(labels)) < share
    labels[wrong] = rng.integers(0, labels.max() + 1, wrong.sum())
    return replace(one, train=(one.train[0], labels))


def imbalanced(one: Task, keep: int = 12) -> Task:
    """All classes but two with a few examples alone."""
    labels = one.train[1]
    rare = np.flatnonzero(labels >= 2)
    few = np.concatenate([rare[labels[rare] == c][:keep] for c in range(2, labels.max() + 1)])
    chosen = np.random.default_rng(0).permutation(np.concatenate([np.flatnonzero(labels < 2), few]))
    return replace(one, train=jax.tree.map(lambda array: array[chosen], one.train))


def few_examples(one: Task, count: int) -> Task:
    """Only some of the examples."""
    return replace(one, train=jax.tree.map(lambda array: array[:count], one.train))


def with_outliers(one: Task) -> Task:
    """A few targets that are very wrong."""
    target = one.train[1].copy()
    target[::97] *= 300
    return replace(one, train=(one.train[0], target))


def overlapping(one: Task) -> Task:
    """Held-out examples that are descended on, too."""
    half = len(one.held_out[1]) // 2
    joined = jax.tree.map(lambda a, b: np.concatenate([a, b[:half]]), one.train, one.held_out)
    return replace(one, train=joined)


def scores_loss(one: Task, make: Callable[..., Any]) -> Task:
    """Another loss of the model's scores: `make(scores, target)`."""
    model = MODELS[one.name.split(", ")[1]]
    return replace(one, loss=lambda params, batch: make(model(params, batch[0], one.activation), batch[1]))


def double_softmax(scores: Any, target: Any) -> Any:
    """Probabilities taken for scores."""
    return descend.losses.softmax_cross_entropy(jax.nn.softmax(scores), target).mean()


def log_of_softmax(scores: Any, target: Any) -> Any:
    """A logarithm of probabilities that may be zero."""
    chances = jax.nn.softmax(30 * scores)
    return -jnp.mean(jnp.log(chances[jnp.arange(len(target)), target]))


def missing_softmax(scores: Any, target: Any) -> Any:
    """Scores taken for probabilities."""
    return -jnp.mean(jnp.log(jax.nn.relu(scores)[jnp.arange(len(target)), target]))


def broadcasting(scores: Any, target: Any) -> Any:
    """A column against a row."""
    return 0.5 * jnp.mean((scores - target) ** 2)


def root_error(scores: Any, target: Any) -> Any:
    """A root of what can be 0: not differentiable there."""
    error = jax.nn.relu(jnp.abs(scores[:, 0] - target) - 0.1)
    return jnp.mean(jnp.sqrt(error))


def relative_error(scores: Any, target: Any) -> Any:
    """An error in relation to a target that can be 0."""
    rounded = jnp.round(target)
    return jnp.mean(jnp.abs(scores[:, 0] - target) / jnp.abs(rounded))


def bounded_output(scores: Any, target: Any) -> Any:
    """A number between 0 and 1, for a target that is not."""
    return 0.5 * jnp.mean((jax.nn.sigmoid(scores[:, 0]) - target) ** 2)


def frozen(one: Task, names: tuple[str, ...]) -> Task:
    """Layers that no gradient comes to."""
    model = MODELS[one.name.split(", ")[1]]
    classes = one.train[1].dtype.kind == "i"

    def loss(params: Tree, batch: Any) -> Any:
        held = {name: jax.lax.stop_gradient(part) if name in names else part for name, part in params.items()}
        return loss_of(model, classes, one.activation)(held, batch)

    return replace(one, loss=loss)


FAULTS: dict[str, tuple[Callable[[Task], Task], tuple[str, ...]]] = {
    "rate too high": (lambda t: replace(t, optimizer=SGD(3.0, momentum=0.9)), ("learning rate too high", "momentum too high")),
    "Adam's rate too high": (lambda t: replace(t, optimizer=Adam(0.3)), ("learning rate too high",)),
    "rate too low": (lambda t: replace(t, optimizer=Adam(3e-6)), ("learning rate too low",)),
    "momentum": (lambda t: replace(t, optimizer=SGD(0.1, momentum=0.998)), ("momentum too high", "learning rate too high")),
    "epsilon": (lambda t: replace(t, optimizer=Adam(1e-3, eps=1.0)), ("epsilon unfit", "learning rate too low")),
    "beta2": (lambda t: replace(t, optimizer=Adam(0.01, beta2=0.3)), ("beta2 unfit", "learning rate too high")),
    "decay": (lambda t: replace(t, optimizer=AdamW(0.003, weight_decay=30.0)), ("too much weight decay",)),
    "coupled decay": (lambda t: replace(t, optimizer=WeightDecay(SGD(0.1), 0.5, decoupled=False)), ("too much weight decay",)),
    "constant weights": (lambda t: replace(t, params=jax.tree.map(lambda a: np.full_like(a, 0.1), t.params)), ("constant initial weights",)),
    "large weights": (lambda t: replace(t, params=scaled(t.params, 30.0)), ("wrongly scaled initial weights", "saturated units")),
    "small weights": (lambda t: replace(t, params=scaled(t.params, 1e-4), optimizer=SGD(0.1)), ("wrongly scaled initial weights", "vanishing gradients")),
    "dead units": (lambda t: replace(t, params=biased(t.params, ("layer0", "conv2", "up"), -20.0)), ("dead units", "wrongly scaled initial weights")),
    "unscaled inputs": (lambda t: in_units(t, 1e4, optimizer=SGD(0.05)), ("inputs not scaled",)),
    "unscaled target": (lambda t: with_target(t, lambda y: 50 * y + 400), ("target not scaled",)),
    "sorted": (sorted_by_class, ("examples not shuffled",)),
    "batch of one": (lambda t: replace(t, batch_size=1, optimizer=SGD(0.1, momentum=0.9)), ("batches too small", "learning rate too high", "momentum too high")),
    "whole batch": (lambda t: replace(t, batch_size=len(t.train[1]), steps=30, optimizer=Adam(1e-3)), ("batches too large", "learning rate too low")),
    "wrong labels": (mislabelled, ("wrong labels",)),
    "imbalance": (imbalanced, ("class imbalance",)),
    "overfitting": (lambda t: replace(few_examples(t, 60), steps=2000, optimizer=Adam(0.01)), ("overfitting",)),
    "overlap": (overlapping, ("overlap of training and held-out data",)),
    "outliers": (with_outliers, ("exploding gradients", "outliers")),
    "double softmax": (lambda t: scores_loss(t, double_softmax), ("doubled softmax",)),
    "log of zero": (lambda t: scores_loss(t, log_of_softmax), ("logarithm of zero",)),
    "missing softmax": (lambda t: scores_loss(t, missing_softmax), ("missing softmax", "logarithm of zero")),
    "broadcast": (lambda t: scores_loss(t, broadcasting), ("broadcast",)),
    "root of zero": (lambda t: scores_loss(t, root_error), ("root of zero",)),
    "division by zero": (lambda t: scores_loss(t, relative_error), ("division by zero",)),
    "bounded output": (lambda t: with_target(scores_loss(t, bounded_output), lambda y: 3 * y + 5), ("loss and target do not fit", "target not scaled")),
    "frozen layer": (lambda t: frozen(t, ("layer0", "conv1", "in")), ("frozen layer",)),
    "stagnation": (lambda t: with_target(replace(t, params=offset(t.params, 3e7), optimizer=SGD(0.05)), lambda y: y + 3e7), ("steps below rounding", "target not scaled")),
}

CALIBRATING: dict[str, Callable[[], Task]] = {
    "digits": partial(task, "digits"),
    "diabetes": partial(task, "diabetes", activation="tanh", steps=500, batch_size=32),
    "breast cancer, linear": partial(task, "breast_cancer", hidden=(), optimizer=Adam(0.01), steps=500),
    "digits, conv": partial(task, "digits", "conv", optimizer=Adam(0.01), steps=600),
}
JUDGING: dict[str, Callable[[], Task]] = {
    "letters": partial(task, "letters", activation="tanh", optimizer=SGD(0.1, momentum=0.9), hidden=(64,), seed=1),
    "airfoil": partial(task, "airfoil", optimizer=Adam(0.01), hidden=(32, 32), seed=1),
    "wine, linear": partial(task, "wine", hidden=(), optimizer=SGD(0.1), steps=500, seed=1, batch_size=16),
    "fashion, conv": partial(task, "fashion", "conv", optimizer=Adam(0.01), steps=600, seed=1),
    "digits, gru": partial(task, "digits", "gru", optimizer=Adam(0.01), seed=1, activation="tanh"),
    "digits, attention": partial(task, "digits", "attention", optimizer=AdamW(0.003), seed=1),
}
CLASSES = ("digits", "digits, conv", "letters", "fashion, conv", "digits, gru", "digits, attention")
NUMBERS = ("diabetes", "airfoil")
LINEAR = ("breast cancer, linear", "wine, linear")
OF_CLASSES = ("sorted", "wrong labels", "imbalance", "double softmax", "log of zero", "missing softmax", "whole batch")
OF_NUMBERS = ("unscaled target", "outliers", "broadcast", "root of zero", "division by zero", "bounded output")
OF_LAYERS = ("constant weights", "large weights", "small weights", "frozen layer")
OF_UNITS = ("dead units",)
SOUND = (lambda t: t, lambda t: replace(t, optimizer=AdamW(Cosine(0.01))), lambda t: replace(t, optimizer=SGD(0.05, momentum=0.9)))


def ailing(tasks: dict[str, Callable[[], Task]]) -> Iterator[Ailing]:
    """Each fault in at least two of the tasks, and the tasks without one, each with three optimizers."""
    for number, (fault, (make, names)) in enumerate(FAULTS.items()):
        fitting = [name for name in tasks if fits(fault, name)]
        for i in range(min(2, len(fitting))):
            name = fitting[(number + i * max(1, len(fitting) // 2)) % len(fitting)]
            yield Ailing(replace(make(tasks[name]()), name=name), fault, names)
    for name, build in tasks.items():
        for make in SOUND:
            yield Ailing(replace(make(build()), name=name), "sound", ())


def fits(fault: str, name: str) -> bool:
    """Whether a task can have the fault."""
    if fault in OF_CLASSES:
        return name in CLASSES
    if fault in OF_NUMBERS:
        return name in NUMBERS
    if fault in OF_LAYERS:
        return name not in LINEAR
    if fault in OF_UNITS:
        return name in ("digits", "digits, conv", "airfoil", "fashion, conv", "digits, attention")
    if fault == "unscaled inputs":
        return "conv" not in name and "gru" not in name and "attention" not in name
    if fault == "overfitting":
        return "linear" not in name
    if fault == "stagnation":
        return name in NUMBERS
    return True
