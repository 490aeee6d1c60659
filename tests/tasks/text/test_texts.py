"""Texts from a table: which tables have nothing else, what is trained on them, and how mistakes are shown."""

import re

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common.collection import Collection, Examples, divided
from descend.tasks.common.network.outcome import Outcome, judge, metrics
from descend.tasks.common.network.report import render
from descend.tasks.common.network.training import prepare, train
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.text.texts import as_texts, texts_in

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
    found = as_texts(table(**columns), "label")
    assert (found is not None) == is_one
    if found is not None:
        assert (found.classes, found.column, found.examples.inputs) == (("money", "pets"), "text", TEXTS)
        assert found.examples.targets.tolist() == [1, 0] * 20


def test_rows_without_a_class_or_a_text():
    frame = table().frame
    frame.loc[0, "label"], frame.loc[1, "text"] = None, None
    found = as_texts(Table(frame, "t", "digest"), "label")
    assert found.notes == ("1 texts are empty", "1 more rows have no class")
    assert found.examples.inputs[0] == ""
    assert texts_in(frame, "text")[1] == ""


def test_what_is_held_out():
    collection = Collection("texts", "t", "", ("a", "b"), Examples(TEXTS, np.arange(40) % 2, LABELS))
    learnt, held_out = divided(collection, 0.25, seed=0)
    assert sorted(learnt.inputs + held_out.inputs) == sorted(TEXTS)
    assert np.bincount(held_out.targets).tolist() == [5, 5]
    with pytest.raises(InputError, match="40 texts are too few to hold out 39"):
        divided(collection, 0.96, seed=0)
    lonely = Collection("texts", "t", "", ("a", "b"), Examples(TEXTS, np.arange(40) // 39, LABELS))
    with pytest.raises(InputError, match="class 'b' has one of the texts alone"):
        divided(lonely, 0.25, seed=0)


def test_the_surest_mistake_is_the_worst():
    chances = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    outcome = Outcome(0.25, 0.5, np.array([1, 0, 1, 0]), chances)
    assert outcome.predicted.tolist() == [0, 1, 1, 1]
    assert outcome.mistakes(9).tolist() == [1, 3, 0]
    assert outcome.mistakes(2).tolist() == [1, 3]


def test_a_report_shows_mistakes_as_texts():
    test = Examples(["the cat", "the stock <b>fell</b> & fell"], np.array([1, 1]), ["row 1", "row 2"])
    examples = Examples(TEXTS, np.arange(1, 41) % 2, LABELS)
    collection = Collection("texts", "t", "", ("money", "pets"), examples, test, "label", "text", ("a <note>",))
    settings = Settings("label", epochs=20)
    fitted = train(prepare(collection, settings))
    outcome = judge(fitted)
    assert (outcome.score, outcome.baseline) == (0.5, 0.0)
    page = render(fitted, outcome, metrics(fitted, outcome, settings))
    assert "label from t" in page
    assert "accuracy 0.5000" in page
    assert "a &lt;note&gt;." in page
    shown = re.search(r"<div class=texts>(.*?)</div></div>", page)[1]
    assert "<b>pets</b>" in shown
    assert "taken for <b>money</b>" in shown
    assert "<blockquote>the stock &lt;b&gt;fell&lt;/b&gt; &amp; fell</blockquote>" in shown
    assert shown.count("<blockquote>") == 1
