"""What columns do to predictions, held to the definition on raw tables, and to functions whose interactions are known.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.effects.axes import axes_of
from descend.tasks.table.effects.dependence import dependence
from descend.tasks.table.effects.interactions import interactions
from descend.tasks.table.effects.looking import effects_of
from descend.tasks.table.effects.section import effect_sections
from descend.tasks.table.task import table_task

RNG = np.random.default_rng(0)
ROWS = 90
FRAME = pd.DataFrame({
    "price": [f"{value:,.2f} €".replace(",", "x").replace(".", ",").replace("x", ".") for value in
              RNG.uniform(900, 9000, ROWS)],
    "city": RNG.choice(["Bern", "Zug", "Chur"], ROWS, p=[0.5, 0.3, 0.2]),
    "garden": RNG.choice(["yes", "no"], ROWS),
    "sold": pd.date_range("2024-01-01", periods=ROWS).strftime("%d.%m.%Y"),
    "note": [" ".join(RNG.choice(["fine", "old", "large", "light", "quiet"], 7)) + f" {row}" for row in range(ROWS)],
})


@pytest.fixture(scope="module")
def fitted():
    number = FRAME["price"].str.rstrip(" €").str.replace(".", "").str.replace(",", ".").astype(float)
    frame = FRAME.assign(t=number / 100 + 5 * (FRAME["city"] == "Zug") + RNG.normal(size=ROWS))
    # Every ninth price is not known.
    frame.loc[::9, "price"] = None
    task = table_task(Table(frame, "t", "0"), Settings("t", "linear"))
    return task, task.train(task.prepare()), number


def test_axes_are_in_the_columns_own_unit(fitted):
    task, fit, number = fitted
    axes = axes_of(list(FRAME), task.table.features, fit.model.encoder)
    assert list(axes) == ["price", "city", "garden", "sold"]
    price = axes["price"]
    assert set(price.values) <= set(number)
    assert (np.diff(price.values) > 0).all()
    # Two in a hundred of the rows are beyond each end, and no more.
    assert np.mean(number < price.values[0]) < 0.07 > np.mean(number > price.values[-1])
    assert list(axes["city"].values) == list(FRAME["city"].value_counts().index)
    assert set(axes["garden"].values) == {0.0, 1.0}
    assert axes["sold"].values.dtype.kind == "M"
    assert [axis.is_ordered for axis in axes.values()] == [True, False, False, True]


WRITTEN = {
    "price": lambda value: f"{value:.2f}".replace(".", ",") + " €",
    "city": lambda value: value,
    "sold": lambda value: pd.Timestamp(value).strftime("%d.%m.%Y"),
}


def test_it_is_what_the_table_with_other_values_is_predicted(fitted):
    task, fit, _ = fitted
    table = task.table.features.head(12)
    axes = axes_of(["price", "city", "sold"], task.table.features, fit.model.encoder)
    rows = fit.model.encoder.transform(table)
    for name, axis in axes.items():
        found = dependence(fit.model.predict, rows, [axis])
        assert found.shape == (len(axis.values), 12)
        for place in (0, len(axis.values) - 1):
            written = WRITTEN[name](axis.values[place])
            said = fit.model.predict_frame(table.assign(**{name: written})).frame["prediction"]
            np.testing.assert_allclose(found[place], said, rtol=1e-5)
    both = dependence(fit.model.predict, rows, [axes["price"], axes["city"]])
    assert both.shape == (len(axes["price"].values), len(axes["city"].values), 12)
    written = {"price": WRITTEN["price"](axes["price"].values[3]), "city": axes["city"].values[1]}
    said = fit.model.predict_frame(table.assign(**written)).frame["prediction"]
    np.testing.assert_allclose(both[3, 1], said, rtol=1e-5)


PLACES = {"a": np.array([0]), "b": np.array([1]), "c": np.array([2])}
POINTS = RNG.normal(size=(40, 3))


def by_hand(function, rows, one, other):
    """H² and the strength, point by point."""
    mean = lambda fixed: np.mean([function({**dict(enumerate(row)), **fixed}) for row in rows])
    single = [np.array([mean({column: row[column]}) for row in rows]) for column in (one, other)]
    joint = np.array([mean({one: row[one], other: row[other]}) for row in rows])
    first, second, both = (values - values.mean() for values in (*single, joint))
    beyond = np.sum((both - first - second) ** 2)
    return np.sqrt(beyond / len(rows)), np.sqrt(beyond / np.sum(both**2))


def test_interactions_are_friedmans():
    product = lambda x: x[0] * x[1] + 2 * x[2]
    found = interactions(lambda rows: rows[:, 0] * rows[:, 1] + 2 * rows[:, 2], POINTS, PLACES)
    assert found[0].columns == ("a", "b")
    assert (found[0].strength, found[0].share) == pytest.approx(by_hand(product, POINTS, 0, 1))
    assert found[0].share > 0.7
    assert [pair.strength for pair in found[1:]] == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_what_adds_up_on_the_logarithm_of_the_odds_is_no_interaction(classes):
    slopes = RNG.normal(size=(3, classes))

    def chances(rows):
        powers = np.exp(rows @ slopes)
        return powers / powers.sum(axis=1, keepdims=True)

    assert max(pair.share for pair in interactions(chances, POINTS, PLACES)) < 1e-10
    both = lambda rows: np.stack([1 - expit(rows[:, 0] * rows[:, 1]), expit(rows[:, 0] * rows[:, 1])], axis=1)
    assert interactions(both, POINTS, PLACES)[0].columns == ("a", "b")


def test_of_thousands_of_features_fewer_rows_are_looked_at(fitted, monkeypatch):
    task, fit, _ = fitted
    monkeypatch.setattr("descend.tasks.table.effects.looking.VALUES_AT_ONCE", 1)
    held_out = fit.prepared.held_out.inputs
    found = effects_of(fit.model, task.table.features, held_out, ["price", "city"], seed=0)
    assert found.along["price"].shape == (len(found.axes["price"].values), 8)
    assert found.joint[1].shape == tuple(len(found.axes[name].values) for name in found.joint[0])


def test_levels_stand_in_the_order_of_what_they_do(fitted):
    task, fit, _ = fitted
    found = effects_of(fit.model, task.table.features, fit.prepared.held_out.inputs, ["price", "city"], seed=0)
    # Zug costs more, by how the table was made.
    assert found.axes["city"].values[-1] == "Zug"
    assert (np.diff(found.along["city"].mean(axis=1)) >= 0).all()
    again = dependence(fit.model.predict, fit.prepared.held_out.inputs, [found.axes["city"]])
    assert (np.diff(again.mean(axis=1)) >= 0).all()


def test_values_are_from_all_over_a_table_that_is_in_order(fitted, monkeypatch):
    task, fit, _ = fitted
    monkeypatch.setattr("descend.tasks.table.effects.axes.SOUGHT_IN", 20)
    rows = np.argsort(task.table.features["sold"].map(lambda day: "".join(reversed(day.split(".")))), kind="stable")
    days = axes_of(["sold"], task.table.features.iloc[rows], fit.model.encoder)["sold"].values
    assert days[-1] - days[0] > np.timedelta64(80, "D")


def test_a_table_without_weight_has_no_such_sections(fitted):
    task, fit, _ = fitted
    found = effects_of(fit.model, task.table.features, fit.prepared.held_out.inputs, [], seed=0)
    assert effect_sections(found, fit.prepared.target, "t") == []


def test_a_linear_models_columns_add_up_and_the_report_says_so(fitted):
    task, fit, _ = fitted
    outcome = task.judge(fit)
    alone, together = effect_sections(outcome.effects, fit.prepared.target, "<t>")
    assert "What the model says of <t>, if a column" in alone.note
    assert alone.html.count("Plotly.newPlot(") == len(outcome.effects.axes) >= 2
    assert "None of the weightiest" in together.note
