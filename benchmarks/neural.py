"""Networks, beside four other libraries: what a step costs, and how long it takes to the same validation loss.

Perceptrons on digits and on Fashion-MNIST, LeNet on Fashion-MNIST, and the GPT of `language` on Jane Austen; all with
Adam at a rate of 10⁻³, in float32, from the same first weights (the GPTs of Flax and Keras: from the same
distributions). Peers are given batches that were shuffled before, as arrays of their own, which they need not wait for;
ours shuffles as it goes. PyTorch is whichever is fastest of eager and compiled, with channels first and last; Flax is
Linen's loop with Optax, a compiled step whose buffers are donated; Keras is `fit` with many steps per execution;
scikit-learn's `MLPClassifier` knows perceptrons alone. "first step" is the first step with all that is compiled for it,
without a cache; "to a loss" is the time of all steps until a look at what was held out, one every so many steps, finds
that loss.
"""

import gc
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from torch._inductor.utils import fresh_cache

from benchmarks._austen import austen
from benchmarks._images import fashion_mnist
from benchmarks._learners import Learner, Ours, Problem
from benchmarks._learners_flax import Flax
from benchmarks._learners_keras import Keras
from benchmarks._learners_sklearn import Sklearn
from benchmarks._learners_torch import Torch
from benchmarks._rows import PAUSE, Row, alternately
from benchmarks.language import BATCH, CONTEXT, HEADS, LAYERS, WIDTH
from descend.neural._gpt import GPT, Shape
from descend.neural._lenet import LeNet
from descend.neural._next_token import NextToken
from descend.neural._objective import Objective
from descend.neural._tokens import Characters
from descend.neural.gathering import Corpus, streams
from descend.neural.perceptron import MLP

PACKAGES = ("descend", "jax", "torch", "keras", "flax", "optax", "scikit-learn", "numpy")
TURN, REPEATS = 0.2, 5  # seconds of a turn, and how many turns each learner has
MOST = 40  # times that a network is judged on its way


def rows() -> Iterator[Row]:
    """A table for each network."""
    for batch in (16, 64, 256):
        yield from _contest(f"MLP 64-32-10, batch {batch}", _digits(batch), loss=0.2, judged_every=2000 // batch**0.5)
    for batch in (16, 64, 256):
        yield from _contest(f"MLP 784-256-128-10, batch {batch}", _clothes(batch), 0.4, 3000 // batch**0.5)
    yield from _contest("LeNet, batch 256", _pictures(256), 0.6, 30)
    yield from _contest(f"GPT, {BATCH} × {CONTEXT} characters", _novels(), 2.5, 25)


def _contest(workload: str, problem: Problem, loss: float, judged_every: float) -> Iterator[Row]:
    """Everybody's first step, what a step takes, and the time to a loss."""
    learners = dict(_started(problem))
    peers = [learner for learner in learners if learner.name != Ours.name]
    steps = [_steps_of_a_turn(learner) for learner in learners]
    turns = alternately([partial(learner.train, n) for learner, n in zip(learners, steps, strict=True)], REPEATS, PAUSE)
    per_step = [1e3 * seconds / n for seconds, n in zip(turns, steps, strict=True)]
    to_loss = [_time_to(problem, learner, loss, round(judged_every)) for learner in learners]
    for quantity, unit, (ours, *theirs) in (
        ("step", "ms/step", per_step),
        (f"to a loss of {loss:g}", "s", to_loss),
        ("first step", "s", learners.values()),
    ):
        for peer, value in zip(peers, theirs, strict=True):
            yield Row(workload, peer.name, quantity, unit, ours, value)
    gc.collect()


def _started(problem: Problem) -> Iterator[tuple[Learner, float]]:
    """The learners, and the seconds of the first step of each; of PyTorch's, the one whose steps are fastest."""
    yield _started_one(Ours, problem)
    layouts = (False, True) if isinstance(problem.start, LeNet) else (False,)
    variants = [_started_one(partial(Torch, compiled=compiled, channels_last=layout), problem)
                for compiled in (False, True) for layout in layouts]
    yield min(variants, key=lambda variant: min(_seconds(variant[0], 20) for _ in range(3)))
    yield _started_one(Keras, problem)
    yield _started_one(Flax, problem)
    if isinstance(problem.start, MLP):
        yield _started_one(Sklearn, problem)


def _started_one(make: Callable[[Problem], Learner], problem: Problem) -> tuple[Learner, float]:
    learner = make(problem)
    with fresh_cache():
        return learner, _seconds(learner, 1)


def _steps_of_a_turn(learner: Learner) -> int:
    steps = 20
    for _ in range(2):
        steps = max(1, round(steps * TURN / _seconds(learner, steps)))
    return steps


def _seconds(learner: Learner, steps: int) -> float:
    """The time of some steps."""
    time.sleep(PAUSE)
    begin = time.perf_counter()
    learner.train(steps)
    return time.perf_counter() - begin


def _time_to(problem: Problem, learner: Learner, loss: float, judged_every: int) -> float:
    """The time of all steps until a look at what was held out finds the loss; looking is not counted."""
    learner.restart()
    seconds = 0.0
    for _ in range(MOST):
        seconds += _seconds(learner, judged_every)
        if problem.judged(learner) <= loss:
            return seconds
    return float("nan")


def _digits(batch: int) -> Problem:
    features, target = load_digits(return_X_y=True)
    X, y = np.asarray(features / 16, np.float32), target.astype(np.int32)
    return Problem(Objective("classification"), _perceptron(64, 32, 10), (X[360:], y[360:], None), (X[:360], y[:360]),
                   batch, steps=64_000 // batch)


def _clothes(batch: int) -> Problem:
    (X, y), held_out = ((_pixels(X).reshape(len(X), -1), y) for X, y in _fashion())
    return Problem(Objective("classification"), _perceptron(784, 256, 128, 10), (X, y, None), held_out, batch,
                   steps=len(X) // batch)


def _pictures(batch: int) -> Problem:
    (X, y), held_out = ((_pixels(X)[..., None], y) for X, y in _fashion())
    start = LeNet.drawn(X.shape[1:], 10, 0.0, 1.0, 0.0, np.random.default_rng(0))
    return Problem(Objective("classification"), start, (X, y, None), held_out, batch, steps=len(X) // batch)


def _novels() -> Problem:
    text = austen().encode()
    tokenizer = Characters.of([text])
    learnt, held_out = streams(Corpus(text), tokenizer, 0.1, CONTEXT)
    assert isinstance(learnt, np.ndarray)
    assert isinstance(held_out, np.ndarray)
    shape = Shape(tokenizer.size, CONTEXT, LAYERS, HEADS, WIDTH, "learned")
    start = GPT.drawn(shape, np.random.default_rng(0))
    examples, judged_by = (_windows(tokens) for tokens in (learnt, held_out[: 500 * CONTEXT]))
    return Problem(NextToken(), start, examples, judged_by, BATCH, steps=len(examples[0]) // BATCH)


def _windows(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows side by side, and the tokens that come one later."""
    count = (len(tokens) - 1) // CONTEXT
    first, second = (tokens[i : i + count * CONTEXT].reshape(count, CONTEXT).astype(np.int32) for i in (0, 1))
    return first, second


def _perceptron(*sizes: int) -> MLP:
    return MLP.drawn(sizes, "relu", 0.0, np.random.default_rng(0))


def _fashion() -> list[tuple[np.ndarray, np.ndarray]]:
    return [(X, y.astype(np.int32)) for X, y in (fashion_mnist(), fashion_mnist("t10k"))]


def _pixels(X: np.ndarray) -> np.ndarray:
    return X.astype(np.float32) / 255
