"""The lessons in the book: all of them, with formulas as MathML, and code as it is in the studio."""

import re

from descend.studio.lessons.catalogue import LESSONS
from descend.studio.lessons.pages import markdown
from tools.book.lesson_pages import pages

CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_each_lesson_is_a_page_in_its_place():
    made = pages()
    assert [name[len("lessons/00-"):-len(".md")] for name in made] == [lesson.name for lesson in LESSONS]
    assert list(made) == sorted(made)
    for lesson, text in zip(LESSONS, made.values(), strict=True):
        written = markdown(lesson.name)
        assert CODE.findall(text) == CODE.findall(written)
        assert "$" not in CODE.sub("", text)
        # A pair of dollars for each formula between words, and two for those that stand alone.
        alone = written.count("$$") // 2
        assert text.count("<math ") == (CODE.sub("", written).count("$") - 4 * alone) // 2 + alone
        assert text.count("!!! tip") == 1
