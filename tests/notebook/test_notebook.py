"""Races as widgets: what they hold, how they answer their page, and what a notebook without a kernel has of them."""

import base64
import io
import json
import re
import struct

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="needs the extra notebook")

from PIL import Image

from descend import SGD, Adam, InputError
from descend.notebook import race
from descend.notebook.seen import Seen

ASKED = {"kind": "race", "id": 5, "function": {"formula": "x^2 + 3*y^2"}, "start": [1, 1], "steps": 10,
         "balls": [{"rule": "sgd", "settings": {"learning_rate": 0.1}}]}


@pytest.fixture(scope="module")
def shown():
    return race("x^2 + 3*y^2", [SGD(0.1), SGD(0.05, momentum=0.5)], start=(2, -1), steps=20)


@pytest.fixture
def told(shown, monkeypatch):
    """What a widget sends when its page says something."""
    sent = []
    monkeypatch.setattr(type(shown), "send", lambda self, content, buffers: sent.extend(buffers))

    def say(content, widget=shown):
        sent.clear()
        widget._handle_custom_msg(content, [])
        return [unpacked(made) for made in sent]

    return say


def unpacked(made):
    (length,) = struct.unpack_from("<I", made)
    return json.loads(made[4 : 4 + length]), np.frombuffer(made[4 + length :], "<f4")


def asked(message):
    return {"asked": json.dumps(message)}


def test_it_answers_its_page_as_the_studio_would(told):
    ((welcome, _),) = told(asked({"kind": "hello", "token": "", "room": "race"}))
    assert welcome["kind"] == "welcome"
    assert {"functions", "rules", "first"} <= set(welcome)
    (ball, rows), (done, _) = told(asked(ASKED))
    assert (ball["kind"], ball["id"], done["last"]) == ("ball", 5, True)
    np.testing.assert_allclose(rows.reshape(-1, 4)[:, 0], 0.8 ** np.arange(11), rtol=1e-5)


@pytest.mark.parametrize(
    "content", [None, 3, {}, {"asked": 5}, {"asked": "nonsense"}, {"asked": "x" * 10**6}, asked(ASKED | {"steps": -1})]
)
def test_what_is_no_question_of_the_page_is_refused(told, content):
    ((header, _),) = told(content)
    assert (header["kind"], header["last"]) == ("error", True)


def test_its_page_has_all_that_it_needs_and_the_race(shown):
    assert not re.findall(r'(?:src|href)="(?!data:)', shown.page)
    assert "default-src 'none'" in shown.page
    modules = json.loads(re.search(r'<script type="importmap">(.*?)</script>', shown.page, re.DOTALL)[1])["imports"]
    sources = {name: base64.b64decode(url.split(",")[1]).decode() for name, url in modules.items()}
    for source in sources.values():
        assert set(re.findall(r'^import .* from "([^"]+)";$', source, re.MULTILINE)) <= set(sources)
    told = json.loads(re.search(r'<script type="application/json" id="race">(.*?)</script>', shown.page)[1])
    text = told["race"] + "=" * (-len(told["race"]) % 4)
    race = json.loads(base64.urlsafe_b64decode(text))
    assert (race["start"], race["steps"], race["function"]) == ([2.0, -1.0], 20, {"formula": "x^2 + 3*y^2"})
    assert race["balls"] == [
        {"rule": "sgd", "settings": {"learning_rate": 0.1}},
        {"rule": "momentum", "settings": {"learning_rate": 0.05, "momentum": 0.5}},
    ]


def test_a_notebook_without_a_kernel_has_its_picture(shown):
    data, _ = shown._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} == set(data)
    # What a widget's state is not there for falls back to: no script, nor HTML that a site would take out.
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.size == (720, 540)


def test_a_picture_has_the_surface_and_the_ball_where_it_ended():
    x, y = np.meshgrid(np.linspace(-2, 2, 240), np.linspace(-2, 2, 180))
    way = np.array([[-1, -1, 1], [1, 1, 1], [np.nan, np.nan, np.nan]])
    image = Image.open(io.BytesIO(Seen((-2, 2, -2, 2), np.where(x > 0, 5.0, y), (way,), ()).png()))
    # At 1, 1, a quarter of the width from the right and of the height from above, beside its letter.
    assert image.getpixel((540 - 6, 135)) == pytest.approx((0, 0x72, 0xB2), abs=12)
    assert image.getpixel((270, 337)) == pytest.approx((0, 0x72, 0xB2), abs=60)
    # Below it is the floor, at the right all is high.
    floor, height = image.getpixel((100, 530)), image.getpixel((700, 400))
    assert min(floor) > 240
    assert height == pytest.approx((127, 159, 194), abs=3)


def test_a_loss_of_ones_own_is_raced_on_with_its_batches():
    import jax.numpy as jnp

    rows = np.random.default_rng(0).normal(size=(40, 3))

    def loss(params, batch):
        """Of three."""
        return jnp.mean((batch @ params) ** 2)

    shown = race(loss, [SGD(0.1), Adam(0.05)], start=np.ones(3), data=rows, batch_size=10, steps=15)
    assert [way.shape for way in shown.seen.ways] == [(16, 3)] * 2
    assert '"own"' in shown.page
    assert shown.seen.png()


@pytest.mark.parametrize(
    ("on", "settings", "says"),
    [
        ("x^2 +", {}, "the formula"),
        ("x^2", {"start": "ab"}, "start= must be numbers"),
        ("x^2", {"start": (1, 2, 3)}, "start must be 2 numbers"),
        ("x^2", {"steps": 0}, "steps must be"),
        ("x^2", {"window": (1, 0, 0, 1)}, "window must be"),
            ("x^2", {"optimizers": ["sgd"]}, "'sgd' has no card in the studio: there are AMSGrad"),
        (lambda p: p[0] ** 2 + p[1] ** 2, {}, "start= must be given"),
        (lambda p: p, {"start": [1.0, 2.0]}, "the loss must return a scalar"),
    ],
)
def test_what_cannot_be_raced_is_told_where_it_was_written(on, settings, says):
    with pytest.raises(InputError, match=says):
        race(on, **settings)
