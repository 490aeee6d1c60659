"""Schedule-free rules: the points x and y of the paper and of its authors' package, and a descent that evaluates x."""

import operator
from functools import partial

import boxes_averaged
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import QUICK, RATES, SCHEDULE, STEPS, TOLERANCE, assert_close, at, imported, problem

from descend import minimize
from descend.errors import InputError
from descend.optimizers import ScheduleFreeAdamW, ScheduleFreeSGD
from descend.schedules import Constant, InverseTime, Schedule, Warmup

RULES = [ScheduleFreeSGD, ScheduleFreeAdamW]
POINTS = {ScheduleFreeSGD: boxes_averaged.sgd_points, ScheduleFreeAdamW: boxes_averaged.adamw_points}
RISING = [0.1 * min((t + 1) / 30, 1) for t in range(STEPS)]
SCHEDULES = {"falling": (SCHEDULE, RATES), "warmed": (Warmup(Constant(0.1), steps=30), RISING)}
SETTINGS = {"beta": 0.8, "weight_decay": 0.1}


def both_points(rule, start, gradients, array=np.asarray):
    """y and x after every step, stacked."""
    y = jax.tree.map(array, start)
    state, seen = rule.init(y), []
    for step in range(STEPS):
        updates, state = rule.update(jax.tree.map(array, at(step, gradients)), state, y)
        y = jax.tree.map(operator.add, y, updates)
        seen.append((y, rule.eval_params(state, y)))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *seen)


@partial(jax.jit, compiler_options=QUICK)
def compiled_points(rule, start, gradients):
    def step(carry, g):
        y, state = carry
        updates, state = rule.update(g, state, y)
        y = jax.tree.map(jnp.add, y, updates)
        return (y, state), (y, rule.eval_params(state, y))

    return jax.lax.scan(step, (start, rule.init(start)), gradients)[1]


def of_the_box(rule, rates):
    """The same by the paper, in float64."""
    both = lambda x, g: tuple(map(np.stack, zip(*POINTS[rule](x, g, rates, **SETTINGS), strict=True)))
    start, gradients = problem()
    pairs = jax.tree.map(both, start, gradients)
    return tuple(jax.tree.map(lambda _, pair, i=i: pair[i], start, pairs) for i in (0, 1))


# ---------------------------------------------------------------------------------------------- x and y


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rule", RULES)
def test_x_and_y_are_the_papers(rule, schedule):
    """In float64 in NumPy, and in float32 in compiled JAX."""
    rate, rates = SCHEDULES[schedule]
    wanted = of_the_box(rule, rates)
    assert_close(both_points(rule(rate, **SETTINGS), *problem()), wanted, TOLERANCE["float64"])
    compiled = jax.tree.map(np.asarray, compiled_points(rule(rate, **SETTINGS), *problem("float32")))
    assert {leaf.dtype for leaf in jax.tree.leaves(compiled)} == {np.dtype("float32")}
    assert_close(compiled, wanted, TOLERANCE["float32"])


@pytest.mark.peers
@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_x_and_y_are_the_authors(rule, foreach):
    """x by their `eval()`, with their own warm-up."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")
    start, gradients = problem()
    leaves, treedef = jax.tree.flatten(start)
    params, seen = [torch.tensor(leaf, requires_grad=True) for leaf in leaves], []
    if rule is ScheduleFreeSGD:
        make, settings = boxes_averaged.authors_sgd, {"momentum": 0.8}
    else:
        make, settings = boxes_averaged.authors_adamw, {"betas": (0.8, 0.999)}
    peer = make(params, lr=0.1, weight_decay=0.1, warmup_steps=30, foreach=foreach, **settings)
    now = lambda: treedef.unflatten([p.detach().numpy().copy() for p in params])
    for step in range(STEPS):
        for p, g in zip(params, jax.tree.leaves(gradients), strict=True):
            p.grad = torch.tensor(g[step])
        peer.step()
        y = now()
        peer.eval()
        seen.append((y, now()))
        peer.train()
    wanted = jax.tree.map(lambda *leaves: np.stack(leaves), *seen)
    rising = Warmup(Constant(0.1), steps=30)
    assert_close(both_points(rule(rising, **SETTINGS), start, gradients), wanted, TOLERANCE["float64"])
    tensors = both_points(rule(rising, **SETTINGS), start, gradients, torch.tensor)
    assert_close(tensors, wanted, TOLERANCE["float64"])


@pytest.mark.peers
@pytest.mark.parametrize("name", ["schedule_free_sgd_decayed", "schedule_free_adamw_decayed"])
def test_x_is_optaxs(name):
    optax = pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    case = boxes_averaged.CASES[name]
    make, settings = imported(case.optax)
    start, gradients = problem()

    peer = make(lambda step: 0.1 / (1 + 0.05 * step), **settings)

    class Peer:
        init, update = peer.init, staticmethod(jax.jit(peer.update))
        eval_params = staticmethod(jax.jit(optax.contrib.schedule_free_eval_params))

    with jax.enable_x64(True):
        wanted = both_points(Peer, start, gradients, jnp.asarray)
    assert_close(both_points(case.rule(SCHEDULE, **case.settings), start, gradients), wanted, TOLERANCE["float64"])


def test_x_is_the_mean_of_all_z():
    """The theory, for a constant rate: z is gradient descent from the gradients at y, and x its plain mean."""
    rng = np.random.default_rng(1)
    rule, y = ScheduleFreeSGD(0.3, beta=0.9), rng.normal(size=5)
    state, z, points = rule.init(y), y, []
    for g in rng.normal(size=(20, 5)):
        update, state = rule.update(g, state, y)
        y, z = y + update, z - 0.3 * g
        points.append(z)
        np.testing.assert_allclose(rule.eval_params(state, y), np.mean(points, axis=0), atol=1e-14)


class Waking(Schedule):
    """Two steps of 0, and .1 from then on."""

    def __call__(self, step):
        return 0.1 * (step >= 2)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("xp", [np, jnp])
def test_a_rate_of_zero_moves_nothing_and_counts_for_nothing(rule, xp):
    y = xp.asarray([1.0, -2.0])
    made = lambda rate: rule(rate, **({"beta2": 0.0} if rule is ScheduleFreeAdamW else {}))  # v without a memory
    state = made(Waking()).init(y)
    first, _ = made(0.1).update(y, made(0.1).init(y), y)
    update = made(Waking()).update if xp is np else jax.jit(made(Waking()).update)
    for _ in range(2):
        moved, state = update(y, state, y)
        np.testing.assert_array_equal(moved, 0)
    third, _ = update(y, state, y)
    np.testing.assert_allclose(third, first, rtol=1e-6)


def test_the_state_has_arrays_of_its_own():
    y = np.ones(3)
    state = ScheduleFreeSGD().init(y)
    y += 1
    np.testing.assert_array_equal(state.slots["z"], 1)


@pytest.mark.parametrize("rule", RULES)
def test_leaves_of_different_dtypes(rule):
    params = {"half": jnp.ones(3, jnp.bfloat16), "single": jnp.ones(2, jnp.float32)}
    state = rule(0.1).init(params)
    for _ in range(2):
        updates, state = rule(0.1).update(params, state, params)
    assert {name: leaf.dtype for name, leaf in updates.items()} == {"half": jnp.bfloat16, "single": jnp.float32}
    assert {leaf.dtype for leaf in state.state.shared.values()} == {np.dtype("float32")}
    alone, _ = rule(0.1).update(params["single"], rule(0.1).init(params["single"]), params["single"])
    first, _ = rule(0.1).update(params, rule(0.1).init(params), params)
    np.testing.assert_allclose(first["single"], alone, rtol=1e-6)


# ---------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("beta", [0, 0.0])
@pytest.mark.parametrize("rule", RULES)
def test_refuses_beta_0(rule, beta):
    with pytest.raises(InputError, match=f"^{rule.__name__}: beta must be above 0, because .* cannot be told"):
        rule(0.1, beta=beta)


@pytest.mark.parametrize(("name", "value"), [("beta", 1.0), ("beta", -0.1), ("weight_decay", -1.0)])
@pytest.mark.parametrize("rule", RULES)
def test_refuses_settings_out_of_range(rule, name, value):
    with pytest.raises(InputError, match=f"^{rule.__name__}: {name} must be at least 0 and below"):
        rule(0.1, **{name: value})


@pytest.mark.parametrize("rule", RULES)
def test_needs_the_parameters(rule):
    g = np.ones(1)
    with pytest.raises(InputError, match=f"{rule.__name__} needs the parameters, too"):
        rule().update(g, rule().init(g))


# ---------------------------------------------------------------------------------------------- stability


EPS = 1e50  # dwarfs √v, so that AdamW is SGD


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("rule", RULES)
def test_stability_limit_once_x_is_slow(rule, beta):
    """The matrix of a step, as c → 0, has the eigenvalues 1 and 1 − (1 − β) η h."""
    scale, settings = (1.0, {}) if rule is ScheduleFreeSGD else (EPS, {"eps": EPS})
    curvature = np.array([0.5, 1.0])
    limit = rule(0.1, beta=beta).stability_limit()
    assert limit == pytest.approx(2 / (1 - beta))
    for factor, far in ((0.97, False), (1.03, True)):
        made = rule(scale * factor * limit, beta=beta, **settings)
        y = np.ones(2)
        state = made.init(y)
        rate = np.float64(scale * factor * limit)
        state = state._replace(shared=state.shared | {"largest_rate": rate, "weights": 1e9 * rate**2})
        for _ in range(300):
            update, state = made.update(curvature * y, state, y)
            y = y + update
        assert (np.linalg.norm(y) > 10) == far
        assert (np.linalg.norm(y) < 0.1) == (not far)


# ---------------------------------------------------------------------------------------------- in a descent


def shifted(x, batch):
    return 0.5 * ((x - batch) ** 2).sum(-1).mean()


DATA = np.random.default_rng(3).normal(2.0, 1.0, size=(40, 3)).astype(np.float32)
HELD_OUT = DATA[:10]


def descent(rule, **settings):
    return minimize(shifted, np.zeros(3, np.float32), DATA, optimizer=rule, batch_size=8, **settings)


@pytest.mark.parametrize("rule", [ScheduleFreeSGD(0.5), ScheduleFreeAdamW(0.05)], ids=lambda rule: type(rule).__name__)
def test_a_descent_validates_and_returns_x(rule):
    fit = descent(rule, steps=20, validation=HELD_OUT, validate_every=20)
    y, x = fit.run.params, fit.run.eval_params
    z = fit.run.state.optimizer.slots["z"]
    np.testing.assert_allclose(x, (y - 0.1 * z) / 0.9, rtol=1e-5)
    np.testing.assert_array_equal(fit.params, x)
    assert np.abs(x - y).max() > 1e-3
    assert fit.history.validation["loss"] == [pytest.approx(float(shifted(x, HELD_OUT)), rel=1e-6)]
    assert abs(float(shifted(y, HELD_OUT)) / float(shifted(x, HELD_OUT)) - 1) > 1e-3
    np.testing.assert_array_equal(descent(rule, steps=20).params, x)
    assert set(fit.history.columns) >= {"learning_rate"}


@pytest.mark.parametrize("rule", RULES)
def test_a_descent_goes_on_bit_for_bit(rule, tmp_path):
    settings = {"validation": HELD_OUT, "validate_every": 10, "stop": []}
    rate = Warmup(InverseTime(0.2, 0.01), steps=30)
    whole = descent(rule(rate), steps=40, **settings)
    descent(rule(rate), steps=20, checkpoint=tmp_path / "run", **settings)
    resumed = descent(rule(rate), steps=40, checkpoint=tmp_path / "run", resume=True, **settings)
    assert resumed.run.step == 40
    assert resumed.history.validation == whole.history.validation
    for got, wanted in zip(jax.tree.leaves((resumed.run.state.optimizer, resumed.params)),
                           jax.tree.leaves((whole.run.state.optimizer, whole.params)), strict=True):
        assert np.asarray(got).tobytes() == np.asarray(wanted).tobytes()


@pytest.mark.parametrize("rule", [ScheduleFreeSGD(0.5), ScheduleFreeAdamW(0.1)], ids=lambda rule: type(rule).__name__)
def test_what_converged_is_what_is_returned(rule):
    """The gradient that passed the test was taken at y; the average may lag behind."""
    curvature = np.array([1.0, 0.3], np.float32)
    fit = minimize(lambda x: 0.5 * (curvature * (x - 1) ** 2).sum(), [4.0, -3.0], optimizer=rule)
    assert fit.reason.name == "converged"
    gradient = curvature * (np.asarray(fit.params) - 1)
    assert np.linalg.norm(gradient) == pytest.approx(fit.history["gradient_norm"][-1], rel=1e-3)
    np.testing.assert_array_equal(fit.params, fit.run.params)
    np.testing.assert_allclose(fit.params, 1, atol=1e-4)
