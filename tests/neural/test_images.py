"""`ConvClassifier`: it learns, comes back bit for bit, and refuses what is no set of images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from descend import AdamW
from descend.errors import InputError
from descend.neural import ConvClassifier
from descend.neural._augmentation import Augment
from descend.neural._lenet import LeNet
from descend.neural._residual import (
    BATCH_NORM_EPS,
    BATCH_NORM_MOMENTUM,
    Residual,
    RunningStatistics,
    batch_norm,
    space_to_depth,
)
from descend.schedules import Cosine

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    images = (data.images * 15).astype(np.uint8)
    return train_test_split(images, data.target, test_size=0.25, random_state=0, stratify=data.target)


def small(**settings):
    """With batch normalisation, dropout, augmentation and an average of the weights; all such fits share a program."""
    return ConvClassifier(**{
        "width": 16, "epochs": 10, "batch_size": 32, "optimizer": AdamW(Cosine(0.01, steps=420, warmup=42)),
        "shift": 1, "dropout": 0.1, "ema": 0.98, "validation_fraction": 0.0, "random_state": 0, **settings,
    })  # fmt: skip


@pytest.fixture(scope="module")
def fitted(digits):
    X, _, y, _ = digits
    return small().fit(X, y)


def test_digits_are_told_apart(fitted, digits):
    _, X, _, y = digits
    assert fitted.score(X, y) > 0.98  # logistic regression on the same pixels has 0.96
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)


def test_an_image_is_predicted_by_itself(fitted, digits):
    """After training, what else is in a batch does not matter, as it does to batch normalisation in training."""
    _, X, _, _ = digits
    np.testing.assert_allclose(fitted.predict_proba(X)[:3], fitted.predict_proba(X[:3]), atol=1e-5)


def test_the_channel_of_grey_images_may_be_left_out(fitted, digits):
    _, X, _, _ = digits
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(X[..., None]))


class SeenError(Exception):
    """What `minimize` was given."""


def test_bytes_stay_bytes_until_a_step(digits, monkeypatch):
    def spy(loss, network, data, **settings):
        raise SeenError(data[0].dtype)

    monkeypatch.setattr("descend.neural._estimator.Trainer.begin", spy)
    X, _, y, _ = digits
    with pytest.raises(SeenError, match="uint8"):
        small().fit(X, y)


def test_training_goes_on_bit_for_bit(digits, tmp_path):
    X, _, y, _ = digits
    whole = small(epochs=0.2).fit(X, y)
    begun = small(epochs=0.1, checkpoint=tmp_path / "run.safetensors").fit(X, y)
    resumed = small(epochs=0.2, checkpoint=tmp_path / "run.safetensors").fit(X, y)
    assert len(begun.loss_curve_) < len(resumed.loss_curve_) == len(whole.loss_curve_)
    for ours, theirs in zip(jax.tree.leaves((resumed.network_, resumed.state_)),
                            jax.tree.leaves((whole.network_, whole.state_)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_lenet_learns(digits):
    X, X_test, y, y_test = digits
    wide = lambda images: images.repeat(2, 1).repeat(2, 2)
    model = small(model="lenet", optimizer=AdamW(Cosine(0.005)), epochs=8, batch_size=64).fit(wide(X), y)
    assert model.score(wide(X_test), y_test) > 0.95


def test_settings_are_scikit_learns():
    model = clone(ConvClassifier(width=5, flip=True))
    assert (model.get_params()["width"], model.get_params()["flip"]) == (5, True)


# --------------------------------------------------------------------------------------------- what is refused


def images(count=40, shape=(8, 8), dtype=np.float32):
    return RNG.integers(0, 256, (count, *shape)).astype(dtype), np.arange(count) % 2


def refused(message):
    return pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$")


def test_a_pixel_that_is_no_number():
    X, y = images()
    X[7, 2, 5] = np.nan
    with refused("image 7 has a pixel that is nan, at row 2 and column 5"):
        small().fit(X, y)
    X[7, 2, 5] = np.inf
    with refused("image 7 has a pixel that is inf"):
        small().fit(X, y)


def test_one_class():
    X, y = images()
    with refused("y holds 1 class"):
        small().fit(X, np.zeros_like(y))


def test_images_and_classes_of_different_counts():
    X, y = images()
    with refused("40 images, but 39 classes"):
        small().fit(X, y[:-1])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((5, 64)), r"images must be an array \(count, height, width\).*have the shape \(5, 64\)"),
        ([np.zeros((5, 5)), np.zeros((5, 6))], "the images differ in size"),
        (np.zeros((0, 8, 8)), r"there are no images, but an array of shape \(0, 8, 8\)"),
        (np.full((4, 8, 8), "a"), "images must be arrays of real numbers, but are of type"),
        (np.zeros((4, 8, 8), complex), "images must be arrays of real numbers, but are of type complex128"),
    ],
    ids=["tables", "sizes", "none", "letters", "complex"],
)
def test_what_are_no_images(X, message):
    with refused(message):
        small().fit(X, np.arange(len(X)) % 2)


def test_other_images_than_those_trained_on(fitted):
    with refused("the images are 9×8×1 .*, but those trained on were 8×8×1"):
        fitted.predict(np.zeros((3, 9, 8), np.uint8))
    with refused("are of type float64, but those trained on were bytes"):
        fitted.predict(np.zeros((3, 8, 8)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "vgg"}, "model must be one of residual, lenet, but is 'vgg'"),
        ({"shift": -1}, 'shift must be "auto", or a number of pixels'),
        ({"shift": 0.5}, 'shift must be "auto", or a number of pixels'),
        ({"width": 0}, "width must be at least 1"),
        ({"dropout": 1.0}, "dropout must be at least 0 and less than 1"),
        ({"model": "lenet"}, "LeNet needs images of at least 12×12 pixels, but these are 8×8"),
    ],
    ids=str,
)
def test_settings_that_mean_nothing(settings, message):
    with refused(message):
        small(**settings).fit(*images())


# ------------------------------------------------------------------------------------------------- the parts


def test_normalisation_by_hand():
    x = RNG.normal(3, 2, (4, 5, 6, 2))
    gain, bias = np.array([0.5, 2.0]), np.array([1.0, -1.0])
    before = RunningStatistics(np.array([9.0, 8.0]), np.array([7.0, 6.0]))
    flat = x.reshape(-1, 2)
    mean, var, unbiased = flat.mean(0), flat.var(0), flat.var(0, ddof=1)
    with jax.enable_x64(True):
        y, after = batch_norm(*map(jnp.asarray, (x, gain, bias)), before, training=True)
        used, unchanged = batch_norm(*map(jnp.asarray, (x, gain, bias)), before, training=False)
    np.testing.assert_allclose(y, gain * (x - mean) / np.sqrt(var + BATCH_NORM_EPS) + bias, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(after.mean, 0.9 * before.mean + 0.1 * mean, rtol=1e-12)
    np.testing.assert_allclose(after.var, 0.9 * before.var + 0.1 * unbiased, rtol=1e-12)
    expected = gain * (x - before.mean) / np.sqrt(before.var + BATCH_NORM_EPS) + bias
    np.testing.assert_allclose(used, expected, rtol=1e-12, atol=1e-12)
    assert unchanged is before


@pytest.mark.peers
def test_normalisation_is_pytorchs():
    """Values, gradients and running statistics of three batches in float64, and what comes of them after training."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    theirs = torch.nn.BatchNorm2d(3, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM, dtype=torch.float64)
    gain, bias = RNG.normal(size=(2, 3))
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(gain))
        theirs.bias.copy_(torch.tensor(bias))

    def loss(x, gain, bias, running, weight):
        y, after = batch_norm(x, gain, bias, running, training=True)
        return (y * weight).sum(), after

    ours = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))
    with jax.enable_x64(True):
        running = RunningStatistics(jnp.zeros(3), jnp.ones(3))
        for _ in range(3):
            x, weight = RNG.normal(1, 3, (2, 4, 5, 6, 3))
            batch = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
            theirs.zero_grad()
            (theirs(batch) * torch.tensor(weight.transpose(0, 3, 1, 2))).sum().backward()

            grads, running = ours(*map(jnp.asarray, (x, gain, bias)), running, weight)
            np.testing.assert_allclose(grads[0], batch.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(grads[1], theirs.weight.grad.numpy(), rtol=1e-10)
            np.testing.assert_allclose(grads[2], theirs.bias.grad.numpy(), rtol=1e-10)
            np.testing.assert_allclose(running.mean, theirs.running_mean.numpy(), rtol=1e-12)
            np.testing.assert_allclose(running.var, theirs.running_var.numpy(), rtol=1e-12)
        theirs.eval()
        y, _ = batch_norm(jnp.asarray(x), jnp.asarray(gain), jnp.asarray(bias), running, training=False)
        np.testing.assert_allclose(y, theirs(batch).detach().numpy().transpose(0, 2, 3, 1), rtol=1e-11, atol=1e-12)


@pytest.mark.peers
def test_lenet_is_the_books():
    """With the same weights, the scores of the book's network in PyTorch."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    nn = torch.nn
    ours = LeNet.drawn((28, 28, 1), 10, 0.0, 1 / 255, 0.0, RNG)
    theirs = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
    first = np.asarray(ours.matrices[0]).reshape(5, 5, 16, 120).transpose(3, 2, 0, 1).reshape(120, 400)
    weights = [*(np.asarray(k).transpose(3, 2, 0, 1) for k in ours.kernels), first,
               *(np.asarray(W).T for W in ours.matrices[1:])]
    layers = [layer for layer in theirs if hasattr(layer, "weight")]
    with torch.no_grad():
        for layer, weight, b in zip(layers, weights, ours.biases, strict=True):
            layer.weight.copy_(torch.tensor(weight.copy()))
            layer.bias.copy_(torch.tensor(np.array(b)))
        x = RNG.integers(0, 256, (4, 28, 28)).astype(np.uint8)
        expected = theirs(torch.tensor(x[:, None] / 255, dtype=torch.float32)).numpy()
    scores, _ = jax.jit(lambda x: ours(x, None, None))(x[..., None])
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("shape", "blocks", "squares"), [((8, 8, 1), 2, False), ((28, 28, 1), 2, True),
                                                          ((32, 40, 3), 3, True), ((64, 64, 3), 4, True)])
def test_the_residual_network_fits_the_size_of_images(shape, blocks, squares):
    network, state = Residual.drawn(shape, 3, 0.0, 1.0, 0.0, 2, RNG)
    assert (len(network.blocks), network.begins_with_squares) == (blocks, squares)
    scores, after = jax.eval_shape(network, jnp.zeros((2, *shape), jnp.uint8), state, jax.random.key(0))
    assert scores.shape == (2, 3)
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_squares_become_channels():
    x = RNG.normal(size=(2, 5, 6, 3)).astype(np.float32)
    y = np.asarray(space_to_depth(jnp.asarray(x)))
    assert y.shape == (2, 2, 3, 12)
    for r in range(2):
        for c in range(3):
            np.testing.assert_array_equal(y[:, r, c], x[:, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].reshape(2, -1))


def test_augmentation_moves_and_mirrors():
    """Each new image is one of the old one's shifts, mirrored or not; all of them come up, about equally often."""
    image = RNG.integers(0, 256, (6, 7, 2)).astype(np.uint8)
    count = 3600
    new = np.asarray(jax.jit(Augment(1, flip=True))(jnp.asarray(np.repeat(image[None], count, 0)), jax.random.key(3)))
    framed = np.pad(image, [(1, 1), (1, 1), (0, 0)], mode="edge")
    shifts = [framed[i : i + 6, j : j + 7] for i in range(3) for j in range(3)]
    expected = [np.ascontiguousarray(one[:, ::step]).tobytes() for one in shifts for step in (1, -1)]
    kinds, times = np.unique([expected.index(one.tobytes()) for one in new], return_counts=True)
    assert kinds.tolist() == list(range(18))
    assert new.dtype == np.uint8
    assert (abs(times - 200) < 5 * np.sqrt(200)).all()  # five standard deviations
