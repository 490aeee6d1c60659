"""Causes that are proved: faults that are known, in descents of seconds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

import descend
from descend import SGD, Adam, InputError, Trainer, begin, minimize
from descend.insight import examine, what_if
from descend.insight.case import Case
from descend.insight.doctor import suspicions
from descend.insight.faults.changes import glorot
from descend.schedules import Cosine
from descend.sources import HostArrays, IterableBatches, MiniBatches

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.3 * RNG.normal(size=300)).astype(np.float32)
HELD_OUT = (X[200:], Y[200:])


def line(w, batch):
    rows, target = batch
    return ((rows @ w["w"] + w["b"] - target) ** 2).mean()


START = {"w": np.zeros(4), "b": np.zeros(())}


def descended(loss=line, start=START, data=(X[:200], Y[:200]), **settings):
    settings = {"optimizer": SGD(0.05), "batch_size": 20, "steps": 100, **settings}
    return minimize(loss, start, data, snapshots=True, stop=[], **settings)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = (X[order] / 16).astype(np.float32), y[order].astype(np.int32)
    return (X[:1000], y[:1000]), (X[1000:], y[1000:])


def perceptron_start(scale=1.0):
    rng = np.random.default_rng(0)
    drawn = lambda i, o: scale * rng.normal(0, (2 / (i + o)) ** 0.5, (i, o))
    return {"w1": drawn(64, 16), "b1": np.zeros(16), "w2": drawn(16, 10), "b2": np.zeros(10)}


def scores(p, x):
    return jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]


def perceptron(p, batch):
    return descend.losses.softmax_cross_entropy(scores(p, batch[0]), batch[1]).mean()


def test_a_sound_descent_has_no_fault():
    found = examine(descended(), HELD_OUT, seconds=30)
    assert found.proved == []
    assert "no fault was proved" in str(found)
    with pytest.raises(InputError, match="nothing was proved"):
        found.mended()


def test_a_rate_that_is_too_high_and_its_cure():
    result = descended(optimizer=SGD(1.5))
    found = examine(result, HELD_OUT, seconds=30)
    assert [diagnosis.name for diagnosis in found.proved] == ["learning rate too high"]
    assert "of the rate" in str(found)
    mended = found.mended().advance(100)[0]
    assert mended.loss(HELD_OUT) < 0.2 < result.run.loss(HELD_OUT)
    assert found.proved[0].replay.verdict == "proved"


def test_a_column_against_a_row_is_found_on_its_line():
    def broadcasting(w, batch):
        rows, target = batch
        return (((rows @ w["w"] + w["b"])[:, None] - target) ** 2).mean()

    (found,) = examine(descended(broadcasting), HELD_OUT, seconds=30).proved
    assert found.name == "broadcast"
    assert "test_doctor.py" in found.sentence
    assert found.replay.after.max() < 0.2 < found.replay.before.min()


def test_a_descent_that_cannot_begin():
    """`minimize` refuses a loss that is not finite; a run of it tells why."""
    relative = lambda w, batch: jnp.abs((batch[0] @ w["w"] - batch[1]) / jnp.round(batch[1])).mean()
    run = begin(relative, START, (X[:200], Y[:200]), optimizer=SGD(0.01), batch_size=20)
    (found,) = examine(run, HELD_OUT, seconds=30).proved
    assert found.name == "division by zero"


def test_a_target_that_is_not_scaled_is_judged_in_its_own_units():
    far = lambda data: (data[0], (100 * data[1] + 900).astype(np.float32))
    result = descended(data=far((X[:200], Y[:200])), optimizer=Adam(0.05))
    found = examine(result, far(HELD_OUT), seconds=30).proved
    assert found[0].name == "target not scaled"
    assert found[0].replay.after.mean() < 0.01 * found[0].replay.before.mean()


@pytest.mark.slow
def test_examples_in_order(digits):
    (train, labels), held_out = digits
    order = np.argsort(labels, kind="stable")
    source = MiniBatches((train[order], labels[order]), 20, shuffle=False)
    result = minimize(perceptron, perceptron_start(), source, optimizer=SGD(0.1), steps=200, snapshots=True, stop=[])
    found = examine(result, held_out, seconds=40)
    assert found.proved[0].name == "examples not shuffled"


@pytest.mark.slow
def test_what_helps_no_more_is_explained(digits):
    """Weights that are all alike: drawn anew, no other rate is any help."""
    train, held_out = digits
    start = {name: np.full_like(array, 0.1) for name, array in perceptron_start().items()}
    settings = {"batch_size": 32, "steps": 300, "snapshots": True, "stop": []}
    result = minimize(perceptron, start, train, optimizer=Adam(0.003), **settings)
    found = examine(result, held_out, seconds=40)
    assert [diagnosis.name for diagnosis in found.proved] == ["constant initial weights"]


def test_a_function_and_a_trainer():
    """Without data a draw is a start that is moved a little; of a trainer, what it did so far is examined."""
    with Trainer.begin(lambda x: (jnp.array([40.0, 1.0]) * x**2).sum() / 2, np.ones(2), optimizer=SGD(0.06), steps=40,
                       stop=[], snapshots=True) as trainer:  # fmt: skip
        trainer.advance(steps=30)
        (found,) = examine(trainer, seconds=20).proved
    assert found.name == "learning rate too high"
    assert "rate × curvature is 2.4 after 4 steps, and the rule is stable below 2" in found.symptoms  # .06 · 40


def test_steps_that_rounding_swallows():
    """Near 1024 single precision has a spacing of 1.2e-4, and a step is 2e-5."""
    start = {"x": np.float32(1024.0)}
    result = minimize(lambda p, batch: ((p["x"] - batch) ** 2).mean(), start, np.full(8, 1025.0, np.float32),
                      optimizer=SGD(1e-5), steps=20_000, batch_size=4, snapshots=True, stop=[])  # fmt: skip
    (rounded,) = [s for s in suspicions(Case.of(result))[0] if s.name == "steps below rounding"]
    replay = what_if(result.snapshots[0], steps=100_000, draws=2, change=rounded.changes[0].make)
    assert replay.before.min() > 0.9  # it stays where it is
    np.testing.assert_allclose(replay.after, np.exp(-4), rtol=0.01)  # (1 − 2e-5)²ⁿ


def test_what_a_fault_cannot_look_at_is_told(monkeypatch):
    def broken(case):
        raise ValueError("no such thing")

    monkeypatch.setattr("descend.insight.doctor.SUSPECTS", (broken,))
    assert examine(descended(steps=10), HELD_OUT, seconds=10).notes == ["broken was not looked at: ValueError: no such "
                                                                        "thing"]


def test_weights_drawn_anew_have_glorots_size():
    drawn = glorot({"w": np.ones((300, 200)), "scale": np.ones(5), "b": np.full(5, 3.0), "k": np.ones((3, 3, 40, 60))})
    assert drawn["w"].std() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert drawn["k"].std() == pytest.approx((2 / (100 * 9)) ** 0.5, rel=0.02)
    assert drawn["scale"].tolist() == [1.0] * 5
    assert drawn["b"].tolist() == [0.0] * 5


def epoch(number):
    for first in range(0, 200, 20):
        yield X[first : first + 20], Y[first : first + 20]


def noisy(w, batch, state, key=None):
    """What keeps a mean of its inputs, and leaves some of them out in training."""
    rows, target = batch
    kept = 1.0 if key is None else jax.random.bernoulli(key, 0.9, rows.shape)
    mean = 0.9 * state["mean"] + 0.1 * rows.mean(0)
    return line(w, ((rows - mean) * kept, target)), {"mean": mean}


KEPT = {"mean": np.zeros(4, np.float32)}
TRAINED = (X[:200], Y[:200])


@pytest.mark.parametrize(("loss", "data", "settings"), [
    (line, IterableBatches(epoch, 10), {}),
    (line, HostArrays(TRAINED, 20), {}),
    (noisy, TRAINED, {"state": KEPT, "batch_size": 20}),
], ids=["a loader", "arrays on the host", "with a state and a key"])  # fmt: skip
def test_host_sources_and_losses_with_a_state_and_a_key(loss, data, settings):
    run = begin(loss, {"w": np.full(4, 0.1), "b": np.zeros(())}, data, optimizer=SGD(1.3), **settings)
    found = examine(run, HELD_OUT, seconds=30)
    assert [one.name for one in found.proved] == ["learning rate too high"]


def test_a_loss_that_cannot_do_without_its_key():
    def loss(w, batch, key):
        return line(w, (batch[0] * jax.random.bernoulli(key, 0.9, batch[0].shape), batch[1]))

    run = begin(loss, START, TRAINED, optimizer=SGD(0.1), batch_size=20)
    with pytest.raises(InputError, match=r"with key=None where it takes a key, and it cannot be evaluated"):
        examine(run, HELD_OUT, seconds=1)


def test_a_run_is_examined_to_the_end_of_its_schedule():
    run = begin(line, START, TRAINED, optimizer=SGD(Cosine(0.05, steps=50)), batch_size=20)
    case = Case.of(run, HELD_OUT, 30)
    assert (case.end.step, sorted(case.kept)) == (50, [0, 1, 2, 4, 8, 16, 32, 50])
    assert Case.of(run.advance(20)[0], HELD_OUT, 30).end.step == 50
