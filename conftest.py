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

# Workers share the cores, which threads of each would divide further; and a fit from the command line has one, too.
os.environ.setdefault("PJRT_NPROC", "1")

# Programs are kept for the other workers, for the processes that tests start, and for the next run.
PROGRAMS = Path(__file__).parent / ".pytest_cache" / "d" / "programs"
MOST_BYTES = 2**29
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(PROGRAMS))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

NEEDED = {"torch": "src/descend/torch/*", "anywidget": "src/descend/notebook/*",
          "dask": "src/descend/linear/streaming/cluster.py"}
collect_ignore_glob = [files for package, files in NEEDED.items() if not find_spec(package)]


class Kernels(MetaPathFinder):
    """Finds what Numba compiles before the hook that wraps all other functions to enforce their types."""

    def find_spec(self, fullname, path=None, target=None):
        compiled = "._kernels." in fullname or "._losses." in fullname
        return PathFinder.find_spec(fullname, path, target) if compiled else None


sys.meta_path.insert(0, Kernels())


# Marks of tests in which no types are enforced: they have their own time, or a process of their own.
WITHOUT_TYPES = ("slow", "peers", "data", "processes", "browser")


def pytest_addoption(parser):
    """`--one-in 4` runs a fourth of all tests, `--but-one-in 4` the others."""
    sample = parser.getgroup("general").addoption
    sample("--one-in", type=int, metavar="N", help="of the unmarked tests of each module, run one in so many alone")
    sample("--but-one-in", type=int, metavar="N", help="run all tests but those that --one-in runs")


def pytest_collection_modifyitems(config, items):
    """Leave out all but some tests of each module, evenly: of a test with many cases some stay; or those."""
    option = config.option
    if not (one_in := option.one_in or option.but_one_in):
        return
    tests = defaultdict(list)
    for item in items:
        if not any(map(item.get_closest_marker, WITHOUT_TYPES)):
            tests[item.nodeid.partition("::")[0]].append(item)
    some = {item for name, its in tests.items() for item in its[crc32(name.encode()) % min(one_in, len(its)) :: one_in]}
    chosen = lambda item: (item in some) is bool(option.one_in)
    config.hook.pytest_deselected(items=[item for item in items if not chosen(item)])
    items[:] = filter(chosen, items)


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


# What a module draws at random hangs on the test that draws, and on no test before: workers share a module's tests as
# they come, and each of them is to be able to run alone.


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Have the module's generators begin anew, for each test elsewhere."""
    for generator in generators_of(item):
        begin(generator, item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """The same for a fixture that several tests share; then the test goes on as if it had been there."""
    shared = generators_of(request.node) if fixturedef.scope != "function" else []
    states = [generator.bit_generator.state for generator in shared]
    for generator in shared:
        begin(generator, f"{request.node.nodeid} {fixturedef.argname} {getattr(request, 'param_index', 0)}")
    made = yield
    for generator, state in zip(shared, states, strict=True):
        generator.bit_generator.state = state
    return made


def generators_of(node):
    """NumPy's generators among the names of the module that a test is in."""
    numpy, module = sys.modules.get("numpy"), getattr(node, "module", None)
    return [] if numpy is None or module is None else [
        value for value in vars(module).values() if isinstance(value, numpy.random.Generator)]


def begin(generator, name):
    """Have a generator begin where nothing but a name tells."""
    bits = generator.bit_generator
    bits.state = type(bits)(crc32(name.encode())).state


@pytest.fixture(autouse=True, scope="module")
def no_programs_of_other_modules():
    """Forget what JAX compiled for the tests of a module: of all of them together, it takes gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
