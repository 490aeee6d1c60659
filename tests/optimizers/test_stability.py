"""The declared stability limits, on random rotated quadratics: just below a rule converges, just above it diverges.

The rules with a preconditioner are held to theirs by an ε that dwarfs √v: the preconditioner is then 1/ε, and the
quadratic's curvature divided by ε that of the preconditioned problem. They are watched long after their start,
because Adam's first steps, by the correction of its averages, are longer than those that the limit is about.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.optimizers import SGD, AdaGrad, Adam, AdamW, RMSprop

EPS = 1e100
STEPS = 300
FAMILIES = {
    "plain": lambda rate, beta: SGD(rate),
    "heavy_ball": lambda rate, beta: SGD(rate, momentum=beta),
    "nesterov": lambda rate, beta: SGD(rate, momentum=beta, nesterov=True),
    "adagrad": lambda rate, beta: AdaGrad(EPS * rate, eps=EPS),
    "rmsprop": lambda rate, beta: RMSprop(EPS * rate, decay=beta, eps=EPS),
    "adam": lambda rate, beta: Adam(EPS * rate, beta1=beta, eps=EPS),
    "adamw": lambda rate, beta: AdamW(EPS * rate, beta1=beta, eps=EPS, weight_decay=0.0),
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
    start, state = np.linalg.norm(x), rule.init(x)._replace(count=np.int32(10**6))
    for _ in range(STEPS):
        update, state = rule.update(hessian @ x, state, x)
        x = x + update
    return np.linalg.norm(x) / start


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=10, deadline=None)
@given(quadratic=quadratics(), beta=st.floats(0.0, 0.95))
def test_converges_below_the_limit_and_diverges_above(family, quadratic, beta):
    hessian, start, largest = quadratic
    make = FAMILIES[family]
    limit = make(1.0, beta).stability_limit() / largest
    assert growth(make(0.97 * limit, beta), hessian, start) < 0.1
    assert growth(make(1.03 * limit, beta), hessian, start) > 10


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(
    ("family", "limit"),
    [("plain", lambda beta: 2), ("heavy_ball", lambda beta: 2 * (1 + beta)), ("adagrad", lambda beta: 2),
     ("nesterov", lambda beta: 2 * (1 + beta) / (1 + 2 * beta)), ("rmsprop", lambda beta: 2),
     ("adam", lambda beta: 2 * (1 + beta) / (1 - beta)), ("adamw", lambda beta: 2 * (1 + beta) / (1 - beta))],
)
def test_the_limit_is_the_known_one(family, limit, beta):
    assert FAMILIES[family](0.1, beta).stability_limit() == pytest.approx(limit(beta), rel=1e-12)
