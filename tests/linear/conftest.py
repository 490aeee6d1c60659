"""Half of the tests go through Numba's kernels, which nothing so small would: by their names, always the same."""

from binascii import crc32

import pytest

from descend.linear._kernels import uncompiled, uncompiled_lbfgs


@pytest.fixture(autouse=True)
def kernels(request, monkeypatch):
    # Processes that a test starts know nothing of it.
    if crc32(request.node.nodeid.encode()) % 2 and not request.node.get_closest_marker("processes"):
        compile_all(monkeypatch)


def compile_all(monkeypatch):
    """Nothing is small."""
    monkeypatch.setattr(uncompiled, "SMALL_PASS", -1)
    monkeypatch.setattr(uncompiled, "FEW_ROWS", -1)
    monkeypatch.setattr(uncompiled_lbfgs, "FEW_NUMBERS", -1)
