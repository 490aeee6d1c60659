"""Ensembles: each member learns from what it may see, as if it were alone, and predicts what it has not seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score

from descend._tree import join, split
from descend.tables.models import Shape, TrainingLoss, ValidationLoss, build, mean_prediction, predict, row_losses

RNG = np.random.default_rng(0)
ROWS, FEATURES, MEMBERS = 30, 4, 3
X = jnp.asarray(RNG.normal(size=(ROWS, FEATURES)), jnp.float32)
FOLDS = jnp.arange(ROWS, dtype=jnp.int32) % MEMBERS
TARGETS = {
    "regression": jnp.asarray(RNG.normal(size=ROWS), jnp.float32),
    "binary": jnp.asarray(RNG.integers(0, 2, ROWS), jnp.int32),
    "multiclass": jnp.asarray(RNG.integers(0, 3, ROWS), jnp.int32),
}
TASKS = list(TARGETS)


def shape(architecture, task, members=MEMBERS):
    return Shape(architecture, task, FEATURES, 3 if task == "multiclass" else 1, members, width=8)


def test_linear_members_start_at_zero():
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(split(build(shape("linear", "multiclass"), 0))[0]))


def test_perceptrons_start_at_random_within_the_bounds_of_their_inputs():
    first, same, other = (build(shape("mlp", "regression"), seed) for seed in (0, 0, 1))
    layers = zip(*(ensemble.networks.layers for ensemble in (first, same, other)), (4, 8, 8), strict=True)
    for layer, again, differs, inputs in layers:
        assert layer.weight.shape[0] == MEMBERS
        assert np.abs(layer.weight).max() <= inputs**-0.5 < 1.5 * np.abs(layer.weight).max()
        assert (layer.weight == again.weight).all()
        assert (layer.weight != differs.weight).all()
        assert (layer.weight[0] != layer.weight[1]).all()


def gradients(task, model, batch):
    """Of the training loss, per number of the model; each has the members first."""
    numbers, rest = split(model)
    return jax.tree.leaves(jax.grad(lambda numbers: TrainingLoss(task)(join(numbers, rest), batch))(numbers))


@pytest.mark.parametrize("task", TASKS)
def test_a_member_does_not_learn_from_its_own_fold(task):
    model = build(shape("mlp", task), 0)
    changed = jnp.where((FOLDS == 1)[:, None], X + 1, X)
    before, after = (gradients(task, model, (rows, TARGETS[task], FOLDS)) for rows in (X, changed))
    same = np.array([[np.array_equal(a[m], b[m]) for m in range(MEMBERS)] for a, b in zip(before, after, strict=True)])
    assert same[:, 1].all()
    assert not same[:, [0, 2]].all(axis=0).any()


@pytest.mark.parametrize("task", TASKS)
def test_a_member_descends_as_if_it_were_alone(task):
    """The gradient of one among others is that of its own mean loss on the rows it sees, and the value is the mean."""
    model = build(shape("mlp", task), 0)
    together = gradients(task, model, (X, TARGETS[task], FOLDS))
    losses = []
    for member in range(MEMBERS):
        numbers, rest = split(model)
        alone = join(jax.tree.map(lambda x, member=member: x[member : member + 1], numbers), rest)
        rows = member != FOLDS
        batch = (X[rows], TARGETS[task][rows], jnp.ones(rows.sum(), jnp.int32))  # no row is in fold 0, which is its own
        losses.append(TrainingLoss(task)(alone, batch))
        for whole, single in zip(together, gradients(task, alone, batch), strict=True):
            np.testing.assert_allclose(whole[member], single[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(TrainingLoss(task)(model, (X, TARGETS[task], FOLDS)), np.mean(losses), rtol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_validation_asks_for_each_row_the_member_that_has_not_seen_it(task):
    model = build(shape("mlp", task), 0)
    loss, values = ValidationLoss(task)(model, (X, TARGETS[task], FOLDS))
    scores = model(X)[FOLDS, np.arange(ROWS)]
    truth = TARGETS[task]
    if task == "regression":
        expected = r2_score(truth, scores[:, 0])
        assert values["merits"].shape == (ROWS,)
    elif task == "binary":
        expected = accuracy_score(truth, scores[:, 0] > 0)
        np.testing.assert_allclose(loss, log_loss(truth, jax.nn.sigmoid(scores[:, 0])), rtol=1e-5)
    else:
        expected = accuracy_score(truth, scores.argmax(axis=1))
        np.testing.assert_allclose(loss, log_loss(truth, jax.nn.softmax(scores)), rtol=1e-5)
    np.testing.assert_allclose(values["score"], expected, rtol=1e-5)
    np.testing.assert_allclose(values["merits"].mean(), expected, rtol=1e-5)
    np.testing.assert_allclose(loss, row_losses(scores, truth, task).mean(), rtol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_an_ensemble_predicts_the_mean_of_its_members(task):
    model = build(shape("mlp", task), 0)
    predicted = predict(model, X, task)
    members = model(X)
    np.testing.assert_allclose(predicted, mean_prediction(members, task), rtol=1e-5)
    if task == "regression":
        np.testing.assert_allclose(predicted, members[:, :, 0].mean(axis=0), rtol=1e-5)
    else:
        assert predicted.shape == (ROWS, len(np.unique(TARGETS[task])))
        np.testing.assert_allclose(predicted.sum(axis=1), 1, rtol=1e-5)
