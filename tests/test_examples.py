"""The examples run, and show what they say."""

import re
import runpy
from itertools import pairwise
from pathlib import Path

import numpy as np
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
        # A model, its data and its training are two screens.
        most = 120 if file.name == "gpt.py" else 40
        assert len([line for line in file.read_text().splitlines() if line.strip()]) <= most, file.name


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


def test_a_loss_for_the_studio_starts_where_it_is_told():
    model = runpy.run_path(str(EXAMPLES / "studio_loss.py"))
    # All scores are 0, so that each class has a chance of a half.
    assert float(model["loss"](model["params"], model["data"])) == pytest.approx(np.log(2))


@pytest.fixture(scope="module")
def gpt():
    """The names of the GPT in one file."""
    return runpy.run_path(str(EXAMPLES / "gpt.py"))


def test_a_gpt_learns_what_follows_and_goes_on_where_it_was_stopped(gpt, tmp_path):
    # Four of five letters follow from the one before, and the fifth from the two before.
    settings = {"steps": 120, "every": 60, "layers": 1, "width": 32, "context": 16, "batch_size": 16}
    trained = lambda name: gpt["train"]("ab cd " * 500, tmp_path / name, **settings)
    first, last = trained("whole")
    assert (first[0].step, last[0].step) == (60, 120)
    assert last[2] < 0.1 < first[2]
    assert len(last[3]) == 200
    assert np.mean(["".join(pair) in "ab cd ab" for pair in pairwise(last[3])]) > 0.8  # by chance .24
    next(trained("stopped"))
    (again,) = trained("stopped")
    assert [again[0].step, *again[1:]] == [120, *last[1:]]


def test_a_gpt_does_not_look_ahead(gpt):
    weights = gpt["first_weights"](5, 2, 16, 8, np.random.default_rng(0))
    letters = np.array([[0, 1, 2, 3, 4, 0, 1, 2]])
    changed = np.where(np.arange(8) < 5, letters, 4)
    scores, others = (np.asarray(gpt["gpt"](weights, each)) for each in (letters, changed))
    assert np.array_equal(scores[:, :5], others[:, :5])
    assert not np.allclose(scores[:, 5:], others[:, 5:])


def test_python_carries_a_text(gpt):
    assert len(gpt["manual"]()) > 300_000
