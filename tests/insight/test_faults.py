"""What is suspected: each fault by its symptoms, and none of them of a sound descent."""

import dataclasses

import numpy as np
import pytest

from descend import SGD, Adam, AdamW, begin, losses
from descend.insight.case import Case
from descend.insight.faults import Suspicion, data, evaluation, generalisation, geometry, labels, leakage, rates, starts
from descend.insight.judging import Judge, judge_of
from descend.optimizers import EMA, ClipByNorm
from descend.schedules import Cosine
from descend.sources import MiniBatches

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.3 * RNG.normal(size=200)).astype(np.float32)
CLASS = (Y > 0).astype(np.int32)
START = {"w1": RNG.normal(0, 0.4, (4, 8)), "b1": np.zeros(8), "w2": RNG.normal(0, 0.4, (8, 2))}


def net(p, batch):
    return losses.softmax_cross_entropy((batch[0] @ p["w1"] + p["b1"]) @ p["w2"], batch[1]).mean()


def line(w, batch):
    return ((batch[0] @ w - batch[1]) ** 2).mean()


def case(run, columns=None, end=None, held_out=None, diverged=False):
    """A case of which nothing has to be descended."""
    length = 100
    end = end or dataclasses.replace(run, state=run.state._replace(step=np.int32(length)))
    steps = np.arange(length)
    recorded = {"step": steps, "loss": np.geomspace(2.0, 0.2, length), "gradient_norm": np.full(length, 0.5),
                "update_norm": np.full(length, 0.05)}  # fmt: skip
    judge = judge_of(run, held_out)
    training = judge_of(run) if judge.are_held_out else judge
    return Case({run.step: run}, end, {**recorded, **(columns or {})}, judge, training, diverged, 1e-4)


def classes(optimizer=Adam(0.01), examples=(X, CLASS), params=START, **settings):  # noqa: B008
    return begin(net, params, examples, optimizer=optimizer, batch_size=settings.pop("batch_size", 20), **settings)


@pytest.fixture(scope="module")
def sound():
    return classes()


ALL = [*data.OF_DATA, *rates.OF_RATES, *generalisation.OF_GENERALISATION, *leakage.OF_LEAKAGE,
       *evaluation.OF_EVALUATION, *geometry.OF_GEOMETRY]  # fmt: skip


@pytest.mark.parametrize("suspect", ALL, ids=lambda suspect: suspect.__name__)
def test_a_sound_descent_has_no_symptoms(suspect, sound):
    """A rate is tried higher and lower all the same, but then asked for more."""
    found = suspect(case(sound))
    assert found is None or (suspect in (rates.too_high, rates.too_low) and found.likely < 0.5 and found.share < 1)


@pytest.mark.parametrize(
    ("optimizer", "suspect", "name"),
    [
        (SGD(0.1, momentum=0.99), rates.momentum, "momentum too high"),
        (Adam(0.01, beta1=0.99), rates.momentum, "momentum too high"),
        (EMA(ClipByNorm(Adam(0.01, eps=1e-3), 1.0), 0.9), rates.epsilon, "epsilon unfit"),
        (Adam(0.01, beta2=0.5), rates.beta2, "beta2 unfit"),
        (Adam(0.01, beta2=0.999999), rates.beta2, "beta2 unfit"),
        (AdamW(0.01, weight_decay=0.1), rates.decay, "too much weight decay"),
    ],
)
def test_settings(optimizer, suspect, name):
    run = classes(optimizer)
    found = suspect(case(run))
    assert found.name == name
    changed = found.changes[0].make(run).descent.optimizer
    assert type(changed) is type(optimizer)
    assert changed != optimizer


LENGTH = 100
RISING = np.concatenate([np.geomspace(2, 20, 10), np.geomspace(20, 0.1, 90)])


@pytest.mark.parametrize(
    ("columns", "suspect", "name"),
    [
        ({"loss": np.full(LENGTH, 2.0)}, rates.too_high, "learning rate too high"),
        ({"loss": np.geomspace(2, 200, LENGTH)}, rates.too_high, "learning rate too high"),
        ({"loss": RISING}, rates.warm_up, "no warm-up"),
        ({"gradient_norm": np.where(np.arange(LENGTH) % 10, 0.5, 50.0)}, rates.exploding, "exploding gradients"),
        ({"update_norm": np.full(LENGTH, 1e-8)}, rates.stagnation, "steps below rounding"),
        ({"loss": np.linspace(2, 1.9, LENGTH)}, rates.too_low, "learning rate too low"),
    ],
)
def test_traces(columns, suspect, name, sound):
    found = suspect(case(sound, columns))
    assert found.name == name
    assert found.likely > 0.5
    assert found.symptoms


def test_a_descent_that_diverged_went_too_fast(sound):
    found = rates.too_high(case(sound, diverged=True))
    assert "diverged after 100 steps" in found.symptoms
    rate = lambda run: run.descent.optimizer.learning_rate
    assert [rate(change.make(sound)) for change in found.changes] == pytest.approx([0.01 / 3, 0.001, 0.0001])


def test_all_rates_of_a_schedule_are_changed():
    run = classes(Adam(Cosine(0.1, steps=100)))
    schedule = rates.rescaled(0.1).make(run).descent.optimizer.learning_rate
    assert [float(schedule(step)) for step in (0, 50, 99)] == pytest.approx(
        [0.1 * float(Cosine(0.1, steps=100)(step)) for step in (0, 50, 99)]
    )


def test_columns_in_units_that_differ():
    units = np.array([1.0, 1.0, 1.0, 500.0], np.float32)
    run = classes(examples=(X * units, CLASS))
    found = data.unscaled_inputs(case(run))
    scaled = found.changes[0].make(run).descent.source.data[0]
    np.testing.assert_allclose(np.std(scaled, axis=0), 1, rtol=1e-3)
    judged = found.changes[0].judge(Judge((X * units, CLASS))).examples[0]
    np.testing.assert_allclose(judged, scaled, rtol=1e-4, atol=1e-4)


def test_rare_flags_are_no_fault():
    flags = (RNG.random((200, 30)) < 0.01).astype(np.float32)
    run = begin(line, np.zeros(34), (np.hstack([X, flags]), Y), optimizer=SGD(0.1), batch_size=20)
    assert data.unscaled_inputs(case(run)) is None


def test_a_target_that_is_far_from_zero_is_judged_in_its_own_units():
    far = 50 * Y + 900
    run = begin(line, np.zeros(4), (X, far), optimizer=SGD(0.1), batch_size=20)
    (change,) = data.unscaled_target(case(run)).changes
    theirs, own = change.make(run), judge_of(run)
    ratio = own(run) / change.judge(own)(theirs)
    mean_square, variance = np.mean(far**2), np.var(far)
    assert ratio == pytest.approx(mean_square / variance, rel=1e-4)


def test_only_squares_are_judged_so():
    absolute = lambda w, batch: abs(batch[0] @ w - batch[1]).mean()
    run = begin(absolute, np.zeros(4), (X, 50 * Y + 900), optimizer=SGD(0.1), batch_size=20)
    assert data.unscaled_target(case(run)) is None


def test_outliers():
    wild = Y.copy()
    wild[::50] = 1e4
    run = begin(line, np.zeros(4), (X, wild), optimizer=SGD(0.1), batch_size=20)
    found = data.outliers(case(run))
    assert "4 of 200" in found.symptoms
    assert np.abs(found.changes[0].make(run).descent.source.data[1]).max() < 100
    assert data.unscaled_target(case(run)) is None  # which they alone would make


def test_examples_in_order():
    order = np.argsort(CLASS, kind="stable")
    run = begin(net, START, MiniBatches((X[order], CLASS[order]), 20, shuffle=False), optimizer=Adam(0.01))
    found = data.unshuffled(case(run))
    assert found.likely > 0.8
    assert found.changes[0].make(run).descent.source.shuffle


@pytest.mark.parametrize(
    ("size", "suspect", "examples"), [(2, data.small_batches, 16), (190, data.large_batches, 32 / 190)]
)
def test_batches(size, suspect, examples):
    run = classes(batch_size=size)
    found = suspect(case(run))
    assert found.changes[0].examples == pytest.approx(examples)
    assert found.changes[0].make(run).descent.source.batch_size == 32


def test_rare_classes_are_judged_as_often_as_others():
    rare = np.zeros(200, np.int32)
    rare[:8] = 1
    run = classes(examples=(X, rare))
    found = labels.imbalance(case(run))
    assert "class 1 has 8 examples" in found.symptoms
    shares = np.bincount(found.judged(judge_of(run)).examples[1]) / 200
    np.testing.assert_allclose(shares, 0.5)


def test_held_out_examples_that_are_not(sound):
    new = RNG.normal(size=(50, 4)).astype(np.float32)
    mixed = (np.concatenate([new, X[:10]]), np.concatenate([CLASS[:50], CLASS[:10]]))
    found = leakage.overlap(case(sound, held_out=mixed))
    assert found.is_fact
    assert "10 of 60" in found.symptoms
    assert leakage.overlap(case(sound, held_out=(new, CLASS[:50]))) is None


def test_examples_of_few_numbers_are_equal_by_chance():
    """Of 4,000 cells, 200 and 100 rows drawn at random share about one in twenty, and no split is to blame."""
    rows = np.stack(np.unravel_index(np.random.default_rng(0).integers(0, 4000, 300), (10, 20, 20)), 1)
    rows = np.concatenate([rows, np.zeros_like(rows[:, :1])], axis=1).astype(np.float32)
    none = np.zeros(300, np.int32)
    run = classes(examples=(rows[:200], none[:200]))
    assert 0.02 < np.isin(rows[200:] @ [1, 10, 200, 0], rows[:200] @ [1, 10, 200, 0]).mean() < 0.1
    assert leakage.overlap(case(run, held_out=(rows[200:], none[200:]))) is None
    half = (np.concatenate([rows[:50], rows[200:]]), none[:150])
    assert "held-out examples" in leakage.overlap(case(run, held_out=half)).symptoms


def test_initial_weights():
    assert starts.scale(case(classes())) is None
    assert starts.constant(case(classes())) is None
    alike = {name: np.full_like(array, 0.1) for name, array in START.items()}
    assert starts.constant(case(classes(params=alike))).name == "constant initial weights"
    large = {name: 50 * array for name, array in START.items()}
    found = starts.scale(case(classes(params=large)))
    assert "too large" in found.says
    drawn = found.changes[0].make(classes(params=large)).params
    assert drawn["w1"].std() == pytest.approx((2 / 12) ** 0.5, rel=0.4)


def test_a_head_that_begins_at_zero_is_no_fault():
    assert starts.constant(case(classes(params={**START, "w2": np.zeros((8, 2))}))) is None


def test_wrong_labels_are_told_by_models_that_have_not_seen_them():
    """Two clouds that do not touch; a fifth of the labels is turned round."""
    wrong = np.random.default_rng(5).random(200) < 0.2
    clouds = (X + 6 * CLASS[:, None]).astype(np.float32)
    run = classes(Adam(0.03), (clouds, np.where(wrong, 1 - CLASS, CLASS)), batch_size=10)
    found = labels.wrong(case(run, held_out=(clouds, CLASS)))
    kept = found.changes[0].make(run).descent.source.data[1]
    assert abs(len(kept) - (~wrong).sum()) <= 6
    assert labels.wrong(case(classes(Adam(0.03), (clouds, CLASS), batch_size=10), held_out=(clouds, CLASS))) is None


def test_faults_of_no_group_are_told_each():
    sort = lambda **settings: Suspicion("x", "data", "", [], "", **settings)
    assert sort(group="start").is_told_with(sort(group="start"))
    assert not sort(group="start").is_told_with(sort())
    assert not sort().is_told_with(sort())
