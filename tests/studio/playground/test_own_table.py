"""One's own table: scikit-learn's samples as they are, and tables that nobody should write."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris, load_wine

from descend.errors import InputError
from descend.studio.playground.own_table import MAX_ROWS_SEEN, Choice, OwnTable


@pytest.mark.parametrize(("load", "kind", "classes"), [
    (load_iris, "classification", ("0", "1", "2")),
    (load_wine, "classification", ("0", "1", "2")),
    (load_diabetes, "regression", ()),
])  # fmt: skip
def test_samples_of_scikit_learn_are_read_from_csv(tmp_path, load, kind, classes):
    found = load(as_frame=True)
    found.frame.to_csv(tmp_path / "table.csv", index=False)
    table = OwnTable.read(tmp_path / "table.csv")
    first = table.first()
    assert (first.x, first.y, first.target) == (*found.feature_names[:2], "target")
    points = table.points(first)
    assert (points.kind, points.classes, points.title) == (kind, classes, "table")
    np.testing.assert_allclose(points.positions, found.frame[found.feature_names[:2]])
    np.testing.assert_array_equal(points.targets, found.target)
    np.testing.assert_allclose(points.standard(points.positions).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(points.standard(points.positions).std(0), 1)
    x0, x1, y0, y1 = points.window
    assert ((points.positions > [x0, y0]) & (points.positions < [x1, y1])).all()
    assert points.says == f"{len(found.frame)} rows"


def frame(rows=40, **columns):
    rng = np.random.default_rng(0)
    usual = {"a": rng.normal(size=rows), "b": rng.normal(5, 2, rows), "c": np.resize(["no", "yes", "maybe"], rows)}
    return pd.DataFrame(usual | columns)


def own(**columns):
    return OwnTable.of("mine", frame(**columns))


def test_gaps_are_dropped_and_told():
    gappy = frame()
    gappy.loc[[3, 7], "a"] = np.nan
    gappy.loc[[7, 8], "c"] = None
    points = OwnTable.of("mine", gappy).points(Choice("a", "b", "c"))
    kept = gappy.dropna()
    np.testing.assert_array_equal(points.positions, kept[["a", "b"]])
    assert [points.classes[code] for code in points.targets] == kept["c"].tolist()
    assert points.says == "37 rows of 40; 3 with gaps are left out"


def test_numbers_are_classes_or_numbers_as_it_is_asked():
    table = own(stars=np.resize([1, 2, 3, 4, 5], 40))
    as_it_looks = table.points(Choice("a", "b", "stars"))
    assert as_it_looks.classes == ("1", "2", "3", "4", "5")
    number = table.points(Choice("a", "b", "stars", "number"))
    assert (number.kind, number.span, number.share(number.targets).max()) == ("regression", (1, 5), 1)
    assert table.points(Choice("a", "b", "stars", "classes")).classes == as_it_looks.classes


REFUSED = [
    ({}, Choice("a", "b", "z"), "'z' cannot be a target (there is no such column)"),
    ({}, Choice("c", "b", "a"), "'c' cannot be an axis (category: 3 levels)"),
    ({}, Choice("a", "a", "c"), "choose three different columns"),
    ({}, Choice("a", "b", "a"), "choose three different columns"),
    ({"one": "same"}, Choice("a", "b", "one"), "'one' cannot be a target (ignored: every value is 'same')"),
    ({"one": 3.0}, Choice("a", "one", "c"), "'one' cannot be an axis (ignored: every value is '3')"),
    ({"none": np.nan}, Choice("a", "none", "c"), "'none' cannot be an axis (ignored: every value is missing)"),
    ({"many": np.arange(40) // 2}, Choice("a", "b", "many", "classes"), "20 classes, and at "
     "most 10 can be told apart in a picture: show it as a number"),
    ({"odd": ["k"] * 39 + ["only"]}, Choice("a", "b", "odd"), "class 'only' has only one row"),
    ({"many": [f"k{i // 2}" for i in range(40)]}, Choice("a", "b", "many"), "at most 10 can be told apart in a "
     "picture: choose another target"),
    ({"half": [1.0] * 39 + [np.nan]}, Choice("half", "b", "c"), "'half' is 1 in every row that is left"),
    ({"rest": [np.nan] * 38 + [1.0, 2.0]}, Choice("rest", "b", "c"), "class"),
    ({"e": [*range(20)] + [np.nan] * 20, "f": [np.nan] * 20 + [*range(20)]}, Choice("e", "f", "c"), "no row has both"),
    ({"c": "yes", "d": ["p", None] * 20}, Choice("a", "b", "d"), "'p' in every row"),
    ({"inf": [np.inf, 1.0, *range(38)]}, Choice("a", "inf", "c"), "it has infinite values"),
    ({"words": [f"w{i}" for i in range(40)]}, Choice("a", "b", "words"), "like an identifier"),
    ({}, Choice("a", "b", "c", "number"), "holds labels such as 'no': they name classes"),
]


@pytest.mark.parametrize(("columns", "choice", "says"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_cannot_be_learned_is_told_on_a_line(columns, choice, says):
    with pytest.raises(InputError) as refused:
        own(**columns).points(choice)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_class_of_one_row_is_left_out_and_told():
    points = own(odd=["p", "q"] * 19 + ["p", "only"]).points(Choice("a", "b", "odd"))
    assert (points.classes, len(points.positions), len(points.targets)) == (("p", "q"), 39, 39)
    assert points.says == "39 rows of 40; 1 alone in their class are left out"


@pytest.mark.parametrize("columns", [
    {"a": "x", "b": "y"}, {"c": 1, "b": 2.0}, {"a": np.nan, "b": np.nan}, {"a": [f"w{i}" for i in range(40)]},
])  # fmt: skip
def test_a_table_without_two_axes_and_a_target_is_refused_as_a_whole(tmp_path, columns):
    frame(**columns).to_csv(tmp_path / "poor.csv", index=False)
    with pytest.raises(InputError, match="poor has no two columns of numbers beside one to learn"):
        OwnTable.read(tmp_path / "poor.csv")


def test_a_target_that_cannot_be_is_passed_over_for_the_first_choice():
    many = own(d=np.arange(40.0), labels=[f"k{i // 2}" for i in range(40)])
    assert many.first() == Choice("a", "b", "d")


def test_names_are_anybodys():
    names = ["", "<img src=x onerror=alert(1)>", "row of t", "t", "__proto__", "a\nb"]
    table = OwnTable.of("mine", pd.DataFrame(np.random.default_rng(0).normal(size=(30, 6)), columns=names))
    assert table.first() == Choice(names[0], names[1], names[5])
    points = table.points(Choice(names[2], names[4], "t"))
    np.testing.assert_array_equal(points.targets, table.frame["t"])
    numbered = OwnTable.of("mine", pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3))))
    assert numbered.first() == Choice("0", "1", "2")


def test_a_million_rows_are_sampled_and_told():
    rng = np.random.default_rng(0)
    rows = 10**6
    big = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows), "t": np.resize([0, 1, 2], rows)})
    begin = time.process_time()
    table = OwnTable.of("big", big)
    points = table.points(table.first())
    assert time.process_time() - begin < 2
    assert len(points) == MAX_ROWS_SEEN
    assert points.says == "5,000 rows of 1,000,000; 5,000 were drawn at random"
    # As the whole has them, and not the first of them.
    assert table.frame["a"].std() == pytest.approx(1, abs=0.05)
    assert set(np.bincount(points.targets) > 1500) == {True}
    assert np.isin(table.frame["a"], big["a"][: MAX_ROWS_SEEN]).mean() < 0.1


def test_far_numbers_are_shown_in_their_own_units():
    rng = np.random.default_rng(0)
    columns = {"a": 1e30 * rng.normal(size=30), "b": 1e-30 * rng.normal(size=30), "c": np.resize([0, 1], 30)}
    far = OwnTable.of("far", pd.DataFrame(columns))
    points = far.points(far.first())
    standard = points.standard(points.positions)
    np.testing.assert_allclose(standard.std(0), 1)
    assert points.window[1] > 1e29
    assert points.window[3] < 1e-28
