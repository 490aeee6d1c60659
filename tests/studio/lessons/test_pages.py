"""The pages of the lessons: their code runs and prints what they say, and they are what the page's policy allows."""

import contextlib
import io
import re

import pytest
from latex2mathml.converter import convert

from descend.studio.lessons.catalogue import LESSONS
from descend.studio.lessons.numbers import NUMBERS
from descend.studio.lessons.pages import FIGURE, PAGES, html, markdown

NAMES = [lesson.name for lesson in LESSONS]
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_its_code_runs_and_prints_what_it_says(name):
    for code in CODE.findall(markdown(name)):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, {})
        told = re.findall(r"^(?: *print\(.*\) *)?# (.*)$", code, re.MULTILINE)
        assert [line.strip() for line in out.getvalue().splitlines()] == told


def test_it_has_all_parts(name):
    text = markdown(name)
    assert text.startswith("# ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[-3:] == ["Try", "In code", "Questions"]
    assert text.count(FIGURE) == 1
    assert len(CODE.findall(text)) == 1
    assert text.count("<summary>") == text.count("</details>") >= 2
    assert max(map(len, "".join(CODE.findall(text)).splitlines())) <= 120


def test_it_is_shown_without_styles_and_scripts(name):
    text = "".join(html(name))
    assert not re.findall(r"<script|<style|<iframe|<img|style=| on\w+=|javascript:|https?://(?!www\.w3\.org)", text)
    assert "$" not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    for tag in ("h1", "h2", "p", "ul", "li", "table", "details", "summary", "math", "pre"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag


def test_no_number_that_came_out_is_written_by_hand(name):
    """Those that a computation gave have many digits, and are named."""
    prose = CODE.sub("", (PAGES / f"{name}.md").read_text(encoding="utf-8"))
    assert re.findall(r"\d+\.\d{4,}", prose) == []


def test_each_page_is_in_the_list_and_each_number_on_a_page():
    assert sorted(NAMES) == sorted(path.stem for path in PAGES.glob("*.md"))
    pages = "".join(path.read_text(encoding="utf-8") for path in PAGES.glob("*.md"))
    assert set(re.findall(r"\{\{(\w+)\}\}", pages)) == NUMBERS.keys()
    assert len({lesson.title for lesson in LESSONS}) == len(LESSONS)


def test_the_slips_of_the_book_stand_beside_what_was_computed():
    for name, in_the_book, computed in (
        ("mini-batches", "progress stalls", "0.244 at step 6, and grows: 62170 at step 100"),
        ("mini-batches", "one update in an epoch is few", "0.953"),
        ("momentum", "barely converges", "rate × curvature is 2.4 of a limit of 2.5"),
        ("newton", "26.834133", "−6.0"),
    ):
        rows = [row for row in markdown(name).splitlines() if row.startswith("|") and in_the_book in row]
        assert any(computed in row for row in rows), name


def test_formulas_are_mathml_and_numbers_have_a_minus():
    before, behind = html("momentum")
    assert convert(r"\eta\lambda < 2 (1 + \beta)", display="block") in before
    assert "−1673.365" in behind
    assert "-0.126340" in behind
