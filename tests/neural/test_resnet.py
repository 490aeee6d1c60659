"""Residual networks in torchvision's layout: read, computed and written as PyTorch has them; others are refused."""

import jax
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from descend.errors import CheckpointError, InputError
from descend.neural import ConvClassifier
from descend.neural._pictured import brought_to
from descend.neural._resnet import ResNetShape
from descend.neural.frozen import features_of, frozen
from descend.neural.resnet_files import read_weights
from descend.neural.starting import Plan, Start
from descend.neural.storing import from_parts, to_parts
from tiny_resnet import SHAPE, arrays_of, written

RNG = np.random.default_rng(0)
DEEP = ResNetShape((1, 2, 1, 1), 2, is_deep=True, channels=3)
PIXELS = RNG.integers(0, 256, (40, 9, 12, 3)).astype(np.uint8)
CLASSES = np.arange(40) % 3


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return written(tmp_path_factory.mktemp("weights") / "weights.safetensors")


@pytest.fixture(scope="module")
def trained(file):
    return ConvClassifier(start=file, epochs=1, shift=0, random_state=0).fit(PIXELS, CLASSES)


def as_torch_computes(arrays, X, shape, torch):
    """The features by PyTorch's own functions, block by block as the paper draws them."""
    from torch.nn import functional

    arrays = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def normal(x, name):
        mean, var, gain, bias = (arrays[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, mean, var, gain, bias)

    def block(x, name, stride):
        last, y = 3 if shape.is_deep else 2, x
        for number in range(1, last + 1):
            weight = arrays[f"{name}.conv{number}.weight"]
            skips = stride if number == (2 if shape.is_deep else 1) else 1
            y = normal(functional.conv2d(y, weight, stride=skips, padding=weight.shape[-1] // 2), f"{name}.bn{number}")
            y = y if number == last else functional.relu(y)
        beside = arrays.get(f"{name}.downsample.0.weight")
        if beside is not None:
            x = normal(functional.conv2d(x, beside, stride=stride), f"{name}.downsample.1")
        return functional.relu(x + y)

    x = normal(functional.conv2d(X, arrays["conv1.weight"], stride=2, padding=3), "bn1")
    x = functional.max_pool2d(functional.relu(x), 3, 2, 1)
    for stage, depth in enumerate(shape.depths):
        for number in range(depth):
            x = block(x, f"layer{stage + 1}.{number}", 2 if stage and not number else 1)
    return functional.adaptive_avg_pool2d(x, 1).flatten(1).numpy()


@pytest.mark.peers
@pytest.mark.parametrize(("shape", "size"), [(SHAPE, (67, 70)), (DEEP, (64, 65))])
def test_features_are_those_that_pytorch_computes(tmp_path, shape, size):
    torch = pytest.importorskip("torch")
    arrays = arrays_of(shape)
    X = RNG.integers(0, 256, (3, *size, 3)).astype(np.uint8)
    mean, spread = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    wanted = as_torch_computes(arrays, (torch.from_numpy(X).permute(0, 3, 1, 2) / 255 - mean) / spread, shape, torch)
    model = frozen(Start.read(written(tmp_path / "w.safetensors", arrays)), X, 2)
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(features_of(model, X), wanted, atol=1e-5 * np.abs(wanted).max())


def test_what_is_written_is_what_was_read(tmp_path, file):
    model = frozen(Start.read(file), PIXELS, 5)
    model.save_weights(tmp_path / "again.safetensors")
    before, after = load_file(file), load_file(tmp_path / "again.safetensors")
    counted = {name for name in after if name.endswith("num_batches_tracked")}
    assert set(after) - counted == set(before)
    assert len(counted) == len([name for name in before if name.endswith("running_var")])
    for name in set(before) - {"fc.weight", "fc.bias"}:
        np.testing.assert_array_equal(after[name], before[name])
    assert after["fc.weight"].shape == (5, SHAPE.features)


def test_half_precision_is_read_as_single(tmp_path):
    import ml_dtypes

    arrays = arrays_of()
    for kind in (np.float16, ml_dtypes.bfloat16, np.float64):
        halves = {name: array.astype(kind) for name, array in arrays.items()}
        found, shape = read_weights(written(tmp_path / "half.safetensors", halves))
        assert shape == SHAPE
        for name, array in found.items():
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, halves[name].astype(np.float32))


def without(*names):
    return {name: array for name, array in arrays_of().items() if name not in names}


REFUSED = {
    "lacks": (without("layer3.0.bn1.bias", "bn1.weight"), r"lacks bn1\.weight, layer3\.0\.bn1\.bias"),
    "no stage": (without("layer4.0.conv1.weight"), "no weights of a ResNet in torchvision's layout"),
    "another": ({"a": np.zeros(2)}, r"no weights of a ResNet in torchvision's layout, .* but a$"),
    "more": (arrays_of() | {"layer1.0.se.fc1.weight": np.zeros(2)}, r"has besides .* layer1\.0\.se\.fc1"),
    "shape": (arrays_of() | {"layer2.0.conv2.weight": np.zeros((8, 4, 3, 3))}, r"layer2\.0\.conv2\.weight is float64"),
    "whole": (arrays_of() | {"bn1.bias": np.zeros(4, int)}, r"bn1\.bias is int64"),
    "nan": (arrays_of() | {"bn1.bias": np.full(4, np.nan)}, r"bn1\.bias has numbers that are"),
    "variance": (arrays_of() | {"bn1.running_var": np.full(4, -1.0)}, r"bn1\.running_var has numbers that are"),
    "channels": (arrays_of() | {"conv1.weight": np.zeros((4, 4, 7, 7))}, "not for pictures of one channel or of three"),
    "axes": (arrays_of() | {"conv1.weight": np.zeros(4)}, "no weights of a ResNet"),
}


@pytest.mark.parametrize(("arrays", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_resnet_is_refused_on_a_line(tmp_path, arrays, said):
    with pytest.raises(InputError, match=said) as raised:
        Start.read(written(tmp_path / "w.safetensors", arrays))
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read_are_refused_on_a_line(tmp_path, file):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-100])
    pickled = tmp_path / "weights.pth"
    pickled.write_bytes(b"\x80\x02}.")
    empty = tmp_path / "folder"
    empty.mkdir()
    for path, said in ((cut, "no file of weights that can be read"), (pickled, "save_file"),
                       (tmp_path / "none", "no file or folder"), (empty, "has no model")):
        with pytest.raises(InputError, match=said) as raised:
            Start.read(path)
        assert "\n" not in str(raised.value)


def test_a_last_layer_of_other_classes_or_none_is_made_anew(tmp_path):
    start = Start.read(written(tmp_path / "w.safetensors", without("fc.weight", "fc.bias")))
    assert frozen(start, PIXELS, 4).network_.weight.shape == (SHAPE.features, 4)


def test_a_network_that_goes_on_from_a_start_is_stored_exported_and_started_from(tmp_path, file, trained):
    assert trained.plan_.sees == (64, 85, 3)
    assert trained.describe().startswith("ResNet-10, ")
    moved = np.abs(np.asarray(trained.network_.stem.kernel) - load_file(file)["conv1.weight"].transpose(2, 3, 1, 0))
    assert 0 < moved.max() < 0.1
    again = from_parts(*to_parts(trained))
    np.testing.assert_array_equal(again.predict_proba(PIXELS), trained.predict_proba(PIXELS))
    trained.save(tmp_path / "saved.safetensors")
    loaded = ConvClassifier.load(tmp_path / "saved.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(PIXELS), trained.predict_proba(PIXELS))
    loaded.to_onnx(tmp_path / "model.onnx")
    grey = frozen(Start.read(tmp_path / "saved.safetensors"), PIXELS[..., :1], 2)
    assert grey.plan_ == trained.plan_
    np.testing.assert_array_equal(np.asarray(grey.network_.stem.kernel), np.asarray(trained.network_.stem.kernel))


def test_a_plan_of_anybody_is_checked(trained):
    facts, arrays = to_parts(trained)
    for change in ({"sees": [64, 85]}, {"sees": [2**11, 2**11, 3]}, {"sees": [64, 85, 1]},
                   {"resnet": facts["plan"]["resnet"] | {"depths": [1, 1, 1]}},
                   {"resnet": facts["plan"]["resnet"] | {"width": 8}}):
        with pytest.raises(CheckpointError):
            from_parts(facts | {"plan": facts["plan"] | change}, arrays)


def test_what_cannot_go_on_from_a_start_is_refused(file):
    with pytest.raises(InputError, match="start is for residual networks"):
        ConvClassifier("lenet", start=file).fit(PIXELS, CLASSES)
    with pytest.raises(InputError, match=r"4 channels, but .* 3"):
        ConvClassifier(start=file).fit(np.zeros((4, 9, 9, 4), np.uint8), [0, 1, 0, 1])
    plain = ConvClassifier()
    plain.plan_, plain.network_ = Plan((9, 9, 3), 4), None
    with pytest.raises(InputError, match="torchvision has no layout for"):
        plain.save_weights("never.safetensors")


def brought(X, *shape):
    """One picture, brought to a shape."""
    return np.asarray(brought_to(jax.device_put(X.astype(np.float32)[None]), shape))[0]


def test_pictures_are_brought_to_what_a_network_sees():
    picture = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    for size in ((64, 64), (7, 11)):
        # Pillow rounds to bytes.
        wanted = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR), float)
        np.testing.assert_allclose(brought(picture, *size, 3), wanted, atol=1.01)
    grey = brought(picture, 20, 30, 1)
    np.testing.assert_allclose(grey[..., 0], np.asarray(Image.fromarray(picture).convert("L"), float), atol=1.01)
    np.testing.assert_array_equal(brought(grey, 20, 30, 3), np.repeat(grey, 3, 2))
