"""Modifiers in a descent: the steps of a plain loop; what they keep is evaluated, saved, resumed and read out."""

import jax
import numpy as np
import pytest
from walks import ROWS, STEPS, assert_close, assert_same_bits, batches, loss, start, walk

import descend
from compiling import programs
from descend import GradientTolerance, minimize
from descend.optimizers import (
    EMA,
    SAM,
    SGD,
    Accumulate,
    Adam,
    ClipByNorm,
    Freeze,
    Lookahead,
    PerGroup,
    PolyakAverage,
    ReduceOnPlateau,
    ScheduleFreeSGD,
    SkipNonfinite,
    WeightDecay,
)
from descend.schedules import Cosine, setting
from descend.sources import MiniBatches

RULES = {
    "large": Accumulate(ClipByNorm(WeightDecay(EMA(Adam(0.1), 0.8)), 1.0), 3, weight="tokens"),
    "sharp": SAM(PolyakAverage(SGD(0.1), start=2), 0.3),
    "reduced": SkipNonfinite(Lookahead(ReduceOnPlateau(SGD(0.1), factor=0.5, patience=1), 3)),
    "groups": Freeze(PerGroup(SGD(0.1), {"*bias": EMA(SGD(0.02), 0.5)}), "unused"),
}


def rows(stacked):
    """The batches' rows, one after the other."""
    return tuple(part.reshape(-1, *part.shape[2:]) for part in stacked)


def descent(rule, stacked=None, size=ROWS, **settings):
    """A descent along the batches, in their order, in float64."""
    source = MiniBatches(rows(batches() if stacked is None else stacked), size, shuffle=False)
    settings = {"steps": STEPS, "stop": [], "dtype": np.float64, **settings}
    begin = {**start(), "unused": np.array([-0.0, 2.0])}
    return minimize(loss, begin, source, optimizer=rule, **settings)


def used(params):
    """The parameters that the loss looks at, as NumPy's arrays."""
    return jax.tree.map(np.asarray, {"layer": params["layer"]})


def last(stacked):
    return jax.tree.map(lambda leaf: leaf[-1], stacked)


@pytest.mark.parametrize("name", RULES)
def test_steps_validates_saves_and_resumes_what_a_plain_loop_does(name, tmp_path):
    rule, file, validated = RULES[name], tmp_path / "run", []

    def validation(params):
        validated.append(jax.tree.map(np.asarray, params))
        return 1.0 - len(validated)  # every one is the best so far

    settings = {"validation": validation, "validate_every": 1, "checkpoint": file}
    # In the loop the loss has no parameters that are not used; a gradient of zero changes nothing of the others' steps.
    plain = walk(rule.rule if name == "groups" else rule, batches())
    descent(rule, steps=7, **settings)
    fit = descent(rule, resume=True, **settings)
    assert_close(used(fit.run.params), used(last(plain.params)), 1e-12)
    evaluated = jax.tree.map(lambda *leaves: np.stack(leaves), *map(used, validated))
    assert_close(evaluated, used(plain.evaluated), 1e-12)
    assert_same_bits(jax.tree.map(np.asarray, fit.params), validated[-1])
    for column, values in plain.read.items():
        np.testing.assert_allclose(fit.history.columns[column], values, rtol=1e-9, atol=1e-12)
    without = descent(rule)
    assert_same_bits(without.run.state.params, fit.run.state.params)
    assert_same_bits(without.run.state.optimizer, fit.run.state.optimizer)
    assert_same_bits(without.params, fit.params)


def test_the_result_is_what_a_rule_with_an_average_of_its_own_evaluates():
    fit = descent(SkipNonfinite(ScheduleFreeSGD(0.5)))
    assert_same_bits(fit.params, fit.run.eval_params)
    assert abs(used(fit.params)["layer"]["bias"] - used(fit.run.params)["layer"]["bias"]) > 1e-3


def test_accumulation_is_a_large_batch():
    inner, stacked = EMA(SGD(Cosine(0.1), momentum=0.9), 0.9), batches(24)
    small = descent(Accumulate(inner, 4, weight="tokens"), stacked, steps=24)
    large = descent(inner, stacked, size=4 * ROWS, steps=6)
    assert_close(used(small.run.params), used(large.run.params), 1e-12)
    assert_close(used(small.params), used(large.params), 1e-12)
    rates = small.history.columns["learning_rate"]
    np.testing.assert_allclose(rates[3::4], large.history.columns["learning_rate"], rtol=1e-12)
    assert small.history.columns["accumulated"].tolist() == [1, 2, 3, 0] * 6
    assert (small.history.columns["update_norm"] > 0).tolist() == [False, False, False, True] * 6


def test_accumulation_resumes_in_the_middle_bit_for_bit(tmp_path):
    rule, file = Accumulate(Adam(0.1), 3, weight="tokens"), tmp_path / "run"
    whole = descent(rule, steps=7)
    for steps in (1, 2, 4, 5):
        descent(rule, steps=steps, checkpoint=file)
        resumed = descent(rule, steps=7, checkpoint=file, resume=True)
        assert_same_bits(resumed.run.state, whole.run.state)
        file.unlink()


def broken(*numbers):
    """Batches some of which are not finite."""
    X, y, mask = batches()
    y = y.copy()
    y[list(numbers)] = np.nan
    return X, y, mask


def test_steps_that_are_not_finite_are_passed_over_and_counted():
    inner = SGD(0.1, momentum=0.9)
    ours, engine = descent(SkipNonfinite(inner), broken(0, 4, 5)), descent(inner, broken(0, 4, 5), on_nonfinite="skip")
    assert (ours.reason.name, ours.run.step) == ("budget", STEPS)
    assert_close(used(ours.run.params), used(engine.run.params), 1e-14)
    assert ours.history.columns["skipped"].tolist() == [1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3, 3]
    assert np.isnan(ours.history.columns["loss"]).sum() == 3
    assert (ours.run.state.guard.skipped, engine.run.state.guard.skipped) == (0, 3)


def test_too_many_in_a_row_are_a_divergence_with_the_last_finite_parameters():
    fit = descent(SkipNonfinite(SGD(0.1), limit=2), broken(1, 3, 4, 5))
    assert (fit.reason.name, fit.reason.step) == ("diverged", 5)
    kept = walk(SGD(0.1), tuple(part[[0, 2]] for part in batches()))
    assert_close(used(fit.params), used(last(kept.params)), 1e-14)


def test_a_group_that_does_not_pass_over_ends_the_descent():
    fit = descent(PerGroup(SkipNonfinite(SGD(0.1)), {"*bias": SGD(0.1)}), broken(3))
    assert (fit.reason.name, fit.reason.step) == ("diverged", 3)


@setting
class Careless(SGD):
    """A rule that says to have passed over a step, but has not."""

    def skipped_update(self, state):
        return state.count > 0


def test_a_step_that_is_said_to_be_passed_over_must_be_finite_all_the_same():
    fit = descent(Careless(0.1), broken(3))
    assert (fit.reason.name, fit.reason.step) == ("diverged", 3)


def test_what_is_frozen_stays_and_does_not_keep_a_descent_from_converging():
    function = lambda p: ((p["a"] - p["b"]) ** 2).sum() + (p["b"] ** 2).sum()
    begin = {"a": np.array([5.0]), "b": np.array([-0.0, 3.0])}
    fit = minimize(function, begin, optimizer=Freeze(SGD(0.2), "b"), stop=GradientTolerance())
    assert fit.reason.name == "converged"
    assert_same_bits(fit.params["b"], np.array([-0.0, 3.0]))
    np.testing.assert_allclose(fit.params["a"], 1.5, rtol=1e-5)


def test_another_rate_compiles_nothing():
    data = rows(batches(dtype=np.float32))

    def fit(rate):
        groups = PerGroup(SGD(rate), {"*bias": Adam(rate / 10)})
        rule = SAM(Accumulate(ReduceOnPlateau(WeightDecay(groups), patience=2), 2, weight="tokens"))
        return minimize(loss, start(), MiniBatches(data, ROWS), optimizer=rule, steps=20, stop=[])

    first = fit(0.1)
    with programs() as compiled:
        second = fit(0.05)
    assert not compiled
    assert [fit.history.columns["learning_rate"][0] for fit in (first, second)] == pytest.approx([0.1, 0.05])


@pytest.mark.peers
def test_around_a_transformation_of_optax():
    optax = pytest.importorskip("optax", reason="modifies Optax's rules: pip install 'descend[peers]'")
    rule = lambda inner: Accumulate(ClipByNorm(ReduceOnPlateau(EMA(inner), patience=1), 1.0), 2, weight="tokens")
    theirs = descent(rule(descend.optimizers.External(optax.adam(0.1))))
    ours = walk(rule(Adam(0.1)), batches())
    assert_close(used(theirs.params), used(last(ours.evaluated)), 1e-9)
    assert_close(used(theirs.run.params), used(last(ours.params)), 1e-9)
