"""Modifiers around rules, partitions and each other: the same path in every world, and that of the rule if neutral."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import ROWS, assert_close, batches, compiled_walk, start, step, walk

from descend.errors import InputError
from descend.optimizers import (
    EMA,
    SAM,
    SGD,
    Accumulate,
    Adam,
    AdaptiveClip,
    ClipByNorm,
    ClipByValue,
    External,
    Freeze,
    Lookahead,
    Modifier,
    PerGroup,
    PolyakAverage,
    PolyakStep,
    ReduceOnPlateau,
    ScheduleFreeSGD,
    SkipNonfinite,
    WeightDecay,
)
from descend.optimizers.quasi_newton import LBFGS
from descend.schedules import Cosine, InverseTime

NEUTRAL = {
    "accumulate": lambda rule: Accumulate(rule, 1, weight="tokens"),
    "adaptive": lambda rule: AdaptiveClip(rule, 1e9),
    "value": lambda rule: ClipByValue(rule, 1e9),
    "norm": lambda rule: ClipByNorm(rule, 1e9),
    "lookahead": lambda rule: Lookahead(rule, 3, fraction=1.0),
    "ema": lambda rule: EMA(rule, 0.9),
    "average": PolyakAverage,
    "plateau": lambda rule: ReduceOnPlateau(rule, patience=1000),
    "skip": SkipNonfinite,
    "groups": lambda rule: PerGroup(rule, {"*bias": rule}),
    "decay": lambda rule: WeightDecay(rule, 0.0),
    "sam": lambda rule: SAM(rule, 0.0),
}
ACTIVE = {
    "accumulate": lambda rule: Accumulate(rule, 3, weight="tokens"),
    "adaptive": lambda rule: AdaptiveClip(rule, 0.2),
    "value": lambda rule: ClipByValue(rule, 0.3),
    "norm": lambda rule: ClipByNorm(rule, 0.5),
    "lookahead": lambda rule: Lookahead(rule, 3),
    "ema": lambda rule: EMA(rule, 0.7),
    "average": lambda rule: PolyakAverage(rule, start=2, gamma=3.0),
    "plateau": lambda rule: ReduceOnPlateau(rule, factor=0.5, patience=1, every=2),
    "groups": lambda rule: PerGroup(rule, {"*bias": SGD(0.02)}),
    "freeze": lambda rule: Freeze(rule, "*bias"),
    "decay": lambda rule: WeightDecay(rule, 0.3, where="*weight"),
    "coupled": lambda rule: WeightDecay(rule, 0.3, decoupled=False),
    "sam": lambda rule: SAM(rule, 0.3),
}
RATE = InverseTime(0.1, decay=0.05)
MOMENTUM = SGD(RATE, momentum=0.9)
STACKS = {
    "whole": lambda rule: Freeze(SkipNonfinite(Accumulate(EMA(ClipByNorm(WeightDecay(rule), 1.0), 0.9), 2)), "*bias"),
    "recommended": lambda rule: SAM(Accumulate(PolyakAverage(ClipByValue(Lookahead(ReduceOnPlateau(rule)), 1.0)), 2)),
    "inside_out": lambda rule: WeightDecay(Lookahead(AdaptiveClip(EMA(Accumulate(rule, 3), 0.8), 0.5), 2), 0.1),
    "in_groups": lambda rule: PerGroup(EMA(rule, 0.8), {"*bias": Accumulate(ClipByNorm(SGD(0.1), 0.1), 2)}),
    "around_groups": lambda rule: WeightDecay(ReduceOnPlateau(PerGroup(rule, {"*bias": Adam(0.01)}), patience=0), 0.1),
}
CHANGED = {**ACTIVE, **STACKS}


POLYAK = PolyakStep(max_rate=0.1)  # its step is that of all parameters together, so that groups change it


@pytest.mark.parametrize(
    ("name", "inner"),
    [pair for pair in itertools.product(NEUTRAL, (Adam(RATE), ScheduleFreeSGD(0.1), POLYAK))
     if pair != ("groups", POLYAK)],
)
def test_a_neutral_modifier_changes_nothing(name, inner):
    assert_close(walk(NEUTRAL[name](inner), batches(6)).params, walk(inner, batches(6)).params, 1e-12)


@pytest.mark.parametrize("turns", range(0, 12, 3))
def test_neutral_modifiers_change_nothing_in_any_order(turns):
    names = [name for name in NEUTRAL if name != "sam"]
    rule = functools.reduce(lambda inner, name: NEUTRAL[name](inner), names[turns:] + names[:turns], MOMENTUM)
    assert_close(walk(SAM(rule, 0.0), batches(6)).params, walk(MOMENTUM, batches(6)).params, 1e-12)


@pytest.mark.parametrize("name", STACKS)
def test_compiled_steps_are_those_of_numpy_at_many_rates_without_compiling_again(name):
    make, traces = CHANGED[name], []

    @jax.jit
    @jax.vmap
    def walks(rule):
        traces.append(rule)
        return compiled_walk(rule, batches())

    for rates in ([0.1, 0.02], [0.05, 0.01]):
        rules = [make(SGD(InverseTime(rate, decay=0.05), momentum=0.9)) for rate in rates]
        with jax.enable_x64(True):
            many = walks(jax.tree.map(lambda *leaves: jnp.stack(leaves), *rules))
        plain = [walk(rule, batches()) for rule in rules]
        assert_close(many, jax.tree.map(lambda *leaves: np.stack(leaves), *plain), 1e-11)
    assert len(traces) == 1


@pytest.mark.parametrize("name", CHANGED)
def test_keeps_float32(name):
    rule = CHANGED[name](Adam(RATE))
    with jax.enable_x64(True):  # where a float64 scalar could promote a float32 array
        narrow = walk(rule, batches(dtype=np.float32))
    assert {leaf.dtype for leaf in jax.tree.leaves((narrow.params, narrow.evaluated))} == {np.dtype(np.float32)}
    wide = walk(rule, batches())
    # Adam's first steps have the sign of a gradient, whatever its size: rounding is magnified where that is near 0.
    assert_close((narrow.params, narrow.evaluated), (wide.params, wide.evaluated), 2e-5)


@pytest.mark.peers
@pytest.mark.parametrize("name", CHANGED)
def test_tensors_step_as_numpy(name):
    torch = pytest.importorskip("torch", reason="steps PyTorch's tensors: pip install 'descend[peers]'")
    rule = CHANGED[name](Adam(RATE))
    assert_close(walk(rule, batches(), torch.tensor), walk(rule, batches()), 1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["recommended", "in_groups", "plateau"])
def test_around_a_transformation_of_optax(name):
    optax = pytest.importorskip("optax", reason="modifies Optax's rules: pip install 'descend[peers]'")
    ours, theirs = (CHANGED[name](rule) for rule in (SGD(0.1, momentum=0.9), External(optax.sgd(0.1, momentum=0.9))))
    with jax.enable_x64(True):
        got, wanted = jax.jit(compiled_walk)(theirs, batches()), walk(ours, batches())
    assert_close((got.params, got.evaluated), (wanted.params, wanted.evaluated), 1e-11)


# ------------------------------------------------------------------------------------------------- as values


@pytest.mark.parametrize("name", CHANGED)
def test_is_a_value(name):
    rule = CHANGED[name](MOMENTUM)
    assert eval(repr(rule)) == rule
    assert jax.tree.unflatten(jax.tree.structure(rule), jax.tree.leaves(rule)) == rule
    assert RATE.initial in jax.tree.leaves(rule)
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.rule = SGD()


@pytest.mark.parametrize("name", sorted(ACTIVE.keys() - {"accumulate"}))
def test_fills_in_the_length_of_a_schedule(name):
    make = ACTIVE[name]
    assert make(SGD(Cosine(0.1))).over(40) == make(SGD(Cosine(0.1, steps=40)))


@pytest.mark.parametrize("name", sorted(ACTIVE.keys() - {"lookahead", "sam", "groups", "decay"}))
def test_has_the_stability_limit_of_its_rule(name):
    assert ACTIVE[name](MOMENTUM).stability_limit() == MOMENTUM.stability_limit()


@pytest.mark.parametrize("name", ["lookahead", "sam", "groups", "decay"])
def test_has_no_stability_limit_where_theory_gives_none(name):
    assert ACTIVE[name](MOMENTUM).stability_limit() is None


def test_tells_what_is_read_out_at_every_depth():
    rule = Accumulate(ClipByNorm(WeightDecay(EMA(Adam(0.1)), 0.2), 1.0), 2)
    state = rule.init(start())
    assert {name: float(value) for name, value in rule.metrics(state).items()} == {
        "learning_rate": 0.1, "weight_decay": 0.2, "clip_rate": 0.0, "accumulated": 0.0
    }  # fmt: skip


# --------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("name", sorted(ACTIVE.keys() - {"freeze"}))
@pytest.mark.parametrize("wrap", [lambda rule: rule, lambda rule: Freeze(rule, "*bias")], ids=["bare", "within"])
def test_refuses_line_searches(name, wrap):
    with pytest.raises(InputError, match=r"^\w+ cannot change LBFGS: a line search evaluates trial points"):
        ACTIVE[name](wrap(LBFGS()))


class Foreign:
    """An optimizer of another library's."""

    def init(self, params):
        return ()

    def update(self, grads, state, params=None):
        return grads, state


@pytest.mark.parametrize("name", ACTIVE)
def test_refuses_what_is_no_optimizer_of_ours(name):
    with pytest.raises(InputError, match=r"but this is a Foreign: wrap it, \w+\(External\(\.\.\.\), \.\.\.\)$"):
        ACTIVE[name](Foreign())
    with pytest.raises(InputError, match=r"but this is a float: write \w+\(SGD\(0\.1\), \.\.\.\)$"):
        ACTIVE[name](0.1)
    with pytest.raises(InputError, match="takes an optimizer of descend's, but this is a type"):
        ACTIVE[name](SGD)


@pytest.mark.parametrize("name", sorted(ACTIVE.keys() - {"groups", "freeze"}))
def test_refuses_the_state_of_another_optimizer(name):
    rule, params = ACTIVE[name](SGD()), start()
    with pytest.raises(InputError, match=r"wraps a SGD, but this state is of type RuleState: it belongs to another"):
        step(rule, params, SGD().init(params), tuple(part[0] for part in batches(1)))


@pytest.mark.parametrize("name", ACTIVE)
def test_refuses_gradients_of_other_parameters(name):
    rule, params = ACTIVE[name](SGD()), start()
    wrong = {"layer": {"weight": np.ones(3), "other": np.ones(())}}
    with pytest.raises(InputError, match=r"gradients and .* differ in structure, at layer/bias, layer/other"):
        rule.update(wrong, rule.init(params), params, value=1.0, aux={"tokens": ROWS},
                    value_and_grad=lambda p: (1.0, wrong))


@pytest.mark.parametrize("name", [name for name, make in ACTIVE.items() if getattr(make(SGD()), "needs_params", False)])
def test_says_that_it_needs_the_parameters(name):
    rule, params = ACTIVE[name](SGD()), start()
    assert isinstance(rule, Modifier)
    with pytest.raises(InputError, match=r"^\w+ needs the parameters, too: update\(grads, state, params\)$"):
        rule.update(params, rule.init(params))
