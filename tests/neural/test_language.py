"""Language models end to end: they learn, are judged, saved and resumed, and refuse what they must."""

import json
import os
import signal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.engine.storing import read_arrays, write_arrays
from descend.errors import CheckpointError, InputError
from descend.neural import LanguageModel
from descend.neural._tokens import BytePairs, Bytes, Characters, from_facts, smallest_type
from descend.neural.corpus import Windows, read_text, validation_windows

TEXT = "pack my box with five dozen jugs. " * 42  # any four letters tell which comes next
SMALL = {"layers": 1, "heads": 2, "width": 32, "context": 8, "batch_size": 16}


def model(**settings):
    return LanguageModel("tiny", **(SMALL | {"steps": 800, "random_state": 0, "validation_fraction": 0.2} | settings))


@pytest.fixture(scope="module")
def trained():
    return model(samples=12).fit(TEXT)


def weights(fitted):
    return [np.asarray(x) for x in jax.tree.leaves(eqx.filter(fitted.network_, eqx.is_array))]


def assert_same(one, other):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_it_learns_a_text_by_heart(trained):
    assert trained.generate("pack", 60, temperature=0) == TEXT[4:64]
    assert trained.perplexity(TEXT) < 1.3
    assert trained.validation_loss_[-1] < 0.3
    assert trained.loss_curve_[0] == pytest.approx(np.log(256), rel=0.05)  # as if all tokens were alike
    assert trained.stop_reason_.name in ("budget", "plateau")


def test_it_ends_before_the_stop_text(trained):
    # Both across tokens, and beyond where it first looks.
    for stop in ("dozen", "s. pa", "\n"):
        whole = trained.generate("pack", 90, temperature=0)
        assert trained.generate("pack", 90, temperature=0, stop=stop) == whole.split(stop)[0]
    assert len(trained.generate("pack", 90, temperature=0, stop="dozen")) < 30


def test_what_it_wrote_as_it_learnt(trained):
    steps = trained.history_.validation["step"]
    assert [sample.step for sample in trained.samples_] == steps
    assert [sample.loss for sample in trained.samples_] == trained.validation_loss_
    assert all(0 < len(sample.text) <= 12 for sample in trained.samples_)
    assert trained.samples_[-1].text.strip() in TEXT


def test_perplexity_is_the_mean_of_surprises(trained):
    text = b"my jugs box"
    forward = eqx.filter_jit(lambda window: trained.network_(window, None, None)[0])
    surprises = []
    for place in range(1, len(text)):
        # Windows of 8 begin every 4 tokens and at the end; each token is judged in the first that has it.
        start = next(start for start in (0, 2) if place <= start + 8)
        window = np.zeros((1, 8), np.int32)
        window[0, : place - start] = list(text[start:place])
        scores = np.asarray(forward(jnp.asarray(window)), np.float64)[0, place - start - 1]
        surprises.append(np.log(np.exp(scores).sum()) - scores[text[place]])
    assert trained.perplexity(text) == pytest.approx(np.exp(np.mean(surprises)), rel=1e-4)
    # The first byte is one of 256, before which there is nothing.
    bits = (np.sum(surprises) / np.log(2) + 8) / len(text)
    assert trained.bits_per_byte(text) == pytest.approx(bits, rel=1e-4)
    assert trained.bits_per_byte(b"\xff") == 8
    assert trained.perplexity(b"my") > 1  # shorter than a context


def test_seeds_decide(trained):
    first, again, other = (model(random_state=seed, steps=100, samples=12).fit(TEXT) for seed in (0, 0, 1))
    assert_same(first, again)
    assert first.generate("t", 30, seed=3) == again.generate("t", 30, seed=3)
    assert trained.generate("x", 30, 3.0, seed=3) != trained.generate("x", 30, 3.0, seed=4)
    assert not np.array_equal(weights(first)[0], weights(other)[0])


class Interrupt:
    """Ctrl-C after some steps."""

    def __init__(self, after):
        self.after = after

    def __call__(self, progress):
        if progress.reason is None and progress.step >= self.after:
            os.kill(os.getpid(), signal.SIGINT)


def test_interrupted_and_resumed_is_as_never_interrupted(tmp_path):
    settings = {"dropout": 0.2, "ema": 0.9, "steps": 60, "validation_fraction": 0.2}
    whole = model(**settings).fit(TEXT)
    for after in (1, 20):
        begun = model(**settings, checkpoint=tmp_path / "lm", observers=[Interrupt(after)]).fit(TEXT)
        assert begun.stop_reason_.name == "interrupted"
        assert begun.stop_reason_.step < 60
    ended = model(**settings, checkpoint=tmp_path / "lm").fit(TEXT)
    assert ended.stop_reason_.name == "budget"
    assert_same(whole, ended)
    assert ended.loss_curve_ == whole.loss_curve_
    assert ended.validation_loss_ == whole.validation_loss_


def test_steps_for_seconds_are_planned_once(tmp_path):
    settings = {"steps": None, "seconds": 5.0, "checkpoint": tmp_path / "lm"}
    first = model(**settings, observers=[Interrupt(1)]).fit(TEXT)
    assert first.stop_reason_.name == "interrupted"
    planned = read_arrays(tmp_path / "lm")[1]["planned"]
    second = model(**settings).fit(TEXT)
    assert read_arrays(tmp_path / "lm")[1]["planned"] == planned >= second.stop_reason_.step >= first.stop_reason_.step
    rates = second.history_.columns["learning_rate"]
    # A rise of a twentieth, and a fall to a tenth along half a cosine, over as many steps as were planned at first.
    rise, steps = 0.05 * planned, np.arange(len(rates))
    fall = 0.55 + 0.45 * np.cos(np.pi * np.clip((steps - rise) / (planned - rise), 0, 1))
    expected = fall * np.minimum((steps + 1) / rise, 1)
    np.testing.assert_allclose(rates / rates.max(), expected / expected.max(), rtol=1e-3)


@pytest.mark.parametrize("kind", ["bytes", "characters"])
def test_saved_and_loaded(kind, trained, tmp_path):
    fitted = trained if kind == "bytes" else model(tokenizer=kind, steps=2).fit(TEXT)
    fitted.save(tmp_path)
    loaded = LanguageModel.load(tmp_path)
    assert_same(fitted, loaded)
    assert loaded.generate("my", 20, seed=1) == fitted.generate("my", 20, seed=1)
    assert loaded.perplexity(TEXT) == fitted.perplexity(TEXT)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_other_folders_are_refused(trained, tmp_path):
    for folder, part in ((tmp_path / "none", "there is no folder"), (tmp_path, "has no language model")):
        with pytest.raises(InputError, match=part):
            LanguageModel.load(folder)
    write_arrays(tmp_path / "model.safetensors", {"x": np.zeros(3)}, {"version": 2, "kind": "linear"})
    with pytest.raises(InputError, match="no language model"):
        LanguageModel.load(tmp_path)
    trained.save(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        LanguageModel.load(tmp_path)


STRANGE = "Ærø, naïve – 猫 🐈\r\n\ttab\n\nend "


def test_tokens_and_back():
    for tokenizer in (Bytes(), Characters.of([STRANGE.encode()])):
        tokens = tokenizer.encode(STRANGE.encode())
        assert tokens.dtype == np.uint8
        assert tokens.max() < tokenizer.size
        assert tokenizer.decode(tokens) == STRANGE
        again = from_facts(json.loads(json.dumps(tokenizer.facts())))
        np.testing.assert_array_equal(again.encode(STRANGE.encode()), tokens)
    assert Characters.of([b"banana"]).alphabet == "abn"
    assert Characters.of([b"banana"]).encode(b"nab").tolist() == [2, 0, 1]
    assert [smallest_type(size) for size in (256, 257, 65536, 65537)] == [np.uint8, np.uint16, np.uint16, np.uint32]


@pytest.mark.peers
def test_pairs():
    pytest.importorskip("tokenizers", reason="what merges them")
    text = (STRANGE + "low lower lowest\n" * 9000).encode()
    tokenizer = BytePairs.of([text], 300)
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text.decode()
    assert tokenizer.size == 300 or tokenizer.size < 300
    assert tokens.dtype == np.uint16
    assert len(tokens) < len(text) / 3
    assert BytePairs.of([text], 300).facts() == tokenizer.facts()
    unseen = "Ωmega zebra".encode()
    assert from_facts(json.loads(json.dumps(tokenizer.facts()))).decode(tokenizer.encode(unseen)) == unseen.decode()


def test_windows_see_every_token_once_an_epoch():
    source = Windows(np.arange(101, dtype=np.uint8), length=10, batch_size=2)
    cursor = source.init(jax.random.key(0))
    epochs = []
    for _ in range(3):
        seen = []
        for _ in range(5):
            (inputs, targets), cursor = source.draw(cursor, None)
            assert inputs.shape == targets.shape == (2, 10)
            np.testing.assert_array_equal(targets[:, :-1], inputs[:, 1:])
            np.testing.assert_array_equal(targets, inputs + 1)
            seen += np.asarray(inputs)[:, 0].tolist()
        # Side by side on a circle of the 91 places where a window can begin: ten apart, but where it closes.
        apart = np.diff(sorted(seen))
        assert ((apart == 10) | (apart == 1)).all()
        assert (apart == 1).sum() <= 1
        epochs.append(seen)
    assert sorted(epochs[0]) != sorted(epochs[1])
    assert source.steps_per_epoch == 5
    again = source.draw(source.init(jax.random.key(0)), None)[0][0]
    assert np.asarray(again)[:, 0].tolist() == epochs[0][:2]


@pytest.mark.parametrize("count", [2, 5, 8, 9, 10, 13, 16, 17, 40])
def test_every_token_is_judged_once(count):
    stream = np.arange(count)
    inputs, targets, counts = validation_windows(stream, 8)
    assert sorted(targets[counts > 0].tolist()) == list(range(1, count))
    within = counts > 0
    np.testing.assert_array_equal(inputs[within] + 1, targets[within])
    assert (counts[1:, : 8 // 2 - 1] == 0).all()


@pytest.mark.parametrize(
    ("settings", "text", "part"),
    [
        ({"context": None}, "x" * 30, "the text has 30 tokens, but a window"),
        ({}, "", "the text is empty"),
        ({}, b"", "the text is empty"),
        ({"tokenizer": "characters"}, b"abc\xffdef" * 9, r"not UTF-8 \(the byte 0xff at position 3\)"),
        ({"tokenizer": "words"}, TEXT, "tokenizer must be bytes, characters or bpe, but is 'words'"),
        ({"tokenizer": "bpe", "vocabulary": 100}, TEXT, "vocabulary must be more than the 256 bytes"),
        ({"size": "huge"}, TEXT, "size must be one of tiny, small, medium, large"),
        ({"width": 10}, TEXT, "width must be a multiple of 4 for 2 heads, but is 10"),
        ({"context": 1}, TEXT, "context must be at least 2, but is 1"),
        ({"batch_size": 0}, TEXT, "batch_size must be at least 1, but is 0"),
        ({"positions": "sine"}, TEXT, "positions must be rotary or learned"),
        ({"dropout": 1.0}, TEXT, "dropout must be at least 0 and less than 1"),
        ({"steps": 0}, TEXT, "steps must be a number above 0, but is 0"),
        ({"seconds": -1.0}, TEXT, "seconds must be a number above 0"),
        ({"patience": 0}, TEXT, "patience must be at least 1"),
    ],
)
def test_refused_trainings(settings, text, part):
    with pytest.raises(InputError, match=part):
        model().set_params(**settings).fit(text)


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_file_that_says_what_unicode_it_is_in_is_read_as_utf8(tmp_path, name):
    path = tmp_path / "t.txt"
    path.write_bytes("\ufeffZoë 😀".encode(name))
    assert read_text(path).decode() == "Zoë 😀"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"begins as {name[:-3].upper()} text and breaks off: save it again as UTF-8"):
        read_text(path)


def test_bytes_need_not_be_utf8():
    fitted = model(steps=2).fit(b"abc\xffdef" * 30)
    assert isinstance(fitted.generate("a", 5), str)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"temperature": -0.1}, "temperature must be at least 0, but is -0.1"),
        ({"temperature": float("nan")}, "temperature must be at least 0, but is nan"),
        ({"length": 0}, "length must be at least 1, but is 0"),
        ({"top_k": 0}, "top_k must be at least 1, but is 0"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1, but is 0"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1, but is 1.5"),
        ({"stop": ""}, "the stop text is empty"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "my Dog"}, "the character 'D' is not among the"),
    ],
)
def test_refused_prompts(arguments, part, characters):
    with pytest.raises(InputError, match=part):
        characters.generate(**({"prompt": "my"} | arguments))


@pytest.fixture(scope="module")
def characters():
    return model(tokenizer="characters", steps=2).fit(TEXT)


def test_refused_texts_to_judge(trained, characters):
    with pytest.raises(InputError, match="the text is a single token"):
        trained.perplexity("a")
    with pytest.raises(InputError, match="the character 'Z' is not among"):
        characters.perplexity("my Zebra")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The file of a small model."""
    folder = tmp_path_factory.mktemp("small")
    settings = {"layers": 1, "heads": 2, "width": 8, "context": 8, "tokenizer": "characters"}
    LanguageModel("tiny", **settings, steps=1, validation_fraction=0, random_state=0).fit("ab cd " * 20).save(folder)
    return folder / "model.safetensors"


def of_a_stranger(small, folder, **change):
    arrays, facts = read_arrays(small)
    facts = {name: value | change.get(name, {}) if name in change else value for name, value in facts.items()}
    write_arrays(folder / "model.safetensors", arrays, {name: facts[name] for name in facts if name != "format"})
    return folder


@pytest.mark.parametrize(("shape", "said"), [
    ({"vocabulary": 10**8}, "weights must be"), ({"layers": 10**7}, "weights must be"),
    ({"layers": -1}, "layers must be a whole number"), ({"context": 10**9}, "less than a gigabyte"),
    ({"heads": 3}, "width must be even for each of 3 heads"), ({"positions": "learned"}, "weights must be"),
    ({"dropout": "0"}, "dropout must be a finite number from 0 to 1"),
])  # fmt: skip
def test_shapes_of_strangers_are_refused(small, tmp_path, shape, said):
    with pytest.raises(CheckpointError, match=said):
        LanguageModel.load(of_a_stranger(small, tmp_path, shape=shape))


@pytest.mark.parametrize(("tokenizer", "said"), [
    ({"name": "os"}, "name must be 'bytes' or 'characters' or 'bpe'"),
    ({"alphabet": "ba"}, "alphabet must be different characters in the order"),
    ({"alphabet": "".join(map(chr, range(99)))}, r"the tokenizer must be one of \d tokens at the most, but is 99"),
    ({"name": "bytes"}, r"the tokenizer must be one of \d tokens at the most, but is 256"),
])  # fmt: skip
def test_tokenizers_of_strangers_are_refused(small, tmp_path, tokenizer, said):
    with pytest.raises(CheckpointError, match=said):
        LanguageModel.load(of_a_stranger(small, tmp_path, tokenizer=tokenizer))
