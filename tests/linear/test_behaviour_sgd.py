"""What users of stochastic linear models rely on: weights, classes, warm starts, learning in blocks, kinds of input,
early refusals and the one-class machine, held by all linear estimators that they concern."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.svm as machines
from joblib import parallel_backend
from scipy import optimize, sparse
from sklearn.base import clone, is_outlier_detector
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler

import descend.linear as ours
from descend.errors import InputError

rng = np.random.default_rng(7)
ROWS = 90
X = rng.normal(size=(ROWS, 4)) * [1.0, 20.0, 0.1, 1.0] + [0.0, 5.0, 0.0, -1.0]
SLOPES = np.array([1.5, -0.05, 8.0, 0.0])
NUMBERS = X @ SLOPES + 0.3 * rng.normal(size=ROWS) + 2
SCORES = (X - X.mean(0)) @ SLOPES + 0.5 * rng.normal(size=ROWS)
LABELS = np.where(SCORES > 0, 1, 0)
THREE = np.digitize(SCORES, [-1.0, 1.0])
COUNTS = rng.poisson(np.exp(0.4 * X[:, 0] + 0.5)).astype(float)
WEIGHTS = rng.uniform(0.2, 2.0, ROWS)
TWICE = rng.integers(1, 3, ROWS)
IRIS_X, IRIS_Y = load_iris(return_X_y=True)

CLASSIFIERS = {
    "logistic": ours.LogisticRegression(tol=1e-10),
    "hinge": ours.LinearSVC(loss="hinge", tol=1e-10),
    "squared hinge": ours.LinearSVC(tol=1e-10),
    "l1": ours.LinearSVC(penalty="l1", tol=1e-10),
    "perceptron": ours.Perceptron(),
}
REGRESSIONS = {
    "least squares": ours.LinearRegression(),
    "ridge": ours.Ridge(tol=1e-10),
    "elastic net": ours.ElasticNet(alpha=0.01, tol=1e-10),
    "huber": ours.HuberRegressor(tol=1e-9),
    "insensitive": ours.LinearSVR(epsilon=0.1, tol=1e-10),
    "squared insensitive": ours.LinearSVR(epsilon=0.1, loss="squared_epsilon_insensitive", tol=1e-10),
    "quantile": ours.QuantileRegressor(alpha=0.01, tol=1e-10),
}
ALL = {**{name: (model, LABELS) for name, model in CLASSIFIERS.items()},
       **{name: (model, NUMBERS) for name, model in REGRESSIONS.items()},
       "poisson": (ours.PoissonRegressor(alpha=0.01, tol=1e-10), COUNTS)}
PENALISED = [name for name in ALL if name not in ("perceptron", "least squares", "quantile")]

classifier = pytest.mark.parametrize("name", CLASSIFIERS)
regression = pytest.mark.parametrize("name", REGRESSIONS)
every = pytest.mark.parametrize("name", ALL)


def made(name):
    model, y = ALL[name]
    return clone(model), y


def learnt(model):
    return np.append(np.ravel(model.coef_), np.ravel(getattr(model, "intercept_", getattr(model, "offset_", 0.0))))


def same(one, other, tolerance=1e-4):
    """Coefficients agree in units of the columns' spread: a gap of 1e-10 leaves about its root."""
    unit = np.append(np.resize(X.std(0), np.size(one.coef_)), np.ones(learnt(one).size - np.size(one.coef_)))
    np.testing.assert_allclose(learnt(one) * unit, learnt(other) * unit, atol=tolerance * abs(learnt(one) * unit).max())


# What is given


@every
def test_lists_frames_and_column_order_are_the_same_table(name):
    model, y = made(name)
    wanted = clone(model).fit(X, y)
    frame = pd.DataFrame(X, columns=list("abcd"))
    for table, targets in ((X.tolist(), y.tolist()), (frame, pd.Series(y)), (np.asfortranarray(X), y)):
        same(clone(model).fit(table, targets), wanted)
    assert list(clone(model).fit(frame, y).feature_names_in_) == list("abcd")


@every
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_is_dense(name, kind):
    model, y = made(name)
    thin = np.where(np.random.default_rng(0).random(X.shape) < 0.4, 0.0, X)
    one, other = clone(model).fit(kind(thin), y), clone(model).fit(thin, y)
    if name == "perceptron":  # which sees columns that are not centred if they are sparse, and goes another way
        assert abs(one.score(thin, y) - other.score(thin, y)) < 0.1
        return
    same(one, other)
    np.testing.assert_allclose(one.predict(kind(thin)), one.predict(thin), rtol=1e-9)


@every
def test_single_precision_learns_the_same(name):
    model, y = made(name)
    narrow = X.astype(np.float32)
    if name in ("hinge", "insensitive", "quantile"):
        model.set_params(tol=1e-7)  # coefficients in float32 come no nearer to a corner
    one, other = clone(model).fit(narrow, y), clone(model).fit(narrow.astype(np.float64), y)
    same(one, other, 1e-3)
    np.testing.assert_allclose(one.predict(narrow), one.predict(narrow.astype(np.float64)), rtol=1e-5)


@every
def test_inputs_are_left_alone(name):
    model, y = made(name)
    given = [X.copy(), y.copy(), WEIGHTS.copy()]
    for array in given:
        array.flags.writeable = False
    model.fit(given[0], given[1], sample_weight=given[2])
    model.predict(given[0])
    for array, before in zip(given, (X, y, WEIGHTS), strict=True):
        np.testing.assert_array_equal(array, before)


@every
def test_targets_in_a_column_are_taken_with_a_warning(name):
    model, y = made(name)
    with pytest.warns(DataConversionWarning):
        column = clone(model).fit(X, y[:, None])
    same(column, clone(model).fit(X, y))
    with pytest.raises(ValueError, match="1d"):
        clone(model).fit(X, np.column_stack([y, y]))


@every
def test_other_columns_than_those_of_the_fit_are_refused(name):
    model, y = made(name)
    model.fit(pd.DataFrame(X, columns=list("abcd")), y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(X[:, :3], columns=list("abc")))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(X, columns=list("abce")))


@every
def test_nothing_is_predicted_before_a_fit(name):
    with pytest.raises(NotFittedError):
        made(name)[0].predict(X)


@every
def test_rows_and_targets_of_different_number_are_refused(name):
    model, y = made(name)
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, y[:-1])


# Parameters


@every
def test_a_clone_is_not_fitted_and_learns_the_same(name):
    model, y = made(name)
    model.fit(X, y)
    copy = clone(model)
    assert not hasattr(copy, "coef_")
    assert copy.get_params().keys() == model.get_params().keys()
    np.testing.assert_array_equal(learnt(copy.fit(X, y)), learnt(model))


@every
def test_parameters_may_be_changed_between_fits(name):
    model, y = made(name)
    model.fit(X, y)
    model.set_params(fit_intercept=False).fit(X, y)
    assert np.all(np.ravel(model.intercept_) == 0)
    same(model, made(name)[0].set_params(fit_intercept=False).fit(X, y))


@every
def test_a_model_survives_pickling(name):
    model, y = made(name)
    model.fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@pytest.mark.parametrize(("model", "parameter", "value"), [
    (ours.LinearSVC(), "loss", "foobar"),
    (ours.LinearSVC(), "penalty", "foobar"),
    (ours.LinearSVC(), "C", 0.0),
    (ours.LinearSVC(), "C", -1.0),
    (ours.LogisticRegression(), "C", "much"),
    (ours.LogisticRegression(), "l1_ratio", 1.1),
    (ours.LogisticRegression(), "multi_class", "foobar"),
    (ours.LogisticRegression(), "solver", "foobar"),
    (ours.LogisticRegression(), "tol", -1e-4),
    (ours.LogisticRegression(), "max_iter", -1),
    (ours.LogisticRegression(), "max_iter", 2.5),
    (ours.Perceptron(), "max_iter", -1),
    (ours.LinearSVR(), "loss", "hinge"),
    (ours.LinearSVR(), "epsilon", -0.1),
    (ours.Ridge(), "alpha", -1e-3),
    (ours.ElasticNet(), "l1_ratio", -0.1),
    (ours.ElasticNet(), "alpha", np.nan),
    (ours.HuberRegressor(), "epsilon", 0.9),
    (ours.QuantileRegressor(), "quantile", 1.0),
    (ours.PoissonRegressor(), "alpha", None),
    (ours.OneClassSVM(), "nu", 0.0),
    (ours.OneClassSVM(), "nu", 1.5),
], ids=str)
def test_a_bad_parameter_is_refused_by_name_before_anything_is_learnt(model, parameter, value):
    model = clone(model).set_params(**{parameter: value})
    y = () if isinstance(model, ours.OneClassSVM) else (LABELS,)
    with pytest.raises(InputError, match=f"^{parameter} is .*: it must be"):
        model.fit(X, *y)
    assert not hasattr(model, "coef_")
    with pytest.raises(InputError, match=f"^{parameter} is"):
        model.partial_fit(X, *y)


@every
def test_the_budget_is_kept_and_said(name):
    model, y = made(name)
    if name in ("perceptron", "least squares", "ridge", "elastic net"):
        pytest.skip("one iteration is enough, or what ends it is a plateau")
    with pytest.warns(ConvergenceWarning, match="iterations were made"):
        model.set_params(max_iter=1, tol=1e-14).fit(X, y)
    assert model.n_iter_ == 1
    assert model.stop_reason_.name == "budget"


@pytest.mark.parametrize("name", PENALISED)
def test_a_tighter_promise_takes_no_fewer_iterations_and_is_kept(name):
    model, y = made(name)
    models = [clone(model).set_params(tol=tol).fit(X, y) for tol in (1e-1, 1e-4, 1e-8)]
    assert models[0].n_iter_ <= models[1].n_iter_ <= models[2].n_iter_ < model.max_iter
    values = [one.loss_curve_[-1] for one in models]
    for one, tol in zip(models, (1e-1, 1e-4, 1e-8), strict=True):
        assert one.loss_curve_[-1] - min(values) <= tol * abs(min(values)) * (1 + 1e-6)
        assert one.duality_gap_ <= tol * abs(one.loss_curve_[-1])


@every
def test_the_same_fit_twice_gives_the_same_numbers(name):
    model, y = made(name)
    np.testing.assert_array_equal(learnt(clone(model).fit(X, y)), learnt(clone(model).fit(X, y)))


# Weights


@every
def test_a_weight_of_two_is_a_row_given_twice(name):
    model, y = made(name)
    if name == "perceptron":
        pytest.skip("of the planes that are as good, it finds one")
    same(clone(model).fit(X, y, sample_weight=TWICE), clone(model).fit(np.repeat(X, TWICE, 0), np.repeat(y, TWICE)))


@every
def test_a_weight_of_nothing_is_a_row_that_is_not_there(name):
    model, y = made(name)
    weights = np.where(np.arange(ROWS) % 3 == 0, 0.0, 1.0)
    wild = np.where(weights[:, None] == 0, 1e3 * X, X)
    same(clone(model).fit(wild, y, sample_weight=weights), clone(model).fit(X[weights > 0], y[weights > 0]))


@every
def test_equal_weights_are_no_weights(name):
    model, y = made(name)
    same(clone(model).fit(X, y, sample_weight=np.ones(ROWS)), clone(model).fit(X, y))


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared hinge", "l1", "insensitive", "squared insensitive"])
def test_greater_weights_are_less_penalty(name):
    model, y = made(name)
    same(clone(model).fit(X, y, sample_weight=np.full(ROWS, 5.0)), clone(model).set_params(C=5 * model.C).fit(X, y))


@pytest.mark.parametrize("name", ["least squares", "elastic net", "quantile", "poisson"])
def test_mean_losses_do_not_see_the_weights_unit(name):
    model, y = made(name)
    same(clone(model).fit(X, y, sample_weight=5 * WEIGHTS), clone(model).fit(X, y, sample_weight=WEIGHTS))


@every
def test_weights_of_wrong_number_or_sign_are_refused(name):
    model, y = made(name)
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, y, sample_weight=np.ones(ROWS - 1))
    with pytest.raises(InputError, match="at row 3: weights must not be negative"):
        model.fit(X, y, sample_weight=np.where(np.arange(ROWS) == 3, -1.0, 1.0))
    with pytest.raises(ValueError, match="weight"):
        model.fit(X, y, sample_weight=np.zeros(ROWS))


CORNER = np.array([[-1.0, -1.0], [-1.0, 0.0], [-0.8, -1.0], [1.0, 1.0], [1.0, 0.0]])
CORNER_LABELS = np.array([1, 1, 1, -1, -1])


@pytest.mark.parametrize("name", ["hinge", "squared hinge"])
@pytest.mark.parametrize("by", ["class", "row"])
def test_a_class_of_little_weight_gives_way(name, by):
    model = clone(CLASSIFIERS[name]).set_params(fit_intercept=False, C=2.0)
    assert model.fit(CORNER, CORNER_LABELS).predict([[0.2, -1.0]]) == [1]
    if by == "class":
        model.set_params(class_weight={1: 0.001}).fit(CORNER, CORNER_LABELS)
    else:
        model.fit(CORNER, CORNER_LABELS, sample_weight=np.where(CORNER_LABELS == 1, 0.001, 1.0))
    assert model.predict([[0.2, -1.0]]) == [-1]


def test_a_class_of_more_weight_is_more_probable():
    shares = [ours.LogisticRegression(class_weight={1: weight}).fit(X, LABELS).predict_proba(X)[:, 1].mean()
              for weight in (0.1, 1.0, 10.0)]
    assert shares[0] < shares[1] - 0.1 < shares[2] - 0.2


@classifier
def test_equal_weights_of_classes_are_none(name):
    model = CLASSIFIERS[name]
    same(clone(model).set_params(class_weight={0: 1.0, 1: 1.0}).fit(X, LABELS), clone(model).fit(X, LABELS))


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared hinge", "l1"])
def test_weights_of_classes_and_rows_multiply(name):
    model = CLASSIFIERS[name]
    by_class = {0: 0.6, 1: 0.3}
    both = clone(model).set_params(class_weight=by_class).fit(X, LABELS, sample_weight=WEIGHTS)
    product = clone(model).fit(X, LABELS, sample_weight=WEIGHTS * np.where(LABELS == 1, 0.3, 0.6))
    same(both, product)


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared hinge"])
def test_balanced_weights_change_nothing_where_classes_are_balanced(name):
    model = clone(CLASSIFIERS[name]).set_params(C=10.0)
    part = IRIS_Y > 0
    one = clone(model).fit(IRIS_X[part], IRIS_Y[part])
    other = clone(model).set_params(class_weight="balanced").fit(IRIS_X[part], IRIS_Y[part])
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-3)


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared hinge"])
def test_balanced_weights_help_a_rare_class(name):
    model = clone(CLASSIFIERS[name]).set_params(C=0.01)
    few = np.r_[np.flatnonzero(IRIS_Y == 1), np.flatnonzero(IRIS_Y == 2)[:4]]
    part = IRIS_Y > 0
    scores = []
    for weight in (None, "balanced"):
        model.set_params(class_weight=weight).fit(IRIS_X[few], IRIS_Y[few])
        scores.append(f1_score(IRIS_Y[part], model.predict(IRIS_X[part]), average="weighted"))
    assert scores[1] > scores[0] + 0.1


@classifier
def test_the_weight_of_an_unknown_class_is_refused(name):
    with pytest.raises(ValueError, match="class_weight"):
        clone(CLASSIFIERS[name]).set_params(class_weight={5: 0.5}).fit(X, LABELS)


@classifier
@pytest.mark.parametrize("bad", [[0.5], "foobar"])
def test_weights_of_classes_in_another_form_are_refused(name, bad):
    with pytest.raises((ValueError, TypeError)):
        clone(CLASSIFIERS[name]).set_params(class_weight=bad).fit(X, LABELS)


# Classes


@classifier
@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1], [False, True], [3.0, 7.0]], ids=str)
def test_labels_are_whatever_they_are(name, labels):
    labels = np.array(labels)
    model = clone(CLASSIFIERS[name]).fit(X, labels[LABELS])
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.predict(X).dtype == labels.dtype
    np.testing.assert_array_equal(model.predict(X), labels[clone(CLASSIFIERS[name]).fit(X, LABELS).predict(X)])


@classifier
def test_one_class_alone_is_refused(name):
    with pytest.raises(InputError, match="1 class"):
        clone(CLASSIFIERS[name]).fit(X, np.ones(ROWS))


@classifier
def test_numbers_are_no_labels(name):
    with pytest.raises(ValueError, match=r"[Uu]nknown label type"):
        clone(CLASSIFIERS[name]).fit(X, NUMBERS)


@classifier
def test_two_classes_have_one_plane_and_the_second_is_above_it(name):
    model = clone(CLASSIFIERS[name]).fit(X, LABELS)
    assert model.coef_.shape == (1, 4)
    assert model.intercept_.shape == (1,)
    scores = model.decision_function(X)
    assert scores.shape == (ROWS,)
    np.testing.assert_allclose(scores, X @ model.coef_[0] + model.intercept_[0], rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), (scores > 0).astype(int))
    assert model.score(X, LABELS) > 0.8


@classifier
def test_several_classes_have_a_plane_each(name):
    model = clone(CLASSIFIERS[name]).fit(X, THREE)
    assert model.coef_.shape == (3, 4)
    assert model.intercept_.shape == (3,)
    scores = model.decision_function(X)
    assert scores.shape == (ROWS, 3)
    np.testing.assert_array_equal(model.predict(X), model.classes_[scores.argmax(axis=1)])
    assert model.score(X, THREE) > (0.5 if name in ("hinge", "perceptron") else 0.6)  # the middle is on neither side


@pytest.mark.parametrize("name", ["hinge", "squared hinge", "l1"])
def test_each_of_several_planes_is_that_of_its_class_against_the_others(name):
    model = clone(CLASSIFIERS[name]).fit(X, THREE)
    for one in range(3):
        alone = clone(CLASSIFIERS[name]).fit(X, one == THREE)
        np.testing.assert_allclose(model.coef_[one] * X.std(0), alone.coef_[0] * X.std(0), atol=1e-4)


@classifier
def test_a_fit_forgets_the_classes_of_the_last(name):
    model = clone(CLASSIFIERS[name])
    model.fit(X, THREE).fit(X, LABELS)
    assert model.coef_.shape == (1, 4)
    model.fit(X[:, :2], THREE)
    assert model.coef_.shape == (3, 2)
    assert model.n_features_in_ == 2


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(0).permutation(ROWS)
    for name in ("logistic", "hinge", "squared hinge"):
        same(clone(CLASSIFIERS[name]).fit(X[order], LABELS[order]), clone(CLASSIFIERS[name]).fit(X, LABELS))


# Probabilities


@pytest.mark.parametrize("name", ["hinge", "perceptron"])
def test_machines_have_no_probabilities(name):
    model = clone(CLASSIFIERS[name]).fit(X, LABELS)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "predict_log_proba")


def test_probabilities_of_two_classes_follow_the_score():
    model = ours.LogisticRegression().fit(X, LABELS)
    shares, scores = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares[:, 1] > 0.5, model.predict(X) == 1)
    np.testing.assert_allclose(np.log(shares[:, 1] / shares[:, 0]), scores, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(shares), rtol=1e-9)


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_probabilities_of_several_classes(multi_class):
    model = ours.LogisticRegression(multi_class=multi_class).fit(X, THREE)
    shares = model.predict_proba(X)
    assert shares.shape == (ROWS, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert np.all(shares >= 0)
    np.testing.assert_array_equal(shares.argmax(axis=1), model.predict(X))
    np.testing.assert_array_equal(np.argsort(shares, axis=1), np.argsort(model.decision_function(X), axis=1))


def test_probabilities_of_a_row_far_from_all_classes_are_numbers():
    model = ours.LogisticRegression(multi_class="ovr").fit(X, THREE)
    shares = model.predict_proba(1e6 * X)
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


# Warm starts


@every
def test_a_warm_start_begins_where_the_last_fit_ended(name):
    model, y = made(name)
    if name == "least squares":
        pytest.skip("a closed form")
    model.set_params(warm_start=True).fit(X, y)
    first, made_before = learnt(model), model.n_iter_
    model.fit(X, y)
    assert model.n_iter_ <= made_before
    assert model.loss_curve_[0] <= model.loss_curve_[-1] * (1 + 1e-6) + 1e-9 or name == "huber"
    np.testing.assert_allclose(learnt(model), first, rtol=1e-3, atol=1e-6)


def test_a_warm_start_of_several_classes():
    model = ours.LogisticRegression(warm_start=True, tol=1e-8).fit(X, THREE)
    first = model.n_iter_
    assert model.fit(X, THREE).n_iter_ < first


def test_a_warm_start_that_does_not_fit_is_a_cold_one():
    model = ours.LogisticRegression(warm_start=True, tol=1e-10).fit(X, THREE)
    same(model.fit(X, LABELS), ours.LogisticRegression(tol=1e-10).fit(X, LABELS))


# Block by block


@classifier
def test_the_first_block_is_told_all_classes(name):
    model = clone(CLASSIFIERS[name])
    with pytest.raises(InputError, match="classes is None"):
        model.partial_fit(X[:30], THREE[:30])
    model.partial_fit(X[:1], THREE[:1], classes=[0, 1, 2])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.coef_.shape == (3, 4)
    before = model.coef_.copy()
    model.partial_fit(X[1:60], THREE[1:60])
    assert not np.array_equal(model.coef_, before)
    assert model.decision_function(X).shape == (ROWS, 3)


@classifier
def test_balanced_weights_are_not_known_block_by_block(name):
    model = clone(CLASSIFIERS[name]).set_params(class_weight="balanced")
    with pytest.raises(InputError, match="class_weight is 'balanced'"):
        model.partial_fit(X, LABELS, classes=[0, 1])


@classifier
def test_blocks_teach_classes_nearly_as_a_fit_does(name):
    model, whole = clone(CLASSIFIERS[name]), clone(CLASSIFIERS[name]).fit(X, LABELS)
    for part in np.array_split(np.arange(ROWS), 6):
        model.partial_fit(X[part], LABELS[part], classes=[0, 1])
    assert model.coef_.shape == (1, 4)
    # The perceptron counts mistakes on rows that it can see again; in blocks it minimises a hinge loss.
    assert model.score(X, LABELS) >= whole.score(X, LABELS) - (0.1 if name == "perceptron" else 0.05)


@pytest.mark.parametrize("name", ["least squares", "ridge", "elastic net"])
def test_blocks_teach_squares_exactly_as_a_fit_does(name):
    model, whole = clone(REGRESSIONS[name]), clone(REGRESSIONS[name]).fit(X, NUMBERS)
    for part in np.array_split(np.arange(ROWS), 6):
        model.partial_fit(X[part], NUMBERS[part], sample_weight=np.ones(len(part)))
    same(model, whole, 1e-5)


@regression
def test_blocks_teach_numbers_nearly_as_a_fit_does(name):
    model, whole = clone(REGRESSIONS[name]), clone(REGRESSIONS[name]).fit(X, NUMBERS)
    for part in np.array_split(np.arange(ROWS), 3):
        model.partial_fit(X[part], NUMBERS[part])
    assert model.coef_.shape == (4,)
    assert np.ndim(model.intercept_) == 0
    assert model.score(X, NUMBERS) >= whole.score(X, NUMBERS) - 0.01


@every
def test_a_block_after_a_fit_is_learnt(name):
    model, y = made(name)
    model.fit(X, y)
    whole = model.score(X, y)
    model.partial_fit(X, y)
    assert model.score(X, y) > whole - 0.05


@every
def test_a_block_has_the_columns_of_the_first(name):
    model, y = made(name)
    classes = {"classes": [0, 1]} if name in CLASSIFIERS else {}
    model.partial_fit(X, y, **classes)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], y)


# Regressions


@regression
def test_a_line_without_noise_is_found(name):
    line = np.linspace(-5, 5, 100)[:, None]
    assert clone(REGRESSIONS[name]).fit(line, 0.5 * line[:, 0]).score(line, 0.5 * line[:, 0]) > 0.99


@regression
def test_a_line_with_noise_is_found(name):
    line = np.linspace(-5, 5, 100)[:, None]
    y = 0.5 * line[:, 0] + np.random.default_rng(0).normal(size=100)
    assert clone(REGRESSIONS[name]).fit(line, y).score(line, y) > 0.5


@pytest.mark.parametrize("name", [name for name in REGRESSIONS if name not in ("elastic net", "quantile")])
def test_columns_that_are_the_same_share_their_coefficient(name):
    """With an l1 penalty they may share it in any way."""
    model = clone(REGRESSIONS[name]).fit(np.column_stack([X[:, 0], X[:, 0]]), NUMBERS)
    np.testing.assert_allclose(model.coef_[0], model.coef_[1], rtol=1e-4)


def test_an_epsilon_may_be_changed_between_fits():
    model = ours.LinearSVR(epsilon=0.1, tol=1e-8).fit(X, NUMBERS)
    first = model.coef_.copy()
    model.set_params(epsilon=1.0).fit(X, NUMBERS)
    assert not np.allclose(model.coef_, first, rtol=1e-3)
    same(model, ours.LinearSVR(epsilon=1.0, tol=1e-8).fit(X, NUMBERS), 1e-3)


# Penalties


@pytest.mark.parametrize("model", [ours.LinearSVC(penalty="l1", C=0.05), ours.LogisticRegression(l1_ratio=1.0, C=0.2)])
def test_an_l1_penalty_leaves_out_what_does_not_matter(model):
    noise = np.random.default_rng(3).normal(size=(ROWS, 6))
    table = np.hstack([X[:, :1], noise])
    y = X[:, 0] > 0
    clone_ = clone(model).fit(table, y)
    np.testing.assert_array_equal(clone_.coef_[0, 1:], 0)
    assert clone_.coef_[0, 0] != 0
    assert clone_.score(table, y) > 0.9


def test_a_share_of_nearly_0_or_1_is_the_one_penalty_or_the_other():
    fit = lambda share: ours.LogisticRegression(l1_ratio=share, C=0.1, tol=1e-12).fit(X, LABELS)
    same(fit(1e-8), fit(0.0), 1e-3)
    same(fit(1 - 1e-8), fit(1.0), 1e-3)


@pytest.mark.parametrize("name", [name for name in PENALISED if name != "poisson"])
def test_an_overwhelming_penalty_leaves_no_coefficients(name):
    model, y = made(name)
    strong = {"C": 1e-9} if hasattr(model, "C") else {"alpha": 1e9}
    model.set_params(**strong, tol=1e-4).fit(X, y)
    assert np.isfinite(learnt(model)).all()
    np.testing.assert_allclose(np.ravel(model.coef_) * X.std(0), 0, atol=1e-4)


@pytest.mark.parametrize(("name", "row_loss"), [
    ("logistic", lambda z, t: np.logaddexp(0, -t * z)),
    ("hinge", lambda z, t: np.maximum(1 - t * z, 0)),
    ("squared hinge", lambda z, t: np.maximum(1 - t * z, 0) ** 2),
    ("insensitive", lambda z, y: np.maximum(abs(z - y) - 0.1, 0)),
    ("squared insensitive", lambda z, y: np.maximum(abs(z - y) - 0.1, 0) ** 2),
    ("ridge", lambda z, y: 0.5 * (z - y) ** 2),
    ("quantile", lambda z, y: 0.5 * abs(z - y)),
    ("poisson", lambda z, y: np.exp(z) - y * z + np.where(y > 0, y * np.log(np.maximum(y, 1)) - y, 0)),
])
def test_the_loss_that_is_told_is_the_objective(name, row_loss):
    model, y = made(name)
    model.set_params(tol=1e-6).fit(X, y, sample_weight=WEIGHTS)
    z = X @ np.ravel(model.coef_) + np.ravel(model.intercept_)
    mean = np.average(row_loss(z, 2 * y - 1 if name in CLASSIFIERS else y), weights=WEIGHTS)
    total, w = WEIGHTS.sum(), np.ravel(model.coef_)
    penalty = {"C": lambda: w @ w / (2 * model.C * total), "alpha": lambda: model.alpha * w @ w / 2}
    if name == "ridge":
        extra = model.alpha * w @ w / (2 * total)
    elif name == "quantile":
        extra = model.alpha * abs(w).sum()
    else:
        extra = penalty["C" if hasattr(model, "C") else "alpha"]()
        if name == "ridge":
            extra /= total
    assert min(model.loss_curve_) == pytest.approx(mean + extra, rel=1e-9)


# Numbers large and small


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared hinge"])
def test_columns_of_any_unit_are_learnt_from_as_they_are(name):
    """Only the penalty sees the unit, and a great one leaves it little to see."""
    model = clone(CLASSIFIERS[name]).set_params(C=1e3, tol=1e-3)
    scaled = StandardScaler().fit_transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        great = model.fit(scaled * 1e6, LABELS)
    assert np.isfinite(learnt(great)).all()
    small = clone(CLASSIFIERS[name]).fit(scaled, LABELS)
    assert great.score(scaled * 1e6, LABELS) >= small.score(scaled, LABELS) - 0.05


@every
def test_numbers_too_large_to_be_squared_are_refused(name):
    model, y = made(name)
    with pytest.raises(InputError, match="too large"):
        model.fit(X * 1e200, y)


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_none_is_refused(name, bad):
    model, y = made(name)
    table = X.copy()
    table[5, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.fit(table, y)


def test_great_slopes_do_no_harm():
    """A target beyond all others makes a great slope; the promise is relative to a loss that it makes great, too."""
    y = NUMBERS.copy()
    y[0] = 1e5
    for name in ("huber", "insensitive", "quantile"):
        model = clone(REGRESSIONS[name]).set_params(tol=1e-9).fit(X, y)
        assert model.score(X[1:], y[1:]) > 0.9


# Several at once


@pytest.mark.parametrize("name", ["logistic", "hinge", "ridge"])
def test_a_grid_search_on_several_workers(name):
    model, y = made(name)
    parameter = {"C": [0.1, 1.0]} if hasattr(model, "C") else {"alpha": [0.1, 1.0]}
    search = GridSearchCV(model.set_params(tol=1e-4), parameter, cv=3, n_jobs=2)
    with parallel_backend("threading"):
        assert search.fit(X, y).best_score_ > 0.7


def test_all_backends_learn_the_same():
    model = ours.LogisticRegression()
    scores = []
    for backend in ("sequential", "threading"):
        with parallel_backend(backend):
            scores.append(cross_val_score(model, X, THREE, cv=3, n_jobs=2))
    np.testing.assert_array_equal(scores[0], scores[1])


# One class


def gathered():
    points = np.random.default_rng(2).normal(size=(80, 3))
    return 0.5 * points + [2.0, 1.0, 3.0]


def objective_of_one_class(v, points, nu):
    w, offset = v[:-1], v[-1]
    return nu * w @ w / 2 - nu * offset + np.maximum(offset - points @ w, 0).mean()


@pytest.mark.parametrize("nu", [0.05, 0.3, 0.7])
def test_one_class_is_the_minimum_of_its_objective(nu):
    points = gathered()
    model = ours.OneClassSVM(nu=nu, tol=1e-8).fit(points)
    found = np.append(model.coef_, model.offset_)
    value = objective_of_one_class(found, points, nu)
    start = found + 0.1 * np.random.default_rng(0).normal(size=4)
    peer = optimize.minimize(objective_of_one_class, start, (points, nu), method="Powell",
                             options={"xtol": 1e-8, "ftol": 1e-12, "maxiter": 20_000})
    assert value <= peer.fun + 1e-9
    assert value + nu == pytest.approx(min(model.loss_curve_), rel=1e-9)


@pytest.mark.parametrize("nu", [0.055, 0.31, 0.71])  # with whole numbers of outliers the offset would not be unique
def test_one_class_is_the_machine_with_a_linear_kernel(nu):
    points = gathered()
    model = ours.OneClassSVM(nu=nu, tol=1e-10).fit(points)
    peer = machines.OneClassSVM(kernel="linear", nu=nu, tol=1e-10).fit(points)
    scale = nu * len(points)
    np.testing.assert_allclose(model.coef_, peer.coef_[0] / scale, rtol=1e-4)
    np.testing.assert_allclose(model.offset_, peer.offset_ / scale, rtol=1e-4)
    assert (model.predict(points) == peer.predict(points)).mean() > 0.95  # rows on the plane are on either side
    np.testing.assert_allclose(model.decision_function(points), peer.decision_function(points) / scale, atol=1e-3)


def test_one_class_leaves_a_share_out():
    points = gathered()
    for nu in (0.1, 0.4):
        model = ours.OneClassSVM(nu=nu, tol=1e-8).fit(points)
        inside = model.decision_function(points) < -1e-6
        assert inside.mean() <= nu


def test_one_class_scores_are_the_decision_and_the_offset():
    points = gathered()
    model = ours.OneClassSVM(nu=0.2).fit(points)
    np.testing.assert_allclose(model.score_samples(points), points @ model.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.decision_function(points), model.score_samples(points) - model.offset_, atol=1e-12)
    assert set(model.predict(points)) == {-1, 1}
    np.testing.assert_array_equal(model.fit_predict(points), model.predict(points))
    assert model.coef_.shape == (3,)
    assert model.offset_.shape == (1,)


def test_one_class_is_an_outlier_detector_and_clones():
    model = ours.OneClassSVM(nu=0.2)
    assert is_outlier_detector(model)
    points = gathered()
    np.testing.assert_array_equal(learnt(clone(model).fit(points)), learnt(model.fit(points)))


def test_one_class_starts_warm():
    points = gathered()
    model = ours.OneClassSVM(nu=0.3, warm_start=True, tol=1e-6).fit(points)
    first = learnt(model)
    np.testing.assert_allclose(learnt(model.fit(points)), first, rtol=1e-2)


def test_one_class_learns_block_by_block():
    points = np.tile(gathered(), (25, 1))
    whole, model = ours.OneClassSVM(nu=0.3).fit(points), ours.OneClassSVM(nu=0.3)
    for block in np.array_split(points, 10):
        model.partial_fit(block)
    assert model.coef_.shape == (3,)
    values = [objective_of_one_class(learnt(one), points, 0.3) for one in (model, whole)]
    assert values[0] <= values[1] + 0.01 * abs(values[1])
    assert (model.predict(points) == whole.predict(points)).mean() > 0.95


def test_one_class_weights_and_sparse_rows():
    points = gathered()
    weights = np.random.default_rng(0).integers(1, 3, len(points))
    one = ours.OneClassSVM(nu=0.3, tol=1e-10).fit(sparse.csr_array(points), sample_weight=weights)
    other = ours.OneClassSVM(nu=0.3, tol=1e-10).fit(np.repeat(points, weights, 0))
    np.testing.assert_allclose(learnt(one), learnt(other), rtol=1e-4)


def test_one_class_through_the_origin():
    """Without an offset to seek it is 1, and the objective is that of a hinge: a margin of 1."""
    points = gathered()
    model = ours.OneClassSVM(nu=0.3, fit_intercept=False, tol=1e-10).fit(points)
    assert model.offset_ == [1.0]
    objective = lambda w: 0.3 * w @ w / 2 + np.maximum(1 - points @ w, 0).mean()
    peer = optimize.minimize(objective, model.coef_ * 1.05, method="Powell", options={"xtol": 1e-9, "ftol": 1e-13})
    assert objective(model.coef_) <= peer.fun + 1e-9
