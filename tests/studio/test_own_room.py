"""Balls, surfaces and curvature on a file's loss, beside descents by hand, exact Hessians and principal components."""

import json
import random

import numpy as np
import pytest
from asking import hostile, unpacked
from sklearn.decomposition import PCA

from descend.errors import InputError
from descend.studio.messages import MessageError, request_of
from descend.studio.own.opened_file import OpenedFile
from descend.studio.own.room import OwnRoom

BOWL = """
from descend import SGD
params = {"a": 2.0, "b": -1.0}
optimizer = SGD(0.05, momentum=0.5)
minima = [(0.0, 0.0)]
def loss(p):
    return p["a"] ** 2 + 3 * p["b"] ** 2
"""
# A logistic regression of three columns and an intercept, in batches.
LOGISTIC = """
import jax.numpy as jnp
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)) * [1, 2, 3]
y = (X @ [1.0, -1.0, 0.5] + rng.normal(size=60) > 0) * 1.0
data, batch_size = (X, y), 20
params = {"b": 0.0, "w": np.zeros(3)}
def loss(p, batch):
    inputs, targets = batch
    scores = inputs @ p["w"] + p["b"]
    return jnp.mean(jnp.logaddexp(0, scores) - targets * scores)
"""
ROLL = {"kind": "race", "id": 3, "balls": [{"rule": "sgd", "settings": {"learning_rate": 0.1}}], "steps": 20}
TWO = {"balls": [{"rule": "sgd", "settings": {"learning_rate": 0.5}}, {"rule": "momentum"}], "steps": 40}
SURFACE = {"kind": "surface", "id": 4, "window": [-1, 1, -2, 2], "size": [30, 15]}


def file_of(path, text):
    path.write_text(text)
    return OpenedFile(path).loaded


@pytest.fixture(scope="module")
def bowl(tmp_path_factory):
    return file_of(tmp_path_factory.mktemp("own") / "bowl.py", BOWL)


@pytest.fixture(scope="module")
def logistic(tmp_path_factory):
    return file_of(tmp_path_factory.mktemp("own") / "logistic.py", LOGISTIC)


def answered(room, message, is_newer=lambda: False):
    """The frames of an answer, but for those that tell how far it is."""
    _, request = request_of(json.dumps(message), room)
    frames = [unpacked(made) for made in room.frames(request, is_newer)]
    return [(header, body) for header, body in frames if header["kind"] != "progress"]


def rows_of(frames):
    return [body.reshape(-1, 4) for header, body in frames if header["kind"] == "ball"]


def test_it_is_told_what_the_file_has(bowl, logistic):
    told = OwnRoom(bowl).welcome()
    assert told["own"] == {"file": "bowl.py", "size": 2, "rows": 0, "batch_size": None, "is_plane": True,
                           "axes": ["a", "b"]}
    assert (told["functions"][0]["start"], told["functions"][0]["minima"]) == ([2.0, -1.0], ((0.0, 0.0),))
    own = told["rules"][0]
    assert (own["name"], own["title"], own["settings"][0]["default"]) == ("own", "SGD of bowl.py", 0.05)
    # A quarter of the limit: 2 and 2 + 2 × .9, over the curvature of 6.
    rates = {rule["name"]: rule["settings"][0]["default"] for rule in told["rules"]}
    assert (rates["sgd"], rates["momentum"], rates["adam"]) == (0.083, 0.16, 0.1)
    told = OwnRoom(logistic).welcome()
    assert told["own"] == {"file": "logistic.py", "size": 4, "rows": 60, "batch_size": 20, "is_plane": False,
                           "axes": []}
    assert {rule["name"]: rule["settings"][0]["default"] for rule in told["rules"]}["adam"] == 0.01
    json.dumps(told, allow_nan=False)


def test_two_parameters_are_raced_on_as_they_are(bowl):
    room = OwnRoom(bowl)
    frames = answered(room, ROLL)
    assert [header["kind"] for header, _ in frames] == ["plane", "ball", "done"]
    x0, x1, y0, y1 = frames[0][0]["window"]
    # All of the way is seen, and the minimum.
    assert x0 < 0
    assert x1 > 2
    assert y0 < -1 < 0.1 < y1
    k = np.arange(21)
    a, b = 2 * 0.8**k, -(0.4**k)
    np.testing.assert_allclose(rows_of(frames)[0], np.stack([a, b, a**2 + 3 * b**2, np.full(21, 6)], 1), rtol=1e-5)
    moved = answered(room, ROLL | {"start": [1.0, 1.0]})
    assert [header["kind"] for header, _ in moved] == ["ball", "done"]
    np.testing.assert_allclose(rows_of(moved)[0][:, 0], 0.8**k, rtol=1e-5)


def test_the_file_s_own_rule_races_and_its_rate_slides(bowl):
    for rate, settings in ((0.05, {}), (0.1, {"learning_rate": 0.1})):
        balls = [{"rule": "own", "settings": settings}]
        rows = rows_of(answered(OwnRoom(bowl), ROLL | {"balls": balls, "steps": 2}))[0]
        first = 2 - rate * 4
        assert rows[1:, 0] == pytest.approx([first, first - rate * 2 * first - 0.5 * rate * 4])


def test_a_surface_is_coarse_at_first_and_then_the_loss(bowl):
    frames = answered(OwnRoom(bowl), SURFACE)
    sizes = [tuple(header["size"]) for header, _ in frames]
    assert sizes[0] == (2, 2)
    assert sizes[-1] == (30, 15)
    assert [header["last"] for header, _ in frames] == [False] * (len(frames) - 1) + [True]
    x, y = np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-2, 2, 15))
    np.testing.assert_allclose(frames[-1][1].reshape(15, 30), x**2 + 3 * y**2, rtol=1e-6)


def test_a_ball_that_leaves_the_numbers_ends_there_and_hides_no_other(bowl):
    balls = [{"rule": "sgd", "settings": {"learning_rate": rate}} for rate in (8.0, 0.1)]
    frames = answered(OwnRoom(bowl), ROLL | {"balls": balls, "steps": 400})
    lost, stays = rows_of(frames)
    assert np.isnan(lost[-1]).all()
    assert np.isfinite(stays).all()
    assert max(map(abs, frames[0][0]["window"])) < 10


def by_hand(room, rate, steps):
    """Plain descent on the engine's batches, in NumPy, and all the points."""
    run, point = room.ground.run, np.zeros(4)
    for _ in range(steps + 1):
        yield point
        inputs, targets = map(np.float64, run.batch())
        slopes = 1 / (1 + np.exp(-(inputs @ point[1:] + point[0]))) - targets
        point = point - rate * np.concatenate([[slopes.mean()], inputs.T @ slopes / len(slopes)])
        run, _ = run.advance(1)


def test_more_are_seen_on_the_plane_of_their_ways(logistic):
    room = OwnRoom(logistic)
    frames = answered(room, ROLL | TWO)
    assert [header["kind"] for header, _ in frames] == ["plane", "ball", "ball", "done"]
    points = np.stack(list(by_hand(room, 0.5, 40)))
    np.testing.assert_allclose(room.ways[0].points, points, atol=2e-5)
    # Orthonormal, through the end of the lower ball, whose place is 0.
    plane, ends = room.plane, [way.losses[-1] for way in room.ways]
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-6)
    lower = int(np.argmin(ends))
    np.testing.assert_allclose(rows_of(frames)[lower][-1, :2], 0, atol=1e-5)
    # What it holds, beside what no plane can hold more of: principal components of all points and their mirror images,
    # whose mean is the origin.
    apart = np.concatenate([way.points for way in room.ways]) - plane.origin
    best = PCA(2).fit(np.concatenate([apart, -apart])).explained_variance_ratio_.sum()
    assert frames[-1][0]["share"] == pytest.approx(best, abs=1e-4)
    assert frames[0][0]["start"] == pytest.approx((-plane.axes @ plane.origin).tolist(), abs=1e-5)


def test_its_surface_is_the_loss_on_all_rows(logistic):
    room = OwnRoom(logistic)
    answered(room, ROLL | TWO)
    heights = answered(room, SURFACE)[-1][1].reshape(15, 30)
    at = room.plane.origin + np.array([-1, 2]) @ room.plane.axes
    inputs, targets = map(np.float64, room.ground.around.batch)
    assert len(inputs) == 60
    scores = inputs @ at[1:] + at[0]
    assert heights[-1, 0] == pytest.approx(np.mean(np.logaddexp(0, scores) - targets * scores), rel=1e-5)


def test_its_sharpness_is_the_largest_eigenvalue_of_the_whole_hessian(logistic):
    room = OwnRoom(logistic)
    answered(room, ROLL | TWO)
    (told, values), *_ = answered(room, {"kind": "sharpness", "id": 5})
    assert (told["kind"], told["ball"], len(values)) == ("sharpness", 0, 41)
    inputs = np.column_stack([np.ones(60), room.ground.around.batch[0]])
    for step in (0, 1, 40):
        chance = 1 / (1 + np.exp(-inputs @ room.ways[0].points[step]))
        hessian = (inputs.T * (chance * (1 - chance))) @ inputs / 60
        assert values[step] == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-3)


def test_a_start_is_moved_along_the_plane(logistic):
    room = OwnRoom(logistic)
    answered(room, ROLL | TWO)
    plane = room.plane
    frames = answered(room, ROLL | TWO | {"start": [0.5, -0.25], "steps": 3})
    assert rows_of(frames)[0][0, :2] == pytest.approx([0.5, -0.25], abs=1e-5)
    # What lies off the plane stays as in the file.
    off = lambda point: point - plane.origin - plane.axes.T @ (plane.axes @ (point - plane.origin))
    np.testing.assert_allclose(off(room.ways[0].points[0]), off(np.zeros(4)), atol=1e-5)
    assert room.plane is plane
    # Laid anew, it is another one, on which they start where they did.
    before = room.ways[0].points[0]
    again = answered(room, ROLL | TWO | {"start": [0.5, -0.25], "lay": True})
    np.testing.assert_allclose(room.ways[0].points[0], before, atol=1e-5)
    assert again[0][0]["start"] == pytest.approx(room.plane.places(before[None])[0].tolist(), abs=1e-5)


def test_a_seed_draws_other_batches(logistic):
    room = OwnRoom(logistic)
    same, other = (rows_of(answered(room, ROLL | {"lay": True, "seed": seed}))[0][:, 2] for seed in (0, 1))
    np.testing.assert_array_equal(same, rows_of(answered(room, ROLL))[0][:, 2])
    assert (same[1:] != other[1:]).any()


def test_ways_of_many_parameters_keep_every_so_many_points(logistic, monkeypatch):
    whole = rows_of(answered(OwnRoom(logistic), ROLL))[0]
    monkeypatch.setattr("descend.studio.own.balls.KEPT_BYTES", 6 * 4 * 4)
    room = OwnRoom(logistic)
    frames = answered(room, ROLL)
    assert frames[-1][0]["every"] == 4
    np.testing.assert_array_equal(rows_of(frames)[0][:, 2], whole[:, 2])
    kept = room.ways[0].steps
    assert {0, 4, 8, 12, 16, 20} <= set(kept.tolist())
    assert len(kept) < 21
    # Between two points that are kept, it is drawn straight.
    rows = rows_of(frames)[0]
    np.testing.assert_allclose(rows[18, :2], (rows[16, :2] + rows[20, :2]) / 2, rtol=1e-4)


def test_what_is_slow_is_stopped_and_told(logistic, monkeypatch):
    monkeypatch.setattr("descend.studio.own.balls.BALL_SECONDS", 0.0)
    frames = answered(OwnRoom(logistic), ROLL | {"steps": 500})
    ball, rows = frames[1]
    rows = rows.reshape(-1, 4)
    step = int(np.isfinite(rows[:, 2]).sum()) - 1
    assert 1 < step < 500
    assert ball["ended"] == f"it was stopped after 0 seconds, at step {step}"
    assert np.isnan(rows[step + 1 :]).all()


def test_it_gives_way_to_a_newer_question(logistic, monkeypatch):
    monkeypatch.setattr("descend.studio.own.room.PATIENCE", 0.0)
    room, sharpness = OwnRoom(logistic), {"kind": "sharpness", "id": 1}
    gives_up = lambda message: [header.get("given_up") for header, _ in answered(room, message, lambda: True)]
    assert gives_up(ROLL) == [True]
    answered(room, ROLL)
    assert gives_up(SURFACE) == gives_up(sharpness) == [True]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (SURFACE, "there is no plane yet"),
        (ROLL | {"start": [1.0, 2.0]}, "there is no plane yet"),
        (ROLL | {"steps": 0}, "steps must be"),
        (ROLL | {"lay": 1}, "lay must be true or false"),
        (ROLL | {"start": [1.0]}, "start must be 2 numbers"),
        (ROLL | {"balls": [{"rule": "own"}]}, "rule must be one of"),
        ({"kind": "read", "id": 1, "file": "/etc/passwd"}, "kind must be"),
    ],
)
def test_what_cannot_be_answered_is_refused(logistic, message, says):
    with pytest.raises((InputError, MessageError), match=says):
        answered(OwnRoom(logistic), message)


def test_a_start_where_the_loss_is_no_number_is_refused(tmp_path):
    text = "import jax.numpy as jnp\nparams = [1.0, 2.0]\ndef loss(x):\n    return x[1] ** 2 - jnp.log(x[0]) + x[0]\n"
    room = OwnRoom(file_of(tmp_path / "log.py", text))
    answered(room, ROLL)
    with pytest.raises(InputError, match="not finite where the balls start"):
        answered(room, ROLL | {"start": [-1.0, 1.0]})


def test_thousand_hostile_messages_are_refused_or_answered(bowl):
    rng, room = random.Random(2), OwnRoom(bowl)
    answered(room, ROLL)
    ours = [ROLL | {"steps": 3}, SURFACE | {"size": [3, 2]}, {"kind": "sharpness", "id": 5}, {"kind": "file", "id": 6}]
    kinds, says = set(), []
    for _ in range(1000):
        try:
            _, request = request_of(hostile(rng, ours), room)
            frames = [unpacked(made)[0] for made in room.frames(request, lambda: False)]
        except InputError as error:
            says.append(str(error))
        else:
            assert frames[-1]["last"]
            kinds |= {header["kind"] for header in frames}
    assert "\n" not in "".join(says)
    assert 900 < len(says) < 1000
    assert {"ball", "done", "surface"} <= kinds <= {"plane", "ball", "progress", "done", "surface", "curved", "file"}
