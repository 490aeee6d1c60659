"""N-grams of texts: which runs of letters there are, their weights, and what linear models make of them."""

import json
import math
from collections import Counter

import numpy as np
import pytest

from descend.engine.interruption import Interruption
from descend.errors import CheckpointError, InputError
from descend.linear import LogisticRegression
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.examples import Examples
from descend.tasks.common.network.collection import Collection
from descend.tasks.common.settings import Settings
from descend.tasks.text.candidates import spanned, unseen_lengths
from descend.tasks.text.model import TextModel
from descend.tasks.text.ngrams import LONGEST_RUN, NGrams, count, letters_of, runs
from descend.tasks.text.task import TextTask
from descend.tasks.text.training import LETTERS, WORDS, candidates
from descend.tasks.text.weightiest import influences, spellings

TEXTS = ["der Hund und die Katze", "le chien et le chat", "", "Ça va? ça va", "ein Hund", "un chat noir", "ไม่ 👍🏽!"]


def runs_of(text):
    """The runs of a text, one after the other."""
    plain = f" {' '.join(text.casefold().split())} "
    every = [plain[begin : begin + length] for length in range(1, LONGEST_RUN + 1)
             for begin in range(len(plain) - length + 1)]
    return Counter(run for run in every if run.strip() and " " not in run[1:-1] and run != " ")


def test_runs_of_letters_lie_within_words():
    counts = count(TEXTS, "letters")
    for row, text in enumerate(TEXTS):
        wanted = runs_of(text)
        assert counts[row].nnz == len(wanted)
        assert sorted(counts[row].data) == sorted(wanted.values())
    letters = letters_of("ab c")
    found = {"".join(map(chr, letters[begin : begin + length]))
             for length, (begins, _) in enumerate(runs(letters), 1) for begin in begins}
    assert found == set(runs_of("ab c"))


def test_both_forms_of_unicode_and_of_capitals_are_the_same():
    composed, apart = count(["Ça VA"], "letters"), count(["c\u0327a va"], "letters")
    assert (composed != apart).nnz == 0


@pytest.mark.parametrize("unit", ["words", "letters"])
def test_weights_are_those_of_the_formula(unit):
    known, rows = NGrams.learned(TEXTS, unit)
    each = [dict(zip(row.indices.tolist(), row.data.tolist(), strict=True)) for row in count(TEXTS, unit)]
    row, dense = 1, []
    for hashed in known.hashes.tolist():
        rarity = 1 + math.log((1 + len(TEXTS)) / (1 + sum(hashed in counts for counts in each)))
        dense.append((1 + math.log(each[row][hashed])) * rarity**1.5 if hashed in each[row] else 0.0)
    np.testing.assert_allclose(rows[row].toarray()[0], np.array(dense) / np.linalg.norm(dense), rtol=1e-6)
    assert rows[2].nnz == 0
    assert (known.rows(TEXTS) != rows).nnz == 0
    with pytest.raises(InputError, match="all 2 texts are empty"):
        NGrams.learned(["", " "], unit)


def test_a_fit_to_what_rows_span_is_the_fit_to_their_columns():
    _, rows = NGrams.learned(TEXTS, "letters")
    labels, some = [0, 1, 2, 1, 0, 1, 2], [0, 1, 2, 4, 6]
    inputs, back = spanned(rows)
    # Whose kernels are not compiled. Objectives within 1e-8 have coefficients within 1e-4 of them, the root of it.
    solved = lambda X: LogisticRegression(C=10.0, tol=1e-8, solver="lbfgs").fit(X[some], np.array(labels)[some])
    ours, theirs = solved(inputs), solved(rows)
    np.testing.assert_allclose((back @ ours.coef_.T).T, theirs.coef_, atol=1e-3)
    np.testing.assert_allclose(ours.predict_proba(inputs), theirs.predict_proba(rows), atol=1e-4)


def examples(count=60, seed=0):
    """Texts of two classes that endings tell, of words that are all different."""
    rng = np.random.default_rng(seed)
    word = lambda ending: "".join(rng.choice(list("bcdfgklmnprst"), 4)) + ending
    labels = np.arange(count) % 2
    return Examples([" ".join(word(("ung", "ción")[label]) for _ in range(3)) for label in labels], labels,
                    [f"row {number}" for number in range(count)])


@pytest.fixture(scope="module")
def fitted():
    task = TextTask(Collection("t", "", ("de", "es"), examples()), Settings("label"), "text")
    prepared = task.prepare()
    return task, task.train(prepared)


def test_lengths_are_those_that_a_model_without_the_fold_sees(fitted):
    _, fit = fitted
    prepared = fit.prepared
    known, rows = NGrams.learned(prepared.training.inputs, "letters")
    lengths = unseen_lengths(rows, prepared)
    for number in range(prepared.members):
        own = np.flatnonzero(prepared.folds == number)
        others = [text for text, fold in zip(prepared.training.inputs, prepared.folds, strict=True) if fold != number]
        there = np.isin(known.hashes, count(others, "letters").indices)
        np.testing.assert_allclose(lengths[own], np.linalg.norm(rows[own].toarray()[:, there], axis=1))


def test_endings_are_told_by_letters_and_not_by_words(fitted):
    task, fit = fitted
    assert [each.name for each in fit.trained] == ["words", "letters"]
    assert fit.chosen.name == "letters"
    assert fit.validation["letters"] == 1.0
    assert fit.validation["words"] < 0.8
    assert task.judge(fit).score == 1.0
    assert "the linear model of letters loses less" in fit.why


def test_what_tells_most_is_spelt(fitted):
    _, fit = fitted
    model, texts = fit.chosen.predictor, fit.prepared.training.inputs
    best = np.argsort(-influences(model, texts), axis=1)[:, :8]
    german, spanish = (set(spellings(model.known, texts, places).values()) for places in best)
    assert {"ung", "ung "} <= german
    assert {"ció", "ción", "ión "} & spanish
    assert not german & spanish


def test_a_stored_model_predicts_the_same(fitted):
    from descend._facts import Facts

    _, fit = fitted
    facts, arrays = fit.model.to_parts()
    facts = json.loads(json.dumps(facts))
    again = TextModel.from_parts(Facts(facts, "file"), arrays)
    texts = examples(6, 1).inputs
    np.testing.assert_array_equal(again.predict(texts), fit.model.predict(texts))
    assert again.as_estimator().predict(texts).tolist() == ["de", "es"] * 3
    with pytest.raises(CheckpointError, match="another version of descend: train again"):
        TextModel.from_parts(Facts({**facts, "version": 1}, "file"), arrays)


def test_few_texts_have_no_network_and_long_ones_no_letters(fitted, monkeypatch):
    task, fit = fitted
    assert candidates(fit.prepared) == ([WORDS, LETTERS], [])
    with pytest.raises(InputError, match="48 texts, models are solved"):
        task.begun(fit.prepared)
    monkeypatch.setattr("descend.tasks.text.training.MOST_LETTERS", 100)
    monkeypatch.setattr("descend.tasks.text.preparing.MANY_TEXTS", 40)
    solved, networks = candidates(fit.prepared)
    assert (solved, [network.name for network in networks]) == ([WORDS], ["bag"])


def test_what_is_interrupted_says_so(fitted):
    _, fit = fitted
    interrupted = Interruption()
    interrupted.set()
    trained = LETTERS.fit(fit.prepared, TrainingContext(Settings("label"), interrupted))
    assert trained.reason.name == "interrupted"
    assert np.isfinite(trained.predictor.predict(["eine Zeitung"])).all()
