"""Weight decay around a rule, against PyTorch and Optax, which have it inside."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import RATES, SCHEDULE, STEPS, assert_close, at, compiled_run, problem, run
from walks import assert_same_bits

from descend.errors import InputError
from descend.optimizers import SGD, Accumulate, Adam, AdamW, DoG, External, Freeze, PerGroup, WeightDecay

MASK = ("*weight", "filters/*")


def test_decoupled_it_is_adamw():
    ours, theirs = WeightDecay(Adam(SCHEDULE), 0.3), AdamW(SCHEDULE, weight_decay=0.3)
    assert_close(run(ours, *problem()), run(theirs, *problem()), 1e-13)


def test_coupled_it_is_the_gradient_of_the_penalty():
    start, gradients = problem()
    seen = run(WeightDecay(SGD(SCHEDULE, momentum=0.9), 0.3, decoupled=False), start, gradients)
    x, velocity = start["layers"][0]["weight"], 0.0
    for t, g in enumerate(gradients["layers"][0]["weight"]):
        velocity = 0.9 * velocity + g + 0.3 * x
        x = x - RATES[t] * velocity
        np.testing.assert_allclose(seen["layers"][0]["weight"][t], x, rtol=1e-10)


@pytest.mark.parametrize("decoupled", [True, False])
def test_only_what_fits_a_pattern_decays(decoupled):
    start, gradients = problem()
    some, all_of_it, none = (
        run(rule, start, gradients)
        for rule in (
            WeightDecay(Adam(SCHEDULE), 0.3, MASK, decoupled), WeightDecay(Adam(SCHEDULE), 0.3, decoupled=decoupled),
            Adam(SCHEDULE),
        )
    )  # fmt: skip
    for tree in (some, all_of_it, none):
        tree["filters"] = tree["filters"][0]
    assert_same_bits(some["filters"], all_of_it["filters"])
    assert_same_bits(some["layers"][0]["weight"], all_of_it["layers"][0]["weight"])
    assert_same_bits(some["layers"][0]["bias"], none["layers"][0]["bias"])
    assert_same_bits(some["scale"], none["scale"])


def test_each_group_decays_by_its_own_rate():
    params, zeros = {"a": np.ones(1), "b": np.ones(1)}, {"a": np.zeros(1), "b": np.zeros(1)}
    rule = WeightDecay(PerGroup(SGD(0.5), {"b": SGD(0.1)}), 0.2)
    updates, _ = rule.update(zeros, rule.init(params), params)
    assert (updates["a"], updates["b"]) == pytest.approx((-0.1, -0.02))


def test_frozen_parameters_do_not_decay():
    params = {"a": np.array([-0.0, np.inf, 2.0]), "b": np.ones(1)}
    for inner in (SGD(0.5), Accumulate(SGD(0.5), 1)):
        rule = WeightDecay(Freeze(inner, "a"), 0.2)
        updates, _ = rule.update({"a": np.ones(3), "b": np.zeros(1)}, rule.init(params), params)
        assert_same_bits(params["a"] + updates["a"], params["a"])
        assert updates["b"] == pytest.approx(-0.1)


def test_reads_out_what_it_uses():
    rule, x = WeightDecay(SGD(0.5), 0.2), np.ones(1)
    assert rule.metrics(rule.init(x)) == {"learning_rate": 0.5, "weight_decay": 0.2}


def test_a_stable_rate_stays_known_if_coupled():
    assert WeightDecay(SGD(momentum=0.5), decoupled=False).stability_limit() == 3
    assert WeightDecay(SGD(momentum=0.5)).stability_limit() is None


def test_refuses_what_would_silently_not_be_done():
    start, _ = problem()
    with pytest.raises(InputError, match=r"^WeightDecay: the pattern '\*wieght' fits no parameter; .* layers/0/weight"):
        WeightDecay(SGD(), where=("scale", "*wieght")).init(start)
    with pytest.raises(InputError, match=r"^WeightDecay: decay must be at least 0"):
        WeightDecay(SGD(), -0.1)


class Silent(SGD):
    """A rule that does not tell its learning rate."""

    def metrics(self, state):
        return {}


def test_decoupled_it_needs_to_know_the_learning_rate():
    rule, x = WeightDecay(Silent()), np.ones(1)
    with pytest.raises(InputError, match=r"^Silent does not tell its learning rate.*: use decoupled=False$"):
        rule.update(x, rule.init(x), x)


# ----------------------------------------------------------------------------------------------------- peers


@pytest.mark.peers
@pytest.mark.parametrize(
    ("rule", "peer", "settings"),
    [
        (WeightDecay(Adam(SCHEDULE), 0.3), "AdamW", {"weight_decay": 0.3}),
        (WeightDecay(Adam(SCHEDULE), 0.3, decoupled=False), "Adam", {"weight_decay": 0.3}),
        (WeightDecay(SGD(SCHEDULE, momentum=0.9), 0.3, decoupled=False), "SGD", {"weight_decay": 0.3, "momentum": 0.9}),
        (WeightDecay(SGD(SCHEDULE, momentum=0.9, nesterov=True), 0.3, decoupled=False), "SGD",
         {"weight_decay": 0.3, "momentum": 0.9, "nesterov": True}),
    ],
    ids=["decoupled", "coupled", "momentum", "nesterov"],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_decays_as_pytorch_and_only_some_parameters(rule, peer, settings, dtype):
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")
    start, gradients = problem(dtype)
    leaves, treedef = jax.tree.flatten(start)
    params = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    names = ["filters/0", "layers/0/bias", "layers/0/weight", "scale"]
    some = {"params": [p for p, name in zip(params, names, strict=True) if name in ("filters/0", "layers/0/weight")]}
    others = {"params": [p for p, name in zip(params, names, strict=True) if name in ("scale", "layers/0/bias")]}
    optimizer = getattr(torch.optim, peer)([some, {**others, "weight_decay": 0.0}], **settings, lr=RATES[0])
    seen = []
    for t in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATES[t]
        for p, g in zip(params, jax.tree.leaves(gradients), strict=True):
            p.grad = torch.tensor(g[t])
        optimizer.step()
        seen.append([p.detach().numpy().copy() for p in params])
    wanted = treedef.unflatten([np.stack(column) for column in zip(*seen, strict=True)])
    masked = WeightDecay(rule.rule, rule.decay, MASK, rule.decoupled)
    assert_close(run(masked, start, gradients), wanted, 1e-9 if dtype == "float64" else 1e-5)


@pytest.mark.peers
@pytest.mark.parametrize("decoupled", [True, False])
def test_decays_as_optax_by_a_mask(decoupled):
    optax = pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    start, gradients = problem()
    mask = {"scale": False, "layers": ({"weight": True, "bias": False},), "filters": [True]}
    added, rate = optax.add_decayed_weights(0.3, mask), lambda t: 0.1 / (1 + 0.05 * t)
    parts = [optax.scale_by_adam(), added] if decoupled else [added, optax.scale_by_adam()]
    peer = External(optax.chain(*parts, optax.scale_by_learning_rate(rate)))
    with jax.enable_x64(True):
        wanted = jax.tree.map(np.asarray, compiled_run(peer, *jax.tree.map(jnp.asarray, (start, gradients))))
    assert_close(run(WeightDecay(Adam(SCHEDULE), 0.3, MASK, decoupled), start, gradients), wanted, 1e-9)


def test_around_a_rule_without_a_learning_rate_of_its_own_it_is_coupled():
    """As the authors of DoG have it."""
    start, gradients = problem()
    seen = run(WeightDecay(DoG(), 0.3, decoupled=False), start, gradients)
    penalized = jax.tree.map(lambda g, p: g + 0.3 * p, at(0, gradients), start)
    wanted, _ = DoG().update(penalized, DoG().init(start), start)
    # The first step is a millionth of the parameters, so that the difference has six digits less.
    assert_close(jax.tree.map(lambda leaf, p: leaf[0] - p, seen, start), wanted, 1e-8)
