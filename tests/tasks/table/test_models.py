"""Ensembles: each member learns from what it may see, as if it were alone, and predicts what it has not seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, log_loss, r2_score

from descend.tasks.common.choosing.scoring import losses_and_scores
from descend.tasks.table.networks.ensemble import (
    DropoutLoss,
    Shape,
    TrainingLoss,
    build,
    mean_prediction,
    row_losses,
)

RNG = np.random.default_rng(0)
ROWS, FEATURES, MEMBERS = 30, 4, 3
X = jnp.asarray(RNG.normal(size=(ROWS, FEATURES)), jnp.float32)
FOLDS = jnp.arange(ROWS, dtype=jnp.int32) % MEMBERS
ALIKE = jnp.ones(ROWS, jnp.float32)
TARGETS = {
    "regression": jnp.asarray(RNG.normal(size=ROWS), jnp.float32),
    "binary": jnp.asarray(RNG.integers(0, 2, ROWS), jnp.int32),
    "multiclass": jnp.asarray(RNG.integers(0, 3, ROWS), jnp.int32),
}
TASKS = list(TARGETS)


def shape(architecture, task, members=MEMBERS):
    hidden, outputs = 2 if architecture == "mlp" else 0, 3 if task == "multiclass" else 1
    return Shape(architecture, hidden, task, FEATURES, outputs, members, width=8)


def test_linear_members_start_at_zero():
    model = build(shape("linear", "multiclass"), 0)
    assert not any(array.any() for array in jax.tree.leaves(model))
    assert model.gates is None


def test_perceptrons_start_at_random_within_the_bounds_of_their_inputs():
    first, same, other = (build(shape("mlp", "regression"), seed) for seed in (0, 0, 1))
    assert not first.gates.any()
    sizes = zip((4, 8, 8), (8, 8, 1), strict=True)
    for layer, (inputs, outputs) in enumerate(sizes):
        for what, size in (("weights", (MEMBERS, inputs, outputs)), ("biases", (MEMBERS, 1, outputs))):
            one, again, different = (getattr(model, what)[layer] for model in (first, same, other))
            assert one.shape == size
            assert (one == again).all()
            assert (one != different).all()
            assert (one[0] != one[1]).all()
            assert np.abs(one).max() <= inputs**-0.5 < 4 * np.abs(one).max()


def test_as_many_numbers_as_its_shape_says():
    for architecture in ("linear", "mlp"):
        model = build(shape(architecture, "multiclass"), 0)
        assert sum(array.size for array in jax.tree.leaves(model)) == model.shape.size


@pytest.mark.parametrize("architecture", ["linear", "mlp"])
def test_a_member_is_the_network_that_its_weights_say(architecture):
    """Beside a plain one, in double precision."""
    rng = np.random.default_rng(1)
    drawn = lambda array: rng.normal(size=array.shape).astype(np.float32)
    model = jax.tree.map(drawn, build(shape(architecture, "multiclass"), 0))
    for number in range(MEMBERS):
        x = np.asarray(X, float)
        if architecture == "mlp":
            x = x * (1 + 5 * model.gates[number, :, 0].astype(float))
        for layer, (weights, biases) in enumerate(zip(model.weights, model.biases, strict=True)):
            x = np.maximum(x, 0) if layer else x
            x = x @ weights[number].astype(float) + biases[number]
        scale = np.abs(x).max()
        np.testing.assert_allclose(model(np.asarray(X))[number], x, atol=1e-5 * scale)
        np.testing.assert_allclose(model(X)[number], x, atol=1e-5 * scale)
        np.testing.assert_array_equal(model.member(number).weights[0], model.weights[0][number : number + 1])


def test_dropout_leaves_out_a_share_of_the_hidden_activations_and_none_without_a_key():
    """On average over what is drawn, a network with one hidden layer gives what it gives without dropout."""
    model = build(Shape("mlp", 1, "regression", FEATURES, 1, MEMBERS, width=8), 0)
    batch = (X, TARGETS["regression"], FOLDS, ALIKE)
    loss = DropoutLoss("regression", 0.5)
    plain = TrainingLoss("regression")(model, batch)
    assert loss(model, batch) == plain
    many = jax.jit(jax.vmap(lambda key: loss(model, batch, key)))(jax.random.split(jax.random.key(0), 500))
    assert np.unique(many).size > 400
    # The loss is a square: the mean lies above by half the variance of the scores.
    assert plain < many.mean() < plain + 0.5


def gradients(task, model, batch):
    """Of the training loss, per number of the model; the members come first."""
    found = jax.grad(lambda model: TrainingLoss(task)(model, batch))(model)
    return np.concatenate([np.reshape(array, (len(array), -1)) for array in jax.tree.leaves(found)], axis=1)


@pytest.mark.parametrize("task", TASKS)
def test_a_member_does_not_learn_from_its_own_fold(task):
    model = build(shape("mlp", task), 0)
    changed = jnp.where((FOLDS == 1)[:, None], X + 1, X)
    before, after = (gradients(task, model, (rows, TARGETS[task], FOLDS, ALIKE)) for rows in (X, changed))
    assert [np.array_equal(*pair) for pair in zip(before, after, strict=True)] == [False, True, False]


@pytest.mark.parametrize("task", TASKS)
def test_a_member_descends_as_if_it_were_alone(task):
    """The gradient of one among others is that of its own mean loss on the rows it sees, and the value is the mean."""
    model = build(shape("mlp", task), 0)
    together = gradients(task, model, (X, TARGETS[task], FOLDS, ALIKE))
    losses = []
    for member in range(MEMBERS):
        alone = model.member(member)
        rows = member != FOLDS
        # No row is in fold 0, which is its own.
        batch = (X[rows], TARGETS[task][rows], jnp.ones(rows.sum(), jnp.int32), ALIKE[rows])
        losses.append(TrainingLoss(task)(alone, batch))
        np.testing.assert_allclose(together[member], gradients(task, alone, batch)[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(TrainingLoss(task)(model, (X, TARGETS[task], FOLDS, ALIKE)), np.mean(losses), rtol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_validation_asks_for_each_row_the_member_that_has_not_seen_it(task):
    model = build(shape("mlp", task), 0)
    rows, truth, folds = (np.asarray(array) for array in (X, TARGETS[task], FOLDS))
    scores = model.unseen(rows, folds)
    np.testing.assert_allclose(scores, model(rows)[folds, np.arange(ROWS)], rtol=1e-5)
    losses, row_scores = losses_and_scores(scores, truth, task)
    if task == "regression":
        expected = r2_score(truth, scores[:, 0])
    elif task == "binary":
        expected = accuracy_score(truth, scores[:, 0] > 0)
        np.testing.assert_allclose(losses.mean(), log_loss(truth, expit(scores[:, 0])), rtol=1e-6)
    else:
        expected = accuracy_score(truth, scores.argmax(axis=1))
        np.testing.assert_allclose(losses.mean(), log_loss(truth, softmax(scores, axis=1)), rtol=1e-6)
    assert row_scores.shape == losses.shape == (ROWS,)
    np.testing.assert_allclose(row_scores.mean(), expected, rtol=1e-5)  # scikit-learn computes it in single precision
    trained_by = row_losses(jnp.asarray(scores[None]), TARGETS[task], task)[0]
    np.testing.assert_allclose(losses, trained_by, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_far_scores_are_judged_without_overflow(task):
    scores = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], np.float32)[:, : 3 if task == "multiclass" else 1]
    losses, _ = losses_and_scores(scores, np.array([0, 0]), task)
    expected = {"regression": [5e7, 5e7], "binary": [1e4, 0], "multiclass": [0, 2e4]}
    np.testing.assert_allclose(losses, expected[task])


@pytest.mark.parametrize("task", TASKS)
def test_an_ensemble_predicts_the_mean_of_its_members(task):
    members = build(shape("mlp", task), 0)(np.asarray(X))
    predicted = mean_prediction(members, task)
    if task == "regression":
        np.testing.assert_allclose(predicted, members[:, :, 0].mean(axis=0), rtol=1e-5)
        return
    chances = members if task == "multiclass" else np.concatenate([np.zeros_like(members), members], axis=-1)
    np.testing.assert_allclose(predicted, softmax(chances, axis=-1).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, rtol=1e-5)
