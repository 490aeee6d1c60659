"""Spectra of a LeNet's loss, beside those of curvlinops and hessian-eigenthings on PyTorch's twin of it.

curvlinops is not among the extra `peers`, because it asks for torchvision, with which Transformers may then fail: the
test of it runs where somebody has installed `curvlinops-for-pytorch` (3.0.1 agreed), and is skipped elsewhere.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, begin, losses
from descend.engine.curvature import flat
from descend.insight import spectrum

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated:DeprecationWarning"),  # by curvlinops
]

RNG = np.random.default_rng(0)
ROWS = 8
IMAGES = RNG.normal(size=(ROWS, 1, 28, 28)).astype(np.float32)
CLASSES = RNG.integers(10, size=ROWS)
SHAPES = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)]
WEIGHTS = [(RNG.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32) for shape in SHAPES]


def loss(weights, batch):
    """Of LeNet-5, with hyperbolic tangents and means."""
    x, y = batch
    for i, padding in ((0, 2), (2, 0)):
        around = [(padding, padding)] * 2
        x = jax.lax.conv_general_dilated(x, weights[i], (1, 1), around) + weights[i + 1][:, None, None]
        n, c, h, w = x.shape
        x = jnp.tanh(x).reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
    x = x.reshape(len(x), -1)
    for i in (4, 6, 8):
        x = x @ weights[i].T + weights[i + 1]
        x = jnp.tanh(x) if i < 8 else x
    return losses.softmax_cross_entropy(x, y).mean()


@pytest.fixture(scope="module")
def twin():
    """PyTorch's, with the same weights, and its data."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), WEIGHTS, strict=True):
            parameter.copy_(torch.tensor(weight))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # they would wait for each other, at every operation, on a machine that is busy
    yield model, [(torch.tensor(IMAGES), torch.tensor(CLASSES))]
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run():
    return begin(loss, WEIGHTS, (IMAGES, CLASSES), optimizer=SGD(0.1), batch_size=ROWS)


@pytest.fixture(scope="module")
def found(run):
    return spectrum(run, products=40, batches=4)


def test_as_curvlinops_has_it(run, found, twin):
    curvlinops = pytest.importorskip("curvlinops")
    from scipy.sparse.linalg import eigsh
    from torch.nn import CrossEntropyLoss

    model, data = twin
    hessian = curvlinops.HessianLinearOperator(model, CrossEntropyLoss(), list(model.parameters()), data).to_scipy()
    ends = eigsh(hessian, k=2, which="BE", return_eigenvectors=False, tol=1e-6)
    for ours, theirs in zip((found.smallest, found.largest), sorted(ends), strict=True):
        assert abs(ours.value - theirs) <= ours.residual + 1e-5 * max(abs(ends))
    v = flat(found.largest.direction)
    np.testing.assert_allclose(hessian @ v, found.largest.value * v, atol=2e-3 * found.largest.value)


def test_as_hessian_eigenthings_has_it(found, twin):
    eigenthings = pytest.importorskip("hessian_eigenthings")
    from torch.nn import CrossEntropyLoss

    model, data = twin
    hessian = eigenthings.HessianOperator(model, data, eigenthings.supervised_loss(CrossEntropyLoss()))
    for ours, which in ((found.smallest, "SA"), (found.largest, "LA")):
        theirs = float(eigenthings.lanczos(hessian, k=1, max_iter=40, which=which, seed=0).eigenvalues[0])
        assert abs(ours.value - theirs) <= ours.residual + 1e-3 * found.largest.value
    traces = eigenthings.hutchinson(hessian, num_samples=30, seed=0)
    assert abs(found.trace - float(traces.estimate)) < 4 * np.hypot(found.trace_error, float(traces.stderr))
