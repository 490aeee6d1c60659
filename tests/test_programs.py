"""Compiled programs are kept on disk by whoever asks for it, and by nothing else; no number depends on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import descend
from descend import programs

# All programs are kept, so that which of them are does not depend on how busy the machine is.
COMMAND = "from descend import cli, programs; programs.MIN_COMPILE_SECONDS = 0; cli.main()"
ROWS = "a,t\n" + "".join(f"{i * i % 7},{3 * i + i % 2}\n" for i in range(30))
# A descent whose parameters are printed to the last bit; the first program is compiled before the folder is named.
DESCENT = """
import sys, jax, descend
from descend import programs
programs.MIN_COMPILE_SECONDS = 0
jax.jit(lambda x: x + 1)(1.0)
if len(sys.argv) > 1:
    descend.keep_programs(sys.argv[1])
loss = lambda x: ((x - 1.0) ** 2 * (x + 2.0) ** 2).sum()
fit = descend.minimize(loss, [5.0, -3.0], steps=20, stop=[], optimizer=descend.Adam(0.1))
print(fit.params.tobytes().hex())
"""


def started(code, cache, *args, **environment):
    """A process whose caches are in a folder of its own."""
    settings = {"XDG_CACHE_HOME": str(cache), "HOME": str(cache), **environment}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], env=kept | settings,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(code, cache, *args, **environment):
    process = started(code, cache, *args, **environment)
    out, error = process.communicate(timeout=200)
    assert (process.returncode, error) == (0, "")
    return out


def fit(cache, out):
    args = ("fit", "t.csv", "--target", "t", "--model", "linear", "--epochs", 2, "--quiet", "--out", out)
    assert run(COMMAND, cache, *args) == ""
    return Path(out, "model.safetensors").read_bytes()


def programs_in(cache):
    return sorted(path.relative_to(cache) for path in Path(cache).rglob("*-cache"))


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is where Linux has it")
def test_the_command_line_keeps_programs_and_they_change_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(ROWS)
    cold = fit("cache", "cold")
    kept = programs_in("cache")
    assert kept
    assert kept[0].parts[0] == "descend"
    assert fit("cache", "warm") == cold
    assert programs_in("cache") == kept  # all were found


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of programs that two processes kept at once, and what each of them, and a third without one, printed."""
    folder, elsewhere = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("none")
    three = [started(DESCENT, elsewhere), *(started(DESCENT, elsewhere, folder) for _ in range(2))]
    printed = [process.communicate(timeout=200) for process in three]
    assert programs_in(elsewhere) == []
    return folder, printed


def test_two_processes_share_a_folder_and_get_the_same_bits(kept):
    folder, printed = kept
    (alone, error), *_ = printed
    assert error == ""
    assert printed == [(alone, "")] * 3
    times = lambda: {path: (folder / path).stat().st_mtime_ns for path in programs_in(folder)}
    before = times()
    assert any("jit_loop" in path.name for path in before)
    assert run(DESCENT, folder, folder) == alone
    assert times() == before


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"damaged", id="garbled", marks=pytest.mark.slow),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut off"),
        pytest.param(lambda _: b"", id="empty", marks=pytest.mark.slow),
    ],
)
def test_what_is_damaged_is_compiled_again_and_replaced(kept, damage):
    folder, [(whole, _), *_] = kept
    damaged = {folder / path: damage((folder / path).read_bytes()) for path in programs_in(folder)}
    assert damaged
    for path, content in damaged.items():
        path.write_bytes(content)
    assert run(DESCENT, folder, folder) == whole
    assert all(len(path.read_bytes()) > len(content) for path, content in damaged.items())


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, folder):
    (tmp_path / "file").touch()
    with pytest.raises(descend.InputError, match=r"programs cannot be kept in .*file.*: .*; name another folder"):
        descend.keep_programs(tmp_path / folder)


def test_the_command_line_goes_on_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "file").touch()
    assert "Adam" in run("from descend.cli import main; main()", tmp_path / "file", "optimizers")


def test_an_import_keeps_nothing():
    code = "import jax, descend.neural, descend.cli; assert jax.config.jax_compilation_cache_dir is None"
    assert run(code, "/nowhere") == ""


def test_the_users_own_folder_takes_precedence_unless_another_is_named(tmp_path):
    code = "import sys, descend; print(descend.keep_programs(*sys.argv[1:]))"
    mine = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine")}
    assert run(code, tmp_path / "ours", **mine).strip() == mine["JAX_COMPILATION_CACHE_DIR"]
    assert not (tmp_path / "ours").exists()
    assert run(code, tmp_path / "ours", tmp_path / "named", **mine).startswith(str(tmp_path / "named"))


def test_the_oldest_go(tmp_path, monkeypatch):
    for age in range(8):
        (tmp_path / f"{age}-cache").write_bytes(bytes(100))
        os.utime(tmp_path / f"{age}-cache", (1000 - age, 1000 - age))
    monkeypatch.setattr(programs, "MAX_FOLDER_BYTES", 800)
    programs._make_room(tmp_path)
    assert len(list(tmp_path.iterdir())) == 8
    monkeypatch.setattr(programs, "MAX_FOLDER_BYTES", 700)
    programs._make_room(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-cache", "1-cache", "2-cache"]
