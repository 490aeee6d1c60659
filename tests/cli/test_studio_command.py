"""`descend studio`: the address, the browser, and what is refused."""

import sys

import pytest

from descend.studio.server import listening


@pytest.fixture
def served(monkeypatch):
    """What is served and opened, instead of serving and opening it."""
    calls = []

    def serve(on, token, places):
        calls.append(("serve", on.getsockname(), token))
        raise KeyboardInterrupt

    monkeypatch.setattr("descend.studio.server.serve", serve)
    monkeypatch.setattr("webbrowser.open", lambda url: calls.append(("open", url)))
    return calls


def test_it_prints_the_address_opens_it_and_ends_well_at_ctrl_c(descend, served):
    said = descend("studio")
    assert (said.code, said.err) == (0, "")
    (opened, url), (serve, (host, port), token) = served
    assert (opened, serve, host) == ("open", "serve", "127.0.0.1")
    assert url == f"http://127.0.0.1:{port}/#token={token}"
    assert said.out == f"descend studio: {url}\n"
    assert len(token) >= 40
    descend("studio", "--no-browser")
    assert [call[0] for call in served] == ["open", "serve", "serve"]
    assert served[2][2] != token


def test_it_listens_where_it_is_told(descend, served):
    with listening(0) as free:
        port = free.getsockname()[1]
    assert descend("studio", "--port", port, "--no-browser").code == 0
    assert served[0][1] == ("127.0.0.1", port)


def test_what_cannot_be_is_told_on_a_line(descend, monkeypatch):
    with listening(0) as taken:
        said = descend("studio", "--port", taken.getsockname()[1])
    assert said.code == 2
    assert said.err.startswith(f"descend: port {said.err.split()[2]} cannot be used")
    assert said.err.count("\n") == 1
    assert descend("studio", "--port", 70000).err == "descend: --port must be a number from 0 to 65535, but is 70000\n"
    monkeypatch.delitem(sys.modules, "descend.studio.server")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = descend("studio")
    assert (said.code, said.out) == (2, "")
    assert "uvicorn, which is not installed: pip install 'descend[studio]'" in said.err


def test_a_table_opens_the_playground_with_it(descend, served, tmp_path):
    table = "a,b,kind\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(20))
    (tmp_path / "mine.csv").write_text(table)
    assert descend("studio", tmp_path / "mine.csv").code == 0
    assert "/playground#token=" in served[0][1]
    (tmp_path / "poor.csv").write_text("a,b\n1,2\n2,3\n")
    for names, says in ((["poor.csv"], "poor has no two columns of numbers"), (["mine.csv"] * 2, "name one table")):
        said = descend("studio", "--no-browser", *(tmp_path / name for name in names))
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
        assert says in said.err
    assert len(served) == 2


def test_what_no_room_shows_is_told_on_a_line(descend, served, tmp_path):
    (tmp_path / "notes.txt").write_text("")
    for name, says in (("notes.txt", "is empty"), ("nowhere", "there is no "), ("\0", "there is no ")):
        said = descend("studio", "--no-browser", tmp_path / name)
        assert (said.code, said.out) == (2, "")
        assert says in said.err
        assert said.err.count("\n") == 1
    assert served == []


def test_a_file_with_a_loss_is_opened_in_its_room(descend, served, tmp_path):
    file = tmp_path / "model.py"
    file.write_text("params = [1.0, 2.0]\ndef loss(x):\n    return x[0] ** 2 + x[1] ** 2\n")
    said = descend("studio", "--no-browser", file)
    assert (said.code, said.err) == (0, "")
    assert "/own#token=" in said.out
    said = descend("studio", "--no-browser", file, file)
    assert (said.code, said.out) == (2, "")
    assert "name one file with a loss" in said.err


def test_what_is_wrong_with_a_file_is_told_before_anything_is_served(descend, served, tmp_path):
    file = tmp_path / "model.py"
    file.write_text("import jax\nparams = [1.0, 2.0]\ndef loss(x):\n    return x.nothing\n")
    said = descend("studio", file)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"descend: {file}:4: AttributeError")
    assert said.err.count("\n") == 1
    assert served == []
