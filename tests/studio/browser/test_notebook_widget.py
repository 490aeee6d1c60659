"""A race in a notebook, as a person uses it: the widget's own module in Chromium, with a model as a notebook's is."""

import base64
import json

import pytest
from playwright.sync_api import expect

pytest.importorskip("anywidget", reason="needs the extra notebook")

from descend import SGD, Adam
from descend.notebook import race
from studio_page import is_answered, losses, scrub

pytestmark = pytest.mark.browser

SHOW = """
async ([esm, page]) => {
  const handlers = [];
  const model = {
    get: (name) => ({ page, height: 860 })[name],
    on: (event, handler) => event === "msg:custom" && handlers.push(handler),
    off: (event, handler) => handlers.splice(handlers.indexOf(handler), 1),
    send: async (content) => {
      for (const text of await globalThis.kernel(JSON.stringify(content))) {
        const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
        handlers.forEach((handler) => handler({ kind: "frame" }, [new DataView(bytes.buffer)]));
      }
    },
  };
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  globalThis.leave = (await import(url)).default.render({ model, el: document.body });
  globalThis.handlers = handlers;
}
"""


@pytest.fixture
def shown(browser, monkeypatch):
    """Shows a widget: the page of a notebook, and the frame in it."""
    contexts, wrong = [], []

    def show(widget):
        sent = []
        monkeypatch.setattr(type(widget), "send", lambda self, content, buffers: sent.extend(buffers))

        def kernel(text):
            sent.clear()
            widget._handle_custom_msg(json.loads(text), [])
            return [base64.b64encode(made).decode() for made in sent]

        context = browser.new_context(viewport={"width": 1000, "height": 900}, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"{error}"))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        page.expose_function("kernel", kernel)
        page.evaluate(SHOW, [widget._esm, widget.page])
        return page, page.frame_locator("iframe")

    yield show
    for context in contexts:
        context.close()
    assert not wrong


def test_it_plays_and_its_sliders_move_the_balls_through_the_kernel(shown):
    page, frame = shown(race("x^2 + 3*y^2", [SGD(0.1), Adam(0.1)], start=(2, -1), steps=40))
    expect(frame.locator("#status")).to_contain_text("2 balls × 40 steps", timeout=20_000)
    frame = page.frames[1]
    assert frame.locator("#formula").input_value() == "x^2 + 3*y^2"
    scrub(frame, 1)
    assert losses(frame)[0] == pytest.approx(4 * 0.8**2 + 3 * 0.4**2, rel=5e-3)
    slider = frame.locator(".card input[type=range]").first
    slider.evaluate("one => { one.value = 0; one.dispatchEvent(new Event('input')); }")
    is_answered(frame)
    # The least rate that the slider has: hardly a step.
    assert losses(frame)[0] == pytest.approx(7, rel=5e-3)
    for hidden in ("#link-open", "#save", "#surface3d-toggle", "#rooms"):
        assert frame.locator(hidden).is_hidden()
    frame.locator("#formula").fill("x^2 +")
    expect(frame.locator("#formula-error")).to_contain_text("column")
    # Taken away, it hears nothing more.
    assert page.evaluate("() => { leave(); return handlers.length; }") == 0


def test_a_loss_of_ones_own_is_seen_on_its_plane(shown):
    def loss(params):
        """A bowl of three."""
        return params[0] ** 2 + 2 * params[1] ** 2 + 3 * params[2] ** 2

    page, frame = shown(race(loss, [SGD(0.1), SGD(0.02, momentum=0.9)], start=[1.0, 1.0, 1.0], steps=30))
    expect(frame.locator("#plane-says")).to_contain_text("all 3 parameters", timeout=20_000)
    expect(frame.locator("#file-name")).to_have_text("loss")
    expect(frame.locator("#file-says")).to_have_text("A bowl of three.")
    assert page.frames[1].locator("#reload").is_hidden()
