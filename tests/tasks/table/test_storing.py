import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load, save
from sklearn.preprocessing import FunctionTransformer, PowerTransformer

from descend.errors import CheckpointError
from descend.tasks.common.reading import read_table
from descend.tasks.table.encoder_parts import encoder_from_parts, encoder_to_parts
from descend.tasks.table.packing import pack, unpack
from encoders import encoder_of


def every_kind(rows=120):
    random = np.random.default_rng(7)
    words = ["quiet", "loud", "red", "green", "house", "river", "stone", "paper", "cloud", "engine"]
    frame = pd.DataFrame(
        {
            "size": random.lognormal(size=rows),
            "count": random.integers(0, 9, rows),
            "kept": random.random(rows) < 0.5,
            "color": random.choice(["red", "green", "blue"], rows),
            "town": [f"town {index % 60}" for index in range(rows)],
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 500, rows), unit="D"),
            "note": [" ".join(random.choice(words, 5)) + f" {index}" for index in range(rows)],
        }
    )
    frame.loc[::7, "size"] = np.nan
    frame.loc[::11, "color"] = None
    frame.loc[::13, "sold"] = pd.NaT
    return frame


def encoded(frame):
    """An encoder that knows of two targets besides: so of levels of a category with many, their means."""
    return encoder_of(frame, np.random.default_rng(1).normal(size=(len(frame), 2)))


def through_disk(encoder):
    parts, arrays = encoder_to_parts(encoder)
    return encoder_from_parts(json.loads(json.dumps(parts, allow_nan=False)), load(save(arrays)))


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "digits", "iris", "wine"])
def test_samples_transform_to_the_same_bits(name):
    frame = read_table(f"sample:{name}").frame
    encoder = encoder_of(frame)
    np.testing.assert_array_equal(through_disk(encoder).transform(frame), encoder.transform(frame), strict=True)


def test_every_kind_of_column_transforms_to_the_same_bits():
    frame = every_kind()
    encoder = encoded(frame)
    assert encoder.crowded == ("town",)
    again = through_disk(encoder)
    np.testing.assert_array_equal(again.transform(frame), encoder.transform(frame), strict=True)
    unseen = frame.head(3).assign(color="violet", size=[np.nan, 1e9, -1.0], note=["", None, "quiet zebra"])
    np.testing.assert_array_equal(again.transform(unseen), encoder.transform(unseen), strict=True)
    assert again.columns == encoder.columns
    assert again.feature_names == encoder.feature_names
    assert again.feature_columns == encoder.feature_columns


def test_arrays_hold_the_numbers_and_are_not_written_as_json():
    parts, arrays = encoder_to_parts(encoder_of(every_kind()))
    assert max(array.size for array in arrays.values()) > 10_000
    assert len(json.dumps(parts)) < 20_000


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.builds(np.float32, st.floats(width=32))
    | st.builds(np.int64, st.integers(-(2**63), 2**63 - 1))
)
values = st.recursive(
    scalars | hnp.arrays(hnp.floating_dtypes(sizes=(32, 64), endianness="="), hnp.array_shapes(min_side=0)),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.integers() | st.text(), inner)
        | st.lists(st.text()).map(lambda words: np.array(words, dtype=object))
    ),
    max_leaves=12,
)


def same(left, right):
    assert type(left) is type(right)
    if isinstance(left, np.ndarray):
        np.testing.assert_array_equal(left, right, strict=True)
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            same(one, other)
    elif isinstance(left, dict):
        same(list(left.items()), list(right.items()))
    else:
        np.testing.assert_equal(left, right)


@given(values)
@settings(max_examples=150, deadline=None)
def test_values_and_their_types_come_back(value):
    arrays = {}
    packed = json.loads(json.dumps(pack(value, arrays), allow_nan=False))
    same(unpack(packed, arrays), value)


@pytest.mark.parametrize("value", [np.dtype("<f4"), np.float32, slice(1, None), np.array(["a", "bc"], object)])
def test_rarer_values_come_back(value):
    same(unpack(json.loads(json.dumps(pack(value, {}))), {}), value)


@pytest.mark.parametrize(
    "value", [PowerTransformer(), FunctionTransformer(print), print, {1, 2}, Path("x"), np.array(["2024"], "M8[D]"),
              np.array(["a"])],
)
def test_what_is_not_on_the_list_is_not_saved(value):
    with pytest.raises(CheckpointError, match="cannot be saved"):
        pack(value, {})


class StandardScaler:
    """Bears the name of a class on the list."""


def test_a_class_of_the_same_name_is_not_saved():
    with pytest.raises(CheckpointError, match=r"test_storing\.StandardScaler cannot be saved"):
        pack(StandardScaler(), {})


@pytest.fixture(scope="module")
def parts():
    return encoder_to_parts(encoder_of(read_table("sample:iris").frame))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transformer": {"object": {"class": "Popen", "attributes": {}}}}, "'Popen', which no encoder is made of"),
        ({"transformer": {"call": "os.system"}}, "holds 'call', which is none of float, tuple"),
        ({"transformer": {"array": "a99"}}, r"is damaged \(KeyError\('a99'\)\): train again"),
        ({"transformer": {"tuple": [], "float": "1"}}, "is damaged"),
        ({"columns": [{"name": "a"}]}, "is damaged"),
        ({"format": 2}, "from another version of descend: train again"),
        ({"scikit-learn": "0.1"}, r"saved with scikit-learn 0\.1, and .* install scikit-learn==0\.1\.\*"),
    ],
)
def test_damaged_parts_are_refused_in_one_line(parts, change, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        encoder_from_parts(parts[0] | change, parts[1])
    assert "\n" not in str(caught.value)


def within(value, kind):
    """The attributes of all objects of a class, in a packed encoder."""
    if isinstance(value, dict) and value.get("class") == kind:
        yield value["attributes"]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from within(item, kind)


@pytest.fixture(scope="module")
def all_parts():
    return encoder_to_parts(encoded(every_kind()))


@pytest.mark.parametrize(("kind", "change"), [
    ("HashingVectorizer", {"input": "filename"}),
    ("HashingVectorizer", {"analyzer": "word", "token_pattern": r"(?:(?:\w+\s?)+)+$!"}),
    ("HashingVectorizer", {"n_features": 2**31 - 1}),
    ("HashingVectorizer", {"transform": 1}),
    ("ColumnTransformer", {"n_jobs": 200}),
    ("ColumnTransformer", {"sparse_output_": 1}),
    ("Pipeline", {"memory": "/tmp/cache"}),
    ("OneHotEncoder", {"_n_features_outs": [10**9, 40]}),
    ("OneHotEncoder", {"categories_": [{"words": {"dtype": "|O", "shape": [1], "items": [1]}}] * 2}),
    ("OneHotEncoder", {"categories_": [{"words": {"dtype": "<U1000000000", "shape": [1], "items": ["a"]}}] * 2}),
    ("SimpleImputer", {"strategy": "mean"}),
    ("SimpleImputer", {"statistics_": {"array": "a0"}, "indicator_": 1}),
    ("StandardScaler", {"with_mean": 1}),
    ("StandardScaler", {"scale_": {"float": "1.0"}}),
    ("TruncatedSVD", {"n_components": 10**9}),
    ("DateParts", {"extracted_features_": ["year"] * 10**5}),
    ("DateParts", {"periodic_encoding": "spline"}),
    ("LevelMeans", {"levels_": {"words": {"dtype": "|O", "shape": [2], "items": ["a", "a"]}}}),
    ("LevelMeans", {"values_": {"array": "a0"}}),
    ("LevelMeans", {"n_jobs": 1}),
])  # fmt: skip
def test_settings_and_attributes_of_others_are_refused(all_parts, kind, change):
    parts, arrays = json.loads(json.dumps(all_parts[0])), all_parts[1]
    for attributes in within(parts, kind):
        attributes.update(change)
    with pytest.raises(CheckpointError, match="the saved encoder") as caught:
        encoder_from_parts(parts, arrays)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_was_learnt_is_finite_and_no_scale_is_zero(all_parts):
    parts, arrays = all_parts
    fitted = (attributes for attributes in within(parts, "StandardScaler") if "scale_" in attributes)
    scale = next(fitted)["scale_"]["array"]
    for value in (np.nan, np.inf, 0.0):
        with pytest.raises(CheckpointError, match=r"scale_ must be finite, and a scale above 0"):
            encoder_from_parts(parts, arrays | {scale: np.full_like(arrays[scale], value)})


@pytest.mark.parametrize("crowded", [["color", "color"], ["size"], [3], [], ["color"]])
def test_crowded_columns_are_categories_with_such_a_block(all_parts, crowded):
    with pytest.raises(CheckpointError, match="the saved encoder"):
        encoder_from_parts(all_parts[0] | {"crowded": crowded}, all_parts[1])


@pytest.mark.parametrize(("change", "said"), [
    ({"form": "%d%d%d%d"}, "form must be one of the 13 that there are"),
    ({"kind": "object"}, "kind must be 'number' or "),
    ({"name": 3}, "name must be a text"),
    ({"name": "town"}, "columns must be named differently"),
])  # fmt: skip
def test_columns_are_such_as_descend_describes(all_parts, change, said):
    parts = json.loads(json.dumps(all_parts[0]))
    parts["columns"][0].update(change)
    with pytest.raises(CheckpointError, match=said):
        encoder_from_parts(parts, all_parts[1])
