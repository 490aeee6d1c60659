"""What a step of the matrix rules costs, beside the packages that publish them for PyTorch, gradients being given.

16.8 million parameters in 16 matrices of 1024×1024, and 1.6 million in 24 matrices of 256×256 and 24 vectors, all in
float32. Ours is a compiled step that is called from Python, with its buffers donated; SOAP turns its basis at every
tenth step, and ten steps are counted. The packages of Muon iterate in bfloat16, which this processor may not multiply
in, so one is also made to iterate in float32, as ours does. The steps are mostly products of matrices: at the end, a
bare product of two matrices of 1024×1024 shows what one costs in either library.
"""

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytorch_optimizer
import torch

import descend
from benchmarks._rows import Row, alternately
from descend.optimizers import SOAP, AdamW, Muon

PACKAGES = ("descend", "jax", "numpy", "torch", "pytorch_optimizer", "muon-optimizer")
Shapes = list[tuple[int, ...]]
LARGE: dict[str, Shapes] = {"16 matrices 1024×1024": [(1024, 1024)] * 16}
SMALL: dict[str, Shapes] = {"24 matrices 256×256, 24 vectors": [(256, 256), (256,)] * 24}
REPEATS = 3
Contestant = Callable[[], Any]


def rows() -> Iterator[Row]:
    """Muon and SOAP on few large matrices, and on many small arrays."""
    for name, shapes in (LARGE | SMALL).items():
        yield from _muon(name, shapes)
        yield from _soap(name, shapes)
    yield _product()


def _muon(name: str, shapes: Shapes) -> Iterator[Row]:
    ours = _ours(Muon(0.02, companion=AdamW(3e-4)), shapes, steps=1)
    peers = {
        "torch.optim.Muon": _theirs(_torch_muon, shapes),
        "torch.optim.Muon in float32": _in_float32(_theirs(_torch_muon, shapes)),
        "pytorch_optimizer.Muon": _theirs(_pytorch_optimizer_muon, shapes),
        "muon-optimizer": _theirs(_authors_muon, shapes),
    }
    seconds = alternately([ours, *peers.values()], REPEATS)
    for peer, time in zip(peers, seconds[1:], strict=True):
        yield Row(f"Muon, {name}", peer, "time", "ms/step", 1e3 * seconds[0], 1e3 * time)


def _soap(name: str, shapes: Shapes) -> Iterator[Row]:
    ours = _ours(SOAP(3e-3), shapes, steps=10)
    theirs = _theirs(lambda params: [pytorch_optimizer.SOAP(params)], shapes, steps=10)
    seconds = alternately([ours, theirs], REPEATS)
    yield Row(f"SOAP, {name}", "pytorch_optimizer.SOAP", "time", "ms/step", 1e2 * seconds[0], 1e2 * seconds[1])


def _product() -> Row:
    """A bare product of two matrices, in JAX and in PyTorch."""
    a = np.float32(np.random.default_rng(0).normal(size=(1024, 1024)))
    in_jax, in_torch, product = jnp.asarray(a), torch.tensor(a), jax.jit(jnp.matmul)
    seconds = alternately([lambda: product(in_jax, in_jax).block_until_ready(), lambda: in_torch @ in_torch], 30)
    return Row("product of two 1024×1024", "torch.matmul", "time", "ms", 1e3 * seconds[0], 1e3 * seconds[1])


def _arrays(shapes: Shapes, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(0.02 * rng.normal(size=shape)).astype(np.float32) for shape in shapes]


def _ours(rule: descend.optimizers.Optimizer, shapes: Shapes, steps: int) -> Contestant:
    grads = [jnp.asarray(g) for g in _arrays(shapes, 1)]
    carry = [[jnp.asarray(p) for p in _arrays(shapes, 0)]]
    carry.append(jax.jit(rule.init)(carry[0]))

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(params: Any, state: Any, grads: Any) -> Any:
        updates, state = rule.update(grads, state, params)
        return jax.tree.map(jnp.add, params, updates), state

    def run() -> None:
        for _ in range(steps):
            carry[:] = step(*carry, grads)
        jax.block_until_ready(carry)

    return run


def _theirs(
    make: Callable[[list[torch.Tensor]], list[Any]], shapes: Shapes, steps: int = 1
) -> Contestant:
    params = [torch.tensor(p, requires_grad=True) for p in _arrays(shapes, 0)]
    for p, g in zip(params, _arrays(shapes, 1), strict=True):
        p.grad = torch.tensor(g)
    optimizers = make(params)

    def run() -> None:
        for _ in range(steps):
            for optimizer in optimizers:
                optimizer.step()

    return run


def _parted(params: list[torch.Tensor]) -> list[list[torch.Tensor]]:
    """The matrices, and the vectors if there are any."""
    parts = [[p for p in params if p.ndim > 1], [p for p in params if p.ndim < 2]]
    return [part for part in parts if part]


def _torch_muon(params: list[torch.Tensor]) -> list[Any]:
    makers: list[Callable[..., Any]] = [
        partial(torch.optim.Muon, lr=0.02, weight_decay=0.0), partial(torch.optim.AdamW, lr=3e-4, foreach=True)
    ]
    return [make(part) for make, part in zip(makers, _parted(params), strict=False)]


def _pytorch_optimizer_muon(params: list[torch.Tensor]) -> list[Any]:
    return [pytorch_optimizer.Muon(_groups(params), foreach=True)]


def _authors_muon(params: list[torch.Tensor]) -> list[Any]:
    return [importlib.import_module("muon").SingleDeviceMuonWithAuxAdam(_groups(params))]


def _groups(params: list[torch.Tensor]) -> list[dict[str, Any]]:
    return [{"params": part, "use_muon": use} for part, use in zip(_parted(params), (True, False), strict=False)]


def _in_float32(run: Contestant) -> Contestant:
    """The same with a bfloat16 that is none."""

    def in_float32() -> None:
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            run()

    return in_float32
