"""Parameters of half precision go where those of float32 go, as near as their digits allow; all others as ever."""


import jax
import jax.numpy as jnp
import numpy as np
import pytest

import descend
from descend.engine.storing import read_arrays
from descend.optimizers import (
    EMA,
    LBFGS,
    SAM,
    SGD,
    Accumulate,
    Adam,
    AdamW,
    ClipByNorm,
    Lookahead,
    PolyakAverage,
    ScheduleFreeSGD,
    SkipNonfinite,
    WeightDecay,
    family,
    step,
)
from descend.optimizers._masters import Mastered

# Gradients of a constant slope, which bfloat16 and float16 have exactly; in a matrix of full rank.
SLOPE = np.array([[1.0, 0.5, -0.25], [-0.5, 1.0, 0.125], [0.25, -0.125, -1.0]])
STEPS, MOVED = 1000, 0.1
# Rates by which a thousand steps are about a tenth, where that is not 10⁻⁴.
RATES = {"AdaDelta": 0.012, "AdaGrad": 0.0016, "LARS": 0.1, "RAdam": 2e-4, "Shampoo": 0.003}
UNTUNED = ("DoG", "DoWG", "PolyakStep", "Prodigy")  # which have a rate of 1, and come to it by themselves
RULES = [member for member in family() if member.kind == "rule"]


def made(member):
    return member.cls() if member.name in UNTUNED else member.cls(RATES.get(member.name, 1e-4))


def walks(rule, *dtypes):
    """The parameter after each step, from 1, in each dtype, and the last state; in one program."""
    found = jax.jit(lambda: [_walk(rule, dtype) for dtype in dtypes])()
    return [(np.asarray(path, np.float32), state) for path, state in found]


def _walk(rule, dtype):
    g = jnp.asarray(SLOPE, dtype)
    value = jnp.float32(MOVED / STEPS * (SLOPE**2).sum())  # of which Polyak's step is 10⁻⁴ of the gradient

    def one(carry, _):
        p, state = carry
        u, state = rule.update(g, state, p, value=value, value_and_grad=lambda p: (value, jnp.asarray(SLOPE, p.dtype)))
        return (p + u, state), p + u

    start = jnp.ones(SLOPE.shape, dtype)
    (_, state), path = jax.lax.scan(one, (start, rule.init(start)), length=STEPS)
    return path, state


def assert_same_way(rule, dtype):
    """As far as a tenth: on the way of float32, but for the rounding of a number near 1, of half a spacing."""
    (half, state), (single, plain) = walks(rule, dtype, jnp.float32)
    assert isinstance(state, Mastered)
    assert not isinstance(plain, Mastered)
    away = np.abs(single - 1).max(axis=(1, 2))
    so_far = len(away) if away.max() < MOVED else int(np.argmax(away >= MOVED))
    assert away[:so_far].max() > MOVED / 2
    assert np.abs(half[:so_far] - single[:so_far]).max() <= float(jnp.finfo(dtype).eps) / 2 + 1e-6


@pytest.mark.parametrize("member", RULES, ids=lambda member: member.name)
def test_a_thousand_little_steps_are_a_tenth(member):
    assert_same_way(made(member), jnp.bfloat16)


@pytest.mark.parametrize(
    "rule",
    [
        WeightDecay(SGD(1e-4), 0.1),  # what is added further out, too
        ClipByNorm(SGD(1e-4), 1.5),
        Accumulate(SGD(4e-4), 4),
        Lookahead(SGD(2e-4), 5, 0.5),
        SkipNonfinite(Adam(1e-4)),
        SAM(SGD(1e-4), 0.05),
        EMA(SGD(1e-4), 0.9),
        SGD(1e-5, momentum=0.9),
    ],
    ids=repr,
)
def test_modified_rules_too(rule):
    assert_same_way(rule, jnp.bfloat16)


def test_float16_has_more_digits():
    assert_same_way(AdamW(1e-4), jnp.float16)


@pytest.mark.parametrize("rule", [EMA(SGD(1e-4), 0.99), PolyakAverage(SGD(1e-4)), ScheduleFreeSGD(2e-4)], ids=repr)
def test_averages_are_evaluated_in_the_parameters_dtype(rule):
    ends, dtypes = {}, (jnp.bfloat16, jnp.float32)
    for dtype, (path, state) in zip(dtypes, walks(rule, *dtypes), strict=True):
        ends[dtype] = rule.eval_params(state, jnp.asarray(path[-1], dtype))
        assert ends[dtype].dtype == dtype
    apart = np.abs(np.asarray(ends[jnp.bfloat16], np.float32) - np.asarray(ends[jnp.float32]))
    assert apart.max() <= float(jnp.finfo(jnp.bfloat16).eps)
    assert np.abs(np.asarray(ends[jnp.float32]) - path[-1]).max() > 0.005


@pytest.mark.parametrize("rule", [SGD(1e-4), Adam(1e-4)], ids=lambda rule: type(rule).__name__)
def test_in_numpy_and_without_parameters(rule):
    g, p = np.full(2, 1.0, np.float16), np.ones(2, np.float16)
    state = rule.init(p)
    for _ in range(STEPS):
        u, state = rule.update(g, state)  # as Optax's protocol allows
        p = p + u
    assert p.dtype == np.float16
    np.testing.assert_allclose(p, 1 - MOVED, atol=np.finfo(np.float16).eps)


def test_others_are_as_ever_beside_them():
    params = {"half": jnp.ones(2, jnp.bfloat16), "single": jnp.ones(2, jnp.float32)}
    rule = Adam(1e-4)
    state = rule.init(params)
    assert [leaf.dtype for leaf in jax.tree.leaves(state.masters)] == [jnp.float32]
    alone = rule.init(params["single"])
    update = jax.jit(rule.update)
    for _ in range(200):
        updates, state = update(params, state, params)
        by_itself, alone = update(params["single"], alone, params["single"])
        np.testing.assert_array_equal(updates["single"], by_itself)
        params = jax.tree.map(jnp.add, params, updates)
    assert float(params["half"][0]) == pytest.approx(0.98, abs=0.004)


def test_whoever_moves_a_parameter_is_followed():
    """A projection, or a weight that is set by hand: the master is that of the old place."""
    rule, g = SGD(1e-4), jnp.ones(2, jnp.bfloat16)
    p, state = jnp.ones(2, jnp.bfloat16), None
    state = rule.init(p)
    for _ in range(10):
        u, state = rule.update(g, state, p)
        p = p + u
    p = p.at[0].set(0.5)
    u, state = rule.update(g, state, p)
    np.testing.assert_allclose(state.masters, [0.5 - 1e-4, 1 - 11e-4], rtol=1e-6)
    assert np.asarray(p + u, np.float32).tolist() == [0.5, 1.0]


def test_a_step_in_place():
    rule, p = AdamW(1e-4), jnp.ones(3, jnp.bfloat16)
    state = rule.init(p)
    for _ in range(STEPS):
        p, state = step(rule, jnp.ones(3, jnp.bfloat16), p, state)
    np.testing.assert_allclose(np.asarray(p, np.float32), 1 - MOVED, atol=float(jnp.finfo(jnp.bfloat16).eps))


@pytest.mark.parametrize("member", RULES, ids=lambda member: member.name)
def test_nothing_is_added_to_what_has_digits_enough(member):
    """The program of float32 has no conversion in it, and the state is the rule's own."""
    rule, p = made(member), jnp.ones((3, 3))
    state = jax.eval_shape(rule.init, p)
    program = str(jax.make_jaxpr(lambda s: rule.update(p, s, p, value=1.0))(state))
    assert not isinstance(state, Mastered)
    assert "reduce_precision" not in program
    assert "bf16" not in program or member.name == "Muon"


def quadratic(params, batch):
    return ((params["a"].astype(jnp.float32) - batch) ** 2).mean()


START, DATA = {"a": jnp.ones(3, jnp.bfloat16)}, np.zeros((8, 3), np.float32)


def test_a_descent_goes_on_bit_for_bit(tmp_path):
    def descent(steps, resume=False, name="run"):
        return descend.minimize(
            quadratic, START, DATA, batch_size=8, dtype=jnp.bfloat16, optimizer=Adam(1e-4), steps=steps, stop=[],
            checkpoint=tmp_path / name, resume=resume,
        )

    whole = descent(600)
    descent(250, name="part")
    again = descent(600, resume=True, name="part")
    assert whole.params["a"].dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(whole.params["a"], np.float32), 0.94, atol=0.004)
    arrays, other = (read_arrays(tmp_path / name)[0] for name in ("run", "part"))
    assert arrays["state/optimizer/masters/a"].dtype == np.float32
    for name, array in arrays.items():
        assert array.tobytes() == other[name].tobytes(), name
    np.testing.assert_array_equal(again.history["loss"], whole.history["loss"])


def test_a_search_of_half_precision_comes_near():
    loss = lambda p: ((p.astype(jnp.float32) - 3) ** 2).sum()
    fit = descend.minimize(loss, jnp.ones(3, jnp.bfloat16), optimizer=LBFGS(), steps=50, dtype=jnp.bfloat16)
    assert fit.params.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(fit.params, np.float32), 3, atol=0.02)
