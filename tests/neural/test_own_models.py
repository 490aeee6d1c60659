"""Models of other libraries and data of every kind: what `docs/your-own-model.md` promises."""


import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, InputError, losses, minimize
from descend.engine.storing import tree_to_arrays
from descend.sources import is_loader


def bits(tree):
    return [array.tobytes() for array in tree_to_arrays(tree, "").values()]


# ------------------------------------------------------------------------------------------------------- loaders


class Loader:
    """A list of batches behind the protocol of a loader."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


def mean_square(p, batch):
    return 0.5 * ((p - batch) ** 2).mean(), {"first": batch[0]}


def batches_of(firsts):
    return [np.full(3, first, np.float32) for first in firsts]


PLAIN = {"optimizer": SGD(0.1), "stop": []}


def test_a_loader_is_gone_through_epoch_after_epoch():
    fit = minimize(mean_square, 0.0, Loader(batches_of([1, 2, 5])), epochs=2, **PLAIN)
    assert fit.history["first"].tolist() == [1, 2, 5, 1, 2, 5]
    assert "2 epochs (6 steps)" in fit.reason.evidence


def test_a_loader_is_told_the_epoch():
    class Told(Loader):
        def set_epoch(self, epoch):
            self.batches = batches_of([10 * epoch, 10 * epoch + 1])

    fit = minimize(mean_square, 0.0, Told(batches_of([0, 0])), epochs=3, **PLAIN)
    assert fit.history["first"].tolist() == [0, 1, 10, 11, 20, 21]


def test_a_loader_may_use_its_memory_again():
    class Reusing(Loader):
        def __iter__(self):
            memory = np.empty(3, np.float32)
            for batch in self.batches:
                memory[:] = batch
                yield memory

    fit = minimize(mean_square, 0.0, Reusing(batches_of([1, 2, 5])), epochs=2, **PLAIN)
    assert fit.history["first"].tolist() == [1, 2, 5, 1, 2, 5]


def test_batches_of_another_structure_are_not_mixed_up():
    def loss(p, batch):
        (name, value), = batch.items()
        return ((p - value) ** 2).mean(), {"name": jnp.float32(len(name))}

    fit = minimize(loss, 0.0, Loader([{"a": np.ones(2)}, {"bb": np.ones(2)}]), steps=4, **PLAIN)
    assert fit.history["name"].tolist() == [1, 2, 1, 2]


def numbers(dataset_of):
    """A shuffling loader of PyTorch's of the numbers 0 to 19, and a loss that records them."""
    torch = pytest.importorskip("torch", reason="shuffles: pip install torch")
    generator = torch.Generator().manual_seed(7) if dataset_of == "generator" else None
    examples = torch.utils.data.TensorDataset(torch.arange(20.0))
    return torch.utils.data.DataLoader(examples, batch_size=4, shuffle=True, generator=generator)


def seen(p, batch):
    return mean_square(p, batch[0])[0], {"batch": batch[0]}


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["global", "generator"])
def test_a_loader_of_pytorch_resumes_in_the_middle_of_an_epoch(kind, tmp_path):
    torch = pytest.importorskip("torch", reason="shuffles: pip install torch")
    torch.manual_seed(5)
    whole = minimize(seen, 0.0, numbers(kind), steps=13, **PLAIN)
    orders = whole.history["batch"][:10].reshape(2, 20)
    assert (np.sort(orders) == np.arange(20)).all()
    assert (orders[0] != orders[1]).any()
    minimize(seen, 0.0, numbers(kind), steps=8, checkpoint=tmp_path / "run", **PLAIN)
    resumed = minimize(seen, 0.0, numbers(kind), steps=13, checkpoint=tmp_path / "run", resume=True, **PLAIN)
    assert resumed.run.step == 13
    assert resumed.history["batch"].tobytes() == whole.history["batch"].tobytes()
    assert bits(resumed.run.state) == bits(whole.run.state)


@pytest.mark.peers
def test_a_loader_of_pytorch_follows_its_seed_and_leaves_the_random_numbers_alone():
    torch = pytest.importorskip("torch", reason="shuffles: pip install torch")

    def order(seed):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        found = minimize(seen, 0.0, numbers("global"), epochs=1, **PLAIN).history["batch"].tolist()
        assert (torch.random.get_rng_state() == before).all()
        return found

    assert order(0) != order(1)


def test_a_loader_without_an_order_is_not_resumed(tmp_path):
    rng = np.random.default_rng(0)

    class Shuffling(Loader):
        def __iter__(self):
            return iter([self.batches[i] for i in rng.permutation(len(self.batches))])

    loader = lambda: Shuffling(batches_of(range(20)))
    minimize(mean_square, 0.0, loader(), steps=13, checkpoint=tmp_path / "run", **PLAIN)
    with pytest.raises(InputError, match="epoch 0 began with other batches before"):
        minimize(mean_square, 0.0, loader(), steps=17, checkpoint=tmp_path / "run", resume=True, **PLAIN)


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (Loader(batches_of([1])), {"batch_size": 2}, "the batches come from Loader, which has its own"),
        ((batch for batch in batches_of([1])), {}, "an iterator, which gives its batches only once: give a function"),
        (Loader([]), {}, "gave no batch in epoch 0"),
        (Loader([{"text": np.array(["a", "b"])}]), {}, "a batch must be arrays of numbers, but 'text' has dtype <U1"),
    ],
    ids=["batch size", "generator", "empty", "texts"],
)
def test_loaders_that_are_refused(data, settings, message):
    with pytest.raises(InputError, match=message):
        minimize(mean_square, 0.0, data, steps=2, **settings)


def test_a_loader_that_knows_no_length_needs_steps():
    class Endless(Loader):
        __len__ = None

    with pytest.raises(InputError, match="give steps= or seconds= instead"):
        minimize(mean_square, 0.0, Endless(batches_of([1])))
    assert minimize(mean_square, 0.0, Endless(batches_of([1])), steps=3, **PLAIN).reason.step == 3


@pytest.mark.parametrize(
    "data",
    [np.ones(3), jnp.ones(3), [1.0, 2.0], [np.ones(3)], (np.ones(3), np.ones(3)), {"x": np.ones(3)}, range(3), "text",
     {1.0, 2.0}, {"x": 1.0}.values(), None, memoryview(b"abc")],
    ids=lambda data: type(data).__name__,
)  # fmt: skip
def test_what_is_data_is_no_loader(data):
    assert not is_loader(data)


def test_frames_and_sparse_matrices_are_no_loaders():
    import pandas as pd
    import scipy.sparse

    for data in (pd.DataFrame({"a": [1.0]}), pd.Series([1.0]), scipy.sparse.csr_matrix(np.eye(2)),
                 scipy.sparse.csr_array(np.eye(2))):  # fmt: skip
        assert not is_loader(data)


# ------------------------------------------------------------------------------------------------ shapes that differ


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "message"),
    [
        (losses.squared, (8, 1), (8,), r"predictions of shape \(8, 1\) do not fit targets of shape \(8,\)"),
        (losses.absolute, (8,), (8, 1), r"predictions of shape \(8,\) .* need the shape \(8, 1\)"),
        (losses.huber, (8, 2), (8,), r"\(8, 2\)"),
        (losses.logistic, (8, 1), (8,), r"\(8, 1\)"),
        (losses.hinge, (8, 1), (8,), r"\(8, 1\)"),
        (losses.poisson, (8, 1), (8,), r"\(8, 1\)"),
        (losses.softmax_cross_entropy, (8, 3), (8, 1),
         r"predictions of shape \(8, 3\) .* targets of shape \(8, 1\), .* need the shape \(8, 1, 'classes'\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_a_prediction_that_does_not_fit_its_target(loss, prediction, target, message):
    """Without the types that the other tests enforce: a column against a row would be broadcast to a square."""
    function = getattr(loss, "__wrapped__", loss)
    dtype = jnp.int32 if loss is losses.softmax_cross_entropy else jnp.float32
    with pytest.raises(InputError, match=message):
        function(jnp.ones(prediction), jnp.zeros(target, dtype))


def test_a_single_number_fits_all():
    function = getattr(losses.squared, "__wrapped__", losses.squared)
    assert function(jnp.ones(3), 0.0).tolist() == [0.5] * 3
    assert function(jnp.ones(()), jnp.zeros(3)).tolist() == [0.5] * 3


def test_a_network_that_does_not_fit_is_named_where_it_is_descended_on():
    function = getattr(losses.squared, "__wrapped__", losses.squared)
    loss = lambda w, batch: function(batch[0] @ w, batch[1]).mean()
    with pytest.raises(InputError, match="do not fit targets") as caught:
        minimize(loss, np.zeros((2, 1)), (np.ones((8, 2)), np.ones(8)))
    assert any("'0' float32[8, 2], '1' float32[8]" in note for note in caught.value.__notes__)
