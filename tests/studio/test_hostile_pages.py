"""Whatever comes over the socket of any room, the server goes on, and what it takes stays bounded."""

import json
import random
import resource

import pytest
from asking import RACE, SURFACE, hostile, unpacked
from starlette.testclient import TestClient
from test_lessons_room import FIGURE, GROUND, OPEN
from test_own_room import BOWL, ROLL
from test_playground_room import ADVANCE, SHARPNESS
from test_runs_room import MESSAGES

from descend.studio.opened import Opened
from descend.studio.rooms import places
from descend.studio.server import application
from descend.studio.threads import Threads
from run_folders import finished

PORT, TOKEN = 8125, "the-right-token"
ORIGIN = f"http://127.0.0.1:{PORT}"
COUNT = 1000
# What a page of each room asks; the first is what is asked at the end.
ASKED = {
    "race": (SURFACE, RACE),
    "own": (ROLL | {"steps": 5}, {"kind": "sharpness", "id": 5}, {"kind": "file", "id": 6}),
    "playground": (SHARPNESS, ADVANCE),
    "lessons": (OPEN, GROUND, FIGURE),
    "runs": tuple(MESSAGES),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "bowl.py").write_text(BOWL)
    finished(folder / "runs" / "a")
    with Threads() as threads:
        rooms = places(Opened(runs=(folder / "runs",), own=folder / "bowl.py"))
        yield TestClient(application(TOKEN, PORT, rooms, threads), base_url=ORIGIN)


@pytest.mark.parametrize("room", ASKED)
def test_a_thousand_hostile_messages_and_the_server_goes_on(client, room):
    rng, before = random.Random(3), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with client.websocket_connect(f"ws://127.0.0.1:{PORT}/ws", headers={"origin": ORIGIN}) as socket:
        told = lambda: unpacked(socket.receive_bytes())[0]
        socket.send_text(json.dumps({"kind": "hello", "token": TOKEN, "room": room}))
        assert told()["kind"] == "welcome"
        for _ in range(COUNT):
            if rng.random() < 0.05:
                socket.send_bytes(rng.randbytes(rng.randint(0, 5000)))
            else:
                socket.send_text(hostile(rng, ASKED[room]))
        socket.send_text(json.dumps(ASKED[room][0] | {"id": 10**6}))
        answers = []
        while (header := told()).get("id") != 10**6:
            answers.append(header)
    assert not [header for header in answers if "fault of descend" in header.get("says", "")]
    refused = [header["says"] for header in answers if header["kind"] == "error"]
    assert len(refused) > COUNT / 3
    assert all(says.isprintable() for says in refused)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB
