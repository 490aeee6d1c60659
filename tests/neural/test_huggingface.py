"""Language models in Hugging Face's layout: `transformers` reads the same tokens, and gives the same scores."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.errors import InputError
from descend.neural import LanguageModel, _huggingface

TEXT = "Ærø, naïve – 猫 🐈\r\n\ttab\n\nend of it. " * 30
SMALL = {"layers": 2, "heads": 2, "width": 16, "context": 12, "steps": 1, "random_state": 0, "validation_fraction": 0}


def model(**settings):
    made = LanguageModel("tiny", **SMALL, **settings).fit(TEXT)
    rng = np.random.default_rng(0)
    # All weights tell: those at the beginning are small, and scales of norms are ones.
    spread = lambda x: jnp.asarray(x + rng.normal(0, 0.3, x.shape), jnp.float32) if hasattr(x, "shape") else x
    made.network_ = jax.tree.map(spread, made.network_, is_leaf=lambda x: x is made.network_.shape)
    return made


@pytest.mark.peers
@pytest.mark.parametrize(("tokenizer", "positions"), [
    ("bytes", "rotary"), ("characters", "learned"), ("bpe", "rotary"),
])  # fmt: skip
def test_it_is_the_same_network_of_the_same_tokens(tokenizer, positions, tmp_path):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    ours = model(tokenizer=tokenizer, positions=positions, vocabulary=300 if tokenizer == "bpe" else None)
    assert ours.to_huggingface(tmp_path / "hf")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    reader = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    expected = ours.tokenizer_.encode(TEXT.encode()).tolist()
    assert reader.encode(TEXT) == expected
    assert reader.decode(expected) == TEXT
    tokens = np.array([expected[:12], expected[12:24]])
    with torch.no_grad():
        scores = theirs(torch.tensor(tokens)).logits.numpy()
        written = theirs.generate(torch.tensor(tokens[:1, :2]), max_new_tokens=8, do_sample=False)
    mine = np.asarray(ours.network_(jnp.asarray(tokens), None, None)[0])
    np.testing.assert_allclose(scores, mine, atol=1e-5 * np.abs(mine).max())
    prompt = ours.tokenizer_.decode(tokens[0, :2])
    assert reader.decode(written[0]) == prompt + ours.generate(prompt, 8, temperature=0)


@pytest.mark.peers
def test_what_does_not_agree_is_not_written(tmp_path, monkeypatch):
    pytest.importorskip("transformers"), pytest.importorskip("torch")
    monkeypatch.setattr(_huggingface, "LAYER_NORM_EPS", 1e-2)
    with pytest.raises(InputError, match="apart from ours: nothing was written"):
        model().to_huggingface(tmp_path / "hf")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "precious").write_text("x")
    with pytest.raises(InputError, match="exists already: name a new folder"):
        model().to_huggingface(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_without_transformers_it_is_written_and_not_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(_huggingface.importlib.util, "find_spec", lambda name: None)
    assert not model().to_huggingface(tmp_path / "hf")
    assert sorted(path.name for path in (tmp_path / "hf").iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    letters = json.loads((tmp_path / "hf" / "tokenizer.json").read_text())["model"]["vocab"]
    assert sorted(letters.values()) == list(range(256))
