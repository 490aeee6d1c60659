import datetime
import decimal
import uuid

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common.columns import Kind, describe_columns
from descend.tasks.common.parsing import as_booleans, as_dates, as_numbers, as_text
from descend.tasks.common.reading import read_table

NAMES = ["Braund, Mr. Owen", "Cumings, Mrs. John Bradley", "Heikkinen, Miss. Laina", "Allen, Mr. William Henry"]


def kind_of(values, name="x"):
    (column,) = describe_columns(pd.DataFrame({name: values}))
    return column.kind, column.reason


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        ([1, 2, 3], Kind.number, "numbers"),
        ([1.5, None, 3.0], Kind.number, "numbers"),
        (pd.array([1, None, 3], "Int64"), Kind.number, "numbers"),
        ([decimal.Decimal("1.5"), decimal.Decimal(2)], Kind.number, "numbers"),
        (["1,234", " 5 ", "NA", "?", "-3.5e2"], Kind.number, "numbers written as text"),
        (["$1,234.50", "$7"], Kind.number, "numbers written as text"),
        ([*map(str, range(40)), "unknown"], Kind.number, "nearly all numbers; 'unknown' count as missing"),
        (pd.to_timedelta([1, 5], unit="h"), Kind.number, "numbers"),
        ([True, False], Kind.boolean, "true and false"),
        ([True, None, False], Kind.boolean, "true and false"),
        (["Yes", "no", "NO"], Kind.boolean, "yes and no"),
        (["t", "f"], Kind.boolean, "t and f"),
        ([0, 1, 1], Kind.boolean, "0 and 1"),
        (["0", "1", None], Kind.boolean, "0 and 1"),
        ([1, 2, 1], Kind.number, "numbers"),
        (pd.date_range("2024-01-01", periods=3), Kind.date, "dates"),
        (pd.date_range("2024-01-01", periods=3, tz="Asia/Tokyo"), Kind.date, "dates"),
        ([datetime.date(2024, 1, 2), datetime.date(2024, 1, 3)], Kind.date, "every value reads as a date (ISO8601)"),
        (["2024-01-02", "2024-01-03T10:00:00Z", ""], Kind.date, "every value reads as a date (ISO8601)"),
        (["13/01/2024", "02/01/2024"], Kind.date, "every value reads as a date (%d/%m/%Y)"),
        (["01/02/2024", "01/13/2024"], Kind.date, "every value reads as a date (%m/%d/%Y)"),
        (["3 Jan 2024", "4 Feb 2024"], Kind.date, "every value reads as a date (%d %b %Y)"),
        (["2024-01-02", "soon"], Kind.category, "2 levels"),
        ([*map(str, range(9)), "few"] * 2, Kind.category, "10 levels"),
        (["red", "green", "red"], Kind.category, "2 levels"),
        (["red", None], Kind.category, "one level, and gaps"),
        (pd.Categorical([3, 1, 3]), Kind.category, "2 levels"),
        ([f"N{index % 50}" for index in range(200)], Kind.category, "50 levels, the 39 commonest told apart"),
        ([f"{NAMES[index % 4]} {index}" for index in range(60)], Kind.text, "60 different texts of 4 words"),
        ([None, None], Kind.ignored, "every value is missing"),
        (["NA", "?"], Kind.ignored, "every value is missing"),
        ([7, 7], Kind.ignored, "every value is '7'"),
        ([str(uuid.UUID(int=index)) for index in range(20)], Kind.ignored, "a different word in every row, like"),
        ([[1], [2, 3]], Kind.ignored, "holds list, not single values"),
        (np.arange(3) * 1j, Kind.ignored, "holds complex numbers, not real ones"),
        ([{"a": 1}, None], Kind.ignored, "holds dict, not single values"),
    ],
)
def test_kinds_and_reasons(values, kind, reason):
    found, why = kind_of(values)
    assert found is kind
    assert why.startswith(reason)


@pytest.mark.parametrize("name", ["id", "rownames", "Unnamed: 0", "customer_id", "PassengerId", "row", ""])
def test_numbers_of_rows_are_ignored(name):
    assert kind_of(np.random.default_rng(0).permutation(30), name)[0] is Kind.ignored


@pytest.mark.parametrize("name", ["year", "x", "humid", "grid"])
def test_measurements_that_differ_in_every_row_are_not(name):
    assert kind_of(range(30), name)[0] is Kind.number


def test_a_shop_ids_few_values_are_numbers():
    assert kind_of([1, 2, 2], "shop_id")[0] is Kind.number


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.inf, 2.0], r"column 'x' has an infinite value in row 2 .* put a finite number there, or leave"),
        ([1.0, 5.0, -np.inf, np.inf], "column 'x' has 2 infinite values, the first in row 3"),
        (["1", "inf"], "column 'x' has an infinite value in row 2"),
        ([1e300, 1.0], "column 'x' has an infinite value in row 1"),
    ],
)
def test_infinities_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        describe_columns(pd.DataFrame({"x": values}))


def test_names_need_not_be_text_but_must_differ():
    frame = pd.DataFrame({0: [1, 2], ("a", 1): [3, 4]})
    assert [column.name for column in describe_columns(frame)] == ["0", "('a', 1)"]
    with pytest.raises(InputError, match="more than one column named '1': give every column its own name"):
        describe_columns(pd.DataFrame([[1, 2]], columns=[1, "1"]))


def test_samples_are_all_numbers():
    kinds = {column.kind for column in describe_columns(read_table("sample:wine").frame.drop(columns="target"))}
    assert kinds == {Kind.number}


def test_values_are_read():
    numbers = as_numbers(pd.Series(["1,234", " 5 ", "NA", "12%", "€7", "1,23", "x", None]))
    np.testing.assert_array_equal(numbers, [1234, 5, np.nan, 12, 7, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(as_booleans(pd.Series(["Y", "false", "0", "maybe"])), [1, 0, 0, np.nan])
    assert as_text(pd.Series([1.0, 2.5, None])).tolist() == ["1", "2.5", None]
    assert as_text(pd.Series([" a ", "n/a", None, "b"], dtype="category")).tolist() == ["a", None, None, "b"]
    tokyo = pd.Series(pd.to_datetime(["2024-01-01 09:00"]).tz_localize("Asia/Tokyo"))
    assert as_dates(tokyo, "ISO8601").tolist() == [pd.Timestamp("2024-01-01")]
