"""Trainings that start from a run: its tokens, shape and weights."""

import os
import signal

import equinox as eqx
import jax
import numpy as np
import pytest

from descend.errors import InputError
from descend.neural import LanguageModel

NOUNS = ("box", "jug", "cat", "ship", "lamp", "river", "stone", "bread")


def tale(seed, verb):
    """Sentences of one language; which verb they have is of this text alone."""
    rng = np.random.default_rng(seed)
    lines = [f"the {rng.choice(NOUNS)} {verb} the {rng.choice(NOUNS)}." for _ in range(150)]
    return "\n".join(lines)


SMALL = {"layers": 1, "heads": 2, "width": 32, "context": 16, "batch_size": 8, "random_state": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a model of many tales."""
    folder = tmp_path_factory.mktemp("run")
    LanguageModel("tiny", **SMALL, steps=600).fit(tale(0, "sees") + tale(1, "finds")).save(folder)
    return folder


def tuned(run, **settings):
    return LanguageModel(start=run, batch_size=8, random_state=0, **{"validation_fraction": 0} | settings)


def weights(model):
    return [np.asarray(x) for x in jax.tree.leaves(eqx.filter(model.network_, eqx.is_array))]


def test_it_beats_starting_anew_by_as_many_steps(run):
    learnt, others = tale(2, "takes")[:1500], tale(3, "takes")
    anew = LanguageModel("tiny", **SMALL, steps=60, validation_fraction=0).fit(learnt)
    on = tuned(run, steps=60).fit(learnt)
    assert on.network_.shape == anew.network_.shape
    assert on.bits_per_byte(others) < 0.7 * anew.bits_per_byte(others)
    # Nor is it as good without any of it.
    assert on.bits_per_byte(others) < 0.9 * LanguageModel.load(run).bits_per_byte(others)


def test_it_starts_with_the_weights(run):
    before, after = weights(LanguageModel.load(run)), weights(tuned(run, steps=1).fit(tale(2, "takes")))
    moved = max(float(np.abs(one - other).max()) for one, other in zip(before, after, strict=True))
    assert 0 < moved < 1e-3


def test_interrupted_and_resumed_is_as_never_interrupted(run, tmp_path):
    settings = {"steps": 40, "dropout": 0.1, "validation_fraction": 0.2}
    whole = tuned(run, **settings).fit(tale(2, "takes"))
    ctrl_c = lambda progress: progress.reason or os.kill(os.getpid(), signal.SIGINT)
    begun = tuned(run, **settings, checkpoint=tmp_path / "lm", observers=[ctrl_c]).fit(tale(2, "takes"))
    assert begun.stop_reason_.name == "interrupted"
    ended = tuned(run, **settings, checkpoint=tmp_path / "lm").fit(tale(2, "takes"))
    assert ended.loss_curve_ == whole.loss_curve_
    for mine, theirs in zip(weights(ended), weights(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("settings", "told"), [
    ({"size": "small"}, r"layers is to be 4 \(size small\), but is 1 in "),
    ({"context": 32}, "context is to be 32, but is 16 in "),
    ({"tokenizer": "characters"}, "tokenizer is to be characters, but is bytes in "),
    ({"positions": "learned"}, "positions is to be learned, but is rotary in "),
    ({"size": "vast"}, "size must be one of tiny"), ({"batch_size": 0}, "batch_size must be at least 1"),
    ({"start": "none"}, "there is no folder none"),
])  # fmt: skip
def test_what_contradicts_it_is_refused(run, settings, told):
    with pytest.raises(InputError, match=told):
        tuned(run).set_params(**settings).fit(tale(2, "takes"))


def test_what_agrees_with_it_is_taken(run):
    same = {"context": 16, "layers": 1, "tokenizer": "bytes", "vocabulary": 256}
    assert tuned(run, steps=1, **same).fit(tale(2, "takes")).network_.shape.layers == 1


def test_characters_that_it_does_not_know(tmp_path):
    LanguageModel("tiny", **SMALL, steps=1, tokenizer="characters").fit(tale(0, "sees")).save(tmp_path)
    with pytest.raises(InputError, match="the character 'Z' is not among the"):
        tuned(tmp_path, steps=1).fit(tale(0, "Zees"))
