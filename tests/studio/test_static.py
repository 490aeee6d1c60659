"""The files of the pages: what they import and ask for is there, and nobody else's."""

import re
from pathlib import Path

import pytest

import descend.studio
from descend.studio.opened import Opened
from descend.studio.rooms import places

STATIC = Path(descend.studio.__file__).parent / "static"
MODULES = sorted(STATIC.glob("*/*.js"))
PAGES = sorted(STATIC.glob("*/index.html"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_what_a_module_imports_is_exported_there(module):
    for names, other in re.findall(r'import \{([^}]*)\} from "([^"]+)"', module.read_text()):
        source = (module.parent / other).read_text()
        exported = re.findall(r"export (?:default |async )*(?:const|let|function\*?|class) (\w+)", source)
        assert {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()} <= set(exported)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.parent.name)
def test_a_page_asks_for_own_files_alone(page):
    asked = re.findall(r'(?:src|href)="([^"]*)"', page.read_text())
    assert asked
    for address in asked:
        assert (STATIC.parent / address.lstrip("/")).is_file(), address


def test_each_room_has_a_page(tmp_path):
    (tmp_path / "model.py").write_text("params = [1.0, 2.0]\ndef loss(x):\n    return x[0] ** 2 + x[1] ** 2\n")
    all_places = places(Opened(own=tmp_path / "model.py"))
    assert {page.parent.name for page in PAGES} == {place.name for place in all_places}
