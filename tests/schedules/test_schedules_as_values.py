"""Schedules as values: frozen, told by their repr, and pytrees whose leaves are their numbers."""

import dataclasses
from math import inf

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formulas import schedules

from descend import schedules as family
from descend.optimizers import SGD, Adam
from descend.schedules import Cosine, Schedule, Step


@schedules
def test_repr_shows_all_settings(schedule):
    for field in dataclasses.fields(schedule):
        assert f"{field.name}={getattr(schedule, field.name)!r}" in repr(schedule)
    assert eval(repr(schedule), dict(vars(family))) == schedule


@schedules
def test_is_frozen(schedule):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, dataclasses.fields(schedule)[0].name, 1.0)


@schedules
def test_numbers_are_leaves_and_the_rest_is_fixed(schedule):
    leaves = jax.tree.leaves(schedule)
    assert all(type(leaf) is float for leaf in leaves)
    hash(jax.tree.structure(schedule))


def scaled(schedule, factor):
    return jax.tree.map(lambda number: number * factor, schedule)


@schedules
def test_other_numbers_do_not_compile_again(schedule):
    traces = []

    @jax.jit
    def rate(schedule: Schedule, step):
        traces.append(schedule)
        return schedule(step)

    step = jnp.asarray(3)
    for factor in (1.0, 0.5, 0.25):
        other = scaled(schedule, factor)
        assert float(rate(other, step)) == pytest.approx(float(other(3)), rel=1e-5)
    assert len(traces) == 1


@schedules
def test_vmap_races_many_rates(schedule):
    scales = jnp.linspace(0.1, 1.0, 16)
    together = jax.vmap(lambda schedule: schedule(jnp.asarray(12)))(scaled(schedule, scales))
    singly = [float(scaled(schedule, float(scale))(12)) for scale in scales]
    np.testing.assert_allclose(together, singly, rtol=1e-5)


@pytest.mark.parametrize("step", [1000, jnp.asarray(3)], ids=["python", "jax"])
@schedules
def test_gradients_flow_to_the_numbers(schedule, step):
    """Also through `Joined`, whose later parts are asked for steps before they begin; whatever the step is made of."""
    gradient = jax.grad(lambda schedule: jnp.float32(schedule(step)))(jax.tree.map(jnp.float32, schedule))
    assert all(abs(float(leaf)) < inf for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("value", [Cosine(1.0, steps=10, final=0.1), SGD(0.1), Adam(Step(1.0, every=3))], ids=repr)
def test_a_tree_of_numbers_that_are_no_settings(value):
    """A gradient has the structure of what it is the gradient of, and is not held to its limits."""
    negative = jax.tree.map(lambda number: -number, value)
    assert max(jax.tree.leaves(negative)) < 0
    assert jax.tree.map(lambda number: -number, negative) == value
