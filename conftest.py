"""What a run of the tests leaves out: types where Numba compiles, and extras that are not installed."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["src/descend/torch/*"]


class Kernels(MetaPathFinder):
    """Finds what Numba compiles before the hook that wraps all other functions to enforce their types."""

    def find_spec(self, fullname, path=None, target=None):
        return PathFinder.find_spec(fullname, path, target) if "._kernels." in fullname else None


sys.meta_path.insert(0, Kernels())
