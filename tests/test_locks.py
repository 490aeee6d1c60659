"""A lock keeps other processes out until its owner lets go, or dies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from descend import _locks
from descend._locks import hold, release, release_all
from descend.errors import InputError
from locking import locked_by


def test_another_process_is_named(tmp_path: Path) -> None:
    with locked_by(1234, tmp_path / "l"), pytest.raises(InputError) as refused:
        hold(tmp_path / "l", tmp_path)
    assert str(refused.value) == (
        f"another process, 1234, writes to {tmp_path}: wait for its end, or name another place")
    hold(tmp_path / "l", tmp_path)  # what it left keeps nobody out
    assert (tmp_path / "l").read_text() == str(os.getpid())
    release(tmp_path / "l")
    assert not (tmp_path / "l").exists()


def test_who_holds_twice_releases_twice(tmp_path: Path) -> None:
    for _ in range(2):
        hold(tmp_path / "l", tmp_path)
    release(tmp_path / "l")
    assert (tmp_path / "l").exists()
    release(tmp_path / "l")
    assert not (tmp_path / "l").exists()
    hold(tmp_path / "l", tmp_path)
    release_all()
    assert not (tmp_path / "l").exists()


def test_where_nothing_can_be_locked_nobody_is_kept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    hold(tmp_path / "file" / "l", tmp_path)
    monkeypatch.setattr(_locks, "fcntl", None)
    hold(tmp_path / "l", tmp_path)
    release(tmp_path / "l")


@pytest.mark.processes
def test_the_lock_of_a_killed_process_is_open(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from descend._locks import hold; hold(Path('l'), Path('run')); "
    process = subprocess.Popen([sys.executable, "-c", code + "print('held', flush=True); sys.stdin.read()"],
                               cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    with process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=f"another process, {process.pid}, writes to"):
            hold(tmp_path / "l", tmp_path)
        process.kill()
    assert (tmp_path / "l").exists()
    hold(tmp_path / "l", tmp_path)
    release(tmp_path / "l")
