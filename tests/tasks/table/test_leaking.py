"""Columns that tell the target: planted ones are found, and those of famous tables are not accused."""

import numpy as np
import pandas as pd
import pytest

from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.task import table_task

RNG = np.random.default_rng(0)
ROWS = 300


def outcome_of(table, target):
    task = table_task(table, Settings(target, "linear"))
    return task, task.judge(task.train(task.prepare()))


def drawn(noise=1, **more):
    frame = pd.DataFrame(RNG.normal(size=(ROWS, 4)), columns=list("abcd"))
    frame["t"] = np.where(frame["a"] + noise * RNG.normal(size=ROWS) > 0, "over", "under")
    return Table(frame.assign(**{name: make(frame) for name, make in more.items()}), "t", "0")


LEAKS = {
    "a number": lambda frame: (frame["t"] == "over") * 5 + RNG.normal(size=ROWS) / 10,
    "levels": lambda frame: frame["t"].map({"over": "paid", "under": "due"}),
    # Only who was over has a date, so that the gap tells.
    "a gap": lambda frame: RNG.normal(size=ROWS) + np.where(frame["t"] == "over", 0, np.nan),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_column_that_tells_the_class_is_named(kind):
    _, outcome = outcome_of(drawn(leak=LEAKS[kind]), "t")
    (sentence,) = outcome.suspicious
    assert sentence.startswith("One column tells the target: leak alone tells the classes of 100.0% of rows")
    assert "Leave it out (--drop) if it is not known before the class is" in sentence


def test_a_column_that_carries_the_score_is_named():
    # Wrong for one row in thirty, of which other columns tell next to nothing.
    wrong = np.arange(ROWS) % 30 == 0
    leak = lambda frame: np.where((frame["t"] == "over") ^ wrong, "paid", "due")
    _, outcome = outcome_of(drawn(noise=9, leak=leak), "t")
    (sentence,) = outcome.suspicious
    assert sentence.startswith("One column carries the score: leak alone comes to 0.9")


def test_a_number_that_is_the_target_in_another_unit_is_named():
    frame = pd.DataFrame(RNG.normal(size=(ROWS, 3)), columns=list("abc"))
    frame["t"] = frame["a"] + RNG.normal(size=ROWS)
    task, outcome = outcome_of(Table(frame.assign(net=0.81 * frame["t"]), "t", "0"), "t")
    (sentence,) = outcome.suspicious
    assert sentence.startswith("One column tells the target: net alone tells with an R² of 0.99")
    assert task.report(*_reported(task)).count("<h2>Too good to be true?</h2>") == 1


def _reported(task):
    fitted = task.train(task.prepare())
    outcome = task.judge(fitted)
    return fitted, outcome, task.metrics(fitted, outcome)


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "iris", "wine"])
def test_honest_tables_are_not_accused(name):
    assert outcome_of(read_table(f"sample:{name}"), "target")[1].suspicious == []
