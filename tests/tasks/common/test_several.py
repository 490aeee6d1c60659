"""Tables in several files: one below another, or told on a line why not."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common import sources
from descend.tasks.common.columns import describe_columns
from descend.tasks.common.patterns import NO_VALUE, files_of
from descend.tasks.common.reading import read_table
from descend.tasks.table.typed import typed_frame

WHOLE = pd.DataFrame({"when": pd.date_range("2024-01-30", periods=6), "n": [1, 2, 3, 4, 5, 6],
                      "word": ["ä", "b", None, "d", "e", "f"]})
PARTS = [WHOLE[:1], WHOLE[1:4], WHOLE[4:]]


def write(folder, suffix, parts=PARTS):
    folder.mkdir(exist_ok=True, parents=True)
    for number, part in enumerate(parts):
        file = folder / f"part-{number}{suffix}"
        if suffix == ".parquet":
            part.to_parquet(file, index=False)
        elif suffix == ".json":
            part.to_json(file, orient="records", date_format="iso")
        else:
            part.to_csv(file, index=False)
    return folder


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".json"])
def test_as_one_file(suffix, tmp_path):
    one = read_table(write(tmp_path / "one", suffix, [WHOLE]))
    for source in (write(tmp_path / "parts", suffix), f"{tmp_path}/parts/part-*", f"{tmp_path}/p?rts/*"):
        table = read_table(source)
        pd.testing.assert_frame_equal(table.frame, one.frame)
        assert table.notes[0] == f"read from 3 files, part-0{suffix} to part-2{suffix}"
    assert (table.name, read_table(tmp_path / "parts").name) == (tmp_path.name, "parts")


def test_a_date_is_read_by_the_days_of_all_files(tmp_path):
    write(tmp_path / "parts", ".csv", [pd.DataFrame({"day": [day, day]}) for day in ("01/02/2024", "30/01/2024")])
    frame = read_table(tmp_path / "parts").frame
    columns = describe_columns(frame)
    assert typed_frame(frame, columns)["day"].unique().tolist() == [pd.Timestamp(2024, 2, 1), pd.Timestamp(2024, 1, 30)]


def test_a_file_and_a_folder_of_it_alone(tmp_path):
    write(tmp_path / "one", ".csv", [WHOLE])
    alone, among = read_table(tmp_path / "one" / "part-0.csv"), read_table(tmp_path / "one")
    pd.testing.assert_frame_equal(alone.frame, among.frame)
    assert alone.notes == among.notes


def test_the_digest_knows_every_file_and_no_name(tmp_path):
    write(tmp_path / "a", ".csv")
    write(tmp_path / "b", ".csv")
    assert read_table(tmp_path / "a").digest == read_table(tmp_path / "b").digest
    WHOLE[4:5].to_csv(tmp_path / "b" / "part-2.csv", index=False)
    assert read_table(tmp_path / "a").digest != read_table(tmp_path / "b").digest
    assert len(read_table(tmp_path / "a").digest) == len(hashlib.sha256().hexdigest())


def test_what_writers_leave_beside_is_not_read(tmp_path):
    write(tmp_path / "parts", ".parquet")
    for name in ("_SUCCESS", ".part-0.parquet.crc", "_metadata"):
        (tmp_path / "parts" / name).write_bytes(b"no table")
    assert len(read_table(tmp_path / "parts").frame) == len(read_table(f"{tmp_path}/parts/*").frame) == 6


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_folders_say_what_a_column_is(suffix, tmp_path):
    (tmp_path / "sales").mkdir()
    for number, (year, town) in enumerate([("2023", "Oslo"), ("2024", NO_VALUE), ("2024", "S%C3%A3o%20Paulo")]):
        write(tmp_path / "sales" / f"year={year}" / f"town={town}", suffix, [WHOLE[2 * number : 2 * number + 2]])
    (tmp_path / "sales" / "_temporary").mkdir()
    table = read_table(tmp_path / "sales")
    kinds = {column.name: str(column.kind) for column in describe_columns(table.frame)}
    assert table.frame["n"].tolist() == [1, 2, 5, 6, 3, 4]
    assert table.frame["town"].fillna("?").tolist() == ["Oslo", "Oslo", "São Paulo", "São Paulo", "?", "?"]
    assert table.notes == (f"read from 3 files, year=2023/town=Oslo/part-0{suffix} to "
                           f"year=2024/town={NO_VALUE}/part-0{suffix}",)
    assert (kinds["year"], kinds["town"]) == ("number", "category")
    for source in ("sales/*/*/*", "sales/year=*/town=*/*", "sales/**/part*", "sal*/**/part*"):
        pd.testing.assert_frame_equal(read_table(tmp_path / source).frame, table.frame)
    assert len(read_table(tmp_path / "sales" / "year=2024").frame.columns) == 4
    assert read_table(tmp_path / "sales" / "year=2024").name == "sales"
    (tmp_path / "sales" / "year=2023").rename(tmp_path / "sales" / "year=2022")
    assert read_table(tmp_path / "sales").digest != table.digest


def test_links_that_lead_in_circles_are_not_followed(tmp_path):
    """Two of them would be gone through 2⁴⁰ times."""
    write(tmp_path, ".csv")
    for name in ("a=1", "b=2"):
        (tmp_path / name).symlink_to(tmp_path)
    assert files_of(tmp_path) == []


def test_a_column_that_the_files_have_already(tmp_path):
    write(tmp_path / "n=3", ".csv")
    with pytest.raises(InputError, match="more than one column named 'n'"):
        read_table(f"{tmp_path}/*/*.csv")


def test_other_folders_are_none_of_tables(tmp_path):
    assert files_of(tmp_path) == []
    write(tmp_path, ".csv")
    (tmp_path / "1.png").write_bytes(b"")
    assert files_of(tmp_path) == []
    assert len(files_of(f"{tmp_path}/*.csv")) == 3
    (tmp_path / "1.png").unlink()
    (tmp_path / "within").mkdir()
    assert files_of(tmp_path) == []


def test_a_file_may_be_called_like_a_pattern(tmp_path):
    WHOLE.to_csv(tmp_path / "a[1].csv", index=False)
    WHOLE[:2].to_csv(tmp_path / "a1.csv", index=False)
    assert len(read_table(tmp_path / "a[1].csv").frame) == 6


def test_columns_in_another_order_and_numbers_of_another_type(tmp_path):
    """Whole numbers in one file, others in the next; a column of gaps alone."""
    first = pd.DataFrame({"a": [1, 2], "b": [None, None]})
    write(tmp_path / "parts", ".parquet", [first, pd.DataFrame({"b": ["x", "y"], "a": [0.5, 1.5]})])
    frame = read_table(tmp_path / "parts").frame
    np.testing.assert_array_equal(frame["a"], [1, 2, 0.5, 1.5])
    assert frame["b"].tolist()[2:] == ["x", "y"]
    assert frame["b"].isna().tolist() == [True, True, False, False]


@pytest.mark.parametrize(("second", "suffix", "said"), [
    (WHOLE.drop(columns="n"), ".csv", r"part-1\.csv' lacks n: all files .* of the first, '.*part-0\.csv'"),
    (WHOLE.rename(columns={"n": "m"}), ".parquet", r"part-1\.parquet' lacks n and has m besides"),
    (WHOLE.assign(n="one"), ".parquet", r"the column 'n' is int64 in '.*part-0.*', and (large_)?string in '.*part-1"),
])
def test_files_of_other_tables(second, suffix, said, tmp_path):
    write(tmp_path / "parts", suffix, [WHOLE, second])
    with pytest.raises(InputError, match=said):
        read_table(tmp_path / "parts")


def test_several_forms(tmp_path):
    write(tmp_path / "parts", ".csv", [WHOLE])
    WHOLE.to_parquet(tmp_path / "parts" / "part-1.parquet")
    with pytest.raises(InputError, match=r"part-1\.parquet' tells .* other than '.*part-0\.csv'"):
        read_table(tmp_path / "parts")


def test_a_damaged_file_is_named(tmp_path):
    write(tmp_path / "parts", ".parquet")
    (tmp_path / "parts" / "part-1.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"part-1\.parquet' is a damaged Parquet file"):
        read_table(tmp_path / "parts")


def test_notes_of_files_are_told_of_the_first(tmp_path):
    (tmp_path / "parts").mkdir()
    for number in range(5):
        (tmp_path / "parts" / f"{number}.csv").write_text("1.5,2\n2.5,3\n")
    notes = read_table(tmp_path / "parts").notes
    assert [note.partition(".csv': ")[2].partition(":")[0] for note in notes[1:4]] == [
        "the first line is one of values, and no header"] * 3
    assert notes[4:] == ("and 2 more such notes of files",)


def test_larger_than_memory(tmp_path, monkeypatch):
    """Told before anything is read."""
    write(tmp_path / "parts", ".csv")
    monkeypatch.setattr(sources, "_memory", lambda: 100)
    monkeypatch.setattr(sources, "_bytes_of", lambda path: pytest.fail("was read"))
    for source in (tmp_path / "parts", tmp_path / "parts" / "part-1.csv", f"{tmp_path}/parts/*"):
        monkeypatch.setattr(sources, "_memory", lambda: 30)
        with pytest.raises(InputError, match=r"this machine .* of memory: .*descend\.linear\.Blocks"):
            read_table(source)


def test_a_pattern_without_files(tmp_path):
    with pytest.raises(InputError, match=r"no file '.*none-\*\.csv'"):
        read_table(f"{tmp_path}/none-*.csv")
