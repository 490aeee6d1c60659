"""The server: who is let in, what the page is served, and that nothing that is sent to it harms it."""

import json
import signal
import subprocess
import sys

import pytest
from asking import RACE, SURFACE, unpacked
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from descend.errors import InputError
from descend.studio.messages import MAX_BYTES
from descend.studio.opened import Opened
from descend.studio.rooms import places
from descend.studio.server import MAX_SOCKETS, application, listening
from descend.studio.threads import Threads

PORT, TOKEN = 8123, "the-right-token"
OWN = f"http://127.0.0.1:{PORT}"
HELLO = {"kind": "hello", "token": TOKEN, "room": "race"}


@pytest.fixture(scope="module")
def client():
    with Threads() as threads:
        yield TestClient(application(TOKEN, PORT, places(Opened()), threads), base_url=OWN)


def opened(client, origin=OWN, **headers):
    """A websocket of a page from this origin."""
    return client.websocket_connect(
        f"ws://127.0.0.1:{PORT}/ws", headers=({"origin": origin} if origin else {}) | headers
    )


def told(socket):
    return unpacked(socket.receive_bytes())[0]


def greeted(socket):
    socket.send_text(json.dumps(HELLO))
    assert told(socket)["kind"] == "welcome"


@pytest.mark.parametrize(
    "path", ["/", "/plotly.js", "/static/race/index.html", "/nothing", "/static/../server.py", "/ws"]
)
def test_whatever_is_answered_has_the_headers_of_security(client, path):
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_its_modules_and_plotly_are_served_and_nothing_else(client):
    assert client.get("/").headers["content-type"].startswith("text/html")
    assert "plotly" in client.get("/plotly.js").text[:300]
    for path in (
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2fserver.py",
        "/static//etc/passwd",
        "/server.py",
        "/static/",
        "/docs",
        "/openapi.json",
    ):
        assert client.get(path).status_code == 404, path
    assert client.post("/").status_code == 405


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:1",
        f"127.0.0.1.evil:{PORT}",
        f"localhost.:{PORT}",
        "",
    ],
)
def test_a_foreign_host_is_refused(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 403
    assert answer.headers["content-security-policy"]
    with pytest.raises(WebSocketDisconnect), opened(client, f"http://{host}", host=host):
        pass


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://evil.example",
        "https://127.0.0.1:8123",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:8123",
        f"{OWN}.evil.example",
        f"{OWN}/",
    ],
)
def test_a_foreign_or_missing_origin_is_refused(client, origin):
    with pytest.raises(WebSocketDisconnect), opened(client, origin):
        pass


def test_localhost_is_a_name_of_its_own(client):
    with opened(client, f"http://localhost:{PORT}", host=f"localhost:{PORT}") as socket:
        greeted(socket)


@pytest.mark.parametrize(
    "first",
    [
        json.dumps(HELLO | {"token": "the-wrong-token"}),
        json.dumps(HELLO | {"token": ""}),
        json.dumps(HELLO | {"token": "\ud800"}),
        json.dumps(HELLO | {"token": TOKEN + "x"}),
        '{"kind": "hello"}',
        json.dumps(RACE),
        "nonsense",
        "",
    ],
)
def test_who_has_no_token_gets_no_further(client, first):
    with opened(client) as socket:
        socket.send_text(first)
        assert "token is wrong" in told(socket)["says"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_bytes()
    assert closed.value.code == 1008


def test_a_room_that_there_is_not_is_told_to_those_who_have_the_token(client):
    for hello, says in ((HELLO, "no such room"), (HELLO | {"token": "x"}, "token is wrong")):
        with opened(client) as socket:
            socket.send_text(json.dumps(hello | {"room": "../race"}))
            assert says in told(socket)["says"]


def test_who_says_no_hello_is_not_waited_for(client, monkeypatch):
    monkeypatch.setattr("descend.studio.server.HELLO_SECONDS", 0.05)
    with opened(client) as socket:
        assert "no hello" in told(socket)["says"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_bytes()
    assert closed.value.code == 1008


def test_a_race_and_a_surface_as_the_page_asks_for_them(client):
    with opened(client) as socket:
        greeted(socket)
        socket.send_text(json.dumps(SURFACE))
        header, heights = unpacked(socket.receive_bytes())
        assert (header["kind"], header["id"], header["size"]) == ("surface", 8, [16, 12])
        assert heights.reshape(12, 16)[0, 0] == 9 + 100 * 25  # at (-2, -1)
        assert (header["low"], header["high"]) == (heights.min(), heights.max())
        assert header["mathml"].startswith("<math")
        socket.send_text(json.dumps(RACE | {"balls": RACE["balls"] + [{"rule": "lion"}]}))
        for i, limit in enumerate([38.0, None]):
            header, rows = unpacked(socket.receive_bytes())
            assert (header["kind"], header["id"], header["ball"], header["steps"]) == ("ball", 7, i, 300)
            assert header["limit"] == (limit and pytest.approx(limit))
            assert rows.reshape(-1, 4)[0].tolist()[:3] == [-1.5, 2.0, 14.25]
            assert len(rows) == 4 * 301
        assert told(socket)["kind"] == "done"


def test_what_is_too_large_ends_the_page(client):
    with opened(client) as socket:
        greeted(socket)
        socket.send_text(" " * (MAX_BYTES + 1))
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_bytes()
    assert closed.value.code == 1009


def test_few_pages_are_open_at_once(client):
    pages = [opened(client) for _ in range(MAX_SOCKETS)]
    for page in pages:
        greeted(page.__enter__())
    with opened(client) as socket:
        assert "open already" in told(socket)["says"]
    for page in pages:
        page.__exit__(None, None, None)
    with opened(client) as socket:
        greeted(socket)


def test_a_port_that_is_taken_is_refused_on_a_line():
    with listening(0) as first:
        port = first.getsockname()[1]
        assert first.getsockname()[0] == "127.0.0.1"
        with pytest.raises(InputError, match=f"port {port} cannot be used .*: give another --port, or none"):
            listening(port)


@pytest.mark.processes
def test_a_studio_of_its_own_process_serves_refuses_and_ends_at_ctrl_c(tmp_path):
    command = [sys.executable, "-c", "from descend.cli import main; main()", "studio", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            page, token = process.stdout.readline().split()[-1].split("/#token=")
            url = page.replace("http", "ws") + "/ws"
            with pytest.raises(InvalidStatus) as refused:
                connect(url, origin="http://evil.example")
            assert refused.value.response.status_code == 403
            with connect(url, origin=page) as socket:
                socket.send(json.dumps(HELLO | {"token": token}))
                assert unpacked(socket.recv())[0]["kind"] == "welcome"
                # Refused before it is whole in memory.
                socket.send("x" * (10 * MAX_BYTES))
                with pytest.raises(ConnectionClosedError) as closed:
                    socket.recv()
                assert closed.value.rcvd.code == 1009
            with connect(url, origin=page):
                process.send_signal(signal.SIGINT)
                assert process.wait(20) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
