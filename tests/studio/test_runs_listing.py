"""The list of runs: what their folders say, what changed since, and that no file of anybody's ends it."""

import json
import shutil

import numpy as np
import pytest

from descend._locks import hold, is_held, release
from descend.errors import InputError
from descend.studio.runs.curves import curves
from descend.studio.runs.listing import Listing
from locking import locked_by
from run_folders import asked, checkpointed, finished


def listed(*roots, since=0):
    listing = Listing(tuple(roots))
    listing.look()
    return {known.entry.name: known.entry for known in listing.since(since)[0]}


def test_a_run_is_listed_with_what_came_of_it(tmp_path):
    finished(tmp_path / "prices", learning_rate=0.3)
    (entry,) = listed(tmp_path).values()
    assert (entry.name, entry.kind, entry.on, entry.status) == ("prices", "table", "prices", "finished")
    assert (entry.reason, entry.evidence, entry.metric, entry.score) == ("budget", "10 steps were made", "r2", 0.5)
    assert (entry.steps, entry.seconds, entry.pages, entry.fault) == (10, 2.5, ("report",), "")
    assert entry.settings["learning_rate"] == 0.3
    assert entry.settings["data"] == "d" * 12
    assert entry.verdict == ("It was short.",)
    assert entry.date == pytest.approx((tmp_path / "prices" / "run.json").stat().st_mtime)


@pytest.mark.parametrize(
    ("told", "metrics", "expected"),
    [
        ({"text": "a.txt"}, {"stopped": "plateau: nothing more: at all", "perplexity": 12.5},
         ("language model", "plateau", "nothing more: at all", "perplexity", 12.5)),
        ({"environment": "CartPole-v1"}, {"reason": "reached", "evidence": "e", "mean_return": 480.0},
         ("policy", "reached", "e", "mean return", 480.0)),
        ({"collection": "digits"}, {"reason": "budget", "evidence": "e", "metric": "accuracy", "score": 1},
         ("pictures or texts", "budget", "e", "accuracy", 1.0)),
    ],
)  # fmt: skip
def test_each_command_has_its_words_for_it(tmp_path, told, metrics, expected):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps(told | {"digest": "", "settings": {}}))
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    (entry,) = listed(tmp_path).values()
    assert (entry.kind, entry.reason, entry.evidence, entry.metric, entry.score) == expected


def test_runs_are_found_below_and_where_they_are_named_but_not_behind_links(tmp_path):
    finished(tmp_path / "one" / "a")
    finished(tmp_path / "one" / "sweep" / "b")
    finished(tmp_path / "two" / "a")
    finished(tmp_path / "one" / ".hidden" / "c")
    finished(tmp_path / "outside")
    (tmp_path / "one" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "one" / "loop").symlink_to(tmp_path / "one")
    assert set(listed(tmp_path / "one")) == {"a", "sweep/b"}
    assert set(listed(tmp_path / "one", tmp_path / "two")) == {"one/a", "one/sweep/b", "two/a"}
    assert set(listed(tmp_path / "one" / "a")) == {"a"}
    assert listed(tmp_path / "nowhere") == {}


def test_running_is_what_a_process_holds_and_interrupted_what_it_left(tmp_path):
    folder = checkpointed(asked(tmp_path / "live"), [3.0, 2.0], seconds=7.5)
    assert listed(tmp_path)["live"].status == "interrupted"
    listing = Listing((tmp_path,))
    with locked_by(1, folder / ".lock"):
        listing.look()
        ((known,), version) = listing.since(0)[0], listing.version
        assert (known.entry.status, known.entry.steps, known.entry.seconds) == ("running", 2, 7.5)
        checkpointed(folder, [3.0, 2.0, 1.0], seconds=9.0)
        listing.look()
        assert listing.since(version)[0][0].entry.steps == 3
    # Killed: its lock's file stays, and nobody holds it.
    listing.look()
    assert (folder / ".lock").exists()
    assert listing.since(version)[0][0].entry.status == "interrupted"


def test_a_trial_is_under_way_as_long_as_its_sweep_is(tmp_path):
    asked(tmp_path / "s" / "rate=1")
    finished(tmp_path / "s" / "rate=2", {"reason": "halved", "evidence": "others lost less"})
    with locked_by(1, tmp_path / "s" / ".lock"):
        seen = listed(tmp_path)
    assert [seen[f"s/rate={rate}"].status for rate in (1, 2)] == ["running", "finished"]
    assert seen["s/rate=2"].reason == "halved"
    assert listed(tmp_path)["s/rate=1"].status == "interrupted"


def test_who_looks_keeps_nobody_out(tmp_path):
    (tmp_path / ".lock").touch()
    assert not is_held(tmp_path / ".lock")
    hold(tmp_path / ".lock", tmp_path)
    assert is_held(tmp_path / ".lock")
    release(tmp_path / ".lock")
    assert not is_held(tmp_path / ".lock")


def test_only_what_changed_is_told_again_and_what_went(tmp_path):
    for name in "abc":
        finished(tmp_path / name)
    listing = Listing((tmp_path,))
    listing.look()
    numbers = {known.entry.name: known.number for known in listing.since(0)[0]}
    version = listing.version
    listing.look()
    assert listing.version == version
    assert listing.since(version) == ([], [])
    (tmp_path / "b" / "metrics.json").write_text(json.dumps({"metric": "r2", "score": 0.9}))
    shutil.rmtree(tmp_path / "c")
    finished(tmp_path / "d")
    listing.look()
    new, gone = listing.since(version)
    assert {known.entry.name: known.entry.score for known in new} == {"b": 0.9, "d": 0.5}
    assert gone == [numbers["c"]]
    assert listing[numbers["b"]].folder == tmp_path / "b"
    with pytest.raises(InputError, match="was removed"):
        listing[numbers["c"]]
    # Who begins anew is told all there is, and of nothing that went before.
    assert len(listing.since(0)[0]) == 3
    assert listing.since(0)[1] == []


BROKEN = ["", "{", "[]", "null", '"x"', "[" * 100_000, '{"a": ' * 100_000, "\0", "9" * 5000]
ODD = ["{}", "\ufeff{}", '{"table": 3, "settings": [], "digest": {}, "score": true, "steps": "x", "verdict": 3}',
       '{"table": "t", "settings": {"a": {"b": NaN}, "c": 1e999}, "score": NaN, "steps": 1e999, "verdict": [[]]}',
       '{"table": "\\ud800", "settings": {"\\ud800": "<script>"}, "reason": "\\ud800", "model": "\\u202e"}',
      ]  # fmt: skip


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
@pytest.mark.parametrize("content", BROKEN + ODD, ids=range(len(BROKEN + ODD)))
def test_a_damaged_file_is_told_of_and_nothing_else_is_lost(tmp_path, name, content):
    finished(tmp_path / "whole")
    (finished(tmp_path / "broken") / name).write_text(content)
    entries = listed(tmp_path)
    assert entries["whole"].fault == ""
    broken = entries["broken"]
    json.dumps(vars(broken), allow_nan=False)
    assert broken.fault.isprintable()
    assert len(broken.fault) < 400
    if content in BROKEN:
        assert f"{name} is damaged" in broken.fault


def test_what_was_recorded_is_read_where_it_lies(tmp_path):
    live = checkpointed(asked(tmp_path / "live"), [3.0, 2.0, 1.5])
    found = curves(live)
    assert found["loss"].tolist() == [[0, 3], [1, 2], [2, 1.5]]
    # After three steps, the last of which is number 2.
    assert found["validation_loss"].tolist() == [[2, 0.5]]
    done = finished(tmp_path / "done", losses=[5.0, np.nan, np.inf])
    found = curves(done)
    assert found["loss"].tolist() == [[0, 5], [2, np.inf]]
    assert curves(asked(tmp_path / "begun")) == {}


@pytest.mark.parametrize("name", ["history.parquet", "checkpoints/mlp.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 100, b"x" * 5000])
def test_a_damaged_history_is_told_on_a_line(tmp_path, name, content):
    folder = checkpointed(asked(tmp_path / "run"), [1.0])
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged|no checkpoint") as refused:
        curves(folder)
    assert str(refused.value).isprintable()
