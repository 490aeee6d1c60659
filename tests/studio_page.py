"""What tests of the studio's page do with it: races as links, sliders, what its cards say."""

import base64
import json

TOKEN = "token-of-the-tests"


def race_on(formula, *, start=(1.0, 1.0), rules=("sgd", "momentum", "adam"), steps=300):
    """The part of an address that opens a race on a formula."""
    race = {"function": {"formula": formula}, "window": [-3, 3, -3, 3], "start": start, "steps": steps,
            "balls": [{"rule": rule} for rule in rules]}
    return "race=" + base64.urlsafe_b64encode(json.dumps(race).encode()).decode().rstrip("=")


def race_of(link):
    """The race of an address."""
    text = link.split("race=")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def losses(page):
    """What the cards say, as numbers: `3.1·10⁻⁵` and the like."""
    is_answered(page)
    return [number(text) for text in page.locator(".card strong").all_inner_texts()]


def is_answered(page):
    """Waits until a race has come, and the last question is answered and drawn."""
    from playwright.sync_api import expect  # which only the tests in a browser need

    expect(page.locator("#status")).to_contain_text("engine", timeout=20_000)
    expect(page.locator("#picture")).to_have_attribute("aria-busy", "false", timeout=20_000)


def number(text):
    """The number that the page wrote."""
    plain = text.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-"))
    factor, _, power = plain.partition("·10")
    if not power:
        return 10.0 ** int(plain[2:]) if text.startswith("10") and text != plain else float(factor)
    return float(factor) * 10.0 ** int(power)


def scrub(page, step):
    """Move the slider of time, and see it drawn."""
    page.locator("#scrub").evaluate("(one, step) => { one.value = step; one.dispatchEvent(new Event('input')); }", step)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def set_slider(slider, value, low=1e-4, high=4.0):
    """Move a slider of a logarithmic scale to a value."""
    slider.evaluate("(one, [value, low, high]) => { one.value = Math.log(value / low) / Math.log(high / low) * one.max;"
                    " one.dispatchEvent(new Event('input')); }", [value, low, high])


def serious(page):
    """What axe finds grave about a page."""
    from axe_playwright_python.sync_playwright import Axe  # which only the tests in a browser need

    found = Axe().run(page).response["violations"]
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave]
