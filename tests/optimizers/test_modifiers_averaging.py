"""Averages and Lookahead, against their formulas in NumPy, PyTorch, Optax and their authors' code."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import assert_close, assert_same_bits, batches, start, walk

from descend.errors import InputError
from descend.optimizers import EMA, SGD, Adam, Lookahead, PolyakAverage, WeightDecay

TOLERANCE = 1e-12
STEPS = 40
PATH = np.random.default_rng(5).normal(size=(STEPS + 1, 3)).cumsum(axis=0)  # θ₀, θ₁, ...


def averages(rule, array=np.asarray, path=PATH):
    """What is evaluated after each step, where the parameters go along a path."""
    params = array(path[0])
    state, seen = rule.init(params), []
    for now, then in pairwise(path):
        updates, state = rule.update(array(now - then), state, array(now))
        seen.append(np.asarray(rule.eval_params(state, array(now) + updates)))
    return np.stack(seen)


def weighted(weight):
    """The mean of θ₁, ..., θₜ by weights, which are a function of t and of the numbers of the steps."""
    after = []
    for t in range(1, STEPS + 1):
        weights = weight(t, np.arange(1, t + 1))
        after.append(weights @ PATH[1 : t + 1] / weights.sum())
    return np.stack(after)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_ema_weighs_by_powers(decay):
    assert_close(averages(EMA(SGD(1.0), decay)), weighted(lambda t, i: decay ** (t - i)), TOLERANCE)


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_without_its_correction_it_begins_at_the_first(decay):
    weight = lambda t, i: decay ** (t - i) * np.where(i == 1, 1, 1 - decay)
    assert_close(averages(EMA(SGD(1.0), decay, debias=False)), weighted(weight), TOLERANCE)


@pytest.mark.parametrize("start", [0, 7])
def test_the_average_is_the_mean_from_a_step_on(start):
    got = averages(PolyakAverage(SGD(1.0), start))
    assert_close(got[start:], np.stack([PATH[start + 1 : t + 1].mean(axis=0) for t in range(start + 1, STEPS + 1)]),
                 TOLERANCE)
    assert_same_bits(got[:start], PATH[1 : start + 1])


@pytest.mark.parametrize("gamma", [1.0, 3.0, 8.0])
def test_polynomial_decay_weighs_by_the_power_of_the_step(gamma):
    def weight(t, i):  # Γ(i + γ) / Γ(i), which is about i^γ
        return np.array([np.prod(np.arange(n, n + gamma)) for n in i])

    assert_close(averages(PolyakAverage(SGD(1.0), gamma=gamma)), weighted(weight), TOLERANCE)


RULES = [EMA(SGD(1.0), 0.9), EMA(SGD(1.0), 0.9, debias=False), PolyakAverage(SGD(1.0), 2), Lookahead(SGD(1.0), 3)]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_before_a_step_there_is_nothing_but_the_parameters(rule):
    params = {"a": np.array([-0.0, 0.1])}
    assert_same_bits(rule.eval_params(rule.init(params), params), params)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_state_has_memory_of_its_own(rule):
    params = np.ones(3)
    assert not any(np.shares_memory(leaf, params) for leaf in jax.tree.leaves(rule.init(params)))


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_parameters_may_be_moved_in_place(rule):
    params = PATH[0].copy()
    state, seen = rule.init(params), []
    for now, then in pairwise(PATH):
        updates, state = rule.update(now - then, state, params)
        params += updates
        seen.append(np.asarray(rule.eval_params(state, params)).copy())
    copied, state = PATH[0], rule.init(PATH[0])
    for (now, then), evaluated in zip(pairwise(PATH), seen, strict=True):
        updates, state = rule.update(now - then, state, copied)
        copied = copied + updates
        assert_same_bits(np.asarray(rule.eval_params(state, copied)), evaluated)


@pytest.mark.parametrize("rule", RULES[:3], ids=repr)
def test_averages_are_kept_in_float32_at_least(rule):
    """With 11 bits, an average that moves by less than a thousandth of its size would not move at all."""
    params = np.full(2, 1024, np.float16)
    state = rule.init(params)
    for _ in range(8):
        updates, state = rule.update(np.full(2, -1, np.float16), state, params)
        params = params + updates
    evaluated = rule.eval_params(state, params)
    assert (params.dtype, evaluated.dtype) == (np.float16, np.float16)
    assert state.state.own["average"].dtype == np.float32
    wide = averages(rule, path=1024 + np.repeat(np.arange(9.0)[:, None], 2, axis=1))
    np.testing.assert_array_equal(evaluated, wide[-1].astype(np.float16))


def test_what_changes_updates_further_out_is_averaged():
    seen = walk(WeightDecay(PolyakAverage(SGD(0.1)), 0.5), batches())
    means = jax.tree.map(lambda leaf: np.stack([leaf[: t + 1].mean(axis=0) for t in range(len(leaf))]), seen.params)
    assert_close(seen.evaluated, means, TOLERANCE)
    assert_close(seen.params, walk(WeightDecay(SGD(0.1), 0.5), batches()).params, TOLERANCE)


# ------------------------------------------------------------------------------------------------- lookahead


def lookahead(x, gradients, rate, momentum, every, fraction):
    """Zhang et al. 2019, Algorithm 1, with the heavy ball, whose velocity is kept."""
    slow, velocity = x, np.zeros_like(x)
    for first in range(0, len(gradients), every):
        fast = slow
        for g in gradients[first : first + every]:
            velocity = momentum * velocity + g
            fast = fast - rate * velocity
            yield fast, slow
        slow = slow + fraction * (fast - slow)


@pytest.mark.parametrize(("every", "fraction"), [(5, 0.5), (1, 0.3), (4, 0.8), (3, 1.0)])
def test_lookahead_is_the_box_of_the_paper(every, fraction):
    gradients = np.random.default_rng(2).normal(size=(STEPS, 3))
    rule, x = Lookahead(SGD(0.1, momentum=0.9), every, fraction), np.ones(3)
    state = rule.init(x)
    box = list(lookahead(x, gradients, 0.1, 0.9, every, fraction))
    for t, g in enumerate(gradients):
        updates, state = rule.update(g, state, x)
        x = x + updates
        fast, slow = box[t]
        if (t + 1) % every == 0:
            slow = fast = slow + fraction * (fast - slow)
        assert_close((x, rule.eval_params(state, x)), (fast, slow), TOLERANCE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EMA(SGD(), 1.0), "EMA: decay must be at least 0 and below 1"),
        (lambda: PolyakAverage(SGD(), start=-1), "PolyakAverage: start must be a whole number of at least 0"),
        (lambda: PolyakAverage(SGD(), gamma=-1.0), "PolyakAverage: gamma must be at least 0"),
        (lambda: Lookahead(SGD(), 0), "Lookahead: every must be at least 1 step, but is 0"),
        (lambda: Lookahead(SGD(), fraction=0.0), "Lookahead: fraction must be above 0 and at most 1, but is 0.0"),
        (lambda: Lookahead(SGD(), fraction=1.5), "Lookahead: fraction must be above 0 and at most 1, but is 1.5"),
    ],
)
def test_refuses_settings_out_of_range(make, message):
    with pytest.raises(InputError, match=message):
        make()


# ----------------------------------------------------------------------------------------------------- peers


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")


@pytest.fixture
def optax():
    return pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")


def torch_model(torch, value):
    model = torch.nn.Linear(3, 1, bias=False).double()
    model.weight.data = torch.tensor(value)[None]
    return model


@pytest.mark.peers
@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_averages_as_pytorch(torch, decay):
    swa = torch.optim.swa_utils
    for rule, averager in (
        (EMA(SGD(1.0), decay, debias=False), {"multi_avg_fn": swa.get_ema_multi_avg_fn(decay)}),
        (PolyakAverage(SGD(1.0)), {}),
    ):
        model, seen = torch_model(torch, PATH[0]), []
        average = swa.AveragedModel(model, **averager)
        for then in PATH[1:]:
            model.weight.data = torch.tensor(then)[None]
            average.update_parameters(model)
            seen.append(average.module.weight.detach().numpy()[0].copy())
        assert_close(averages(rule), np.stack(seen), TOLERANCE)
        assert_close(averages(rule, torch.tensor), np.stack(seen), TOLERANCE)


@pytest.mark.peers
@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_averages_as_optax(optax, decay):
    with jax.enable_x64(True):
        ema = optax.ema(decay, debias=True)
        state, seen = ema.init(jnp.asarray(PATH[0])), []
        for then in PATH[1:]:
            average, state = ema.update(jnp.asarray(then), state)
            seen.append(np.asarray(average))
    # Its 1 − dᵗ loses three digits at d = .999.
    assert_close(averages(EMA(SGD(1.0), decay)), np.stack(seen), 1e-11)


@pytest.mark.peers
def test_averages_as_the_authors_of_dog(torch):
    dog = pytest.importorskip("dog", reason="compares with the authors' average: pip install dog-optimizer")
    model, seen = torch_model(torch, PATH[0]), []
    average = dog.PolynomialDecayAverager(model, gamma=8.0)
    for then in PATH[1:]:
        model.weight.data = torch.tensor(then)[None]
        average.step()
        seen.append(average.averaged_model.weight.detach().numpy()[0].copy())
    assert_close(averages(PolyakAverage(SGD(1.0), gamma=8.0)), np.stack(seen), TOLERANCE)


@pytest.mark.peers
@pytest.mark.parametrize("every", [1, 4])
def test_looks_ahead_as_pytorch_optimizer(torch, every):
    peer = pytest.importorskip("pytorch_optimizer", reason="compares with Lookahead: pip install pytorch_optimizer")
    gradients = np.random.default_rng(2).normal(size=(STEPS, 3))
    for ours, theirs in (
        (SGD(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (Adam(0.1), lambda p: torch.optim.Adam(p, 0.1)),
    ):
        rule, x, tensor = Lookahead(ours, every), np.ones(3), torch.ones(3, dtype=torch.float64, requires_grad=True)
        state, optimizer = rule.init(x), peer.Lookahead(theirs([tensor]), k=every, alpha=0.5)
        for g in gradients:
            tensor.grad = torch.tensor(g)
            optimizer.step()
            updates, state = rule.update(g, state, x)
            x = x + updates
            slow = optimizer.state[tensor]["slow_params"].numpy()
            assert_close((x, rule.eval_params(state, x)), (tensor.detach().numpy(), slow), 1e-10)


@pytest.mark.peers
def test_looks_ahead_as_optax(optax):
    gradients = np.random.default_rng(2).normal(size=(STEPS, 3))
    with jax.enable_x64(True):
        peer = optax.lookahead(optax.sgd(0.1, momentum=0.9), sync_period=4, slow_step_size=0.3)
        both = optax.LookaheadParams.init_synced(jnp.ones(3))
        theirs, seen = peer.init(both), []
        for g in gradients:
            updates, theirs = peer.update(jnp.asarray(g), theirs, both)
            both = optax.apply_updates(both, updates)
            seen.append(jax.tree.map(np.asarray, both))
    rule, x = Lookahead(SGD(0.1, momentum=0.9), 4, 0.3), np.ones(3)
    state = rule.init(x)
    for g, (fast, slow) in zip(gradients, seen, strict=True):
        updates, state = rule.update(g, state, x)
        x = x + updates
        assert_close((x, rule.eval_params(state, x)), (fast, slow), TOLERANCE)


@pytest.mark.peers
def test_averages_tensors_that_are_moved_in_place(torch):
    rule = PolyakAverage(SGD(0.1))
    params = jax.tree.map(torch.tensor, start())
    state, seen = rule.init(params), []
    for _ in range(4):
        updates, state = rule.update(params, state, params)
        jax.tree.map(lambda p, u: p.add_(u), params, updates)
        seen.append(params["layer"]["bias"].item())
    assert rule.eval_params(state, params)["layer"]["bias"].item() == pytest.approx(np.mean(seen), rel=1e-12)
