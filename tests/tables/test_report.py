"""The report: one page that holds everything, whatever the columns are called."""

import re

import numpy as np
import pandas as pd
import pytest

from descend.tables.outcome import judge, metrics
from descend.tables.reading import Table
from descend.tables.report import render, shortened
from descend.tables.training import Settings, fit_table

RNG = np.random.default_rng(0)
NASTY = "</script><script>alert(1)</script>"
TARGETS = {
    "regression": RNG.normal(size=60),
    "binary": list("ab") * 30,
    "multiclass": [f"<i>{i % 25}" for i in range(75)],
}


@pytest.fixture(scope="module", params=TARGETS)
def page(request):
    target = TARGETS[request.param]
    frame = pd.DataFrame({NASTY: RNG.normal(size=len(target)), "b" * 99: RNG.normal(size=len(target)), "<t>": target})
    settings = Settings("<t>", "linear", epochs=2)
    fitted = fit_table(Table(frame, "<name>", "0"), settings)
    outcome = judge(fitted, 0)
    return render(fitted, outcome, metrics(fitted, outcome, settings), "<name>")


def test_it_is_one_page_that_needs_no_network(page):
    assert page.startswith("<!doctype html>")
    assert page.count("plotly.js v") == 1
    assert page.count("Plotly.newPlot(") >= 3
    assert not re.search(r"<script[^>]*\bsrc\b|<link|<img|@import", page)


def test_it_shows_score_curves_columns_and_facts(page):
    for heading in ("How the training went", "Predictions on held-out rows", "The weightiest columns", "All facts",
                    "What the columns were taken for"):
        assert f"<h2>{heading}</h2>" in page
    assert re.search(r"<p class=score>(R²|accuracy) -?\d\.\d{4}</p>", page)
    assert "Stopped by budget: 2 epochs" in page
    assert "validation score" in page


def test_names_are_text_and_never_html(page):
    assert NASTY not in page
    assert "<t>" not in page
    assert "<name>" not in page
    assert "&lt;t&gt; from &lt;name&gt;" in page
    assert "<i>" not in page.replace("plotly", "")[-60_000:]


def test_long_names_are_shortened_in_figures():
    assert shortened("b" * 99) == "b" * 29 + "…"
    assert shortened("<b>") == "&lt;b&gt;"
