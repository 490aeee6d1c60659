"""The linear model: the penalty that scikit-learn's cross-validation would take, the same coefficients, and a proof."""

import math
import os
import re
import signal

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse
from sklearn import linear_model as peers
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from descend.engine.interruption import Interruption, interrupts
from descend.observers import Progress
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.choosing.lanes import without_warnings
from descend.tasks.common.linear import path as penalties
from descend.tasks.common.linear import progress
from descend.tasks.common.linear.path import fit_linear
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.task import table_task

RNG = np.random.default_rng(0)
ROWS = 150


def prepare(table, settings):
    return table_task(table, settings).prepare()


def fit(ready, seconds=None, observers=(), search=None):
    """The linear model of a table, as it is fitted where nobody says how."""
    with interrupts() as interrupted, without_warnings():
        return fit_linear(ready, TrainingContext(Settings("t"), interrupted, seconds, observers), search)


def prepared(kind, rows=ROWS, seed=0):
    """A table of two informative columns, six idle ones and a category."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 8)) * [1, 100, 1, 1, 1, 1, 1, 0.01], columns=list("abcdefgh"))
    frame["city"] = rng.choice(["Basel", "Bern", "Zug"], rows)
    score = frame["a"] + frame["b"] / 100 + (frame["city"] == "Zug") + rng.normal(size=rows)
    named = {"binary": np.where(score > 0, "over", "under"), "multiclass": np.digitize(score, [-1, 1]).astype(str)}
    frame["t"] = named.get(kind, 1000 + 50 * score)
    return prepare(Table(frame, "t", "0"), Settings("t"))


def peer(kind, penalty):
    if kind == "regression":
        return peers.Ridge(penalty)
    return peers.LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-7, max_iter=1000)


def losses_of_peer(ready, penalty):
    """Of each row, when the others' folds are learnt from."""
    kind, split = ready.target.kind, PredefinedSplit(ready.folds)
    method = "predict" if kind == "regression" else "predict_proba"
    rows, targets = ready.training.inputs.astype(float), ready.training.targets
    out = cross_val_predict(peer(kind, penalty), rows, targets, cv=split, method=method)
    if kind == "regression":
        return (out - targets) ** 2 / 2
    return -np.log(out[np.arange(len(out)), targets])


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_it_is_what_scikit_learn_finds_on_the_same_rows_and_folds(kind):
    """Of fits to the limit, which scikit-learn's can be compared to."""
    ready = prepared(kind)
    search = penalties.PenaltySearch(len(ready.training), rough_tol=1e-8, tol=1e-8)
    linear = fit(ready, search=search).predictor
    path = linear.path
    losses = [losses_of_peer(ready, penalty) for penalty in path.penalties]
    means = np.mean(losses, axis=1)
    np.testing.assert_allclose(path.losses, means, rtol=1e-3)
    assert path.chosen == int(means.argmin()) > 0
    errors = [(loss - losses[path.chosen]).std() / math.sqrt(len(loss)) for loss in losses]
    np.testing.assert_allclose(path.errors, errors, rtol=1e-2, atol=1e-6)
    model = peer(kind, path.penalty).fit(ready.training.inputs.astype(float), ready.training.targets)
    scale = np.abs(model.coef_).max()  # scikit-learn's coefficients are right to 1e-3 of that
    np.testing.assert_allclose(linear.coefficients, np.atleast_2d(model.coef_), atol=1e-3 * scale)
    predict = model.predict if kind == "regression" else model.predict_proba
    np.testing.assert_allclose(linear.predict(ready.held_out.inputs), predict(ready.held_out.inputs), rtol=2e-3)


def test_the_least_loss_is_that_of_logistic_regression_cv(monkeypatch):
    monkeypatch.setattr(penalties, "ROUGH_TOL", 1e-8)
    ready = prepared("binary")
    path = fit(ready).predictor.path
    model = peers.LogisticRegressionCV(
        Cs=[1 / penalty for penalty in path.penalties], cv=PredefinedSplit(ready.folds), scoring="neg_log_loss",
        l1_ratios=(0,), tol=1e-8, max_iter=10_000, use_legacy_attributes=False,
    ).fit(ready.training.inputs, ready.training.targets)
    assert pytest.approx(path.penalty) == 1 / model.C_


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_a_table_of_levels_is_passed_over_without_its_zeros(kind, monkeypatch):
    """It is the model that it would be with them."""
    levels = np.random.default_rng(1).integers(0, 20, (ROWS, 3))
    frame = pd.DataFrame(np.array(list("abcdefghijklmnopqrst"))[levels], columns=["x", "y", "z"])
    score = (levels == 3).sum(axis=1) - (levels < 7).sum(axis=1) + RNG.normal(size=ROWS)
    frame["t"] = score if kind == "regression" else np.digitize(score, [-1, 0]).astype(str)
    ready = prepare(Table(frame, "t", "0"), Settings("t"))
    search, given = penalties.PenaltySearch(len(ready.training), rough_tol=1e-9, tol=1e-9), []
    learn = penalties._fit
    monkeypatch.setattr(penalties, "_fit", lambda *args: given.append(args[-1].inputs) or learn(*args))
    whole = fit(ready, search=search)
    assert not any(map(issparse, given))
    given.clear()
    monkeypatch.setattr(penalties, "MANY_NUMBERS", 0)
    thin = fit(ready, search=search)
    assert all(map(issparse, given))
    assert thin.predictor.path.penalty == whole.predictor.path.penalty
    np.testing.assert_allclose(thin.predictor.coefficients, whole.predictor.coefficients, atol=1e-3)
    np.testing.assert_allclose(thin.out_of_fold, whole.out_of_fold, atol=1e-3)


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_its_certificate_holds(kind):
    ready = prepared(kind)
    linear = fit(ready).predictor
    certificate = linear.certificate
    assert certificate.reason.name == "converged"
    assert certificate.relative <= penalties.TOL
    best = peer(kind, linear.path.penalty).fit(ready.training.inputs.astype(float), ready.training.targets)
    least = objective(ready, np.atleast_2d(best.coef_), np.atleast_1d(best.intercept_), linear.path.penalty)
    mine = objective(ready, linear.coefficients, linear.intercepts, linear.path.penalty)
    assert certificate.value == pytest.approx(mine, rel=1e-9)
    assert certificate.value - certificate.gap <= least * (1 + 1e-12)
    (told,) = re.findall(r"within (\S+) of the minimum, proved by the duality gap", str(certificate))
    assert certificate.relative <= float(told) <= 2 * certificate.relative


def objective(ready, W, b, penalty):
    """In float64, as `descend.tasks.common.linear.model` states it."""
    z = ready.training.inputs.astype(float) @ W.T + b
    rows = np.arange(len(z))
    if ready.target.kind == "regression":
        loss = (z[:, 0] - ready.training.targets) ** 2 / 2
    else:
        z = np.hstack([np.zeros_like(z), z]) if ready.target.kind == "binary" else z
        loss = np.log(np.exp(z).sum(axis=1)) - z[rows, ready.training.targets]
    return loss.mean() + penalty * (W**2).sum() / 2 / len(z)


def test_scores_are_of_rows_that_were_not_learnt_from():
    """With targets that nothing tells of, rows that were learnt from would be predicted far better."""
    frame = pd.DataFrame(RNG.normal(size=(80, 60))).add_prefix("x").assign(t=list("ab") * 40)
    ready = prepare(Table(frame, "t", "0"), Settings("t"))
    trained = fit(ready)
    assert len(trained.out_of_fold) == len(ready.training) == 64
    assert accuracy_score(ready.training.targets, trained.out_of_fold.argmax(axis=1)) < 0.7


def test_a_large_table_is_validated_on_a_tenth(monkeypatch):
    monkeypatch.setattr("descend.tasks.common.dividing.LARGE_TABLE", 40)
    monkeypatch.setattr("descend.tasks.common.dividing.HUGE_TABLE", 40)
    ready = prepared("regression", rows=250)
    candidate = fit(ready)
    assert len(candidate.out_of_fold) == 20
    assert r2_score(ready.training.targets[ready.validated], candidate.out_of_fold) > 0.5


@pytest.mark.parametrize("classes", ["u" * 20 + "vv", "uuuvvvww", "u" * 12 + "v" * 12 + "ww"])
def test_folds_need_not_have_all_classes(classes):
    frame = pd.DataFrame({"a": np.arange(len(classes)) % 5 + 0.5, "t": list(classes)})
    ready = prepare(Table(frame, "t", "0"), Settings("t"))
    linear = fit(ready).predictor
    assert np.isfinite(linear.path.losses).all()
    assert linear.predict(ready.training.inputs).shape == (len(ready.training.inputs), len(set(classes)))


def test_a_class_that_no_other_fold_has_is_given_the_share_of_half_a_row():
    frame = pd.DataFrame({"a": np.arange(22) % 5 + 0.5, "t": list("u" * 20 + "vv")})
    ready = prepare(Table(frame, "t", "0"), Settings("t"))
    own = int(ready.folds[ready.training.targets == 1][0])  # of the one row of class v
    fold = penalties._Fold(ready, own, progress.ProgressCallback((), None, Interruption()), penalties.ROUGH_TOL)
    fold.fit(1.0)
    np.testing.assert_allclose(fold.outputs(), -np.log(2 * np.sum(ready.folds != own)))


def test_the_path_goes_on_until_weaker_penalties_do_not_help():
    for losses, enough in (([3, 2], False), ([3, 2, 1], False), ([1, 2], False), ([1, 2, 3], True), ([3, 1, 2], False),
                           ([3, 1, 2, 0.5], False), ([3, 1, 1, 1], True)):
        assert penalties._is_enough([float(loss) for loss in losses]) == enough
    tried = penalties._penalties(1000)
    assert (tried[0], tried[2], tried[-1]) == (1000.0, 100.0, pytest.approx(penalties.WEAKEST_PENALTY))


class Watcher:
    """Writes down what it is told; may press Ctrl-C at the first time."""

    def __init__(self, interrupts=False):
        self.seen, self.open, self.interrupts = [], False, interrupts

    def __enter__(self):
        self.open = True

    def __exit__(self, *_):
        self.open = False

    def __call__(self, progress: Progress):
        assert self.open
        self.seen.append(progress)
        if self.interrupts and len(self.seen) == 1:
            os.kill(os.getpid(), signal.SIGINT)


def test_observers_see_iterations_and_the_gap(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LOOKS", 0.0)
    watcher = Watcher()
    ready = prepared("binary")
    candidate = fit(ready, observers=(watcher,))
    assert not watcher.open
    assert [progress.step for progress in watcher.seen[:-1]] == list(range(1, len(watcher.seen)))
    assert all(progress.latest["duality_gap"] >= 0 < progress.latest["loss"] for progress in watcher.seen)
    last = watcher.seen[-1]
    rounded = candidate.predictor.certificate.gap - last.latest["duality_gap"]  # coefficients to float32, at the end
    assert last.reason == candidate.reason
    assert 0 <= rounded < 0.01 * penalties.TOL
    accuracy = accuracy_score(ready.training.targets, candidate.out_of_fold.argmax(axis=1))
    assert last.validation["score"] == pytest.approx(accuracy)
    assert all(progress.reason is None for progress in watcher.seen[:-1])


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_ctrl_c_ends_it_with_a_model_that_can_be_used(kind, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LOOKS", 0.0)
    ready = prepared(kind)
    candidate = fit(ready, observers=(Watcher(interrupts=True),))
    assert candidate.reason.name == "interrupted"
    assert candidate.reason.evidence == f"Ctrl-C after {candidate.reason.step} iterations"
    assert len(candidate.predictor.path.penalties) == 1
    assert candidate.reason.step == ready.members + 1, "an iteration for each fold, and for the model"
    assert np.isfinite(candidate.predictor.predict(ready.held_out.inputs)).all()
    assert np.isfinite(candidate.out_of_fold).all()


def test_the_end_of_the_time_ends_it():
    candidate = fit(prepared("multiclass"), seconds=1e-9)
    assert candidate.reason.name == "budget"
    assert candidate.reason.evidence == "the 1e-09 seconds were used up after 6 iterations"


def test_the_same_table_gives_the_same_bits():
    first, second = (fit(prepared("multiclass")).predictor for _ in range(2))
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
    assert first.path == second.path


def test_its_history_is_that_of_the_last_fit():
    candidate = fit(prepared("binary"))
    certificate = candidate.predictor.certificate
    frame = candidate.history.to_pandas()
    assert list(frame) == ["step", "loss", "duality_gap"]
    assert len(frame) == certificate.reason.step + 1
    assert frame["loss"].min() == certificate.value
    assert 0 <= certificate.gap - frame["duality_gap"].iloc[-1] < 0.01 * penalties.TOL  # coefficients to float32
