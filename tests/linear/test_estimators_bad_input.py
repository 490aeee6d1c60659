import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import descend.linear as ours
from descend.errors import InputError
from enforced import without_types

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
NUMBERS = X @ [1.0, 2.0, -1.0] + 0.1 * rng.normal(size=60)
LABELS = np.where(NUMBERS + rng.normal(size=60) > 0, "yes", "no")
COUNTS = rng.poisson(3, 60)

REGRESSIONS = [ours.LinearRegression(), ours.Ridge(), ours.Lasso(0.01), ours.ElasticNet(0.01), ours.HuberRegressor(),
               ours.QuantileRegressor(alpha=0.01), ours.PoissonRegressor(), ours.TweedieRegressor(),
               ours.LinearSVR(), ours.SVR()]
CLASSIFIERS = [ours.LogisticRegression(), ours.Perceptron(), ours.LinearSVC(), ours.SVC()]
EVERY = [*REGRESSIONS, *CLASSIFIERS, ours.OneClassSVM()]
every = pytest.mark.parametrize("estimator", EVERY, ids=lambda estimator: type(estimator).__name__)
classifiers = pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda estimator: type(estimator).__name__)


def target(estimator):
    return LABELS if estimator in CLASSIFIERS else COUNTS


@every
@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (np.inf, "infinity")])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_numbers_that_are_none(estimator, kind, value, words):
    bad = X.copy()
    bad[3, 1] = value
    with pytest.raises(ValueError, match=words):
        clone(estimator).fit(kind(bad), target(estimator))


@every
def test_numbers_too_large_to_be_squared(estimator):
    with pytest.raises(InputError, match="too large to be squared"):
        clone(estimator).fit(X * 1e200, target(estimator))


@every
def test_negative_weights(estimator):
    weights = np.ones(60)
    weights[7] = -2
    with pytest.raises(InputError, match=r"-2 at row 7"):
        clone(estimator).fit(X, target(estimator), sample_weight=weights)


@every
@pytest.mark.parametrize(("weights", "words"), [(np.zeros(60), "non-zero"), (np.ones(59), "59"),
                                                (np.full(60, np.nan), "NaN")])
def test_weights_that_are_none(estimator, weights, words):
    with pytest.raises(ValueError, match=words):
        clone(estimator).fit(X, target(estimator), sample_weight=weights)


@pytest.mark.parametrize("estimator", [ours.Ridge(), ours.PoissonRegressor(), ours.LogisticRegression()])
def test_weights_of_a_score_that_are_none(estimator):
    fitted = estimator.fit(X, (LABELS if isinstance(estimator, ours.LogisticRegression) else COUNTS))
    for weight, words in ((-2.0, "-2 at row 7"), (np.nan, "NaN"), (np.inf, "inf")):
        weights = np.ones(60)
        weights[7] = weight
        with pytest.raises(ValueError, match=words):
            fitted.score(X, (LABELS if isinstance(estimator, ours.LogisticRegression) else COUNTS), weights)


@pytest.mark.parametrize(("weight", "words"), [(-1.0, "class_weight has -1"), (np.nan, "class_weight has nan")])
def test_weights_of_classes_that_are_none(weight, words):
    with pytest.raises(InputError, match=words):
        ours.LogisticRegression(class_weight={"no": weight}).fit(X, LABELS)


@every
def test_other_columns_at_prediction(estimator):
    model = clone(estimator).fit(X, target(estimator))
    with pytest.raises(ValueError, match="features"):
        model.predict(X[:, :2])


@every
def test_prediction_before_a_fit(estimator):
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X)


@pytest.mark.parametrize("estimator", [*REGRESSIONS, *CLASSIFIERS], ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("y", [None, COUNTS[:50], np.column_stack([COUNTS, COUNTS])], ids=["none", "short", "wide"])
def test_targets_that_do_not_fit(estimator, y):
    with pytest.raises(ValueError, match=r"target y is None|inconsistent numbers|1d array|multioutput|multi_output"):
        clone(estimator).fit(X, y)


@classifiers
def test_one_class(estimator):
    with pytest.raises(InputError, match=r"1 class \('yes'\)"):
        clone(estimator).fit(X, np.full(60, "yes"))
    with pytest.raises(InputError, match="1 class"):  # of the rows that have a weight
        clone(estimator).fit(X, LABELS, sample_weight=(LABELS == "yes").astype(float))


@classifiers
def test_numbers_for_classes(estimator):
    with pytest.raises(ValueError, match="Unknown label type"):
        clone(estimator).fit(X, NUMBERS)


@classifiers
@pytest.mark.parametrize("convert", [
    lambda y: y, lambda y: y.astype(object), lambda y: y == "yes", lambda y: np.where(y == "yes", 3, -7),
    lambda y: pd.Series(pd.Categorical(y)), lambda y: y.tolist(), lambda y: np.where(y == "yes", 1.0, 0.0)],
    ids=["strings", "objects", "booleans", "numbers", "categories", "list", "floats"])
def test_labels_of_many_kinds(estimator, convert):
    y = convert(LABELS)
    model = clone(estimator).fit(X, y)
    assert set(model.predict(X)) <= set(y)
    assert model.score(X, y) > 0.8


@classifiers
@pytest.mark.parametrize("y", [np.where(LABELS == "yes", b"1", b"0"), np.array([1, "a", 2.5] * 20, dtype=object),
                               np.array(["a", 1, 2.5] * 20, dtype=object)], ids=["bytes", "mixed", "mixed strings"])
def test_labels_that_have_no_order(estimator, y):
    with pytest.raises(ValueError, match=r"label type|make strings or numbers of them"):
        clone(estimator).fit(X, y)


@every
def test_duplicate_and_unsorted_indices_are_added_up(estimator):
    halves = sparse.csr_array(X / 2)
    indices = np.concatenate([np.r_[row[::-1], row] for row in halves.indices.reshape(60, 3)])
    values = np.concatenate([np.r_[row[::-1], row] for row in halves.data.reshape(60, 3)])
    doubled = sparse.csr_array((values, indices, halves.indptr * 2), shape=(60, 3))
    assert not doubled.has_canonical_format
    before = doubled.data.copy()
    kinds = [clone(estimator).set_params(**({"random_state": 0} if "random_state" in estimator.get_params() else {}))
             .fit(kind, target(estimator)) for kind in (sparse.csr_array(X), doubled)]
    np.testing.assert_allclose(kinds[0].coef_, kinds[1].coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(doubled.data, before)  # the caller's matrix is as it was


@every
def test_columns_and_rows_of_zeros_and_constants(estimator):
    given = np.column_stack([X, np.zeros(60), np.full(60, 7.0)])
    given[5] = 0
    model = clone(estimator).fit(given, target(estimator))
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.predict(given[:4]).astype(float) if estimator not in CLASSIFIERS else 1.0).all()


@pytest.mark.parametrize("estimator", [ours.LinearRegression(), ours.Ridge(), ours.LogisticRegression(),
                                       ours.LinearSVC(), ours.HuberRegressor()],
                         ids=lambda estimator: type(estimator).__name__)
def test_huge_numbers(estimator):
    y = LABELS if estimator in CLASSIFIERS or "C" in estimator.get_params() else NUMBERS
    penalised = {"C": 1e-60} if "C" in estimator.get_params() else {}
    model = clone(estimator).set_params(**penalised).fit(X * 1e30, y)
    assert model.score(X * 1e30, y) > 0.8
    assert model.stop_reason_.name == "converged"


@pytest.mark.parametrize("estimator", REGRESSIONS, ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("y", [1.0, 1e6])
def test_targets_that_are_all_the_same(estimator, y):
    model = clone(estimator).fit(X, np.full(60, y))
    forgiven = 0.1 if isinstance(estimator, ours.SVR) else 0.0
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-3, atol=forgiven)


def test_targets_without_error():
    model = ours.HuberRegressor(alpha=0.0, fit_intercept=False).fit(X, X @ [1.0, 2.0, -1.0])
    np.testing.assert_allclose(model.coef_, [1.0, 2.0, -1.0], rtol=1e-6)


with without_types():  # which some of these are not of
    PARAMETERS = [
        (ours.Ridge(alpha=-1), "alpha is -1"), (ours.Lasso(alpha="much"), "alpha is 'much'"),
        (ours.ElasticNet(l1_ratio=1.5), "l1_ratio is 1.5"), (ours.HuberRegressor(epsilon=0.5), "epsilon is 0.5"),
        (ours.HuberRegressor(solver="sgd"), "solver is 'sgd'"), (ours.QuantileRegressor(quantile=1.0), "quantile is 1"),
        (ours.QuantileRegressor(quantile=0), "quantile is 0"), (ours.Ridge(tol=-1e-3), "tol is -0.001"),
        (ours.Ridge(max_iter=-1), "max_iter is -1"), (ours.Ridge(max_iter=1.5), "max_iter is 1.5"),
        (ours.Ridge(solver="best"), "solver is 'best'"), (ours.LogisticRegression(C=0), "C is 0"),
        (ours.LogisticRegression(C=np.nan), "C is nan"), (ours.LogisticRegression(multi_class="ova"), "multi_class is"),
        (ours.LinearSVC(C=np.inf), "C is inf"), (ours.LinearSVC(loss="log"), "loss is 'log'"),
        (ours.LinearSVC(penalty=None), "penalty is None"), (ours.LinearSVR(epsilon=-1), "epsilon is -1"),
        (ours.OneClassSVM(nu=0), "nu is 0"), (ours.OneClassSVM(nu=2), "nu is 2"),
        (ours.SVC(kernel="tree"), "kernel is"),
        (ours.SVC(gamma=0), "gamma is 0"), (ours.SVR(n_components=0), "n_components is 0"),
    ]


@pytest.mark.parametrize(("estimator", "words"), PARAMETERS, ids=[words for _, words in PARAMETERS])
def test_parameters_that_mean_nothing(estimator, words):
    with pytest.raises(InputError, match=words) as caught, without_types():
        estimator.fit(X, LABELS if hasattr(estimator, "class_weight") else COUNTS)
    assert "\n" not in str(caught.value)


def test_counts_below_nothing_and_none_at_all():
    with pytest.raises(InputError, match="-1 at row 2"):
        ours.PoissonRegressor().fit(X, np.where(np.arange(60) == 2, -1, 1))
    with pytest.raises(InputError, match="0 in all rows"):
        ours.PoissonRegressor().fit(X, np.zeros(60))


def test_an_l1_penalty_of_several_classes_wants_one_against_the_rest():
    with pytest.raises(InputError, match="ovr"):
        ours.LogisticRegression(l1_ratio=1.0).fit(X, COUNTS % 3)
    assert ours.LogisticRegression(l1_ratio=1.0, multi_class="ovr", C=0.1).fit(X, COUNTS % 3).coef_.shape == (3, 3)


APART = (X[:, 0] > 0).astype(int)
FLAG = (rng.random(60) < 0.3).astype(float)
BORDER = np.where(FLAG > 0, 1, LABELS == "yes").astype(int)  # a flag whose rows are all of one class
STEPS = np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize(("given", "y"), [(X, APART), (np.column_stack([X, FLAG]), BORDER), (np.c_[X, X**2], STEPS),
                                          (X[:3], LABELS[:3])], ids=["apart", "border", "three", "few rows"])
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_where_a_plane_separates_the_classes_there_is_no_minimum_without_a_penalty(given, y, multi_class):
    model = ours.LogisticRegression(C=np.inf, multi_class=multi_class)
    with pytest.warns(ConvergenceWarning, match="unbounded: a plane separates the classes"):
        model.fit(given, y)
    assert model.stop_reason_.name == "unbounded"
    assert model.n_iter_ < 40
    assert np.isfinite(model.coef_).all()
    assert clone(model).set_params(C=1.0).fit(given, y).stop_reason_.name == "converged"


@pytest.mark.parametrize("y", [LABELS, COUNTS % 3], ids=["two", "three"])
def test_where_no_plane_does_there_is_a_minimum_and_the_weaker_guarantee_is_named(y):
    model = ours.LogisticRegression(C=np.inf).fit(X, y)
    assert model.stop_reason_.name == "converged"
    assert "an estimate" in model.stop_reason_.evidence
    assert model.duality_gap_ == np.inf


def test_a_tolerance_that_is_not_reached_is_told():
    with pytest.warns(ConvergenceWarning, match="did not reach tol=1e-10; budget: 1 iterations"):
        model = ours.LogisticRegression(C=100.0, tol=1e-10, max_iter=1).fit(X, LABELS)
    assert model.stop_reason_.name == "budget"
    assert model.duality_gap_ > 0


def test_what_partial_fit_cannot_do():
    with pytest.raises(InputError, match="first partial_fit is given all the labels"):
        ours.LinearSVC().partial_fit(X, LABELS)
    with pytest.raises(InputError, match="'yes' at row"):
        ours.LinearSVC().partial_fit(X, LABELS, classes=["maybe", "no"])
    with pytest.raises(InputError, match="in the first partial_fit it was"):
        ours.LinearSVC().partial_fit(X, LABELS, classes=["no", "yes"]).partial_fit(X, LABELS, classes=["no", "maybe"])
    with pytest.raises(InputError, match="1 class"):
        ours.LinearSVC().partial_fit(X, LABELS, classes=["yes"])
    with pytest.raises(InputError, match="pass a dict"):
        ours.LinearSVC(class_weight="balanced").partial_fit(X, LABELS, classes=["no", "yes"])
    with pytest.raises(ValueError, match="features"):
        ours.Ridge().partial_fit(X, NUMBERS).partial_fit(X[:, :2], NUMBERS)
