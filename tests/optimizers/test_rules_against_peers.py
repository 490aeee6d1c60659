"""Each rule against PyTorch's and Optax's, on the trajectories on which it follows its paper's algorithm box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import CASES, RATES, SCHEDULE, STEPS, TOLERANCE, actual, assert_close, problem, run

pytestmark = pytest.mark.peers

# By name in CASES: the same rule in PyTorch, from its parameters and the case's own numbers.
IN_TORCH = {
    "sgd": ("SGD", {}),
    "heavy_ball": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {}),
    "adagrad_accumulator": ("Adagrad", {"initial_accumulator_value": 0.1, "eps": 1e-3}),
    "rmsprop": ("RMSprop", {"alpha": 0.9}),
    "rmsprop_slow": ("RMSprop", {"eps": 1e-2}),
    "adam": ("Adam", {}),
    "adam_other_betas": ("Adam", {"betas": (0.5, 0.9), "eps": 1e-2}),
    "adam_without_averages": ("Adam", {"betas": (0.0, 0.0)}),
    "adamw": ("AdamW", {}),
    "adamw_strong": ("AdamW", {"betas": (0.8, 0.95), "weight_decay": 0.5}),
}
IN_OPTAX = {
    "sgd": ("sgd", {}),
    "heavy_ball": ("sgd", {"momentum": 0.9}),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}),
    "adagrad_eps_in_root": ("adagrad", {"eps": 1e-2}),
    "rmsprop": ("rmsprop", {"eps_in_sqrt": False}),
    "rmsprop_slow": ("rmsprop", {"decay": 0.99, "eps": 1e-2, "eps_in_sqrt": False}),
    "rmsprop_eps_in_root": ("rmsprop", {"eps": 1e-2}),
    "adam": ("adam", {}),
    "adam_other_betas": ("adam", {"b1": 0.5, "b2": 0.9, "eps": 1e-2}),
    "adam_without_averages": ("adam", {"b1": 0.0, "b2": 0.0}),
    "adamw": ("adamw", {"weight_decay": 0.01}),
    "adamw_strong": ("adamw", {"b1": 0.8, "b2": 0.95, "weight_decay": 0.5}),
}


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")


@pytest.fixture
def optax():
    return pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")


@pytest.mark.parametrize("world", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", IN_TORCH)
def test_steps_as_pytorch(torch, name, dtype, world):
    start, gradients = problem(dtype)
    leaves, treedef = jax.tree.flatten(start)
    params = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    kind, settings = IN_TORCH[name]
    peer, seen = getattr(torch.optim, kind)(params, **settings, lr=RATES[0]), []
    for step in range(STEPS):
        peer.param_groups[0]["lr"] = RATES[step]
        for p, g in zip(params, jax.tree.leaves(gradients), strict=True):
            p.grad = torch.tensor(g[step])
        peer.step()
        seen.append([p.detach().numpy().copy() for p in params])
    stacked = treedef.unflatten([np.stack(steps) for steps in zip(*seen, strict=True)])
    assert_close(actual(name, dtype, world), stacked, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", IN_OPTAX)
def test_steps_as_optax(optax, name, dtype):
    kind, settings = IN_OPTAX[name]
    peer = getattr(optax, kind)(lambda step: 0.1 / (1 + 0.05 * step), **settings)
    with jax.enable_x64(dtype == "float64"):
        wanted = run(peer, *problem(dtype), jnp.asarray)
    for world in ("numpy", "jax"):
        assert_close(actual(name, dtype, world), wanted, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_steps_tensors_of_pytorch(torch, name, dtype):
    """A third world for the same rule object: PyTorch's tensors."""
    rule = CASES[name].rule(SCHEDULE, **CASES[name].settings)
    stacked = run(rule, *problem(dtype), torch.tensor)
    assert {leaf.dtype for leaf in jax.tree.leaves(stacked)} == {np.dtype(dtype)}
    assert_close(stacked, actual(name, dtype, "numpy"), TOLERANCE[dtype])
