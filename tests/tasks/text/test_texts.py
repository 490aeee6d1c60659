"""Texts from a table: which tables have nothing else, what is trained on them, and how mistakes are shown."""

import re

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Outcome
from descend.tasks.common.network.collection import Collection
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.typed_table import type_table
from descend.tasks.of_table import task_of_table
from descend.tasks.text.task import TextTask
from descend.tasks.text.texts import collection_of, is_of_texts, texts_in

LABELS = ["pets", "money"] * 20
TEXTS = [f"the {word} and {number} more of them" for number, word in enumerate(["cat", "stock"] * 20)]


def table(**columns):
    return Table(pd.DataFrame({"text": TEXTS, "label": LABELS, **columns}), "t", "digest")


@pytest.mark.parametrize(
    ("columns", "is_one"),
    [
        ({}, True),
        ({"id": range(40)}, True),
        ({"source": ["mail"] * 40}, True),
        ({"length": np.linspace(0, 1, 40)}, False),
        ({"source": ["mail", "letter"] * 20}, False),
        ({"title": TEXTS[::-1]}, False),
        ({"text": ["cat", "stock"] * 20}, False),
        ({"label": np.linspace(0, 1, 40)}, False),
    ],
    ids=["texts", "a number of the row", "a constant", "numbers", "levels", "two texts", "no texts", "regression"],
)
def test_tables_of_texts(columns, is_one):
    typed = type_table(table(**columns), Settings("label"))
    assert is_of_texts(typed) == is_one
    if is_one:
        found = collection_of(typed, Settings("label"))
        assert (found.classes, typed.used[0].name, found.examples.inputs) == (("money", "pets"), "text", TEXTS)
        assert found.examples.targets.tolist() == [1, 0] * 20


def test_rows_without_a_class_or_a_text():
    frame = table().frame
    frame.loc[0, "label"], frame.loc[1, "text"] = None, None
    settings = Settings("label")
    found = collection_of(type_table(Table(frame, "t", "digest"), settings), settings)
    assert found.notes == ("1 texts are empty", "1 more rows have no class")
    assert found.examples.inputs[0] == ""
    assert texts_in(frame, "text")[1] == ""


def test_texts_are_weighed_and_scored_on_a_table_that_is_given(tmp_path, monkeypatch):
    given = pd.DataFrame({"label": ["pets", None, "money"], "text": ["the cat", "a dog", "the stock"], "w": [1, 1, 3]})
    given.to_csv(tmp_path / "new.csv", index=False)
    settings = Settings("label", weights="w", class_weights="pets=2", test=str(tmp_path / "new.csv"), epochs=1)
    made = task_of_table(table(w=[1, 2] * 20), settings)
    ready, seen = made.prepare(), []
    monkeypatch.setattr(type(ready.network), "begun", lambda network, *given, **_: seen.append(given))
    with pytest.raises(AttributeError):
        made.train(ready)
    weights = np.array([1, 2] * 20) * np.where(ready.training.targets == 1, 2, 1)
    np.testing.assert_allclose(seen[0][2], weights / weights.mean())
    assert (ready.held_out.inputs, ready.held_out.targets.tolist()) == (["the cat", "the stock"], [1, 0])
    np.testing.assert_allclose(ready.held_out.weights, [0.8, 1.2])
    # Which keep no groups apart: there, the candidates of tables learn from texts.
    assert not isinstance(task_of_table(table(who=np.arange(40) % 8), Settings("label", group="who")), TextTask)


def task(examples, test=None, notes=(), **settings):
    collection = Collection("t", "", ("money", "pets"), examples, test, notes=notes)
    return TextTask(collection, Settings("label", **settings), "text")


def test_what_is_held_out():
    examples = Examples(TEXTS, np.arange(40) % 2, LABELS)
    prepared = task(examples, hold_out=0.25).prepare()
    assert sorted(prepared.training.inputs + prepared.held_out.inputs) == sorted(TEXTS)
    assert np.bincount(prepared.held_out.targets).tolist() == [5, 5]
    with pytest.raises(InputError, match="40 texts are too few to hold out 39"):
        task(examples, hold_out=0.96).prepare()
    with pytest.raises(InputError, match="class 'pets' has one of the texts alone"):
        task(Examples(TEXTS, np.arange(40) // 39, LABELS), hold_out=0.25).prepare()


def test_what_a_network_alone_is_validated_on():
    """A tenth, of each class as much, by the seed of the division; of too few texts none."""
    examples = Examples([f"{text} {number}" for number, text in enumerate(TEXTS * 8)], np.arange(320) % 2)
    ready = lambda **seeds: task(examples, epochs=1, **seeds).prepare()
    first, other = ready(seed=3, split_seed=0), ready(seed=7, split_seed=0)
    np.testing.assert_array_equal(first.kept_back, other.kept_back)
    assert set(first.kept_back) != set(ready(seed=3, split_seed=1).kept_back)
    assert np.bincount(first.judged.targets).tolist() in ([12, 13], [13, 12])
    learnt, validation = first.for_network
    assert len(learnt) == 256 - 25
    assert not set(learnt.inputs) & set(validation["X_val"])
    few = task(examples.chosen(np.arange(240)), epochs=1).prepare()
    assert (len(few.training), few.judged) == (192, None)


def test_the_surest_mistake_is_the_worst():
    chances = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    outcome = Outcome("accuracy", 0.25, 0.5, np.array([1, 0, 1, 0]), chances)
    assert outcome.predicted.tolist() == [0, 1, 1, 1]
    assert outcome.mistakes(9).tolist() == [1, 3, 0]
    assert outcome.mistakes(2).tolist() == [1, 3]


def test_a_report_shows_mistakes_as_texts():
    test = Examples(["the cat", "the stock <b>fell</b> & fell"], np.array([1, 1]), ["row 1", "row 2"])
    examples = Examples(TEXTS, np.arange(1, 41) % 2, LABELS)
    texts = task(examples, test, ("a <note>",), epochs=20)
    fitted = texts.train(texts.prepare())
    outcome = texts.judge(fitted)
    assert (outcome.score, outcome.baseline) == (0.5, 0.0)
    page = texts.report(fitted, outcome, texts.metrics(fitted, outcome))
    assert "label from t" in page
    assert "accuracy 0.5000" in page
    assert "a &lt;note&gt;." in page
    shown = re.search(r"<div class=texts>(.*?)</div></div>", page)[1]
    assert "<b>pets</b>" in shown
    assert "taken for <b>money</b>" in shown
    assert "<blockquote>the stock &lt;b&gt;fell&lt;/b&gt; &amp; fell</blockquote>" in shown
    assert shown.count("<blockquote>") == 1
