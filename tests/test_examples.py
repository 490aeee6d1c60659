"""The examples run, and show what they say."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def shown(capsys):
    """What an example prints."""
    def run(name):
        runpy.run_path(str(EXAMPLES / f"{name}.py"))
        return capsys.readouterr().out

    return run


def test_they_are_short():
    for file in EXAMPLES.glob("*.py"):
        assert len([line for line in file.read_text().splitlines() if line.strip()]) <= 40, file.name


def test_a_rate_between_wins_the_race(shown):
    losses = [float(line.split()[-1]) for line in shown("race_eight_rates").splitlines()]
    assert len(losses) == 8
    assert min(losses) < 0.1
    assert min(losses[0], losses[-1]) > 1


def test_a_step_at_a_third_of_the_rate_would_have_been_better(shown):
    first, *led = shown("replay_a_step").splitlines()
    before, after = map(float, re.findall(r"from ([\d.]+) to ([\d.]+)", first)[0])
    as_it_was, third, *_ = (float(line.split()[-1]) for line in led)
    assert as_it_was == after > before > third


def test_the_largest_curvature_is_found(shown):
    rows = shown("sharpness").splitlines()
    assert len(rows) == 5
    products = [float(re.findall(r"sharpness ([\d.]+)", row)[0]) for row in rows]
    assert all(0 < product < 3.8 for product in products)
    assert products[-1] > products[0]  # progressive sharpening (Cohen et al., arXiv 2103.00065)
