"""What a person says of columns goes before what is guessed; and what new files are read by is the model's."""

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common.asked import of_words
from descend.tasks.common.columns import Column, Kind
from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.settings import Settings
from descend.tasks.common.typed_table import type_table
from descend.tasks.table.encoding import Encoder

FRAME = pd.DataFrame({
    "zip": ["01", "02", "10", "02"], "price": ["1,234", "5,678", "9", "7"], "day": ["01/02/2024", "03/04/2024"] * 2,
    "size": [1.0, -999.0, 2.0, 4.0], "y": [1.5, 2.5, 3.5, 4.5],
})  # fmt: skip


def typed(frame=FRAME, target="y", **settings):
    return type_table(Table(frame, "things", ""), Settings(target, **settings))


def of(table, name):
    return next(column for column in table.columns if column.name == name)


def test_kinds_and_forms_are_as_was_said():
    said = ("zip=number", "price=number:1234,5", "day=date:%d/%m/%Y", "size=category")
    table = typed(column=said)
    assert [of(table, name).kind for name in ("zip", "price", "day", "size")] == [
        Kind.number, Kind.number, Kind.date, Kind.category]
    rows = Encoder().fit(table.features, table.columns)
    frame = {column.name: column for column in rows.columns}
    assert frame["price"].numbers(FRAME["price"]).tolist() == [1.234, 5.678, 9, 7]
    assert frame["zip"].numbers(FRAME["zip"]).tolist() == [1, 2, 10, 2]
    assert not any(column.note for column in table.columns)


def test_columns_may_be_dropped_and_values_missing():
    table = typed(drop=("zip",), column=("day=ignore",), missing=("-999",))
    assert [column.name for column in table.used] == ["price", "size"]
    assert of(table, "size").gaps == ("-999",)
    values = of(table, "size").numbers(pd.Series([-999.0, 3.0]))
    np.testing.assert_array_equal(values, [np.nan, 3.0])


@pytest.mark.parametrize(("settings", "message"), [
    ({"column": ("sze=number",)}, "things has no column 'sze': did you mean 'size'?"),
    ({"column": ("size=numeric",)}, "--column size=numeric: say NAME=KIND, with one of the kinds number, category"),
    ({"column": ("size",)}, "--column size: say NAME=KIND"),
    ({"column": ("day=date:soon",)}, "--column day=date:soon: after date there may be one of ISO8601"),
    ({"column": ("zip=date",)}, "--column zip=date: no format reads all of its values"),
    ({"column": ("day=number",)}, "--column day=number: most of its values, such as '01/02/2024', read as no numbers"),
    ({"drop": ("SIZE",)}, "things has no column 'SIZE': did you mean 'size'?"),
    ({"target": "Y"}, "things has no column 'Y': did you mean 'y'?"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(InputError) as caught:
        typed(**settings)
    assert message in str(caught.value)


def test_counts_are_no_classes_and_names_are():
    rng = np.random.default_rng(0)
    visits = pd.DataFrame({"a": rng.normal(size=1000), "y": rng.poisson(2.0, 1000)})
    assert typed(visits).target.kind == "regression"
    assert typed(visits, task="classes").target.kind == "multiclass"
    assert typed(visits, column=("y=category",)).target.kind == "multiclass"
    digits = visits.assign(y=rng.integers(0, 10, 1000))
    assert typed(digits).target.kind == "multiclass"
    assert typed(digits, task="regression").target.kind == "regression"


def test_a_lone_class_is_set_aside_and_told():
    frame = pd.DataFrame({"a": range(7), "y": ["x", "x", "y", "y", "z", "x", "y"]})
    table = typed(frame)
    assert table.target.classes == ("x", "y")
    assert len(table.values) == len(table.features) == 6
    assert table.notes == (
        "1 row set aside, each the only one of its class of y ('z'): a class needs one row to learn from and one to "
        "check on",)


@pytest.mark.parametrize(("text", "classes", "told"), [
    ("a\ty\n1\tNone\n2\tmild\n3\tNone\n4\tmild\n", ("None", "mild"), "'None' is a class of y: if it stands for a gap"),
    ("a\ty\n1\tNA\n2\tDE\n3\tNA\n4\tDE\n", ("DE", "NA"), "'NA' is a class of y"),
    ("a\ty\n1\tNA\n2\tDE\nNA\tFR\n4\tDE\n5\tFR\n", ("DE", "FR"), ""),
    ("a\ty\n1\t01\n2\t1\n3\t01\n4\t1\n", ("01", "1"), ""),
    ("a\ty\n1\tYes\n2\tyes\n3\tno\n4\tNo\n5\tno\n", ("Yes", "no"), "differ in their case alone are the same"),
])  # fmt: skip
def test_classes_as_people_write_them(tmp_path, text, classes, told):
    (tmp_path / "t.tsv").write_text(text)
    table = type_table(read_table(tmp_path / "t.tsv"), Settings("y"))
    assert table.target.classes == classes
    assert told in "; ".join(table.notes)


def test_new_files_are_read_by_the_types_that_were_found(tmp_path):
    """Each column of the new file alone would be taken for something else."""
    (tmp_path / "old.csv").write_text("code;price;day;y\n01;1,5;13/01/2024;1\nA2;2,25;02/03/2024;2\n"
                                      "01;1,5;01/02/2024;3\n")
    (tmp_path / "new.csv").write_text("code;price;day\n01;1,250;01/02/2024\n01;2,250;03/02/2024\n")
    table = type_table(read_table(tmp_path / "old.csv"), Settings("y"))
    encoder = Encoder().fit(table.features, table.columns)
    assert encoder.as_written == {"code", "price", "day"}
    frame = read_table(tmp_path / "new.csv", encoder.as_written).frame
    columns = {column.name: column for column in encoder.used}
    assert columns["price"].numbers(frame["price"]).tolist() == [1.25, 2.25]
    assert columns["code"].words(frame["code"]).tolist() == ["01", "01"]
    assert columns["day"].form == "%d/%m/%Y"


def test_words_of_digits_are_the_same_when_they_are_met_again(tmp_path):
    (tmp_path / "t.csv").write_text("size,y\n1.50,1\n2.00,2\n1.50,3\n2.00,5\n")
    said = ("size=category",)
    table = type_table(read_table(tmp_path / "t.csv", of_words(said)), Settings("y", column=said))
    encoder = Encoder().fit(table.features, table.columns)
    again = read_table(tmp_path / "t.csv", encoder.as_written).frame
    assert encoder.transform(again).tolist() == encoder.transform(table.features).tolist()
    assert len(np.unique(encoder.transform(again), axis=0)) == 2


def test_numbers_that_had_no_marks_are_read_by_those_of_new_files(tmp_path):
    (tmp_path / "new.csv").write_text("x;k\n12,5;a\n1.000,25;b\n")
    frame = read_table(tmp_path / "new.csv").frame
    # As models have it that were stored before columns had forms.
    column = Column("x", Kind.number, "numbers")
    assert column.numbers(frame["x"]).tolist() == [12.5, 1000.25]
    assert column.numbers(pd.Series(["1,234", "$3.50"])).tolist() == [1234, 3.5]
