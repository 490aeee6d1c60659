"""How tests compile and what they keep; what a run leaves out: types where Numba compiles, extras not installed."""

import gc
import os
import shutil
import sys
from binascii import crc32
from collections import defaultdict
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

import pytest

# Most tests make few steps of many programs: to compile one takes a fifth of the time without optimization, and less in
# one piece than in as many as there may be threads; though a step then takes three times as long. `XLA_FLAGS= pytest`
# compiles as a user's process does.
QUICK = ("backend_optimization_level=0", "cpu_use_fusion_emitters=false", "cpu_parallel_codegen_split_count=1")
os.environ.setdefault("XLA_FLAGS", " ".join(f"--xla_{flag}" for flag in QUICK))

# Programs are kept for the other workers, for the processes that tests start, and for the next run.
PROGRAMS = Path(__file__).parent / ".pytest_cache" / "d" / "programs"
MOST_BYTES = 2**29
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(PROGRAMS))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

NEEDED = {"torch": "src/descend/torch/*", "anywidget": "src/descend/notebook/*"}
collect_ignore_glob = [files for package, files in NEEDED.items() if not find_spec(package)]


class Kernels(MetaPathFinder):
    """Finds what Numba compiles before the hook that wraps all other functions to enforce their types."""

    def find_spec(self, fullname, path=None, target=None):
        compiled = "._kernels." in fullname or "._losses." in fullname
        return PathFinder.find_spec(fullname, path, target) if compiled else None


sys.meta_path.insert(0, Kernels())


def pytest_addoption(parser):
    """`--one-in 3` runs a third of all tests."""
    parser.addoption("--one-in", type=int, default=1, help="of the tests of each module, run one in so many")


def pytest_collection_modifyitems(config, items):
    """Leave out all but some tests of each module, evenly: of a test with many cases some stay."""
    tests = defaultdict(list)
    for item in items:
        tests[item.nodeid.partition("::")[0]].append(item)
    one_in = config.option.one_in
    kept = {item for name, its in tests.items() for item in its[crc32(name.encode()) % min(one_in, len(its)) :: one_in]}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays: to look for garbage among all of it took a fifth of the time of that."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def pytest_configure(config):
    """Forget all programs that are kept once they are too many: those of code that has changed since never go."""
    if hasattr(config, "workerinput") or not PROGRAMS.exists():
        return
    if sum(entry.stat().st_size for entry in os.scandir(PROGRAMS)) > MOST_BYTES:
        shutil.rmtree(PROGRAMS)


@pytest.fixture(autouse=True, scope="module")
def no_programs_of_other_modules():
    """Forget what JAX compiled for the tests of a module: of all of them together, it takes gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
