"""The report: one page that holds everything, whatever the columns are called."""

import re

import numpy as np
import pandas as pd
import pytest

from descend.tasks.common.page import shortened
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.blocks import Feature
from descend.tasks.table.linear.coefficients import Coefficient, coefficients
from descend.tasks.table.linear.section import effect_text
from descend.tasks.table.task import table_task

RNG = np.random.default_rng(0)
NASTY = "</script><script>alert(1)</script>"
TARGETS = {
    "regression": RNG.normal(size=60),
    "binary": list("ab") * 30,
    "multiclass": [f"<i>{i % 25}" for i in range(75)],
}


def page_of(kind, **options):
    """The report on a table with ugly names, and the training that it is about."""
    target = TARGETS[kind]
    frame = pd.DataFrame({NASTY: RNG.normal(size=len(target)), "b" * 99: RNG.normal(size=len(target)), "<t>": target})
    return reported(Table(frame, "<name>", "0"), Settings("<t>", **options))


def reported(table, settings):
    """The report, and the training that it is about."""
    task = table_task(table, settings)
    fitted = task.train(task.prepare())
    outcome = task.judge(fitted)
    return task.report(fitted, outcome, task.metrics(fitted, outcome)), fitted


@pytest.fixture(scope="module", params=TARGETS)
def page(request):
    """Of a descent in steps."""
    return page_of(request.param, model="linear", epochs=2)[0]


@pytest.fixture(scope="module", params=TARGETS)
def solved(request):
    """Of a linear model with a certificate."""
    return page_of(request.param, model="linear")


def test_it_is_one_page_that_needs_no_network(page):
    assert page.startswith("<!doctype html>")
    assert page.count("plotly.js v") == 1
    assert page.count("Plotly.newPlot(") >= 3
    assert not re.search(r"<script[^>]*\bsrc\b|<link|<img|@import", page)


def test_it_shows_score_curves_columns_and_facts(page):
    for heading in ("How the training went", "The weightiest columns", "All facts", "What the columns were taken for"):
        assert f"<h2>{heading}</h2>" in page
    assert re.search(r"<p class=score>(R²|accuracy) -?\d\.\d{4}</p>", page)
    assert "Stopped by budget: 2 epochs" in page
    assert "validation score" in page


def test_it_begins_with_what_the_predictions_are_like(page):
    headings = re.findall("<h2>(.*?)</h2>", page)
    of_numbers = ["Predictions on held-out rows", "What is left over"]
    of_classes = ["What was taken for what", "How well it ranks", "Are the probabilities right?"]
    assert headings[:2] == of_numbers or headings[:3] == of_classes
    assert ("<table class=classes>" in page) == (headings[0] == of_classes[0])


def test_names_are_text_and_never_html(page):
    assert NASTY not in page
    assert "<t>" not in page
    assert "<name>" not in page
    assert "&lt;t&gt; from &lt;name&gt;" in page
    assert "<i>" not in page.replace("plotly", "")[-60_000:]


def test_long_names_are_shortened_in_figures():
    assert shortened("b" * 99) == "b" * 29 + "…"
    assert shortened("<b>") == "&lt;b&gt;"


def test_a_solved_linear_model_is_shown_with_its_proof_its_penalty_and_its_coefficients(solved):
    page, fitted = solved
    linear = fitted.trained[0].predictor
    assert page.count("<h2>The linear model</h2>") == 1
    assert f"<p class=certificate>{linear.certificate}.</p>" in page
    assert f"The penalty is {linear.path.penalty:.3g}: of {len(linear.path.penalties)} penalties" in page
    assert page.index("<p class=certificate>") < page.rindex("Plotly.newPlot(")
    assert page.count("plotly.js v") == 1
    outputs = len(linear.coefficients)
    table = re.search(r"<table class=coefficients>.*?</table>", page, re.DOTALL)[0]
    assert table.count("<tr>") - 1 == min(2 * outputs, 30)
    assert ("These are the first 30 of 50." in page) == (outputs == 25)
    first = coefficients(linear, fitted.prepared)[0]
    assert effect_text(first) in table
    assert "not chosen" not in page


def test_names_in_it_are_text_too(solved):
    page, _ = solved
    assert NASTY not in page
    assert "<t>" not in page
    assert "<i>" not in re.search(r"<table class=coefficients>.*?</table>", page, re.DOTALL)[0]


def test_a_model_in_steps_has_no_certificate(page):
    assert "The linear model" not in page


def test_the_linear_model_is_shown_beside_a_perceptron_that_was_chosen(monkeypatch):
    """Of a ring, of which no line tells anything."""
    monkeypatch.setattr("descend.tasks.common.choosing.choosing.STANDARD_ERRORS_AHEAD", np.inf)
    x, y = np.random.default_rng(0).normal(size=(2, 100))
    table = Table(pd.DataFrame({"x": x, "y": y, "ring": np.where(x**2 + y**2 > 1.4, "out", "in")}), "ring", "0")
    page, fitted = reported(table, Settings("ring"))
    assert fitted.chosen.name == "mlp"
    assert "It was not chosen, and stands here beside the model that was." in page
    assert f"<p class=certificate>{fitted.trained[0].predictor.certificate}.</p>" in page


@pytest.mark.parametrize(
    ("label", "effect", "text"),
    [("", 1234.567, "+1235"), ("", -0.5, "-0.5"), ("u", 0.0, "× 1"), ("u", -np.log(2), "× 0.5"),
     ("u", 1000 * np.log(10), "× 10<sup>1000</sup>")],
)
def test_effects_in_words(label, effect, text):
    assert effect_text(Coefficient(Feature("a", "a", "value"), "1 of a", label, effect, 1.0)) == text
