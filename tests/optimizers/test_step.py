"""A step by itself: in place, and by formulas that only their cost tells from the papers'."""

import boxes_adaptive
import boxes_first
import jax.numpy as jnp
import numpy as np
import pytest

from descend import optimizers
from descend.optimizers import SGD, AdaDelta, Lion, ScheduleFreeAdamW, ScheduleFreeSGD, step
from descend.optimizers._step import _step

ELEMENTWISE = [
    SGD(0.1), SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9, nesterov=True), ScheduleFreeSGD(0.1, weight_decay=0.1),
    ScheduleFreeAdamW(0.1, weight_decay=0.1),
    *(getattr(optimizers, name)(0.1) for name in (
        "SignSGD", "Lion", "AdaGrad", "RMSprop", "AdaDelta", "Adam", "AdamW", "AMSGrad", "AdaMax", "NAdam", "RAdam",
        "Yogi", "AdaBelief", "ScheduleFreeSGD", "ScheduleFreeAdamW",
    )),
]


@pytest.mark.parametrize("rule", ELEMENTWISE, ids=repr)
def test_needs_no_memory_besides(rule):
    params = [jnp.ones((64, 64))] * 2
    program = _step.lower(params, rule.init(params), rule, params, {}).compile()
    assert program.memory_analysis().temp_size_in_bytes < params[0].nbytes  # there is no copy, nor an array in between


@pytest.mark.parametrize("betas", [(0.9, 0.9), (0.99, 0.9), (0.9, 0.0), (0.0, 0.0), (0.0, 0.9)])
def test_lion_with_any_betas(betas):
    _agree(Lion, boxes_first.lion, {"beta1": betas[0], "beta2": betas[1]})


def test_adadelta_without_memory():
    _agree(AdaDelta, boxes_adaptive.adadelta, {"decay": 0.0})


def _agree(make, box, settings):
    """The rule and its box, over gradients among which are zeros."""
    gradients = np.random.default_rng(0).normal(size=(20, 7)) * (np.arange(20) % 5 > 0)[:, None]
    params = jnp.zeros(7)
    rule = make(0.1, **settings)
    state = rule.init(params)
    for g in gradients:
        params, state = step(rule, jnp.asarray(g, params.dtype), params, state)
    *_, expected = box(np.zeros(7), gradients, [0.1] * 20, **settings)
    np.testing.assert_allclose(params, expected, rtol=1e-5, atol=1e-7)
