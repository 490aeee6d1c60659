"""Files as people have them come to the table that a person sees in them; what is in doubt is told."""

import pytest

from descend.tasks.common.columns import Kind
from tasks.common.messy import containers, layouts, numbers, words

CASES = [*numbers.CASES, *words.CASES, *layouts.CASES, *containers.CASES]


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_what_a_file_is(case, tmp_path):
    from tasks.common.messy.case import looked_at

    path = tmp_path / f"t{case.suffix}"
    path.write_bytes(case.content)
    found, told = looked_at(path)
    assert {name: kind for name, (kind, _) in found.items()} == {name: Kind(kind) for name, (kind, _) in
                                                                  case.columns.items()}
    for name, (_, values) in case.columns.items():
        assert found[name][1] == (pytest.approx(values) if values and isinstance(values[-1], float) else values), name
    for words_told in case.told:
        assert words_told in told
    if not case.told:
        assert told == ""


def test_there_are_many():
    assert len(CASES) >= 120
