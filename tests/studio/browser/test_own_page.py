"""The page of a file's loss, as a person uses it: of two parameters, and of more, which are seen on a plane."""

import re

import pytest
from playwright.sync_api import expect

from descend.studio.opened import Opened
from studio_page import TOKEN, is_answered, losses, number, scrub

pytestmark = pytest.mark.browser

TWO = '''"""A bowl of condition 3."""
params = {"a": 2.0, "b": -1.0}
minima = [(0.0, 0.0)]
def loss(p):
    return p["a"] ** 2 + 3 * p["b"] ** 2
'''
MORE = """
import jax.numpy as jnp
import numpy as np
data, batch_size = np.random.default_rng(0).normal(size=(60, 5)), 20
params = np.ones(5)
def loss(p, batch):
    return jnp.mean((batch @ p) ** 2) / 2
"""
ADDRESS = f"/own#token={TOKEN}"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("own") / "model.py"


@pytest.fixture(scope="module", params=[TWO], ids=["two"])
def studio(request, file):
    from conftest import served

    file.write_text(request.param)
    with served(Opened("own", own=file)) as origin:
        yield origin


more = pytest.mark.parametrize("studio", [MORE], indirect=True, ids=["more"])


def test_its_balls_roll_and_slide_and_its_start_is_dragged(opened):
    page = opened(ADDRESS)
    assert page.inner_text("#file-name") == "model.py"
    assert page.inner_text("#file-says") == "A bowl of condition 3."
    assert page.inner_text("#file-numbers") == "2 parameters"
    assert page.inner_text("#start-x-label") == "Start, a"
    scrub(page, 0)
    assert losses(page) == pytest.approx([7.0] * 3)
    scrub(page, 1)
    rate = float(page.locator(".card output").first.inner_text())
    after = (2 * (1 - 2 * rate)) ** 2 + 3 * (1 - 6 * rate) ** 2
    assert losses(page)[0] == pytest.approx(after, rel=5e-3)
    assert page.locator(".card .limit-text").first.inner_text() == "stable here below 0.333"
    page.locator(".card input[type=range]").first.evaluate(
        "one => { one.value = 1000; one.dispatchEvent(new Event('input')); }")
    scrub(page, 300)
    expect(page.locator("#commentary")).to_contain_text("A Gradient descent left the picture")
    scrub(page, 0)
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4, steps=10)
    page.mouse.up()
    is_answered(page)
    a, b = (float(page.input_value(f"#start-{axis}")) for axis in "xy")
    assert (a, b) != (2, -1)
    assert losses(page) == pytest.approx([a**2 + 3 * b**2] * 3, rel=1e-2)


@more
def test_more_parameters_are_seen_on_a_plane_that_says_what_it_holds(opened):
    page = opened(ADDRESS)
    assert page.inner_text("#file-numbers") == "5 parameters, 60 rows of data, in batches of 20"
    assert page.inner_text("#loss-title") == "Loss of each step’s batch"
    said = page.inner_text("#plane-says")
    assert 50 < float(re.search(r"holds ([\d.]+) %", said)[1]) <= 100
    assert "balls run through all 5 parameters" in said
    expect(page.locator(".card .limit-text").first).to_contain_text("stable here below")
    window, start = page.locator("#picture"), [page.input_value(f"#start-{axis}") for axis in "xy"]
    assert all(start)
    page.locator("#picture .balls").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#start-y")).not_to_have_value(start[1])
    is_answered(page)
    expect(page.locator("#plane-says")).not_to_have_text(said)
    page.click("#lay")
    is_answered(page)
    assert window.is_visible()


@more
def test_it_is_saved_and_opens_offline(opened, tmp_path):
    page = opened(ADDRESS)
    scrub(page, 100)
    with page.expect_download() as download:
        page.click("#save")
    saved = tmp_path / "race.html"
    download.value.save_as(saved)
    other = opened(f"file://{saved}", waits_for=None, offline=True)
    expect(other.locator("#title")).to_have_text("model.py")
    expect(other.locator("#step")).to_have_text("100 / 300")
    expect(other.locator("#conditions")).to_contain_text("on a plane that holds")
    assert [number(text) for text in other.locator(".card strong").all_inner_texts()] == losses(page)
    assert TOKEN not in saved.read_text()


def test_a_file_that_changes_is_told_of_and_read_again(opened, file):
    page = opened(ADDRESS)
    file.write_text(TWO.replace("3 *", "(3 *"))
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("#file-changed")).to_contain_text("changed")
    before = losses(page)
    page.click("#reload")
    expect(page.locator("#file-error")).to_contain_text(re.compile(r"model\.py:5: SyntaxError"))
    assert losses(page) == before
    file.write_text(TWO.replace("3 *", "5 *"))
    page.locator("[aria-label='Remove ball B']").click()
    is_answered(page)
    with page.expect_navigation():
        page.click("#reload")
    is_answered(page)
    assert page.inner_text("#file-error") == page.inner_text("#file-changed") == ""
    scrub(page, 0)
    # The balls are those that there were.
    assert losses(page) == pytest.approx([9.0] * 2)
    file.write_text(TWO)
    with page.expect_navigation():
        page.click("#reload")
    is_answered(page)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@more
def test_everybody_can_use_it(opened, color_scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(ADDRESS, width=width, height=844, color_scheme=color_scheme)
    found = axe.run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#seed").scroll_into_view_if_needed()
    assert 0 <= page.locator("#picture").bounding_box()["y"] < 200
    focusable = page.locator("button:visible:enabled, input:visible, select:visible, canvas[tabindex]").count()
    reached = set()
    for _ in range(2 * focusable):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('button, input, select, canvas[tabindex]')]"
                                  ".indexOf(document.activeElement)"))
    assert len(reached - {-1}) == focusable
