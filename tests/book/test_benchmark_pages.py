"""The charts of benchmarks show every row of the results, those that are lost as lost."""

import math
import re

import pytest

from benchmarks._rows import Row
from tools.book import benchmark_pages

TEXT = benchmark_pages.RESULTS.read_text()
FOUND = benchmark_pages.benchmarks(TEXT)
ROWS = [row for one in FOUND for row in one.rows]


def test_no_row_is_left_out():
    # A comparison has seven cells; tables of other widths have every number that comparisons are made of.
    lines = [line for line in TEXT.splitlines() if re.match(r"\| (?!workload|---)", line) and line.count("|") == 8]
    assert len(ROWS) == len(lines) > 500
    pages = benchmark_pages.pages()
    assert sum(page.count("<tr class=") for page in pages.values()) == len(lines)
    assert set(pages) == {f"benchmarks/{one.name}.md" for one in FOUND} | {"benchmarks/index.md"}


def test_who_wins_is_who_is_better():
    """By what the benchmarks themselves say of units of which less is better."""
    for row in ROWS:
        ratio = Row(row.workload, row.peer, row.quantity, row.unit, float(row.ours), float(row.theirs)).ratio
        if math.isnan(ratio):
            assert row.outcome == "alone"
        elif abs(ratio - 1) > 0.02:  # the numbers that it is made of here are rounded
            assert row.outcome == ("won" if ratio > 1 else "lost"), row


def test_lost_rows_are_shown_and_counted():
    pages = benchmark_pages.pages()
    lost = sum(row.outcome == "lost" for row in ROWS)
    assert lost > 100
    assert sum(page.count('<tr class="lost">') for page in pages.values()) == lost
    assert f"{lost} are lost" in pages["benchmarks/index.md"]


@pytest.mark.parametrize(("ratio", "share"), [(1.0, 0.0), (10.0, 1.0), (0.1, 1.0), (1000.0, 1.0), (math.sqrt(10), 0.5)])
def test_a_bar_is_as_long_as_the_logarithm_of_the_ratio(ratio, share):
    one = benchmark_pages.Benchmark("b", "w", (benchmark_pages.Row("w", "p", "q", "s", "1", "1", ratio),))
    assert float(re.search(r"--share:([\d.]+)", benchmark_pages.page(one))[1]) == pytest.approx(share, abs=1e-3)
