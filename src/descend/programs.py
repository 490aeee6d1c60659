"""Compiled programs, kept on disk, so that the next process need not compile them again."""

import contextlib
import functools
import hashlib
import os
import platform
import sys
import warnings
from pathlib import Path
from typing import Any

import jax
from jax._src import compilation_cache as _reading
from jax.experimental.compilation_cache import compilation_cache

from descend.errors import InputError

# Seconds of compilation: below that, to read a program takes as long as to make it.
MIN_COMPILE_SECONDS = 0.02
CPUS = Path("/proc/cpuinfo")
# Bytes of programs, above which the oldest go.
MAX_FOLDER_BYTES = 2**30


def keep_programs(folder: str | Path | None = None) -> Path:
    """Keep the programs that JAX compiles in a folder, and take from it those that are there.

    From now on, in this process, and for whatever JAX compiles. A program is found again by what it computes, with
    which versions and on which kind of processor; what is read is what was compiled, so that no number depends on it.
    Several processes may share the folder. What is damaged there is compiled again, and replaced; what cannot be
    written is compiled as without it.

    `folder`: by default the one that `JAX_COMPILATION_CACHE_DIR` or `jax.config` names, and else the user's folder of
    caches. In one of our own, the oldest programs go at the call that finds more than a gigabyte.

    **Returns** the folder that the programs of this kind of processor are in.

    **Raises** `InputError` for a folder that cannot be written.

    >>> import tempfile, descend, jax
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept_in = descend.keep_programs(folder)
    ...     slope = float(jax.jit(jax.grad(lambda x: x**3))(2.0))
    ...     jax.config.update("jax_compilation_cache_dir", None)  # from here on, nothing is kept
    ...     compilation_cache.reset_cache()
    >>> slope, str(kept_in).startswith(folder)
    (12.0, True)
    """
    users_own = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]  # JAX makes it as it is imported
    if folder is None and users_own is not None:
        return Path(users_own)
    programs = (cache_folder() / "descend" if folder is None else Path(folder).expanduser()) / processor()
    _make_ready(programs)
    # A full disk, or a file that another process has not finished: then it is compiled, as without a cache.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    jax.config.update("jax_compilation_cache_dir", str(programs))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    # JAX looks for a folder when it first compiles, and then no more.
    compilation_cache.reset_cache()
    _remove_unreadable(programs)
    return programs


def cache_folder() -> Path:
    """Where this system keeps what can be made again."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _remove_unreadable(folder: Path) -> None:
    """Remove what JAX cannot read, such as the half of a program whose writer was killed.

    JAX itself leaves it, and writes nothing where something is: each process would compile that program again.
    """
    read = getattr(_reading.get_executable_and_time, "__wrapped__", _reading.get_executable_and_time)

    @functools.wraps(read)
    def removing(cache_key: str, *how: Any) -> Any:
        try:
            return read(cache_key, *how)
        except OSError:
            # The disk's fault, perhaps for now alone: the program may be good.
            raise
        except Exception:
            with contextlib.suppress(OSError):
                (folder / f"{cache_key}-cache").unlink(missing_ok=True)
            raise

    _reading.get_executable_and_time = removing  # type: ignore[assignment]  # JAX has no hook for it


def _make_ready(folder: Path) -> None:
    """Make the folder, and room in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder)
    except OSError as error:
        raise InputError(f"programs cannot be kept in {folder}: {error.strerror or error}; name another folder"
                         ) from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"programs cannot be kept in {folder}: it is closed to this user; name another folder")


@functools.cache
def processor() -> str:
    """A name for this kind of processor: a program may stop with an error on another, which has fewer instructions."""
    try:
        told = {line for line in CPUS.read_text().splitlines() if line.startswith(("model name", "flags", "Features"))}
    except OSError:
        # Only Linux has the file.
        told = {platform.processor()}
    return f"{platform.machine()}-{hashlib.sha256(repr(sorted(told)).encode()).hexdigest()[:8]}"


def _make_room(folder: Path) -> None:
    """Remove the oldest programs, half of what may be kept, once there are too many; others may do so as well."""
    files = []
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            files.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
    size = sum(one for _, one, _ in files)
    if size <= MAX_FOLDER_BYTES:
        return
    for _, one, path in sorted(files):
        Path(path).unlink(missing_ok=True)
        size -= one
        if size <= MAX_FOLDER_BYTES / 2:
            break
