"""Where tables come from besides files, which of several is meant, and what is refused, on one line."""

import io
import json
import sqlite3
import threading
import zipfile
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from descend import _packed
from descend.errors import InputError
from descend.tasks.common.folder import place_of
from descend.tasks.common.reading import read_table
from descend.tasks.common.sources import fetched
from tasks.common.messy.containers import sqlite, xlsx, zipped

TEXT = b"a,b\n1,x\n2,y\n"
FOUND = {"a": [1, 2], "b": ["x", "y"]}


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "ftp://elsewhere/t.csv")
        else:
            self.send_response(200 if self.path.startswith("/data/t.csv") else 404)
        self.end_headers()
        self.wfile.write(TEXT)

    def log_message(self, *args):
        pass


@pytest.fixture
def address():
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def refusal(source):
    with pytest.raises(InputError) as caught:
        read_table(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_table_of_a_server(address):
    table = read_table(f"{address}/data/t.csv?version=2")
    assert (table.name, table.frame.to_dict("list")) == ("t", FOUND)
    assert refusal(f"{address}/none.csv").endswith("/none.csv' cannot be read: the server answers 404 Not Found")
    assert "cannot be read: it sends to ftp://elsewhere" in refusal(f"{address}/away")


def test_a_server_that_is_not_there():
    assert "cannot be read: [Errno 111] Connection refused: check the address" in refusal("http://127.0.0.1:9/t.csv")


def test_the_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    table = read_table("-")
    assert (table.name, table.frame.to_dict("list")) == ("stdin", FOUND)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert refusal("-").startswith("the standard input is empty")


SHEETS = {"First": [["a", "b"], [1, "x"], [2, "y"]], "Second": [["c"], [3], [4]]}
TABLES = ("CREATE TABLE First (a, b)", "INSERT INTO First VALUES (1, 'x'), (2, 'y')", "CREATE TABLE Second (c)",
          "INSERT INTO Second VALUES (3), (4)")  # fmt: skip


def told(value):
    """A case by its name and not by its content, in which a zip file has the time: workers must name it alike."""
    return "content" if isinstance(value, bytes) else None


@pytest.mark.parametrize(("name", "content", "kind"), [
    ("t.xlsx", xlsx(**SHEETS), "sheet"), ("t.db", sqlite(*TABLES), "table"),
    ("t.zip", zipped({"First": TEXT, "Second": b"c\n3\n4\n"}), "file"),
], ids=told)
def test_one_of_several_is_named(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_bytes(content)
    first, second = read_table(f"{path}#First"), read_table(f"{path}#Second")
    assert (first.name, first.frame.to_dict("list")) == ("First", FOUND)
    assert (second.name, second.frame.to_dict("list")) == ("Second", {"c": [3, 4]})
    assert first.digest != second.digest
    assert f"has 2 {kind}s, 'First', 'Second': say which behind a #, as in {path}#First" in refusal(path)
    assert f"has no {kind} 'Secnd': did you mean 'Second'?" in refusal(f"{path}#Secnd")


def test_a_table_has_no_parts_and_a_name_may_have_a_sharp(tmp_path):
    (tmp_path / "t.csv").write_bytes(TEXT)
    (tmp_path / "a#b.csv").write_bytes(TEXT)
    assert "is one table: leave out #x" in refusal(f"{tmp_path / 't.csv'}#x")
    assert read_table(tmp_path / "a#b.csv").name == "a#b"


@pytest.mark.parametrize(("name", "content", "message"), [
    ("t.json", b'[{"a": 1,', "is damaged JSON: "),
    ("t.jsonl", b'{"a": 1}\n{"a": 2\n', "is damaged JSON in line 2: "),
    ("t.json", b'{"a": {"b": 1}, "c": [1], "d": [2, 3]}', "is JSON, but no table"),
    ("t.json", b'[{"a":' * 100_000, "is JSON that is nested too deeply"),
    ("t.xlsx", zipped({"xl/workbook.xml": b"<no"}), "is a damaged workbook, save it again"),
    ("t.db", b"SQLite format 3\0" + b"\1" * 2000, "is a database of SQLite that cannot be read: "),
    ("t.db", sqlite("CREATE TABLE t (a)", "DROP TABLE t"), "has no table with rows in it"),
    ("t.duckdb", bytes(8) + b"DUCK" + bytes(100), "is a database of DuckDB: write the table as Parquet"),
    ("t.zip", zipped({"t.csv": TEXT})[:-30], "is a damaged zip file"),
    ("t.csv.bz2", b"BZh9" + bytes(50), "is a damaged bzip2 file"),
    ("t.csv.xz", b"\xfd7zXZ\0" + bytes(50), "is a damaged xz file"),
    ("t.csv.zst", b"\x28\xb5\x2f\xfd" + bytes(50), "is a damaged zstd file"),
], ids=told)
def test_damaged_files_are_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in refusal(tmp_path / name)


@pytest.mark.parametrize("suffix", ["zip", "bz2", "xz", "zst"])
def test_bombs_are_refused(tmp_path, monkeypatch, suffix):
    import bz2
    import lzma

    import pyarrow

    monkeypatch.setattr(_packed, "UNPACKED_ANYWAY", 1 << 12)
    monkeypatch.setattr(_packed, "MAX_RATIO", 3)
    raw = b"a\n" + b"0\n" * (1 << 16)
    packed = {"zip": zipped({"t.csv": raw}), "bz2": bz2.compress(raw), "xz": lzma.compress(raw),
              "zst": pyarrow.compress(raw, "zstd", asbytes=True)}
    (tmp_path / f"t.{suffix}").write_bytes(packed[suffix])
    assert "that unpack to more than" in refusal(tmp_path / f"t.{suffix}")


def test_an_archive_that_lies_about_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(_packed, "UNPACKED_ANYWAY", 1 << 12)
    monkeypatch.setattr(_packed, "MAX_RATIO", 3)
    raw = b"a\n" + b"0\n" * (1 << 16)
    content = zipped({"t.csv": raw}).replace(len(raw).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "t.zip").write_bytes(content)
    assert "damaged zip" in refusal(tmp_path / "t.zip") or "unpack to more" in refusal(tmp_path / "t.zip")


def test_a_database_runs_nothing_of_its_authors(tmp_path):
    """A view that would never end is no table, and is not asked."""
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c"
    (tmp_path / "t.db").write_bytes(sqlite(*TABLES[:2], f"CREATE VIEW v AS {endless}"))
    assert read_table(tmp_path / "t.db").frame.to_dict("list") == FOUND
    assert "has no table 'v'" in refusal(f"{tmp_path / 't.db'}#v")


def test_a_database_that_was_written_beside_its_log(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in TABLES[:2]:
            connection.execute(statement)
        connection.commit()
    assert read_table(tmp_path / "t.db").frame.to_dict("list") == FOUND


def test_numbers_in_json_keep_their_types(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps([{"a": 1, "b": "1"}, {"a": 2, "b": "01"}]))
    frame = read_table(tmp_path / "t.json").frame
    assert frame["b"].tolist() == ["1", "01"]
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(tmp_path / "t.json", "t.json")
    assert read_table(tmp_path / "t.zip").frame.equals(frame)


@pytest.mark.parametrize(("source", "written"), [
    ("https://me:secret@example.org:8000/a/b.csv?key=secret#sheet", "https://example.org:8000/a/b.csv#sheet"),
    ("http://example.org/b.csv", "http://example.org/b.csv"),
    ("-", "-"),
    ("sample:iris", "sample:iris"),
])
def test_a_runs_folder_has_no_secret_of_where_its_data_came_from(source, written):
    assert place_of(source) == written


@pytest.mark.parametrize(("address", "says"), [
    ("http://[nowhere/a.csv", "is no address: Invalid IPv6 URL"),
    ("http://127.0.0.1:port/a.csv", "cannot be read: nonnumeric port"),
    ("http://127.0.0.1/a b.csv", "cannot be read: URL can't contain control characters"),
    ("https://", "cannot be read: no host given"),
])
def test_an_address_that_is_none_is_told_on_a_line(address, says):
    with pytest.raises(InputError, match=says) as refused:
        fetched(address)
    assert "\n" not in str(refused.value)
