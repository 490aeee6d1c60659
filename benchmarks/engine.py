"""What the engine costs: microseconds per step of a whole call of `minimize`.

Set-up, shuffling, trace and guard are included. An MLP 64-32-10 on 1,797 rows, in float32, against (a) the same model
and update rule in a bare, hand-written, jitted `lax.scan` over batches that were shuffled before the clock was started,
which records the loss alone; and (b) Optax's usual loop, a jitted step called from Python, over the same batches.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import descend
from benchmarks._rows import Row, alternately

PACKAGES = ("descend", "jax", "optax", "numpy")
STEPS = {1: 200_000, 64: 30_000, 512: 4_000}
REPEATS = 7


def rows() -> Iterator[Row]:
    """Each rule at each batch size against both peers."""
    features, target = load_digits(return_X_y=True)
    data = (features.astype(np.float32) / 16, target.astype(np.int32))
    rules = {
        "Adam": (descend.Adam(1e-3), optax.adam(1e-3), _bare_adam),
        "SGD": (descend.SGD(1e-2), optax.sgd(1e-2), _bare_sgd),
    }
    for name, (ours, theirs, bare) in rules.items():
        for size, steps in STEPS.items():
            per_step = _measure(data, ours, theirs, bare, size, steps)
            workload = f"MLP 64-32-10, {name}, batch {size}"
            yield Row(workload, "bare lax.scan", "time", "us/step", per_step[0], per_step[1])
            yield Row(workload, "Optax loop", "time", "us/step", per_step[0], per_step[2])


    yield from _convolutions(features)


def _convolutions(features: np.ndarray) -> Iterator[Row]:
    """A small network of convolutions, which XLA compiles badly inside a loop: the engine has to find that out."""
    target = np.arange(len(features), dtype=np.int32) % 10
    data = (np.repeat(np.repeat(features.reshape(-1, 8, 8, 1), 3, 1), 3, 2).astype(np.float32) / 16, target)
    ours, theirs, steps = descend.SGD(1e-2), optax.sgd(1e-2), 300
    stream = _shuffled(data, 64, steps)
    scan = jax.jit(partial(_bare, convolutional_loss, _bare_sgd))
    step = jax.jit(partial(_optax_step, convolutional_loss, theirs))
    settings: dict[str, Any] = {"optimizer": ours, "batch_size": 64, "steps": steps, "stop": []}
    seconds = alternately(
        [
            lambda: descend.minimize(convolutional_loss, filters(), data, **settings),
            lambda: jax.block_until_ready(scan(filters(), stream)),
            lambda: _optax_loop(filters(), theirs, step, stream, steps),
        ],
        3,
    )
    for peer, time in (("bare lax.scan", seconds[1]), ("Optax loop", seconds[2])):
        yield Row("convolutions 5×5×6, 5×5×16, SGD, batch 64", peer, "time", "us/step", 1e6 * seconds[0] / steps,
                  1e6 * time / steps)


def _measure(data: Any, ours: Any, theirs: Any, bare: Callable[..., Any], size: int, steps: int) -> list[float]:
    """Microseconds per step of ours, of the bare scan and of the loop over Optax, which is shorter."""
    stream, short = _shuffled(data, size, steps), min(steps, 5_000)
    scan = jax.jit(partial(_bare, loss, bare))
    step = jax.jit(partial(_optax_step, loss, theirs))
    settings: dict[str, Any] = {"optimizer": ours, "batch_size": size, "steps": steps, "stop": []}
    contestants = [
        lambda: descend.minimize(loss, start(), data, **settings),
        lambda: jax.block_until_ready(scan(start(), stream)),
        lambda: _optax_loop(start(), theirs, step, stream, short),
    ]
    seconds = alternately(contestants, REPEATS)
    return [1e6 * t / n for t, n in zip(seconds, (steps, steps, short), strict=True)]


def start() -> dict[str, jax.Array]:
    """The perceptron at its start."""
    rng = np.random.default_rng(0)
    return {
        "w1": jnp.asarray(rng.normal(0, 64**-0.5, (64, 32)), jnp.float32),
        "b1": jnp.zeros(32),
        "w2": jnp.asarray(rng.normal(0, 32**-0.5, (32, 10)), jnp.float32),
        "b2": jnp.zeros(10),
    }


def loss(params: dict[str, jax.Array], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Cross-entropy of the perceptron on a batch."""
    features, target = batch
    hidden = jax.nn.relu(features @ params["w1"] + params["b1"])
    return descend.losses.softmax_cross_entropy(hidden @ params["w2"] + params["b2"], target).mean()


def filters() -> dict[str, jax.Array]:
    """The convolutional network at its start."""
    rng = np.random.default_rng(0)
    shapes = {"first": (5, 5, 1, 6), "second": (5, 5, 6, 16), "last": (6 * 6 * 16, 10)}
    return {name: jnp.asarray(rng.normal(0, 0.1, shape), jnp.float32) for name, shape in shapes.items()}


def convolutional_loss(params: dict[str, jax.Array], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Cross-entropy of two convolutions with pooling and a linear layer."""
    maps, target = batch
    for name in ("first", "second"):
        layout = ("NHWC", "HWIO", "NHWC")
        maps = jax.lax.conv_general_dilated(maps, params[name], (1, 1), "SAME", dimension_numbers=layout)
        count, height, width, channels = maps.shape
        maps = jax.nn.relu(maps).reshape(count, height // 2, 2, width // 2, 2, channels).max((2, 4))
    return descend.losses.softmax_cross_entropy(maps.reshape(len(target), -1) @ params["last"], target).mean()


def _shuffled(data: tuple[np.ndarray, np.ndarray], size: int, steps: int) -> tuple[jax.Array, jax.Array]:
    """Batches for `steps` steps, one after the other in memory; of long runs, the first ones again and again."""
    rng = np.random.default_rng(0)
    count = min(steps, 10_000_000 // size // 64)
    index = np.concatenate([rng.permutation(len(data[0])) for _ in range(count * size // len(data[0]) + 1)])
    index = np.resize(index[: count * size], steps * size) if count < steps else index[: steps * size]
    return tuple(jnp.asarray(part[index].reshape(steps, size, *part.shape[1:])) for part in data)  # type: ignore[return-value]


def _bare(loss: Callable[..., Any], rule: Callable[..., Any], params: Any, stream: Any) -> Any:
    def body(carry: Any, batch: Any) -> Any:
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, batch)
        params, state = rule(params, grads, state)
        return (params, state), value

    zeros = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.scan(body, (params, (zeros, zeros, 0)), stream)


def _bare_sgd(params: Any, grads: Any, state: Any) -> Any:
    return jax.tree.map(lambda p, g: p - 1e-2 * g, params, grads), state


def _bare_adam(params: Any, grads: Any, state: Any) -> Any:
    mean, square, count = state
    count = count + 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, grads)
    square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, grads)
    first, second = 1 - 0.9**count, 1 - 0.999**count
    params = jax.tree.map(
        lambda p, m, v: p - 1e-3 * (m / first) / (jnp.sqrt(v / second) + 1e-8), params, mean, square
    )
    return params, (mean, square, count)


def _optax_loop(params: Any, rule: Any, step: Callable[..., Any], stream: Any, steps: int) -> None:
    state = rule.init(params)
    for i in range(steps):
        params, state, _ = step(params, state, (stream[0][i], stream[1][i]))
    jax.block_until_ready(params)


def _optax_step(loss: Callable[..., Any], rule: Any, params: Any, state: Any, batch: Any) -> Any:
    value, grads = jax.value_and_grad(loss)(params, batch)
    updates, state = rule.update(grads, state, params)
    return optax.apply_updates(params, updates), state, value
