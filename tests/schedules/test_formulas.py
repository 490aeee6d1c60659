"""Each schedule against its formula, for steps of Python, NumPy, JAX and PyTorch."""

import math
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formulas import SCHEDULES, STEPS, formulas

from descend import schedules
from descend.schedules import Constant, Cosine, OneCycle, Schedule, WarmRestarts, as_schedule


def test_all_schedules_are_tested():
    kinds = {kind for kind in vars(schedules).values() if isinstance(kind, type) and issubclass(kind, Schedule)}
    assert kinds == {Schedule, *map(type, SCHEDULES)}


@pytest.mark.parametrize("number", [int, np.int32, lambda t: np.asarray(t, np.int64)])
@formulas
def test_formula(schedule, formula, number):
    for t in STEPS:
        assert float(schedule(number(t))) == pytest.approx(formula(t), rel=1e-11, abs=1e-15)


@formulas
def test_formula_of_many_steps_at_once(schedule, formula):
    rates = np.broadcast_to(schedule(np.array(STEPS)), len(STEPS))
    np.testing.assert_allclose(rates, [formula(t) for t in STEPS], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(("wide", "tolerance"), [(True, 1e-12), (False, 2e-6)], ids=["float64", "float32"])
@formulas
def test_formula_of_traced_steps(schedule, formula, wide, tolerance):
    with jax.enable_x64(True) if wide else nullcontext():
        rates = np.broadcast_to(jax.jit(jax.vmap(schedule))(jnp.asarray(STEPS, jnp.int32)), len(STEPS))
    assert rates.dtype == (np.float64 if wide else np.float32)
    # The float32 exponents, up to 543, and half cosines near their end are as exact as their argument is.
    np.testing.assert_allclose(rates, [formula(t) for t in STEPS], rtol=10 * tolerance, atol=tolerance)


@pytest.mark.peers
@formulas
def test_formula_of_pytorch_steps(schedule, formula):
    torch = pytest.importorskip("torch", reason="steps with PyTorch's integers: pip install 'descend[peers]'")
    rates = [float(schedule(torch.tensor(t, dtype=torch.int32))) for t in STEPS]
    np.testing.assert_allclose(rates, [formula(t) for t in STEPS], rtol=1e-11, atol=1e-15)


def test_periods_are_exact_up_to_the_last_step():
    """Where 32 bits of a logarithm would not tell one period from the next."""
    schedule = WarmRestarts(1.0, period=1, growth=2, factor=0.5)
    last = 2**31 - 1
    for step in (2**24 - 2, 2**24 - 1, 2**30 - 2, 2**30 - 1, last - 1, last):
        period = int(math.log2(step + 1))
        at_start = step + 1 == 2**period
        assert (float(schedule(jnp.asarray(step, jnp.int32))) == 0.5**period) == at_start


@pytest.mark.parametrize(
    ("schedule", "end"), [(OneCycle(0.3, steps=100), 0.3 / 2.5e5), (Cosine(0.3, steps=100, final=1e-9), 1e-9)], ids=repr
)
def test_a_tiny_end_is_exact(schedule, end):
    """In 32 bits, too, where the difference from the first rate would swallow it."""
    assert float(schedule(jnp.asarray(100, jnp.int32))) == pytest.approx(end, rel=1e-6)


def test_as_schedule():
    assert as_schedule(0.1) == Constant(0.1)
    assert as_schedule(SCHEDULES[1]) is SCHEDULES[1]
