"""The playground, as a person plays: on toy sets, and on a table of one's own."""

import base64
import json

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from studio_page import TOKEN, number

pytestmark = pytest.mark.browser

OPEN = f"/playground#token={TOKEN}"
HOSTILE = "<img src=x onerror=alert(1)>"


def seen(page):
    """Waits until the last question is answered and drawn."""
    expect(page.locator("#score")).to_contain_text("Loss", timeout=60_000)
    expect(page.locator("#picture")).to_have_attribute("aria-busy", "false", timeout=60_000)


def opened_page(opened, address=OPEN, **settings):
    page = opened(address, waits_for=None, **settings)
    seen(page)
    return page


def loss(page):
    return number(page.inner_text("#score").split()[1])


def step(page):
    return int(page.inner_text("#step").split()[1].rstrip(","))


def picture(page):
    return page.evaluate("document.querySelector('#picture .surface').toDataURL()")


def plays_to(page, least):
    """Plays until so many steps are made, and pauses."""
    page.click("#play")
    made = "parseInt(document.querySelector('#step').textContent.slice(5))"
    page.wait_for_function(f"least => {made} >= least", arg=least, timeout=90_000)
    page.click("#play")
    seen(page)


def link_of(setting):
    return "playground=" + base64.urlsafe_b64encode(json.dumps(setting).encode()).decode().rstrip("=")


def test_the_spiral_is_learned_while_one_looks(opened):
    page = opened_page(opened)
    page.get_by_label("Data", exact=True).select_option("spiral")
    expect(page.locator("#legend")).to_contain_text("280 learned from")
    seen(page)
    first, before = loss(page), picture(page)
    assert first == pytest.approx(np.log(2), abs=0.25)
    plays_to(page, 150)
    assert loss(page) < first
    assert picture(page) != before
    # Paused: nothing moves.
    at = step(page)
    page.wait_for_timeout(300)
    assert step(page) == at
    page.click("#forward")
    expect(page.locator("#step")).to_contain_text(f"step {at + 1},")
    # Another rate goes on from there.
    rate = page.get_by_role("slider", name="learning rate η")
    rate.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    seen(page)
    assert step(page) == at + 1
    expect(page.locator("#rule-sliders .limit-text").first).to_contain_text("stable below", timeout=60_000)
    page.click("#reset")
    expect(page.locator("#step")).to_contain_text("step 0,")
    seen(page)
    assert loss(page) == first


def test_units_are_shown_big_and_told_and_layers_come_and_go(opened):
    page = opened_page(opened)
    outcome = picture(page)
    unit = page.get_by_role("button", name="Unit 2 of hidden layer 1", exact=True)
    unit.click()
    expect(page.locator("#score")).to_contain_text("Shown: unit 2 of hidden layer 1")
    seen(page)
    assert picture(page) != outcome
    expect(page.locator("#network-says")).to_contain_text("unit 2 of hidden layer 1: bias 0; weights: input x ")
    unit.click()
    expect(page.locator("#score")).not_to_contain_text("Shown")
    seen(page)
    assert picture(page) == outcome
    page.locator(".wires .reach").first.dispatch_event("pointerenter")
    expect(page.locator("#network-says")).to_contain_text("weight from input x to unit 1 of hidden layer 1: ")
    more = page.get_by_role("button", name="One unit more in hidden layer 2")
    more.click()
    expect(page.get_by_role("button", name="Unit 3 of hidden layer 2")).to_be_visible()
    expect(more).to_be_focused()
    for layers in (1, 0):
        page.click("#layer-less")
        expect(page.locator("#layer-count")).to_contain_text(f"{layers} hidden layer")
    expect(page.locator("#layer-less")).to_be_disabled()
    page.get_by_role("button", name="Input x²").click()
    expect(page.get_by_role("button", name="Input x²")).to_have_attribute("aria-pressed", "true")
    seen(page)
    # Two inputs and the square, each to both classes.
    assert page.locator(".wires .line").count() == 6


def test_a_training_that_diverges_says_why_and_how_to_go_on(opened):
    setting = {"data": {"toy": "humps", "count": 100}, "network": {"features": ["x", "y"], "layers": []},
               "optimizer": {"rule": "sgd", "settings": {"learning_rate": 4}}, "batch_size": 10000}  # fmt: skip
    page = opened_page(opened, f"{OPEN}&{link_of(setting)}")
    page.locator("#speed").select_option("fast")
    page.click("#play")
    expect(page.locator("#diverged-says")).to_contain_text("The rate 4 is above the limit", timeout=90_000)
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    page.click("#diverged-mend")
    expect(page.locator("#step")).to_contain_text("step 0,")
    plays_to(page, 20)
    expect(page.locator("#diverged")).to_be_hidden()


def test_a_link_holds_the_setting(opened):
    page = opened_page(opened)
    page.get_by_label("Data", exact=True).select_option("xor")
    page.get_by_label("Activation").select_option("relu")
    page.locator("#rule").select_option("lion")
    seen(page)
    page.click("#link-open")
    link = page.input_value("#link-text")
    assert TOKEN not in link
    there = opened_page(opened, OPEN + "&" + link.split("#")[1])
    assert there.get_by_label("Data", exact=True).input_value() == "xor"
    assert there.get_by_label("Activation").input_value() == "relu"
    assert there.input_value("#rule") == "lion"
    assert loss(there) == loss(page)
    assert picture(there) == picture(page)
    strange = link_of({"data": {"toy": "xor"}, "network": {"layers": [1e9]}, "l1": "x"}).split("=")[1]
    for text in ("e30", "AAAA", strange):
        assert loss(opened_page(opened, f"{OPEN}&playground={text}")) > 0


@pytest.fixture
def own(serving, tmp_path):
    """The origin of a studio with a table whose names mean harm."""
    rng = np.random.default_rng(0)
    kind = np.resize(["one", "two", HOSTILE], 90)
    frame = pd.DataFrame({HOSTILE: rng.normal(size=90) + np.resize([0, 2, 4], 90), "width": rng.normal(size=90),
                          "height": rng.normal(size=90) * 1000, "kind": kind})  # fmt: skip
    frame.loc[3, "width"] = np.nan
    frame.to_csv(tmp_path / "mine.csv", index=False)
    with serving(table=str(tmp_path / "mine.csv")) as origin:
        yield origin


def test_an_own_table_is_learned_by_columns_that_one_chooses(own, opened):
    page = opened_page(opened, own + OPEN)
    assert page.get_by_label("Across").input_value() == HOSTILE
    expect(page.locator("#data-says")).to_contain_text("89 rows of 90; 1 with gaps are left out")
    expect(page.locator("#legend")).to_contain_text(HOSTILE)
    page.get_by_label("Up", exact=True).select_option("height")
    expect(page.locator("#data-says")).to_contain_text("90 rows. ")
    seen(page)
    plays_to(page, 60)
    assert "right" in page.inner_text("#score")
    page.hover("#picture .balls", position={"x": 100, "y": 100})
    expect(page.locator("#here")).to_contain_text(", height ")
    # A column that is both cannot be learned; what was there stays.
    page.get_by_label("Target", exact=True).select_option("height")
    expect(page.locator("#data-error")).to_contain_text("choose three different columns")
    page.get_by_label("Up", exact=True).select_option("width")
    expect(page.locator("#data-error")).to_be_empty()
    seen(page)
    assert "R²" in page.inner_text("#score")
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_and_everything_fits(opened, color_scheme, width):
    page = opened_page(opened, width=width, height=844, color_scheme=color_scheme)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found
            if one["impact"] in ("serious", "critical")] == []  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_all_is_reached_by_keyboard(opened):
    page = opened_page(opened)
    focusable = page.locator("button:visible:enabled, input:visible, select:visible").count()
    reached = set()
    for _ in range(2 * focusable):
        page.keyboard.press("Tab")
        every = "[...document.querySelectorAll('button, input, select')]"
        reached.add(page.evaluate(f"{every}.indexOf(document.activeElement)"))
    assert len(reached - {-1}) == focusable
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#step")).to_contain_text("step 1,", timeout=60_000)
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause")
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
