"""Faults that no curve of a training shows: of leaks, of evaluation, and of where a descent stands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, Adam, begin, losses, minimize
from descend.insight import examine
from descend.insight.case import Case
from descend.insight.faults import evaluation, geometry, labels, leakage

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)).astype(np.float32)
CLASS = (X[:, 0] + X[:, 1] + 0.3 * RNG.normal(size=200) > 0).astype(np.int32)
NUMBER = (X[:, 0] * X[:, 1] + RNG.normal(size=200)).astype(np.float32)
W = np.zeros((5, 2), np.float32)


def cross_entropy(w, batch):
    return losses.softmax_cross_entropy(batch[0] @ w, batch[1]).mean()


def squares(w, batch):
    return ((batch[0] @ w - batch[1]) ** 2).mean()


def case(loss, params, examples, **settings):
    return Case.of(begin(loss, params, examples, optimizer=Adam(0.01), batch_size=20, **settings), seconds=0.1)


@pytest.mark.parametrize(("name", "column", "found"), [
    ("the class, as a number", CLASS, True),
    ("another code of it, with noise", 3.0 - 2.0 * CLASS + 0.1 * RNG.normal(size=200), True),
    ("what decides two thirds of it", X[:, 0] + X[:, 1] + 2 * RNG.normal(size=200), False),
    ("a number of its own for each example", np.arange(200.0), False),
])  # fmt: skip
def test_a_column_that_tells_the_class(name, column, found):
    leaky = np.column_stack([X, column]).astype(np.float32)
    suspicion = leakage.telling_column(case(cross_entropy, np.zeros((6, 2)), (leaky, CLASS)))
    assert (suspicion is not None) == found
    assert suspicion is None or "column 5 of 0 alone tells the classes of 100.0%" in suspicion.symptoms


def test_a_column_that_tells_the_number():
    leaky = lambda noise: (np.column_stack([X, np.exp(NUMBER) + noise]).astype(np.float32), NUMBER)
    assert leakage.telling_column(case(squares, np.zeros(6), leaky(0.0))).is_fact
    assert leakage.telling_column(case(squares, np.zeros(6), leaky(RNG.normal(size=200)))) is None


def test_a_class_that_is_nearly_alone_is_told_by_nothing():
    rare = np.zeros(200, np.int32)
    rare[:10] = 1
    constant = np.column_stack([X, RNG.integers(0, 2, 200)]).astype(np.float32)
    assert leakage.telling_column(case(cross_entropy, np.zeros((6, 2)), (constant, rare))) is None


def dropped(w, batch, key=None):
    """Dropout that is not left out where there is no key."""
    kept = jax.random.bernoulli(jax.random.key(0) if key is None else key, 0.5, batch[0].shape)
    return losses.softmax_cross_entropy(jnp.where(kept, batch[0], 0.0) @ w, batch[1]).mean()


def dropped_in_training(w, batch, key=None):
    return cross_entropy(w, batch) if key is None else dropped(w, batch, key)


def test_a_dropout_that_is_not_switched_off():
    found = evaluation.random(case(dropped, W, (X, CLASS)))
    assert (found.name, found.is_fact) == ("evaluated in training mode", True)
    assert "test_faults_seen_by_looking.py" in found.symptoms
    assert evaluation.random(case(dropped_in_training, W, (X, CLASS))) is None


def test_a_mask_that_is_always_the_same():
    always = lambda w, batch: dropped(w, batch, jax.random.key(1))
    found = evaluation.random(case(always, W, (X, CLASS)))
    assert found.name == "the same random numbers in each step"


def test_random_numbers_of_the_state_or_the_batch_are_others_in_each_step():
    """Neither key is a constant."""
    def in_state(w, batch, state):
        now, later = jax.random.split(state)
        return dropped(w, batch, now), later

    def in_batch(w, batch):
        return dropped(w, batch, jax.random.key(batch[1].sum()))

    assert evaluation.random(case(in_state, W, (X, CLASS), state=jax.random.key(0))) is None
    assert evaluation.random(case(in_batch, W, (X, CLASS))) is None


def normalised(by_batch_in_evaluation):
    def loss(w, batch, state, key=None):
        mean, var = batch[0].mean(0), batch[0].var(0)
        after = {"mean": 0.5 * state["mean"] + 0.5 * mean, "var": 0.5 * state["var"] + 0.5 * var}
        if key is None and not by_batch_in_evaluation:
            mean, var, after = state["mean"], state["var"], state
        return cross_entropy(w, ((batch[0] - mean) / jnp.sqrt(var + 1e-5), batch[1])), after

    return loss


def test_a_normalisation_by_its_batch_in_evaluation():
    state = {"mean": np.zeros(5, np.float32), "var": np.ones(5, np.float32)}
    examined = lambda wrong: evaluation.batch_statistics(case(normalised(wrong), W, (X, CLASS), state=state))
    assert examined(True).name == "evaluated in training mode"
    assert examined(False) is None


@pytest.mark.parametrize("total", ["sum", "weighted mean"])
def test_examples_that_are_added_up_or_weighed_do_not_depend_on_each_other(total):
    def loss(w, batch, state):
        each = losses.softmax_cross_entropy(batch[0] @ w, batch[1])
        weights = 1.0 + 4.0 * batch[1]
        return (each.sum() if total == "sum" else (weights * each).sum() / weights.sum()), state + 1

    moved = RNG.normal(size=(5, 2)).astype(np.float32)
    assert evaluation.batch_statistics(case(loss, moved, (X, CLASS), state=np.float32(0))) is None


def product(p):
    """A saddle at 0 of curvature -2 and 2, and minima of 0 where p0 p1 = 1."""
    return (p[0] * p[1] - 1) ** 2


def test_a_saddle_is_left_by_a_step_along_its_falling_curvature():
    stuck = minimize(product, np.zeros(2), optimizer=SGD(0.05), steps=60, snapshots=True, stop=[])
    found = examine(stuck, seconds=20).proved
    assert [one.name for one in found] == ["saddle"]
    assert "curves by -2" in found[0].symptoms
    assert np.prod(found[0].change.make(stuck.run).advance(300)[0].params) == pytest.approx(1, abs=1e-3)


def test_a_minimum_and_a_descent_under_way_are_no_saddles():
    for start, steps in (([1.5, 1.0], 200), ([0.1, 0.3], 15)):
        result = minimize(product, np.array(start), optimizer=SGD(0.05), steps=steps, snapshots=True, stop=[])
        assert geometry.saddle(Case.of(result)) is None


def test_a_steep_valley():
    curvature = np.geomspace(1, 1e4, 10)
    descend = lambda rate, d: minimize(lambda x: 0.5 * (d * (x - 1) ** 2).sum(), np.zeros(10), optimizer=SGD(rate),
                                       steps=300, snapshots=True, stop=[])  # fmt: skip
    found = examine(descend(1.5e-4, curvature), seconds=20)
    assert [one.name for one in found.proved] == ["ill-conditioned"]
    assert "75% of the limit after" in found.proved[0].symptoms
    assert geometry.ill_conditioned(Case.of(descend(1.5e-5, curvature))) is None  # a higher rate would do
    assert geometry.ill_conditioned(Case.of(descend(0.5, np.ones(10)))) is None


def test_rare_classes_that_are_learned_worse():
    """Two classes that columns tell, and a third with eight examples whose weights have not moved."""
    known = np.where(X[:, 0] > 0, 1, 0).astype(np.int32)
    known[:8] = 2
    scores = np.zeros((5, 3), np.float32)
    scores[0, :2] = -4, 4
    held_out = (X[::-1].copy(), np.where(np.arange(200) < 20, 2, np.where(X[::-1, 0] > 0, 1, 0)).astype(np.int32))
    examined = lambda w: Case.of(begin(cross_entropy, w, (X, known), optimizer=SGD(1e-6), batch_size=20), held_out, 0.1)
    found = labels.imbalance(examined(scores))
    assert found.is_fact
    assert "class 2 has 8 examples" in found.symptoms
    assert "the held-out loss of rare classes is" in found.symptoms
    assert not labels.imbalance(examined(np.zeros((5, 3)))).is_fact  # where all classes are as badly known
