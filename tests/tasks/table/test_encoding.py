import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from amounts import times
from descend.errors import InputError
from descend.tasks.common.columns import Kind, describe_columns
from descend.tasks.common.reading import read_table
from descend.tasks.common.target import split_target
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.typed import typed_frame
from encoders import encoder_of


def column(encoder, matrix, name):
    return matrix[:, encoder.feature_names.index(name)]


def people(rows=90):
    return pd.DataFrame(
        {
            "age": [float(20 + index % 50) for index in range(rows)],
            "member": ["yes", "no", "no"] * (rows // 3),
            "town": ["Aa", "Bb", "Cc"] * (rows // 3 - 1) + ["Aa", "Bb", "Dd"],
            "joined": pd.date_range("2023-01-30 08:00", periods=rows, freq="D"),
            "constant": 1,
        }
    )


def test_names_columns_and_values_of_every_kind():
    frame = people()
    encoder = encoder_of(frame)
    matrix = encoder.transform(frame)
    assert encoder.feature_names == [
        *("age", "member", "town=Aa", "town=Bb", "town=Cc", "town=(rare)"),
        *("joined:year", "joined:month", "joined:day", "joined:hour", "joined:total_seconds", "joined:weekday"),
    ]
    assert encoder.feature_columns == ["age", "member"] + ["town"] * 4 + ["joined"] * 6
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert matrix.shape == (90, 12)
    assert column(encoder, matrix, "age").mean() == pytest.approx(0, abs=1e-6)
    assert column(encoder, matrix, "age").std() == pytest.approx(1, abs=1e-6)
    assert column(encoder, matrix, "member").tolist()[:3] == [1, 0, 0]
    assert column(encoder, matrix, "town=Bb").tolist()[:4] == [0, 1, 0, 0]
    months = column(encoder, matrix, "joined:month")
    assert months[0] == months[1] < months[2]
    assert [c.kind for c in encoder.columns][-1] is Kind.ignored


def test_gaps_are_filled_and_flagged_only_where_they_occurred():
    frame = people()
    frame.loc[[3, 4], "age"] = np.nan
    frame.loc[5, "member"] = None
    frame.loc[[6, 7], "town"] = None
    frame.loc[8, "joined"] = pd.NaT
    encoder = encoder_of(frame)
    matrix = encoder.transform(frame)
    flags = [name for name in encoder.feature_names if name.endswith(" is missing")]
    assert flags == ["age is missing", "member is missing", "joined is missing"]
    assert np.flatnonzero(column(encoder, matrix, "age is missing")).tolist() == [3, 4]
    assert np.flatnonzero(column(encoder, matrix, "town=(missing)")).tolist() == [6, 7]
    assert np.isfinite(matrix).all()
    assert encoder.feature_columns[encoder.feature_names.index("age is missing")] == "age"


def test_gaps_first_met_at_prediction_are_filled():
    encoder = encoder_of(people())
    gaps = pd.DataFrame({"age": [None], "member": [None], "town": [None], "joined": [None]})
    matrix = encoder.transform(gaps)
    assert np.isfinite(matrix).all()
    assert column(encoder, matrix, "town=(rare)").tolist() == [1]


def test_an_unseen_category_shares_the_feature_of_the_rare_ones():
    frame = people()
    encoder = encoder_of(frame)
    matrix = encoder.transform(frame.head(2).assign(town=["Zz", "Dd"]))
    assert column(encoder, matrix, "town=(rare)").tolist() == [1, 1]


def test_many_levels_keep_the_commonest():
    counts = {f"L{level:03}": 2 + level for level in range(100)}
    frame = pd.DataFrame({"level": [name for name, count in counts.items() for _ in range(count)]})
    encoder = encoder_of(frame)
    assert len(encoder.feature_names) == 40
    assert encoder.feature_names[-2:] == ["level=L099", "level=(rare)"]


def test_columns_may_come_in_any_order_with_others_among_them():
    frame = people()
    encoder = encoder_of(frame)
    shuffled = frame.assign(more="x", **{"and more": 1})[["more", "town", "joined", "age", "member", "and more"]]
    np.testing.assert_array_equal(encoder.transform(shuffled), encoder.transform(frame))
    assert encoder.extra_columns(shuffled) == ["more", "and more"]
    assert encoder.extra_columns(frame) == []


def test_plain_numbers_are_typed_all_at_once_as_each_alone():
    """In their order, whatever stands between them; one that is infinite is named, with its row."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"n{index}": rng.normal(size=40) for index in range(6)})
    frame.insert(2, "town", ["Aa", "Bb"] * 20)
    frame.loc[3, "n4"] = np.nan
    encoder = encoder_of(frame)
    matrix = encoder.transform(frame)
    assert encoder.feature_names[:6] == [f"n{index}" for index in range(6)]
    alone = encoder_of(frame[["n4"]])
    np.testing.assert_array_equal(column(encoder, matrix, "n4"), column(alone, alone.transform(frame), "n4"))
    assert list(typed_frame(frame, encoder.used)) == list(frame)
    frame.loc[7, "n5"] = -np.inf
    with pytest.raises(InputError, match="column 'n5' has an infinite value in row 8"):
        encoder.transform(frame)


def test_names_that_are_not_text():
    frame = pd.DataFrame({0: [1.0, 2.0, 4.0], ("a", 1): ["x", "y", "x"]})
    encoder = encoder_of(frame)
    assert encoder.feature_names == ["0", "('a', 1)=x", "('a', 1)=(rare)"]
    assert encoder.transform(frame).shape == (3, 3)


def test_dates_as_text_are_read_by_the_format_found_in_training():
    days = pd.date_range("2024-01-01", periods=60)
    encoder = encoder_of(pd.DataFrame({"day": days.strftime("%d/%m/%Y")}))
    third_of_april = encoder.transform(pd.DataFrame({"day": ["03/04/2024"]}))
    assert encoder.transform(pd.DataFrame({"day": pd.to_datetime(["2024-04-03"])})).tolist() == third_of_april.tolist()


def test_texts_that_share_words_are_near_each_other():
    subjects = ["the battery died after a day", "screen cracked on the first day", "love the bright sharp picture"]
    frame = pd.DataFrame({"review": [f"{subjects[index % 3]} number {index}" for index in range(99)]})
    encoder = encoder_of(frame)
    matrix = encoder.transform(frame)
    assert encoder.columns[0].kind is Kind.text
    assert encoder.feature_names[0] == "review:text 1"
    assert set(encoder.feature_columns) == {"review"}
    assert LogisticRegression().fit(matrix[:60], np.arange(60) % 3).score(matrix[60:], np.arange(60, 99) % 3) == 1
    assert np.isfinite(encoder.transform(pd.DataFrame({"review": [None, "", "zzz"]}))).all()


def test_words_found_among_numbers_in_training_stay_gaps():
    frame = pd.DataFrame({"size": [*map(str, range(99)), "unknown"]})
    encoder = encoder_of(frame)
    assert encoder.feature_names == ["size", "size is missing"]
    assert encoder.transform(pd.DataFrame({"size": ["unknown", "3"]}))[:, 1].tolist() == [1, 0]


def test_the_users_scikit_learn_settings_do_not_matter():
    frame = people()
    plain = encoder_of(frame).transform(frame)
    with sklearn.config_context(transform_output="pandas"):
        np.testing.assert_array_equal(encoder_of(frame).transform(frame), plain)


def test_rows_beyond_one_block_are_the_same_as_alone(monkeypatch):
    frame = people()
    encoder = encoder_of(frame)
    whole = encoder.transform(frame)
    monkeypatch.setattr("descend.tasks.table.encoding._ROWS_AT_ONCE", 7)
    np.testing.assert_array_equal(encoder.transform(frame), whole)


@pytest.mark.parametrize(
    ("name", "floor"), [("breast_cancer", 0.97), ("wine", 0.97), ("iris", 0.95), ("diabetes", 0.5)]
)
def test_linear_models_learn_from_the_features(name, floor):
    features, target, *_ = split_target(read_table(f"sample:{name}"), "target")
    matrix = encoder_of(features).transform(features)
    model = Ridge() if name == "diabetes" else LogisticRegression()
    assert model.fit(matrix, target).score(matrix, target) > floor


def test_types_may_be_decided_from_more_rows_than_are_learnt_from():
    days = pd.date_range("2024-01-01", periods=90).strftime("%d/%m/%Y")
    frame = people().assign(day=days, late=[None] * 80 + [3.5] * 10)
    assert describe_columns(frame.head(10))[5].form == "%m/%d/%Y"
    encoder = Encoder().fit(frame.head(60), describe_columns(frame))
    matrix = encoder.transform(frame)
    assert np.isfinite(matrix).all()
    assert len(encoder.feature_names) == matrix.shape[1]
    assert encoder.columns == describe_columns(frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": "old"}, "column 'age' held numbers when the model was trained, and 'old' in row 1 is none: mend"),
        ({"age": ["41"] * 89 + ["n. n."]}, "'n. n.' in row 90 is none"),
        ({"age": [1.0, -np.inf] * 45}, r"column 'age' has 45 infinite values, the first in row 2 \(beyond"),
        ({"age": [1e39] + [1.0] * 89}, r"column 'age' has an infinite value in row 1 .* leave the cell empty"),
        ({"age": pd.Timestamp("2024-01-01")}, "column 'age' held numbers .* '2024-01-01 00:00:00' in row 1 is none"),
        ({"member": "perhaps"}, "column 'member' held true and false when the model was trained, and 'perhaps'"),
        ({"joined": "soon"}, "column 'joined' held dates when the model was trained, and 'soon' in row 1 is none"),
    ],
)
def test_values_of_another_type_are_refused(change, message):
    frame = people()
    with pytest.raises(InputError, match=message):
        encoder_of(frame).transform(frame.assign(**change))


@pytest.mark.parametrize(
    ("trained", "met", "message"),
    [
        (["01.02.2024", "13.04.2024"], "2024-05-01", r"held dates .* \(its dates were written as %d\.%m\.%Y\)$"),
        (["1,5 €", "2,25 €"], "£3", r"held numbers .* \(its numbers were written as 1234,5, in €\)$"),
        ([1.5, 2.5], "old", "leave the cell empty$"),
    ],
)
def test_a_value_in_another_form_is_told_which_one_is_meant(trained, met, message):
    frame = pd.DataFrame({"x": trained * 30})
    with pytest.raises(InputError, match=message):
        encoder_of(frame).transform(pd.DataFrame({"x": [met]}))


def test_lacking_columns_are_named_but_ignored_ones_are_not_needed():
    frame = people()
    encoder = encoder_of(frame)
    encoder.transform(frame.drop(columns="constant"))
    with pytest.raises(InputError, match="the table lacks the columns 'age', 'town', which the model was trained"):
        encoder.transform(frame.drop(columns=["town", "age"]))
    with pytest.raises(InputError, match="the table lacks the column 'town', which"):
        encoder.transform(frame.drop(columns="town"))


def test_a_table_of_useless_columns_is_refused():
    with pytest.raises(InputError, match=r"no column can be learnt from \('a': every value is '1'; 'b': every value"):
        encoder_of(pd.DataFrame({"a": [1, 1], "b": [None, None]}))


def test_duplicate_columns_are_refused_at_prediction_too():
    frame = people()
    with pytest.raises(InputError, match="more than one column named 'age': give every column its own name"):
        encoder_of(frame).transform(pd.concat([frame, frame[["age"]]], axis=1))


def is_within_float32(word):
    """What is read as a number beyond it, `INF` or `9e99`, is refused, as it should be."""
    try:
        return abs(float(word)) < 3e38
    except ValueError:
        return True


cells = {
    "number": st.none() | st.floats(-1e30, 1e30),
    "word": st.none() | st.text(max_size=4).filter(is_within_float32),
    "flag": st.none() | st.booleans(),
    "day": st.none() | st.datetimes(min_value=pd.Timestamp("1700-01-01"), max_value=pd.Timestamp("2200-01-01")),
}


@given(st.lists(st.fixed_dictionaries(cells), min_size=2, max_size=20))
@settings(max_examples=times(8), deadline=None)
def test_any_table_with_a_useful_column_becomes_finite_features(rows):
    frame = pd.DataFrame(rows)
    if all(column.kind is Kind.ignored for column in describe_columns(frame)):
        return
    encoder = encoder_of(frame)
    matrix = encoder.transform(frame)
    assert matrix.shape == (len(frame), len(encoder.feature_names))
    assert np.isfinite(matrix).all()
