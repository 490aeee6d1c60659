"""Pages that are run, each part of one once for all tests that look at it."""

import contextlib
import sys
from pathlib import Path

import pytest

from descend.tasks.table import registry
from tools.book import fences


@contextlib.contextmanager
def one_thread():
    """PyTorch's threads would wait for each other, at every operation, on a machine that is busy."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    if torch:
        torch.set_num_threads(1)
    yield
    if torch:
        torch.set_num_threads(before)


def run(part, folder):
    """The names that a part leaves, and what its own fences printed."""
    printed = []
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.chdir(folder)
        # What a page registers is nothing that other tests should find.
        patch.setattr(registry, "_candidates", [*registry.candidates()])
        names = fences.run(part.before, str(part), folder, told=lambda _: None)
        fences.run(part.fences, str(part), folder, names, printed.append)
        for fence in (*part.before, *part.fences):
            if fence.is_file:
                sys.modules.pop(Path(fence.title).stem, None)
    return names, printed


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """Runs a part, or tells what came of it."""
    known = {}

    def once(part):
        if str(part) not in known:
            known[str(part)] = run(part, tmp_path_factory.mktemp("page"))
        return known[str(part)]

    return once


@pytest.fixture(scope="session")
def shown(ran):
    """The names of a page of `docs`; of one part of it, if that is named."""
    def names_of(page, title=None):
        parts = [part for part in fences.parts(fences.ROOT / "docs" / page) if title in (None, part.title)]
        return {name: value for part in parts for name, value in ran(part)[0].items()}

    return names_of
