"""A site that does not stand by itself is seen."""

import pytest

from tools.book import checks

GOOD = """<!doctype html><link rel="stylesheet" href="a.css"><link rel="canonical" href="https://b.example/">
<h1 id="top-of-it">A</h1><a href="https://b.example/">out</a> <a href="#top-of-it">up</a> <a href="#">top</a>
<a href="two/b.html#%C3%A9">b</a><img src="data:image/png;base64,AA=="><svg><use href="#top-of-it"/></svg>
<script src="a.js"></script>"""
OTHER = '<h1 id="é">B</h1><a href="../a.html">a</a><a href="/a.html#top-of-it">a</a>'


@pytest.fixture
def site(tmp_path):
    """A site without a fault."""
    (tmp_path / "two").mkdir()
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "two" / "b.html").write_text(OTHER)
    (tmp_path / "a.css").write_text("b { background: url(data:image/png;base64,AA==) }")
    (tmp_path / "a.js").write_text("")
    return tmp_path


def test_a_good_site_has_no_fault(site):
    assert checks.faults(site, {"two/b.html": ["é"]}) == []


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ('<a href="c.html">', "leads to c.html, which is not there"),
        ('<a href="two/b.html#nowhere">', "where there is no such place"),
        ('<a href="#nowhere">', "where there is no such place"),
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js from outside"),
        ('<script src="//cdn.example/x.js"></script>', "from outside"),
        ('<link rel="stylesheet" href="https://fonts.example/f.css">', "from outside"),
        ('<link rel="preconnect" href="https://fonts.example">', "from outside"),
        ('<link rel="icon" href="https://fonts.example/i.png">', "from outside"),
        ('<img src="missing.png">', "loads missing.png, which is not there"),
        ('<img srcset="a.js 1x, https://x.example/2.png 2x">', "from outside"),
        ('<iframe src="https://x.example/"></iframe>', "from outside"),
        ('<video poster="https://x.example/p.png"></video>', "from outside"),
        ('<svg><image href="https://x.example/p.png"/></svg>', "from outside"),
        ('<p style="background: url(https://x.example/p.png)">', "from outside"),
        ('<style>@import "https://x.example/f.css";</style>', "from outside"),
    ],
)
def test_a_fault_of_a_page_is_told(site, html, told):
    (site / "a.html").write_text(GOOD + html)
    (fault,) = checks.faults(site, {})
    assert fault.startswith("a.html: ")
    assert told in fault


def test_a_font_from_outside_in_a_style_sheet_is_told(site):
    (site / "a.css").write_text("@font-face { src: url('https://fonts.example/f.woff2') }")
    assert checks.faults(site, {}) == ["a.css: loads https://fonts.example/f.woff2 from outside"]


def test_a_name_without_a_place_is_told(site):
    told = checks.faults(site, {"a.html": ["top-of-it", "descend.minimize"], "none.html": ["x"]})
    assert told == ["a.html: there is no place for descend.minimize", "none.html: there is no place for x"]
