"""Descents with a fault that is known, and sound ones: what the doctor is measured on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import descend
from benchmarks._ailing_tasks import MODELS, Task, Tree, loss_of, task
from descend import SGD, Adam, AdamW
from descend.optimizers import WeightDecay
from descend.schedules import Cosine
from descend.sources import MiniBatches


@dataclass(frozen=True)
class Ailing:
    """A task with a fault; `names`: what a diagnosis of it may be called, none for a sound one."""

    task: Task
    fault: str
    names: tuple[str, ...]


def scaled(params: Tree, factor: float) -> Tree:
    """Parameters with all weights multiplied."""
    return jax.tree.map(lambda a: a * factor if a.ndim > 1 else a, params)


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
    chances = jax.nn.softmax(300 * scores)
    return -jnp.mean(jnp.log(chances[jnp.arange(len(target)), target]))


def missing_softmax(scores: Any, target: Any) -> Any:
    """Scores taken for probabilities."""
    return -jnp.mean(jnp.log(jax.nn.relu(scores)[jnp.arange(len(target)), target]))


def broadcasting(scores: Any, target: Any) -> Any:
    """A column against a row."""
    return 0.5 * jnp.mean((scores - target) ** 2)


def relative_error(scores: Any, target: Any) -> Any:
    """An error in relation to a target that can be 0."""
    rounded = jnp.round(target)
    return jnp.mean(jnp.abs(scores[:, 0] - target) / jnp.abs(rounded))


def bounded_output(scores: Any, target: Any) -> Any:
    """A number between 0 and 1, for a target that is not."""
    return 0.5 * jnp.mean((jax.nn.sigmoid(scores[:, 0]) - target) ** 2)


def leaking(one: Task) -> Task:
    """A column that is known only when the target is."""
    rng = np.random.default_rng(0)
    told = lambda data: (np.column_stack([data[0], data[1] + rng.normal(0, 0.05, len(data[1]))]), data[1])
    first = "layer0"
    w = one.params[first]["w"]
    params = {**one.params, first: {**one.params[first], "w": np.concatenate([w, w[:1]])}}
    return replace(one, train=told(one.train), held_out=told(one.held_out), params=params)


def dropped_in_evaluation(one: Task) -> Task:
    """A dropout that is not left out where there is no key."""
    return replace(one, loss=Dropped(one.loss))


@dataclass(frozen=True)
class Dropped:
    """A loss with a third of its inputs left out."""

    loss: Callable[..., Any]

    def __call__(self, params: Tree, batch: Any, key: Any = None) -> Any:
        kept = jax.random.bernoulli(jax.random.key(0) if key is None else key, 2 / 3, batch[0].shape)
        return self.loss(params, (jnp.where(kept, 1.5 * batch[0], 0.0), *batch[1:]))


def in_a_valley(one: Task) -> Task:
    """Columns that are nearly the same, all of one size, at a rate that the steepest direction just bears."""
    mean = lambda X: 5 * X.mean(1, keepdims=True) * X.shape[1] ** 0.5
    mixed = lambda data: ((data[0] + mean(data[0])) / 5, data[1])
    train = mixed(one.train)
    rate = 3 / float(np.linalg.eigvalsh(train[0].T @ train[0] / len(train[0]))[-1])
    return replace(one, train=train, held_out=mixed(one.held_out), optimizer=SGD(rate))


def with_norms(one: Task) -> Task:
    """A penalty on the norms of biases, which begin at 0, where a norm has no slope."""
    norms = lambda params: sum(jnp.sqrt(jnp.sum(part["b"] ** 2)) for part in params.values())
    return replace(one, loss=lambda params, batch: one.loss(params, batch) + 1e-3 * norms(params))


def frozen(one: Task, names: tuple[str, ...]) -> Task:
    """Layers that no gradient comes to."""
    model = MODELS[one.name.split(", ")[1]]
    classes = one.train[1].dtype.kind == "i"

    def loss(params: Tree, batch: Any) -> Any:
        held = {name: jax.lax.stop_gradient(part) if name in names else part for name, part in params.items()}
        return loss_of(model, classes, one.activation)(held, batch)

    return replace(one, loss=loss)


def by(**settings: Any) -> Callable[[Task], Task]:
    """A fault that is one of the settings."""
    return lambda one: replace(one, **settings)


FAULTS: dict[str, Callable[[Task], Task]] = {
    "rate too high": by(optimizer=SGD(3.0, momentum=0.9)),
    "Adam's rate too high": by(optimizer=Adam(0.3)),
    "rate too low": by(optimizer=Adam(3e-6)),
    "momentum": by(optimizer=SGD(0.1, momentum=0.998)),
    "epsilon": by(optimizer=Adam(1e-3, eps=1.0)),
    "beta2": by(optimizer=Adam(0.01, beta2=0.3)),
    "decay": by(optimizer=AdamW(0.003, weight_decay=30.0)),
    "coupled decay": by(optimizer=WeightDecay(SGD(0.1), 0.5, decoupled=False)),
    "constant weights": lambda t: replace(t, params=jax.tree.map(lambda a: np.full_like(a, 0.1), t.params)),
    "large weights": lambda t: replace(t, params=scaled(t.params, 30.0)),
    "small weights": lambda t: replace(t, params=scaled(t.params, 1e-4), optimizer=SGD(0.1)),
    "dead units": lambda t: replace(t, params=biased(t.params, ("layer0", "conv2", "up"), -20.0)),
    "unscaled inputs": lambda t: in_units(t, 1e4, optimizer=SGD(0.05)),
    "unscaled target": lambda t: with_target(t, lambda y: 50 * y + 400),
    "sorted": sorted_by_class,
    "batch of one": by(batch_size=1, optimizer=SGD(0.1, momentum=0.9)),
    "whole batch": lambda t: replace(t, batch_size=len(t.train[1]), steps=30, optimizer=Adam(1e-3)),
    "wrong labels": mislabelled,
    "imbalance": imbalanced,
    "overfitting": lambda t: replace(few_examples(t, 60), steps=2000, optimizer=Adam(0.01)),
    "overlap": overlapping,
    "outliers": with_outliers,
    "double softmax": lambda t: replace(scores_loss(t, double_softmax), optimizer=SGD(0.05)),
    "log of zero": lambda t: scores_loss(t, log_of_softmax),
    "missing softmax": lambda t: scores_loss(t, missing_softmax),
    "broadcast": lambda t: scores_loss(t, broadcasting),
    "root of zero": with_norms,
    "division by zero": lambda t: scores_loss(t, relative_error),
    "bounded output": lambda t: with_target(scores_loss(t, bounded_output), lambda y: 3 * y + 5),
    "frozen layer": lambda t: frozen(t, ("layer0", "conv1", "in")),
    "leakage": leaking,
    "training mode": dropped_in_evaluation,
    "valley": in_a_valley,
}
HIGH = "learning rate too high"
NAMES = {  # what a diagnosis of each may be called
    "rate too high": (HIGH, "momentum too high"),
    "Adam's rate too high": (HIGH,),
    "rate too low": ("learning rate too low",),
    "momentum": ("momentum too high", HIGH),
    "epsilon": ("epsilon unfit", "learning rate too low"),
    "beta2": ("beta2 unfit", HIGH),
    "decay": ("too much weight decay",),
    "coupled decay": ("too much weight decay",),
    "constant weights": ("constant initial weights",),
    "large weights": ("wrongly scaled initial weights", "saturated units"),
    "small weights": ("wrongly scaled initial weights", "vanishing gradients"),
    "dead units": ("dead units", "wrongly scaled initial weights"),
    "unscaled inputs": ("inputs not scaled",),
    "unscaled target": ("target not scaled",),
    "sorted": ("examples not shuffled",),
    "batch of one": ("batches too small", HIGH, "momentum too high"),
    "whole batch": ("batches too large", "learning rate too low"),
    "wrong labels": ("wrong labels",),
    "imbalance": ("class imbalance",),
    "overfitting": ("overfitting",),
    "overlap": ("overlap of training and held-out data",),
    "outliers": ("outliers", "exploding gradients"),
    "double softmax": ("doubled softmax",),
    "log of zero": ("logarithm of zero",),
    "missing softmax": ("missing softmax", "logarithm of zero"),
    "broadcast": ("broadcast",),
    "root of zero": ("root of zero",),
    "division by zero": ("division by zero",),
    "bounded output": ("loss and target do not fit", "target not scaled"),
    "frozen layer": ("frozen layer",),
    "leakage": ("column that tells the target",),
    "training mode": ("evaluated in training mode",),
    "valley": ("ill-conditioned", "learning rate too low"),
}

CALIBRATING: dict[str, Callable[[], Task]] = {
    "digits": partial(task, "digits"),
    "diabetes": partial(task, "diabetes", activation="tanh", steps=500, batch_size=32),
    "breast cancer, linear": partial(task, "breast_cancer", hidden=(), optimizer=Adam(0.01), steps=500),
    "digits, conv": partial(task, "digits", "conv", optimizer=Adam(0.01), steps=300),
}
JUDGING: dict[str, Callable[[], Task]] = {
    "letters": partial(task, "letters", activation="tanh", optimizer=SGD(0.1, momentum=0.9), hidden=(64,), seed=1),
    "airfoil": partial(task, "airfoil", optimizer=Adam(0.01), hidden=(32, 32), seed=1),
    "wine, linear": partial(task, "wine", hidden=(), optimizer=SGD(0.1), steps=500, seed=1, batch_size=16),
    "fashion, conv": partial(task, "fashion", "conv", optimizer=Adam(0.01), steps=300, seed=1),
    "digits, gru": partial(task, "digits", "gru", optimizer=Adam(0.01), seed=1, activation="tanh"),
    "digits, attention": partial(task, "digits", "attention", optimizer=AdamW(0.003), seed=1),
}
JUDGING_AGAIN: dict[str, Callable[[], Task]] = {  # other data, for what was mended after JUDGING had been looked at
    "satellite": partial(task, "satellite", optimizer=Adam(0.003), hidden=(48,), seed=2),
    "concrete": partial(task, "concrete", activation="tanh", optimizer=SGD(0.05, momentum=0.9), seed=2, steps=800),
    "spam, linear": partial(task, "spam", hidden=(), optimizer=Adam(0.01), seed=2, steps=600, batch_size=64),
    "satellite, gru": partial(task, "satellite", "gru", optimizer=Adam(0.005), seed=2, steps=600, activation="tanh"),
    "satellite, attention": partial(task, "satellite", "attention", optimizer=AdamW(0.003), seed=2, steps=600),
}
LINEAR = ("breast cancer, linear", "wine, linear", "spam, linear")
NUMBERS = ("diabetes", "airfoil", "concrete")
ALL = (*CALIBRATING, *JUDGING, *JUDGING_AGAIN)
CLASSES = tuple(name for name in ALL if name not in (*LINEAR, *NUMBERS))
RECTIFIED = ("digits", "digits, conv", "airfoil", "fashion, conv", "digits, attention", "satellite",
             "satellite, attention")  # fmt: skip
LAYERED = tuple(name for name in ALL if name not in LINEAR)
OF_COLUMNS = tuple(name for name in LAYERED if "," not in name) + LINEAR
OF_CLASSES = ("sorted", "wrong labels", "imbalance", "double softmax", "log of zero", "missing softmax", "whole batch")
OF_NUMBERS = (
    "unscaled target",
    "outliers",
    "broadcast",
    "root of zero",
    "division by zero",
    "bounded output",
)
OF_LAYERS = ("constant weights", "large weights", "small weights", "frozen layer")
ONLY = (
    (OF_CLASSES, CLASSES),
    (OF_NUMBERS, NUMBERS),
    (OF_LAYERS, LAYERED),
    (("dead units",), RECTIFIED),
    (("unscaled inputs", "leakage"), OF_COLUMNS),
    (("valley",), LINEAR),
    (("overfitting",), LAYERED),
)
SOUND = (
    lambda t: t,
    lambda t: replace(t, optimizer=AdamW(Cosine(0.01))),
    lambda t: replace(t, optimizer=SGD(0.05, momentum=0.9)),
)


def ailing(tasks: dict[str, Callable[[], Task]]) -> Iterator[Ailing]:
    """Each fault in at least two of the tasks, and the tasks without one, each with three optimizers."""
    for number, (fault, make) in enumerate(FAULTS.items()):
        fitting = [name for name in tasks if fits(fault, name)]
        for i in range(min(2, len(fitting))):
            name = fitting[(number + i * max(1, len(fitting) // 2)) % len(fitting)]
            yield Ailing(replace(make(tasks[name]()), name=name), fault, NAMES[fault])
    for name, build in tasks.items():
        for make in SOUND:
            yield Ailing(replace(make(build()), name=name), "sound", ())


def fits(fault: str, name: str) -> bool:
    """Whether a task can have the fault."""
    return next((name in names for faults, names in ONLY if fault in faults), True)
