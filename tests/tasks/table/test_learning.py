"""The learning curve: as theory has it for a linear model, within its time, and told only where there is one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.learning import learning_curve
from descend.tasks.table.learning_section import learning_section
from descend.tasks.table.task import table_task

RNG = np.random.default_rng(0)
ROWS, COLUMNS, NOISE = 1500, 20, 1.0


@pytest.fixture(scope="module")
def fitted():
    frame = pd.DataFrame(RNG.normal(size=(ROWS, COLUMNS)), columns=[f"c{i}" for i in range(COLUMNS)])
    frame["t"] = 100 + frame.to_numpy() @ np.full(COLUMNS, 0.2) + NOISE * RNG.normal(size=ROWS)
    task = table_task(Table(frame, "t", "0"), Settings("t", "linear"))
    # However fast this machine is, there was time.
    return replace(task.train(task.prepare()), seconds=1e6)


def test_it_is_what_theory_says_of_least_squares(fitted):
    curve = learning_curve(fitted)
    training = len(fitted.prepared.training)
    assert curve.rows == [round(share * training) for share in (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)]
    held_out = fitted.prepared.held_out.targets
    for rows, score, error in list(zip(curve.rows, curve.scores, curve.errors, strict=True))[2:]:
        # Of p columns and an intercept, the error is σ² (1 + (p + 1)/(n − p − 2)), with columns that are normal.
        expected = NOISE**2 * (1 + (COLUMNS + 1) / (rows - COLUMNS - 2))
        assert score == pytest.approx(1 - expected / held_out.var(), abs=4 * error)
    # Twice the rows take half of the excess: 1.8 % of the noise, from 600 to 1,200.
    assert curve.gain == pytest.approx(curve.scores[-1] - curve.scores[-2])
    assert abs(curve.gain) < 0.05


def test_it_ends_in_the_score_of_the_model_itself(fitted):
    from descend.tasks.common.fitted import judge

    assert learning_curve(fitted).scores[-1] == pytest.approx(judge(fitted).score)


def test_without_time_there_is_none(fitted):
    assert learning_curve(replace(fitted, seconds=0.0)) is None


def test_without_a_linear_model_there_is_none(fitted):
    other = replace(fitted.chosen, predictor=fitted.model)
    assert learning_curve(replace(fitted, chosen=other, trained=(other,))) is None


def test_classes_have_one_too_and_the_words_follow_the_gain():
    frame = pd.DataFrame(RNG.normal(size=(600, 3)), columns=list("abc"))
    frame["t"] = np.where(frame["a"] + RNG.normal(size=600) > 0, "over", "under")
    task = table_task(Table(frame, "t", "0"), Settings("t", "linear"))
    curve = learning_curve(replace(task.train(task.prepare()), seconds=1e6))
    assert 0.6 < curve.scores[-1] < 0.9
    clear, none = (replace(curve, gain=gain, gain_error=0.01) for gain in (0.03, 0.01))
    assert "rose by 0.0300, give or take 0.0100: it would go on learning" in learning_section(clear, "accuracy").note
    assert "more of them would hardly better it" in learning_section(none, "accuracy").note
