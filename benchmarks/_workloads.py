"""Models, losses and examples that rules without a learning rate are judged on; no number is fitted to them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from benchmarks import _linear_data as tables
from benchmarks._images import fashion_mnist

Data = tuple[Any, Any]  # examples to train on, and held-out ones


@dataclass(frozen=True)
class Workload:
    """A model at its start, its loss, its examples and its budget."""

    name: str
    start: Callable[[Data], Any]
    loss: Callable[[Any, Any], Any]
    data: Callable[[], Data]
    batch_size: int
    steps: int


def workloads() -> Iterator[Workload]:
    """All of them, those of the quickest steps first."""
    yield Workload("adult, perceptron", perceptron(104, 64, 2), cross_entropy, adult, 64, 2000)
    yield Workload("diamonds, perceptron", perceptron(26, 128, 64, 1), squared, diamonds, 64, 3000)
    yield Workload("airfoil, perceptron", perceptron(5, 64, 64, 1), squared, airfoil, 32, 4000)
    yield Workload("letters, perceptron", perceptron(16, 128, 64, 26), cross_entropy, letters, 64, 4000)
    yield Workload("Fashion-MNIST, perceptron", perceptron(784, 256, 128, 10), cross_entropy, fashion, 64, 2000)
    yield Workload("Fashion-MNIST, autoencoder", perceptron(784, 128, 32, 128, 784), rebuilt, fashion_alone, 64, 1500)
    yield Workload("20 Newsgroups, perceptron", perceptron(2000, 64, 20), cross_entropy, newsgroups, 64, 900)
    yield Workload("InstEval, factorisation", factors, factorised, insteval, 256, 1500)
    yield Workload("logistic, columns over three decades", flat(40, 2), cross_entropy, decades, 64, 3000)
    yield Workload("Austen, GPT", gpt, next_token, austen, 16, 1500)


# ------------------------------------------------------------------------------------------------ models and losses


def perceptron(*sizes: int) -> Callable[[Data], Any]:
    """A perceptron with rectifiers, drawn by He's rule."""
    from descend.neural.perceptron import MLP

    return lambda _: MLP.drawn(sizes, "relu", 0.0, np.random.default_rng(0))


def flat(inputs: int, outputs: int) -> Callable[[Data], Any]:
    """A linear model that begins at 0."""
    from descend.neural.perceptron import MLP

    return lambda _: jax.tree.map(
        lambda x: 0 * x if isinstance(x, jax.Array) else x,
        MLP.drawn((inputs, outputs), "identity", 0.0, np.random.default_rng(0)),
    )


def gpt(_: Data) -> Any:
    """Two layers over 64 characters."""
    from descend.neural._gpt import GPT, Shape

    return GPT.drawn(Shape(128, 64, 2, 4, 64), np.random.default_rng(0))


def factors(data: Data) -> Any:
    """Eight numbers for each student and each lecturer, and what each adds to a rating."""
    rng = np.random.default_rng(0)
    students, lecturers = (max(part[0][:, i].max() for part in data) + 1 for i in (0, 1))
    return {
        "student": rng.normal(0, 0.1, (students, 8)), "lecturer": rng.normal(0, 0.1, (lecturers, 8)),
        "of_student": np.zeros(students), "of_lecturer": np.zeros(lecturers), "mean": 0.0,
    }


def cross_entropy(model: Any, batch: Any) -> Any:
    """The mean of a batch's cross-entropies."""
    from descend import losses

    return losses.softmax_cross_entropy(model(batch[0], None, None)[0], batch[1]).mean()


def squared(model: Any, batch: Any) -> Any:
    """The mean squared error of one number."""
    return jnp.mean((model(batch[0], None, None)[0][:, 0] - batch[1]) ** 2)


def rebuilt(model: Any, batch: Any) -> Any:
    """The mean squared error of the input itself."""
    return jnp.mean((model(batch, None, None)[0] - batch) ** 2)


def next_token(model: Any, batch: Any) -> Any:
    """The mean cross-entropy of the characters that follow."""
    from descend.neural._gpt import token_losses

    tokens = batch.astype(jnp.int32)
    return token_losses(model.scores(model.hidden(tokens[:, :-1])), tokens[:, 1:]).mean()


def factorised(p: Any, batch: Any) -> Any:
    """The mean squared error of ratings by products of two vectors."""
    (student, lecturer), y = batch[0].T, batch[1]
    z = jnp.sum(p["student"][student] * p["lecturer"][lecturer], axis=1)
    return jnp.mean((z + p["of_student"][student] + p["of_lecturer"][lecturer] + p["mean"] - y) ** 2)


# ------------------------------------------------------------------------------------------------ data


def adult() -> Data:
    """Who earns more than 50,000."""
    X, y = tables.adult()
    return divided(standardised(X), y.astype(np.int32), 10_000)


def diamonds() -> Data:
    """The logarithm of the price of diamonds."""
    X, y = tables.diamonds()
    return divided(standardised(X), standardised(np.log(y)), 10_000)


def airfoil() -> Data:
    """The noise of an airfoil."""
    table = np.loadtxt(tables.find("airfoil_self_noise.dat"), delimiter="\t")
    return divided(standardised(table[:, :-1]), standardised(table[:, -1]), 400)


def letters() -> Data:
    """Which letter a picture shows, by 16 numbers."""
    X, y = tables.letters()
    return divided(standardised(X), np.unique(y, return_inverse=True)[1].astype(np.int32), 5_000)


def fashion() -> Data:
    """Pictures of clothes."""
    train, test = ((pictures(X), y.astype(np.int32)) for X, y in map(fashion_mnist, ("train", "t10k")))
    return train, test


def fashion_alone() -> Data:
    """The pictures without their classes."""
    (train, _), (test, _) = fashion()
    return train, test


def newsgroups() -> Data:
    """The 2,000 most frequent words of 20 groups."""
    (X, y), (X_test, y_test) = tables.newsgroups(), tables.newsgroups("test")
    words = np.argsort(-np.asarray(X.sum(axis=0)).ravel())[:2000]
    classes = np.unique(y)
    dense = lambda part: np.asarray(part[:, words].todense(), np.float32) * 40
    number = lambda of: np.searchsorted(classes, of).astype(np.int32)
    return (dense(X), number(y)), (dense(X_test), number(y_test))


def austen() -> Data:
    """Windows of 65 characters of six novels; the last thousand are held out."""
    text = np.minimum(np.frombuffer(tables.find("austen.txt").read_bytes(), np.uint8), 127)
    windows = text[: len(text) // 65 * 65].reshape(-1, 65)
    return windows[:-1000], windows[-1000:]


def insteval() -> Data:
    """What students think of lecturers, from 1 to 5."""
    table = pd.read_csv(tables.find("InstEval.csv"))
    who = np.stack([pd.factorize(table[name])[0] for name in ("s", "d")], axis=1).astype(np.int32)
    return divided(who, standardised(table["y"].to_numpy(np.float64)), 10_000)


def decades() -> Data:
    """A planted logistic model, whose columns have scales over three decades."""
    X, y = tables.dense_logistic(60_000, 40, decades=3.0)
    return divided(X.astype(np.float32), y.astype(np.int32), 20_000)


def standardised(X: np.ndarray) -> np.ndarray:
    """With a mean of 0 and a spread of 1, by column."""
    spread = X.std(axis=0)
    return ((X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)


def pictures(X: np.ndarray) -> np.ndarray:
    """Rows of numbers around 0."""
    return (X.reshape(len(X), -1).astype(np.float32) / 255 - 0.5) / 0.35


def divided(X: np.ndarray, y: np.ndarray, held_out: int) -> Data:
    """Rows to train on, and others."""
    order = np.random.default_rng(0).permutation(len(X))
    test, train = order[:held_out], order[held_out:]
    return (X[train], y[train]), (X[test], y[test])
