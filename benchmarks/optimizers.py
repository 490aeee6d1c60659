"""What a step of a rule costs beside the memory that it must move.

Float32 parameters: 16.8 M in 16 matrices of 1024 × 1024, and 1.6 M in 48 arrays of mixed shapes. GB/s count the bytes
that must move: the gradient and the parameters read, the parameters written, each slot read and written; a copy reads
and writes, and is measured alone, once for each size. Ours is `descend.optimizers.step`; Optax's is `update` and
`apply_updates` in one `jax.jit`, as in its documentation, and with its buffers donated, in the order in which JAX can
reuse them; PyTorch's in all its ways.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from benchmarks._rows import PAUSE, Row, alternately
from descend import optimizers
from descend.optimizers import Rule

PACKAGES = ("descend", "jax", "optax", "torch", "numpy")
REPEATS = 21
Shapes = Sequence[tuple[int, ...]]
SIZES: dict[str, Shapes] = {
    "16.8 M in 16": [(1024, 1024)] * 16,
    "1.6 M in 48": [(256, 384), (384,), (384, 96), (96,)] * 12,
}
PEERS: dict[str, tuple[Rule, Any, Callable[..., Any]]] = {
    "SGD": (optimizers.SGD(1e-3), optax.sgd(1e-3), lambda p, **how: torch.optim.SGD(p, 1e-3, **how)),
    "momentum": (
        optimizers.SGD(1e-3, momentum=0.9), optax.sgd(1e-3, momentum=0.9),
        lambda p, **how: torch.optim.SGD(p, 1e-3, momentum=0.9, **how),
    ),
    "Adam": (optimizers.Adam(1e-3), optax.adam(1e-3), lambda p, **how: torch.optim.Adam(p, 1e-3, **how)),
    "AdamW": (optimizers.AdamW(1e-3), optax.adamw(1e-3), lambda p, **how: torch.optim.AdamW(p, 1e-3, **how)),
}
ALONE: dict[str, Rule] = {
    kind.__name__: kind(1e-3)
    for kind in (
        optimizers.SignSGD, optimizers.Lion, optimizers.AdaGrad, optimizers.RMSprop, optimizers.AdaDelta,
        optimizers.AMSGrad, optimizers.AdaMax, optimizers.NAdam, optimizers.RAdam, optimizers.Yogi,
        optimizers.AdaBelief, optimizers.ScheduleFreeSGD, optimizers.ScheduleFreeAdamW,
    )
}


def rows() -> Iterator[Row]:
    """Each rule that the peers have against them, and each elementwise rule against a copy."""
    for size, shapes in SIZES.items():
        (copying,) = alternately([_copy(shapes)], REPEATS, PAUSE)
        copy = 8 * _count(shapes) / copying / 1e9
        for name, (rule, transformation, peer) in PEERS.items():
            contestants = {
                "ours": _ours(rule, shapes),
                "Optax": _optax(transformation, shapes, donated=False),
                "Optax, donated": _optax(transformation, shapes, donated=True),
                "PyTorch, fused": _torch(peer, shapes, fused=True),
                "PyTorch, foreach": _torch(peer, shapes, foreach=True),
                "PyTorch, compiled": _torch(peer, shapes, compiled=True),
            }
            yield from _compared(f"{name}, {size}", _bytes(rule, shapes), contestants, copy)
        for name, rule in ALONE.items():
            yield from _compared(f"{name}, {size}", _bytes(rule, shapes), {"ours": _ours(rule, shapes)}, copy)


def _compared(
    workload: str, moved: float, contestants: dict[str, Callable[[], Any]], copy: float
) -> Iterator[Row]:
    seconds = alternately(list(contestants.values()), REPEATS, PAUSE)
    speed = {name: moved / time / 1e9 for name, time in zip(contestants, seconds, strict=True)} | {"copy": copy}
    for name in list(speed)[1:]:
        yield Row(workload, name, "bandwidth", "GB/s", speed["ours"], speed[name])


def _bytes(rule: Rule, shapes: Shapes) -> float:
    return 4 * (3 + 2 * len(rule.slots)) * _count(shapes)


def _count(shapes: Shapes) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)


def _arrays(shapes: Shapes, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _ours(rule: Rule, shapes: Shapes) -> Callable[[], None]:
    params, grads = (jax.tree.map(jnp.array, _arrays(shapes, seed)) for seed in (0, 1))
    state: Any = rule.init(params)

    def run() -> None:
        nonlocal params, state
        params, state = optimizers.step(rule, grads, params, state)
        jax.block_until_ready(params)

    return run


def _optax(transformation: Any, shapes: Shapes, donated: bool) -> Callable[[], None]:
    params, grads = (jax.tree.map(jnp.array, _arrays(shapes, seed)) for seed in (0, 1))
    state = transformation.init(params)

    def update(params: Any, state: Any, grads: Any) -> tuple[Any, Any]:
        updates, state = transformation.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    program = jax.jit(update, donate_argnums=(0, 1) if donated else ())

    def run() -> None:
        nonlocal params, state
        params, state = program(params, state, grads)
        jax.block_until_ready(params)

    return run


def _torch(make: Callable[..., Any], shapes: Shapes, compiled: bool = False, **how: Any) -> Callable[[], Any]:
    params = [torch.nn.Parameter(torch.tensor(array)) for array in _arrays(shapes, 0)]
    for parameter, gradient in zip(params, _arrays(shapes, 1), strict=True):
        parameter.grad = torch.tensor(gradient)
    peer = make(params, **how)
    if not compiled:
        return peer.step
    for group in peer.param_groups:
        group["lr"] = torch.tensor(group["lr"])  # as PyTorch advises, so that no step compiles anew
    return torch.compile(peer.step)


def _copy(shapes: Shapes) -> Callable[[], Any]:
    source = torch.zeros(_count(shapes))
    target = torch.empty_like(source)
    return lambda: target.copy_(source)
