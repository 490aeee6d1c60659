"""Boxes as MathML: nothing of them is lost, and all of it is well formed."""

import textwrap
import unicodedata
from collections import Counter
from xml.etree import ElementTree

import pytest

from descend.optimizers import family
from tools.book import docstrings
from tools.book.notation import box, inline

BOXES = [(member.name, textwrap.dedent(part)) for member in family()
         for part in docstrings.paragraphs(docstrings.of(member.cls)) if part.startswith("    ")]


def signs(text):
    """Letters and digits, whatever their height and their accents: by Unicode's own tables."""
    plain = unicodedata.normalize("NFKD", text.replace("½", "1/2"))
    return Counter(sign for sign in plain if sign.isalnum())


def shown(element):
    """What is seen of it: without what only holds a place."""
    if element.tag == "mphantom":
        return ""
    return (element.text or "") + "".join(shown(child) + (child.tail or "") for child in element)


@pytest.mark.parametrize(("name", "text"), BOXES)
def test_a_box_is_well_formed_and_whole(name, text):
    root = ElementTree.fromstring(box(text))
    assert signs(shown(root)) == signs(text)
    assert len(root.findall("./mtable/mtr")) == len(text.strip().splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("β₁ᵗ", "<msubsup><mi>β</mi><mrow><mn>1</mn></mrow><mrow><mi>t</mi></mrow></msubsup>"),
        ("v̂", '<mover accent="true"><mi>v</mi><mo>^</mo></mover>'),
        ("√(s + ε)", "<msqrt><mi>s</mi><mo>+</mo><mi>ε</mi></msqrt>"),
        ("t^(a + 1)", "<msup><mi>t</mi><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow></msup>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        ("Q_L", "<msub><mi>Q</mi><mi>L</mi></msub>"),
        ("f*", "<msup><mi>f</mi><mrow><mo>*</mo></mrow></msup>"),
    ],
)
def test_a_sign_has_its_place(text, expected):
    assert inline(text) == f"<math>{expected}</math>"


def test_what_goes_on_below_begins_where_it_began_above():
    phantom = ElementTree.fromstring(box("η(t) = a     t < 1\n       b     else")).find("./mtable/mtr[2]//mphantom")
    assert "".join(phantom.itertext()) == "η(t)="


def test_a_docstring_keeps_its_sessions_and_links_its_papers():
    listed = "Args:\n    a, b: numbers,\n        both.\n    c: one."
    text = f"Descends.\n\n>>> 1 < 2\nTrue\n\n{listed}\n\nReference: X, arXiv 1412.6980."
    assert docstrings.markdown(text).split("\n\n") == [
        "Descends.", "```pycon\n>>> 1 < 2\nTrue\n```", "**Args**", "- `a, b`: numbers, both.\n- `c`: one.",
        "Reference: X, [arXiv 1412.6980](https://arxiv.org/abs/1412.6980).",
    ]  # fmt: skip
    assert "Reference" not in docstrings.without_reference(text)
