"""The page of runs, as a person uses it, in Chromium."""

import re
import shutil
import time

import pytest
from playwright.sync_api import expect

from run_folders import asked, checkpointed, finished
from studio_page import TOKEN, serious

pytestmark = pytest.mark.browser


@pytest.fixture
def runs(serving, tmp_path):
    """A folder of runs, and the address of a studio that shows it."""
    finished(tmp_path / "slow", {"score": 0.25}, losses=[4.0, 3.5, 3.0], learning_rate=0.01)
    finished(tmp_path / "quick", {"score": 0.75, "reason": "plateau"}, losses=[4.0, 1.0, 0.5], learning_rate=0.1)
    finished(tmp_path / "<img src=x onerror=alert(1)>", {"score": 0.5, "model": "<b>bold</b>"}, learning_rate=0.1)
    with serving(tmp_path) as origin:
        yield tmp_path, origin


def page_of(opened, origin, **how):
    page = opened(f"{origin}/runs#token={TOKEN}", waits_for=None, **how)
    expect(page.locator("#count")).to_contain_text("run")
    return page


def names(page):
    return page.locator(".space .row").evaluate_all("""rows => rows
      .sort((one, other) => one.ariaRowIndex - other.ariaRowIndex)
      .map((row) => row.querySelector(".name").textContent)""")


def row(page, name):
    return page.locator(".space .row", has_text=name)


def test_runs_are_listed_sorted_and_filtered(opened, runs):
    page = page_of(opened, runs[1])
    expect(page.locator("#count")).to_have_text("3 runs")
    page.click(".head .score button")
    assert names(page) == ["quick", "<img src=x onerror=alert(1)>", "slow"]
    page.click(".head .score button")
    assert names(page) == ["slow", "<img src=x onerror=alert(1)>", "quick"]
    page.fill("#filter", "learning_rate=0.1 plateau")
    assert names(page) == ["quick"]
    expect(page.locator("#count")).to_have_text("1 of 3 runs")
    assert row(page, "quick").locator(".state").inner_text() == "plateau"
    page.fill("#filter", "nothing of the kind")
    assert names(page) == []


def test_curves_of_chosen_runs_are_overlaid_and_their_settings_compared(opened, runs):
    page = page_of(opened, runs[1])
    page.click("#choose-none")
    expect(page.locator("#differences")).to_contain_text("Choose two runs")
    for name in ("slow", "quick"):
        row(page, name).locator(".choose").click()
    expect(page.locator("#legend output").last).to_have_text("0.5 · plateau")
    assert page.locator("#legend .name").all_inner_texts() == ["slow", "quick"]
    table = page.locator("#differences table")
    assert table.locator("thead th").all_inner_texts() == ["Run", "learning rate"]
    assert table.locator("td").all_inner_texts() == ["0.01", "0.1"]
    page.locator("#curves").focus()
    page.keyboard.press("Home")
    assert page.locator("#legend output").all_inner_texts() == ["4", "4"]
    colours = page.evaluate("""() => {
      const canvas = document.getElementById('curves');
      const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      const found = new Set();
      for (let at = 0; at < pixels.length; at += 4)
        if (pixels[at + 3] === 255) found.add([...pixels.subarray(at, at + 3)].join());
      return [...found];
    }""")
    # The first two colours of the page: #0072b2 and #cf5a00.
    assert {"0,114,178", "207,90,0"} <= set(colours)


def test_a_run_that_goes_on_is_seen_to_move_and_one_that_is_removed_goes(opened, runs):
    folder, origin = runs
    page = page_of(opened, origin)
    live = checkpointed(asked(folder / "live"), [4.0, 3.0])
    row(page, "live").locator(".choose").click()
    expect(page.locator("#legend li", has_text="live").locator("output")).to_have_text("3 · interrupted")
    checkpointed(live, [4.0, 3.0, 2.0])
    expect(page.locator("#legend li", has_text="live").locator("output")).to_have_text("2 · interrupted")
    page.locator("#series").select_option("validation_loss")
    expect(page.locator("#legend li", has_text="live").locator("output")).to_have_text("0.5 · interrupted")
    row(page, "live").locator(".name").click()
    expect(page.locator("#details h2")).to_have_text("live")
    shutil.rmtree(live)
    expect(row(page, "live")).to_have_count(0)
    expect(page.locator("#details")).to_contain_text("is not there any more")
    expect(page.locator("#count")).to_have_text("3 runs")


def test_names_of_anybody_are_text(opened, runs):
    page = page_of(opened, runs[1])
    row(page, "onerror").locator(".name").click()
    expect(page.locator("#details h2")).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#details")).to_contain_text("<b>bold</b>")
    assert page.locator("img[src=x], #details b").count() == 0


def test_a_damaged_run_is_listed_with_its_fault(opened, runs):
    folder, origin = runs
    (folder / "slow" / "metrics.json").write_text("{")
    (folder / "slow" / "history.parquet").write_text("PAR1")
    page = page_of(opened, origin)
    expect(row(page, "slow").locator(".state")).to_have_text("damaged")
    row(page, "slow").locator(".name").click()
    expect(page.locator("#details .fault")).to_contain_text("metrics.json is damaged")
    expect(page.locator("#legend")).to_contain_text("history.parquet is damaged")
    assert len(names(page)) == 3


def test_a_report_opens_in_a_frame_that_reaches_nothing(opened, runs):
    folder, origin = runs
    (folder / "slow" / "report.html").write_text("""<!doctype html><html lang=en><title>report</title><p id=told></p>
      <script>
      const tried = [];
      for (const reach of [() => parent.document.title, () => localStorage.length, () => document.cookie])
        try { reach(); tried.push("reached"); } catch { tried.push("kept out"); }
      document.getElementById("told").textContent = `${origin}: ${tried.join()}`;
      </script>""")
    page = page_of(opened, origin)
    row(page, "slow").locator(".name").click()
    page.get_by_role("button", name="Report").click()
    expect(page.frame_locator("iframe").locator("#told")).to_have_text("null: kept out,kept out,kept out")
    page.get_by_role("button", name="Close").click()
    assert page.locator("iframe").count() == 0


def test_all_is_done_by_keyboard(opened, runs):
    page = page_of(opened, runs[1])
    page.click("#choose-none")
    page.click(".head .name button")
    page.locator(".space .row[tabindex='0']").focus()
    page.keyboard.press("End")
    page.keyboard.press("Space")
    expect(page.locator("#legend .name")).to_have_text(["slow"])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#details h2")).to_have_text("quick")
    assert row(page, "quick").get_attribute("aria-selected") == "true"
    assert page.evaluate("document.activeElement.className") == "row"


def test_a_folder_without_runs_says_what_to_do(opened, serving, tmp_path):
    with serving(tmp_path) as origin:
        page = opened(f"{origin}/runs#token={TOKEN}", waits_for=None)
        expect(page.locator("#nothing")).to_contain_text("There is no run in")
        expect(page.locator("#nothing")).to_contain_text("descend fit")
        finished(tmp_path / "first")
        expect(page.locator("#count")).to_have_text("1 run")
        assert page.locator("#nothing").is_hidden()


def test_many_rows_are_scrolled_with_few_on_the_page(opened, serving, tmp_path):
    for number in range(300):
        asked(tmp_path / f"run-{number:04}", seed=number)
    with serving(tmp_path) as origin:
        page = page_of(opened, origin)
        expect(page.locator("#count")).to_have_text("300 runs")
        page.click(".head .name button")
        assert page.locator(".space .row").count() < 60
        page.locator(".scroller").evaluate("one => { one.scrollTop = one.scrollHeight; }")
        expect(row(page, "run-0299")).to_be_visible()
        assert page.locator(".space .row").count() < 60
        time.sleep(1.5)
        # What comes in meanwhile moves nothing.
        expect(row(page, "run-0299")).to_be_visible()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run that `descend fit` made of a table, at a rate that is far too low."""
    from descend.cli.fit import fit

    folder = tmp_path_factory.mktemp("trained")
    fit("sample:wine", "target", model="mlp", optimizer="sgd", learning_rate=0.001, epochs=20, batch_size=32,
        out=folder / "wine", quiet=True, no_insight=True)
    return folder


def test_a_run_is_forked_with_another_rate_goes_on_and_parts_from_it(opened, serving, trained):
    with serving(trained) as origin:
        page = page_of(opened, origin)
        page.set_default_timeout(60_000)
        page.get_by_role("button", name="Fork at the beginning").click()
        fork = page.locator(".fork")
        expect(fork.locator("h3")).to_have_text("fork 1 of wine, step 0", timeout=60_000)
        # From 10⁻⁶ to 10: a rate of about a tenth, as far as a notch of the slider goes.
        fork.locator("input").evaluate("one => { one.value = 1000 * 5 / 7; one.dispatchEvent(new Event('input')); }")
        expect(fork.locator("output")).to_have_text("0.0995")
        fork.get_by_role("button", name="Go on").click()
        expect(fork.locator(".says")).to_contain_text("goes on")
        fork.get_by_role("button", name="Pause").click()
        expect(fork.locator(".says")).to_contain_text("paused")
        page.wait_for_timeout(700)
        paused = fork.locator(".says").inner_text()
        page.wait_for_timeout(700)
        assert fork.locator(".says").inner_text() == paused
        fork.get_by_role("button", name="Go on").click()
        # The reason at its end.
        expect(fork.locator(".says")).to_contain_text(re.compile("budget: |plateau: "), timeout=60_000)
        assert fork.get_by_role("button", name="Go on").is_disabled()
        losses = page.locator("#legend output").all_inner_texts()
        run, forked = (float(text.split()[0]) for text in losses)
        assert forked < 0.5 * run
        page.locator("#curves").focus()
        page.keyboard.press("Home")
        first = page.locator("#legend output").all_inner_texts()
        assert first[0] == first[1]
        assert page.locator("#differences td").all_inner_texts() == ["0.001", "0.09954"]
        assert serious(page) == []
        fork.get_by_role("button", name="Take away").click()
        expect(page.locator("#legend li")).to_have_count(1)


def test_the_doctor_proves_a_cause_and_replays_it_as_two_curves(opened, serving, trained):
    with serving(trained) as origin:
        page = page_of(opened, origin)
        page.get_by_role("button", name="Examine").click()
        expect(page.locator("#findings progress")).to_be_visible()
        # The page stays live meanwhile.
        page.fill("#filter", "no such run")
        expect(page.locator("#count")).to_have_text("0 of 1 run")
        proved = page.locator(".diagnosis", has_text="proved: ").first
        expect(proved).to_contain_text("rate", timeout=80_000)
        proved.get_by_role("button", name="Replay").click()
        expect(proved.locator(".says").last).to_contain_text("Loss as it was", timeout=60_000)
        expect(proved.locator("canvas")).to_be_visible()
        assert serious(page) == []


def test_landscape_and_spectrum_of_a_run_are_drawn(opened, serving, trained):
    with serving(trained) as origin:
        page = page_of(opened, origin)
        page.get_by_role("button", name="Landscape").click()
        expect(page.locator("#findings .says")).to_contain_text("drawn at random", timeout=60_000)
        assert page.locator("canvas.landscape").is_visible()
        page.get_by_role("button", name="Spectrum").click()
        expect(page.locator("#findings .says")).to_contain_text("Eigenvalues of the Hessian", timeout=80_000)
        assert page.locator("#findings canvas").is_visible()


def test_a_run_whose_data_are_not_found_says_which(opened, runs):
    page = page_of(opened, runs[1])
    row(page, "slow").locator(".name").click()
    page.get_by_role("button", name="Fork at the beginning").click()
    says = re.compile("prices, which slow was trained on, .*: name it with --data")
    expect(page.locator("#status")).to_have_text(says)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_all_fits_and_axe_finds_nothing_serious(opened, runs, color_scheme, width):
    page = page_of(opened, runs[1], width=width, height=844, color_scheme=color_scheme)
    for name in ("slow", "quick"):
        row(page, name).locator(".choose").click()
    row(page, "slow").locator(".name").click()
    expect(page.locator("#legend li")).to_have_count(3)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for one in page.locator(".panel, button:visible, input, select, canvas").all():
        box = one.bounding_box()
        assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5)
    page.get_by_role("button", name="Report").click()
    assert serious(page) == []
