"""`descend optimizers`: the table of all, and the page of one."""

import dataclasses
import inspect
import re
import runpy

import pytest
from rich.cells import cell_len

from descend.optimizers import SGD, AdamW, family
from descend.schedules import Step

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def terminal(monkeypatch):
    def of(width):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(width))

    return of


def test_python_runs_the_package_as_the_command(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["descend", "optimizers"])
    monkeypatch.setattr("descend.cli.keep_programs", lambda: None)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("descend", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out) == (0, family().text(10_000) + "\n")


def test_a_pipe_gets_a_line_for_each(descend):
    said = descend("optimizers")
    assert (said.code, said.err) == (0, "")
    assert said.out == family().text(10_000) + "\n"
    assert "\x1b" not in said.out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_gets_a_table_that_fits(descend, terminal, width):
    terminal(width)
    said = descend("optimizers")
    assert (said.code, said.err) == (0, "")
    lines = ESCAPES.sub("", said.out).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert [line.rstrip() for line in lines] == family().text(width).splitlines()


@pytest.mark.parametrize("name", ["AdamW", "adamw", "adam-w", "ADAM_W"])
def test_one(descend, name):
    said = descend("optimizers", name)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("AdamW, a rule\n\nAdam, with weight decay kept out of the averages:\n\n    θ ← θ")
    assert ">>> rule = AdamW(0.1, weight_decay=0.5)\n" in said.out
    assert "Loshchilov and Hutter" in said.out
    for field in dataclasses.fields(AdamW):
        assert re.search(rf"^    {field.name} +{re.escape(repr(field.default))}$", said.out, re.MULTILINE)
    assert "Stable up to a learning rate × curvature of 38: " in said.out
    assert all(line == line.rstrip() for line in said.out.splitlines())


def test_all_of_the_docstring(descend, terminal):
    terminal(100)
    for member in family()[:5]:
        page = ESCAPES.sub("", descend("optimizers", member.name).out)
        assert " ".join(inspect.getdoc(member.cls).split()) in " ".join(page.split())


def test_settings_without_a_default(descend):
    said = descend("optimizers", "step")
    assert said.out.startswith("Step, a schedule\n")
    assert re.search(r"^    every +\(needed\)$", said.out, re.MULTILINE)
    assert f"factor   {Step(1.0, every=1).factor}\n" in said.out
    assert "Stable" not in said.out


def test_prose_is_wrapped_to_a_narrow_terminal(descend, terminal):
    terminal(50)
    lines = ESCAPES.sub("", descend("optimizers", "sgd").out).splitlines()
    formulas = [line for line in inspect.getdoc(SGD).splitlines() if line.startswith((" ", ">>>"))]
    assert set(formulas) <= set(lines), "formulas and examples stay as they are"
    assert all(len(line) <= 50 for line in lines if not line.startswith((" ", ">>>")))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("adm", "did you mean Adam or "), ("cosin", "did you mean Cosine? "), ("xyzzy", "")],
)
def test_unknown(descend, name, hint):
    said = descend("optimizers", name)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"descend: there is no optimizer, modifier or schedule '{name}': {hint}")
    assert said.err.endswith("'descend optimizers' lists all\n")
    assert said.err.count("\n") == 1


def test_is_listed_in_the_help(descend):
    assert "optimizers" in descend("--help").out
