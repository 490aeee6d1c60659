import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as peers
import sklearn.svm as machines
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import descend.linear as ours
from descend.linear.problems.huber_scale import best_scale

TIGHT = {"tol": 1e-12}  # of the objective: coefficients are right to its root
rng = np.random.default_rng(0)
ROWS, COLUMNS = 120, 5
X = rng.normal(size=(ROWS, COLUMNS)) * [1, 10, 0.1, 1, 3] + 2
NUMBERS = X @ [1, 0.1, 5, 0, -0.3] + 0.5 * rng.normal(size=ROWS) + 3
NUMBERS[:6] += 30
COUNTS = rng.poisson(np.exp(0.3 * X[:, 0] - 0.1 * X[:, 4])).astype(float)
COSTS = rng.gamma(3.0, np.exp(0.3 * X[:, 0] - 0.1 * X[:, 4]))
LABELS = np.where((X - 2) @ [1, 0.1, 5, 0, -0.3] + rng.normal(size=ROWS) > 0, "yes", "no")
THREE = np.digitize((X - 2) @ [1, 0.1, 5, 0, -0.3] + rng.normal(size=ROWS), [-1.0, 1.0])
WEIGHTS = rng.uniform(0.1, 3, ROWS)
BALANCED = {"class_weight": "balanced"}

PAIRS = {  # ours, scikit-learn's, the targets, and the relative difference that its own tolerance allows
    "least squares": (ours.LinearRegression(), peers.LinearRegression(), NUMBERS, 1e-9),
    "ridge": (ours.Ridge(3.0), peers.Ridge(3.0, solver="cholesky"), NUMBERS, 1e-9),
    "poisson": (ours.PoissonRegressor(alpha=0.1, **TIGHT),
                peers.PoissonRegressor(alpha=0.1, tol=1e-12, solver="newton-cholesky"), COUNTS, 1e-5),
    "gamma": (ours.GammaRegressor(alpha=0.1, **TIGHT),
              peers.GammaRegressor(alpha=0.1, tol=1e-12, solver="newton-cholesky"), COSTS, 1e-5),
    "tweedie": (ours.TweedieRegressor(power=1.3, alpha=0.1, **TIGHT),
                peers.TweedieRegressor(power=1.3, alpha=0.1, tol=1e-12, solver="newton-cholesky"), COUNTS, 1e-5),
    "logistic": (ours.LogisticRegression(C=0.5, **TIGHT),
                 peers.LogisticRegression(C=0.5, tol=1e-12, solver="newton-cholesky"), LABELS, 1e-5),
    "logistic, balanced": (ours.LogisticRegression(C=0.5, **TIGHT, **BALANCED),
                           peers.LogisticRegression(C=0.5, tol=1e-12, solver="newton-cholesky", **BALANCED), LABELS,
                           1e-5),
    "logistic without penalty": (ours.LogisticRegression(C=np.inf, **TIGHT),
                                 peers.LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky"), LABELS, 1e-5),
    "multinomial": (ours.LogisticRegression(C=2.0, **TIGHT),
                    peers.LogisticRegression(C=2.0, tol=1e-12, solver="newton-cholesky"), THREE, 1e-5),
    "multinomial, balanced": (ours.LogisticRegression(C=2.0, **TIGHT, **BALANCED),
                              peers.LogisticRegression(C=2.0, tol=1e-12, solver="newton-cholesky", **BALANCED), THREE,
                              1e-5),
    "lasso": (ours.Lasso(0.1, **TIGHT, max_iter=20_000), peers.Lasso(0.1, tol=1e-13, max_iter=10**6), NUMBERS, 1e-4),
    "elastic net": (ours.ElasticNet(0.1, **TIGHT, max_iter=20_000),
                    peers.ElasticNet(0.1, tol=1e-13, max_iter=10**6), NUMBERS, 1e-4),
    "quantiles": (ours.QuantileRegressor(quantile=0.3, alpha=0.02, **TIGHT),
                  peers.QuantileRegressor(quantile=0.3, alpha=0.02), NUMBERS, 1e-4),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])
@pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "none"])
@pytest.mark.parametrize("name", PAIRS)
def test_coefficients_are_those_of_scikit_learn(name, intercept, weights):
    mine, theirs, y, allowed = PAIRS[name]
    mine = clone(mine).set_params(fit_intercept=intercept).fit(X, y, sample_weight=weights)
    theirs = clone(theirs).set_params(fit_intercept=intercept).fit(X, y, sample_weight=weights)
    assert np.shape(mine.coef_) == np.shape(theirs.coef_)
    assert np.shape(mine.intercept_) == np.shape(theirs.intercept_)
    size = np.abs(theirs.coef_).max()
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=allowed * size, rtol=0)
    np.testing.assert_allclose(mine.intercept_, theirs.intercept_, atol=100 * allowed * size, rtol=0)
    assert mine.stop_reason_.name == "converged"


def test_one_against_the_rest_is_a_problem_for_each_class():
    mine = ours.LogisticRegression(multi_class="ovr", **TIGHT).fit(X, THREE)
    theirs = OneVsRestClassifier(peers.LogisticRegression(tol=1e-12, solver="newton-cholesky")).fit(X, THREE)
    np.testing.assert_allclose(mine.coef_, np.vstack([one.coef_ for one in theirs.estimators_]), rtol=1e-5)
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), rtol=1e-5)
    assert len(mine.loss_curve_) == 3


def huber_objective(model, X, y, weights):
    """That of scikit-learn's documentation."""
    u = np.abs(y - X @ model.coef_ - model.intercept_) / model.scale_
    rows = 1 + np.where(u <= model.epsilon, u**2, 2 * model.epsilon * u - model.epsilon**2)
    return model.scale_ * weights @ rows + model.alpha * model.coef_ @ model.coef_


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [np.ones(ROWS), WEIGHTS], ids=["", "weights"])
def test_hubers_objective_is_as_low_as_scikit_learns_and_its_outliers_are_the_same(weights, intercept):
    mine = ours.HuberRegressor(fit_intercept=intercept, alpha=0.1, **TIGHT).fit(X, NUMBERS, sample_weight=weights)
    theirs = peers.HuberRegressor(fit_intercept=intercept, alpha=0.1, tol=1e-9, max_iter=10_000)
    theirs.fit(X, NUMBERS, sample_weight=weights)
    value, peer = (huber_objective(model, X, NUMBERS, weights) for model in (mine, theirs))
    assert peer * (1 - 1e-4) <= value <= peer * (1 + 1e-10)
    np.testing.assert_array_equal(mine.outliers_, theirs.outliers_)
    assert mine.duality_gap_ <= 1e-10 * value


@pytest.mark.parametrize(("seed", "steps"), [(0, 100), (1, 30)], ids=["a scale of 0", "a scale"])
def test_hubers_scale_is_eliminated_not_taken_turns_with(seed, steps):
    draw = np.random.default_rng(seed)
    wide = draw.normal(size=(100, 60))
    y = wide @ draw.normal(size=60) + draw.standard_t(2, size=100)
    y[:20] += 50 * draw.normal(size=20)
    model = ours.HuberRegressor(alpha=1.0, tol=1e-10).fit(wide, y)
    assert model.n_iter_ <= steps
    assert (model.scale_ < 1e-6) == (seed == 0)  # coefficients go through so many rows that the others are all outliers


def test_hubers_scale_may_be_next_to_0_on_the_way():
    x = np.arange(10.0)[:, None]
    y = x[:, 0] + np.append(np.tile([0.1, -0.1], 5)[:9], 41.0)  # half of the rows are on a line
    mine, theirs = ours.HuberRegressor(**TIGHT).fit(x, y), peers.HuberRegressor(max_iter=10_000, tol=1e-9).fit(x, y)
    assert mine.stop_reason_.name == "converged"
    np.testing.assert_allclose([*mine.coef_, mine.scale_], [*theirs.coef_, theirs.scale_], rtol=1e-4)


def test_the_scale_of_errors_is_a_minimum():
    errors = np.append(rng.normal(size=30), [40.0, -55.0])
    objective = lambda scale: scale + np.mean(np.where(
        np.abs(errors) <= 1.35 * scale, errors**2 / scale, 2 * 1.35 * np.abs(errors) - 1.35**2 * scale))
    found = minimize_scalar(objective, bounds=(1e-3, 50), method="bounded", options={"xatol": 1e-10})
    assert best_scale(errors, np.array([1 / 32]), 1.35, 1e-12) == pytest.approx(found.x, rel=1e-6)


def margins_objective(w, b, X, y, C, power):
    return 0.5 * w @ w + C * np.sum(np.maximum(0, 1 - y * (X @ w + b)) ** power)


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_a_linear_machine_is_that_of_libsvm(C):
    Z = StandardScaler().fit_transform(X)
    mine = ours.LinearSVC(loss="hinge", C=C, **TIGHT).fit(Z, LABELS)
    theirs = machines.SVC(kernel="linear", C=C, tol=1e-8).fit(Z, LABELS)  # its intercept is not penalised either
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-4)
    y = np.where(LABELS == "yes", 1, -1)
    value, peer = (margins_objective(model.coef_[0], model.intercept_[0], Z, y, C, 1) for model in (mine, theirs))
    assert value <= peer * (1 + 1e-9)


def test_a_squared_margin_without_intercept_is_that_of_liblinear():
    mine = ours.LinearSVC(fit_intercept=False, **TIGHT).fit(X, LABELS)
    theirs = machines.LinearSVC(fit_intercept=False, dual=False, tol=1e-12, max_iter=10**5).fit(X, LABELS)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=1e-5)


def test_weights_of_classes_are_those_of_liblinear():
    given = {"fit_intercept": False, "class_weight": {0: 5.0, 1: 0.3, 2: 2.0}, "tol": 1e-10}
    mine = ours.LinearSVC(**given).fit(X, THREE)
    theirs = machines.LinearSVC(dual=False, max_iter=10**5, **given).fit(X, THREE)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=1e-4)


def test_a_lasso_of_margins_is_that_of_liblinear():
    Z = StandardScaler().fit_transform(X)
    mine = ours.LinearSVC(penalty="l1", C=0.05, fit_intercept=False, tol=1e-8, max_iter=20_000).fit(Z, LABELS)
    theirs = machines.LinearSVC(penalty="l1", C=0.05, fit_intercept=False, dual=False, tol=1e-10, max_iter=10**5)
    np.testing.assert_allclose(mine.coef_, theirs.fit(Z, LABELS).coef_, atol=1e-4)
    assert (mine.coef_ == 0).any()


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
def test_a_regression_machine_without_intercept_is_that_of_liblinear(loss):
    Z = StandardScaler().fit_transform(X)
    given = {"loss": loss, "epsilon": 0.2, "C": 0.1, "fit_intercept": False}
    mine = ours.LinearSVR(**given, **TIGHT).fit(Z, NUMBERS)
    theirs = machines.LinearSVR(**given, tol=1e-10, max_iter=10**6, dual=True).fit(Z, NUMBERS)
    objective = lambda w: 0.5 * w @ w + 0.1 * np.sum(
        np.maximum(0, np.abs(NUMBERS - Z @ w) - 0.2) ** (1 if loss == "epsilon_insensitive" else 2))
    assert objective(mine.coef_) <= objective(theirs.coef_) * (1 + 1e-9)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-4)


def test_one_class_is_at_least_as_good_as_scikit_learns():
    def objective(model):
        w, b = model.coef_, 1 - model.offset_[0]
        return 0.15 * w @ w + 0.3 * b + np.mean(np.maximum(0, 1 - (X @ w + b)))

    mine = ours.OneClassSVM(nu=0.3, tol=1e-6).fit(X)
    theirs = peers.SGDOneClassSVM(nu=0.3, tol=1e-6, max_iter=10_000, random_state=0).fit(X)
    assert objective(mine) <= objective(theirs) + 1e-9
    assert mine.coef_.shape == theirs.coef_.shape
    assert mine.offset_.shape == theirs.offset_.shape
    assert np.mean(mine.predict(X) < 0) <= 0.3 + 1 / ROWS
    np.testing.assert_allclose(mine.score_samples(X), X @ mine.coef_)
    np.testing.assert_allclose(mine.decision_function(X), X @ mine.coef_ - mine.offset_)


def test_one_class_without_intercept_is_two_mirrored_ones():
    mine = ours.OneClassSVM(nu=0.3, fit_intercept=False, tol=1e-10).fit(X)
    theirs = machines.LinearSVC(loss="hinge", C=1 / (2 * 0.3 * ROWS), fit_intercept=False, tol=1e-10, max_iter=10**6)
    theirs.fit(np.vstack([X, -X]), np.repeat([1, -1], ROWS))
    np.testing.assert_allclose(mine.coef_, theirs.coef_[0], atol=1e-5)
    assert mine.offset_ == 1


@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_with_all_rows_in_its_map_a_kernel_machine_is_exact(kernel):
    Z = StandardScaler().fit_transform(X) + 0.5
    given = {"kernel": kernel, "coef0": 1.0, "C": 0.5}
    mine = ours.SVC(n_components=ROWS, tol=1e-8, **given).fit(Z, LABELS)
    theirs = machines.SVC(tol=1e-8, **given).fit(Z, LABELS)
    np.testing.assert_allclose(mine.decision_function(Z), theirs.decision_function(Z), atol=1e-3)


def test_a_kernel_regression_is_exact_too():
    Z = StandardScaler().fit_transform(X)
    mine = ours.SVR(n_components=ROWS, C=2.0, tol=1e-8).fit(Z, COUNTS)
    theirs = machines.SVR(C=2.0, tol=1e-8).fit(Z, COUNTS)
    np.testing.assert_allclose(mine.predict(Z), theirs.predict(Z), atol=1e-3)


def test_the_map_of_a_kernel_machine_is_scikit_learns():
    model = ours.SVC(n_components=10, gamma=0.1, random_state=0).fit(X, LABELS)
    theirs = Nystroem(gamma=0.1, n_components=10, random_state=0).fit(X)
    np.testing.assert_array_equal(model.feature_map_.components_, theirs.components_)


def test_perceptron_finds_a_plane_if_there_is_one_and_says_so_if_there_is_none():
    gap = np.where(X[:, 0] > 2, 1, 0)
    apart = X.copy()
    apart[:, 0] += np.where(gap == 1, 0.5, -0.5)
    found = ours.Perceptron().fit(apart, gap)
    assert found.stop_reason_.name == "converged"
    assert found.score(apart, gap) == 1
    noisy = ours.Perceptron(max_iter=500).fit(X, LABELS)
    assert noisy.stop_reason_.name == "plateau"
    assert noisy.duality_gap_ == pytest.approx(1 - noisy.score(X, LABELS))
    assert noisy.score(X, LABELS) >= peers.Perceptron(random_state=0).fit(X, LABELS).score(X, LABELS)


REGRESSIONS = [ours.LinearRegression(), ours.Ridge(), ours.Lasso(0.1), ours.HuberRegressor(), ours.LinearSVR(C=0.1)]
CLASSIFIERS = [ours.LogisticRegression(), ours.LinearSVC(), ours.Perceptron()]
names = lambda estimator: type(estimator).__name__


@pytest.mark.parametrize("estimator", REGRESSIONS, ids=names)
def test_kinds_of_tables_make_no_difference(estimator):
    estimator = clone(estimator).set_params(tol=1e-8)
    plain = estimator.fit(X, NUMBERS).predict(X)
    scale = np.abs(plain).max()
    frame = pd.DataFrame(X, columns=list("abcde"))
    kinds = [np.asfortranarray(X), X.tolist(), sparse.csr_array(X), sparse.csc_matrix(X), frame, X[::-1][::-1]]
    with_64_bits = sparse.csr_array(X)
    with_64_bits.indices, with_64_bits.indptr = (part.astype(np.int64) for part in
                                                 (with_64_bits.indices, with_64_bits.indptr))
    for kind in [*kinds, with_64_bits]:
        np.testing.assert_allclose(clone(estimator).fit(kind, NUMBERS).predict(kind), plain, atol=1e-3 * scale)
    halves = clone(estimator).fit(X.astype(np.float32), NUMBERS).predict(X.astype(np.float32))
    np.testing.assert_allclose(halves, plain, atol=1e-3 * scale)


@pytest.mark.parametrize("estimator", REGRESSIONS + CLASSIFIERS, ids=names)
def test_frames_give_names(estimator):
    frame = pd.DataFrame(X, columns=list("abcde"))
    y = NUMBERS if estimator in REGRESSIONS else LABELS
    model = clone(estimator).fit(frame, pd.Series(y))
    assert list(model.feature_names_in_) == list("abcde")
    assert model.n_features_in_ == COLUMNS
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("edcba")])


def test_polars_is_read():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=list("abcde"))
    model = ours.LogisticRegression().fit(frame, polars.Series(LABELS))
    np.testing.assert_array_equal(model.feature_names_in_, list("abcde"))
    np.testing.assert_array_equal(model.predict(frame), ours.LogisticRegression().fit(X, LABELS).predict(X))


def test_frames_go_through_a_pipeline_with_pandas_output():
    frame = pd.DataFrame(X, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), ours.Ridge()).set_output(transform="pandas").fit(frame, NUMBERS)
    assert list(pipeline[-1].feature_names_in_) == list("abcde")


@pytest.mark.parametrize("estimator", REGRESSIONS + CLASSIFIERS, ids=names)
def test_rows_without_weight_are_not_there(estimator):
    y = NUMBERS if estimator in REGRESSIONS else LABELS
    weights = np.where(np.arange(ROWS) % 3, WEIGHTS, 0.0)
    odd = X.copy()
    odd[weights == 0] = 1e30
    one = clone(estimator).fit(odd, y, sample_weight=weights)
    other = clone(estimator).fit(X[weights > 0], y[weights > 0], sample_weight=weights[weights > 0])
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)


@pytest.mark.parametrize("estimator", [ours.Lasso(0.01), ours.LogisticRegression(C=100),
                                       ours.PoissonRegressor(alpha=0)], ids=names)
def test_a_warm_start_begins_at_the_last_fit(estimator):
    y = LABELS if isinstance(estimator, ours.LogisticRegression) else COUNTS
    model = clone(estimator).set_params(warm_start=True, max_iter=10_000).fit(X, y)
    curve = model.loss_curve_
    assert model.fit(X, y).loss_curve_[0] == pytest.approx(curve[-1], rel=1e-4)
    assert curve[0] > 1.01 * curve[-1]


def test_a_warm_start_of_several_classes_begins_at_the_last_fit():
    model = ours.LogisticRegression(warm_start=True).fit(X, THREE)
    curve = model.loss_curve_
    assert model.fit(X, THREE).loss_curve_[0] == pytest.approx(curve[-1], rel=1e-4)
    assert curve[0] > 1.01 * curve[-1]


class Listener:
    """A callback that writes down what it hears, and may ask to stop."""

    def __init__(self, stop_after=None):
        self.stop_after, self.losses, self.torn_down = stop_after, [], False

    def setup(self, estimator, context):
        self.dual_start = True

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        if context.task_name == "iteration":
            self.losses.append(float(np.mean(fitted_estimator.predict(X) != y)))
            return self.stop_after is not None and len(self.losses) >= self.stop_after
        return False

    def teardown(self, estimator, context):
        self.torn_down = True


def test_callbacks_see_each_iteration_as_an_estimator_that_predicts():
    listener = Listener()
    model = ours.LogisticRegression(C=100, tol=1e-10).set_callbacks(listener).fit(X, LABELS)
    assert len(listener.losses) == model.n_iter_ == len(model.loss_curve_) - 1
    assert listener.losses[-1] == pytest.approx(np.mean(model.predict(X) != LABELS))
    assert listener.torn_down


def test_a_callback_that_returns_true_ends_the_fit():
    model = ours.LogisticRegression(C=100, tol=1e-10).set_callbacks(Listener(stop_after=2)).fit(X, LABELS)
    assert model.n_iter_ == 2
    assert model.stop_reason_.name == "interrupted"


@pytest.mark.parametrize("estimator", [ours.LogisticRegression(), ours.LogisticRegression(multi_class="ovr")])
def test_progress_is_shown(estimator, capsys):
    clone(estimator).set_callbacks(ProgressBar()).fit(X, THREE)
    assert "LogisticRegression" in capsys.readouterr().out


@pytest.mark.parametrize("estimator", [ours.Ridge(), ours.LinearSVC(class_weight="balanced"), ours.HuberRegressor()],
                         ids=names)
def test_copies_and_pickles_predict_the_same(estimator):
    y = LABELS if isinstance(estimator, ours.LinearSVC) else NUMBERS
    model = clone(estimator).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))  # as its user chose
    assert clone(model).get_params() == estimator.get_params()


def test_a_grid_search_picks_what_scikit_learns_picks():
    grid = {"alpha": [1e-3, 1.0, 1e3]}
    mine = GridSearchCV(ours.Ridge(), grid).fit(X, NUMBERS)
    theirs = GridSearchCV(peers.Ridge(), grid).fit(X, NUMBERS)
    np.testing.assert_allclose(mine.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("wide", [False, True], ids=["tall", "wide"])
def test_of_many_least_squares_it_is_that_of_least_norm(kind, intercept, wide):
    given = np.column_stack([X, X[:, 0] + X[:, 1]])
    given, y = (np.c_[given, np.zeros(ROWS)][:4], NUMBERS[:4]) if wide else (given, NUMBERS)
    mine = ours.LinearRegression(fit_intercept=intercept).fit(kind(given), y)
    theirs = peers.LinearRegression(fit_intercept=intercept).fit(given, y)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-7 * np.abs(theirs.coef_).max())
    assert mine.intercept_ == pytest.approx(theirs.intercept_, abs=1e-5)
    assert mine.stop_reason_.name == "converged"


def test_units_of_columns_make_no_difference():
    units = 10.0 ** np.arange(-6, 4, 2)
    plain = ours.LinearRegression().fit(X, NUMBERS)
    scaled = ours.LinearRegression().fit(X * units, NUMBERS)
    np.testing.assert_allclose(scaled.coef_ * units, plain.coef_, rtol=1e-8)
    assert scaled.stop_reason_.name == "converged"


def test_weights_are_routed():
    weights = {"sample_weight": WEIGHTS}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(ours.Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
                              {"alpha": [1.0]}).fit(X, NUMBERS, **weights)
    np.testing.assert_array_equal(search.best_estimator_.coef_, ours.Ridge().fit(X, NUMBERS, **weights).coef_)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("estimator", [ours.Ridge(), ours.LogisticRegression(), ours.HuberRegressor()], ids=names)
def test_the_table_is_not_copied(estimator, order):
    table = np.array(np.random.default_rng(0).normal(size=(40_000, 200)), order=order)
    table.flags.writeable = False  # as those of pandas are
    y = (table[:, 0] > 0).astype(int)
    model = clone(estimator).fit(table, y)
    tracemalloc.start()
    model.fit(table, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * table.nbytes


def test_the_loss_curve_is_the_objective():
    model = ours.LogisticRegression(C=0.5, tol=1e-8).fit(X, LABELS)
    y = np.where(LABELS == "yes", 1, -1)
    [w] = model.coef_
    value = np.mean(np.logaddexp(0, -y * model.decision_function(X))) + 0.5 * w @ w / (0.5 * ROWS)
    assert model.loss_curve_[0] == pytest.approx(np.log(2))
    assert model.loss_curve_.min() == pytest.approx(value, rel=1e-12)
    assert model.solver_.startswith("newton: ")


def test_probabilities_are_of_the_scores():
    model = ours.LogisticRegression().fit(X, LABELS)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-model.decision_function(X))))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    several = ours.LogisticRegression().fit(X, THREE)
    theirs = peers.LogisticRegression(tol=1e-10, solver="newton-cholesky").fit(X, THREE)
    np.testing.assert_allclose(several.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_allclose(several.predict_proba(X), theirs.predict_proba(X), atol=1e-2)


def test_the_score_of_counts_is_the_share_of_deviance():
    mine, theirs = ours.PoissonRegressor(tol=1e-10).fit(X, COUNTS), peers.PoissonRegressor(tol=1e-10).fit(X, COUNTS)
    assert mine.score(X, COUNTS, WEIGHTS) == pytest.approx(theirs.score(X, COUNTS, WEIGHTS), rel=1e-4)


BLOCKS = [slice(start, start + 30) for start in range(0, ROWS, 30)]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("model", [ours.Ridge(3.0), ours.Ridge(3.0, fit_intercept=False), ours.LinearRegression()])
def test_squares_block_by_block_are_squares_all_at_once(model, kind):
    learner = clone(model)
    for block in BLOCKS:
        learner.partial_fit(kind(X[block]), NUMBERS[block], sample_weight=WEIGHTS[block])
    whole = clone(model).set_params(tol=1e-12).fit(X, NUMBERS, sample_weight=WEIGHTS)
    np.testing.assert_allclose(learner.coef_, whole.coef_, rtol=1e-7)
    assert learner.intercept_ == pytest.approx(whole.intercept_, rel=1e-7)


@pytest.mark.parametrize("model", [ours.LogisticRegression(), ours.LinearSVC()], ids=names)
@pytest.mark.parametrize("y", [LABELS, THREE], ids=["two", "three"])
def test_classes_block_by_block_are_told_apart_nearly_as_well(model, y):
    learner = clone(model).set_params(class_weight=dict.fromkeys(np.unique(y), 2.0))
    for block in BLOCKS:
        learner.partial_fit(X[block], y[block], classes=np.unique(y))
    whole = clone(model).fit(X, y)
    assert learner.coef_.shape == whole.coef_.shape
    assert learner.score(X, y) >= whole.score(X, y) - 0.05
    if hasattr(learner, "predict_proba"):
        odds = np.exp(learner.decision_function(X))
        shares = odds / (1 + odds)
        if shares.ndim == 2:  # each class was told from all others, whatever `multi_class` a fit would have had
            np.testing.assert_allclose(learner.predict_proba(X), shares / shares.sum(axis=1, keepdims=True), rtol=1e-9)
        else:
            np.testing.assert_allclose(learner.predict_proba(X)[:, 1], shares, rtol=1e-9)


def test_a_fit_forgets_what_was_learnt_block_by_block():
    model = ours.Ridge().partial_fit(X, NUMBERS).fit(X, COUNTS)
    np.testing.assert_array_equal(model.coef_, ours.Ridge().fit(X, COUNTS).coef_)
    np.testing.assert_allclose(model.partial_fit(X, NUMBERS).coef_, ours.Ridge().fit(X, NUMBERS).coef_, rtol=1e-8)


@pytest.mark.parametrize("seed", range(8))  # what rounding leaves of a dependent column is below 0 or above it
def test_a_dependent_column_is_not_taken_for_an_independent_one(seed):
    given = np.column_stack([X, X @ np.random.default_rng(seed).normal(size=COLUMNS)])
    mine, theirs = (model.fit(given, NUMBERS) for model in (ours.LinearRegression(), peers.LinearRegression()))
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-7 * np.abs(theirs.coef_).max())
