"""What users of logistic regression rely on: the minimum whatever the solver, probabilities, several classes, weights,
penalties and what they leave, warm starts, callbacks, and clear words where there is no minimum."""

import numpy as np
import pytest
from scipy import optimize, sparse
from scipy.special import logsumexp, softmax
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import scale

from descend.errors import InputError
from descend.linear import LogisticRegression
from enforced import without_types

TIGHT = {"tol": 1e-12}
SOLVERS = ["newton", "lbfgs", "accelerated", "dual", "svrg"]
IRIS, SPECIES = load_iris(return_X_y=True)
X, y = make_classification(200, 10, n_informative=5, n_redundant=0, random_state=0)
X3, y3 = make_classification(120, 8, n_informative=6, n_classes=3, random_state=0)


def objective(model, X, y, s=None):
    """Of two classes; divided by C and the weights' sum."""
    s = np.ones(len(y)) if s is None else s
    w = model.coef_[0]
    losses = np.logaddexp(0, -np.where(y == model.classes_[1], 1, -1) * (X @ w + model.intercept_[0]))
    penalty = (1 - model.l1_ratio) * w @ w / 2 + model.l1_ratio * abs(w).sum()
    return (s @ losses + penalty / model.C) / s.sum()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("labels", [[0, 1], ["a", "b"], [0, 1, 2]])
@pytest.mark.parametrize("options", [{"C": 10.0}, {"C": 100.0}, {"C": 10.0, "fit_intercept": False}], ids=str)
def test_a_few_rows_are_told_from_each_other(labels, options, kind):
    corners = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])[: len(labels)]
    if len(labels) == 3 and not options.get("fit_intercept", True):
        corners = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    labels = np.array(labels)
    model = LogisticRegression(**options).fit(kind(corners), labels)
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_array_equal(model.predict(kind(corners)), labels)
    shares = model.predict_proba(corners)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares.argmax(axis=1), np.arange(len(labels)))


def test_known_numbers():
    """Made with another program (glmnet); of several classes its intercepts sum up to what they will."""
    table = np.array([[-4, -3, -2, -1, 0, 1, 2, 3, 4], [0, 0, 1, 0, 1, 1, 1, 0, 0]], float).T
    model = LogisticRegression(C=1 / 9, **TIGHT).fit(table, [0, 0, 0, 1, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(model.intercept_, 0.89230405539, rtol=1e-5)
    np.testing.assert_allclose(model.coef_, [[0.44464569182, 0.01457563448]], rtol=1e-5)
    model.fit(table, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    intercepts = np.array([-0.12004759652, 0.2251747383, -0.1051271418])
    np.testing.assert_allclose(model.intercept_ - model.intercept_.mean(), intercepts - intercepts.mean(), atol=1e-6)
    np.testing.assert_allclose(model.coef_, [
        [-0.38023389305, -0.01226499932], [-8.164030176e-05, 4.734548012e-02], [0.3803155334, -0.0350804808],
    ], atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("intercept", [True, False])
def test_all_solvers_come_to_the_same_minimum(solver, intercept):
    options = {"C": 0.1, "fit_intercept": intercept}
    model = LogisticRegression(solver=solver, tol=1e-9, max_iter=5000, **options).fit(X, y)
    peer = Peer(solver="newton-cholesky", tol=1e-12, **options).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-4)
    assert solver in model.solver_


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "accelerated"])
@pytest.mark.parametrize("intercept", [True, False])
def test_all_solvers_come_to_the_same_multinomial_minimum(solver, intercept):
    options = {"C": 1.0, "fit_intercept": intercept}
    model = LogisticRegression(solver=solver, tol=1e-9, max_iter=5000, **options).fit(X3, y3)
    peer = Peer(solver="newton-cholesky", tol=1e-12, **options).fit(X3, y3)
    assert model.coef_.shape == (3, 8)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-3)


@pytest.mark.parametrize("intercept", [True, False])
def test_several_classes_without_penalty(intercept):
    """Not separable: the minimum of the multinomial loss alone, by SciPy."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(150, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(table @ rng.normal(size=(3, 3)), axis=1)])
    model = LogisticRegression(C=np.inf, fit_intercept=intercept, **TIGHT).fit(table, labels)

    def value(v):
        z = table @ v[:9].reshape(3, 3).T + v[9:] * intercept
        return np.mean(logsumexp(z, axis=1) - z[np.arange(150), labels])

    peer = optimize.minimize(value, np.zeros(12), options={"gtol": 1e-9})
    found = value(np.append(model.coef_.ravel(), model.intercept_))
    assert found <= peer.fun * (1 + 1e-9)
    assert found == pytest.approx(min(model.loss_curve_), rel=1e-9)


def test_species_by_name():
    names = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
    model = LogisticRegression().fit(IRIS, names)
    assert set(model.classes_) == set(names)
    assert model.score(IRIS, names) > 0.95
    for flower in names[::50]:
        shares = model.predict_proba(IRIS[names == flower])
        assert shares[:, model.classes_ == flower].mean() > 0.8


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_the_names_of_classes_do_not_matter(order):
    """Labels in another order give the same planes in another order."""
    names = np.array(["a", "b", "c"])
    model = LogisticRegression(**TIGHT).fit(X3, y3)
    named = LogisticRegression(**TIGHT).fit(X3, names[np.array(order)[y3]])
    np.testing.assert_allclose(named.coef_[order], model.coef_, atol=1e-5)
    np.testing.assert_array_equal(named.predict(X3), names[np.array(order)[model.predict(X3)]])


@pytest.mark.parametrize("intercept", [True, False])
def test_the_planes_of_several_classes_sum_up_to_nothing(intercept):
    """Adding the same to all planes changes no probability: of all that are as good, the penalty picks the least."""
    model = LogisticRegression(C=10.0, fit_intercept=intercept, **TIGHT).fit(scale(IRIS), SPECIES)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-6)


def test_a_model_of_its_own_for_several_classes_is_better_than_each_against_the_others():
    joint = LogisticRegression(C=100.0).fit(X3, y3)
    apart = LogisticRegression(C=100.0, multi_class="ovr").fit(X3, y3)
    assert log_loss(y3, joint.predict_proba(X3)) < log_loss(y3, softmax(apart.decision_function(X3), axis=1))


def test_one_against_the_others_is_that():
    model = LogisticRegression(multi_class="ovr", **TIGHT).fit(X3, y3)
    for one in range(3):
        alone = LogisticRegression(**TIGHT).fit(X3, y3 == one)
        np.testing.assert_allclose(model.coef_[one], alone.coef_[0], atol=1e-5)
        np.testing.assert_allclose(model.intercept_[one], alone.intercept_[0], atol=1e-5)


# Refusals


def test_rows_and_labels_must_go_together():
    model = LogisticRegression()
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match="12 features"):
        model.fit(X, y).predict(np.ones((3, 12)))


def test_missing_numbers_are_refused():
    table = X.copy()
    table[0, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LogisticRegression().fit(table, y)


@pytest.mark.parametrize("value", [-0.1, 1.5, "much", None])
def test_a_share_that_is_none_is_refused_helpfully(value):
    with pytest.raises(InputError, match="l1_ratio"), without_types():
        LogisticRegression(l1_ratio=value).fit(X, y)


@pytest.mark.parametrize("max_iter", [-2, -1, 1.5])
def test_a_budget_that_is_none_is_refused(max_iter):
    with pytest.raises(InputError, match="max_iter"), without_types():
        LogisticRegression(max_iter=max_iter).fit(X, y)


def test_what_a_solver_cannot_do_is_refused():
    with pytest.raises(InputError, match="l1"):
        LogisticRegression(solver="dual", l1_ratio=1.0).fit(X, y)
    with pytest.raises(InputError, match="l1_ratio"):
        LogisticRegression(l1_ratio=1.0).fit(X3, y3)


def test_coefficients_may_be_written():
    model = LogisticRegression().fit(X, y)
    model.coef_[:] = 0
    model.intercept_[:] = 0
    np.testing.assert_array_equal(model.decision_function(X), 0)
    np.testing.assert_array_equal(model.predict(X), model.classes_[0])  # on the plane: not beyond it


# Weights


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "dual"])
@pytest.mark.parametrize("balanced", [None, "balanced"])
def test_weights_are_repetitions(solver, balanced):
    often = np.random.default_rng(0).integers(0, 3, len(y))
    model = LogisticRegression(solver=solver, class_weight=balanced, tol=1e-10)
    one = clone(model).fit(X, y, sample_weight=often)
    other = clone(model).fit(np.repeat(X, often, 0), np.repeat(y, often))
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-4)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "accelerated", "dual"])
def test_weights_of_classes_are_weights_of_rows(solver):
    model = LogisticRegression(solver=solver, tol=1e-10, max_iter=5000)
    by_class = clone(model).set_params(class_weight={0: 1.0, 1: 2.0}).fit(X, y)
    by_row = clone(model).fit(X, y, sample_weight=np.where(y == 1, 2.0, 1.0))
    np.testing.assert_allclose(by_class.coef_, by_row.coef_, atol=1e-6)


def test_balanced_is_by_how_often_classes_are():
    some = np.r_[np.flatnonzero(SPECIES == 0)[:10], np.flatnonzero(SPECIES > 0)]
    table, labels = scale(IRIS[some]), SPECIES[some]
    dictionary = {k: len(some) / (3 * np.sum(labels == k)) for k in range(3)}
    fits = [LogisticRegression(class_weight=weight, **TIGHT).fit(table, labels) for weight in ("balanced", dictionary)]
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("class_weight", [{0: 1.0, 1: 10.0}, "balanced"])
def test_weights_are_left_as_they_were(class_weight):
    weights = np.random.default_rng(0).uniform(size=len(y))
    before = weights.copy()
    LogisticRegression(class_weight=class_weight).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(weights, before)


def test_a_scorer_and_a_search_are_given_weights():
    """A search passes weights on to the fit."""
    weights = np.where(y == 1, 50.0, 1.0)
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0]}, cv=3)
    assert search.fit(X, y, sample_weight=weights).predict(X).mean() > search.fit(X, y).predict(X).mean() + 0.1


# Penalties


def noisy(rows=100, seed=0):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 5))
    constant = np.column_stack([table, np.ones((rows, 2))])
    return constant, (table[:, 0] + 0.5 * rng.normal(size=rows) > 0).astype(int)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_an_l1_penalty_gives_zeros_and_none_to_constants(kind):
    table, labels = noisy()
    model = LogisticRegression(C=0.2, l1_ratio=1.0, **TIGHT).fit(kind(table), labels)
    peer = Peer(C=0.2, l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=20_000).fit(table[:, :5], labels)
    np.testing.assert_array_equal(model.coef_[0, 5:], 0)
    np.testing.assert_array_equal(model.coef_[0, :5] == 0, peer.coef_[0] == 0)
    np.testing.assert_allclose(model.coef_[0, :5], peer.coef_[0], atol=1e-4)


@pytest.mark.parametrize("C", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_both_penalties_are_at_their_minimum(C, share):
    model = LogisticRegression(C=C, l1_ratio=share, **TIGHT).fit(X, y)
    peer = Peer(C=C, l1_ratio=share, solver="saga", tol=1e-7, max_iter=20_000).fit(X, y)
    assert objective(model, X, y) <= objective(peer, X, y) * (1 + 1e-9)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=3e-3)
    assert objective(model, X, y) == pytest.approx(min(model.loss_curve_), rel=1e-9)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_a_penalty_is_lowest_for_the_model_that_minimised_it(C):
    # At C=100 the l1 penalty is next to nothing: sums over the rows are known to 3e-12 of it, and so is the bound.
    fits = {share: LogisticRegression(C=C, l1_ratio=share, tol=1e-10).fit(X, y) for share in (0.0, 0.5, 1.0)}
    for share, own in fits.items():
        for other in fits.values():
            judged = clone(own).set_params(l1_ratio=share)
            judged.coef_, judged.intercept_, judged.classes_ = other.coef_, other.intercept_, other.classes_
            assert objective(own, X, y) <= objective(judged, X, y) * (1 + 1e-9)


def test_less_penalty_makes_more_coefficients():
    counts = [np.count_nonzero(LogisticRegression(C=C, l1_ratio=1.0).fit(X, y).coef_) for C in (1e-3, 0.02, 0.1, 10.0)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] >= 9


def test_without_end_to_c_there_is_no_penalty():
    none = LogisticRegression(C=np.inf, **TIGHT).fit(X, y)
    little = LogisticRegression(C=1e9, **TIGHT).fit(X, y)
    np.testing.assert_allclose(none.coef_, little.coef_, atol=1e-4)
    np.testing.assert_allclose(none.predict_proba(X), little.predict_proba(X), atol=1e-5)


def test_classes_that_a_plane_separates_have_no_minimum_and_that_is_said():
    table = np.array([[0.0], [1.0], [2.0], [3.0]])
    with pytest.warns(ConvergenceWarning, match="a plane separates the classes"):
        model = LogisticRegression(C=np.inf).fit(table, [0, 0, 1, 1])
    assert model.stop_reason_.name == "unbounded"
    assert model.score(table, [0, 0, 1, 1]) == 1


# Warm starts, budgets, words


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "accelerated"])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_warm_start_is_nearer(solver, intercept):
    model = LogisticRegression(solver=solver, fit_intercept=intercept, warm_start=True, tol=1e-8, max_iter=5000)
    coef = model.fit(IRIS, SPECIES).coef_
    cold = model.n_iter_
    model.fit(IRIS, SPECIES)
    assert model.n_iter_ <= 2 < cold
    np.testing.assert_allclose(model.coef_, coef, atol=1e-3)


@pytest.mark.parametrize("C", [1.0, 10.0])
def test_a_warm_start_of_a_neighbour_is_nearer_and_ends_at_the_same(C):
    warm = LogisticRegression(C=0.9 * C, warm_start=True, solver="lbfgs", tol=1e-9).fit(X, y).set_params(C=C).fit(X, y)
    cold = LogisticRegression(C=C, solver="lbfgs", tol=1e-9).fit(X, y)
    assert warm.n_iter_ <= cold.n_iter_
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-4)


@pytest.mark.parametrize("solver", ["lbfgs", "accelerated", "newton"])
@pytest.mark.parametrize("max_iter", [1, 2, 3])
def test_an_end_by_the_budget_is_said(solver, max_iter):
    with pytest.warns(ConvergenceWarning, match=f"{max_iter} iterations were made"):
        model = LogisticRegression(solver=solver, max_iter=max_iter, tol=1e-15).fit(IRIS, SPECIES)
    assert model.n_iter_ == max_iter
    assert len(model.loss_curve_) == max_iter + 1


def test_each_problem_has_its_curve():
    assert np.ndim(LogisticRegression().fit(X, y).loss_curve_) == 1
    assert np.ndim(LogisticRegression().fit(X3, y3).loss_curve_) == 1
    model = LogisticRegression(multi_class="ovr").fit(X3, y3)
    assert len(model.loss_curve_) == 3
    assert model.n_iter_ == max(len(curve) - 1 for curve in model.loss_curve_)


@pytest.mark.parametrize("labels", [SPECIES, SPECIES > 0], ids=["three", "two"])
def test_progress_is_shown_and_changes_nothing(labels, capsys):
    plain = LogisticRegression().fit(IRIS, labels)
    shown = LogisticRegression().set_callbacks(ProgressBar()).fit(IRIS, labels)
    capsys.readouterr()
    np.testing.assert_array_equal(shown.coef_, plain.coef_)


# Kinds of numbers


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("intercept", [True, False])
def test_precision_of_the_table_does_not_matter(kind, intercept):
    narrow = X.astype(np.float32)
    fits = [LogisticRegression(fit_intercept=intercept, **TIGHT).fit(kind(narrow.astype(dtype)), y)
            for dtype in (np.float32, np.float64)]
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, atol=1e-5)
    assert fits[0].predict_proba(narrow).shape == (200, 2)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_indices_of_either_width(dtype):
    table = sparse.csr_array(np.where(np.abs(X) < 0.5, 0, X))
    wide = table.copy()
    wide.indices, wide.indptr = table.indices.astype(dtype), table.indptr.astype(dtype)
    np.testing.assert_allclose(LogisticRegression().fit(wide, y).coef_, LogisticRegression().fit(table, y).coef_,
                               rtol=1e-9)


def test_one_column_is_enough():
    line = np.linspace(0, 5, 40)[:, None]
    labels = (line[:, 0] + np.sin(5 * line[:, 0]) > 2.5).astype(int)
    model = LogisticRegression().fit(line, labels)
    assert model.coef_.shape == (1, 1)
    assert model.score(line, labels) > 0.8


def test_great_numbers_are_no_trouble():
    table = np.array([1e9, 2.5e9, 0.5e9, 3e9])[:, None] * np.ones((1, 2))
    model = LogisticRegression().fit(table, [0, 1, 0, 1])  # a warning would be an error
    np.testing.assert_array_equal(model.predict(table), [0, 1, 0, 1])


def test_rows_of_zeros_are_a_class_by_the_intercept():
    model = LogisticRegression(fit_intercept=False).fit(X, y)
    np.testing.assert_array_equal(model.predict(np.zeros((5, 10))), 0)
    assert model.intercept_ == [0.0]


def test_folds_in_which_a_class_is_missing():
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=StratifiedKFold(3))
    labels = y3.copy()
    labels[:2] = 9
    with pytest.warns(UserWarning, match="least populated class"):
        search.fit(X3, labels)
    np.testing.assert_array_equal(search.best_estimator_.classes_, [0, 1, 2, 9])


def test_columns_that_depend_on_each_other_share_without_penalty():
    """No Cholesky factor there: of all minima, one is found, and its probabilities are those without the copies."""
    twice = np.hstack([X, X[:, :3]])
    one, other = LogisticRegression(C=np.inf, **TIGHT).fit(twice, y), LogisticRegression(C=np.inf, **TIGHT).fit(X, y)
    np.testing.assert_allclose(one.predict_proba(twice), other.predict_proba(X), atol=1e-5)
