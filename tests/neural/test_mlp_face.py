"""What perceptrons share with scikit-learn's: coefficients, labels, sparse rows, penalties, one pass at a time."""

import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from descend import Adam, InputError
from descend.neural import MLPClassifier, MLPRegressor
from descend.neural._few_rows import chosen
from descend.neural._objective import Objective, row_losses
from descend.neural._sparse_rows import SparseRows, in_rows
from descend.neural._streaming import batches
from descend.neural.perceptron import MLP
from descend.optimizers import LBFGS, SGD

X, Y = load_iris(return_X_y=True)
LABELS = np.stack([Y == 0, Y > 0, X[:, 0] > 6], axis=1).astype(int)
SHORT = {"hidden_layer_sizes": (6, 5), "optimizer": Adam(0.02), "epochs": 12, "random_state": 0}
RNG = np.random.default_rng(0)
WIDE = sparse.random_array((90, 400), density=0.01, rng=RNG, format="csr")


@pytest.fixture(scope="module")
def of_labels():
    return MLPClassifier(**SHORT).fit(X, LABELS)


# Batches are drawn by rows, and a row of weight two is not drawn as two are: so it is with scikit-learn's own networks.
BY_ROWS = dict.fromkeys([f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")],
                        "batches are drawn by rows")


@pytest.mark.slow
@parametrize_with_checks([MLPClassifier(4, epochs=20, optimizer=Adam(0.02)),
                          MLPRegressor(4, epochs=20, optimizer=Adam(0.02))],
                         expected_failed_checks=lambda _: BY_ROWS)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("targets", [Y, Y == 1, LABELS, X[:, 3], X[:, 2:]],
                         ids=["three", "two", "labels", "number", "numbers"])
def test_coefficients_are_scikit_learns(targets):
    """In its own estimator they give the same, from columns and to targets in their own units."""
    is_number = targets.dtype.kind == "f"
    ours = (MLPRegressor if is_number else MLPClassifier)(activation="tanh", **SHORT).fit(X, targets)
    theirs = (TheirRegressor if is_number else TheirClassifier)(hidden_layer_sizes=(6, 5), activation="tanh",
                                                                      max_iter=1)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, targets)
    assert [W.shape for W in ours.coefs_] == [W.shape for W in theirs.coefs_]
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    assert (ours.n_layers_, ours.n_outputs_, ours.out_activation_) == (4, theirs.n_outputs_, theirs.out_activation_)
    told = "predict" if is_number else "predict_proba"
    np.testing.assert_allclose(getattr(ours, told)(X), getattr(theirs, told)(X), atol=1e-4, rtol=1e-4)
    assert ours.loss_ == pytest.approx(np.mean(ours.loss_curve_[-len(ours.loss_curve_) // 12 :]), rel=0.3)


def test_labels_of_which_any_may_be_there(of_labels):
    told, probable = of_labels.predict(X), of_labels.predict_proba(X)
    assert of_labels.classes_.tolist() == [0, 1, 2]
    assert set(told.ravel().tolist()) == {0, 1}
    np.testing.assert_array_equal(told, probable > 0.5)
    assert of_labels.score(X, LABELS) == np.mean((told == LABELS).all(axis=1)) > 0.7
    as_sparse = MLPClassifier(**SHORT).fit(X, sparse.csr_array(LABELS))
    np.testing.assert_array_equal(as_sparse.predict_proba(X), probable)


def test_labels_come_back_from_a_file(of_labels, tmp_path):
    of_labels.save(tmp_path)
    np.testing.assert_array_equal(MLPClassifier.load(tmp_path).predict(X), of_labels.predict(X))


def test_labels_are_exported(of_labels, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    of_labels.to_onnx(tmp_path / "labels.onnx")
    session = runtime.InferenceSession(tmp_path / "labels.onnx")
    told, probable = session.run(["label", "probabilities"], {"X": X})
    np.testing.assert_array_equal(told, of_labels.predict(X))
    np.testing.assert_allclose(probable, of_labels.predict_proba(X), atol=1e-5)


def test_the_loss_of_labels():
    scores, targets = RNG.normal(size=(4, 3)).astype(np.float32), LABELS[:4].astype(np.int32)
    p = 1 / (1 + np.exp(-scores.astype(float)))
    for smoothing in (0.0, 0.2):
        soft = (1 - smoothing) * targets + smoothing / 2
        expected = -(soft * np.log(p) + (1 - soft) * np.log(1 - p)).sum(axis=1)
        losses = row_losses("labels", jnp.asarray(scores), jnp.asarray(targets), smoothing)
        np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_a_penalty_is_scikit_learns():
    network = MLP.drawn((4, 3, 2), "tanh", 0.0, RNG)
    batch = jnp.asarray(X[:10], jnp.float32), jnp.asarray(Y[:10], jnp.int32), None
    plain, penalised = (float(Objective("classification", alpha=alpha)(network, batch)) for alpha in (0.0, 0.7))
    squares = sum((np.asarray(W) ** 2).sum() for W in network.weights)
    assert penalised - plain == pytest.approx(0.7 / (2 * 10) * squares, rel=1e-4)


def test_a_penalty_keeps_weights_small():
    free, held = (MLPClassifier(**SHORT, alpha=alpha).fit(X, Y) for alpha in (0.0, 30.0))
    size = lambda model: sum((np.asarray(W) ** 2).sum() for W in model.network_.weights)
    assert size(held) < 0.5 * size(free)


def test_rows_that_are_mostly_zeros():
    rows = in_rows(WIDE)
    assert isinstance(rows, SparseRows)
    matrix = RNG.normal(size=(400, 3)).astype(np.float32)
    np.testing.assert_allclose(rows.times(jnp.asarray(matrix)), WIDE.toarray() @ matrix, rtol=1e-5, atol=1e-5)
    assert isinstance(in_rows(WIDE[:, :5]), np.ndarray)


def test_sparse_columns_are_learnt_from_and_told_of_dense_ones():
    y = np.asarray(WIDE.sum(axis=1)) > 2
    model = MLPClassifier(**SHORT | {"epochs": 40}).fit(WIDE, y)
    assert model.score(WIDE, y) > 0.9
    dense = model.predict_proba(WIDE.toarray())
    for made in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        np.testing.assert_allclose(model.predict_proba(made(WIDE)), dense, atol=1e-5)
    on_dense = MLPClassifier(**SHORT).fit(X, Y)
    np.testing.assert_allclose(on_dense.predict_proba(sparse.csr_array(X)), on_dense.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "SGD", "lbfgs"])
def test_optimizers_by_their_names(name):
    model = MLPClassifier(6, optimizer=name, epochs=3, random_state=0).fit(X, Y)
    assert type(model.rule_).__name__.casefold() == name.casefold()
    # A search sees all rows at each step.
    assert len(model.loss_curve_) == (3 if name == "lbfgs" else np.ceil(3 * 150 / 64))


def test_passes_over_more_rows():
    learn, later = np.split(np.random.default_rng(0).permutation(150), 2)
    model = MLPClassifier(8, optimizer=Adam(0.02), epochs=2, random_state=0)
    model.partial_fit(X[learn][:10], Y[learn][:10], classes=[0, 1, 2])
    for _ in range(25):
        model.partial_fit(X[learn], Y[learn])
    assert model.n_iter_ == 26
    assert model.score(X[later], Y[later]) > 0.9
    again = pickle.loads(pickle.dumps(model)).partial_fit(X[learn], Y[learn])
    np.testing.assert_array_equal(again.predict_proba(X), model.partial_fit(X[learn], Y[learn]).predict_proba(X))
    with pytest.raises(InputError, match="y has the class 3, which classes has not"):
        model.partial_fit(X[:1], [3])
    assert len(model.fit(X, Y).loss_curve_) == np.ceil(2 * 150 / 64)
    assert not hasattr(model, "_stream")


def test_numbers_over_more_rows():
    model = MLPRegressor(8, optimizer=Adam(0.02), random_state=0)
    for _ in range(30):
        model.partial_fit(X[:, :3], X[:, 2:])
    assert model.score(X[:, :3], X[:, 2:]) > 0.9
    with pytest.raises(InputError, match="there are 1 numbers for each row, but 2 are predicted"):
        model.partial_fit(X[:, :3], X[:, 3])


def test_a_pass_is_over_each_row_once():
    """What fills the last batch has no weight, nor has what had none."""
    rows, weights = np.arange(10.0)[:, None], np.where(np.arange(10) == 4, 0.0, 1.0)
    seen = [(int(row), float(weight)) for inputs, _, counts in batches((rows, rows, weights), 4, RNG)
            for row, weight in zip(inputs[:, 0], counts, strict=True) if weight]
    assert sorted(row for row, _ in seen) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    # A batch of one row counts as a batch of four.
    assert sorted({weight for _, weight in seen}) == [1.0, 4.0]


def test_the_course_that_is_taken_is_clearly_better():
    even = np.ones(100)
    long, better, hardly = even + 0.1 * RNG.normal(size=100), even - 0.5, even - 0.501
    hardly[0] += 5.0
    assert chosen([long, better, hardly], even) == 1
    assert chosen([better, long], even) == 0
    assert chosen([even, np.where(np.arange(100) < 50, 0.0, 3.0)], np.arange(100) < 50) == 1


@pytest.mark.parametrize(
    ("settings", "y", "says"),
    [
        ({"optimizer": "adamm"}, Y, "there is no optimizer 'adamm': give 'auto', or one of adabelief"),
        ({"alpha": -1.0}, Y, "alpha must be a finite number of at least 0"),
        ({"class_weight": "balanced"}, LABELS, "class_weight is for one class an example"),
    ],
)
def test_settings_that_mean_nothing_here(settings, y, says):
    with pytest.raises(InputError, match=says):
        MLPClassifier(**SHORT | settings).fit(X, y)


def test_passes_that_cannot_be_made():
    with pytest.raises(InputError, match="LBFGS searches on all rows"):
        MLPClassifier(optimizer=LBFGS()).partial_fit(X, Y)
    with pytest.raises(ValueError, match="at least one non-zero"):
        MLPClassifier().partial_fit(X, Y, sample_weight=np.zeros(150))
    model = MLPRegressor(4, optimizer=SGD(1e30), random_state=0)
    with pytest.raises(InputError, match="the loss of more rows is not finite"):
        model.partial_fit(X[:, :3], X[:, 3]).partial_fit(X[:, :3], X[:, 3])
    with pytest.raises(InputError, match="y_val has the shape"):
        MLPClassifier(**SHORT).fit(X, LABELS, X_val=X, y_val=Y)
