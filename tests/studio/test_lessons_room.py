"""What the page of the lessons may ask, and how it is answered."""

import json
import random

import numpy as np
import pytest
from asking import hostile, unpacked

from descend.studio.lessons.asking import FigureRequest, GroundRequest, PageRequest
from descend.studio.lessons.catalogue import LESSONS
from descend.studio.lessons.figures import Begun
from descend.studio.lessons.room import LessonsRoom
from descend.studio.messages import MessageError, frame, request_of

ROOM = LessonsRoom(Begun())
OPEN = {"kind": "lesson", "id": 1, "lesson": "momentum"}
GROUND = {"kind": "ground", "id": 2, "lesson": "momentum", "figure": "valley"}
FIGURE = {"kind": "figure", "id": 3, "lesson": "momentum", "figure": "valley", "start": [-5, -2], "seed": 0,
          "settings": {"rate": 0.6, "momentum": 0.25}}


def asked(message):
    return request_of(message if isinstance(message, str) else json.dumps(message), ROOM)[1]


def answered(message, is_newer=lambda: False):
    return [unpacked(made) for made in ROOM.frames(asked(message), is_newer)]


def test_which_lessons_there_are_is_told_first():
    told = ROOM.welcome()["lessons"]
    assert [one["name"] for one in told] == [lesson.name for lesson in LESSONS]
    assert told[8]["title"] == "Momentum"


def test_a_lesson_is_its_text_and_its_figures():
    ((header, body),) = answered(OPEN)
    assert (header["kind"], header["name"], header["last"], body.size) == ("lesson", "momentum", True, 0)
    assert "<math" in header["before"]
    assert "<summary>" in header["behind"]
    assert [figure["name"] for figure in header["figures"]] == ["valley", "narrow", "data"]


def test_a_figure_is_a_frame_for_each_ball_and_an_end():
    *balls, (end, _) = answered(FIGURE)
    assert [header["ball"] for header, _ in balls] == [0, 1]
    assert {header["id"] for header, _ in balls} == {3}
    assert all(rows.reshape(-1, 4).shape == (21, 4) for _, rows in balls)
    assert balls[0][1][:3].tolist() == [-5.0, -2.0, 10.5]
    assert (end["kind"], end["last"]) == ("done", True)
    ((ground, heights),) = answered(GROUND)
    assert (ground["kind"], ground["size"], ground["last"]) == ("ground", [240, 180], True)
    assert heights[0] == np.float32(0.1 * 5.5**2 + 2 * 3**2)


def test_what_is_not_told_is_as_it_is_at_first():
    setup = asked({**FIGURE, "settings": {"momentum": 0.9}}).setup
    assert (setup.settings, setup.start, setup.seed) == ({"rate": 0.6, "momentum": 0.9}, (-5.0, -2.0), 0)
    without = {name: value for name, value in FIGURE.items() if name != "settings"}
    assert asked(without).setup.settings["momentum"] == 0.5


def test_a_figure_that_takes_long_is_given_up_between_balls(monkeypatch):
    monkeypatch.setattr("descend.studio.lessons.room.LONG", 0.0)
    frames = answered(FIGURE, is_newer=lambda: True)
    assert [header["kind"] for header, _ in frames] == ["ball", "done"]
    assert frames[-1][0]["given_up"]


REFUSED = [
    ({"lesson": "../numbers"}, "lesson must be one of gradient, "),
    ({"lesson": "__class__"}, "lesson must be one of"),
    ({"lesson": None}, "lesson must be a text"),
    ({"lesson": ["momentum"]}, "lesson must be a text"),
    ({"figure": "bowl"}, "figure must be one of valley, narrow, data, but is 'bowl'"),
    ({"figure": 3}, "figure must be a text"),
    ({"settings": {"nesterov": 1}}, "settings has no 'nesterov'"),
    ({"settings": {"a\n\ud800" + "b" * 999: 1}}, "settings has no"),
    ({"settings": {"rate": 3.0}}, "settings.rate must be a number from 0.01 to 2"),
    ({"settings": {"rate": -1}}, "settings.rate must be"),
    ({"settings": {"rate": float("nan")}}, "must be a number"),
    ({"settings": {"rate": "1"}}, "must be a number"),
    ({"settings": {"rate": True}}, "must be a number"),
    ({"settings": []}, "settings must be an object"),
    ({"start": [1]}, "start must be 2"),
    ({"start": [1, float("inf")]}, "start must be"),
    ({"seed": -1}, "seed must be"),
    ({"seed": 0.5}, "seed must be"),
    ({"seed": 2**31}, "seed must be"),
    ({"kind": "race"}, "kind must be lesson, ground, figure"),
    ({"id": None}, "id must be"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED, ids=lambda value: repr(value)[:40])
def test_what_cannot_be_asked_is_told_on_a_line(change, says):
    with pytest.raises(MessageError, match=says) as refused:
        asked(FIGURE | change)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400
    frame({"says": str(refused.value)})


def test_thousand_hostile_messages_are_refused_on_a_line_or_are_requests():
    rng, refused = random.Random(0), []
    for _ in range(1000):
        try:
            request = asked(hostile(rng, (OPEN, GROUND, FIGURE)))
        except MessageError as error:
            refused.append(error)
        else:
            assert isinstance(request, PageRequest | GroundRequest | FigureRequest)
    assert 500 < len(refused) < 1000
    for error in refused:
        assert str(error).isprintable()
        assert len(str(error)) < 400
        frame({"kind": "error", "id": error.id, "says": str(error)})


@pytest.mark.parametrize("start", [[1e6, -1e6], [0, 0], [-5, 1e-300]])
def test_a_start_anywhere_is_answered(start):
    for header, rows in answered(FIGURE | {"start": start})[:-1]:
        assert rows.size == 84
        assert header["kind"] == "ball"
        assert not np.isinf(rows).any()
