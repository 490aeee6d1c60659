"""The declared stability limits, on random rotated quadratics: just below a rule converges, just above it diverges.

The rules with a preconditioner are held to theirs by an ε that dwarfs √v: the preconditioner is then 1/ε, and the
quadratic's curvature divided by ε that of the preconditioned problem. They are watched long after their start,
because Adam's first steps, by the correction of its averages, are longer than those that the limit is about.
"""

import inspect

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import times
from descend import optimizers
from descend.optimizers import (
    SGD,
    AdaBelief,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    NAdam,
    NAdamW,
    RAdam,
    RMSprop,
    Rule,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Yogi,
)
from enforced import without_types

EPS = 1e100
STEPS = 300


def adams(rule, **others):
    """A rule of Adam's family, held to its preconditioner."""
    return lambda rate, beta: rule(EPS * rate, beta1=beta, eps=EPS, **others)


def heavy(beta):
    return 2 * (1 + beta)


def averaged(beta):
    return heavy(beta) / (1 - beta)


# Each with its limit: Polyak's for the heavy ball, which averaging divides by 1 − β; for Nesterov's the root −1 of the
# characteristic polynomial z² − (1 + β)(1 − a) z + β (1 − a), a the curvature times the rate.
FAMILIES = {
    "plain": (lambda rate, beta: SGD(rate), lambda beta: 2),
    "heavy_ball": (lambda rate, beta: SGD(rate, momentum=beta), heavy),
    "heavy_ball_of_steps": (lambda rate, beta: SGD(rate, momentum=beta, rate_in_velocity=True), heavy),
    "average": (lambda rate, beta: SGD(rate, momentum=beta, ema=True), averaged),
    "nesterov": (lambda rate, beta: SGD(rate, momentum=beta, nesterov=True), lambda beta: heavy(beta) / (1 + 2 * beta)),
    "nesterov_average": (
        lambda rate, beta: SGD(rate, momentum=beta, nesterov=True, ema=True),
        lambda beta: averaged(beta) / (1 + 2 * beta),
    ),
    "adagrad": (lambda rate, beta: AdaGrad(EPS * rate, eps=EPS), lambda beta: 2),
    "rmsprop": (lambda rate, beta: RMSprop(EPS * rate, decay=beta, eps=EPS), lambda beta: 2),
    "rmsprop_momentum": (lambda rate, beta: RMSprop(EPS * rate, momentum=beta, centered=True, eps=EPS), heavy),
    "adam": (adams(Adam), averaged),
    "adam_eps_hat": (adams(Adam, eps_hat=True), averaged),
    "adamw": (adams(AdamW, weight_decay=0.0), averaged),
    "amsgrad": (adams(AMSGrad), averaged),
    "adamax": (adams(AdaMax), averaged),
    "radam": (adams(RAdam), averaged),
    "yogi": (adams(Yogi), averaged),
    "adabelief": (adams(AdaBelief), averaged),
    "nadam": (adams(NAdam), lambda beta: averaged(beta) / (1 + 2 * beta)),
    "nadamw": (adams(NAdamW, weight_decay=0.0), lambda beta: averaged(beta) / (1 + 2 * beta)),
}


@st.composite
def quadratics(draw):
    """A rotated Hessian with condition number up to 50, and a start with a part along each of its axes."""
    size, seed = draw(st.integers(1, 6)), draw(st.integers(0, 2**32 - 1))
    largest, condition = 10 ** draw(st.floats(-3, 3)), draw(st.floats(1, 50))
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(size, size)))
    curvatures = largest / np.geomspace(1, condition, size)
    return rotation * curvatures @ rotation.T, rotation @ rng.choice([-1.0, 1.0], size), largest


def growth(rule, hessian, x):
    """How much longer the parameters are after `STEPS` steps than at the start."""
    start, state = np.linalg.norm(x), rule.init(x)
    # Long after the start, by when NAdam's product of momenta has died out, too.
    state = state._replace(count=np.int32(10**6), shared=jax.tree.map(np.zeros_like, state.shared))
    with without_types():
        for _ in range(STEPS):
            update, state = rule.update(hessian @ x, state, x)
            x = x + update
    return np.linalg.norm(x) / start


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=times(4), deadline=None)
@given(quadratic=quadratics(), beta=st.floats(0.0, 0.95))
def test_converges_below_the_limit_and_diverges_above(family, quadratic, beta):
    hessian, start, largest = quadratic
    make, _ = FAMILIES[family]
    limit = make(1.0, beta).stability_limit() / largest
    assert growth(make(0.97 * limit, beta), hessian, start) < 0.1
    assert growth(make(1.03 * limit, beta), hessian, start) > 10


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_limit_is_the_known_one(family, beta):
    make, known = FAMILIES[family]
    assert make(0.1, beta).stability_limit() == pytest.approx(known(beta), rel=1e-12)


def test_every_rule_that_declares_a_limit_is_held_to_it():
    exported = [kind for kind in vars(optimizers).values() if inspect.isclass(kind) and issubclass(kind, Rule)]
    declaring = {kind for kind in exported if kind is not Rule and kind().stability_limit() is not None}
    elsewhere = {ScheduleFreeSGD, ScheduleFreeAdamW}  # theirs holds late: `test_averaged`
    assert declaring - elsewhere == {type(make(0.1, 0.5)) for make, _ in FAMILIES.values()}
