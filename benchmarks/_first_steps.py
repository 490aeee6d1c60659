"""One contestant of `first_step` in a process of its own: `python -m benchmarks._first_steps WORKLOAD CONTESTANT`."""

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState
from jax import monitoring

import descend
from benchmarks._learners import RATE
from benchmarks._learners_flax import Layered, Model
from descend._tree import join, split
from descend.neural._gpt import GPT, Shape
from descend.neural._lenet import LeNet
from descend.neural._next_token import NextToken
from descend.neural._objective import Objective
from descend.neural.perceptron import MLP

COMPILED = "/jax/core/compile/backend_compile_duration"
BATCHES = 100  # that a scan passes, and that there are examples for
CALLS = 100  # of as many lambdas
FIRST, MORE = 20, 500  # calls until memory is looked at, and after it
WIDTH, ROWS = 16, 16  # of the network of many arrays, and of its batches


@dataclass(frozen=True)
class Network:
    """What is learnt: a loss of ours, how the first weights are drawn, examples, and the same network in Flax."""

    loss: Any
    drawn: Callable[[], Any]
    examples: tuple[np.ndarray, np.ndarray]
    batch: int
    linen: Any

    @property
    def batches(self) -> tuple[np.ndarray, ...]:
        """The examples in the order in which they lie, along a first axis of batches."""
        return tuple(part.reshape(BATCHES, self.batch, *part.shape[1:]) for part in self.examples)


@dataclass
class Spent:
    """What a contestant took: seconds and CPU seconds, those of them before it had its first weights, the programs that
    were compiled, and by how many megabytes the process grew."""

    seconds: float = 0.0
    cpu: float = 0.0
    before: float = 0.0
    cpu_before: float = 0.0
    programs: int = 0
    megabytes: float = 0.0

    def __enter__(self) -> "Spent":
        self.programs = 0  # those of what was made ready do not count
        self.seconds, self.cpu = -time.perf_counter(), -time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter()
        self.cpu += time.process_time()

    def begun(self) -> None:
        """The first weights are there."""
        self.before, self.cpu_before = time.perf_counter() + self.seconds, time.process_time() + self.cpu

    def listen(self, event: str, duration_secs: float, **_: str | int) -> None:
        """Count a program, if it is what an event of JAX's tells of."""
        self.programs += event == COMPILED


# ----------------------------------------------------------------------------------------------------------- networks


def ours(network: Network, spent: Spent) -> None:
    """Weights drawn, and a step of `minimize`."""
    with spent:
        start = network.drawn()
        spent.begun()
        descend.minimize(_Labelled(network.loss), start, network.examples, optimizer=descend.Adam(RATE),
                         batch_size=network.batch, steps=1, stop=[])


def flax(network: Network, spent: Spent) -> None:
    """The documented loop's first step: `init`, `TrainState.create`, and a step that is compiled."""
    inputs, targets = (jnp.asarray(part[0]) for part in network.batches)
    with spent:
        params = network.linen.init(jax.random.key(0), inputs)["params"]
        state = TrainState.create(apply_fn=network.linen.apply, params=params, tx=optax.adam(RATE))
        jax.block_until_ready(_flax_step(state, inputs, targets))


@jax.jit
def _flax_step(state: TrainState, inputs: jax.Array, targets: jax.Array) -> TrainState:
    def loss(params: Any) -> jax.Array:
        scores = state.apply_fn({"params": params}, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(scores, targets).mean()

    return state.apply_gradients(grads=jax.grad(loss)(state.params))


def scan(network: Network, spent: Spent) -> None:
    """Our loss and our weights, in a compiled `lax.scan` over all batches."""
    start, rest = split(network.drawn())
    rule, batches = optax.adam(RATE), tuple(map(jnp.asarray, network.batches))
    loss = lambda numbers, batch: _Labelled(network.loss)(join(numbers, rest), batch)

    @jax.jit
    def passed(params: Any, state: Any, batches: Any) -> Any:
        return jax.lax.scan(lambda carry, batch: _optax_step(loss, rule, *carry, batch), (params, state), batches)

    with spent:
        jax.block_until_ready(passed(start, rule.init(start), batches))


@dataclass(frozen=True)
class _Labelled:
    """A loss of ours of examples without weights."""

    loss: Any

    def __call__(self, params: Any, batch: tuple[Any, Any]) -> Any:
        return self.loss(params, batch if isinstance(params, GPT) else (*batch, None))


def _optax_step(loss: Callable[..., Any], rule: Any, params: Any, state: Any, batch: Any) -> Any:
    value, grads = jax.value_and_grad(loss)(params, batch)
    updates, state = rule.update(grads, state, params)
    return (optax.apply_updates(params, updates), state), value


def perceptron(*sizes: int) -> Network:
    """On batches of 16."""
    drawn = partial(MLP.drawn, sizes, "relu", 0.0, np.random.default_rng(0))
    linen = Layered([*pairwise(sizes)])
    return Network(Objective("classification"), drawn, _examples(16, (sizes[0],)), 16, linen)


def lenet() -> Network:
    """On batches of 256 images of 28 by 28."""
    drawn = partial(LeNet.drawn, (28, 28, 1), 10, 0.0, 1.0, 0.0, np.random.default_rng(0))
    linen = Layered([(5, 5, 1, 6), (5, 5, 6, 16), (400, 120), (120, 84), (84, 10)])
    return Network(Objective("classification"), drawn, _examples(256, (28, 28, 1)), 256, linen)


def gpt() -> Network:
    """The small one of `language`, on 12 windows of 64 characters."""
    shape = Shape(92, 64, 4, 4, 128, "learned")
    tokens = np.random.default_rng(0).integers(0, shape.vocabulary, (2, BATCHES * 12, shape.context), np.int32)
    return Network(NextToken(), partial(GPT.drawn, shape, np.random.default_rng(0)), tuple(tokens), 12, Model(shape))


def _examples(batch: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((BATCHES * batch, *shape), np.float32), rng.integers(0, 10, BATCHES * batch, np.int32)


# -------------------------------------------------------------------------------------------------------- many arrays


def deep_ours(arrays: int, spent: Spent) -> None:
    """A step of `minimize` on so many arrays."""
    params, batch = _deep(arrays), _one_batch()
    with spent:
        descend.minimize(deep_loss, params, batch, optimizer=descend.Adam(RATE), batch_size=ROWS, steps=1, stop=[])


def deep_optax(arrays: int, spent: Spent) -> None:
    """A jitted step of Optax."""
    params, batch, rule = _deep(arrays), _one_batch(), optax.adam(RATE)
    with spent:
        jax.block_until_ready(jax.jit(partial(_optax_step, deep_loss, rule))(params, rule.init(params), batch))


def deep_loss(params: list[tuple[Any, Any]], batch: Any) -> Any:
    """The mean squared error of a network of residual layers, `x ← x + tanh(x W + b)/√layers`."""
    x, y = batch
    for W, b in params:
        x = x + jnp.tanh(x @ W + b) / len(params) ** 0.5
    return jnp.mean((x - y) ** 2)


def _deep(arrays: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    spread = WIDTH**-0.5
    return [(rng.normal(0, spread, (WIDTH, WIDTH)).astype(np.float32), np.zeros(WIDTH, np.float32))
            for _ in range(arrays // 2)]


def _one_batch() -> tuple[np.ndarray, ...]:
    return tuple(np.random.default_rng(0).normal(size=(2, ROWS, WIDTH)).astype(np.float32))


# ------------------------------------------------------------------------------------------------------------ lambdas


def lambdas_ours(optimizer: Any, spent: Spent) -> None:
    """Calls of `minimize`, each with a lambda of its own, of the same code."""
    data, start = _line()
    with spent:
        for _ in range(CALLS):
            _one_lambda(optimizer, start, data)


def lambdas_optax(spent: Spent) -> None:
    """As many jitted steps."""
    data, start = _line()
    batch, rule = (data[0][:64], data[1][:64]), optax.adam(RATE)
    with spent:
        for _ in range(CALLS):
            step = jax.jit(partial(_optax_step, _lambda(), rule))
            jax.block_until_ready(step(start, rule.init(start), batch))


def memory(spent: Spent) -> None:
    """By how much the process grows in many calls, after some first ones."""
    data, start = _line()
    for call in range(FIRST + MORE):
        if call == FIRST:
            gc.collect()
            spent.megabytes = -_resident()
        _one_lambda(descend.Adam(RATE), start, data)
    gc.collect()
    spent.megabytes += _resident()


def _one_lambda(optimizer: Any, start: Any, data: Any) -> None:
    descend.minimize(_lambda(), start, data, optimizer=optimizer, batch_size=64, steps=1, stop=[])


def _lambda() -> Callable[..., Any]:
    return lambda p, batch: jnp.mean((batch[0] @ p["w"] + p["b"] - batch[1]) ** 2)


def _line() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(640, 8)).astype(np.float32)
    return (X, X @ np.arange(8, dtype=np.float32)), {"w": np.zeros(8, np.float32), "b": np.zeros((), np.float32)}


def _resident() -> float:
    """Megabytes of memory that the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


NETWORKS: dict[str, Callable[[], Network]] = {
    "MLP 64-32-10": partial(perceptron, 64, 32, 10),
    "MLP 784-256-128-10": partial(perceptron, 784, 256, 128, 10),
    "LeNet": lenet,
    "GPT": gpt,
}
OTHERS: dict[str, dict[str, Callable[[Spent], None]]] = {
    "500 arrays": {"ours": partial(deep_ours, 500), "Optax": partial(deep_optax, 500)},
    "2000 arrays": {"ours": partial(deep_ours, 2000), "Optax": partial(deep_optax, 2000)},
    "a hundred lambdas": {"ours": partial(lambdas_ours, descend.Adam(RATE)), "auto": partial(lambdas_ours, "auto"),
                          "Optax": lambdas_optax, "memory": memory},
}
CONTESTANTS: dict[str, Callable[[Network, Spent], None]] = {"ours": ours, "Flax": flax, "scan": scan}


def main(workload: str, contestant: str) -> None:
    """Measure, and print what was spent as JSON."""
    jax.devices()
    spent = Spent()
    monitoring.register_event_duration_secs_listener(spent.listen)
    if workload in NETWORKS:
        CONTESTANTS[contestant](NETWORKS[workload](), spent)
    else:
        OTHERS[workload][contestant](spent)
    print(json.dumps(vars(spent)))


if __name__ == "__main__":
    main(*sys.argv[1:])
