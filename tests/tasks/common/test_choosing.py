"""Which of the trained models is kept: the one that loses least on rows that it had not seen, or a blend."""

import re

import numpy as np
import pytest

from descend.stopping import Reason
from descend.tasks.common.choosing.blending import Blend, blended
from descend.tasks.common.choosing.choosing import choose
from descend.tasks.common.choosing.measures import losses_for
from descend.tasks.common.choosing.scoring import losses_by_row
from descend.tasks.common.fitted import Trained
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target

RNG = np.random.default_rng(0)
NUMBERS, CLASSES = Target("regression", (), ""), Target("binary", ("a", "b"), "")
TITLES = {"linear": "linear model", "mlp": "perceptron", "third": "third"}
ROWS = 400
TRUTH = RNG.normal(size=ROWS)
NOISE = {name: RNG.normal(size=ROWS) for name in TITLES}


class Standing:
    """What predicts what it is told to."""

    kind = "standing"

    def __init__(self, value):
        self.value = value

    def predict(self, rows):
        return np.full(len(rows), self.value)

    def describe(self):
        return f"{self.value:g}"

    def to_parts(self):
        return {}, {}


def trained(name, out_of_fold, reason="budget"):
    return Trained(name, Standing(len(name)), "", Reason(reason, "", 1), 1.0, out_of_fold=np.asarray(out_of_fold))


def chosen(predictions, target=NUMBERS, truth=TRUTH, reason="budget", asked=None, weights=None, metric=None):
    models = [trained(name, each, reason) for name, each in predictions.items()]
    titles = {name: TITLES[name] for name in asked or predictions}
    return choose(models, losses_for(Settings("t", metric=metric), truth, target, weights), titles)


def off(name, by):
    return TRUTH + by * NOISE[name]


def test_the_least_loss_decides_and_of_equals_the_simplest():
    same = off("linear", 0.5)
    for linear, mlp, best in ((same, same, "linear"), (off("linear", 0.1), off("mlp", 3), "linear"),
                              (off("linear", 3), off("mlp", 0.1), "mlp")):
        kept, why = chosen({"linear": linear, "mlp": mlp})
        assert kept.name == best
        assert re.search(r"loses less on rows not trained on than the .*: \S+ against \S+, give or take", why)


def test_errors_that_are_independent_are_blended():
    """Of equal errors, the mean of two models has half the variance; of unequal ones, shares go as their inverses."""
    kept, why = chosen({"linear": off("linear", 0.5), "mlp": off("mlp", 0.5)})
    assert kept.name == Blend.kind
    assert [share for share, _ in kept.predictor.parts] == pytest.approx([0.5, 0.5], abs=0.1)
    assert why.startswith("the blend loses less on rows not trained on: ")
    assert np.mean((kept.out_of_fold - TRUTH) ** 2) == pytest.approx(0.125, rel=0.2)
    kept, _ = chosen({"linear": off("linear", 0.5), "mlp": off("mlp", 1.0)})
    assert [share for share, _ in kept.predictor.parts] == pytest.approx([0.8, 0.2], abs=0.1)
    rows = np.zeros((2, 1))
    (one, _), (other, _) = kept.predictor.parts
    np.testing.assert_allclose(kept.predictor.predict(rows), one * len("linear") + other * len("mlp"))
    assert kept.predictor.describe() == f"blend of {one:.0%} 6 and {other:.0%} 3"


def test_a_blend_that_is_not_clearly_ahead_is_none():
    """Where a second model is the first one and more noise, no share of it helps beyond what chance tells."""
    kept, why = chosen({"linear": off("linear", 0.5), "mlp": off("linear", 0.5) + 0.3 * NOISE["mlp"]})
    assert kept.name == "linear"
    assert "blend" not in why or "a blend is not clearly ahead" in why


def test_classes_are_chosen_by_the_logarithm_of_their_probability():
    """One tells more classes right, and is now and then sure of what is wrong: the other one loses less."""
    truth = np.zeros(100, int)
    sure = np.where(np.arange(100)[:, None] < 95, [0.999, 0.001], [1e-6, 1 - 1e-6])
    careful = np.where(np.arange(100)[:, None] < 90, [0.9, 0.1], [0.4, 0.6])
    target = CLASSES
    losses = [-np.log(each[:, 0]) for each in (sure, careful)]
    np.testing.assert_allclose(losses_by_row([sure, careful], truth, "binary"), losses, rtol=1e-6)
    assert losses[0].mean() > losses[1].mean()
    kept, _ = chosen({"linear": sure, "mlp": careful}, target, truth)
    assert kept.name != "linear"
    assert chosen({"linear": careful, "mlp": sure}, target, truth, metric="accuracy")[0].name == "mlp"


def test_few_rows_that_all_get_wrong_do_not_decide():
    far = np.where(np.arange(ROWS) == 0, 1e6, 0.0)
    kept, _ = chosen({"linear": off("linear", 0.1) + 1.01 * far, "mlp": off("mlp", 3.0) + far})
    assert kept.name == "linear"


def test_rows_count_as_much_as_they_weigh():
    good_at = np.arange(ROWS) < ROWS // 2
    linear, mlp = (TRUTH + np.where(mine, 0.01, 2.0) for mine in (good_at, ~good_at))
    for weights, best in ((np.where(good_at, 1.0, 1e-6), "linear"), (np.where(good_at, 1e-6, 1.0), "mlp")):
        assert chosen({"linear": linear, "mlp": mlp}, weights=weights)[0].name == best


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_not_chosen(broken):
    wrong = np.full(ROWS, broken)
    kept, why = chosen({"linear": off("linear", 3), "mlp": wrong})
    assert kept.name == "linear"
    assert "the other one, mlp, gave numbers that are not finite" in why
    assert chosen({"linear": wrong, "mlp": off("mlp", 3)})[0].name == "mlp"


@pytest.mark.parametrize(("reason", "why"), [("interrupted", "the interruption"), ("budget", "the time was up")])
def test_one_that_was_trained_alone_is_explained(reason, why):
    kept, words = chosen({"linear": off("linear", 1)}, reason=reason, asked=("linear", "mlp"))
    assert (kept.name, words) == ("linear", f"only the linear model was trained before {why}")


def test_three_are_blended_where_each_helps():
    kept, _ = chosen({name: off(name, 0.5) for name in TITLES})
    assert [share for share, _ in kept.predictor.parts] == pytest.approx([1 / 3] * 3, abs=0.1)


def test_one_alone_is_no_blend():
    models = [trained("linear", TRUTH), trained("mlp", off("mlp", 1))]
    assert blended(models, losses_for(Settings("t"), TRUTH, NUMBERS)) is None


def test_a_model_that_is_not_finite_leaves_the_shares_of_others_alone():
    kept, _ = chosen({"linear": np.full(ROWS, np.nan), "mlp": off("mlp", 0.1), "third": off("third", 9.0)})
    assert kept.name == "mlp"
