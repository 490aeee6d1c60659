"""What single rules promise besides their algorithm box: accuracy, metrics, memory."""

from decimal import Decimal, getcontext

import boxes_layerwise
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.optimizers import LAMB, LARS, Adafactor, AdamW, NAdam, NAdamW, RAdam, RMSprop, family
from descend.optimizers.adam import averaged_over
from descend.schedules import InverseTime

# ---------------------------------------------------------------------------------------------- RAdam


def exact_length(beta, t):
    """The formula of the paper in 60 digits."""
    getcontext().prec = 60
    beta, power = Decimal(beta), Decimal(beta) ** t
    return 2 / (1 - beta) - 1 - 2 * t * power / (1 - power)


@pytest.mark.parametrize("beta", [0.3, 0.9, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-10)])
@pytest.mark.parametrize("xp", [np, jnp])
def test_how_many_gradients_count(xp, dtype, tolerance, beta):
    """In float32 the formula as it is written would be wrong by 10⁻⁴ at the steps at which it is compared with 5."""
    steps = [1, 2, 3, 4, 5, 6, 7, 20, 100, 250, 251, 499, 501, 700, 2500, 10_000, 1_000_000]
    with jax.enable_x64(dtype == "float64"):
        got = averaged_over(beta, xp.asarray(steps, dtype))
    assert got.dtype.name == dtype
    np.testing.assert_allclose(got, [float(exact_length(beta, t)) for t in steps], rtol=tolerance)


def test_reads_when_it_rectifies():
    rule, g = RAdam(0.1), np.array([1.0, -2.0])
    state, read = rule.init(g), []
    for _ in range(7):
        read.append(rule.metrics(state)["rectification"])
        _, state = rule.update(g, state)
    length = float(exact_length(0.999, 6))
    longest = 2 / (1 - 0.999) - 1
    sixth = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    np.testing.assert_allclose(read, [0, 0, 0, 0, 0, 0, sixth], rtol=1e-9)
    far = state._replace(count=np.int32(10**6))
    assert rule.metrics(far)["rectification"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("beta2", [0.0, 1 / 3, 0.6])
def test_too_short_an_average_is_never_rectified(beta2):
    """ρ∞ is then 1, 2 and 4: the formula would take a logarithm of 0, or divide by it."""
    rule, g = RAdam(0.1, beta1=0.0, beta2=beta2), np.array([1.0, -2.0])
    update, state = rule.update(g, rule.init(g)._replace(count=np.int32(1000)))
    np.testing.assert_allclose(update, -0.1 * g)
    assert rule.metrics(state)["rectification"] == 0


# ---------------------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("rule", [AdamW, NAdamW, LAMB, LARS])
def test_reads_its_weight_decay(rule):
    made = rule(InverseTime(0.5, decay=1.0), weight_decay=0.25)
    x = np.ones(2)
    _, state = made.update(x, made.init(x), x)
    _, state = made.update(x, state, x)
    read = made.metrics(state)
    assert (read["learning_rate"], read["weight_decay"]) == (0.25, 0.25)


def test_reads_the_mean_trust_ratio():
    rule = LARS(0.1, momentum=0.0, trust_coefficient=2.0)
    params = {"a": np.array([3.0, 4.0]), "b": np.array([[1.0]])}
    grads = {"a": np.array([0.0, 1.0]), "b": np.array([[4.0]])}
    state = rule.init(params)
    assert rule.metrics(state)["trust_ratio"] == 1
    _, state = rule.update(grads, state, params)
    assert rule.metrics(state)["trust_ratio"] == pytest.approx((2 * 5 / 1 + 2 * 1 / 4) / 2)


@pytest.mark.parametrize("rule", [LARS(0.5, momentum=0.0), LAMB(0.5, beta1=0.0, beta2=0.0, eps=0.0)])
def test_parameters_at_zero_are_moved_nevertheless(rule):
    """The ratio of lengths would never let them leave."""
    zero, g = np.zeros(2), np.array([1.0, -1.0])
    update, state = rule.update(g, rule.init(zero), zero)
    np.testing.assert_allclose(update, [-0.5, 0.5])
    assert rule.metrics(state)["trust_ratio"] == 1


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("rule", [LARS(0.1), LAMB(0.1, eps=0.0)])
def test_scaling_parameters_scales_the_steps(rule, shape):
    """What layerwise rules are for: the relative change does not depend on the parameters' unit, or the gradients'."""
    rng = np.random.default_rng(0)
    x, g = np.asarray(rng.normal(size=shape)), np.asarray(rng.normal(size=shape))
    here, _ = rule.update(g, rule.init(x), x)
    there, _ = rule.update(1e3 * g, rule.init(x), 100 * x)
    np.testing.assert_allclose(there, 100 * here, rtol=1e-12)


# ---------------------------------------------------------------------------------------------- Adafactor


def test_adafactors_relative_step_has_a_ceiling():
    """1/√t, which the cases' rates stay below."""
    x, gradients = np.random.default_rng(0).normal(size=(3, 4)), np.random.default_rng(1).normal(size=(30, 3, 4))
    state, rule = Adafactor(0.25).init(x), Adafactor(0.25)
    for wanted, g in zip(boxes_layerwise.adafactor(x, gradients, [0.25] * 30), gradients, strict=True):
        update, state = rule.update(g, state, x)
        x = x + update
        np.testing.assert_allclose(x, wanted, rtol=1e-12)


# ---------------------------------------------------------------------------------------------- memory and rounding


@pytest.mark.parametrize(
    ("shape", "numbers"), [((), 1), ((100,), 100), ((100, 50), 150), ((3, 100, 50), 450), ((1, 1), 2)]
)
def test_adafactor_remembers_edges(shape, numbers):
    state = Adafactor().init(np.ones(shape, np.float32))
    assert sum(leaf.size for leaf in jax.tree.leaves(state.slots)) == numbers


@pytest.mark.parametrize("eps_in_root", [False, True])
def test_centred_rmsprop_survives_gradients_without_variance(eps_in_root):
    """Mean square less squared mean is then rounding error, of either sign."""
    rule = RMSprop(0.1, decay=0.9, centered=True, eps_in_root=eps_in_root)
    g = np.linspace(0.1, 3, 1000, dtype=np.float32)
    state = rule.init(g)
    for _ in range(300):
        update, state = rule.update(g, state)
        assert np.isfinite(update).all()


def test_nadam_keeps_its_product_in_float32_at_least():
    for dtype, kept in (("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")):
        with jax.enable_x64(True):
            g = jnp.ones(3, dtype)
            _, state = jax.eval_shape(lambda g: NAdam().update(g, NAdam().init(g)), g)
        assert getattr(state, "state", state).shared["momentum_product"].dtype.name == kept


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)], ids=str)
@pytest.mark.parametrize("name", [member.name for member in family() if member.kind == "rule"])
def test_arrays_without_elements_are_left_as_they_are(name, shape):
    """A layer of no units, or a part of a model that is switched off."""
    made = next(member.cls for member in family() if member.name == name)
    rule = made(learning_rate=0.01)
    params = {"empty": np.zeros(shape, np.float32), "full": np.ones((3, 2), np.float32)}
    state = rule.init(params)
    alone = {"full": params["full"]}
    lonely = rule.init(alone)
    for _ in range(2):
        updates, state = rule.update(params, state, params, value=1.0)
        expected, lonely = rule.update(alone, lonely, alone, value=1.0)
        assert updates["empty"].shape == shape
        np.testing.assert_array_equal(updates["full"], expected["full"])
