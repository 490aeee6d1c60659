"""What `tools/house.py` counts, on modules whose figures are seen by counting."""

from collections import Counter
from pathlib import Path

import pytest

from tools import house

ONE = '''"""A module."""

# noqa: a program reads this one
# A reason.
# It goes on.
LEAST, _MOST = 3, 4  # not on a line of its own


class Kept:
    def method(self, a, b: int | Any, *, c: Any, d: "Any | None" = None) -> None:
        # Another reason.
        "# a text"


def free(x: dict[str, Any], *rest: float, **more) -> int:
    return 1
'''


@pytest.fixture
def made(tmp_path):
    def make(**texts: str) -> list[house.Module]:
        for name, text in texts.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return house.modules(tmp_path)

    return make


def test_figures(made):
    (one,) = made(one=ONE)
    assert one.lines == 16
    assert house.comments(one) == 3
    assert [(arg.arg, typed) for arg, typed in house.parameters(one)] == [
        *[("x", True), ("rest", True), ("more", False)],
        *[("a", False), ("b", False), ("c", False), ("d", False)],
    ]
    assert sorted(map(house.length, one.functions)) == [2, 3]
    assert list(house.defined(one)) == ["LEAST", "_MOST", "Kept", "free"]


@pytest.mark.parametrize(
    ("line", "crosses"),
    [
        ("from descend._tree import split", False),
        ("from descend._tree import _norm", True),
        ("from descend import _tree", False),
        ("from descend.rooms._hidden import shown", False),
        ("from descend.other._hidden import shown", True),
        ("from descend.other import _hidden", True),
        ("from descend.other import shown, __version__", False),
        ("import descend.other._hidden", True),
        ("from ..other._hidden import shown", True),
        ("from ._hidden import _shown", False),
        ("from numpy._core import shown", False),
        ("def inside():\n    from descend.other._hidden import shown", True),
    ],
)
def test_private_names_cross_packages(made, line, crosses):
    (one,) = made(rooms__one=line)
    assert bool(list(house.crossing(one))) == crosses


def test_a_name_may_be_in_two_modules_but_not_in_three(made):
    text = "MOST = 1\nT = TypeVar('T')\ndef _private(): ..."
    assert house.several(made(a=text, b=text)) == {}
    assert house.several(made(a=text, b=text, c__d=text)) == {"MOST": ["a.py", "b.py", "c/d.py"]}
    assert list(house.several(made(_kernels__e=text, _kernels__f=text))["MOST"]) == ["a.py", "b.py", "c/d.py"]


def test_modules_of_tests_have_names_of_their_own():
    """Of two that are alike pytest imports the first, and the run of all tests ends with an error."""
    folder = Path(__file__).parent
    names = Counter(path.name for path in folder.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
