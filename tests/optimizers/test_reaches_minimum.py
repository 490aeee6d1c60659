"""Every rule and every search finds the minimum: of a parabola, of Rosenbrock's valley, of a matrix, of a mixed tree.

`TABLE` has an optimizer in a setting in which it is known to arrive, for each that is exported. All four problems are
scaled so that one learning rate does for them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import QUICK

from descend.optimizers import (
    LAMB,
    LARS,
    LBFGS,
    LBFGSB,
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
    Backtracking,
    DoG,
    DoWG,
    Lion,
    Muon,
    NAdam,
    NAdamW,
    Newton,
    NewtonCG,
    NonlinearCG,
    Optimizer,
    PolyakStep,
    Prodigy,
    RAdam,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Shampoo,
    SignSGD,
    Yogi,
    family,
)
from descend.schedules import Cosine

STEPS = 20_000  # of which a compiled one takes a microsecond

# Rates fall to zero at the last step: rules whose steps do not shrink with the gradient then arrive, too.
TABLE: list[tuple[Optimizer, int]] = [
    (SGD(Cosine(0.2), momentum=0.9), STEPS),
    (SignSGD(Cosine(0.01), momentum=0.9), STEPS),
    (Lion(Cosine(0.02)), STEPS),
    (AdaGrad(Cosine(1.0)), STEPS),
    (AdaDelta(Cosine(1.0), decay=0.99), STEPS),
    (RMSprop(Cosine(0.02)), STEPS),
    (Adam(Cosine(0.1)), STEPS),
    (AdamW(Cosine(0.1), weight_decay=0.0), STEPS),
    (AMSGrad(Cosine(0.1)), STEPS),
    (AdaMax(Cosine(0.1)), STEPS),
    (NAdam(Cosine(0.05)), STEPS),
    (NAdamW(Cosine(0.05), weight_decay=0.0), STEPS),
    (RAdam(Cosine(0.1)), STEPS),
    (Yogi(Cosine(0.1)), STEPS),
    (AdaBelief(Cosine(0.1)), STEPS),
    (LAMB(Cosine(0.02)), STEPS),
    (LARS(Cosine(0.1), trust_coefficient=0.1), STEPS),
    (Adafactor(Cosine(0.02), relative_step=False), STEPS),
    (ScheduleFreeSGD(0.6), 50_000),
    (ScheduleFreeAdamW(0.01), STEPS),
    (DoG(), STEPS),
    (DoWG(Cosine(1.0)), STEPS),
    (Prodigy(Cosine(1.0)), STEPS),
    (PolyakStep(), STEPS),
    (Muon(Cosine(0.02), companion=Adam(Cosine(0.1))), STEPS),
    (Shampoo(Cosine(1.0)), STEPS),
    (SOAP(Cosine(0.1), weight_decay=0.0), 2000),
    (LBFGS(), 200),
    (LBFGSB(), 200),
    (NonlinearCG(), 400),
    (Backtracking(), STEPS),
    (Newton(), 100),
    (NewtonCG(), 100),
]

RNG = np.random.default_rng(0)
LEFT, RIGHT, HIDDEN = RNG.normal(size=(5, 4)), RNG.normal(size=(3, 6)), RNG.normal(size=(4, 3))
FEATURES = RNG.normal(size=(50, 3))


def parabola(x):
    return ((x - jnp.array([1.0, -2.0])) ** 2 * jnp.array([0.05, 0.5])).sum()


def rosenbrock(x):
    """A hundredth of it."""
    return (x[1] - x[0] ** 2) ** 2 + 0.01 * (1 - x[0]) ** 2


def matrix(x):
    """‖AXB − C‖², whose residual can be zero."""
    return 0.01 * ((LEFT @ (x - HIDDEN) @ RIGHT) ** 2).sum()


def mixed(tree):
    """Least squares by a small linear network with a scale, and a stack of matrices."""
    (layer,), scale = tree["layers"], tree["scale"]
    out = FEATURES @ layer["weight"] + layer["bias"]
    target = FEATURES @ np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 1.0]]) + np.array([0.5, -1.0])
    return ((out - target) ** 2).mean() / 4 + (scale - 3.0) ** 2 / 4 + ((tree["stack"] - 0.5) ** 2).mean()


LOSSES = {"parabola": parabola, "rosenbrock": rosenbrock, "matrix": matrix, "mixed": mixed}
STARTS = {
    "parabola": np.array([-1.0, 1.0]),
    "rosenbrock": np.array([-1.2, 1.0]),
    "matrix": np.ones((4, 3)),
    "mixed": {
        "layers": [{"weight": np.full((3, 2), 0.1), "bias": np.full(2, 0.1)}],
        "scale": np.array(1.0),
        "stack": np.linspace(-1, 1, 12).reshape(2, 2, 3),
    },
}


def descend_on(loss, optimizer):
    """A step of a descent, with all that a descent offers an optimizer."""
    value_and_grad = jax.value_and_grad(loss)

    def step(params, state):
        value, grads = value_and_grad(params)
        updates, state = optimizer.update(
            grads, state, params, value=value, value_fn=loss, value_and_grad=value_and_grad
        )
        return jax.tree.map(jnp.add, params, updates), state

    return step


def ends(optimizer, steps):
    """How much of each problem's loss is left in the end: one compiled loop for all four."""
    optimizer = optimizer.over(steps)

    def advance(runs, _):
        return {name: descend_on(LOSSES[name], optimizer)(*run) for name, run in runs.items()}, None

    def whole(starts):
        runs = {name: (start, optimizer.init(start)) for name, start in starts.items()}
        runs, _ = jax.lax.scan(advance, runs, length=steps)
        return {name: LOSSES[name](optimizer.eval_params(state, params)) / LOSSES[name](starts[name])
                for name, (params, state) in runs.items()}

    with jax.enable_x64(True):
        return {name: float(left) for name, left in jax.jit(whole, compiler_options=QUICK)(STARTS).items()}


@pytest.mark.parametrize(("optimizer", "steps"), TABLE, ids=[type(optimizer).__name__ for optimizer, _ in TABLE])
def test_reaches_the_minimum(optimizer, steps):
    left = ends(optimizer, steps)
    assert {name for name in LOSSES if left[name] < 1e-8} == LOSSES.keys(), left


def test_the_table_has_everyone():
    assert {type(optimizer) for optimizer, _ in TABLE} == {
        member.cls for member in family() if member.kind in {"rule", "search"} and member.name != "LevenbergMarquardt"
    }  # which takes residuals, and has NIST's regressions
