"""Compressed files unpack within bounds, whatever they stand for."""

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from descend import _packed
from descend.errors import InputError
from descend.neural.idx import read_idx
from descend.tasks.common.reading import read_table

MIB = 1 << 20


@pytest.fixture
def narrow(monkeypatch):
    """A bound of 64 KiB for small files, and of three times the size of others."""
    monkeypatch.setattr(_packed, "UNPACKED_ANYWAY", 1 << 16)
    monkeypatch.setattr(_packed, "MAX_RATIO", 3)


def refusal(read, path):
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def idx(shape, content):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + content


def zeros(path, count):
    """Files of each kind of a column of so many zeros, which all of them compress a hundredfold."""
    frame = pa.table({"a": pa.array(np.zeros(count))})
    match path.suffixes:
        case [".csv", ".gz"]:
            path.write_bytes(gzip.compress(b"a\n" + b"0\n" * (4 * count)))
        case [".idx", ".gz"]:
            path.write_bytes(gzip.compress(idx((count, 8), bytes(8 * count))))
        case [".parquet"]:
            parquet.write_table(frame, path)
        case [".feather"]:
            feather.write_feather(frame, path, compression="zstd")
        case [".arrow"]:
            with pa.ipc.new_stream(path, frame.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
                stream.write_table(frame)


@pytest.mark.parametrize("kind", ["csv.gz", "idx.gz", "parquet", "feather", "arrow"])
def test_what_unpacks_to_too_much_is_refused(tmp_path, narrow, kind):
    path = tmp_path / f"t.{kind}"
    read = read_idx if kind == "idx.gz" else read_table
    zeros(path, 1 << 12)  # of 32 KiB, below the bound
    assert len(read(path) if kind == "idx.gz" else read(path).frame) >= 1 << 12
    zeros(path, 1 << 17)
    assert path.stat().st_size < 1 << 15
    said = refusal(read, path)
    assert f"has {path.stat().st_size:,} bytes that unpack to more than" in said
    assert said.endswith("if it is yours, unpack it first")


def test_a_file_may_unpack_to_many_times_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(_packed, "UNPACKED_ANYWAY", 0)
    words = np.random.default_rng(0).choice([f"word number {i}" for i in range(50)], 20_000)
    for path in (tmp_path / "t.csv.gz", tmp_path / "t.parquet"):
        pd.DataFrame({"a": words}).to_csv(path) if path.suffix == ".gz" else pd.DataFrame({"a": words}).to_parquet(path)
        assert read_table(path).frame["a"].tolist() == words.tolist()


def test_parts_that_were_packed_one_by_one_are_one_file(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))
    assert read_table(tmp_path / "t.csv.gz").frame.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_a_plain_file_that_says_that_it_is_huge_takes_no_memory(tmp_path):
    path = tmp_path / "t.idx"
    path.write_bytes(idx((2**32 - 1, 2**32 - 1), b"abc"))
    assert "ends after 3 of" in refusal(read_idx, path)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert "unpack to more than" in refusal(read_idx, path)


PROGRAM = """
import sys
from pathlib import Path
from descend.errors import InputError
from descend.tasks.common.reading import read_table

def most():
    told = Path("/proc/self/status").read_text()
    return 1024 * int(told.partition("VmHWM:")[2].split()[0])

for path in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")  # the most memory is that of now
    before = most()
    try:
        said = f"{len(read_table(path).frame)} rows"
    except InputError as error:
        said = str(error)
    print(most() - before, said)
"""


@pytest.fixture(scope="class")
def taken(tmp_path_factory):
    """How many bytes a process takes, at the most, to read each of some files; and how many the file has."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system does not tell how much memory was taken at the most")
    folder, rng, rows = tmp_path_factory.mktemp("tables"), np.random.default_rng(0), 80_000
    numbers = {f"n{i}": rng.normal(size=rows).round(4) for i in range(5)}
    pd.DataFrame(numbers | {"t": [f"some text number {i}" for i in range(rows)]}).to_csv(folder / "t.csv", index=False)
    raw = (folder / "t.csv").read_bytes()
    (folder / "t.csv.gz").write_bytes(gzip.compress(raw, 1))
    parquet.write_table(pa.table({name: rng.normal(size=rows) for name in "abcdefgh"}), folder / "t.parquet")
    (folder / "bomb.csv.gz").write_bytes(gzip.compress(b"a\n") + 256 * gzip.compress(b"0\n" * (4 * MIB)))
    (folder / "tiny.csv").write_text("a,b\n1,x\n")  # what is imported for the first is no memory of the others
    names = ("tiny.csv", "t.csv", "t.csv.gz", "t.parquet", "bomb.csv.gz")
    paths = [folder / name for name in names]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *paths], capture_output=True, text=True, check=True)
    told = [line.partition(" ") for line in done.stdout.splitlines()]
    return {path.name: (int(count), said, path.stat().st_size)
            for path, (count, _, said) in zip(paths, told, strict=True)}


@pytest.mark.processes
class TestMemory:
    """What reading takes at the most, in times of the file's size.

    A CSV file lies in memory as its bytes, as Arrow's columns of text, of which each is told as a whole what it is, as
    numbers and as pandas' frame, where a number of 7 letters takes 8 bytes, and a word its letters and a place; what
    parses it has as much again, for a moment, as spare room.
    """

    def test_of_csv(self, taken):
        most, said, size = taken["t.csv"]
        assert said == "80000 rows"
        assert size > 4 * MIB
        assert most < 7 * size

    def test_of_csv_packed(self, taken):
        assert taken["t.csv.gz"][1] == "80000 rows"
        assert taken["t.csv.gz"][0] < 8 * taken["t.csv"][2]

    def test_of_parquet(self, taken):
        most, said, size = taken["t.parquet"]
        assert (said, size > 4 * MIB) == ("80000 rows", True)
        # 4 to 5.3: several columns are unpacked at once, and how many differs from run to run.
        assert most < 6 * size

    def test_of_a_bomb(self, taken):
        """A file of 2 MiB that stands for 2 GiB."""
        most, said, size = taken["bomb.csv.gz"]
        assert size < 3 * MIB
        assert "unpack to more than" in said
        assert most < 2 * _packed.most_of(size)
