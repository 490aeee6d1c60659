"""What the command line refuses: one line that says what is wrong, where and what to do, and exit code 2."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusal import refused

from descend.engine.storing import read_arrays, write_arrays

ROWS = "a,b,t\n" + "".join(f"{i},{i * i % 7},{3 * i}\n" for i in range(12))


def column(*values):
    """A table of a number and a target with these values."""
    return "a,t\n" + "".join(f"{number % 5}.5,{value}\n" for number, value in enumerate(values))


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["'t.csv' is empty"]),
        ("a,t\n", ["'t.csv' has a header and no rows"]),
        ("a,b\n1,2\n3,4\n", ["t has no column 't'", "its columns are a, b"]),
        (column(*[5] * 9), ["target 't' is '5' in every row"]),
        (column(*[""] * 9), ["target 't' is missing in every row"]),
        (column(5), ["target 't' is known in one row only"]),
        ("a,t\n" + ",1\n,2\n" * 9, ["no column can be learnt from", "'a': every value is missing"]),
        ("t\n1\n2\n3\n", ["no column besides the target"]),
        ("a,t\n1,3\ninf,4\n2,5\n4,9\n", ["column 'a'", "infinite", "row 2"]),
        ("a,t\n1,3\n2,inf\n3,5\n4,9\n", ["'t'", "infinite", "row 2"]),
        (column(*["yes"] * 9, "no"), ["class 'no' has only one row"]),
        ("a,a,t\n1,2,3\n4,5,6\n", ["more than one column named 'a'"]),
        ("a,t\n1,2,3\n4,5,6\n", ["has 3 values where the header names 2"]),
        (b"\x00\x01\x02\xff" * 99, ["'t.csv' is not text"]),
        (column(1.5, 2.5, 3.5), ["3 rows are too few"]),
    ],
)
def test_tables(descend, content, parts):
    Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(descend("fit", "t.csv", "--target", "t"), *parts)
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("table", "part"),
    [("none.csv", "no file 'none.csv'"), (".", "is a folder"), ("sample:none", "no sample is called 'none'")],
)
def test_no_table(descend, table, part):
    refused(descend("fit", table, "--target", "t"), part)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("--batch-size 500", "the batch size is 500, but there are 9 rows to learn from"),
        ("--batch-size 0", "the batch size must be a number above 0, but is 0"),
        ("--learning-rate 0", "the learning rate must be a number above 0, but is 0"),
        ("--learning-rate nan", "the learning rate must be a number above 0, but is nan"),
        ("--epochs -1", "the epochs must be a number above 0, but is -1"),
        ("--epochs inf", "the epochs must be a number above 0, but is inf"),
        ("--seconds 0", "the seconds must be a number above 0, but is 0"),
        ("--hold-out 0", "must be between 0 and 1, but is 0"),
        ("--hold-out 1", "must be between 0 and 1, but is 1"),
        ("--hold-out 1.5", "must be between 0 and 1, but is 1.5"),
        ("--hold-out nan", "must be between 0 and 1, but is nan"),
        ("--hold-out 0.99", "12 rows are too few to hold out 12"),
        ("--seed -1", "the seed must be a whole number from 0"),
        ("--split-seed -1", "the split seed must be a whole number from 0"),
        ("--model mlp --hidden-layers 5", "the hidden layers must be a whole number from 1 to 4, but is 5"),
        ("--model mlp --width 0", "the width must be a whole number from 1 to 4096, but is 0"),
        ("--width 8", "the linear model has no hidden layers: leave --hidden-layers and --width out"),
        ("--model deep", "there is no model 'deep': choose one of auto, linear, mlp"),
        ("--optimizer magic", "there is no optimizer 'magic': choose one of sgd, adagrad, rmsprop, adam, adamw"),
        ("--out t.csv", "t.csv exists already"),
        ("--out t.csv/run", "cannot write to t.csv/run: Not a directory"),
        ("--model mlp --optimizer sgd --learning-rate 1e18 --epochs 3", "are not finite (diverged: "),
    ],
)
def test_settings(descend, options, part):
    Path("t.csv").write_text(ROWS)
    refused(descend("fit", "t.csv", "--target", "t", "--model", "linear", "--quiet", *options.split()), part)
    assert Path("t.csv").read_text() == ROWS


@pytest.mark.parametrize("words", ["--target t --seed many", "--target t --epochs many"])
def test_the_command_line_itself(descend, words):
    said = descend("fit", "t.csv", *words.split())
    assert said.code == 2
    assert said.err.startswith("Usage: ")


BEGUN = ("fit", "t.csv", "--target", "t", "--model", "linear", "--epochs", 2, "--out", "run", "--quiet")


@pytest.fixture
def begun(descend):
    """A run in the folder `run`; its files must not change when another is refused."""
    Path("t.csv").write_text(ROWS)
    assert descend(*BEGUN).code == 0
    before = Path("run/model.safetensors").read_bytes()
    yield descend
    assert Path("run/model.safetensors").read_bytes() == before


def test_a_folder_that_is_taken(begun):
    refused(begun(*BEGUN), "run exists already: give --resume to go on with the run in it, or give another --out")


def test_resume_with_another_table(begun):
    changed = Path("t.csv").read_text() + "1,2,3\n"
    Path("u.csv").write_text(changed)
    refused(begun(*BEGUN[:1], "u.csv", *BEGUN[2:], "--resume"),
            "run was begun with another table, 't', whose content is not that of 'u': give another --out")
    Path("t.csv").write_text(changed)
    refused(begun(*BEGUN, "--resume"),
            "run was begun with 't' as it was then, and its content has changed since: give another --out")


@pytest.mark.parametrize(
    ("option", "part"),
    [
        (("--epochs", 9), "another epochs, 2.0 and not 9.0"),
        (("--seed", 1), "another seed, 0 and not 1"),
        (("--target", "a"), "another target, t and not a"),
        (("--optimizer", "sgd"), "another optimizer, none and not sgd"),
    ],
)
def test_resume_with_other_settings(begun, option, part):
    refused(begun(*BEGUN, "--resume", *option), part, "resume it with the same settings")


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"table": "t"}', '{"table": 1, "digest": 2, "settings": 3}'])
def test_resume_from_damaged_facts(begun, content):
    Path("run/run.json").write_text(content)
    refused(begun(*BEGUN, "--resume"), "run.json is damaged", "begin anew with another --out")


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("how", ["cut", "flip"])
def test_resume_from_a_damaged_checkpoint(begun, how, where):
    path = Path("run/checkpoints/linear.safetensors")
    Path(f"{path}.older").unlink(missing_ok=True)  # which is gone on from, and is there where the machine is slow
    damage(path, how, where)
    refused(begun(*BEGUN, "--resume"), "linear.safetensors is damaged")


def test_resume_where_there_is_no_run(begun):
    Path("other").mkdir()
    Path("other/file").touch()
    refused(begun(*BEGUN, "--resume", "--out", "other"), "other exists already: it holds no run: give another --out")


def damage(path, how, where):
    content = bytearray(path.read_bytes())
    at = int(where * len(content))
    if how == "cut":
        del content[at:]
    else:
        content[at] ^= 4
    path.write_bytes(content)


def test_predict_lacking_columns(descend, trained, houses):
    pd.read_csv(houses).drop(columns=["area", "city"]).to_csv("less.csv", index=False)
    refused(descend("predict", trained, "less.csv", "-o", "out.csv"), "lacks the columns 'area', 'city'")
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    ("content", "part"),
    [("area,rooms,city,garden,sold\n", "a header and no rows"), ("", "is empty"),
     ("area,rooms,city,garden,sold\nwide,1,Zug,yes,2024-01-01\n", "column 'area' held numbers")],
)
def test_predict_for_no_table(descend, trained, content, part):
    Path("new.csv").write_text(content)
    refused(descend("predict", trained, "new.csv", "-o", "out.csv"), part)


@pytest.mark.parametrize(
    ("output", "part"),
    [("out.xls", "cannot write out.xls: workbooks are read alone"), ("out", "cannot tell"),
     ("file/out.csv", "cannot write"), ("folder.csv", "cannot write folder.csv: Is a directory")],
)
def test_predict_into_what_cannot_be_written(descend, trained, houses, output, part):
    Path("file").touch()
    Path("folder.csv").mkdir()
    refused(descend("predict", trained, houses, "-o", output), part)
    assert sorted(path.name for path in Path().iterdir()) == ["file", "folder.csv"]


def test_predict_with_a_model_of_another_version(descend, trained, houses):
    arrays, facts = read_arrays(trained / "model.safetensors")
    write_arrays(Path("old/model.safetensors"), arrays, facts | {"version": 1})
    refused(descend("predict", "old", houses, "-o", "out.csv"), "was written by another version of it: train again")


def test_predict_with_no_run(descend, houses):
    refused(descend("predict", "none", houses, "-o", "out.csv"), "there is no folder none")
    Path("empty").mkdir()
    refused(descend("predict", "empty", houses, "-o", "out.csv"), "empty has no model: it is no run's folder")
    Path("empty/run.json").write_text("{}")
    refused(descend("predict", "empty", houses, "-o", "out.csv"), "its training did not end; go on with")


@pytest.mark.parametrize("where", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("how", ["cut", "flip"])
def test_predict_with_a_damaged_model(descend, trained, houses, how, where):
    Path("run").mkdir()
    path = Path("run/model.safetensors")
    path.write_bytes((trained / "model.safetensors").read_bytes())
    damage(path, how, where)
    refused(descend("predict", "run", houses, "-o", "out.csv"), "model.safetensors is damaged")


TINY = {
    "four rows": column(1.5, 2.5, 3.25, 5),
    "one feature of two values": column(*"uv" * 4).replace(".5", ""),
    "three classes of two rows": column(*"uvwuvw"),
    "many classes": column(*(f"class {i // 2}" for i in range(24))),
    "a rare class": column(*"u" * 20, *"vv"),
    "huge numbers": column(1e37, 2e37, -1e37, 3e37, 0, 1e37),
    "tiny numbers": column(1e-37, 2e-37, -1e-37, 3e-37, 0, 1e-37),
    "numbers far from zero": column(*(1e6 + i for i in range(8))),
}


@pytest.mark.parametrize("options", [(), ("--epochs", 2)], ids=["solved", "descended"])
@pytest.mark.parametrize("content", TINY.values(), ids=TINY)
def test_tiny_tables_work(descend, content, options):
    Path("t.csv").write_text(content)
    said = descend("fit", "t.csv", "--target", "t", "--model", "linear", *options, "--json")
    assert said.code == 0, said.err
    metrics = json.loads(said.out)
    assert np.isfinite([metrics["score"], metrics["baseline"]]).all()
    assert descend("predict", "runs/t", "t.csv", "-o", "out.csv").code == 0
    assert pd.read_csv("out.csv").notna().all().all()
