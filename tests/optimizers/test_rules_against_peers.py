"""Each rule against its peers', on the trajectories on which it follows its paper's algorithm box."""

import jax
import numpy as np
import pytest
from references import (
    CASES,
    QUICK,
    RATES,
    SCHEDULE,
    STEPS,
    TOLERANCE,
    actual,
    assert_close,
    at,
    imported,
    in_a_loop,
    problem,
    run,
)

pytestmark = pytest.mark.peers

FIRST = 12  # steps: SOAP looks for other axes after ten
IN_TORCH = [name for name, case in CASES.items() if case.torch]
IN_OPTAX = [name for name, case in CASES.items() if case.optax]
IN_KERAS = [name for name, case in CASES.items() if case.keras]


def needed(package):
    return pytest.importorskip(package, reason=f"compares with {package}: pip install 'descend[peers]'")


@pytest.fixture
def torch():
    return needed("torch")


@pytest.fixture
def optax():
    return needed("optax")


@pytest.fixture
def keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return needed("keras")


@pytest.fixture
def default_float64(torch):
    """PyTorch keeps some of its scalars in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def assert_steps_as(name, wanted, least=0.0):
    """The rule follows its peer's trajectory. That other dtypes and JAX go the same way is seen in `test_rules`."""
    assert_close(actual(name, "float64", "numpy"), wanted, max(TOLERANCE["float64"], least))


def in_torch(torch, peer):
    """The parameters after every step of one of PyTorch's optimizers, stacked."""
    needed(peer[0].partition(".")[0])
    start, gradients = problem()
    leaves, treedef = jax.tree.flatten(start)
    params = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    make, settings = imported(peer)
    optimizer, seen = make(params, **settings, lr=RATES[0]), []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATES[step]
        for p, g in zip(params, jax.tree.leaves(gradients), strict=True):
            p.grad = torch.tensor(g[step])
        optimizer.step()
        seen.append([p.detach().numpy().copy() for p in params])
    return treedef.unflatten([np.stack(steps) for steps in zip(*seen, strict=True)])


@pytest.mark.usefixtures("default_float64")
@pytest.mark.parametrize("name", IN_TORCH)
def test_steps_as_pytorch(torch, name):
    assert_steps_as(name, in_torch(torch, CASES[name].torch))


@pytest.mark.parametrize("name", IN_OPTAX)
def test_steps_as_optax(optax, name):
    make, settings = imported(CASES[name].optax)
    peer = make(lambda step: 0.1 / (1 + 0.05 * step), **settings)
    compiled = jax.jit(lambda *given: in_a_loop(peer, *given), compiler_options=QUICK)
    with jax.enable_x64(True):
        wanted = compiled(*problem())
    assert_steps_as(name, wanted)


@pytest.mark.parametrize("name", IN_KERAS)
def test_steps_as_keras(keras, name):
    start, gradients = problem()
    leaves, treedef = jax.tree.flatten(start)
    make, settings = imported(CASES[name].keras)
    now = []  # a rate in a variable of Keras's would be rounded to float32
    peer = make(learning_rate=lambda: now[-1], **settings)

    def step(carry, given):
        now.append(given[0])
        stepped = peer.stateless_apply(carry[1], given[1], carry[0])
        return stepped, stepped[0]

    with jax.enable_x64(True):
        params = [keras.Variable(leaf, dtype="float64") for leaf in leaves]
        peer.build(params)
        carry = [variable.value for variable in params], [variable.value for variable in peer.variables]
        compiled = jax.jit(lambda *given: jax.lax.scan(step, *given)[1], compiler_options=QUICK)
        wanted = compiled(carry, (np.asarray(RATES), jax.tree.leaves(gradients)))
    # Keras takes means in float32, even of float64.
    assert_steps_as(name, treedef.unflatten(wanted), least=1e-7 if name == "adafactor" else 0.0)


@pytest.mark.usefixtures("default_float64")
def test_lars_steps_matrices_as_pytorch_optimizer(torch):
    """That package leaves arrays of fewer than two axes to plain momentum."""
    settings = CASES["lars_rate_outside"].settings
    wanted = in_torch(torch, ("pytorch_optimizer.LARS", {k: v for k, v in settings.items() if k != "rate_in_velocity"}))
    for dtype, tolerance in TOLERANCE.items():
        got = actual("lars_rate_outside", dtype, "numpy")
        assert_close(got["filters"], wanted["filters"], tolerance)
        assert_close(got["layers"][0]["weight"], wanted["layers"][0]["weight"], tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_steps_tensors_of_pytorch(torch, name, dtype):
    """A third world for the same rule object: PyTorch's tensors. The first steps show whether it is the same there."""
    rule = CASES[name].rule(SCHEDULE, **CASES[name].settings)
    stacked = run(rule, *problem(dtype), torch.tensor, steps=FIRST)
    assert {leaf.dtype for leaf in jax.tree.leaves(stacked)} == {np.dtype(dtype)}
    assert_close(stacked, at(slice(FIRST), actual(name, dtype, "numpy")), TOLERANCE[dtype])
