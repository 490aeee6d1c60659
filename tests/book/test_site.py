"""The book as people read it: out of files, in the system's Chromium, with nobody else asked for anything.

It is there after `make docs`; without it, these are skipped.
"""

import shutil

import pytest

from tools.book import site

pytestmark = pytest.mark.browser
if not (site.SITE / "index.html").is_file():
    pytest.skip("the book is not made: make docs", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="opens pages: pip install 'descend[browser]'")
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or pytest.skip("there is no chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Opens a page of the book; at the end none may have said an error, nor asked for anything from outside."""
    contexts, wrong = [], []

    def open_page(name, width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url))
        page.goto((site.SITE / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def test_a_reader_searches_without_a_server_and_comes_to_a_page(opened):
    page = opened("start.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("heavy ball", delay=50)
    sync_api.expect(page.get_by_text("results")).to_be_visible(timeout=20_000)
    page.keyboard.press("Enter")
    page.wait_for_function("() => !location.pathname.endsWith('/start.html')")
    # The address changes before all of the page is there, and the reference is long.
    sync_api.expect(page.locator("article")).to_contain_text("heavy", timeout=20_000)


def test_a_race_is_played_and_scrubbed(opened):
    page = opened("optimizers/adam.html")
    ball = page.locator("figure.race .ball.back0")
    slider, told = page.get_by_role("slider", name="Step"), page.locator(".transport output")
    assert told.inner_text() == "step 200"
    end = ball.get_attribute("cx")
    slider.fill("0")
    assert told.inner_text() == "step 0"
    # The banana is shown from x = -2 to 2, on 640 pixels, and all start at -1.2.
    assert float(ball.get_attribute("cx")) == pytest.approx(128)
    page.get_by_role("button", name="Play").click()
    sync_api.expect(told).to_have_text("step 200", timeout=30_000)
    assert ball.get_attribute("cx") == end


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_page_is_wider_than_the_screen_and_all_pictures_are_there(opened, width, scheme):
    for name in ("index", "start", "choose", "optimizers/index", "optimizers/shampoo", "optimizers/cosine", "failing",
                 "examples", "benchmarks/engine", "benchmarks/linear", "reference/descend", "reference/commands"):
        page = opened(f"{name}.html", width, scheme)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("() => [...document.images].every(one => one.naturalWidth > 0)"), name


@pytest.mark.parametrize("name", ["index.html", "optimizers/adam.html", "benchmarks/engine.html", "failing.html"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_everybody_can_read_it(opened, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # It would ask for style sheets, which a page that is a file may not.
    found = axe.run(opened(name, scheme=scheme), options={"preload": False}).response["violations"]
    serious = {one["id"]: [node["html"][:200] for node in one["nodes"]][:3] for one in found
               if one["impact"] in ("serious", "critical")}  # fmt: skip
    assert serious == {}
