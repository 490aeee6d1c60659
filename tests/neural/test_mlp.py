"""Perceptrons for tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as TheirClassifier

from descend import losses
from descend.errors import InputError
from descend.neural import MLPClassifier, MLPRegressor
from descend.neural._objective import row_losses
from descend.optimizers import SGD

X, Y = load_digits(return_X_y=True)
TRAIN, TEST, Y_TRAIN, Y_TEST = train_test_split(X, Y, random_state=0, stratify=Y)


@pytest.fixture(scope="module")
def digits():
    return MLPClassifier((64,), epochs=30, random_state=0).fit(TRAIN, Y_TRAIN)


def test_is_as_good_as_scikit_learns(digits):
    theirs = TheirClassifier((64,), max_iter=30, random_state=0)
    with pytest.warns(match="Maximum iterations"):
        theirs.fit(TRAIN / 16, Y_TRAIN)
    assert digits.score(TEST, Y_TEST) > theirs.score(TEST / 16, Y_TEST) - 0.01


def test_says_how_it_went(digits):
    assert digits.stop_reason_.name in ("budget", "plateau")
    assert digits.n_iter_ in (len(digits.validation_scores_), len(digits.validation_scores_) + 1)  # rounded up
    assert max(digits.validation_scores_) > 0.9
    assert np.mean(digits.loss_curve_[-20:]) < 0.1 * digits.loss_curve_[0]
    assert digits.classes_.tolist() == list(range(10))


def test_probabilities_are_those_of_the_scores(digits):
    probabilities = digits.predict_proba(TEST)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == digits.predict(TEST)).all()
    assert np.log(probabilities[np.arange(len(TEST)), Y_TEST]).mean() > -0.3


def test_units_of_columns_do_not_matter(digits):
    scaled = TRAIN * np.logspace(-3, 3, 64) + 5
    other = MLPClassifier((64,), epochs=30, random_state=0).fit(scaled, Y_TRAIN)
    assert other.score(TEST * np.logspace(-3, 3, 64) + 5, Y_TEST) == pytest.approx(digits.score(TEST, Y_TEST), abs=0.02)


def test_numbers_several_at_a_time_and_in_any_units():
    X, y = load_diabetes(return_X_y=True)
    both = np.stack([y, -1e6 * y], axis=1)
    model = MLPRegressor((8,), epochs=40, random_state=0).fit(X, both)
    assert model.predict(X).shape == both.shape
    assert model.score(X, both) > Ridge(1.0).fit(X, both).score(X, both)
    assert np.corrcoef(model.predict(X).T)[0, 1] < -0.8
    assert MLPRegressor((8,), epochs=1, random_state=0).fit(X, y).predict(X).shape == y.shape


def test_weights_of_rows_and_of_classes():
    rng = np.random.default_rng(0)
    rows, rare = rng.normal(size=(300, 2)), np.arange(300) < 30
    rows[rare] += 1.0
    kind = {"hidden_layer_sizes": (4,), "optimizer": SGD(0.3), "epochs": 20, "random_state": 0}
    plain = MLPClassifier(**kind).fit(rows, rare)
    balanced = MLPClassifier(**kind, class_weight="balanced").fit(rows, rare)
    weighted = MLPClassifier(**kind).fit(rows, rare, sample_weight=np.where(rare, 10.0, 1.0))
    assert plain.predict(rows).mean() < balanced.predict(rows).mean()
    assert plain.predict(rows).mean() < weighted.predict(rows).mean()


@pytest.mark.parametrize(("estimator", "y"), [(MLPClassifier, Y_TRAIN), (MLPRegressor, TRAIN[:, 3])])
def test_weights_that_mean_nothing(estimator, y):
    model = estimator((4,), optimizer=SGD(0.1), epochs=1, random_state=0)
    fitted = estimator((4,), optimizer=SGD(0.1), epochs=1, random_state=0).fit(TRAIN, y)
    weights = np.ones(len(y))
    for wrong, words in ((-2.0, "sample_weight is -2 at row 7: weights must not be negative"), (np.nan, "NaN"),
                         (np.inf, "inf")):
        weights[7] = wrong
        for use in (model.fit, fitted.score):
            with pytest.raises(ValueError, match=words):
                use(TRAIN, y, weights)
    with pytest.raises(ValueError, match="at least one non-zero"):
        model.fit(TRAIN, y, np.zeros(len(y)))
    if estimator is MLPClassifier:
        with pytest.raises(InputError, match="all weights are 0"):
            model.set_params(class_weight=dict.fromkeys(range(10), 0)).fit(TRAIN, y)


@pytest.mark.parametrize(("estimator", "y"), [(MLPClassifier, Y_TRAIN), (MLPRegressor, TRAIN[:, 3])])
def test_a_row_without_weight_is_as_one_that_is_not_there(estimator, y):
    """The rows are there twice, which changes no mean and no spread; the second time they have other targets."""
    settings = {"hidden_layer_sizes": (4,), "optimizer": SGD(0.1), "epochs": 1, "random_state": 0}
    rows, twice = TRAIN[:300], np.tile(TRAIN[:300], (2, 1))
    targets = np.append(y[:300], y[300:600])
    weighted = estimator(**settings).fit(twice, targets, np.repeat([2.0, 0.0], 300))
    fewer = estimator(**settings).fit(rows, y[:300])
    np.testing.assert_allclose(weighted.loss_curve_, fewer.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize(("estimator", "y"), [(MLPClassifier, Y), (MLPRegressor, X[:, 3:5])])
def test_examples_to_validate_on_may_be_given(estimator, y):
    """Even seven, of which none would be held out; the score after an epoch is that of the network after it."""
    settings = {"hidden_layer_sizes": (4,), "optimizer": SGD(0.1), "epochs": 1, "random_state": 0}
    model = estimator(**settings).fit(X[:300], y[:300], X_val=X[300:307], y_val=y[300:307])
    assert len(model.loss_curve_) == np.ceil(300 / 64)  # none was held out besides
    (score,) = model.validation_scores_
    difference = 1 - model.score(X[300:307], y[300:307])
    if estimator is MLPRegressor:  # whose R² is over all numbers, and not the mean of each one's
        scaled = lambda numbers: (numbers - model.centre_) / model.unit_
        truth, told = scaled(y[300:307]), scaled(model.predict(X[300:307]))
        difference = ((told - truth) ** 2).mean() / truth.var(axis=0).mean()
    assert score == pytest.approx(1 - difference, abs=1e-5)
    with pytest.raises(InputError, match="X_val and y_val belong together"):
        estimator(**settings).fit(X[:300], y[:300], X_val=X[300:307])


def test_classes_to_validate_on_are_among_those_learnt():
    model = MLPClassifier((4,), optimizer=SGD(0.1), epochs=1)
    with pytest.raises(InputError, match="y_val has the class 12, which y has not"):
        model.fit(X[:300], Y[:300], X_val=X[:2], y_val=[3, 12])


def test_one_hidden_layer_need_not_be_in_a_tuple():
    settings = {"optimizer": SGD(0.1), "epochs": 1, "random_state": 0}
    one, several, counted = (MLPClassifier(sizes, **settings).fit(TRAIN[:300], Y_TRAIN[:300]).predict_proba(TEST)
                             for sizes in (16, (16,), np.array([16])))
    assert (one == several).all()
    assert (one == counted).all()


def test_training_goes_on_where_it_was(tmp_path):
    settings = {"hidden_layer_sizes": (4,), "optimizer": SGD(0.1), "random_state": 0, "epochs": 2}
    model = MLPClassifier(**settings, warm_start=True).fit(TRAIN[:300], Y_TRAIN[:300])
    first = np.mean(model.loss_curve_)
    assert np.mean(model.fit(TRAIN[:300], Y_TRAIN[:300]).loss_curve_) < first
    with pytest.raises(InputError, match="need another one"):
        model.fit(TRAIN[:300, :5], Y_TRAIN[:300])
    file = tmp_path / "run"
    MLPClassifier(**settings, checkpoint=file).fit(TRAIN[:300], Y_TRAIN[:300])
    on = MLPClassifier(**(settings | {"epochs": 4}), checkpoint=file).fit(TRAIN[:300], Y_TRAIN[:300])
    with pytest.raises(InputError, match="checkpoint needs a random_state"):
        MLPClassifier(**(settings | {"random_state": None}), checkpoint=file).fit(TRAIN[:300], Y_TRAIN[:300])
    whole = MLPClassifier(**(settings | {"epochs": 4})).fit(TRAIN[:300], Y_TRAIN[:300])
    assert (on.predict_proba(TEST) == whole.predict_proba(TEST)).all()


def test_smoothed_targets():
    scores, targets = jax.random.normal(jax.random.key(0), (5, 3)), jnp.array([0, 2, 1, 1, 0])
    smooth = np.full((5, 3), 0.2 / 3)
    smooth[np.arange(5), targets] += 0.8
    log = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    expected = -(smooth * log).sum(axis=1)
    np.testing.assert_allclose(row_losses("classification", scores, targets, 0.2), expected, rtol=1e-5)
    hard = losses.softmax_cross_entropy(scores, targets)
    np.testing.assert_allclose(row_losses("classification", scores, targets), hard)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "swish"}, "activation must be one of relu, tanh"),
        *(({"hidden_layer_sizes": sizes}, "hidden_layer_sizes must be a whole number of at least 1, or several of them")
          for sizes in ((8, 0), 0, True, 2.5, (8, "4"), "16", None)),
        ({"class_weight": {0: -1.0}}, "class_weight has -1: weights must be numbers, and not negative"),
        ({"class_weight": {0: np.nan}}, "class_weight has nan"),
        ({"dropout": 1.0}, "dropout must be at least 0 and less than 1"),
        ({"validation_fraction": 1.0}, "validation_fraction must be at least 0"),
        ({"label_smoothing": -0.1}, "label_smoothing must be at least 0"),
        ({"precision": "half"}, "precision must be one of auto, float32, bfloat16"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"optimizer": 0.1}, "optimizer must be a rule"),
    ],
)
def test_settings_that_mean_nothing(settings, message):
    with pytest.raises(InputError, match=message):
        MLPClassifier(**settings).fit(TRAIN[:100], Y_TRAIN[:100])


def test_data_that_cannot_be_trained_on():
    with pytest.raises(InputError, match="y holds 1 class"):
        MLPClassifier().fit(X[:50], np.zeros(50))
    with pytest.raises(ValueError, match="NaN"):
        MLPClassifier().fit(np.full((50, 2), np.nan), np.arange(50) % 2)
    with pytest.raises(ValueError, match="inconsistent"):
        MLPRegressor().fit(X[:50], np.zeros(49))


def test_no_time_at_all():
    model = MLPClassifier((4,), seconds=1e-9, random_state=0).fit(TRAIN[:300], Y_TRAIN[:300])
    assert model.stop_reason_.name == "budget"
    assert model.predict(TEST).shape == Y_TEST.shape
