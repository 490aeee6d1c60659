"""Compiled programs, kept on disk, so that the next start of a command need not compile them again."""

import contextlib
import hashlib
import os
import platform
import sys
import warnings
from pathlib import Path

import jax

LEAST_SECONDS = 0.1  # of compilation: below that, to read a program takes as long as to make it
CPUS = Path("/proc/cpuinfo")
MOST_BYTES = 2**30  # of programs: the oldest go


def keep_programs() -> None:
    """Have JAX keep what it compiles in the user's folder of caches.

    For this process alone, and before it compiles anything. A folder that the user named to JAX takes precedence; if
    nothing can be written, nothing is kept. What is read is what was compiled, so that no number depends on it.
    """
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]  # JAX makes it as it is imported
        return
    folder = cache_folder() / "descend" / _machine()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        # A full disk, or a file that another process has not finished: then it is compiled, as without a cache.
        warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)


def cache_folder() -> Path:
    """Where this system keeps what can be made again."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _machine() -> str:
    """A name for this kind of processor: a program may stop with an error on another, which has fewer instructions."""
    told = {platform.processor()}
    with contextlib.suppress(OSError):  # only Linux has it
        told |= {line for line in CPUS.read_text().splitlines() if line.startswith(("model name", "flags", "Features"))}
    return f"{platform.machine()}-{hashlib.sha256(repr(sorted(told)).encode()).hexdigest()[:8]}"


def _make_room(folder: Path) -> None:
    """Remove the oldest programs, half of what may be kept, once there are too many."""
    files = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
    size = sum(one for _, one, _ in files)
    if size <= MOST_BYTES:
        return
    for _, one, path in files:
        Path(path).unlink(missing_ok=True)
        size -= one
        if size <= MOST_BYTES / 2:
            break
