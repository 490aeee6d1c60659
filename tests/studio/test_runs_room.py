"""What the page of runs may ask, the frames that it gets, and reports that reach nothing."""

import copy
import json
import os
import random

import numpy as np
import pytest
from asking import VALUES, unpacked
from starlette.testclient import TestClient

from descend.studio.messages import MessageError, Request, request_of
from descend.studio.opened import Opened
from descend.studio.rooms import places
from descend.studio.runs.asking import MAX_CHOSEN
from descend.studio.runs.listing import Listing
from descend.studio.runs.reports import Reports
from descend.studio.runs.room import RunsRoom
from descend.studio.server import application
from descend.studio.threads import Threads
from run_folders import finished

PORT, TOKEN = 8124, "the-right-token"
OWN = f"http://127.0.0.1:{PORT}"
LIST = {"kind": "list", "id": 1, "since": 0}
CURVES = {"kind": "curves", "id": 2, "runs": [1, 2], "series": "loss"}
REPORT = {"kind": "report", "id": 3, "run": 1, "page": "report"}
FORK = {"kind": "fork", "id": 4, "run": 1, "start": "beginning"}
GO = {"kind": "go", "id": 5, "fork": 1, "since": 0}
RATE = {"kind": "rate", "id": 6, "fork": 1, "learning_rate": 0.1}
EXAMINE = {"kind": "examine", "id": 7, "run": 1, "seconds": 10}
REPLAY = {"kind": "replay", "id": 8, "run": 1, "diagnosis": 0}
LANDSCAPE = {"kind": "landscape", "id": 9, "run": 1}
MESSAGES = [LIST, CURVES, REPORT, FORK, GO, RATE, EXAMINE, REPLAY, LANDSCAPE]


@pytest.fixture
def room(tmp_path):
    finished(tmp_path / "a", losses=[3.0, 1.0])
    finished(tmp_path / "b", losses=[4.0, np.inf, 2.0])
    return RunsRoom(Listing((tmp_path,)), Reports())


def answered(room, message):
    request = request_of(json.dumps(message), room)[1]
    return [unpacked(made) for made in room.frames(request, lambda: False)]


def test_the_list_is_whole_at_first_and_then_what_changed(room, tmp_path):
    ((first, _),) = answered(room, LIST)
    assert [(run["number"], run["name"], run["score"]) for run in first["runs"]] == [(1, "a", 0.5), (2, "b", 0.5)]
    assert (first["since"], first["last"]) == (0, True)
    ((second, _),) = answered(room, LIST | {"since": first["version"]})
    assert (second["runs"], second["gone"]) == ([], [])
    # A page from before the studio was started anew knows nothing of this one.
    ((third, _),) = answered(room, LIST | {"since": 99})
    assert third["since"] == 0
    assert len(third["runs"]) == 2


def test_curves_come_one_for_each_run_and_one_that_cannot_is_told(room, tmp_path):
    answered(room, LIST)
    (tmp_path / "a" / "history.parquet").write_bytes(b"PAR1")
    first, second, third, done = answered(room, CURVES | {"runs": [1, 2, 9, 2]})
    assert "damaged" in first[0]["says"]
    assert (second[0]["run"], second[0]["names"], second[1].tolist()) == (2, ["loss"], [0, 4, 1, np.inf, 2, 2])
    assert "was removed" in third[0]["says"]
    assert done[0] == {"kind": "done", "id": 2, "last": True}
    (nothing, _), _ = answered(room, CURVES | {"runs": [2], "series": "__class__"})
    assert nothing["says"] == ""


REFUSED = [
    (LIST | {"since": -1}, "since must be"),
    (LIST | {"since": "0"}, "since must be"),
    (CURVES | {"runs": []}, "a list of 1 to"),
    (CURVES | {"runs": list(range(1, MAX_CHOSEN + 2))}, "a list of 1 to"),
    (CURVES | {"runs": ["../x"]}, "numbers of runs"),
    (CURVES | {"runs": [0]}, "numbers of runs"),
    (CURVES | {"runs": [True]}, "numbers of runs"),
    (CURVES | {"series": 3}, "series must be a text"),
    (REPORT | {"page": "../../etc/passwd"}, "page must be report or doctor"),
    (REPORT | {"run": "a"}, "run must be"),
    (REPORT | {"kind": "race"}, "kind must be"),
    (FORK | {"start": "end"}, "start must be beginning or checkpoint"),
    (RATE | {"learning_rate": -1}, "learning_rate must be"),
    (RATE | {"learning_rate": float("inf")}, "learning_rate must be"),
    (GO | {"fork": 0}, "fork must be"),
    (EXAMINE | {"seconds": 1e9}, "seconds must be"),
    (REPLAY | {"diagnosis": -1}, "diagnosis must be"),
]


@pytest.mark.parametrize(("message", "says"), REFUSED, ids=lambda value: repr(value)[:60])
def test_what_cannot_be_asked_is_told_on_a_line(room, message, says):
    with pytest.raises(MessageError, match=says) as refused:
        request_of(json.dumps(message), room)
    assert refused.value.id == message["id"]


def hostile(rng):
    message = copy.deepcopy(rng.choice(MESSAGES))
    for _ in range(rng.randint(1, 2)):
        message[rng.choice([*message, "kind"])] = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(message)
    cut = rng.randrange(len(text))
    return text if rng.random() < 0.7 else text[:cut] + rng.choice(["", "[" * 5000, "\0", "9" * 5000]) + text[cut + 1 :]


def test_thousand_hostile_messages_are_refused_or_answered(room):
    rng, refused = random.Random(0), []
    for _ in range(1000):
        try:
            request = request_of(hostile(rng), room)[1]
        except MessageError as error:
            refused.append(str(error))
        else:
            assert isinstance(request, Request)
    assert 300 < len(refused) < 1000
    assert all(says.isprintable() and len(says) < 400 for says in refused)


@pytest.fixture
def client(tmp_path):
    finished(tmp_path / "a")
    with Threads() as threads:
        rooms = places(Opened("runs", runs=(tmp_path,)))
        yield TestClient(application(TOKEN, PORT, rooms, threads), base_url=OWN)


def asks(client, *messages):
    """The last answer to messages of a page with the token."""
    with client.websocket_connect(f"ws://127.0.0.1:{PORT}/ws", headers={"origin": OWN}) as socket:
        socket.send_text(json.dumps({"kind": "hello", "token": TOKEN, "room": "runs"}))
        assert unpacked(socket.receive_bytes())[0]["kind"] == "welcome"
        for message in messages:
            socket.send_text(json.dumps(message))
            answer = unpacked(socket.receive_bytes())[0]
    return answer


def test_a_report_is_served_once_under_a_secret_address_and_may_reach_nothing(client):
    path = asks(client, LIST, REPORT)["path"]
    assert len(path) > 40
    answer = client.get(path)
    assert "what came of it" in answer.text
    policies = answer.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert policies[0].startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in policies[0]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get(path).status_code == 404
    assert client.get("/report/../run.json").status_code == 404
    assert client.get("/report/x").headers["content-security-policy"].startswith("default-src 'self'")
    assert client.get("/runs").headers["content-security-policy"].startswith("default-src 'self'")


def test_a_report_that_leads_elsewhere_or_is_none_is_not_served(client, tmp_path):
    (tmp_path / "secret").write_text("secret")
    report = tmp_path / "a" / "report.html"
    assert "no doctor.html" in asks(client, LIST, REPORT | {"page": "doctor"})["says"]
    for turn in (lambda: report.symlink_to(tmp_path / "secret"), lambda: os.mkfifo(report), lambda: None):
        path = asks(client, LIST, REPORT)["path"]
        report.unlink()
        turn()
        assert client.get(path).status_code == 404
        if not report.exists():
            break
    assert "no report.html" in asks(client, LIST, REPORT)["says"]


def test_an_address_is_of_use_for_a_minute(client, monkeypatch):
    monkeypatch.setattr("descend.studio.runs.reports.SECONDS", -1.0)
    assert client.get(asks(client, LIST, REPORT)["path"]).status_code == 404
