"""The page in light and dark, on a desk and on a phone, for those who see it and for those who hear it."""

import pytest
from playwright.sync_api import expect

from studio_page import losses, serious

pytestmark = pytest.mark.browser

SCHEMES = ["light", "dark"]


@pytest.mark.parametrize("color_scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(opened, color_scheme, width):
    page = opened(width=width, color_scheme=color_scheme)
    assert serious(page) == []
    page.fill("#formula", "x +")
    expect(page.locator("#formula-error")).not_to_be_empty()
    assert serious(page) == []
    page.click("#link-open")
    assert serious(page) == []


@pytest.mark.parametrize("color_scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 390])
def test_everything_fits(opened, color_scheme, width):
    page = opened(width=width, height=844, color_scheme=color_scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for one in page.locator(".panel, button, input, select, canvas").all():
        box = one.bounding_box()
        assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5)
    # The picture stays in sight while the last slider is moved.
    page.locator("#noise input").scroll_into_view_if_needed()
    picture = page.locator("#picture").bounding_box()
    assert 0 <= picture["y"] < 200
    assert picture["height"] > 200
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 384) == (color_scheme == "light")


def test_all_is_reached_by_keyboard(opened):
    page = opened()
    focusable = page.locator("button:visible:enabled, input:visible, select:visible, canvas[tabindex]").count()
    reached = set()
    for _ in range(2 * focusable):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("""() => {
          const all = [...document.querySelectorAll('button, input, select, canvas[tabindex]')];
          return all.indexOf(document.activeElement);
        }"""))
    assert len(reached - {-1}) == focusable


def test_sliders_say_their_numbers_and_limits(opened):
    page = opened()
    sliders = page.get_by_role("slider", name="learning rate η")
    assert sliders.count() == 6
    first = sliders.first
    assert first.get_attribute("aria-valuetext") == "0.01"
    described = first.get_attribute("aria-describedby")
    assert page.locator(f"#{described}").inner_text().startswith("stable here below ")
    first.focus()
    page.keyboard.press("ArrowRight")
    # A thousandth of the way from 1e-4 to 4, evenly in the logarithm.
    assert float(first.get_attribute("aria-valuetext")) == pytest.approx(0.01 * 40_000**0.001, rel=0.01)


def test_a_race_runs_by_itself_but_not_for_those_who_want_less_motion(opened):
    assert opened().inner_text("#step") == "300 / 300"
    moving = opened(reduced_motion="no-preference")
    assert moving.locator("#play").get_attribute("aria-label") == "Pause"
    assert len(losses(moving)) == 6
