"""The lessons, as a person reads them and tries their figures, in Chromium. Numbers are of theory and the book."""

import re

import pytest
from playwright.sync_api import expect

from descend.studio.lessons.catalogue import LESSONS
from studio_page import TOKEN, number, scrub, serious, set_slider

pytestmark = pytest.mark.browser

NAMES = [lesson.name for lesson in LESSONS]


@pytest.fixture
def lesson(opened):
    """Opens a lesson, and waits until its figure stands."""

    def open_lesson(name="", **settings):
        page = opened(f"/lessons#token={TOKEN}&{name}", waits_for=None, **settings)
        stands(page)
        return page

    return open_lesson


def stands(page):
    expect(page.locator("#lesson")).to_have_attribute("aria-busy", "false", timeout=20_000)
    expect(page.locator("#frame")).to_have_attribute("aria-busy", "false", timeout=60_000)
    expect(page.locator("#seen")).not_to_be_empty()


def slide(page, label, value, low, high, log=True):
    slider = page.get_by_role("slider", name=label)
    if log:
        set_slider(slider, value, low, high)
    else:
        slider.evaluate("(one, part) => { one.value = part * one.max; one.dispatchEvent(new Event('input')); }",
                        (value - low) / (high - low))
    stands(page)


def test_momentum_is_chosen_and_diverges_past_its_limit_and_says_why(lesson):
    page = lesson()
    page.get_by_role("link", name="Momentum").click()
    expect(page.locator("h1")).to_have_text("Momentum")
    expect(page).to_have_url(re.compile("/lessons#momentum$"))
    assert page.evaluate("document.activeElement.textContent") == "Momentum"
    stands(page)
    seen = page.locator("#seen")
    # At η = .6 and β = .5, as the book prints it; a plain descent leaves at that rate.
    expect(seen).to_contain_text("Step 20. A Heavy ball: x 0.00719, y 0.00255")
    expect(seen).to_contain_text("B Gradient descent left the picture at step 2: rate × curvature 2.4, limit 2.")
    limit = page.locator("#sliders .limit-text").first
    expect(limit).to_have_text("A: stable here below 0.75")
    slide(page, "learning rate η", 0.9, 0.01, 2.0)
    rate = float(page.locator("#sliders output").first.inner_text())
    left = rf"A Heavy ball left the picture at step \d+: rate × curvature {re.escape(f'{4 * rate:.2g}')}, limit 3\."
    expect(seen).to_contain_text(re.compile(left))
    expect(limit).to_have_class(re.compile("passed"))
    # More momentum makes the same rate stable: its limit is 2 + 2β = 3.8 over a curvature of 4.
    slide(page, "momentum β", 0.9, 0.0, 0.99, log=False)
    expect(limit).to_have_text(re.compile(r"A: stable here below 0\.9[45]"))
    expect(limit).not_to_have_class(re.compile("passed"))
    page.click("#reset")
    expect(seen).to_contain_text("A Heavy ball: x 0.00719")
    page.click("#next")
    expect(page.locator("h1")).to_have_text("AdaGrad")
    page.click("#previous")
    expect(page.locator("h1")).to_have_text("Momentum")
    page.go_back()
    expect(page.locator("h1")).to_have_text("AdaGrad")


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_opens_with_all_of_its_figures_drawn(lesson, name):
    page = lesson(name)
    title = page.inner_text("h1")
    assert page.title() == f"{title} – Lessons – descend studio"
    assert page.locator("#contents [aria-current]").inner_text() == title
    assert page.locator("#behind details").count() >= 2
    for canvas in page.locator("#frame canvas:visible").all():
        assert canvas.evaluate("""(canvas) => {
          const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          return new Set(new Uint32Array(pixels.buffer)).size;
        }""") > 20
    question = page.locator("#behind details").first
    question.locator("summary").focus()
    page.keyboard.press("Space")
    expect(question.locator("p").first).to_be_visible()


def test_a_curve_is_descended_step_by_step_from_where_it_is_dragged(lesson):
    page = lesson("one-dimension")
    seen = page.locator("#seen")
    expect(seen).to_have_text("Step 10. A Gradient descent: x 0.0605, f 0.00366, curvature 2.")
    scrub(page, 1)
    expect(seen).to_contain_text("Step 1. A Gradient descent: x 6, f 36,")
    box = page.locator("#line").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50, steps=10)
    page.mouse.up()
    # A quarter of the way from -11 to 11, and one step at .2.
    expect(seen).to_contain_text("x −3.3, f 10.9")
    page.locator("#line").focus()
    page.keyboard.press("ArrowRight")
    expect(seen).to_contain_text("x −3.04")
    slide(page, "learning rate η", 1.1, 0.01, 1.5)
    scrub(page, 10)
    expect(seen).to_contain_text("left the picture at step")
    expect(page.locator("#sliders .limit-text")).to_contain_text("stable")
    page.select_option("#choice", "wave")
    expect(seen).to_contain_text("x −1.53", timeout=20_000)


def test_newton_climbs_to_a_maximum(lesson):
    page = lesson("newton")
    page.select_option("#choice", "wave")
    expect(page.locator("#seen")).to_contain_text("x 26.8, f 26.8, curvature −6.01", timeout=20_000)


def test_a_chord_tells_whether_it_lies_above(lesson):
    page = lesson("convexity")
    expect(page.locator("#seen")).to_contain_text("above")
    assert page.locator("#transport").is_hidden()
    page.select_option("#choice", "cosine")
    slide(page, "one end, a", -1.0, -2.0, 2.0, log=False)
    slide(page, "other end, b", 1.0, -2.0, 2.0, log=False)
    expect(page.locator("#seen")).to_contain_text("below, so the function is not convex")


def test_all_data_at_once_diverges_past_its_limit(lesson):
    page = lesson("mini-batches")
    limit = page.locator("#sliders .limit-text").first
    expect(limit).to_have_text("A: stable here below 0.497")
    slide(page, "η of all at once", 0.8, 1e-3, 1.0)
    why = r"A All 442 at once: loss [^:]+: rate × curvature 3\.\d+, limit 2\."
    expect(page.locator("#seen")).to_contain_text(re.compile(why))
    page.select_option("#choice", "seconds")
    expect(page.locator("#seen")).to_contain_text("ms")


def test_other_noise_is_another_way(lesson):
    page = lesson("stochastic")
    expect(page.locator("#seen")).to_contain_text("C Exponential")
    before = page.locator("#seen").inner_text()
    page.click("#noise")
    stands(page)
    expect(page.locator("#seen")).not_to_have_text(before)
    page.click("#reset")
    expect(page.locator("#seen")).to_have_text(before)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width"), [("momentum", 1280), ("one-dimension", 390), ("schedules", 390),
                                             ("mini-batches", 1280), ("gradient", 390)])
def test_axe_finds_nothing_serious_and_everything_fits(lesson, name, width, color_scheme):
    page = lesson(name, width=width, height=844, color_scheme=color_scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#behind summary").first.click()
    assert serious(page) == []


def test_on_a_phone_the_list_folds(lesson):
    page = lesson(width=390, height=844)
    assert page.get_by_role("link", name="Adam and Yogi").is_hidden()
    page.click("#fold summary")
    page.get_by_role("link", name="Adam and Yogi").click()
    expect(page.locator("h1")).to_have_text("Adam and Yogi")
    assert page.locator("#contents").is_hidden()


def test_a_figure_plays_by_itself_but_not_for_those_who_want_less_motion(lesson):
    assert lesson("two-dimensions").inner_text("#step") == "20 / 20"
    page = lesson("two-dimensions", reduced_motion="no-preference")
    assert page.locator("#play").get_attribute("aria-label") == "Pause"


def test_a_name_that_there_is_not_opens_the_first(lesson):
    page = lesson("__proto__")
    assert page.inner_text("h1") == "What gradient descent is"


def test_a_slider_is_answered_at_once(lesson):
    """Nothing is compiled: in a test, on a core that others use, within half a second."""
    page = lesson("momentum")
    slide(page, "learning rate η", 0.5, 0.01, 2.0)
    spent = page.locator("#status").inner_text()
    assert number(re.match(r"\d+", spent)[0]) < 500
