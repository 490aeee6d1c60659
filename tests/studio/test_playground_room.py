"""What the page of a playground may ask, and the frames that it is answered with."""

import json
import random

import numpy as np
import pandas as pd
import pytest
from asking import hostile, unpacked

from descend.errors import InputError
from descend.studio.messages import MAX_BYTES, MessageError, request_of
from descend.studio.playground.asking import (
    MAX_LAYERS,
    MAX_STEPS_PER_FRAME,
    MAX_UNITS,
    AdvanceRequest,
    SharpnessRequest,
)
from descend.studio.playground.lesson import PICTURE
from descend.studio.playground.network import NetworkLoss
from descend.studio.playground.own_table import Choice, OwnTable
from descend.studio.playground.room import PlaygroundRoom
from descend.studio.playground.toys import TOYS
from descend.studio.playground.training import MAP

ADVANCE = {
    "kind": "advance",
    "id": 7,
    "data": {"toy": "xor", "count": 60, "noise": 0.1, "seed": 1},
    "test_share": 0.3,
    "network": {"features": ["x", "y"], "layers": [3], "activation": "tanh"},
    "seed": 0,
    "attempt": 0,
    "optimizer": {"rule": "adam", "settings": {"learning_rate": 0.03}},
    "batch_size": 16,
    "l1": 0,
    "l2": 0,
    "noise": 0,
    "dropout": 0,
    "steps": 0,
    "shown": None,
}
OWN = ADVANCE | {"data": {"x": "a", "y": "b", "target": "<c>", "kind": None}}
SHARPNESS = {"kind": "sharpness", "id": 8}
RNG = np.random.default_rng(0)
TABLE = OwnTable.of("mine", pd.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60), "<c>": ["p", "q"] * 30}))


def a_room(table=TABLE):
    return PlaygroundRoom(table, {kind: NetworkLoss(kind) for kind in ("classification", "regression")})


ROOM = a_room()


def asked(message, room=ROOM):
    return request_of(message if isinstance(message, str) else json.dumps(message), room)[1]


def answered(room, message):
    return [unpacked(made) for made in room.frames(asked(message, room), lambda: False)]


def test_requests_are_what_was_asked():
    request = asked(OWN | {"shown": {"layer": 1, "unit": 2}, "steps": 3})
    assert isinstance(request, AdvanceRequest)
    assert request.start.data == Choice("a", "b", "<c>")
    assert (request.steps, request.shown, request.conduct.batch_size) == (3, (1, 2), 16)
    # In one order, however they were chosen.
    request = asked(ADVANCE | {"network": ADVANCE["network"] | {"features": ["y", "x", "y"]}})
    assert request.start.architecture.features == ("x", "y")
    assert isinstance(asked(SHARPNESS), SharpnessRequest)


def test_welcome_tells_what_there_is_and_of_a_table_no_values():
    told = a_room().welcome()
    assert [toy["name"] for toy in told["toys"]] == list(TOYS)
    assert told["table"]["first"] == {"x": "a", "y": "b", "target": "<c>", "kind": None}
    assert len(json.dumps(told["table"])) < 600
    assert a_room(None).welcome()["table"] is None


def test_frames_have_the_points_then_the_network_before_and_after_its_steps():
    room = a_room(None)
    (points, rows), (before, _), (after, body) = answered(room, ADVANCE | {"steps": 5})
    assert [head["kind"] for head in (points, before, after)] == ["points", "state", "state"]
    assert [head.get("last", False) for head in (points, before, after)] == [False, False, True]
    assert (before["step"], after["step"], after["epoch"]) == (0, 5, pytest.approx(80 / 42))
    rows = rows.reshape(-1, 4)
    assert (points["learned"], points["tested"], rows[:, 3].sum()) == (42, 18, 18)
    drawn = TOYS["xor"].points(60, 0.1, 1)
    np.testing.assert_allclose(rows[:, :2] * 12 - 6, drawn.positions, atol=1e-5)
    np.testing.assert_array_equal(rows[:, 2], drawn.targets)
    assert after["sizes"] == [2, 3, 2]
    look = room.learner.training.look(None)
    np.testing.assert_array_equal(body[: PICTURE**2], look.picture.astype(np.float32))
    np.testing.assert_array_equal(body[-len(look.numbers) :], look.numbers)
    assert len(body) == PICTURE**2 + 7 * MAP**2 + (2 * 3 + 3 + 3 * 2 + 2)
    # What is there already is not sent again.
    assert [head["kind"] for head, _ in answered(room, ADVANCE)] == ["state"]
    assert room.learner.training.run.step == 5


def test_a_table_is_learned_under_its_names_and_a_number_as_a_share():
    room = a_room()
    (points, _), _ = answered(room, OWN)
    told = [points[name] for name in ("axes", "target", "classes", "says")]
    assert told == [["a", "b"], "<c>", ["p", "q"], "60 rows"]
    (points, rows), _ = answered(room, ADVANCE | {"data": {"toy": "plane", "count": 50}})
    assert points["classes"] == []
    assert (rows.reshape(-1, 4)[:, 2].min(), rows.reshape(-1, 4)[:, 2].max()) == (0, 1)


def test_data_that_cannot_be_learned_leave_what_was_learned():
    room = a_room()
    answered(room, ADVANCE)
    before = room.learner.training
    for data in ({"x": "a", "y": "b", "target": "no"}, {"x": "<c>", "y": "b", "target": "a"}):
        with pytest.raises(InputError):
            answered(room, ADVANCE | {"data": data})
    assert room.learner.training is before
    with pytest.raises(InputError, match="opened without a table"):
        answered(a_room(None), OWN)


def test_the_sharpness_is_told_once_there_is_something_to_tell():
    room = a_room(None)
    assert answered(room, SHARPNESS)[0][0] == {"kind": "sharpness", "id": 8, "last": True}
    answered(room, ADVANCE | {"steps": 2})
    told = answered(room, SHARPNESS)[0][0]
    assert told["limit"] * told["sharpness"] == pytest.approx(38)
    room.close()
    assert "limit" not in answered(room, SHARPNESS)[0][0]


NETWORK = ADVANCE["network"]
REFUSED = [
    ({"data": 3}, "data must be an object"),
    ({"data": {"toy": "moons"}}, "data.toy must be one of circles"),
    ({"data": {"toy": "xor", "count": 10**9}}, "from 50 to 1000"),
    ({"data": {"toy": "xor", "count": 60, "noise": float("nan")}}, "data.noise"),
    ({"data": {"x": 1, "y": "b", "target": "c"}}, "data.x must be a text"),
    ({"data": {"x": "a", "y": "b", "target": "c", "kind": "image"}}, "data.kind must be one of classes, number"),
    ({"network": NETWORK | {"layers": [3] * (MAX_LAYERS + 1)}}, "network.layers"),
    ({"network": NETWORK | {"layers": [MAX_UNITS + 1]}}, "network.layers"),
    ({"network": NETWORK | {"layers": [True]}}, "network.layers"),
    ({"network": NETWORK | {"layers": [0]}}, "network.layers"),
    ({"network": NETWORK | {"features": []}}, "network.features"),
    ({"network": NETWORK | {"features": ["__class__"]}}, "network.features must be some of x, y"),
    ({"network": NETWORK | {"features": [[]]}}, "network.features"),
    ({"network": NETWORK | {"activation": "exp"}}, "network.activation must be one of tanh"),
    ({"optimizer": {"rule": "magic"}}, "optimizer.rule must be one of sgd"),
    ({"optimizer": {"rule": "sgd", "settings": {"learning_rate": -1}}}, "at least 0"),
    ({"batch_size": 0}, "batch_size"),
    ({"steps": MAX_STEPS_PER_FRAME + 1}, "steps must be"),
    ({"steps": -1}, "steps must be"),
    ({"test_share": 1.0}, "test_share"),
    ({"l1": -1e-9}, "l1 must be"),
    ({"dropout": 1}, "dropout must be"),
    ({"noise": float("inf")}, "noise must be"),
    ({"seed": -1}, "seed must be"),
    ({"shown": {"layer": 2, "unit": 0}}, "shown.layer must be a whole number from 0 to 1"),
    ({"shown": {"layer": 1, "unit": 3}}, "shown.unit must be a whole number from 0 to 2"),
    ({"shown": [1, 1]}, "shown must be an object"),
    ({"kind": "race"}, "kind must be advance, sharpness"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED, ids=lambda value: repr(value)[:40])
def test_what_cannot_be_asked_is_told_on_a_line_with_its_number(change, says):
    with pytest.raises(MessageError, match=says) as refused:
        asked(ADVANCE | change)
    assert (str(refused.value).isprintable(), refused.value.id) == (True, 7)


def test_thousand_hostile_messages_are_refused_on_a_line_or_are_bounded_requests():
    rng, refused = random.Random(0), []
    for _ in range(1000):
        try:
            request = asked(hostile(rng, (ADVANCE, OWN, SHARPNESS)))
        except MessageError as error:
            refused.append(str(error))
            continue
        if isinstance(request, AdvanceRequest):
            layers = request.start.architecture.layers
            assert len(layers) <= MAX_LAYERS
            assert all(1 <= units <= MAX_UNITS for units in layers)
            assert request.steps <= MAX_STEPS_PER_FRAME
            assert request.conduct.batch_size <= 10_000
    assert 300 < len(refused) < 1000
    assert all(says.isprintable() and len(says) < 400 for says in refused)
    assert len(json.dumps(OWN)) < MAX_BYTES
