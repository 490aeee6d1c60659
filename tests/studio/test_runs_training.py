"""Trainings that are taken further from a run's folder: forked, changed, paused; and where that is not possible."""

import json
import shutil

import numpy as np
import pytest
from asking import unpacked

from descend.errors import InputError
from descend.studio.messages import request_of
from descend.studio.runs.listing import Listing
from descend.studio.runs.reports import Reports
from descend.studio.runs.room import RunsRoom
from descend.studio.runs.trainings import MAX_FORKS, once_more
from descend.tasks.begun import source_of
from run_folders import asked, finished


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """A run that `descend fit` made of a table."""
    from descend.cli.fit import fit

    folder = tmp_path_factory.mktemp("runs")
    fit("sample:wine", "target", model="mlp", optimizer="sgd", learning_rate=0.05, epochs=4, batch_size=32,
        out=folder / "wine", quiet=True, no_insight=True)
    return folder


@pytest.fixture
def room(wine):
    made = RunsRoom(Listing((wine,)), Reports())
    made.listing.look()
    return made


def asks(room, kind, **fields):
    """The answer to a question, and the rows of its series by name."""
    request = request_of(json.dumps({"kind": kind, "id": 1, **fields}), room)[1]
    head, numbers = unpacked(next(room.frames(request, lambda: False)))
    rows, from_row, parts = numbers.reshape(-1, 2), 0, {}
    for name, count in head.get("parts", []):
        parts[name] = rows[from_row : from_row + count]
        from_row += count
    return head, parts


def to_its_end(room, fork):
    rows = []
    for _ in range(200):
        head, parts = asks(room, "go", fork=fork, since=int(rows[-1][0]) + 1 if rows else 0)
        rows += parts.get("loss", np.zeros((0, 2))).tolist()
        if head["reason"]:
            break
    return head, np.array(rows)


def test_a_fork_at_the_beginning_is_the_run_itself_until_something_is_changed(room, wine):
    head, _ = asks(room, "fork", run=1, start="beginning")
    assert (head["step"], head["reason"]) == (0, "")
    changed, _ = asks(room, "fork", run=1, start="beginning")
    end, rows = to_its_end(room, head["fork"])
    import pandas as pd

    told = pd.read_parquet(wine / "wine" / "history.parquet")
    np.testing.assert_array_equal(rows[:, 1], told["loss"].dropna())
    assert (end["reason"], end["step"]) == ("budget", len(told))
    rate, _ = asks(room, "rate", fork=changed["fork"], learning_rate=0.5)
    assert rate["learning_rate"] == pytest.approx(0.5)
    _, other = to_its_end(room, changed["fork"])
    assert other[0, 1] == rows[0, 1]
    assert (other[2:, 1] != rows[2:, 1]).all()


def test_nothing_is_written_where_the_run_lies(room, wine):
    before = {path: path.stat().st_mtime_ns for path in wine.rglob("*")}
    with pytest.raises(InputError, match=r"made all of its .* steps: fork it at its beginning"):
        asks(room, "fork", run=1, start="checkpoint")
    assert {path: path.stat().st_mtime_ns for path in wine.rglob("*")} == before


def test_what_cannot_be_begun_once_more_is_told_on_a_line(wine, tmp_path):
    told = json.loads((wine / "wine" / "run.json").read_text())
    assert told["source"] == "sample:wine"
    for source, says in (("/dev/zero", "is not at /dev/zero any more: name it with --data"), ("", "does not say")):
        folder = asked(tmp_path / f"run{len(source)}")
        (folder / "run.json").write_text(json.dumps(told | {"source": source}))
        with pytest.raises(InputError, match=says) as refused:
            once_more(folder, (), "beginning")
        assert str(refused.value).isprintable()
    (tmp_path / "policy").mkdir()
    policy = {"environment": "os:x", "digest": "", "settings": {"algorithm": "ppo", "steps": None, "seed": 0}}
    (tmp_path / "policy" / "run.json").write_text(json.dumps(policy))
    with pytest.raises(InputError, match="a file may not name"):
        once_more(tmp_path / "policy", (), "beginning")
    with pytest.raises(InputError, match="has no checkpoint"):
        once_more(finished(tmp_path / "bare"), (tmp_path / "prices",), "checkpoint")


def test_data_that_were_moved_are_found_where_the_command_line_names_them(tmp_path):
    folder = asked(tmp_path / "run")
    table = tmp_path / "prices.csv"
    table.touch()
    with pytest.raises(InputError, match="prices, which run was trained on"):
        source_of(folder)
    assert source_of(folder, (tmp_path / "others.csv", table)) == str(table)
    told = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(told | {"source": str(table)}))
    assert source_of(folder) == str(table)
    (folder / "run.json").write_text(json.dumps(told | {"table": "Prices", "source": f"{table}#Prices"}))
    assert source_of(folder) == f"{table}#Prices"
    assert source_of(folder, (table,)) == f"{table}#Prices"
    for passing in ("https://127.0.0.1/prices.csv", "-"):
        (folder / "run.json").write_text(json.dumps(told | {"source": passing}))
        with pytest.raises(InputError, match=f"came from {passing}: name it with --data"):
            source_of(folder)
    (folder / "run.json").write_text(json.dumps(told | {"source": str(table)}))
    shutil.move(table, tmp_path / "elsewhere.csv")
    with pytest.raises(InputError, match="any more: name it with --data"):
        source_of(folder)


def test_forks_are_few_and_go_with_their_page(room):
    for _ in range(MAX_FORKS):
        head, _ = asks(room, "fork", run=1, start="beginning")
    with pytest.raises(InputError, match="open already"):
        asks(room, "fork", run=1, start="beginning")
    assert asks(room, "drop", fork=head["fork"])[0]["kind"] == "dropped"
    with pytest.raises(InputError, match="there is no fork"):
        asks(room, "go", fork=head["fork"], since=0)
    room.close()
    with pytest.raises(InputError, match="there is no fork"):
        asks(room, "go", fork=1, since=0)
