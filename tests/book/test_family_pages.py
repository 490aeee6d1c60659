"""Each optimizer has a page, which says of it what the family says; its race is the engine's."""

import dataclasses

import numpy as np
import pytest

from descend.optimizers import SGD, Modifier, family
from descend.schedules import Constant
from tools.book import family_pages
from tools.book.contests import BOWL, NOISY, Contest, Entrant, contest_of
from tools.book.racing import RATES, raced

MEMBERS = {member.name: member for member in family()}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_page_says_what_the_family_says(name):
    member = MEMBERS[name]
    page = family_pages.page(member, "THE RACE")
    assert page.startswith(f"# {name}\n")
    assert "THE RACE" in page
    told = page[page.index("## Paper"):].replace("[", "").replace("](https://arxiv.org/abs/", "(")
    for work in filter(None, member.paper.split("; ")):
        assert work.split(", arXiv")[0].rstrip(".") in told
    settings = page[page.index("## Settings"):page.index("## How far")]
    assert settings.count("\n| `") == sum(field.init for field in dataclasses.fields(member.cls))
    limit = page[page.index("## How far"):page.index("## Paper")]
    if isinstance(member.stability_limit, float):
        assert f"**{member.stability_limit:.3g}**" in limit
    else:
        assert "**" not in limit


def test_there_are_as_many_files_as_optimizers():
    assert len({family_pages.file_of(member) for member in family()}) == len(MEMBERS)


@pytest.mark.parametrize("name", MEMBERS)
def test_who_races_is_whom_the_page_is_about(name):
    member, ours = MEMBERS[name], contest_of(MEMBERS[name]).ours.optimizer
    assert isinstance(ours.learning_rate if member.kind == "schedule" else ours, member.cls)
    if member.kind == "modifier" and isinstance(ours, Modifier):
        assert ours.rule == contest_of(member).rival.optimizer


def descended(rate, steps):
    """The bowl of condition 10, by hand."""
    points = [np.array(BOWL.start)]
    for _ in range(steps):
        points.append(points[-1] - rate * points[-1] * [1, 10])
    return np.array(points)


def test_a_race_is_a_descent_and_has_the_best_of_the_rates():
    ours, rival = raced(Contest(BOWL, Entrant("a", SGD(0.1), tunes=True), Entrant("b", SGD(0.05)), 12, ""))
    np.testing.assert_allclose(rival.points, descended(0.05, 12), rtol=1e-12)
    ends = [0.5 * (descended(rate, 12)[-1] ** 2 @ [1, 10]) for rate in RATES]
    assert ours.rate == RATES[int(np.argmin(ends))]
    np.testing.assert_allclose(ours.losses[-1], min(ends), rtol=1e-9)


def test_losses_of_a_noisy_race_are_those_without_noise():
    entrants = [Entrant("a", SGD(0.1)), Entrant("b", SGD(Constant(0.1)))]
    ours, rival = raced(Contest(NOISY, *entrants, 5, "", noise=1.0))
    np.testing.assert_allclose(ours.losses, 0.5 * (ours.points**2 @ [1, 3]), rtol=1e-12)
    # The same noise meets both.
    np.testing.assert_allclose(ours.points, rival.points, rtol=1e-12)
