"""What the page may ask, and how it is answered; that a newer question takes the place of an older one."""

import asyncio
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from asking import RACE, SURFACE, TO_DRAW, hostile, unpacked

from descend.studio.asked import MAX_BALLS, MAX_CELLS, MAX_STEPS
from descend.studio.messages import MAX_BYTES, Hello, MessageError, frame, hello_of, request_of
from descend.studio.opened import Opened
from descend.studio.race.asking import RaceRequest, SurfaceRequest
from descend.studio.race.room import RaceRoom
from descend.studio.racing.course import Courses
from descend.studio.racing.gallery import GALLERY
from descend.studio.racing.rules import OFFERED
from descend.studio.rooms import places, welcome
from descend.studio.session import Session

ROOM = RaceRoom(Courses())


def asked(text):
    return request_of(text, ROOM)[1]


def a_session(send, engine):
    return Session(send, {"engine": engine}, RaceRoom(Courses()))


def test_frames_are_read_back():
    header, body = unpacked(frame({"kind": "bäll"}, np.array([[1.0, np.nan], [-2.5, 3e38]])))
    assert header == {"kind": "bäll"}
    np.testing.assert_array_equal(body, np.float32([1, np.nan, -2.5, 3e38]))
    assert unpacked(frame({"a": 1}))[1].size == 0


def test_requests_are_what_was_asked():
    request = asked(json.dumps(RACE))
    assert isinstance(request, RaceRequest)
    race = request.race
    assert (request.id, race.start, race.steps, race.noise, race.seed) == (7, (-1.5, 2.0), 300, 0.0, 0)
    assert [(ball.rule.name, dict(ball.settings)) for ball in race.balls] == [("adam", {"learning_rate": 0.1})]
    assert race.formula(1.0, 1.0) == 4.0
    surface = asked(json.dumps(SURFACE))
    assert isinstance(surface, SurfaceRequest)
    assert (surface.id, surface.window, surface.size) == (8, (-2, 2, -1, 3), (16, 12))
    assert hello_of('{"kind": "hello", "token": "secret", "room": "race"}') == Hello("secret", "race")


def test_welcome_tells_all_there_is():
    header, _ = unpacked(welcome(places(Opened()), ROOM))
    assert [one["name"] for one in header["functions"]] == [one.name for one in GALLERY]
    assert all(one["mathml"].startswith("<math") for one in header["functions"])
    assert [one["name"] for one in header["rules"]] == [one.name for one in OFFERED]
    for rule in header["rules"]:
        for slider in rule["settings"]:
            assert slider["low"] <= slider["default"] <= slider["high"]
            assert slider["low"] > 0 or not slider["log"]
            for end in ("low", "high"):
                asked(
                    json.dumps(RACE | {"balls": [{"rule": rule["name"], "settings": {slider["name"]: slider[end]}}]})
                )


@pytest.mark.parametrize(
    ("formula", "low", "high"), [("1/x", -2.0, 2.0), ("1/(x - x)", None, None), ("x*1e39", 0.0, 0.0)]
)
def test_heights_that_no_float32_holds_are_none(formula, low, high):
    request = asked(
        json.dumps(SURFACE | {"function": {"formula": formula}, "window": [-1, 1, 0, 1], "size": [5, 2]})
    )
    header, heights = unpacked(next(ROOM.frames(request, lambda: False)))
    assert (header["low"], header["high"]) == (low, high)
    assert not np.isinf(heights).any()
    assert np.isnan(heights[2]) == (formula != "x*1e39")


REFUSED = [
    ("", "no JSON"),
    ("nonsense", "no JSON"),
    ("[" * 50_000, "no JSON"),
    ("1" * 5000, "no JSON"),
    ("null", "an object"),
    ('{"kind": "race", "id": 7', "no JSON"),
    ("[]", "an object"),
    ("{}", "kind must be"),
    ('{"kind": "dance"}', "dance"),
    ({"id": None}, "id must be"),
    ({"id": -1}, "id must be"),
    ({"id": True}, "id must be"),
    ({"id": 2**53}, "id must be"),
    ({"balls": []}, "a list of 1 to"),
    ({"balls": RACE["balls"] * (MAX_BALLS + 1)}, "a list of 1 to"),
    ({"balls": [3]}, r"balls\[0\] must be an object"),
    ({"balls": [{"rule": "magic"}]}, r"balls\[0\].rule must be one of"),
    ({"balls": [{"rule": "__class__"}]}, "must be one of"),
    ({"balls": [{"rule": "sgd", "settings": []}]}, "an object"),
    ({"balls": [{"rule": "sgd", "settings": {"learning_rate": "1"}}]}, "must be a number"),
    ({"balls": [{"rule": "sgd", "settings": {"learning_rate": float("nan")}}]}, "must be a number"),
    ({"balls": [{"rule": "sgd", "settings": {"learning_rate": -1}}]}, "at least 0"),
    ({"balls": [{"rule": "sgd", "settings": {"nesterov": 1}}]}, "no setting 'nesterov'"),
    ({"balls": [{"rule": "sgd", "settings": {"a\n\ud800" + "b" * 999: 1}}]}, "no setting"),
    ({"steps": 0}, "steps must be"),
    ({"steps": MAX_STEPS + 1}, "steps must be"),
    ({"steps": 1e2}, "steps must be"),
    ({"steps": -5}, "steps must be"),
    ({"steps": True}, "steps must be"),
    ({"start": [1]}, "start must be 2"),
    ({"start": [1, float("inf")]}, "start must be"),
    ({"start": [1, 1e300]}, "start must be"),
    ({"start": "12"}, "start"),
    ({"noise": -1}, "noise must be"),
    ({"noise": float("nan")}, "noise must be"),
    ({"seed": -1}, "seed must be"),
    ({"seed": 0.5}, "seed must be"),
    ({"function": 3}, "function must be an object"),
    ({"function": {}}, "function.name"),
    ({"function": {"name": "../x"}}, "function.name must be one of"),
    ({"function": {"formula": 3}}, "must be a text"),
    ({"function": {"formula": "x +"}}, "column 4"),
    ({"kind": "surface"}, "window must be"),
    (TO_DRAW | {"window": [2, 2, 0, 1]}, "x0 < x1"),
    (TO_DRAW | {"window": [0, 1, 0]}, "window must be 4"),
    (TO_DRAW | {"size": [1, 10]}, "from 2 to"),
    (TO_DRAW | {"size": [10**9, 10**9]}, "from 2 to"),
    (TO_DRAW | {"size": [MAX_CELLS + 1, 10]}, "from 2 to"),
    (TO_DRAW | {"size": [10.0, 10]}, "from 2 to"),
]


@pytest.mark.parametrize(("message", "says"), REFUSED, ids=lambda value: repr(value)[:40])
def test_what_cannot_be_asked_is_told_on_a_line_with_its_number(message, says):
    text = message if isinstance(message, str) else json.dumps(RACE | message)
    with pytest.raises(MessageError, match=says) as refused:
        asked(text)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400
    frame({"says": str(refused.value)})
    if isinstance(message, dict) and "id" not in message:
        assert refused.value.id == 7


def test_thousand_hostile_messages_are_refused_on_a_line_or_are_requests():
    rng, refused = random.Random(0), []
    for _ in range(1000):
        try:
            request = asked(hostile(rng))
        except MessageError as error:
            refused.append(error)
        else:
            assert isinstance(request, RaceRequest | SurfaceRequest)
    assert 500 < len(refused) < 1000
    for error in refused:
        assert str(error).isprintable()
        assert len(str(error)) < 400
        frame({"kind": "error", "id": error.id, "says": str(error)})


class Page:
    """A page that keeps what it is sent."""

    def __init__(self):
        self.frames = []

    async def send(self, made):
        self.frames.append(unpacked(made)[0])

    def told(self):
        return [(head["kind"], head["id"]) for head in self.frames]


async def answered(session, page, count):
    """Let the session answer until so many frames came."""
    answering = asyncio.create_task(session.answer("engine"))
    async with asyncio.timeout(20):
        while len(page.frames) < count:
            await asyncio.sleep(0.001)
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)


def test_the_latest_race_is_run_and_each_is_ended():
    async def story():
        page = Page()
        with ThreadPoolExecutor(1) as engine:
            session, free = a_session(page.send, engine), threading.Event()
            # The engine is busy while they come.
            engine.submit(free.wait, 10)
            for number in range(100):
                await session.take(json.dumps(RACE | {"id": number, "steps": 5}))
                await session.take(json.dumps(SURFACE | {"id": 1000 + number}))
            free.set()
            await answered(session, page, 2 * 99 + 3)
        return page

    page = asyncio.run(story())
    given_up = [head["id"] for head in page.frames if head.get("given_up")]
    assert sorted(given_up) == [*range(99), *range(1000, 1099)]
    assert page.told()[-3:] == [("surface", 1099), ("ball", 99), ("done", 99)]


@pytest.mark.parametrize(("comes_after", "balls_of_first"), [(1, 1), (2, 2), (3, 2)])
def test_a_race_that_takes_long_is_given_up_between_balls(monkeypatch, comes_after, balls_of_first):
    """And each is ended once, whenever the newer one comes."""
    monkeypatch.setattr("descend.studio.race.room.PATIENCE", 0.0)
    two = {"balls": RACE["balls"] * 2, "steps": 5}

    async def story():
        page = Page()
        with ThreadPoolExecutor(1) as engine:

            async def send(made):
                await page.send(made)
                if len(page.frames) == comes_after:
                    await session.take(json.dumps(RACE | two | {"id": 2}))

            session = a_session(send, engine)
            await session.take(json.dumps(RACE | two | {"id": 1}))
            await answered(session, page, balls_of_first + 4)
        return page

    page = asyncio.run(story())
    assert page.told() == [("ball", 1)] * balls_of_first + [("done", 1), ("ball", 2), ("ball", 2), ("done", 2)]
    assert page.frames[balls_of_first].get("given_up", False) == (balls_of_first == 1)


def test_a_fault_in_a_race_is_told_and_ends_nothing(monkeypatch, caplog):
    monkeypatch.setattr("descend.studio.racing.course.Course.path", lambda *_: 1 / 0)

    async def story():
        page = Page()
        with ThreadPoolExecutor(1) as engine:
            session = a_session(page.send, engine)
            await session.take(json.dumps(RACE))
            await session.take('{"kind": "hello", "token": "again", "room": "race"}')
            await answered(session, page, 2)
            await session.take(json.dumps(SURFACE))
            await answered(session, page, 3)
        return page

    page = asyncio.run(story())
    assert page.told() == [("error", None), ("error", 7), ("surface", 8)]
    assert "a fault of descend" in page.frames[1]["says"]
    assert "ZeroDivisionError" in caplog.text


def test_a_message_is_bounded():
    assert len(json.dumps(RACE | {"balls": RACE["balls"] * MAX_BALLS})) < MAX_BYTES
