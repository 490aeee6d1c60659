"""Models as files that JAX runs without `descend`: they give what they give here."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine

from descend import InputError
from descend._jax_file import write_jax
from descend.neural import ConvClassifier, LanguageModel, MLPClassifier, MLPRegressor, TextClassifier
from descend.rl import Policy
from descend.rl._distributions import Categorical
from descend.rl._moments import Moments
from descend.rl._network import ActorCritic
from descend.rl.environments import Box, Discrete
from descend.tasks.images.estimators import BlendedClassifier, HogClassifier

WINE, DIABETES = load_wine(), load_diabetes()
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (30, 16, 20, 1)).astype(np.uint8)
MOMENTS = Moments(*(np.asarray(one, np.float32) for one in (np.full(4, 100), np.full(4, 25), 9)))


def read(path):
    return jax.export.deserialize(bytearray(path.read_bytes()))


def agree(path, model, rows):
    """Whether the file gives what the model predicts, to 1e-5 of the largest."""
    found = np.asarray(read(path).call(rows))
    expected = model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_perceptrons(tmp_path):
    rows = WINE.data.astype(np.float32)
    model = MLPClassifier((5, 4), epochs=1, random_state=0).fit(rows, np.array(["ant", "bee", "cow"])[WINE.target])
    model.to_jax(tmp_path / "model.jax")
    agree(tmp_path / "model.jax", model, rows)
    assert read(tmp_path / "model.jax").platforms == ("cpu", "cuda", "rocm", "tpu")


@pytest.mark.parametrize("several", [False, True])
def test_perceptrons_of_numbers(several, tmp_path):
    rows, y = DIABETES.data.astype(np.float32), DIABETES.target
    model = MLPRegressor(5, epochs=1, random_state=0).fit(rows, np.column_stack([y, -y]) if several else y)
    model.to_jax(tmp_path / "model.jax")
    agree(tmp_path / "model.jax", model, rows)


def test_labels(tmp_path):
    rows, labels = WINE.data.astype(np.float32), np.column_stack([WINE.target > 0, WINE.target > 1]).astype(int)
    model = MLPClassifier(5, epochs=1, random_state=0).fit(rows, labels)
    model.to_jax(tmp_path / "model.jax")
    agree(tmp_path / "model.jax", model, rows)


def test_pictures(tmp_path):
    kernel = HogClassifier().fit(PICTURES, np.arange(30) % 3)
    network = ConvClassifier("lenet", epochs=1, random_state=0).fit(PICTURES, np.arange(30) % 3)
    for name, model in {"network": network, "blend": BlendedClassifier(((0.3, kernel), (0.7, network)))}.items():
        model.to_jax(tmp_path / f"{name}.jax")
        agree(tmp_path / f"{name}.jax", model, PICTURES)


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_language_models_take_tokens_up_to_their_context(positions, tmp_path):
    model = LanguageModel("tiny", context=8, positions=positions, steps=20, validation_fraction=0, random_state=0)
    model.fit("ab cd " * 40).to_jax(tmp_path / "model.jax")
    tokens = np.frombuffer(b"ab cdab c", np.uint8).astype(np.int32)[None]
    for length in (1, 5, 8):
        scores = read(tmp_path / "model.jax").call(tokens[:, :length])
        np.testing.assert_allclose(scores, model.network_(jax.device_put(tokens[:, :length]), None, None)[0], atol=1e-5)
    with pytest.raises(ValueError, match="shapes"):
        read(tmp_path / "model.jax").call(tokens)


@pytest.mark.parametrize("actions", [Discrete(3), Box((-2.0, 0.0), (2.0, 9.0))])
@pytest.mark.parametrize("moments", [None, MOMENTS])
def test_policies(actions, moments, tmp_path):
    policy = Policy(ActorCritic.drawn((4,), actions, 0), "somewhere", (4,), actions, moments)
    policy.to_jax(tmp_path / "policy.jax")
    observations = RNG.normal(100.0 if moments else 0.0, 5, (50, 4)).astype(np.float32)
    found = np.asarray(read(tmp_path / "policy.jax").call(observations))
    np.testing.assert_allclose(found, policy(observations), rtol=1e-5)
    assert len(np.unique(found)) > 1


class Counting:
    """A network of one's own that asks how many observations there are."""

    def __call__(self, observations):
        return Categorical(np.zeros((len(observations), 3), np.float32)), observations[:, 0]


def test_a_network_for_so_many_rows_alone_is_refused(tmp_path):
    with pytest.raises(InputError, match="not one program for any number of rows"):
        Policy(Counting(), "somewhere", (4,), Discrete(3)).to_jax(tmp_path / "policy.jax")


def test_neither_descend_nor_double_precision_is_needed(tmp_path):
    rows = WINE.data.astype(np.float32)
    model = MLPClassifier(5, epochs=1, random_state=0).fit(rows, WINE.target)
    model.to_jax(tmp_path / "model.jax")
    np.save(tmp_path / "rows.npy", rows)
    script = ("import sys, jax, numpy as np; from jax import export; from pathlib import Path\n"
              "model = export.deserialize(bytearray(Path('model.jax').read_bytes()))\n"
              "np.save('found.npy', model.call(np.load('rows.npy')))\n"
              "assert not [name for name in sys.modules if name.startswith('descend')]")
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), model.predict_proba(rows), atol=1e-5)


def test_what_is_not_written_leaves_what_was_there(tmp_path):
    file, rows = tmp_path / "model.jax", np.ones((3, 2), np.float32)
    file.write_text("what was there")
    with pytest.raises(InputError, match="the exported model is 2e-05 away from this one"):
        write_jax(lambda x: 2 * x, file, rows, 2 * rows * (1 + 2e-5))
    with pytest.raises(InputError, match=r"end its name with \.jax"):
        write_jax(lambda x: 2 * x, tmp_path / "model.bin", rows, 2 * rows)
    texts = TextClassifier(epochs=1, random_state=0).fit(["a cat", "a dog"] * 20, [0, 1] * 20)
    with pytest.raises(InputError, match="words are told apart and hashed"):
        texts.to_jax(file)
    with pytest.raises(InputError, match="cannot write"):
        write_jax(lambda x: 2 * x, file / "inside.jax", rows, 2 * rows)
    assert file.read_text() == "what was there"
    assert [path.name for path in Path(tmp_path).iterdir()] == ["model.jax"]
