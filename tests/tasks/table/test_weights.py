"""Weights of rows: a row of weight 2 is the row twice, to the linear model, to networks, and in scores."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score

from descend.engine.interruption import Interruption
from descend.tasks.common.choosing.scoring import losses_and_scores, row_scores
from descend.tasks.common.fitted import score_of
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.table.candidate import TrainingContext
from descend.tasks.table.linear import path as penalties
from descend.tasks.table.linear.path import fit_linear
from descend.tasks.table.networks.ensemble import Shape, TrainingLoss, build
from descend.tasks.table.task import table_task
from descend.tasks.table.training import without_warnings

RNG = np.random.default_rng(0)
ROWS = 100
# So many times each row that is learnt from is there.
_HALF = RNG.integers(1, 20, 40)
TIMES = np.concatenate([_HALF, 20 - _HALF])
KINDS = ["regression", "binary", "multiclass"]


def prepared(kind):
    frame = pd.DataFrame(RNG.normal(size=(ROWS, 3)), columns=list("abc"))
    score = frame["a"] - frame["b"] + RNG.normal(size=ROWS)
    named = {"binary": np.where(score > 0, "over", "under"), "multiclass": np.digitize(score, [-1, 1]).astype(str)}
    frame["t"] = named.get(kind, 1000 + 50 * score)
    return table_task(Table(frame, "t", "0"), Settings("t")).prepare()


def weighted(ready):
    """The table with weights, and with each row as often as it weighs."""
    often = np.repeat(np.arange(len(TIMES)), TIMES)
    one = replace(ready, training=replace(ready.training, weights=TIMES / TIMES.mean()))
    return one, replace(ready, training=ready.training.chosen(often), folds=ready.folds[often])


def fit(ready):
    with without_warnings():
        return fit_linear(ready, TrainingContext(Settings("t"), Interruption()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_2_is_the_row_twice_to_the_linear_model(kind, monkeypatch):
    for name in ("TOL", "ROUGH_TOL"):
        monkeypatch.setattr(penalties, name, 1e-10)
    # Penalties are relative to how much all rows count.
    monkeypatch.setattr(penalties, "_penalties", lambda rows: [rows / len(TIMES)])
    one, other = (fit(ready).predictor for ready in weighted(prepared(kind)))
    assert one.path.losses == pytest.approx(other.path.losses, rel=1e-6)
    np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.intercepts, other.intercepts, rtol=1e-4, atol=1e-5)
    assert one.certificate.value == pytest.approx(other.certificate.value, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_certificate_is_of_the_weighted_objective(kind):
    """The minimum that scikit-learn finds with the same weights is between the bounds."""
    ready, _ = weighted(prepared(kind))
    linear, rows, weights = fit(ready).predictor, ready.training, ready.training.weights
    penalty, certificate = linear.path.penalty, linear.certificate
    peer = (Ridge(penalty) if kind == "regression" else
            LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-8, max_iter=1000))
    peer.fit(rows.inputs.astype(float), rows.targets, weights)
    if kind == "regression":
        loss = mean_squared_error(rows.targets, peer.predict(rows.inputs), sample_weight=weights) / 2
    else:
        loss = log_loss(rows.targets, peer.predict_proba(rows.inputs), sample_weight=weights)
    least = loss + penalty * (peer.coef_**2).sum() / 2 / len(rows)
    assert certificate.value - certificate.gap <= least * (1 + 1e-7)
    assert certificate.value >= least * (1 - 1e-7)
    assert certificate.relative <= penalties.TOL


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_2_is_the_row_twice_to_networks(kind):
    one, other = weighted(prepared(kind))
    model = build(Shape("mlp", 2, kind, 3, one.target.outputs, 5, width=8), 0)
    values = []
    for ready in (one, other):
        examples = ready.training
        # A sum is divided by how many rows each member sees: by members, folds weigh differently.
        rows = (examples.inputs, examples.targets, ready.folds * 0 - 1, examples.every_weight)
        values.append(float(TrainingLoss(kind)(model, tuple(map(jnp.asarray, rows)))))
    assert values[0] == pytest.approx(values[1], rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_losses_are_those_of_scikit_learn_with_weights(kind):
    weights = RNG.integers(1, 9, 50) * 1e-3
    outputs = RNG.normal(size=(50, 3 if kind == "multiclass" else 1))
    truth = RNG.normal(size=50) if kind == "regression" else RNG.integers(0, len(outputs[0]) + (kind == "binary"), 50)
    losses, scores = losses_and_scores(outputs, truth, kind, weights)
    target = Target(kind, () if kind == "regression" else tuple("abc"), "")
    if kind == "regression":
        made = outputs[:, 0]
        wanted = r2_score(truth, made, sample_weight=weights)
        loss = mean_squared_error(truth, made, sample_weight=weights) / 2
    else:
        made = softmax(outputs, axis=1) if kind == "multiclass" else np.hstack([1 - expit(outputs), expit(outputs)])
        wanted = accuracy_score(truth, made.argmax(axis=1), sample_weight=weights)
        loss = log_loss(truth, made, sample_weight=weights)
    assert losses.mean() == pytest.approx(loss)
    assert scores.mean() == pytest.approx(wanted)
    assert row_scores(made, truth, kind, weights).mean() == pytest.approx(wanted)
    assert score_of(made, truth, target, weights) == pytest.approx(wanted)
