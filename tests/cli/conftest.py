"""The command line in this process (a process of its own takes seconds to start), and a table to use it on."""

import sys
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from descend.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def descend(monkeypatch, capsys, tmp_path):
    """`descend("fit", ...)`, run in an empty folder; what it compiles is not kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("descend.cli.keep_programs", lambda: None)

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["descend", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(ended.value.code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def houses(tmp_path_factory):
    """A CSV file of 80 houses: numbers with gaps, categories, truths, dates, and a price that hangs on some of them."""
    rng, rows = np.random.default_rng(0), 80
    frame = pd.DataFrame({
        "area": rng.normal(100, 20, rows).round(1),
        "rooms": rng.integers(1, 6, rows),
        "city": rng.choice(["Basel", "Bern", "Zug"], rows),
        "garden": rng.choice(["yes", "no"], rows),
        "sold": pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d"),
    })
    frame["price"] = 3000 * frame["area"] + 50_000 * (frame["city"] == "Zug") + rng.normal(0, 5000, rows).round()
    frame.loc[::9, "rooms"] = None
    path = tmp_path_factory.mktemp("tables") / "houses.csv"
    frame.to_csv(path, index=False)
    return path


def made(folder, *args, command="fit"):
    """A run that tests share: `descend fit …`, or another command, into a folder."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "argv", ["descend", command, *map(str, args), "--out", str(folder), "--quiet"])
        patch.setattr("descend.cli.keep_programs", lambda: None)
        stack.enter_context(redirect_stdout(StringIO()))
        stack.enter_context(pytest.raises(SystemExit))
        main()
    return folder


@pytest.fixture(scope="session")
def trained(houses, tmp_path_factory):
    """The folder of a run on the houses."""
    folder = tmp_path_factory.mktemp("runs") / "houses"
    return made(folder, houses, "--target", "price", "--model", "linear", "--epochs", 30)
