"""Reducing the learning rate on a plateau: PyTorch's algorithm, for every learning rate inside."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import assert_close, batches, compiled_walk, walk

from descend.errors import InputError
from descend.optimizers import (
    SGD,
    Adam,
    Lookahead,
    PerGroup,
    ReduceOnPlateau,
    Rule,
    ScheduleFreeSGD,
    WeightDecay,
)
from descend.schedules import Constant, InverseTime, Schedule

RNG = np.random.default_rng(8)
LOSSES = np.abs(np.repeat(np.linspace(2, 0.5, 8), 4) + 0.15 * RNG.normal(size=32))  # falls, with noise, in stairs
GRADIENTS = RNG.normal(size=(32, 2))
SETTINGS = {
    "defaults": {},
    "impatient": {"patience": 0},
    "patient": {"factor": 0.5, "patience": 3},
    "cooling": {"factor": 0.5, "patience": 1, "cooldown": 4},
    "strict": {"factor": 0.7, "patience": 2, "threshold": 0.2},
    "floor": {"factor": 0.3, "patience": 0, "floor": 0.004},
}


def box(losses, factor=0.1, patience=10, threshold=1e-4, cooldown=0, floor=0.0, rate=0.1):
    """The learning rate that each step uses: a loss counts from the next step on."""
    best, bad, cooling = np.inf, 0, 0
    for loss in losses:
        yield rate
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if cooling:
            cooling, bad = cooling - 1, 0
        if bad > patience:
            rate, bad, cooling = max(rate * factor, min(floor, rate)), 0, cooldown


def run(rule, losses=LOSSES):
    """The parameters after each step, and the learning rate that it used."""
    x = np.ones(2)
    state, seen, rates = rule.init(x), [], []
    for g, loss in zip(GRADIENTS, losses, strict=False):
        updates, state = rule.update(g, state, x, value=loss)
        x = x + updates
        seen.append(x)
        rates.append(float(rule.metrics(state)["learning_rate"]))
    return np.stack(seen), rates


@pytest.mark.parametrize("name", SETTINGS)
def test_is_the_algorithm(name):
    _, rates = run(ReduceOnPlateau(SGD(0.1), **SETTINGS[name]))
    wanted = list(box(LOSSES, **SETTINGS[name]))
    assert rates == pytest.approx(wanted, rel=1e-12)
    assert (len(set(wanted)) > 2) == (name != "defaults")


@pytest.mark.parametrize("every", [2, 4])
def test_compares_means_of_losses(every):
    _, rates = run(ReduceOnPlateau(SGD(0.1), factor=0.5, patience=0, every=every))
    means = LOSSES.reshape(-1, every).mean(axis=1)
    assert rates == pytest.approx(np.repeat(list(box(means, factor=0.5, patience=0)), every), rel=1e-12)


def test_a_loss_below_zero_must_fall_too():
    """PyTorch's (1 − threshold) · best is above a best that is negative."""
    _, rates = run(ReduceOnPlateau(SGD(0.1), factor=0.5, patience=0, threshold=0.1), [-1.0, -0.95, -1.05, -1.2, -1.2])
    assert rates == [0.1, 0.1, 0.05, 0.025, 0.025]


def test_a_loss_that_is_not_a_number_is_no_improvement():
    _, rates = run(ReduceOnPlateau(SGD(0.1), factor=0.5, patience=0), [1.0, np.nan, 0.5, 0.4])
    assert rates == [0.1, 0.1, 0.05, 0.05]


class Table(Schedule):
    """The rates of a list."""

    def __init__(self, rates):
        self.rates = rates

    def __call__(self, step):
        return self.rates[int(step)]


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: SGD(rate, momentum=0.9),
        lambda rate: WeightDecay(Adam(rate), 0.3),
        lambda rate: Lookahead(SGD(rate), 3),
        ScheduleFreeSGD,
        lambda rate: PerGroup(SGD(rate), {"params": Adam(rate)}),
    ],
    ids=["momentum", "decay", "lookahead", "schedule free", "groups"],
)
def test_every_rule_steps_as_under_a_schedule_of_the_same_rates(make):
    settings = {"factor": 0.5, "patience": 1}
    seen, rates = run(ReduceOnPlateau(make(0.1), **settings))
    wanted, table = run(make(Table(list(box(LOSSES, **settings)))))
    assert_close(seen, wanted, 1e-12)
    assert rates == pytest.approx(table, rel=1e-12)


def test_a_schedule_is_multiplied_and_the_floor_is_no_more_than_it():
    schedule = InverseTime(0.1, decay=0.2)
    settings = {"factor": 0.5, "patience": 0, "floor": 0.015}
    _, rates = run(ReduceOnPlateau(SGD(schedule), **settings), np.ones(32))
    plain = [0.1 / (1 + 0.2 * t) for t in range(32)]
    wanted = [max(rate * 0.5 ** max(t - 1, 0), min(rate, 0.015)) for t, rate in enumerate(plain)]
    assert rates == pytest.approx(wanted, rel=1e-12)


def test_decay_around_it_follows_the_reduced_rate():
    settings = {"factor": 0.5, "patience": 0}
    around, _ = run(WeightDecay(ReduceOnPlateau(SGD(0.1), **settings), 0.3))
    inside, _ = run(ReduceOnPlateau(WeightDecay(SGD(0.1), 0.3), **settings))
    assert_close(around, inside, 1e-12)


def test_groups_keep_the_ratio_of_their_rates():
    rule = ReduceOnPlateau(PerGroup(SGD(0.1), {"b": SGD(0.01)}), factor=0.5, patience=0)
    params = {"a": np.ones(1), "b": np.ones(1)}
    state = rule.init(params)
    for _ in range(3):
        updates, state = rule.update(params, state, params, value=1.0)
    read = {name: float(value) for name, value in rule.metrics(state).items()}
    assert read == pytest.approx({"learning_rate": 0.05, "learning_rate/default": 0.05, "learning_rate/b": 0.005,
                                  "rate_scale": 0.5})
    assert (updates["a"], updates["b"]) == pytest.approx((-0.05, -0.005))


class Fixed(Rule):
    """A rule without a learning rate."""

    def init(self, params):
        return ()

    def update(self, grads, state, params=None, **extra):
        return -0.1 * grads, state

    def metrics(self, state):
        return {}


def test_updates_without_a_rate_are_multiplied_but_cannot_be_held_above_a_floor():
    rule, x = ReduceOnPlateau(Fixed(), factor=0.5, patience=0), np.ones(1)
    state, seen = rule.init(x), []
    for _ in range(4):
        updates, state = rule.update(x, state, x, value=1.0)
        seen.append(updates[0])
    assert seen == [-0.1, -0.1, -0.05, -0.025]
    assert rule.metrics(state)["rate_scale"] == 0.25
    with pytest.raises(InputError, match="Fixed has no learning rate that could be held above a floor"):
        ReduceOnPlateau(Fixed(), floor=1e-3).update(x, state, x, value=1.0)


def test_needs_the_loss():
    rule, x = ReduceOnPlateau(SGD()), np.ones(1)
    with pytest.raises(InputError, match=r"^ReduceOnPlateau needs the loss: update\(.*value=\.\.\.\)$"):
        rule.update(x, rule.init(x), x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"factor": 1.0}, "factor"), ({"patience": -1}, "patience"), ({"threshold": -0.1}, "threshold"),
     ({"cooldown": -1}, "cooldown"), ({"floor": -1.0}, "floor"), ({"every": 0}, "every must be at least 1 step")],
)
def test_refuses_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=f"^ReduceOnPlateau: {message}"):
        ReduceOnPlateau(SGD(), **settings)


def test_is_compiled():
    rule = ReduceOnPlateau(SGD(Constant(0.1)), factor=0.5, patience=0, threshold=0.9, floor=0.02, every=2)
    narrow = jax.jit(compiled_walk)(rule, batches(dtype=np.float32))
    wide = walk(rule, batches())
    assert_close(narrow, wide, 1e-5)
    assert len(set(wide.read["learning_rate"].tolist())) > 2


# ----------------------------------------------------------------------------------------------------- peers


@pytest.mark.peers
@pytest.mark.parametrize("name", SETTINGS)
def test_reduces_as_pytorch(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")
    settings = SETTINGS[name]
    theirs = {key: value for key, value in settings.items() if key != "floor"} | {
        "min_lr": settings.get("floor", 0.0), "eps": 0.0  # it would not reduce a rate by less than eps
    }  # fmt: skip
    for ours, make in (
        (SGD(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (WeightDecay(Adam(0.1), 0.01), lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.01)),
    ):
        x = torch.ones(2, dtype=torch.float64, requires_grad=True)
        optimizer = make([x])
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **theirs)
        seen, rates = [], []
        for g, loss in zip(GRADIENTS, LOSSES, strict=True):
            x.grad = torch.tensor(g)
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(loss)
            seen.append(x.detach().numpy().copy())
        path, read = run(ReduceOnPlateau(ours, **settings))
        assert_close(path, np.stack(seen), 1e-9)
        assert read == pytest.approx(rates, rel=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", ["impatient", "patient", "cooling", "strict"])
def test_reduces_as_optax(name, every):
    """Its patience is one more, and a loss counts at once, a step before ours."""
    contrib = pytest.importorskip("optax.contrib", reason="compares with Optax: pip install 'descend[peers]'")
    settings = SETTINGS[name]
    renamed = {"rtol": settings.get("threshold", 1e-4), "patience": settings["patience"] + 1,
               "factor": settings.get("factor", 0.1), "cooldown": settings.get("cooldown", 0)}
    with jax.enable_x64(True):
        peer = contrib.reduce_on_plateau(**renamed, atol=0.0, accumulation_size=every)

        def after(state, loss):
            _, state = peer.update(jnp.ones(()), state, value=loss)
            return state, state.scale

        _, scales = jax.lax.scan(after, peer.init(jnp.ones(())), jnp.asarray(LOSSES))
    _, rates = run(ReduceOnPlateau(SGD(1.0), **settings, every=every))
    assert rates[1:] == pytest.approx(np.asarray(scales)[:-1].tolist(), rel=1e-12)
