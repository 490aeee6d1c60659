"""Files are whole or not there, whoever else writes them; what killed processes left is removed."""

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from descend._files import ABANDONED, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_two_writers_never_leave_a_part_and_never_fail(tmp_path: Path) -> None:
    """Threads are here what processes are: before, both had the same temporary file."""
    path, contents = tmp_path / "x", [bytes([letter]) * (300_000 + 50_000 * letter) for letter in range(2)]
    failures, found, over = [], set(), threading.Event()

    def write(content: bytes) -> None:
        for _ in range(40):
            try:
                write_atomically(path, content)
            except OSError as error:
                failures.append(error)

    def read() -> None:
        while not over.is_set():
            if path.exists():
                found.add(path.read_bytes())

    reader, writers = threading.Thread(target=read), [threading.Thread(target=write, args=(c,)) for c in contents]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    assert failures == []
    assert found <= set(contents)
    assert names(tmp_path) == ["x"]


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'x'}'"):
        write_atomically(tmp_path / "x", b"1")
    assert names(tmp_path) == []


def test_the_one_before_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        write_atomically(tmp_path / "x", content, tmp_path / "y")
    assert ((tmp_path / "x").read_bytes(), (tmp_path / "y").read_bytes()) == (b"3", b"2")


def test_a_file_system_without_second_names_keeps_the_last_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    for content in (b"1", b"2"):
        write_atomically(tmp_path / "x", content, tmp_path / "y")
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"2"


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    left, fresh, written, others = (tmp_path / name for name in (".x.1.part", ".x.2.part", ".x.3.part", ".y.1.part"))
    for part in (left, fresh, written, others):
        part.write_bytes(b"half")
    for part in (left, written, others):
        os.utime(part, (0, part.stat().st_mtime - 2 * ABANDONED))
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_atomically(tmp_path / "x", b"whole")
    assert names(tmp_path) == [".x.2.part", ".x.3.part", ".y.1.part", "x"]
