"""What the runs of the judging half say: rows of the benchmark, and every loss."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec

from benchmarks._rows import Row
from benchmarks._table_peers import PEERS
from benchmarks._table_ranks import common_losses, mean_ranks, mean_scores, seconds, wins
from benchmarks._table_runs import Key, Runs, in_order, keep, kept, missing, run, runs_file
from benchmarks._table_worker import NOTHING, OURS
from benchmarks._tables import TABLES, judging

SEEDS = 0, 1, 2
NEEDS = {"LightGBM": "lightgbm", "XGBoost": "xgboost", "CatBoost": "catboost", "RealMLP-TD": "pytabkit",
         "TabM-D": "pytabkit"}
NAMES = [table.name for table in sorted(judging(TABLES), key=lambda table: table.rows)]


def run_missing() -> None:
    """Run what was not yet run and can be; Ctrl-C ends it, and leaves what is there."""
    methods = [NOTHING, OURS, *(name for name in PEERS if name not in NEEDS or find_spec(NEEDS[name]))]
    try:
        for key in missing(runs_file(), in_order(methods, judging(TABLES), SEEDS)):
            keep(runs_file(), run(key))
    except KeyboardInterrupt:
        return


def judged_rows(runs: Runs) -> Iterator[Row]:
    """Ours beside each peer, on the splits that both finished; ranks are among all that finished as much."""
    for group in groups(runs):
        losses = common_losses(runs, [OURS, NOTHING, *group], NAMES)
        ranks = mean_ranks({table: _without(row, NOTHING) for table, row in losses.items()})
        for peer in group:
            workload = f"{len(losses)} tables, {len(group) + 1} methods"
            yield Row(workload, peer, "mean rank", "rank", ranks[OURS], ranks[peer])
    for peer in PEERS:
        pair = [OURS, peer]
        losses = common_losses(runs, [*pair, NOTHING], NAMES)
        if not losses:
            continue
        scores = mean_scores({table: _without(row, NOTHING) for table, row in losses.items()},
                             {table: row[NOTHING] for table, row in losses.items()})
        workload = f"{len(losses)} tables, both"
        yield Row(workload, peer, "normalised score", "score", scores[OURS], scores[peer])
        spent = [seconds(runs, method, losses, [*pair, NOTHING]) for method in pair]
        yield Row(workload, peer, "time, CPU", "s", *spent)


def groups(runs: Runs) -> list[list[str]]:
    """The peers that finished most tables; and all peers that finished any, where those are more."""
    finished = {peer: len(common_losses(runs, [OURS, NOTHING, peer], NAMES)) for peer in PEERS}
    most = max(finished.values(), default=0)
    found = [[peer for peer, count in finished.items() if most and count >= least] for least in (most, 1)]
    return [group for number, group in enumerate(found) if group and group not in found[:number]]


def appendix(runs: Runs) -> list[str]:
    """Every loss, by table and method, as Markdown: the mean over the splits that a method finished."""
    methods = [OURS, *PEERS]
    lines = ["| table | kind | rows | " + " | ".join(methods) + " |", "| --- | --- | ---: |" + " ---: |" * len(methods)]
    for table in (table for name in NAMES for table in judging(TABLES) if table.name == name):
        cells = _bold([_cell(runs, method, table.name) for method in methods])
        lines.append(f"| {table.name} | {table.kind} | {table.rows:,} | " + " | ".join(cells) + " |")
    return [*lines, "", *_won(runs), "", *_own_candidates(runs)]


def _cell(runs: Runs, method: str, table: str) -> tuple[float, str]:
    """The loss, and how it is written."""
    found = [runs[key] for key in _keys(method, table) if key in runs]
    losses = [each["loss"] for each in found if "loss" in each]
    if losses:
        mean = sum(losses) / len(losses)
        return mean, f"{mean:.4g}" + (f" ({len(losses)})" if len(losses) < len(SEEDS) else "")
    return float("inf"), found[0]["failed"].partition(":")[0] if found else "not run"


def _keys(method: str, table: str) -> list[Key]:
    return [(method, table, seed) for seed in SEEDS]


def _bold(cells: Sequence[tuple[float, str]]) -> list[str]:
    least = min(loss for loss, _ in cells)
    return [f"**{text}**" if loss == least < float("inf") else text for loss, text in cells]


def _won(runs: Runs) -> Iterator[str]:
    """How often ours has the lower loss."""
    both = {peer: common_losses(runs, [OURS, peer], NAMES) for peer in PEERS}
    if any(both.values()):
        yield "| peer | tables | won | lost |"
        yield "| --- | ---: | ---: | ---: |"
    for peer, losses in both.items():
        if losses:
            won, lost = wins(losses, OURS, peer)
            yield f"| {peer} | {len(losses)} | {won} | {lost} |"


def _own_candidates(runs: Runs) -> Iterator[str]:
    """How the model that was chosen does beside the best of those that were trained."""
    ours = [runs[key] for name in NAMES for key in _keys(OURS, name) if "loss" in runs.get(key, {})]
    if ours:
        worse = [each for each in ours if each["behind"] > 2]
        yield (f"Of {len(ours)} models of ours, {len(worse)} are behind the best of their candidates by more than two "
               "standard errors" + (": " + ", ".join(sorted({each["table"] for each in worse})) if worse else "") + ".")


def _without(row: Mapping[str, float], method: str) -> dict[str, float]:
    return {name: loss for name, loss in row.items() if name != method}


def judged_runs() -> Runs:
    """The results that there are."""
    return kept(runs_file())
