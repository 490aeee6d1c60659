"""How rows are divided: groups stay whole, what is judged on comes later, a given table is held out as it is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import compute_class_weight

from descend.errors import InputError
from descend.tasks.common import dividing
from descend.tasks.common.dividing import divide
from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.settings import Settings
from descend.tasks.common.typed_table import type_table
from descend.tasks.common.weighing import Weights

ROWS = 240


def frame(**columns):
    rng = np.random.default_rng(1)
    made = {"x": rng.normal(size=ROWS), "group": rng.integers(0, 30, ROWS), "y": rng.choice(list("abc"), ROWS)}
    return pd.DataFrame({**made, **columns})


def divided(table, target="y", **settings):
    settings = Settings(target, **settings)
    return divide(type_table(Table(table, "t", "0"), settings), settings)


@pytest.mark.parametrize("target", ["y", "x"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_groups_stay_whole(target, share):
    made = divided(frame(), target, group="group", hold_out=share)
    assert set(made.training.groups).isdisjoint(made.held_out.groups)
    assert len(made.training) + len(made.held_out) == ROWS
    assert len(made.held_out) / ROWS == pytest.approx(share, abs=0.06)
    folds = [set(made.training.groups[made.folds.numbers == number]) for number in range(made.folds.members)]
    assert len(folds) == 5
    assert sum(map(len, folds)) == len(set.union(*folds)) == len(set(made.training.groups))
    assert made.notes == (f"held out are {len(set(made.held_out.groups))} of 30 groups by group, whole",)
    assert list(made.training.features) == (["x"] if target == "y" else ["y"])


def test_each_part_has_about_its_share_of_each_class():
    """A third of the groups is of one class."""
    table = frame()
    made = divided(table.assign(y=np.where(table["group"] % 3, "common", "rare")), group="group")
    for part in (made.held_out.values, *(made.training.values[made.folds.numbers == number] for number in range(5))):
        assert np.mean(part == "rare") == pytest.approx(1 / 3, abs=0.12)


@pytest.mark.parametrize("seed", range(5))
def test_a_group_that_most_rows_are_of_is_learnt_from(seed):
    """What sorts groups begins with the largest, and the first part would be half of the table."""
    groups = np.where(np.arange(ROWS) % 2, 30, frame()["group"])
    made = divided(frame(group=groups), group="group", seed=seed)
    assert 30 not in set(frame(group=groups)["group"].iloc[made.held_out.values.index])
    assert len(made.held_out) < ROWS / 4


def test_another_seed_holds_out_other_groups():
    several = {tuple(sorted(set(divided(frame(), group="group", seed=seed).held_out.groups))) for seed in range(4)}
    assert len(several) > 1


def test_a_class_of_one_group_is_learnt_from():
    """Wherever its group is held out, no row to learn from has it."""
    table = frame()
    for group in range(8):
        table["y"] = np.where(table["group"] == group, "rare", "a")
        table.loc[table.index[:3], "y"] = "a"
        made = divided(table, group="group")
        assert "rare" in set(made.training.values)


def test_few_groups_are_as_many_folds():
    made = divided(frame(group=np.arange(ROWS) % 3), group="group")
    assert (len(set(made.held_out.groups)), made.folds.members) == (1, 2)
    assert made.folds.where == "in each of 2 folds, of whole groups"


def test_many_groups_are_dealt_as_well(monkeypatch):
    monkeypatch.setattr(dividing, "MANY_GROUPS", 10)
    monkeypatch.setattr(dividing, "LARGE_TABLE", 100)
    made = divided(frame(), group="group")
    assert set(made.training.groups).isdisjoint(made.held_out.groups)
    assert (made.folds.members, made.folds.where) == (1, "on a tenth of the rows, of whole groups")
    assert 0.05 < np.mean(made.folds.numbers == 0) < 0.2


DAYS = pd.date_range("2024-01-01", periods=ROWS).to_series()


@pytest.mark.parametrize("when", [DAYS.dt.strftime("%d.%m.%Y").to_numpy(), DAYS.to_numpy(), np.arange(ROWS) / 3.0])
def test_what_is_judged_on_comes_after_what_was_learnt_from(when):
    order = np.random.default_rng(0).permutation(ROWS)
    made = divided(frame(when=when[order], rank=order), time="when")
    ranks = made.training.features["rank"].to_numpy()
    assert sorted(made.held_out.features["rank"]) == list(range(192, ROWS))
    validated = made.folds.numbers < made.folds.members
    assert made.folds.members == 1
    assert ranks[validated].min() > ranks[~validated].max()
    assert validated.sum() == 38, "a fifth"
    assert made.folds.where == "on the latest 38 of the rows to learn from"
    first = "64" if when.dtype == float else "2024-07-11"
    assert made.notes == (f"held out are the rows from {first} on, by when; all others are of before",)


def test_rows_of_one_time_are_on_one_side():
    made = divided(frame(when=np.arange(ROWS) // 80), time="when")
    assert set(made.held_out.times) == {2.0}
    assert set(made.training.times[made.folds.numbers == 0]) == {1.0}
    assert set(made.training.times[made.folds.numbers == 1]) == {0.0}


def test_a_class_that_came_later_is_set_aside_and_told():
    y = np.where(np.arange(ROWS) > 230, "new", np.where(np.arange(ROWS) % 2, "a", "b"))
    made = divided(frame(y=y, when=np.arange(ROWS)), time="when")
    assert (made.target.kind, made.target.classes, len(made.held_out)) == ("binary", ("a", "b"), 39)
    assert made.notes[1] == ("9 held-out rows set aside, of classes of y that no row to learn from has (new)")
    with pytest.raises(InputError, match=r"the rows to learn from are all of one class of y, 'a'"):
        divided(frame(y=np.where(np.arange(ROWS) > 220, "b", "a"), when=np.arange(ROWS)), time="when")


@pytest.mark.parametrize(("columns", "settings", "part"), [
    ({"group": ["g"] * ROWS}, {"group": "group"}, "--group group: all rows together have 1 of the groups, and 3 at"),
    ({"group": list("uv") * 120}, {"group": "group"}, "have 2 of the groups, and 3 at least are needed, to learn from"),
    ({"when": [1, 2] * 120}, {"time": "when"}, "--time when: all rows together have 2 of the times, and 3 at least"),
    ({"group": ["u", None] * 120}, {"group": "group"}, "--group group is missing in row 2: each row needs a group"),
    ({"when": ["2024-01-01", "soon"] * 120}, {"time": "when"}, "--time when is '2024-01-01' in row 1: a time is a"),
    ({"when": [1.0, None] * 120}, {"time": "when"}, "--time when is missing in row 2: a time is a date or a number"),
    ({"w": [1, -1] * 120}, {"weights": "w"}, "--weights w is '-1' in row 2: a weight is at least 0"),
    ({"w": [1, None] * 120}, {"weights": "w"}, "--weights w is missing in row 2: a weight is a number of at least 0"),
    ({"w": [0] * ROWS}, {"weights": "w"}, "--weights w: all weights are 0"),
    ({"w": ["much", "more"] * 120}, {"weights": "w"}, "--weights w is 'much' in row 1: a weight is a number"),
    ({"w": list(DAYS)}, {"weights": "w"}, "--weights w is '2024-01-01 00:00:00' in row 1: a weight is a number"),
    ({"w": [1.0, np.inf] * 120}, {"weights": "w"}, "column 'w' has 120 infinite values"),
    ({"w": [0] * 238 + [1, 1], "y": ["b"] * 200 + ["a"] * 40}, {"weights": "w"}, "target 'y' is 'a' in every row"),
    ({}, {"weights": "x1"}, "t has no column 'x1': did you mean 'x'? its columns are x, group, y"),
    ({}, {"class_weights": "d=2"}, "--class-weights: there is no class 'd': the classes are a, b, c"),
    ({}, {"class_weights": "A=2"}, "there is no class 'A': did you mean 'a'?"),
    ({}, {"class_weights": "a"}, "--class-weights a: say balanced, or NAME=NUMBER"),
    ({}, {"class_weights": "a=0"}, "the weight of class 'a' is '0': it must be a number above 0"),
    ({}, {"class_weights": "a=nan,b=1"}, "the weight of class 'a' is 'nan'"),
    ({"y": np.linspace(0, 1, ROWS)}, {"class_weights": "balanced"}, "--class-weights is for classes, and the target"),
    ({}, {"group": "group", "time": "x"}, "--group and --time divide the rows in two ways"),
    ({}, {"group": "x", "weights": "x"}, "column 'x' is given as --weights and as --group"),
    ({}, {"time": "y"}, "column 'y' is given as --target and as --time"),
])  # fmt: skip
def test_what_cannot_be_said_of_rows(columns, settings, part):
    with pytest.raises(InputError) as caught:
        weighed(frame(**columns), **settings)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def weighed(table, **settings):
    """The weights of the rows to learn from, and the division."""
    settings = Settings("y", **settings)
    made = divide(type_table(Table(table, "t", "0"), settings), settings)
    return Weights(made.training, made.target, settings).of(made.training), made


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e30])
def test_only_how_weights_compare_says_something(unit):
    w = np.random.default_rng(0).integers(1, 9, ROWS)
    weights, made = weighed(frame(w=w * unit), weights="w")
    np.testing.assert_allclose(weights, w[made.training.values.index] / w[made.training.values.index].mean())
    assert list(made.training.features) == ["x", "group"]


def test_a_row_of_weight_0_is_one_that_is_not_there():
    w = np.arange(ROWS) % 3
    table = frame(w=w)
    settings = Settings("y", weights="w")
    typed = type_table(Table(table, "t", "0"), settings)
    assert "rows count as w tells, and 80 of weight 0 are left out" in typed.notes
    assert len(typed) == 160
    assert typed.values.tolist() == table["y"][w > 0].tolist()


def test_balanced_classes_count_as_much_as_each_other():
    table = frame(y=["a"] * 200 + ["b"] * 40, w=np.linspace(1, 2, ROWS))
    weights, made = weighed(table, class_weights="balanced")
    y = made.training.values.to_numpy()
    assert weights[y == "a"].sum() == pytest.approx(weights[y == "b"].sum())
    weights, made = weighed(table, class_weights="balanced", weights="w")
    w = table["w"][made.training.values.index].to_numpy()
    each = compute_class_weight("balanced", classes=np.array(["a", "b"]), y=y, sample_weight=w)
    np.testing.assert_allclose(weights, (product := each[(y == "b").astype(int)] * w) / product.mean())


def test_names_of_classes_may_have_commas_and_signs():
    table = frame(y=["Bern, city", "x=1", "c"] * 80)
    weights, made = weighed(table, class_weights="Bern, city=3, x=1=0.5")
    each = made.training.values.map({"Bern, city": 3, "x=1": 0.5, "c": 1})
    np.testing.assert_allclose(weights, each / each.mean())


def test_a_table_that_is_given_is_held_out_and_read_as_the_other_one(tmp_path):
    """Alone, its prices would be thousands, its codes numbers, and its days read month first."""
    (tmp_path / "t.csv").write_text("code;price;day;w;y\n" + "01;1,5;13/01/2024;1;1,25\nA2;2,25;02/03/2024;2;2,5\n" * 9)
    (tmp_path / "new.csv").write_text("y;w;code;price;day\n1,250;3;01;1,250;01/02/2024\n;1;01;2,250;03/02/2024\n"
                                      "2,250;0;01;2,250;03/02/2024\n2,125;1;01;2,250;03/02/2024\n")
    settings = Settings("y", weights="w", test=str(tmp_path / "new.csv"), task="regression")
    table = type_table(read_table(tmp_path / "t.csv"), settings)
    made = divide(table, settings)
    assert made.target.encode(made.held_out.values).tolist() == [1.25, 2.125]
    assert (made.held_out.weights * 3).tolist() == [3, 1]
    columns = {column.name: column for column in table.columns}
    assert columns["price"].numbers(made.held_out.features["price"]).tolist() == [1.25, 2.25]
    assert columns["code"].words(made.held_out.features["code"]).tolist() == ["01", "01"]
    assert len(made.training) == 18
    assert "held out are the 2 rows of new, without 1 that have no target" in table.notes
    assert table.digest not in {read_table(tmp_path / name).digest for name in ("t.csv", "new.csv")}


@pytest.mark.parametrize(("text", "part"), [
    ("y,a\n1,2\n2,3\n", "--test new: it lacks the columns b, w"),
    ("a,b,w\n1,2,1\n", "--test new: it lacks the column y"),
    ("a,b,w,y\n1,u,1,1\n1,u,1,much\n", "--test new: 'y' is 'much' in row 2: expected a number"),
    ("a,b,w,y\n1,u,1,1\n1,u,1,\n", "--test new: 'y' is known in 1 rows, and 2 at least are needed"),
    ("a,b,w,y\n1,u,1,1\n1,u,-1,2\n", "--test new: --weights w is '-1' in row 2"),
    ("a,b,w,y\n", "has a header and no rows"),
    ("a,b,w,y\n" + "1,u,1,1\n2,v,2,2.5\n" * 9, "that is the table that is learnt from"),
])  # fmt: skip
def test_a_test_table_that_does_not_fit(tmp_path, text, part):
    (tmp_path / "t.csv").write_text("a,b,w,y\n" + "1,u,1,1\n2,v,2,2.5\n" * 9)
    (tmp_path / "new.csv").write_text(text)
    settings = Settings("y", weights="w", test=str(tmp_path / "new.csv"), task="regression")
    with pytest.raises(InputError) as caught:
        type_table(read_table(tmp_path / "t.csv"), settings)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("y", ["c", "maybe"])
def test_a_test_table_with_a_class_that_is_none(tmp_path, y):
    """One that a single row has is none either."""
    frame().assign(y=["c", *["a", "b"] * 119, "a"]).to_csv(tmp_path / "t.csv", index=False)
    frame().assign(y=["a"] * 239 + [y]).to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match=f"--test new: 'y' is '{y}' in row 240: expected one of the classes a, b"):
        type_table(read_table(tmp_path / "t.csv"), Settings("y", test=str(tmp_path / "new.csv")))


def test_with_a_test_table_two_groups_or_times_are_enough(tmp_path):
    frame().to_csv(tmp_path / "new.csv", index=False)
    for said in ({"group": "g"}, {"time": "g"}):
        made = divided(frame(g=[1, 2] * 120), **said, test=str(tmp_path / "new.csv"))
        assert (len(made.training), len(made.held_out)) == (ROWS, ROWS)
        assert set(made.folds.numbers) == {0, 1}


def test_settings_are_said_as_options():
    assert replace(Settings("y"), weights="w", time="t").of_rows == {"weights": "w", "time": "t"}
