"""Numbers are where they belong in a picture."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from tools.book.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Line, of_lines
from tools.book.svg import nice


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123, "0.0123"), (999.6, "1e+03"), (1234.0, "1,234"), (1e-4, "10⁻⁴"), (3.7e-4, "3.7·10⁻⁴"),
     (2e7, "2·10⁷"), (-2e7, "-2·10⁷"), (float("inf"), "∞"), (float("nan"), "no number")],
)  # fmt: skip
def test_a_number_for_people(value, text):
    assert nice(value) == text


def test_an_axis_of_logarithms_has_equal_steps_for_equal_factors():
    axis = Axis(1e-3, 1e3, 600, 0, log=True)
    assert axis(np.array([1e-3, 1.0, 1e3])).tolist() == pytest.approx([600, 300, 0])
    assert Axis(1, 100, 0, 1, log=True).ticks() == [1, 2, 5, 10, 20, 50, 100]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7), (0, 0.037), (0, 0), (2, 2), (0, 1e9)])
def test_ticks_are_few_and_within(low, high):
    ticks = Axis(low, high, 0, 100).ticks()
    assert 1 <= len(ticks) <= 12
    assert all(low - 1e-9 <= tick <= high * (1 + 1e-9) for tick in ticks)


def test_a_line_goes_through_its_points():
    chart = of_lines([Line("a < b", np.array([0, 1, 2]), np.array([1.0, np.nan, 4.0]), 0)], "x", "y", log=False)
    svg = ElementTree.fromstring(chart[chart.index("<svg"):])
    numbers = [float(one) for one in re.findall(r"[\d.]+", svg.find("./path[@class='line ink0']").get("d"))]
    # What is no number is left out; the lowest height is 0.
    assert numbers == pytest.approx([LEFT, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) / 4, WIDTH - RIGHT, TOP], abs=0.06)
