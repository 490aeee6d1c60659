"""What `--processes` refuses before it starts any process, and each of them before it trains."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from descend._division import Division
from descend.cli._sharing import Sharing
from descend.cli.fit import _fit
from descend.errors import InputError
from descend.tasks.table.networks.training import _usual_batch
from trainings import table


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("fit table.csv --target t --processes 0", "--processes must be at least 1, but is 0"),
        ("fit table.csv --target t --processes 1.5", "a valid integer"),
        ("fit - --target t --processes 2", "the standard input can be read once alone"),
        ("fit table.csv --target t --processes 2 --model linear", "the linear model is solved by one process"),
        ("fit pictures --processes 2", "--processes is for tables: one process trains on the pictures"),
        ("fit pictures --on slurm", "--on is for tables: one process trains on the pictures"),
        ("fit table.csv --target t --on slurm --processes 2", "srun tells how many processes there are"),
        ("fit table.csv --target t --on slurm", "SLURM_JOB_ID is not set, so that srun did not start this process"),
        ("fit table.csv --target t --on slurm --model linear", "the linear model is solved by one process"),
        ("fit table.csv --target t --on pbs", "'pbs' is not one of 'slurm', 'mpi'"),
    ],
)
def test_at_once(descend, tmp_path, words, part):
    table(tmp_path)
    for name in ("dark", "light"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "pictures" / name / "1.png")
    said = descend(*words.split())
    assert said.code == 2
    assert part in said.err


def test_texts():
    """Which a table turns out to have once it is read, by each process."""
    texts = SimpleNamespace(is_divided=False, unit="texts", name="mails.csv")
    with pytest.raises(InputError, match="one process trains on the texts in mails"):
        _fit(texts, Sharing(2))


@pytest.mark.parametrize("told", ["2", "0/3@40000"])
def test_another_environment(descend, tmp_path, monkeypatch, told):
    monkeypatch.setenv("DESCEND_PROCESS", told)
    ended = []
    monkeypatch.setattr("descend.cli.end", ended.append)
    said = descend("fit", table(tmp_path), "--target", "t", "--processes", "2")
    assert "DESCEND_PROCESS" in said.err
    assert ended == [2]


class TestRows:
    """Of a step, each process has as many."""

    @pytest.fixture(autouse=True)
    def among(self, monkeypatch):
        class Three:
            parts = 3
            usual_size = Division.usual_size

        monkeypatch.setattr(Division, "among_all", classmethod(lambda cls: Three()))

    @pytest.mark.parametrize(("rows", "size"), [(1000, 63), (50_000, 255), (10, 9), (3, 3)])
    def test_usually(self, rows, size):
        assert _usual_batch(rows) == size

    def test_too_few(self):
        with pytest.raises(InputError, match="2 rows to train on are too few for 3 processes"):
            _usual_batch(2)
