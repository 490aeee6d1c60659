"""Compiled programs are kept on disk by the command line, and by nothing else; no number depends on it."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from descend.cli import _programs

pytestmark = pytest.mark.processes
# All programs are kept, so that which of them are does not depend on how busy the machine is.
COMMAND = "from descend.cli import _programs, main; _programs.LEAST_SECONDS = 0; main()"
ROWS = "a,t\n" + "".join(f"{i * i % 7},{3 * i + i % 2}\n" for i in range(30))


def run(code, cache, *args, **environment):
    """A process whose caches are in a folder of its own."""
    settings = {"XDG_CACHE_HOME": str(cache), "HOME": str(cache), **environment}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    process = subprocess.run([sys.executable, "-c", code, *map(str, args)], env=kept | settings, check=False,
                             capture_output=True, text=True, timeout=200)
    return process.returncode, process.stderr


def fit(cache, out):
    args = ("fit", "t.csv", "--target", "t", "--model", "mlp", "--epochs", 2, "--quiet", "--out", out)
    assert run(COMMAND, cache, *args) == (0, "")
    return Path(out, "model.safetensors").read_bytes()


def programs_in(cache):
    return sorted(path.relative_to(cache) for path in Path(cache).rglob("*-cache"))


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is where Linux has it")
def test_programs_are_kept_and_change_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(ROWS)
    cold = fit("cache", "cold")
    kept = programs_in("cache")
    assert kept
    assert kept[0].parts[0] == "descend"
    assert fit("cache", "warm") == cold
    assert programs_in("cache") == kept  # all were found
    for path in kept:
        Path("cache", path).write_bytes(b"damaged")
    assert fit("cache", "damaged") == cold


@pytest.fixture
def no_folder_named():
    """As in a user's process; these tests themselves name one to JAX."""
    named = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", named)


def test_where_nothing_can_be_written_nothing_is_kept(no_folder_named, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(_programs, "cache_folder", lambda: tmp_path / "file")
    monkeypatch.setattr("jax.config.update", lambda *_: pytest.fail("kept"))
    _programs.keep_programs()


def test_a_library_keeps_nothing():
    code = "import jax, descend.neural, descend.cli; assert jax.config.jax_compilation_cache_dir is None"
    assert run(code, "/nowhere") == (0, "")


def test_the_users_own_folder_takes_precedence(tmp_path):
    code = "import jax; from descend.cli._programs import keep_programs; keep_programs(); " \
           f"assert jax.config.jax_compilation_cache_dir == {str(tmp_path / 'mine')!r}"
    assert run(code, tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "mine")) == (0, "")
    assert not (tmp_path / "ours").exists()


def test_the_oldest_go(tmp_path, monkeypatch):
    for age in range(8):
        (tmp_path / f"{age}-cache").write_bytes(bytes(100))
        os.utime(tmp_path / f"{age}-cache", (1000 - age, 1000 - age))
    monkeypatch.setattr(_programs, "MOST_BYTES", 800)
    _programs._make_room(tmp_path)
    assert len(list(tmp_path.iterdir())) == 8
    monkeypatch.setattr(_programs, "MOST_BYTES", 700)
    _programs._make_room(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-cache", "1-cache", "2-cache"]
