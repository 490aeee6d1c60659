"""A run's folder: what was asked for, checkpoints, the model, the metrics, the history and the report.

    run.json            the table, where it lay, and the settings; what was mended of which run, if it comes of that
    checkpoints/        one file for each model that is trained in steps
    model.safetensors   weights, encoder and task
    metrics.json        the outcome
    history.parquet     a row per step
    coefficients.csv    of the linear model, in the units of the columns
    report.html         the outcome, to look at
    doctor.html         what went wrong in the training, if it was examined
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from descend._files import is_temporary, write_atomically
from descend._locks import hold, release
from descend._saved import MODEL_FILE
from descend._text import visible
from descend.engine.storing import read_arrays
from descend.errors import CheckpointError, InputError
from descend.tasks.common.patterns import is_pattern
from descend.tasks.common.sources import file_and_part, is_passing, without_secrets


@dataclass(frozen=True)
class RunFolder:
    """The files of one run. `asked`: what `run.json` says, the table and the settings. `resume`: whether to go on.

    `about`: the file that says so.
    """

    path: Path
    asked: dict[str, Any]
    resume: bool = False

    about: ClassVar[str] = "run.json"

    @property
    def checkpoints(self) -> Path:
        """Where the runs under way are saved."""
        return self.path / "checkpoints"

    def begin(self) -> None:
        """Write down what was asked for, and keep other processes from the folder until the command ends.

        **Raises** `InputError` if nothing can be written there, or another process writes there, or did meanwhile.
        """
        # The lock comes first: what another process began in between is then seen.
        self.hold()
        self.write_asked()

    def hold(self) -> None:
        """Keep other processes from the folder until the command ends.

        **Raises** `BusyError` if another process writes there.
        """
        hold(self.path / ".lock", self.path)

    def release(self) -> None:
        """Let other processes in again."""
        release(self.path / ".lock")

    def write_asked(self) -> None:
        """Write down what was asked for.

        **Raises** `InputError` if it cannot be written there, or something else was begun there.
        """
        self.refuse_another()
        try:
            self.write_json(self.about, self.asked)
        except OSError as error:
            raise InputError(f"cannot write to {self.path}: {error.strerror or error}; give another --out") from None

    def refuse_another(self) -> None:
        """Raises `InputError` or `CheckpointError` where there is something else than the run to go on with."""
        path = self.path
        # A folder that is not there yet has no `..`, and then has one.
        place = path.resolve()
        holds_run = (path / self.about).exists()
        if self.resume and holds_run:
            _check_same(path / self.about, self.asked)
        elif place.is_file() or (place.is_dir() and not all(is_temporary(entry.name) for entry in place.iterdir())):
            hint = "give --resume to go on with the run in it, or give" if holds_run else "it holds no run: give"
            raise InputError(f"{path} exists already: {hint} another --out")

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Where what came of the training is written: how to get it, if it cannot be written now.

        **Raises** `InputError`.
        """
        try:
            yield
        except OSError as error:
            raise InputError(f"{error.filename or self.path} cannot be written ({error.strerror or error}): make room, "
                             f"and give the same command with --resume --out {shlex.quote(str(self.path))}") from None

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file that people can read."""
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        write_atomically(self.path / name, f"{visible(text)}\n".encode())

    def write_report(self, page: str, name: str = "report.html") -> None:
        """Write a report, as a page that names of anybody's cannot change, nor the terminal that it is shown in."""
        write_atomically(self.path / name, visible(page).encode())


def claimed(
    path: Path | None, name: str, asked: dict[str, Any], resume: bool, kind: type[RunFolder] = RunFolder
) -> RunFolder:
    """The folder to write a run into: a new one, or with `resume` the one that was begun, if it was. Writes nothing.

    Without a path it is `runs/NAME`, with a number behind it if there is such a run already. `asked`: first what is
    trained on, by its kind; its `digest`; and the `settings`.

    **Raises** `InputError` for a folder that is taken, or to be resumed with something else or other settings, and
    `CheckpointError` if it is damaged.
    """
    folder = kind(path or _free(Path("runs") / _plain(name), resume), asked, resume)
    folder.refuse_another()
    if not (resume and (file := folder.path / folder.about).exists()):
        return folder
    # What else was written down, such as what was mended, stays.
    return replace(folder, asked=json.loads(file.read_bytes()) | asked)


def place_of(source: str | Path) -> str:
    """Where a source lies, seen from anywhere; what is no file, such as sample:iris, is what it is called.

    It is written into a run's folder, which others may see: of a URL nothing that is secret.
    """
    if is_passing(str(source)):
        return without_secrets(str(source))
    if is_pattern(source):
        return str(Path(source).expanduser().absolute())
    path, part = file_and_part(source)
    return f"{path.absolute()}{f'#{part}' if part else ''}" if path.exists() else str(source)


def refuse_taken(path: Path) -> None:
    """Raises `InputError` for a folder that no new run can be written into."""
    RunFolder(path, {}).refuse_another()


def read_model(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the facts of the model in a run's folder, whatever kind of model it is.

    **Raises** `InputError` if there is no such folder or no model in it, `CheckpointError` if the model is damaged.
    """
    file = path / MODEL_FILE
    if not path.is_dir():
        raise InputError(f"there is no folder {path}: give the folder that `descend fit` wrote")
    if not file.exists():
        begun = (path / "run.json").exists()
        hint = "its training did not end; go on with `descend fit … --resume`" if begun else "it is no run's folder"
        raise InputError(f"{path} has no model: {hint}")
    return read_arrays(file)


def _check_same(file: Path, asked: dict[str, Any]) -> None:
    path, kind = file.parent, next(iter(asked))
    try:
        begun = json.loads(file.read_bytes())
        before, digest, settings = begun.get(kind), begun["digest"], dict(begun["settings"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file} is damaged ({error!r}): begin anew with another --out") from None
    if before is None:
        raise InputError(f"{path} was begun with something else than a {kind}: give another --out")
    if digest != asked["digest"]:
        what = (f"'{before}' as it was then, and its content has changed since" if before == asked[kind] else
                f"another {kind}, '{before}', whose content is not that of '{asked[kind]}'")
        raise InputError(f"{path} was begun with {what}: give another --out")
    for name, value in asked["settings"].items():
        # JSON has no tuples, and a run that was begun before there was such a setting has none.
        before, now = (list(x) if isinstance(x, tuple) else x for x in (settings.get(name), value))
        if (before or None) != (now or None):
            before, now = ("none" if x in (None, []) else x for x in (before, now))
            raise InputError(f"{path} was begun with another {name.replace('_', ' ')}, {before} and not {now}: "
                             "resume it with the same settings, or give another --out")


def _free(path: Path, resume: bool) -> Path:
    """`path`, or the first of `path-2`, `path-3`, … that is free; to resume, the last one that is not."""
    numbered = [path]
    while numbered[-1].exists():
        numbered.append(path.with_name(f"{path.name}-{len(numbered) + 1}"))
    return numbered[-2] if resume and len(numbered) > 1 else numbered[-1]


def _plain(name: str) -> str:
    """The name as that of a folder of its own, and of one that can be seen: `..` is another one, `.x` hidden."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name).strip(".") or "table"
