import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.target import find_target, split_target


def table(**columns):
    return Table(pd.DataFrame(columns), "things", "")


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        (["no", "yes", "no", "yes"], "binary", ("no", "yes")),
        ([True, False, True, False], "binary", ("False", "True")),
        ([0, 1, 1, 0], "binary", ("0", "1")),
        ([1.0, 2.0, 1.0, 2.0], "binary", ("1", "2")),
        (["b", "a", "c"] * 2, "multiclass", ("a", "b", "c")),
        (pd.Categorical(["lo", "hi", "mid"] * 2, ["lo", "mid", "hi", "top"]), "multiclass", ("lo", "mid", "hi")),
        (list(range(12)) * 10, "multiclass", tuple(map(str, range(12)))),
        (list(range(12)) * 3, "regression", ()),
        (list(range(30)) * 10, "regression", ()),
        ([0.5, 1.0, 1.5] * 20, "regression", ()),
        (np.linspace(0, 1, 50), "regression", ()),
    ],
)
def test_tasks(values, kind, classes):
    task = find_target(pd.Series(values))
    assert (task.kind, task.classes) == (kind, classes)
    assert f"different values in {len(values)} rows" in task.reason


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("digits", "multiclass", 10),
        ("breast_cancer", "binary", 2),
        ("wine", "multiclass", 3),
        ("iris", "multiclass", 3),
        ("diabetes", "regression", 0),
    ],
)
def test_samples(name, kind, count):
    features, target, dropped, *_ = split_target(read_table(f"sample:{name}"), "target")
    task = find_target(target)
    assert (task.kind, len(task.classes), dropped) == (kind, count, 0)
    assert "target" not in features.columns
    encoded = task.encode(target)
    assert encoded.dtype == (np.float64 if kind == "regression" else np.int32)
    named = encoded.tolist() if kind == "regression" else [task.classes[number] for number in encoded]
    assert named == (target.tolist() if kind == "regression" else target.map(str).tolist())


def test_a_target_may_be_settled_by_the_caller():
    ratings = pd.Series([1, 2, 3, 4, 5] * 20, name="stars")
    assert find_target(ratings).kind == "multiclass"
    assert find_target(ratings, "regression").kind == "regression"
    assert find_target(pd.Series(list(range(30)) * 4), "classes").classes[:3] == ("0", "1", "2")
    with pytest.raises(InputError, match="target 'color' holds labels such as 'red': they name classes"):
        find_target(pd.Series(["red", "red", "blue"], name="color"), "regression")


def test_rows_without_a_target_are_dropped_and_counted():
    features, target, dropped, *_ = split_target(table(a=[1, 2, 3, 4], y=["x", None, "?", "z"]), "y")
    assert features.to_dict("list") == {"a": [1, 4]}
    assert target.tolist() == ["x", "z"]
    assert dropped == 2


def test_numbers_written_as_text_are_measured():
    _, target, dropped, *_ = split_target(table(a=range(40), y=[f"{n},{n:03}" for n in range(1, 40)] + ["NA"]), "y")
    task = find_target(target)
    assert (task.kind, dropped) == ("regression", 1)
    assert task.encode(target)[:2].tolist() == [1001, 2002]


def test_names_need_not_be_text():
    split = split_target(Table(pd.DataFrame({0: [1, 2], 1: ["a", "b"]}), "t", ""), "1")
    assert split.target.tolist() == ["a", "b"]
    assert split.features.columns.tolist() == [0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prices": [1, 2], "b": [1, 2]}, "things has no column 'y': its columns are prices, b"),
        ({"y1": [1, 2], "b": [1, 2]}, r"things has no column 'y': did you mean 'y1'\? its columns are y1, b"),
        ({"y": [1, 2]}, "things has no column besides the target 'y': nothing to predict it from"),
        ({"a": [1, 2], "y": [None, "?"]}, "target 'y' is missing in every row: there is nothing to learn"),
        ({"a": [1], "y": [3]}, "target 'y' is known in one row only: at least two are needed"),
        ({"a": [1, 2], "y": [3, None]}, "target 'y' is known in one row only"),
        ({"a": [1, 2, 3], "y": ["x", "x", None]}, "target 'y' is 'x' in every row: there is nothing to tell apart"),
        ({"a": [1, 2], "y": [3.0, np.inf]}, "column 'y' has an infinite value in row 2"),
        ({"a": [1, 2], "y": pd.date_range("2024", periods=2)}, "target 'y' holds dates: make a number of them"),
        ({"a": [1, 2], "y": [[1], [2]]}, "target 'y' holds list, not single values: descend predicts numbers"),
    ],
)
def test_targets_that_cannot_be_learnt(columns, message):
    with pytest.raises(InputError, match=message) as caught:
        split_target(table(**columns), "y")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b", "b"], "target 'y': class 'a' has only one row, and needs one to learn from and one to check on"),
        (["a", "a", "b", "c", "d"], r"class 'b' \(and 2 more classes\) has only one row"),
    ],
)
def test_classes_of_one_row_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        find_target(pd.Series(values, name="y"))


def test_a_class_of_one_row_is_set_aside_where_two_others_are_left():
    assert find_target(pd.Series(["a", "a", "b", "b", "c"], name="y")).classes == ("a", "b")


def test_labels_met_later_must_be_known():
    task = find_target(pd.Series(["a", "b"] * 3, name="y"))
    with pytest.raises(InputError, match="target 'y' is 'c' in row 2: expected one of the classes a, b"):
        task.encode(pd.Series(["a", "c"], name="y"))
    with pytest.raises(InputError, match="target 'y' is missing in row 1: expected one of the classes a, b"):
        task.encode(pd.Series([None, "a"], name="y"))
    measured = find_target(pd.Series(np.linspace(0, 1, 9), name="y"))
    with pytest.raises(InputError, match="target 'y' is 'x' in row 2: expected a number"):
        measured.encode(pd.Series(["1", "x"], name="y"))


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        (list(range(100, 130)) * 10, True),
        ([0.5, *range(100, 129)] * 10, False),
        (list(range(100, 200)) * 3, False),
    ],
)
def test_whole_numbers_that_come_again_may_be_names(values, is_told):
    task = find_target(pd.Series(values))
    assert task.kind == "regression"
    assert task.reason.endswith("if they name classes, --task classes") == is_told


def test_classes_that_are_written_shorter_are_told():
    _, _, _, notes, _ = split_target(table(x=range(8), sold=["yes", "Y", "no", "yes", "y", "no", "n", "later"]), "sold")
    assert notes[0] == ("'y' and 'yes', and 'n' and 'no' are different classes of sold: if they mean the same, write "
                        "them alike")
    _, _, _, notes, _ = split_target(table(x=range(4), sold=["yes", "no", "yes", "n. a."]), "sold")
    assert not notes


@pytest.mark.filterwarnings("error")
def test_complex_numbers_are_no_target():
    with pytest.raises(InputError, match="target 'sold' holds complex numbers, not real ones: descend predicts"):
        split_target(table(x=range(3), sold=np.arange(3) * 1j), "sold")
