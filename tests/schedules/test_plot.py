"""Figures of schedules show what the schedules give."""

import subprocess
import sys

import numpy as np
import pytest
from formulas import schedules

from descend.errors import InputError
from descend.schedules import Constant, Cosine, Factor, Joined, MultiStep, OneCycle, Polynomial, Schedule, Warmup


class Halving(Schedule):
    """A schedule as a user may write one: no dataclass, no pytree."""

    def __call__(self, step):
        return 0.8 * 0.5**step

    def __repr__(self):
        return "<halving>"


@schedules
def test_plots_itself(schedule):
    figure = schedule.plot(60)
    (line,) = figure.data
    np.testing.assert_array_equal(line.x, range(61))
    np.testing.assert_allclose(line.y, [float(schedule(t)) for t in range(61)], rtol=1e-15)
    assert figure.layout.title.text == repr(schedule.over(60))
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("step", "learning_rate")


@pytest.mark.parametrize(
    ("schedule", "steps", "drawn"),
    [
        (Cosine(1.0, steps=40), None, Cosine(1.0, steps=40)), (Cosine(1.0), 40, Cosine(1.0, steps=40)),
        (Joined((1.0, OneCycle(1.0, steps=30)), (10,)), None, Joined((1.0, OneCycle(1.0, steps=30)), (10,))),
        (Warmup(Polynomial(1.0), 5), 40, Warmup(Polynomial(1.0, steps=40), 5)),
    ],
    ids=repr,
)
def test_a_figure_shows_the_whole_schedule(schedule, steps, drawn):
    figure = schedule.plot(steps)
    assert list(figure.data[0].x) == list(range(41))
    np.testing.assert_allclose(figure.data[0].y, [float(drawn(t)) for t in range(41)])
    assert figure.layout.title.text == repr(drawn)


def test_a_figure_without_a_length():
    assert Constant(0.1).plot().data[0].x[-1] == 1000
    with pytest.raises(InputError, match="does not know its length"):
        MultiStep(0.1, (0.5,)).plot()


def test_a_long_figure_has_points_enough():
    line = Cosine(1.0, steps=1_000_000).plot().data[0]
    assert len(line.x) == 5000
    assert (line.x[0], line.x[-1]) == (0, 1_000_000)


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [
        (Factor(1.0, 0.1, floor=0.9e-3), "log"), (Factor(1.0, 0.1, floor=1.1e-3), None), (Constant(0.0), None),
        (Cosine(1.0), None), (Cosine(1.0, final=1e-4), "log"), (OneCycle(1.0), "log"), (Halving(), "log"),
    ],
    ids=repr,
)
def test_a_figure_of_many_decades_is_logarithmic(schedule, kind):
    assert schedule.plot(20).layout.yaxis.type == kind


def test_a_users_schedule_plots_itself():
    figure = Halving().plot(3)
    assert list(figure.data[0].y) == [0.8, 0.4, 0.2, 0.1]
    assert figure.layout.title.text == "&lt;halving&gt;"


def test_figures_cost_nothing_until_they_are_drawn():
    code = "import sys, descend.schedules; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
