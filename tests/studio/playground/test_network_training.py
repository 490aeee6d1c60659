"""Steps against a backward pass by hand; pictures against the network by hand; forks that compile nothing."""

import math

import jax
import numpy as np
import pytest
from networks_by_hand import PLANE, XOR, begun, conduct, learner, numbers, start

import compiling
from descend.studio.playground.lesson import PICTURE
from descend.studio.playground.network import FEATURES
from descend.studio.playground.training import MAP

SLOPES = {
    "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "relu": (lambda x: max(x, 0.0), lambda x: float(x > 0)),
    "linear": (lambda x: x, lambda x: 1.0),
    # The tanh form, and its slope by the difference of neighbours.
    "gelu": (
        lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        lambda x: (SLOPES["gelu"][0](x + 1e-5) - SLOPES["gelu"][0](x - 1e-5)) / 2e-5,
    ),
}


def by_hand(training, activation, l1=0.0, l2=0.0):
    """The mean loss of what is learned from, and its gradient by weights and biases: rows and layers in loops."""
    weights, biases = numbers(training.network)
    function, slope = (np.vectorize(one) for one in SLOPES[activation])
    inputs, targets = training.lesson.training
    dw, db, total = [np.zeros_like(w) for w in weights], [np.zeros_like(b) for b in biases], 0.0
    for row, target in zip(inputs.astype(np.float64), targets, strict=True):
        given, summed = [row], []
        for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
            summed.append(given[-1] @ w + b)
            given.append(summed[-1] if layer == len(weights) - 1 else function(summed[-1]))
        if training.lesson.points.kind == "classification":
            p = np.exp(given[-1]) / np.exp(given[-1]).sum()
            total -= np.log(p[target])
            error = p - np.eye(len(p))[target]
        else:
            error = given[-1] - target
            total += (error**2).sum() / 2
        for layer in reversed(range(len(weights))):
            dw[layer] += np.outer(given[layer], error)
            db[layer] += error
            if layer:
                error = (weights[layer] @ error) * slope(summed[layer - 1])
    n = len(inputs)
    penalty = sum(l1 * np.abs(w).sum() + l2 / 2 * (w**2).sum() for w in weights)
    dw = [g / n + l1 * np.sign(w) + l2 * w for g, w in zip(dw, weights, strict=True)]
    return total / n, penalty, dw, [g / n for g in db]


@pytest.mark.parametrize("activation", SLOPES)
@pytest.mark.parametrize("data", [XOR, PLANE], ids=["class", "number"])
def test_a_step_is_the_gradient_by_hand(data, activation):
    training = begun(start(data, activation=activation), conduct(l1=0.01, l2=0.02))
    loss, penalty, dw, db = by_hand(training, activation, 0.01, 0.02)
    assert training.lesson.measure(training.network, training.lesson.training)[0] == pytest.approx(loss, rel=1e-5)
    assert training.run.loss() == pytest.approx(loss + penalty, rel=1e-5)
    before, after = numbers(training.network), numbers(training.advanced(1).network)
    for old, new, gradient in zip(before[0] + before[1], after[0] + after[1], dw + db, strict=True):
        np.testing.assert_allclose((old - new) / 0.1, gradient, atol=3e-6)


@pytest.fixture(scope="module")
def learned():
    """Some trained a little, with batches and noise."""
    how = conduct("adam", 8, learning_rate=0.05, noise=0.01)
    return {name: begun(start(data), how).advanced(40) for name, data in (("xor", XOR), ("humps", PLANE))}


@pytest.mark.parametrize("name", ["xor", "humps"])
def test_the_picture_is_the_network_at_the_middles_of_its_cells(learned, name):
    training = learned[name]
    lesson, look = training.lesson, training.look(None)
    weights, biases = numbers(training.network)
    rng = np.random.default_rng(0)
    for row, column in rng.integers(0, PICTURE, (30, 2)):
        at = np.array([-6 + 12 * (column + 0.5) / PICTURE, -6 + 12 * (row + 0.5) / PICTURE])
        given = (np.array([at[0], at[1], at[0] * at[1]]) - lesson.inputs.mean) / lesson.inputs.scale
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            given = np.tanh(given @ w + b)
        scores = given @ weights[-1] + biases[-1]
        seen = look.picture[row * PICTURE + column]
        if name == "xor":
            p = np.exp(scores) / np.exp(scores).sum()
            assert int(seen) == p.argmax()
            assert seen % 1 == pytest.approx(min(p.max(), 0.999), abs=1e-4)
        else:
            targets = lesson.points.targets
            of_learned = targets[lesson.learned]
            number = scores[0] * of_learned.std() + of_learned.mean()
            assert seen == pytest.approx((number - targets.min()) / (targets.max() - targets.min()), abs=1e-4)


def test_inputs_are_standardised_by_what_is_learned_from(learned):
    inputs, _ = learned["xor"].lesson.training
    np.testing.assert_allclose(inputs.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(inputs.std(0), 1, atol=1e-6)


def test_features_are_what_they_are_called():
    at = np.array([[0.5, -2.0]])
    told = {name: float(make(at)[0]) for name, make in FEATURES.items()}
    assert told == pytest.approx({"x": 0.5, "y": -2, "x²": 0.25, "y²": 4, "xy": -1, "sin x": math.sin(0.5),
                                  "sin y": math.sin(-2)})  # fmt: skip


def test_a_map_is_the_picture_of_its_unit_with_fewer_cells(learned):
    training = learned["xor"]
    maps = training.look(None).maps
    assert maps.shape == (3 + 4 + 3 + 2, MAP * MAP)
    for layer, first in ((0, 0), (1, 3), (2, 7)):
        shown = training.look((layer, 1)).picture.reshape(PICTURE, PICTURE)
        np.testing.assert_array_equal(maps[first + 1].reshape(MAP, MAP), shown[2::5, 2::5])
    np.testing.assert_allclose(maps[-2:].sum(0), 1, rtol=1e-5)


def test_numbers_are_layer_by_layer_weights_before_biases(learned):
    weights, biases = numbers(learned["xor"].network)
    told = learned["xor"].look(None).numbers
    expected = np.concatenate([part.ravel() for pair in zip(weights, biases, strict=True) for part in pair])
    np.testing.assert_array_equal(told, expected)


def test_scores_are_the_share_that_is_right_and_r_squared(learned):
    for name, training in learned.items():
        inputs, targets = training.lesson.testing
        weights, biases = numbers(training.network)
        given = inputs.astype(np.float64)
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            given = np.tanh(given @ w + b)
        scores = given @ weights[-1] + biases[-1]
        loss, score = training.lesson.measure(training.network, (inputs, targets))
        if name == "xor":
            assert score == np.mean(scores.argmax(1) == targets)
        else:
            assert score == pytest.approx(1 - ((scores - targets) ** 2).mean() / targets.var(), rel=1e-5)
            assert loss == pytest.approx(((scores - targets) ** 2).mean() / 2, rel=1e-5)


def test_a_seed_is_a_training_bit_for_bit_however_its_steps_are_divided():
    how = conduct("adam", 8, noise=0.1)
    whole = begun(how=how).advanced(30)
    parts = begun(how=how)
    for steps in (1, 2, 7, 20):
        parts = parts.advanced(steps)
    assert parts.run.step == whole.run.step == 30
    np.testing.assert_array_equal(parts.look(None).numbers, whole.look(None).numbers)
    other = begun(start(seed=6), how).advanced(30)
    assert (other.look(None).numbers != whole.look(None).numbers).any()


def test_a_slider_compiles_nothing_and_goes_on_from_where_it_was():
    page = learner()
    page.follow(start(), conduct("adam", 8))
    page.advance(5)
    with compiling.programs() as compiled:
        for settings in ({"learning_rate": 0.2}, {"l1": 0.1}, {"l2": 0.1}, {"noise": 0.5}):
            training, is_new = page.follow(start(), conduct("adam", 8, **settings))
            assert not is_new
            page.advance(2)
        again, is_new = page.follow(start(attempt=1), conduct("adam", 8))
        page.advance(2)
    assert compiled == []
    assert training.run.step == 11
    assert (is_new, again.run.step) == (True, 0)


def test_other_rules_batches_and_dropout_go_on_too():
    page = learner()
    before, _ = page.follow(start(), conduct("sgd", 8))
    page.advance(3)
    for how in (conduct("adam", 8), conduct("adam", 16), conduct("adam", 16, dropout=0.5)):
        training, is_new = page.follow(start(), how)
        assert (is_new, training.run.step) == (False, 3)
    assert page.advance(4).run.step == 7
    assert page.training.network.dropout == 0.5
    assert before.run.step == 0


def test_epochs_are_counted_over_what_is_learned_from():
    training = begun(how=conduct("sgd", 21)).advanced(5)
    assert training.epoch == pytest.approx(5 * 21 / 42)
    # All at once from here on.
    assert training.conducted(conduct("sgd")).advanced(2).epoch == pytest.approx(2.5 + 2)


def test_noise_is_of_the_standard_deviation_that_is_set():
    """Of the gradient's difference, over many draws; the step itself is plain descent."""
    training = begun(how=conduct(learning_rate=0.1, noise=2.0))
    quiet = begun(how=conduct(learning_rate=0.1)).advanced(1).look(None).numbers
    noisy = [begun(start(seed=5), conduct(learning_rate=0.1, noise=2.0)).advanced(1).look(None).numbers]
    run = training.run
    noisy += [run.fork(seed=seed).advance(1)[0].params for seed in range(20)]
    away = [np.concatenate([np.asarray(p).ravel() for pair in zip(one.weights, one.biases, strict=True) for p in pair])
            for one in noisy[1:]]  # fmt: skip
    differences = (np.array([noisy[0], *away]) - quiet) / 0.1
    assert differences.std() == pytest.approx(2.0, rel=0.08)
    assert abs(differences.mean()) < 0.25


def test_the_sharpness_is_the_largest_eigenvalue_of_the_hessian():
    training = begun().advanced(20)
    told = training.sharpness()
    weights, biases = numbers(training.network)
    sizes = [w.size for w in weights] + [b.size for b in biases]
    columns = []
    for unit in np.eye(sum(sizes)):
        parts = np.split(unit.astype(np.float32), np.cumsum(sizes)[:-1])
        shaped = [jax.numpy.asarray(p.reshape(w.shape)) for p, w in zip(parts, weights + biases, strict=True)]
        v = type(training.network)(shaped[: len(weights)], shaped[len(weights) :], "tanh", 0.0)
        product = training.run.hvp(v, training.lesson.training)
        columns.append(np.concatenate([np.asarray(one).ravel() for one in (*product.weights, *product.biases)]))
    sharpest = np.linalg.eigvalsh(np.array(columns, np.float64))[-1]
    assert told["sharpness"] == pytest.approx(sharpest, rel=1e-3)
    assert told["limit"] == pytest.approx(2 / sharpest, rel=1e-3)
    assert told["step"] == 20


def test_a_training_that_diverges_stops_and_tells_the_limit_at_its_start():
    training = begun(start(PLANE, layers=(), features=("x", "y")), conduct(learning_rate=4.0)).advanced(1000)
    assert training.run.is_halted
    assert training.run.step < 1000
    assert training.advanced(3).run.step == training.run.step
    told = training.sharpness()
    assert told["step"] == 0
    # Of least squares without units, the Hessian is that of the standardised inputs and 1.
    inputs, _ = training.lesson.training
    with_one = np.column_stack([inputs, np.ones(len(inputs))])
    assert told["limit"] == pytest.approx(2 / np.linalg.eigvalsh(with_one.T @ with_one / len(inputs))[-1], rel=1e-4)
    assert told["limit"] < 4
    # Where it went the loss is no number, so that no rate helps any more.
    assert training.conducted(conduct(learning_rate=0.01)).advanced(3).run.is_halted


def test_a_rule_without_a_limit_says_so():
    told = begun(how=conduct("prodigy", learning_rate=1.0)).advanced(2).sharpness()
    assert told["limit"] is None
    assert "no limit" in told["says"]
