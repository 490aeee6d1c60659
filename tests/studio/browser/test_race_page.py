"""The page of races, as a person uses it, in Chromium. Its numbers are those of theory on quadratic bowls."""

import base64
import json
import re

import pytest
from playwright.sync_api import expect

from studio_page import TOKEN, is_answered, losses, race_of, race_on, scrub, set_slider

pytestmark = pytest.mark.browser

BOWL = "x^2 + 3*y^2"
STEEPEST = 6.0


def test_a_formula_is_typed_and_balls_roll_down_it(opened):
    page = opened()
    page.fill("#formula", BOWL)
    expect(page.locator("#gallery")).to_have_value("")
    is_answered(page)
    assert page.locator("#written math msup").count() == 2
    assert page.locator("#formula-error").inner_text() == ""
    page.fill("#start-x", "2")
    page.fill("#start-y", "-1")
    page.press("#start-y", "Enter")
    scrub(page, 0)
    assert losses(page) == pytest.approx([7.0] * 6)
    rate = float(page.locator(".card").first.locator("output").first.inner_text())
    scrub(page, 40)
    expected = 4 * (1 - 2 * rate) ** 80 + 3 * (1 - 6 * rate) ** 80
    assert losses(page)[0] == pytest.approx(expected, rel=5e-3)
    # The rule of a plain descent is stable below 2 / λmax, and λmax of this bowl is 6 everywhere.
    assert page.locator(".card").first.locator(".limit-text").inner_text() == "stable here below 0.333"


def test_a_rate_beyond_the_limit_leaves_the_picture_and_the_page_says_why(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL, start=(0.5, 0.5), rules=('sgd', 'adam'))}")
    slider = page.locator(".card input[type=range]").first
    mark = page.locator(".card .mark").first
    set_slider(slider, 0.5)
    expect(page.locator("#commentary")).to_contain_text("left")
    rate = float(page.locator(".card").first.locator("output").first.inner_text())
    # Along y each step multiplies by 1 - 6 × rate: the first beyond the window's edge at 3.
    step = next(step for step in range(99) if 0.5 * abs(1 - STEEPEST * rate) ** step > 3)
    said = page.locator("#commentary").inner_text()
    left = f"A Gradient descent left the picture at step {step}: rate × curvature 3, limit 2."
    assert said == f"B Adam runs alone. {left}"
    assert mark.is_visible()
    thumb = slider.evaluate("one => one.value / one.max")
    limit = slider.evaluate("one => getComputedStyle(one.parentNode).getPropertyValue('--limit')")
    assert float(re.search(r"px \+ ([\d.]+)", limit)[1]) < thumb
    assert slider.get_attribute("aria-describedby") == page.locator(".card .limit-text").first.get_attribute("id")


@pytest.mark.parametrize(
    ("formula", "says"),
    [("x**2 + foo(y)", "column 8"), ("__import__('os')", "column"), ("", "formula of x and y")],
)
def test_a_wrong_formula_is_told_in_place_and_the_race_goes_on(opened, formula, says):
    page = opened()
    before = losses(page)
    page.fill("#formula", formula)
    expect(page.locator("#formula-error")).to_contain_text(says)
    assert page.locator("#formula").get_attribute("aria-invalid") == "true"
    assert losses(page) == before
    scrub(page, 0)
    page.locator("#picture .balls").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#start-y")).to_have_value("-0.3")
    assert page.locator("#formula").input_value() == formula


def test_the_start_follows_the_pointer(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL, start=(2, 2))}")
    scrub(page, 0)
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + box["height"] / 4, steps=60)
    # Balls move before the pointer is let go.
    expect(page.locator("#start-x")).to_have_value(re.compile(r"1\.(49|5)"))
    x, y = (float(page.input_value(f"#start-{axis}")) for axis in "xy")
    assert (x, y) == pytest.approx((1.5, 1.5), abs=0.02)
    assert losses(page) == pytest.approx([x**2 + 3 * y**2] * 3, rel=5e-3)
    page.mouse.up()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    assert float(page.input_value("#start-x")) == x


def test_keys_move_the_start_play_and_step(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL, start=(1, 1))}")
    page.locator("#picture .balls").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    # Two hundredths of the window, and a tenth of that with shift.
    expect(page.locator("#start-y")).to_have_value("0.988")
    assert page.input_value("#start-x") == "1.12"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#step") == "298 / 300"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#step") == "299 / 300"
    page.keyboard.press("Space")
    expect(page.locator("#step")).to_have_text("300 / 300")
    assert page.locator("#play").get_attribute("aria-label") == "Play"


def test_two_keys_within_a_frame_move_the_start_twice(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL, start=(1, 1))}")
    page.locator("#picture .balls").evaluate("""(picture) => {
        for (const key of ["ArrowRight", "ArrowUp"]) picture.dispatchEvent(new KeyboardEvent("keydown", { key }));
    }""")
    expect(page.locator("#start-y")).to_have_value("1.12")
    expect(page.locator("#start-x")).to_have_value("1.12")


def test_time_is_played_paused_stepped_and_looped(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL, steps=20)}")
    page.click("#play")
    expect(page.locator("#step")).to_have_text(re.compile("^[5-9] "))
    page.click("#play")
    step = int(page.inner_text("#step").split()[0])
    page.click("#back")
    assert page.inner_text("#step") == f"{step - 1} / 20"
    page.click("#forward")
    page.click("#forward")
    assert page.inner_text("#step") == f"{step + 1} / 20"
    page.click("#loop")
    scrub(page, 19)
    page.click("#play")
    expect(page.locator("#step")).to_have_text(re.compile("^[1-6] "))
    assert page.locator("#play").get_attribute("aria-label") == "Pause"


def test_a_press_on_the_losses_scrubs(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL)}")
    page.locator("#loss").click(position={"x": 48, "y": 60})
    assert page.inner_text("#step") == "0 / 300"


def test_balls_come_go_and_change_their_rule(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL, rules=('sgd', 'adam', 'lion'))}")
    page.click("[aria-label='Remove ball B']")
    assert page.locator(".card").count() == 2
    page.click("#add")
    page.locator("[aria-label='Optimizer of ball C']").select_option("adagrad")
    assert len(losses(page)) == 3
    # A letter that is free again is given again; the others keep theirs.
    assert [card.get_attribute("aria-label") for card in page.locator(".card").all()] == ["Ball A", "Ball C", "Ball B"]
    for _ in range(5):
        page.click("#add")
    assert page.locator("#add").is_disabled()
    assert page.locator(".card").count() == 8


def test_noise_moves_the_balls_and_its_seed_repeats_them(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL)}")
    still = losses(page)
    page.locator("#noise input").evaluate("one => { one.value = 500; one.dispatchEvent(new Event('input')); }")
    noisy = losses(page)
    assert all(one > before for one, before in zip(noisy, still, strict=True))
    for seed, same in ((1, False), (0, True)):
        page.fill("#seed", str(seed))
        page.press("#seed", "Enter")
        assert (losses(page) == noisy) == same


def test_the_surface_in_3d_is_loaded_when_it_is_asked_for(opened):
    page = opened()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.click("#surface3d-toggle")
    page.wait_for_selector("#surface3d canvas")
    assert page.locator("#picture").is_hidden()
    assert any(url.endswith("/plotly.js") for url in asked)
    traces = page.evaluate("document.getElementById('surface3d').data.map(one => one.type)")
    assert traces == ["surface"] + ["scatter3d"] * 6
    page.click("#surface3d-toggle")
    assert page.locator("#picture").is_visible()


def test_a_link_holds_the_race_and_not_the_token(opened):
    page = opened(f"/#token={TOKEN}&{race_on(BOWL, start=(1, -2), rules=('lion', 'adam'), steps=50)}")
    assert "token" not in page.url
    page.click("#link-open")
    link = page.input_value("#link-text")
    assert TOKEN not in link
    assert TOKEN not in base64.urlsafe_b64decode(link.split("=")[1] + "==").decode()
    assert race_of(link)["start"] == [1, -2]
    other = opened(link, waits_for=None)
    other.fill("#door-address", "not a token")
    other.click("#door-form button")
    expect(other.locator("#door-says")).to_contain_text("token is wrong")
    other.fill("#door-address", f"{link.split('#')[0]}#token={TOKEN}")
    other.click("#door-form button")
    is_answered(other)
    assert other.input_value("#formula") == BOWL
    assert losses(other) == losses(page)
    assert other.inner_text("#step") == "50 / 50"


def test_a_race_is_taken_along_to_the_studio_whose_address_is_given(opened, studio):
    page = opened(f"/#{race_on(BOWL, steps=40)}", waits_for=None)
    other = studio.replace("127.0.0.1", "localhost")
    page.fill("#door-address", f"{other}/#token={TOKEN}")
    page.click("#door-form button")
    is_answered(page)
    assert page.url.startswith(f"{other}/#race=")
    expect(page.locator("#step")).to_have_text("40 / 40")


def test_a_link_that_was_given_opens_here(opened):
    page = opened()
    page.click("#link-open")
    page.fill("#link-given", "http://127.0.0.1/#nothing")
    page.click("#link-follow")
    expect(page.locator("#link-error")).to_contain_text("no link to a race")
    page.fill("#link-given", f"http://127.0.0.1:1/#{race_on(BOWL, start=(2, 1), rules=('adam',), steps=77)}")
    page.click("#link-follow")
    expect(page.locator("#formula")).to_have_value(BOWL)
    expect(page.locator("#step")).to_have_text("77 / 77")
    assert page.locator(".card").count() == 1


@pytest.mark.parametrize("told", ["!", "bnVsbA", {}, {"balls": [{"rule": "x"}], "function": 3, "window": [1, 0, 0, 1]},
                                  {"steps": 1e9, "noise": -1, "seed": "x", "start": ["a", None]},
                                  {"balls": [{"rule": "sgd", "settings": {"learning_rate": 1e99}}] * 50}])
def test_a_link_that_makes_no_sense_does_no_harm(opened, told):
    text = told if isinstance(told, str) else base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
    page = opened(f"/#token={TOKEN}&race={text}")
    assert 1 <= page.locator(".card").count() <= 8
    assert page.locator("#formula-error").inner_text() == ""
    assert page.inner_text("#step").endswith(("/ 300", "/ 1000"))
