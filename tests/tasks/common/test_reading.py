import codecs
import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from descend.errors import InputError
from descend.tasks.common.reading import read_table

FRAME = pd.DataFrame({"size": [1.5, 2.0, 3.25], "color": ["red", "green, dark", 'so-called "blue"'], "n": [1, 2, 3]})


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(source):
    with pytest.raises(InputError) as caught:
        read_table(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("name", "sep"), [("t.csv", ","), ("t.tsv", "\t"), ("t.csv", ";"), ("t.txt", "|")])
def test_delimiters_are_found_out(tmp_path, name, sep):
    FRAME.to_csv(tmp_path / name, sep=sep, index=False)
    table = read_table(tmp_path / name)
    pd.testing.assert_frame_equal(table.frame, FRAME)
    assert table.name == "t"


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_columnar_files_keep_their_types(tmp_path, form):
    frame = FRAME.assign(day=pd.date_range("2024-01-01", periods=3), level=pd.Categorical(["a", "b", "a"]))
    getattr(frame, f"to_{form}")(tmp_path / f"some.{form}")
    pd.testing.assert_frame_equal(read_table(str(tmp_path / f"some.{form}")).frame, frame)


def test_the_content_decides_and_not_the_suffix(tmp_path):
    FRAME.to_parquet(tmp_path / "odd.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "odd.csv").frame, FRAME)


def test_a_named_index_is_a_column_and_an_unnamed_one_is_not(tmp_path):
    FRAME.set_index("color").to_parquet(tmp_path / "t.parquet")
    assert set(read_table(tmp_path / "t.parquet").frame.columns) == {"color", "size", "n"}
    FRAME[FRAME["n"] > 1].to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet").frame, FRAME[1:].reset_index(drop=True))


def test_gzip(write):
    table = read_table(write("t.csv.gz", gzip.compress(b"a,b\n1,2\n")))
    assert table.frame.to_dict("list") == {"a": [1], "b": [2]}
    assert table.name == "t"


def test_the_digest_is_that_of_the_bytes(write):
    first, same, other = (read_table(write(f"{n}.csv", text)) for n, text in enumerate(["a\n1\n", "a\n1\n", "a\n2\n"]))
    assert first.digest == same.digest != other.digest
    assert len(first.digest) == 64


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"word\nhello, world\nlong; winding\n", {"word": ["hello, world", "long; winding"]}),
        (b"a\n1\n2\n", {"a": [1, 2]}),
        (b"\xef\xbb\xbfa,b\n1,x\n", {"a": [1], "b": ["x"]}),
        ("a;b\n1,5;é\n2,25;x\n".encode("latin-1"), {"a": ["1,5", "2,25"], "b": ["é", "x"]}),
        ("a\tb\n1\tü\n".encode("utf-16"), {"a": [1], "b": ["ü"]}),
        *((mark + "a\tb\n1\tü😀\n".encode(name), {"a": [1], "b": ["ü😀"]}) for name, mark in (
            ("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE),
            ("utf-32-le", codecs.BOM_UTF32_LE), ("utf-32-be", codecs.BOM_UTF32_BE))),
        (b'a,b\n"one\ntwo",1\n"say ""hi""",2\n', {"a": ["one\ntwo", 'say "hi"'], "b": [1, 2]}),
        (b"a,b\r\n1,2\r\n\r\n", {"a": [1], "b": [2]}),
        (b"a,b\n?,NA\n1,None\n2,x\n", {"a": [None, 1, 2], "b": ["NA", "None", "x"]}),
        (b'a,b\n"1,234",x\n5,y\n', {"a": ["1,234", "5"], "b": ["x", "y"]}),
        (b"a,t\n1,05:30:00\n2,00:00:10\n", {"a": [1, 2], "t": ["05:30:00", "00:00:10"]}),
    ],
)
def test_text_as_people_write_it(write, content, expected):
    frame = read_table(write("t.csv", content)).frame
    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == expected


def test_line_ends_in_quotes_may_fall_anywhere_in_a_large_file(write, monkeypatch):
    monkeypatch.setattr("descend.tasks.common.delimited._BLOCK_BYTES", 64)
    cells = ["\n" * (index % 7) + f"x{index}" for index in range(200)]
    table = read_table(write("t.csv", "a,b\n" + "".join(f'"{cell}",{n}\n' for n, cell in enumerate(cells))))
    assert table.frame["a"].tolist() == cells


def test_a_letter_may_lie_between_two_pieces_that_are_looked_at(write, monkeypatch):
    monkeypatch.setattr("descend.tasks.common.encodings._PIECE_BYTES", 1)
    assert read_table(write("t.csv", "word\né😀\n")).frame["word"].tolist() == ["é😀"]
    assert read_table(write("t.csv", b"word\n\xe9a\n\xc3")).frame["word"].tolist() == ["éa", "Ã"]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("digits", set(range(10))),
        ("breast_cancer", {"benign", "malignant"}),
        ("wine", {"class_0", "class_1", "class_2"}),
        ("iris", {"setosa", "versicolor", "virginica"}),
    ],
)
def test_samples(name, target):
    table = read_table(f"sample:{name}")
    assert table.name == name
    assert table.frame.columns[-1] == "target"
    assert set(table.frame["target"]) == target
    assert table.digest == read_table(f"sample:{name}").digest


def test_diabetes_is_in_its_own_units():
    frame = read_table("sample:diabetes").frame
    assert frame["age"].between(19, 79).all()
    assert frame["target"].between(25, 346).all()


def test_no_such_file_names_its_neighbours(tmp_path, write):
    write("houses.csv", "a\n1\n")
    assert refusal(tmp_path / "house.csv").endswith("house.csv': did you mean 'houses.csv'?")
    assert refusal(tmp_path / "zzz").endswith("zzz': check the path")
    assert refusal(tmp_path / "no" / "t.csv").endswith(f": there is no folder {str(tmp_path / 'no')!r}")


def test_a_folder_and_an_unreadable_file(tmp_path, write, monkeypatch):
    assert refusal(tmp_path) == f"{str(tmp_path)!r} is a folder: name one file in it"
    path = write("t.csv", "a\n1\n")

    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert refusal(path) == f"{str(path)!r} cannot be read: Permission denied"


RANDOM = np.random.default_rng(0).bytes(5000)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty: it has neither a header nor rows"),
        ("t.csv", b"\n \n", "is empty: it has neither a header nor rows"),
        ("t.csv", b"a,b\n", "has a header and no rows: there is nothing to learn from or to predict"),
        ("t.csv", RANDOM, "is not text: expected a CSV file, or a Parquet or Arrow file"),
        ("t.csv", RANDOM.replace(b"\0", b"x"), "is not text: expected a CSV file"),
        ("t.csv", b"\xff\xfea", "begins as UTF-16 text and breaks off: save it again as UTF-8"),
        ("t.csv", b"\xff\xfe\0\0a\0", "begins as UTF-32 text and breaks off: save it again as UTF-8"),
        ("t.csv", "a,b\n1,2\n".encode("utf-32-le"), "is not text: expected a CSV file"),
        ("t.csv", b"a,b,a,b,c\n1,2,3,4,5\n", "more than one column named 'a', 'b': give every column its own name"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 values where the header names 2: mend or quote that line"),
        ("t.csv.gz", gzip.compress(b"a\n1\n", mtime=0)[:-9], "is a damaged gzip file"),
        ("t.xlsx", b"PK\x03\x04abc", "is a damaged zip file (File is not a zip file): copy or download it again"),
        ("t.parquet", b"PAR1" + RANDOM, "is a damaged Parquet file"),
        ("t.parquet", b"PAR1", "is a damaged Parquet file"),
        ("t.parquet", b"a,b\n1,2\n", "is not the parquet file that its name says: write it again"),
        ("t.feather", b"ARROW1" + RANDOM, "is a damaged Arrow file"),
    ],
)
def test_bad_files_are_refused_in_one_line(write, name, content, message):
    assert message in refusal(write(name, content))


def test_a_parquet_file_without_rows(tmp_path):
    FRAME.head(0).to_parquet(tmp_path / "t.parquet")
    assert "has a header and no rows" in refusal(tmp_path / "t.parquet")


def test_an_unknown_sample_lists_the_samples():
    assert refusal("sample:boston") == (
        "no sample is called 'boston': the samples are breast_cancer, diabetes, digits, iris, wine"
    )


def with_offset(path, place, offset):
    """A Feather file of 60 words of 8 letters, one of whose offsets is changed."""
    table = pa.table({"name": pa.array([f"value{i % 3:03d}" for i in range(60)])})
    feather.write_feather(table, path, compression="uncompressed")
    raw = bytearray(path.read_bytes())
    struct.pack_into("<i", raw, raw.find(struct.pack("<3i", 0, 8, 16)) + 4 * place, offset)
    path.write_bytes(raw)


@pytest.mark.parametrize(("place", "offset"), [(30, 2**30), (60, 880), (5, -8)])
def test_words_that_lie_outside_of_their_column_are_refused(tmp_path, place, offset):
    with_offset(tmp_path / "t.feather", place, offset)
    assert "is a damaged Arrow file, write it again: Column 0" in refusal(tmp_path / "t.feather")


def test_codes_without_a_category_are_refused(tmp_path):
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 2**30], pa.int32()), ["a", "b"], safe=False)
    feather.write_feather(pa.table({"a": codes}), tmp_path / "t.feather")
    assert "1073741824 (should be in [0, 1])" in refusal(tmp_path / "t.feather")


@pytest.mark.parametrize("note", [
    b"", b"\xff", b"[]", json.dumps({"index_columns": ["gone"], "columns": [], "column_indexes": []}).encode(),
    json.dumps({"index_columns": ["size"], "columns": [{"name": "n", "pandas_type": "datetime"}]}).encode(),
])
def test_what_pandas_noted_and_others_changed_is_not_looked_at(tmp_path, note):
    table = pa.Table.from_pandas(FRAME).replace_schema_metadata({"pandas": note})
    parquet.write_table(table, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet").frame, FRAME)


def test_a_name_that_is_not_text_is_refused(tmp_path):
    FRAME.to_feather(tmp_path / "t.feather")
    raw = (tmp_path / "t.feather").read_bytes().replace(b"color", b"co\xff\xffr")
    (tmp_path / "t.feather").write_bytes(raw)
    assert "can't decode byte 0xff" in refusal(tmp_path / "t.feather")


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("ms", "UTC")])
@pytest.mark.parametrize("sign", [1, -1])
def test_dates_that_python_has_not_are_refused(tmp_path, kind, sign):
    far = pa.array([0, None, sign * (2**31 - 1 if kind == pa.date32() else 2**62)], pa.int64())
    column = far.cast(pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    feather.write_feather(pa.table({"day": column}), tmp_path / "t.feather")
    assert "column 'day' has dates before the year 1 or after 9999" in refusal(tmp_path / "t.feather")


@pytest.mark.parametrize(("text", "line"), [
    ("a,b,c\n1,2,3\n1,2\n", 3),
    ("# of\n# 1\na,b,c\n1,2,3\n# none\n4,5,6\n1,2\n", 7),
    ("# a,b,c\n1,2,3\n4,5,6\n1,2\n", 4),
    ("a,b,c\n\n1,2,3\n\n1,2\n", 5),
    ("# of\nA title\n\na,b,c\n1,2,3\n4,5,6\n" + "7,8,9\n" * 20_000 + "1,2\n", 20_007),
])  # fmt: skip
def test_a_line_that_is_too_short_is_named_as_an_editor_counts_it(tmp_path, text, line):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=f"line {line:,} has 2 values where the header names 3"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(("values", "expected"), [
    (["2024-01-31", "", "2024-02-29"], "datetime64[s]"),
    (["2024-01-31 10:00:00", "NA", "2024-02-29 23:59:59"], "datetime64[s]"),
    (["2024-01-31T10:00:00Z", "2024-02-29T23:59:59Z"], "datetime64[s, UTC]"),
    # Days that there are not, and other ways to write them, are decided on by what reads all of a column.
    (["2024-01-31", "2024-02-30"], "str"),
    (["2024-01-31", "31.01.2024"], "str"),
    (["01", "02"], "str"),
])  # fmt: skip
def test_cells_become_dates_where_a_machine_wrote_all_of_them(tmp_path, values, expected):
    (tmp_path / "t.csv").write_text("x,k\n" + "".join(f"{value},1\n" for value in values))
    series = read_table(tmp_path / "t.csv").frame["x"]
    assert str(series.dtype) == expected
    if expected != "str":
        assert series.dropna().dt.strftime("%d").tolist() == ["31", "29"]
