"""What a run of the tests leaves out: types where Numba compiles, extras that are not installed, and old programs."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("torch") else ["src/descend/torch/*"]


class Kernels(MetaPathFinder):
    """Finds what Numba compiles before the hook that wraps all other functions to enforce their types."""

    def find_spec(self, fullname, path=None, target=None):
        return PathFinder.find_spec(fullname, path, target) if "._kernels." in fullname else None


sys.meta_path.insert(0, Kernels())


@pytest.fixture(autouse=True, scope="module")
def no_programs_of_other_modules():
    """Forget what JAX compiled for the tests of a module: of all of them together, it takes gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
