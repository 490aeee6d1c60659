"""What rules say that they divide their steps by: without momentum, a step is `−η g / D`."""

import inspect

import numpy as np
import pytest

from descend import optimizers
from descend.optimizers import (
    LAMB,
    SGD,
    SOAP,
    AdaBelief,
    AdaDelta,
    Adafactor,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    ClipByNorm,
    Freeze,
    Lion,
    NAdam,
    NAdamW,
    PerGroup,
    Prodigy,
    RAdam,
    RMSprop,
    Rule,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Yogi,
)

RATE = 0.1
RULES = {
    "sgd": SGD(RATE),
    "adagrad": AdaGrad(RATE),
    "adagrad_in_root": AdaGrad(RATE, eps=0.1, eps_in_root=True),
    "rmsprop": RMSprop(RATE, eps=0.1),
    "rmsprop_centered": RMSprop(RATE, centered=True),
    "rmsprop_in_root": RMSprop(RATE, eps=0.1, eps_in_root=True),
    "adam": Adam(RATE, beta1=0.0, eps=0.1),
    "adam_eps_hat": Adam(RATE, beta1=0.0, eps=0.1, eps_hat=True),
    "adam_eps_root": Adam(RATE, beta1=0.0, eps_root=0.1),
    "adamw": AdamW(RATE, beta1=0.0, weight_decay=0.0),
    "amsgrad": AMSGrad(RATE, beta1=0.0),
    "amsgrad_corrected": AMSGrad(RATE, beta1=0.0, corrected_max=True),
    "adamax": AdaMax(RATE, beta1=0.0),
    "adamax_outside": AdaMax(RATE, beta1=0.0, eps=0.1, eps_outside=True),
    "radam_at_first": RAdam(RATE, beta1=0.0),
    "radam_later": RAdam(RATE, beta1=0.0, beta2=0.8),
    "yogi": Yogi(RATE, beta1=0.0),
    "adabelief": AdaBelief(RATE, beta1=0.0, eps=0.1),
    "nadam": NAdam(RATE, beta1=0.0),
    "nadamw": NAdamW(RATE, beta1=0.0, weight_decay=0.0),
}  # fmt: skip
# Of these it is no number for each parameter that the state alone tells: it is factored, of rotated parameters, or
# multiplied by the length of the steps before, a ratio of a layer's norms, or a distance.
WITHOUT = (Adafactor, AdaDelta, LAMB, Prodigy, SOAP)
HALF_AVERAGED = (ScheduleFreeSGD, ScheduleFreeAdamW)  # their steps are a mixture of z's and x's: below
FAR = np.array([3.0, -0.5, 1e-3, 40.0])


def walked(rule, steps=12):
    """The parameters and the state after some steps, with the last gradient and update."""
    rng = np.random.default_rng(0)
    x, state = np.ones(4), rule.init(np.ones(4))
    for _ in range(steps):
        g = FAR * rng.normal(size=4)
        update, state = rule.update(g, state, x)
        x = x + update
    return x, state, g, update


@pytest.mark.parametrize("name", RULES)
def test_a_step_without_momentum_is_divided_by_it(name):
    x, state, g, update = walked(RULES[name])
    np.testing.assert_allclose(update, -RATE * g / RULES[name].preconditioner(state, x), rtol=1e-12)


@pytest.mark.parametrize("rule", [ScheduleFreeSGD(RATE), ScheduleFreeAdamW(RATE, eps=0.1, weight_decay=0.0)])
def test_of_schedule_free_rules_it_is_zs(rule):
    x, before, _, _ = walked(rule, 11)
    _, state, g, _ = walked(rule, 12)
    moved = state.slots["z"] - before.slots["z"]
    np.testing.assert_allclose(moved, -RATE * g / rule.preconditioner(state, x), rtol=1e-9)


def test_momentum_does_not_change_it():
    x, plain, *_ = walked(Adam(RATE, beta1=0.0))
    _, averaged, *_ = walked(Adam(RATE))
    np.testing.assert_allclose(Adam(RATE).preconditioner(averaged, x), Adam(RATE, beta1=0.0).preconditioner(plain, x))


def test_whatever_keeps_second_moments_or_declares_a_limit_is_held_to_it():
    exported = {kind for kind in vars(optimizers).values() if inspect.isclass(kind) and issubclass(kind, Rule)} - {Rule}
    squares = {"mean_square", "sum_of_squares", "largest"}
    asked = {kind for kind in exported if squares & set(kind().slots) or kind().stability_limit() is not None}
    assert asked == {type(rule) for rule in RULES.values()} | {*WITHOUT, *HALF_AVERAGED}


@pytest.mark.parametrize("kind", [*WITHOUT, Lion])
def test_is_none_where_it_is_no_number_for_each_parameter(kind):
    rule = kind(RATE)
    assert rule.preconditioner(rule.init(FAR), FAR) is None


def test_of_wrapped_and_divided_rules():
    grads = {"a": FAR, "b": 2 * FAR}
    parts = {"freeze": Freeze(Adam(RATE), "b"), "groups": PerGroup(Adam(RATE), {"b": SGD(RATE)})}
    for rule in parts.values():
        _, state = rule.update(grads, rule.init(grads), grads)
        found = rule.preconditioner(state, grads)
        np.testing.assert_allclose(found["a"], np.abs(FAR) + 1e-8)  # of one gradient v̂ is its square
        np.testing.assert_array_equal(found["b"], np.ones(4))
    clipped = ClipByNorm(Adam(RATE), 1.0)
    _, state = clipped.update(FAR, clipped.init(FAR), FAR)
    np.testing.assert_allclose(clipped.preconditioner(state, FAR), np.abs(FAR) / np.linalg.norm(FAR) + 1e-8)


def test_of_parameters_in_half_precision_it_is_their_masters():
    import jax.numpy as jnp

    x = jnp.ones(4, jnp.bfloat16)
    _, state = Adam(RATE).update(x, Adam(RATE).init(x), x)
    found = Adam(RATE).preconditioner(state, x)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, np.ones(4), rtol=1e-6)
