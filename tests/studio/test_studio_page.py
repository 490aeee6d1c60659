"""What `docs/studio.md` shows must run, and be what it says."""

import re
from pathlib import Path

import pytest

from descend.studio.messages import MAX_BYTES
from descend.studio.racing.formula import FUNCTIONS, MAX_CHARACTERS, PAIRED

PAGE = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")


def test_the_examples_run_and_are_true(capsys):
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), names)
    assert names["banana"](-1.2, 1.0) == pytest.approx(24.2)
    told = capsys.readouterr().out.strip()
    assert f"# {told}" in PAGE
    assert names["path"].rows[0].tolist() == pytest.approx([1, 1, 51, 100])
    assert names["path"].limit / names["path"].rows[0, 3] == pytest.approx(0.038)


def test_its_words_and_bounds_are_those_of_the_code():
    assert f"`{' '.join(FUNCTIONS)}`" in PAGE
    assert all(f"`{name}`" in PAGE for name in PAIRED)
    assert f"at most\n{MAX_CHARACTERS} characters" in PAGE
    assert f"{MAX_BYTES // 1024} kB" in PAGE
