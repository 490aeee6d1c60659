"""A race saved as one HTML file: it opens from a disk with no network, and shows what was on the screen."""

import re

import pytest
from playwright.sync_api import expect

from studio_page import TOKEN, losses, number, race_on, scrub

pytestmark = pytest.mark.browser


@pytest.fixture
def saved(opened, tmp_path):
    """A page with a race, and the file that it saved at step 100."""
    page = opened(f"/#token={TOKEN}&{race_on('x^2 + 3*y^2', start=(2, 1), rules=('sgd', 'adam', 'lion'))}")
    scrub(page, 100)
    with page.expect_download() as download:
        page.click("#save")
    file = tmp_path / "race.html"
    download.value.save_as(file)
    return page, file


def test_it_opens_offline_and_scrubs(opened, saved):
    page, file = saved
    other = opened(f"file://{file}", waits_for=None, offline=True)
    expect(other.locator("#step")).to_have_text("100 / 300")
    assert saved_losses(other) == losses(page)
    assert other.locator("#commentary").inner_text() == page.locator("#commentary").inner_text()
    assert other.locator("#written math msup").count() == 2
    scrub(other, 0)
    assert saved_losses(other) == pytest.approx([7.0] * 3)
    other.click("#forward")
    expect(other.locator("#step")).to_have_text("1 / 300")
    other.click("#play")
    expect(other.locator("#play")).to_have_attribute("aria-label", "Pause")
    colours = other.evaluate("""() => {
      const canvas = document.querySelector('#picture canvas');
      const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return new Set(new Uint32Array(pixels.buffer)).size;
    }""")
    assert colours > 18


def test_it_has_neither_the_token_nor_an_address_of_anybody(saved):
    _, file = saved
    text = file.read_text()
    assert TOKEN not in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "default-src 'none'" in text
    assert len(text) < 500_000


def saved_losses(page):
    return [number(text) for text in page.locator(".card strong").all_inner_texts()]
