"""Which of the trained models is kept: the simplest that none is clearly ahead of."""

import re

import numpy as np
import pytest

from descend.stopping import Reason
from descend.tasks.common.fitted import Trained
from descend.tasks.table.choosing import choose
from descend.tasks.table.linear.model import Certificate, Linear, PenaltyPath

EVEN = [0, 1] * 50
CERTIFICATE = Certificate(Reason("converged", "", 1), 0.0, 0.0, "")
TITLES = {"linear": "linear model", "mlp": "perceptron", "third": "third"}


def chosen(scores, reason="budget", asked=TITLES):
    """What is chosen of models with these scores of each row, and why."""
    predictor = Linear("binary", np.zeros((1, 1)), np.zeros(1), CERTIFICATE, PenaltyPath((1.0,), (0.0,), (0.0,), 0))
    trained = [Trained(name, predictor, "", Reason(reason, "", 1), 1.0) for name in scores]
    asked = {name: title for name, title in TITLES.items() if name in asked}
    best, why = choose(trained, [np.array(each, float) for each in scores.values()], asked)
    return best.name, why


@pytest.mark.parametrize(
    ("linear", "mlp", "best", "why"),
    [
        (EVEN, EVEN, "linear", "not clearly ahead"),
        (EVEN, [1] * 100, "mlp", "clearly ahead of the linear model: 1.0000 against 0.5000 .* give or take 0.0500"),
        ([1] * 100, EVEN, "linear", "not clearly ahead"),
        (EVEN, [1, *EVEN[1:]], "linear", "not clearly ahead"),
        # The same rows are right for both, but for a few: a small lead is a sure one.
        ([0] * 6 + [1] * 94, [1] * 100, "mlp", "clearly ahead"),
        (EVEN, [np.nan] * 100, "linear", "mlp, gave numbers that are not finite"),
        ([-np.inf] * 100, EVEN, "mlp", "linear, gave numbers that are not finite"),
    ],
)
def test_the_perceptron_is_chosen_where_it_is_clearly_ahead(linear, mlp, best, why):
    name, words = chosen({"linear": linear, "mlp": mlp}, asked=("linear", "mlp"))
    assert name == best
    assert re.search(why, words)


@pytest.mark.parametrize(("reason", "why"), [("interrupted", "the interruption"), ("budget", "the time was up")])
def test_one_that_was_trained_alone_is_explained(reason, why):
    name, words = chosen({"linear": EVEN}, reason, asked=("linear", "mlp"))
    assert (name, words) == ("linear", f"only the linear model was trained before {why}")


def test_a_third_is_compared_with_the_best_of_those_before():
    sure, unsure = [1] * 100, [1] * 99 + [0]
    assert chosen({"linear": EVEN, "mlp": sure, "third": sure})[0] == "mlp"
    assert chosen({"linear": EVEN, "mlp": EVEN, "third": sure})[0] == "third"
    name, words = chosen({"linear": EVEN, "mlp": unsure, "third": unsure})
    assert name == "mlp"
    assert re.fullmatch("the perceptron is clearly ahead of the linear model: .*; "
                        "the third is not clearly ahead of the perceptron, which is simpler: .*", words)
    assert chosen({"linear": EVEN, "mlp": sure})[1].endswith(
        "; only the linear model and the perceptron were trained before the time was up")
