"""Rules without a learning rate: they find their steps, on problems of any scale, as their papers and peers do."""

import operator
from functools import partial

import boxes_untuned as boxes
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import QUICK, TOLERANCE, assert_close, imported

from descend import minimize
from descend.errors import InputError
from descend.optimizers import Adam, DoG, DoWG, PolyakStep, Prodigy, WeightDecay
from descend.schedules import Constant, Cosine, InverseTime, Warmup

STEPS = 150
RATES = [1 / (1 + 0.01 * step) for step in range(STEPS)]
FALLING = InverseTime(1.0, decay=0.01)
RULES = [Prodigy(), DoG(), DoG(layerwise=True), DoWG()]
ALL = [*RULES, PolyakStep()]
name_of = lambda rule: type(rule).__name__ + ("_layerwise" if getattr(rule, "layerwise", False) else "")

# A quadratic in two arrays, ½ Σ h (θ − θ*)². The start is the origin: how far θ is from there has no rounding error.
CURVATURES = {"a": np.geomspace(0.1, 10.0, 6).reshape(2, 3), "b": np.array([1.0, 0.3, 3.0, 0.5])}
MINIMUM = {"a": np.array([[1.0, -0.5, 0.8], [-1.2, 0.4, 2.0]]), "b": np.array([-0.7, 1.5, 0.2, -1.0])}
ORIGIN = jax.tree.map(np.zeros_like, MINIMUM)
DISTANCE = np.sqrt(sum(np.sum(x**2) for x in MINIMUM.values()))


def gradient(params, far=1.0):
    """In the dtype of the parameters, in NumPy or in JAX; the minimum may be so many times as `far`."""
    of = lambda h, x, best: np.asarray(h, x.dtype) * (x - np.asarray(far * best, x.dtype))
    return jax.tree.map(of, CURVATURES, params, MINIMUM)


def value(params):
    of = lambda h, x, best: (0.5 * np.asarray(h, x.dtype) * (x - np.asarray(best, x.dtype)) ** 2).sum()
    return sum(jax.tree.leaves(jax.tree.map(of, CURVATURES, params, MINIMUM)))


def path(rule, start=ORIGIN, steps=STEPS, gradient=gradient):
    """The parameters after every step, and the metrics."""
    params, state, seen, read = start, rule.init(start), [], []
    for _ in range(steps):
        updates, state = rule.update(gradient(params), state, params)
        params = jax.tree.map(operator.add, params, updates)
        seen.append(params)
        read.append(rule.metrics(state))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *seen), jax.tree.map(lambda *xs: np.stack(xs), *read)


@partial(jax.jit, compiler_options=QUICK)
def compiled_path(rule, start):
    def step(carry, _):
        params, state = carry
        updates, state = rule.update(gradient(params), state, params)
        params = jax.tree.map(jnp.add, params, updates)
        return (params, state), (params, rule.metrics(state))

    return jax.lax.scan(step, (start, rule.init(start)), length=STEPS)[1]


def path_of_box(case):
    """The box on the same quadratic: its gradients are taken where it is."""
    leaves, treedef = jax.tree.flatten(ORIGIN)
    settings = {key: setting for key, setting in case.settings.items() if key != "layerwise"}
    if "layerwise" not in case.settings:
        here, seen = [leaves], []
        gradients = (treedef.flatten_up_to(gradient(treedef.unflatten(here[0]))) for _ in RATES)
        for xs in case.reference(leaves, gradients, RATES, **settings):
            here[0] = xs
            seen.append(xs)
        return treedef.unflatten([np.stack(column) for column in zip(*seen, strict=True)])

    def alone(x, h, best):
        here, seen = [x], []
        for y in case.reference(x, (h * (here[0] - best) for _ in RATES), RATES, **case.settings):
            here[0] = y
            seen.append(y)
        return np.stack(seen)

    return jax.tree.map(alone, ORIGIN, CURVATURES, MINIMUM)


GROWING = {
    "prodigy": boxes.CASES["prodigy"]._replace(
        settings={"beta1": 0.9, "beta2": 0.999}, torch=("prodigyopt.Prodigy", {}),
    ),
    "prodigy_corrected": boxes.CASES["prodigy_corrected"]._replace(
        settings={"d0": 1e-5, "d_coef": 2.0, "weight_decay": 0.01, "use_bias_correction": True},
        torch=("prodigyopt.Prodigy", {"d0": 1e-5, "d_coef": 2.0, "weight_decay": 0.01, "use_bias_correction": True}),
        optax=("optax.contrib.prodigy", {"estim_lr0": 1e-5, "estim_lr_coef": 2.0, "weight_decay": 0.01}),
    ),
    "prodigy_limited": boxes.CASES["prodigy_limited"]._replace(
        settings={"beta1": 0.8, "beta2": 0.99, "beta3": 0.9, "eps": 1e-3, "d_coef": 0.3, "growth_rate": 1.1,
                  "safeguard_warmup": True},
        torch=("prodigyopt.Prodigy", {"betas": (0.8, 0.99), "beta3": 0.9, "eps": 1e-3, "d_coef": 0.3,
                                      "growth_rate": 1.1, "safeguard_warmup": True}),
    ),
    "dog": boxes.CASES["dog"]._replace(
        settings={"eps": 1e-8}, torch=("dog.DoG", {}), optax=("optax.contrib.dog", {}),
    ),
    "dog_decayed": boxes.CASES["dog_decayed"]._replace(
        settings={"eps": 1e-8, "weight_decay": 0.01}, torch=("dog.DoG", {"weight_decay": 0.01}),
        optax=("optax.contrib.dog", {"weight_decay": 0.01}),
    ),
    "ldog": boxes.CASES["ldog"]._replace(settings={"eps": 1e-8, "layerwise": True}, torch=("dog.LDoG", {})),
    "dowg": boxes.CASES["dowg"]._replace(
        settings={"reps_rel": 1e-2, "eps": 1e-4}, optax=("optax.contrib.dowg", {}),
    ),
}


# ---------------------------------------------------------------------------------------------- as the distance grows


@pytest.mark.parametrize("name", GROWING)
def test_grows_as_the_box(name):
    """In float64 in NumPy, and in float32 in compiled JAX."""
    case = GROWING[name]
    rule, wanted = case.rule(FALLING, **case.settings), path_of_box(case)
    got, read = path(rule)
    assert read["distance"][-1] > 20 * read["distance"][0], "the test is about growth"
    assert_close(got, wanted, TOLERANCE["float64"])
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), ORIGIN)
    compiled, also = jax.tree.map(np.asarray, compiled_path(rule, single))
    # The program takes β₂ in float32, too. What that changes in 1 − β₂, a part in 10⁵, growth magnifies.
    rounded = case._replace(settings={name: as_float32(setting) for name, setting in case.settings.items()})
    assert_close(compiled, path_of_box(rounded), TOLERANCE["float32"])
    assert_close(also, path(case.rule(FALLING, **rounded.settings))[1], TOLERANCE["float32"])


def as_float32(setting):
    return float(np.float32(setting)) if isinstance(setting, float) else setting


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name, case in GROWING.items() if case.torch])
def test_grows_as_the_authors(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")
    case = GROWING[name]
    leaves, treedef = jax.tree.flatten(ORIGIN)
    params, seen = [torch.tensor(leaf, requires_grad=True) for leaf in leaves], []
    make, settings = imported(case.torch)
    peer = make(params, lr=1.0, **settings)
    for rate in RATES:
        peer.param_groups[0]["lr"] = rate
        here = treedef.unflatten([p.detach().numpy().copy() for p in params])
        for p, g in zip(params, jax.tree.leaves(gradient(here)), strict=True):
            p.grad = torch.tensor(g)
        peer.step()
        seen.append([p.detach().numpy().copy() for p in params])
    wanted = treedef.unflatten([np.stack(column) for column in zip(*seen, strict=True)])
    assert_close(path(case.rule(FALLING, **case.settings))[0], wanted, TOLERANCE["float64"])


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name, case in GROWING.items() if case.optax])
def test_grows_as_optax(name):
    pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    case = GROWING[name]
    make, settings = imported(case.optax)
    peer = make(lambda step: 1 / (1 + 0.01 * step), **settings)

    class Peer:
        init, update = peer.init, staticmethod(jax.jit(peer.update))
        metrics = staticmethod(lambda state: {})

    with jax.enable_x64(True):
        wanted, _ = path(Peer, jax.tree.map(jnp.asarray, ORIGIN), gradient=jax.jit(gradient))
    assert_close(path(case.rule(FALLING, **case.settings))[0], wanted, TOLERANCE["float64"])


# ---------------------------------------------------------------------------------------------- what theory says


@pytest.mark.parametrize("rule", [Prodigy(), Prodigy(beta2=0.9)], ids=["default", "forgetful"])
def test_prodigys_estimate_is_a_lower_bound(rule):
    """For a convex loss d is at most ‖θ₀ − θ*‖_∞, however far that is, and of its order."""
    for far in (1e-3, 1e3):
        _, read = path(rule, gradient=partial(gradient, far=far))
        bound = far * max(np.abs(x).max() for x in MINIMUM.values())
        assert read["distance"][0] == 1e-6
        assert 0.1 * bound < read["distance"][-1] <= bound


@pytest.mark.parametrize("rule", [DoG(), DoG(layerwise=True), DoWG()], ids=name_of)
def test_the_distance_is_that_of_the_minimum(rule):
    """r̄ grows from 1e-6 to the distance between the start and the minimum, and at most thrice that."""
    for far in (1e-3, 1e3):
        _, read = path(rule, steps=220, gradient=partial(gradient, far=far))
        assert read["distance"][0] == 1e-6
        assert 0.5 * far * DISTANCE < read["distance"][-1] < 3 * far * DISTANCE
        assert (np.diff(read["distance"]) >= 0).all()


@pytest.mark.parametrize("rule", [Prodigy(eps=0.0), *RULES[1:], PolyakStep()], ids=name_of)
def test_the_path_does_not_depend_on_the_scale_of_the_loss(rule):
    """Bit for bit, for powers of two: as gradients enter as ratios alone."""
    for scale in (2.0**-20, 2.0**20):
        paths = []
        for factor in (1.0, scale):
            params, state, seen = ORIGIN, rule.init(ORIGIN), []
            for _ in range(100):
                grads = jax.tree.map(lambda g, factor=factor: factor * g, gradient(params))
                updates, state = rule.update(grads, state, params, value=factor * value(params))
                params = jax.tree.map(operator.add, params, updates)
                seen.append(params)
            paths.append(seen)
        jax.tree.map(np.testing.assert_array_equal, *paths)
        assert value(params) < 0.9 * value(ORIGIN)


# At a constant rate, Prodigy leaves the minimum for a while whenever rounding says, because v has vanished there.
@pytest.mark.parametrize("rule", [Prodigy(Cosine(1.0)), *RULES[1:]], ids=name_of)
def test_needs_no_tuning(rule):
    """One and the same rule, in float32: losses of six decades, and minima of six decades of distance."""
    for scale in (1e-3, 1.0, 1e3):
        for far in (1e-3, 1.0, 1e3):
            asked = np.array([[scale, far]], np.float32)
            fit = minimize(shifted, np.zeros(4, np.float32), asked, optimizer=rule, steps=3000, stop=[])
            np.testing.assert_allclose(fit.params, far * BEST, rtol=0.01)


BEST = np.array([1.0, -2.0, 0.5, 3.0], np.float32)


def shifted(x, asked):
    """A quadratic of some scale, with its minimum at some distance; numbers in the data do not compile again."""
    scale, far = asked[0]
    return scale * 0.5 * (np.array([1.0, 0.5, 3.0, 10.0], np.float32) * (x - far * BEST) ** 2).sum()


def test_prodigy_with_a_known_distance_is_adam():
    settings = {"beta1": 0.8, "beta2": 0.95, "eps": 0.0}
    mine, _ = path(Prodigy(d0=0.3, d_coef=0.0, use_bias_correction=True, **settings))
    adam, _ = path(Adam(0.3, **settings))
    # Of all rules' 1e-9: where gradients vanish and ε is nothing, m/√v makes of each other rounding a step of its own.
    assert_close(mine, adam, 1e-9)


def test_prodigys_growth_is_limited():
    _, read = path(Prodigy(growth_rate=1.1))
    left = read["distance"][read["distance"] > 1e-6]
    growth = left[1:] / left[:-1]
    assert growth.max() == pytest.approx(1.1)
    assert left[-1] > 100 * left[0]


@pytest.mark.parametrize("rule", [DoG(), DoWG()], ids=name_of)
def test_no_step_is_longer_than_the_distance(rule):
    noise = np.random.default_rng(5)
    rough = lambda x: {key: noise.normal(size=leaf.shape) * 10.0 ** noise.uniform(-6, 6) for key, leaf in x.items()}
    seen, read = path(rule, gradient=rough)
    steps = np.sqrt(sum(np.sum(np.diff(x, axis=0) ** 2, axis=tuple(range(1, x.ndim))) for x in seen.values()))
    assert (steps <= read["distance"][1:] * (1 + 1e-9)).all()


def test_decoupled_decay_goes_by_the_length_of_the_step():
    """Not by the factor of 1 that is their learning rate. Prodigy's own decay is the same."""
    x = {"a": np.array([3.0, -4.0]), "b": np.array([1.0])}
    update = lambda rule: rule.update(x, rule.init(x), x, value=1.0)
    assert_close(update(WeightDecay(Prodigy(), 0.01))[0], update(Prodigy(weight_decay=0.01))[0], 1e-12)
    for rule in (DoG(), DoG(layerwise=True), DoWG(), PolyakStep()):  # whose updates are −η g, and here g = θ
        plain, _ = update(rule)
        decayed, _ = update(WeightDecay(rule, 0.01))
        assert_close(decayed, jax.tree.map(lambda u: 1.01 * u, plain), 1e-12)


def test_layerwise_is_dog_on_each_array_by_itself():
    together, read = path(DoG(layerwise=True, reps_rel=1e-3))
    steps = []
    for key in ORIGIN:
        own = lambda x, key=key: {key: CURVATURES[key] * (x[key] - MINIMUM[key])}
        alone, mine = path(DoG(reps_rel=1e-3), {key: ORIGIN[key]}, gradient=own)
        np.testing.assert_array_equal(together[key], alone[key])
        steps.append(mine["effective_step"])
    np.testing.assert_array_equal(read["effective_step"], np.maximum(*steps))


# ---------------------------------------------------------------------------------------------- at the edges


@pytest.mark.parametrize("rule", [*ALL, DoG(eps=1e-8)], ids=name_of)
@pytest.mark.parametrize("xp", [np, jnp])
def test_a_gradient_of_zero_moves_nothing_and_does_no_harm(rule, xp):
    x = xp.asarray([1.0, -2.0], dtype=xp.float32)
    stepped = jax.jit(rule.update) if xp is jnp else rule.update
    state = rule.init(x)
    for _ in range(2):
        update, state = stepped(xp.zeros_like(x), state, x, value=1.0)
        np.testing.assert_array_equal(update, 0)
    update, state = stepped(x, state, x, value=1.0)
    assert np.isfinite(update).all()
    assert (update * x < 0).all()
    assert all(np.isfinite(read) for read in rule.metrics(state).values())


def with_dtypes(xp, first, second):
    return {"first": xp.ones(3, dtype=getattr(xp, first)), "second": xp.ones(2, dtype=getattr(xp, second))}


def dtype_names(tree):
    return {str(leaf.dtype).removeprefix("torch.") for leaf in jax.tree.leaves(tree)}


def assert_keeps_dtypes(rule, xp, first, second, shared):
    params = with_dtypes(xp, first, second)
    stepped = jax.jit(rule.update) if xp is jnp else rule.update
    state = rule.init(params)
    for _ in range(2):
        updates, state = stepped(params, state, params, value=1.0)
    assert [str(leaf.dtype).removeprefix("torch.") for leaf in updates.values()] == [first, second]
    if not getattr(rule, "layerwise", False):
        assert dtype_names(getattr(state, "state", state).shared) == {shared}


@pytest.mark.parametrize("rule", ALL, ids=name_of)
def test_leaves_of_different_dtypes(rule):
    assert_keeps_dtypes(rule, np, "float32", "float64", "float64")
    with jax.enable_x64(True):
        assert_keeps_dtypes(rule, jnp, "float32", "float64", "float64")
        assert_keeps_dtypes(rule, jnp, "bfloat16", "bfloat16", "float32")


@pytest.mark.peers
@pytest.mark.parametrize("rule", ALL, ids=name_of)
def test_tensors_of_different_dtypes(rule):
    torch = pytest.importorskip("torch", reason="steps PyTorch's tensors: pip install 'descend[peers]'")
    assert_keeps_dtypes(rule, torch, "float32", "float64", "float64")
    assert_keeps_dtypes(rule, torch, "bfloat16", "bfloat16", "float32")


@pytest.mark.parametrize(
    ("make", "settings", "name"),
    [(Prodigy, {"growth_rate": 0.9}, "growth_rate"), (Prodigy, {"beta3": 1.0}, "beta3"), (Prodigy, {"d0": 0.0}, "d0"),
     (DoG, {"reps_rel": 0.0}, "reps_rel"), (DoWG, {"reps_rel": -1e-6}, "reps_rel"), (DoWG, {"eps": -1.0}, "eps")],
)
def test_refuses_settings_out_of_range(make, settings, name):
    with pytest.raises(InputError, match=f"^{make.__name__}: {name} must be at least"):
        make(**settings)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_needs_the_parameters(rule):
    g = np.ones(1)
    with pytest.raises(InputError, match=f"{type(rule).__name__} needs the parameters, too"):
        rule.update(g, rule.init(g))


@pytest.mark.parametrize("rule", ALL, ids=name_of)
def test_no_limit_of_stability(rule):
    assert rule.stability_limit() is None
    assert rule.learning_rate == 1.0


# ---------------------------------------------------------------------------------------------- in a descent


@pytest.mark.parametrize("rule", ALL, ids=name_of)
def test_a_descent_records_the_readings_and_goes_on_bit_for_bit(rule, tmp_path):
    settings = {"optimizer": rule, "batch_size": 8, "stop": []}
    data = np.random.default_rng(3).normal(2.0, 1.0, size=(40, 3)).astype(np.float32)
    spread = lambda x, batch: 0.5 * ((x - batch) ** 2).sum(-1).mean()
    whole = minimize(spread, np.zeros(3), data, steps=40, **settings)
    minimize(spread, np.zeros(3), data, steps=20, checkpoint=tmp_path / "run", **settings)
    resumed = minimize(spread, np.zeros(3), data, steps=40, checkpoint=tmp_path / "run", resume=True, **settings)
    assert_reads(rule, whole.history.columns)
    assert resumed.run.step == 40
    for got, wanted in zip(jax.tree.leaves((resumed.run.state.optimizer, resumed.params)),
                           jax.tree.leaves((whole.run.state.optimizer, whole.params)), strict=True):
        assert np.asarray(got).tobytes() == np.asarray(wanted).tobytes()


def assert_reads(rule, read):
    np.testing.assert_array_equal(read["learning_rate"], 1)
    if not isinstance(rule, PolyakStep):
        assert read["distance"][0] == pytest.approx(1e-6)
        assert (np.diff(read["distance"]) >= 0).all()
    if isinstance(rule, Prodigy):
        np.testing.assert_allclose(read["effective_step"], read["distance"], rtol=1e-6)
    else:
        np.testing.assert_allclose(read["effective_step"], read["update_norm"] / read["gradient_norm"], rtol=1e-5)


@pytest.mark.parametrize("rule", ALL, ids=name_of)
def test_a_warm_up_is_a_factor(rule):
    """The first step's length is that of the rule, times the schedule's first rate."""
    made = lambda rate: type(rule)(rate, layerwise=True) if getattr(rule, "layerwise", False) else type(rule)(rate)
    x = np.array([3.0, -4.0])
    full, _ = made(Constant(1.0)).update(x, rule.init(x), x, value=1.0)
    warmed = made(Warmup(Constant(1.0), steps=4))
    quarter, state = warmed.update(x, rule.init(x), x, value=1.0)
    np.testing.assert_allclose(quarter, full / 4, rtol=1e-6)
    assert warmed.metrics(state)["learning_rate"] == 0.25
