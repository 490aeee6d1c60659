"""How the benchmark of tables compares methods, and keeps what was run."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks._table_judged import appendix, groups, judged_rows
from benchmarks._table_ranks import common_losses, mean_ranks, mean_scores, seconds, wins
from benchmarks._table_runs import in_order, keep, kept, missing, run
from benchmarks._table_scores import behind, constant, scores
from benchmarks._tables import TABLES, judging


def _run(method: str, table: str, loss: float, seed: int = 0, **more: object) -> dict[str, object]:
    return {"method": method, "table": table, "seed": seed, "loss": loss, "cpu": 10 * loss, "behind": 0.0} | more


def _runs(*runs: dict[str, object]) -> dict:
    return {(run["method"], run["table"], run["seed"]): run for run in runs}


def test_ranks_share_places_and_are_means_over_tables() -> None:
    losses = {"s": {"a": 1.0, "b": 1.0, "c": 3.0}, "t": {"a": 2.0, "b": 1.0, "c": 3.0}}
    assert mean_ranks(losses) == {"a": 1.75, "b": 1.25, "c": 3.0}


def test_the_normalised_score_is_the_share_of_the_most_that_is_gained() -> None:
    losses = {"s": {"a": 1.0, "b": 2.0, "c": 9.0}, "t": {"a": 5.0, "b": 5.0, "c": 5.0}}
    assert mean_scores(losses, {"s": 5.0, "t": 4.0}) == {"a": 0.5, "b": 0.375, "c": 0.0}


def test_only_what_all_finished_is_compared() -> None:
    runs = _runs(_run("a", "s", 1.0), _run("a", "s", 3.0, seed=1), _run("b", "s", 2.0, seed=1),
                 {"method": "b", "table": "s", "seed": 0, "failed": "more than 900 s of CPU"}, _run("a", "t", 1.0))
    assert common_losses(runs, ["a", "b"], ["s", "t"]) == {"s": {"a": 3.0, "b": 2.0}}
    assert common_losses(runs, ["a"], ["s", "t"]) == {"s": {"a": 2.0}, "t": {"a": 1.0}}
    assert seconds(runs, "a", {"s": {}}, ["a", "b"]) == 30.0
    assert wins({"s": {"a": 1, "b": 2}, "t": {"a": 2, "b": 2}}, "a", "b") == (1, 0)


def test_what_was_kept_is_not_run_again_and_a_torn_line_is_no_result(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "runs.jsonl"
    keep(file, _run("a", "s", 1.0))
    with file.open("a") as opened:
        opened.write('{"method": "a", "tab')
    assert list(missing(file, [("a", "s", 0), ("a", "t", 0)])) == [("a", "t", 0)]
    file.write_text(json.dumps(_run("a", "s", 1.0)) + "\n" + json.dumps(_run("a", "s", 2.0)) + "\n")
    assert kept(file)["a", "s", 0]["loss"] == 2.0


def test_the_first_split_of_all_tables_comes_before_the_second() -> None:
    keys = in_order(["a", "b"], TABLES[:3], [0, 1])
    assert [key[2] for key in keys] == [0] * 6 + [1] * 6
    rows = {table.name: table.rows for table in TABLES}
    assert [rows[key[1]] for key in keys[:3]] == sorted(rows[table.name] for table in TABLES[:3])


def test_scores_of_classes_and_numbers() -> None:
    shares = np.array([[0.5, 0.5], [0.25, 0.75]])
    found = scores(np.array([0, 1]), shares, 2)
    assert found["loss"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert (found["accuracy"], found["AUC"]) == (1.0, 1.0)
    assert np.isfinite(scores(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), 2)["loss"])
    assert scores(np.array([0.0, 2.0]), np.array([3.0, -2.0]), 0)["loss"] == pytest.approx(np.sqrt(12.5))


def test_who_knows_no_column_predicts_shares_or_the_mean() -> None:
    assert constant(np.array([0, 0, 2, 0]), 2, 3).tolist() == [[0.75, 0, 0.25]] * 2
    assert constant(np.array([1.0, 3.0]), 3, 0).tolist() == [2.0] * 3


def test_behind_is_in_standard_errors_of_the_rows() -> None:
    truth = np.zeros(4)
    assert behind(truth, np.array([1.0, 2.0, 1.0, 2.0]), truth, 0) == pytest.approx(2.5 / (np.sqrt(3) / 2))
    assert behind(truth, truth, truth, 0) == 0.0


def test_methods_that_finished_less_have_ranks_of_their_own() -> None:
    one, two = (table.name for table in judging(TABLES)[:2])
    runs = _runs(*(_run(method, table, loss) for table in (one, two)
                   for method, loss in {"descend": 1.0, "LightGBM": 2.0, "constant": 4.0}.items()),
                 _run("TabM-D", one, 0.5))
    assert groups(runs) == [["LightGBM"], ["LightGBM", "TabM-D"]]
    rows = {(row.workload, row.peer, row.quantity): (row.ours, row.theirs) for row in judged_rows(runs)}
    assert rows["2 tables, 2 methods", "LightGBM", "mean rank"] == (1.0, 2.0)
    assert rows["1 tables, 3 methods", "TabM-D", "mean rank"] == (2.0, 1.0)
    assert rows["2 tables, both", "LightGBM", "normalised score"] == (1.0, pytest.approx(2 / 3))
    text = "\n".join(appendix(runs))
    assert "| **0.5 (1)** |" in text
    assert "not run" in text
    assert "| LightGBM | 2 | 2 | 0 |" in text


def test_where_ours_was_not_run_nothing_is_said_of_it() -> None:
    name = judging(TABLES)[0].name
    runs = _runs(_run("LightGBM", name, 2.0), _run("constant", name, 4.0))
    assert not [*judged_rows(runs)]
    assert "won" not in "\n".join(appendix(runs))
    assert "| not run | not run | **2 (1)** |" in "\n".join(appendix(runs))


@pytest.mark.slow
def test_a_run_has_a_process_of_its_own_and_a_failure_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESCEND_DATA", str(tmp_path))
    assert run(("constant", "iris", 0))["loss"] == pytest.approx(np.log(3))
    assert run(("skrub + linear", "iris", 0))["loss"] < 0.2
    assert run(("nobody", "iris", 0)) == {
        "method": "nobody", "table": "iris", "seed": 0, "failed": "KeyError: 'nobody'",
    }
    assert "ended" in run(("descend", "digits", 0), limit=1)["failed"]
