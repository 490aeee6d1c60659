"""Coefficients in the user's units: what a prediction changes by, when a cell of the table is changed."""

import numpy as np
import pandas as pd
import pytest

from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.linear.coefficients import as_frame, coefficients
from descend.tasks.table.task import fit_table

ROWS = 240
ROW = 7  # whose cells are changed
WORDS = ["red", "green", "blue", "large", "small", "old", "new", "wooden", "metal", "house", "door", "table", "lamp"]


def frame_of(kind):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "area": rng.normal(100, 20, ROWS),
        "rate": rng.normal(0, 1e-4, ROWS),
        "rooms": rng.integers(1, 9, ROWS).astype(float),
        "city": rng.choice(["Basel", "Bern", "Zug"], ROWS, p=[0.6, 0.3, 0.1]),
        "garden": rng.choice(["yes", "no"], ROWS),
        "sold": pd.date_range("2023-01-01", periods=ROWS, freq="3D"),
        "notes": [" ".join(rng.choice(WORDS, 4)) for _ in range(ROWS)],
    })
    score = (frame["area"] - 100) / 20 + 1e4 * frame["rate"] + (frame["city"] == "Zug")
    score += 0.5 * (frame["garden"] == "yes") + np.arange(ROWS) / ROWS + rng.normal(0, 0.7, ROWS)
    frame.loc[::5, "rooms"] = None
    frame.loc[ROW, ["rooms", "city", "garden", "sold"]] = [3.0, "Bern", "no", pd.Timestamp("2023-03-08")]
    named = {"binary": np.where(score > 0.5, "over", "under"), "multiclass": np.digitize(score, [0, 1]).astype(str)}
    return frame.assign(t=named.get(kind, 1e5 * score))


@pytest.fixture(scope="module", params=["regression", "binary", "multiclass"])
def found(request):
    """The coefficients by class and feature, and what the model says of the row with some cells changed."""
    frame = frame_of(request.param)
    fitted = fit_table(Table(frame, "t", "0"), Settings("t", "linear"))
    classes = fitted.prepared.target.classes

    def said(**cells):
        row = frame.drop(columns="t").iloc[[ROW]].assign(**{name: [cell] for name, cell in cells.items()})
        out = fitted.model.predict_frame(row).frame
        if not classes:
            return {"": float(out["prediction"].iloc[0])}
        logs = np.log([out[f"probability of {name}"].iloc[0] for name in classes])
        odds = logs[1:] - logs[0] if len(classes) == 2 else logs - logs.mean()
        return dict(zip(classes[-len(odds) :], odds, strict=True))

    all_of_them = coefficients(fitted.chosen.predictor, fitted.prepared)
    by_label = {}
    for one in all_of_them:
        by_label.setdefault(one.label, {})[one.feature.name] = one
    return by_label, said, all_of_them, fitted


def assert_changes(said, before, after, expected):
    """Features are float32, whose rounding is magnified by differences."""
    was, now = said(**before), said(**after)
    for label, change in expected.items():
        tolerance = 1e-5 * max(1.0, abs(was[label]))
        assert now[label] - was[label] == pytest.approx(change, rel=1e-3, abs=tolerance)


@pytest.mark.parametrize(("column", "low", "step"), [("area", 90.0, 10.0), ("rate", -1e-4, 2e-4), ("rooms", 2.0, 3.0)])
def test_a_number_per_1_of_its_column(found, column, low, step):
    by_label, said, *_ = found
    expected = {label: step * those[column].effect for label, those in by_label.items()}
    assert_changes(said, {column: low}, {column: low + step}, expected)
    assert all(those[column].per == f"1 of {column}" for those in by_label.values())


def test_levels_against_their_mean(found):
    by_label, said, _, fitted = found
    for other in ("Basel", "Zug"):
        more = lambda those, other=other: those[f"city={other}"].effect - those["city=Bern"].effect
        expected = {label: more(those) for label, those in by_label.items()}
        assert_changes(said, {"city": "Bern"}, {"city": other}, expected)
    encoder, rows = fitted.prepared.encoder, fitted.prepared.training.inputs
    shares = {name: rows[:, at].mean() for at, name in enumerate(encoder.feature_names) if name.startswith("city=")}
    for those in by_label.values():
        mean = sum(share * those[name].effect for name, share in shares.items())
        assert mean == pytest.approx(0, abs=1e-5 * max(abs(those[name].effect) for name in shares))


def test_truths_and_gaps(found):
    by_label, said, _, fitted = found
    expected = {label: those["garden"].effect for label, those in by_label.items()}
    assert_changes(said, {"garden": "no"}, {"garden": "yes"}, expected)
    middle = fitted.prepared.encoder.transformer.named_transformers_["numbers"].named_steps["fill"].statistics_[2]
    expected = {label: those["rooms is missing"].effect for label, those in by_label.items()}
    assert_changes(said, {"rooms": middle}, {"rooms": None}, expected)


def test_parts_of_dates(found):
    """A week later in the same month: the day of the month and the time since 1970 change, the weekday does not."""
    by_label, said, *_ = found
    per_day = lambda those: those["sold:day"].effect + those["sold:total_seconds"].effect
    expected = {label: 7 * per_day(those) for label, those in by_label.items()}
    assert_changes(said, {"sold": pd.Timestamp("2023-03-08")}, {"sold": pd.Timestamp("2023-03-15")}, expected)
    assert all(those["sold:total_seconds"].per == "1 day of sold" for those in by_label.values())


def test_importance_is_how_much_predictions_vary_by_a_column(found):
    by_label, _, all_of_them, fitted = found
    assert [one.importance for one in all_of_them] == sorted((one.importance for one in all_of_them), reverse=True)
    area = fitted.prepared.encoder.transformer.named_transformers_["numbers"].named_steps["scale"].scale_[0]
    for those in by_label.values():
        assert those["area"].importance == pytest.approx(abs(those["area"].effect) * area, rel=1e-3)
    assert all_of_them[0].feature.column in ("area", "rate", "city")


def test_as_a_table(found):
    by_label, _, all_of_them, fitted = found
    frame = as_frame(all_of_them)
    assert len(frame) == len(by_label) * fitted.prepared.training.inputs.shape[1]
    assert ("factor_on_odds" in frame) == ("class" in frame) == bool(fitted.prepared.target.classes)
    if "class" in frame:
        with np.errstate(over="ignore"):  # per 1 of `rate`, which varies by ten-thousandths
            np.testing.assert_allclose(frame["factor_on_odds"], np.exp(frame["effect"]))
    assert {"1 of area", "garden true, against false", "1 of the month of sold"} <= set(frame["per"])
    assert any("direction of the groups of letters in notes" in per for per in frame["per"])
