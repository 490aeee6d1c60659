"""What `docs/studio.md` says of formulas and messages is what the code has."""

from pathlib import Path

from descend.studio.messages import MAX_BYTES
from descend.studio.playground.own_table import MAX_CLASSES, MAX_ROWS_SEEN
from descend.studio.racing.formula import FUNCTIONS, MAX_CHARACTERS, PAIRED

PAGE = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")


def test_its_words_and_bounds_are_those_of_the_code():
    assert f"`{' '.join(FUNCTIONS)}`" in PAGE
    assert all(f"`{name}`" in PAGE for name in PAIRED)
    assert f"at most\n{MAX_CHARACTERS} characters" in PAGE
    assert f"{MAX_BYTES // 1024} kB" in PAGE
    assert f"Of more than {MAX_ROWS_SEEN:,} rows" in PAGE
    assert f"of 2 to {MAX_CLASSES} classes" in PAGE
