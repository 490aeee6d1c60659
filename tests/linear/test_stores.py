"""Tables in stores: read through fsspec as from a disk, for linear models and networks; what is not there is told."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from descend import Adam
from descend.errors import InputError
from descend.linear import Blocks, LogisticRegression
from descend.neural import MLPClassifier

fsspec = pytest.importorskip("fsspec")

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame({"city": RNG.choice(["Rome", "Oslo"], 600), "far": RNG.normal(size=600)})
TABLE["late"] = np.where(TABLE["far"] + (TABLE["city"] == "Rome") + RNG.logistic(size=600) > 0, "yes", "no")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same files on the disk, and in memory."""
    folder, store = tmp_path_factory.mktemp("flights"), fsspec.filesystem("memory")
    for number in range(3):
        name = f"part-{number}.parquet"
        TABLE[number * 200 : (number + 1) * 200].to_parquet(folder / name, row_group_size=50)
        store.pipe(f"/bucket/{name}", (folder / name).read_bytes())
    store.pipe("/bucket/deep/t.csv", TABLE.to_csv(index=False).encode())
    store.pipe("/broken/t.parquet", b"PAR1 no")
    yield folder
    for place in ("/bucket", "/broken"):
        store.rm(place, recursive=True)


@pytest.mark.parametrize("path", ["memory://bucket/*.parquet", "memory://bucket/part-?.parquet"])
def test_linear_models_and_networks_have_the_bits_that_they_have_from_a_disk(folder: Path, path: str) -> None:
    there, here = Blocks(path, "late"), Blocks(folder / "*.parquet", "late")
    np.testing.assert_array_equal(LogisticRegression().fit(there).coef_, LogisticRegression().fit(here).coef_)
    model = MLPClassifier((4,), optimizer=Adam(0.01), epochs=1, random_state=0)
    np.testing.assert_array_equal(model.fit(there).predict_proba(there), model.fit(here).predict_proba(here))


@pytest.mark.parametrize(("path", "parts"), [
    ("memory://bucket/part-1.parquet", [1]), ("memory://bucket/part-[02].parquet", [0, 2]),
])
def test_files_are_those_that_are_named(folder: Path, path: str, parts: list[int]) -> None:
    wanted = np.concatenate([TABLE["late"][i * 200 : (i + 1) * 200] for i in parts])
    np.testing.assert_array_equal(Blocks(path, "late").targets(), wanted)


def test_a_folder_and_other_formats_are_read(folder: Path) -> None:
    store = fsspec.filesystem("memory")
    store.rm("/bucket/deep", recursive=True)
    np.testing.assert_array_equal(Blocks("memory://bucket", "late").targets(), TABLE["late"])
    store.pipe("/deep/t.csv", TABLE.to_csv(index=False).encode())
    np.testing.assert_array_equal(Blocks("memory://deep/t.csv", "late").targets(), TABLE["late"])


@pytest.mark.parametrize(("path", "message"), [
    ("memory://bucket/nothing.parquet", "there is no file 'memory://bucket/nothing.parquet': check its name"),
    ("memory://bucket/no*.parquet", r"no file has a name like 'memory://bucket/no\*.parquet': check the pattern"),
    ("nowhere://bucket/t.parquet", "'nowhere://bucket/t.parquet' cannot be reached: Protocol not known: nowhere"),
    ("memory://broken/t.parquet", "t.parquet.* is no readable .parquet file"),
])
def test_what_cannot_be_read_is_told_on_one_line(folder: Path, path: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        LogisticRegression().fit(Blocks(path, "late"))
    assert "\n" not in str(told.value)


def test_without_fsspec_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match=r"needs fsspec, which is not installed: pip install 'descend\[stores\]'"):
        MLPClassifier().fit(Blocks("s3://bucket/*.parquet", "late"))


def test_without_what_a_scheme_needs_a_line_says_that() -> None:
    if find_spec("s3fs"):
        pytest.skip("s3fs is installed")
    with pytest.raises(InputError, match=r"'s3://bucket/\*.parquet' cannot be reached: Install s3fs"):
        LogisticRegression().fit(Blocks("s3://bucket/*.parquet", "late"))
