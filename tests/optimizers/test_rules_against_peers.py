"""Each rule against PyTorch's and Optax's, on the trajectories on which it follows its paper's algorithm box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import CASES, RATES, SCHEDULE, STEPS, TOLERANCE, actual, assert_close, imported, problem, run

pytestmark = pytest.mark.peers

IN_TORCH = [name for name, case in CASES.items() if case.torch]
IN_OPTAX = [name for name, case in CASES.items() if case.optax]
IN_KERAS = [name for name, case in CASES.items() if case.keras]


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")


@pytest.fixture
def optax():
    return pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")


@pytest.fixture
def keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", reason="compares with Keras: pip install 'descend[peers]'")


@pytest.mark.parametrize("world", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", IN_TORCH)
def test_steps_as_pytorch(torch, name, dtype, world):
    start, gradients = problem(dtype)
    leaves, treedef = jax.tree.flatten(start)
    params = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    make, settings = imported(CASES[name].torch)
    peer, seen = make(params, **settings, lr=RATES[0]), []
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
    make, settings = imported(CASES[name].optax)
    peer = make(lambda step: 0.1 / (1 + 0.05 * step), **settings)
    with jax.enable_x64(dtype == "float64"):
        wanted = run(peer, *problem(dtype), jnp.asarray)
    for world in ("numpy", "jax"):
        assert_close(actual(name, dtype, world), wanted, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", IN_KERAS)
def test_steps_as_keras(keras, name, dtype):
    start, gradients = problem(dtype)
    leaves, treedef = jax.tree.flatten(start)
    make, settings = imported(CASES[name].keras)
    peer, seen = make(learning_rate=RATES[0], **settings), []
    with jax.enable_x64(dtype == "float64"):
        params = [keras.Variable(leaf, dtype=dtype) for leaf in leaves]
        for step in range(STEPS):
            peer.learning_rate = RATES[step]
            peer.apply([jnp.asarray(g[step]) for g in jax.tree.leaves(gradients)], params)
            seen.append([np.asarray(p) for p in params])
    stacked = treedef.unflatten([np.stack(steps) for steps in zip(*seen, strict=True)])
    assert_close(actual(name, dtype, "numpy"), stacked, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_steps_tensors_of_pytorch(torch, name, dtype):
    """A third world for the same rule object: PyTorch's tensors."""
    rule = CASES[name].rule(SCHEDULE, **CASES[name].settings)
    stacked = run(rule, *problem(dtype), torch.tensor)
    assert {leaf.dtype for leaf in jax.tree.leaves(stacked)} == {np.dtype(dtype)}
    assert_close(stacked, actual(name, dtype, "numpy"), TOLERANCE[dtype])
