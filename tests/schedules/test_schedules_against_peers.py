"""Schedules against those of PyTorch, Optax, Keras and Transformers, step by step."""

import warnings

import jax
import numpy as np
import pytest

from descend.schedules import (
    Cosine,
    Cyclic,
    Exponential,
    Factor,
    Joined,
    MultiStep,
    OneCycle,
    Polynomial,
    Step,
    WarmRestarts,
    Warmup,
    WarmupStableDecay,
)

pytestmark = pytest.mark.peers

STEPS = 200
RATE = 0.3  # PyTorch's schedulers begin at their optimizer's rate


def assert_same(schedule, wanted, steps=STEPS, first=0, rtol=1e-10):
    got = [float(schedule(t)) for t in range(first, steps)]
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * RATE)


@pytest.fixture
def optax():
    return pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")


# ---------------------------------------------------------------------------------------------- PyTorch


PYTORCH = [
    (Step(RATE, every=30, factor=0.5), "StepLR", {"step_size": 30, "gamma": 0.5}),
    (MultiStep(RATE, (10, 55, 120), factor=0.3), "MultiStepLR", {"milestones": [10, 55, 120], "gamma": 0.3}),
    (Factor(RATE, 0.97), "ExponentialLR", {"gamma": 0.97}),
    (Exponential(RATE, decay=-np.log(0.97)), "ExponentialLR", {"gamma": 0.97}),
    (Cosine(RATE, steps=STEPS, final=0.01), "CosineAnnealingLR", {"T_max": STEPS, "eta_min": 0.01}),
    (Polynomial(RATE, steps=120, power=2.5), "PolynomialLR", {"total_iters": 120, "power": 2.5}),
    (Polynomial(RATE, steps=120), "LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 120}),
    (Warmup(RATE, steps=40), "LinearLR", {"start_factor": 1 / 40, "total_iters": 39}),
    (WarmRestarts(RATE, period=30, final=0.01), "CosineAnnealingWarmRestarts", {"T_0": 30, "eta_min": 0.01}),
    (WarmRestarts(RATE, period=11, growth=2), "CosineAnnealingWarmRestarts", {"T_0": 11, "T_mult": 2}),
    (WarmRestarts(RATE, period=1, growth=3), "CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 3}),
    (OneCycle(RATE, steps=199, rise=59), "OneCycleLR", {"max_lr": RATE, "total_steps": 200}),
    (
        OneCycle(RATE, steps=199, rise=49, shape="linear", div=10.0, div_final=1000.0), "OneCycleLR",
        {"max_lr": RATE, "total_steps": 200, "pct_start": 0.25, "anneal_strategy": "linear", "div_factor": 10.0,
         "final_div_factor": 100.0},
    ),
    (
        OneCycle(RATE, steps=199, rise=79, fall=79), "OneCycleLR",
        {"max_lr": RATE, "total_steps": 200, "pct_start": 0.4, "three_phase": True},
    ),
    (Cyclic(0.01, RATE, rise=20), "CyclicLR", {"base_lr": 0.01, "max_lr": RATE, "step_size_up": 20}),
    (
        Cyclic(0.01, RATE, rise=20, fall=13, factor=0.5), "CyclicLR",
        {"base_lr": 0.01, "max_lr": RATE, "step_size_up": 20, "step_size_down": 13, "mode": "triangular2"},
    ),
    (
        Cyclic(0.01, RATE, rise=20, gamma=0.99), "CyclicLR",
        {"base_lr": 0.01, "max_lr": RATE, "step_size_up": 20, "mode": "exp_range", "gamma": 0.99},
    ),
]


@pytest.mark.parametrize(("schedule", "name", "settings"), PYTORCH, ids=[f"{p[1]}-{p[0]!r}" for p in PYTORCH])
def test_as_pytorch(schedule, name, settings):
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE, momentum=0.9)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optimizer.step(), which no rate depends on
        scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **settings)
        for _ in range(STEPS - 1):
            rates.append(scheduler.get_last_lr()[0])
            scheduler.step()
    assert_same(schedule, rates, STEPS - 1)


# ---------------------------------------------------------------------------------------------- Optax


OPTAX = [
    (Step(RATE, every=30, factor=0.5), "exponential_decay", (RATE, 30, 0.5, 0, True)),
    (Factor(RATE, 0.7, every=9, floor=0.02), "exponential_decay", (RATE, 9, 0.7, 0, True, 0.02)),
    (MultiStep(RATE, (10, 55), factor=0.3), "piecewise_constant_schedule", (RATE, {10: 0.3, 55: 0.3})),
    (Polynomial(RATE, steps=120, power=2.5, final=0.01), "polynomial_schedule", (RATE, 0.01, 2.5, 120)),
    (Cosine(RATE, steps=STEPS, final=0.03), "cosine_decay_schedule", (RATE, STEPS, 0.1)),
    (OneCycle(RATE, steps=STEPS), "cosine_onecycle_schedule", (STEPS, RATE)),
    (
        # Optax's linear cycle falls back by 85% of the steps.
        OneCycle(RATE, steps=STEPS, fall=0.55, shape="linear"), "linear_onecycle_schedule", (STEPS, RATE),
    ),
]


@pytest.mark.parametrize(("schedule", "name", "settings"), OPTAX, ids=[f"{p[1]}-{p[0]!r}" for p in OPTAX])
def test_as_optax(optax, schedule, name, settings):
    with jax.enable_x64(True):
        peer = getattr(optax.schedules, name)(*settings)
        rates = [float(peer(np.int64(t))) for t in range(STEPS)]
    assert_same(schedule, rates)


def test_joined_as_optax(optax):
    ours = Joined((Polynomial(RATE, steps=40), Cosine(RATE)), boundaries=(50,)).over(STEPS)
    with jax.enable_x64(True):
        parts = [optax.schedules.linear_schedule(RATE, 0.0, 40), optax.schedules.cosine_decay_schedule(RATE, 150)]
        peer = optax.schedules.join_schedules(parts, [50])
        rates = [float(peer(np.int64(t))) for t in range(STEPS)]
    assert_same(ours, rates)


# ---------------------------------------------------------------------------------------------- Keras, Transformers


@pytest.mark.parametrize(("growth", "factor", "alpha"), [(1, 0.8, 0.0), (1, 0.8, 0.1), (2, 0.5, 0.1)])
def test_restarts_as_keras(monkeypatch, growth, factor, alpha):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="compares with Keras: pip install 'descend[peers]'")
    peer = keras.optimizers.schedules.CosineDecayRestarts(RATE, 16, t_mul=float(growth), m_mul=factor, alpha=alpha)
    ours = WarmRestarts(RATE, period=16, growth=growth, factor=factor, final=alpha * RATE)
    # Keras finds a growing period by a logarithm in 32 bits, which may err just where one begins.
    steps = np.array([t for t in range(STEPS) if growth == 1 or t not in (16, 48, 112)])
    np.testing.assert_allclose(ours(steps), peer(steps), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("shape", ["linear", "1-sqrt"])
def test_stable_as_transformers(shape):
    reason = "compares with Transformers: pip install 'descend[peers]'"
    torch = pytest.importorskip("torch", reason=reason)
    peers = pytest.importorskip("transformers.optimization", reason=reason)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = peers.get_wsd_schedule(
        optimizer, num_warmup_steps=20, num_decay_steps=60, num_training_steps=180, decay_type=shape, min_lr_ratio=0.1
    )
    rate = scheduler.lr_lambdas[0]
    ours = WarmupStableDecay(RATE, steps=180, warmup=20, decay=60, shape=shape, final=0.1 * RATE)
    # Their warm-up begins at the least rate, ours a step above 0.
    assert_same(ours, [RATE * rate(t) for t in range(20, STEPS)], first=20)
