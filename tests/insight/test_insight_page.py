"""What `docs/insight.md` shows is true."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "insight.md"
FIRST, *SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("section", SECTIONS, ids=[section.splitlines()[0] for section in SECTIONS])
def test_snippets(section):
    """They run, and what they print is what is written behind it."""
    code = [text for part in (FIRST, section) for text in re.findall(r"```python\n(.*?)```", part, re.DOTALL)]
    printed = []
    exec(compile("".join(code), str(PAGE), "exec"), {"print": lambda *told: printed.append(" ".join(map(str, told)))})
    expected = re.findall(r"print\(.*\) +# (.*)", "".join(code))
    assert len(printed) == len(expected)
    for told, text in zip(printed, expected, strict=True):
        assert re.fullmatch(re.escape(text).replace("…", ".*"), told, re.DOTALL), told
