"""The training that a command began, from the run's folder and what it was trained on."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend._facts import Facts
from descend._saved import file_of
from descend.errors import CheckpointError, InputError
from descend.tasks.common.patterns import is_pattern
from descend.tasks.common.sources import file_and_part, is_passing

if TYPE_CHECKING:
    from descend.engine.run import Run
    from descend.neural.language import LanguageModel
    from descend.tasks.common.network.collection import Collection
    from descend.tasks.common.settings import Settings
    from descend.tasks.common.task import Task
    from descend.training import Trainer

# Tokens of a sample that a language model writes.
SAMPLE_TOKENS = 200


@dataclass(frozen=True)
class Begun:
    """A training at its beginning, or where its checkpoint stands; by what it is `judged`: held-out examples, or a
    function of the parameters; the `title` of the training; the `source` of what it learns from, of which a policy has
    none; and the `task` of one that `descend fit` made, as it was `prepared`."""

    trainer: "Trainer"
    judged: Any
    title: str
    source: str | None = None
    task: "Task | None" = None
    prepared: Any = None

    @property
    def run(self) -> "Run":
        """The run that the training begins with, or stands at."""
        return self.trainer.run


def begun(folder: Path, source: str | None, checkpoints: Path | None = None) -> Begun:
    """The training in a run's folder: the same data, the same held out, the same steps. It is at its beginning, or with
    a folder of `checkpoints` where those stand, which it then holds. `source`: what it was trained on; if it is `None`,
    where its folder says that this lies.

    **Raises** `InputError` where there is no such run, for another source than it was trained on, or none that is still
    there, and for trainings that cannot be replayed; `CheckpointError` if what was asked for is damaged.
    """
    asked = _asked(folder)
    if "environment" in asked:
        if source is not None:
            raise InputError(f"{folder} is of a policy, which learns from what it plays: leave out {source}")
        return _of_policy(asked, folder, checkpoints)
    lies = source or _where_it_lies(asked, folder, ())
    if "text" in asked:
        return _of_language(asked, folder, Path(lies), checkpoints)
    task = task_of_run(asked, folder, lies)
    prepared = task.prepare()
    return Begun(*task.begun(prepared, checkpoints), f"The training on {lies}", lies, task, prepared)


def source_of(folder: Path, others: Sequence[Path] = ()) -> str | None:
    """Where lies what a run was trained on: as its folder has it, or one of `others` by the same name; `None` for a
    policy, which learns from what it plays.

    **Raises** `InputError` where it is not there any more.
    """
    asked = _asked(folder)
    return None if "environment" in asked else _where_it_lies(asked, folder, others)


def _where_it_lies(asked: dict[str, Any], folder: Path, others: Sequence[Path]) -> str:
    kind = next(kind for kind in ("table", "collection", "text") if kind in asked)
    name, lay = str(asked[kind]), str(asked.get("source", ""))
    file, part = file_and_part(lay)
    # One of several tables of a file has a name of its own.
    wanted = {name, file.stem} if part else {name}
    if found := [path for path in others if wanted & {path.name, path.stem}]:
        return f"{found[0]}#{part}" if part else str(found[0])
    # What is neither a file nor a folder, such as a device, may have no end; and a folder that somebody sent is not to
    # say what is fetched from a network.
    if lay.startswith("sample:") or (lay and (file.is_file() or file.is_dir() or is_pattern(lay))):
        return lay
    where = f"is not at {lay} any more" if lay else "lay where its folder does not say"
    where = f"came from {lay}" if is_passing(lay) else where
    raise InputError(f"{name}, which {folder.name} was trained on, {where}: name it with --data, or as the SOURCE of "
                     "descend doctor")


def digest_of(folder: Path) -> str:
    """The digest of what a run was trained on.

    **Raises** as `begun` does.
    """
    return str(_asked(folder).get("digest", ""))


def task_of_run(asked: dict[str, Any], folder: Path, source: str) -> "Task":
    """The task of a table, or of pictures, as a run's folder has it.

    **Raises** as `begun` does.
    """
    settings = _settings(asked, folder)
    task = _of_pictures(asked, settings, folder, source) if "collection" in asked else _of_table(settings, source)
    _refuse_other(folder, source, asked, task.digest)
    return task


def _of_pictures(asked: dict[str, Any], settings: "Settings", folder: Path, source: str) -> "Task":
    from descend.neural.starting import Start
    from descend.tasks.common.reading import read_table
    from descend.tasks.images.pictures import has_pictures, labelled_by, read_collection
    from descend.tasks.images.task import ImageTask

    # Without those that cannot be read: whether it was trained without them, too, the digest tells.
    found: Collection | None = (
        read_collection(source, skip_damaged=True)
        if has_pictures(source)
        else labelled_by(read_table(source), source, skip_damaged=True)
    )
    if found is None:
        raise InputError(f"the run was trained on pictures, and {source} is a table without them")
    start = Start.read(str(asked["start"])) if "start" in asked else None
    if start is not None:
        _refuse_other_start(folder, start.file, start.digest, asked["settings"].get("start"))
    return ImageTask(found, settings, start)


def _of_table(settings: "Settings", source: str) -> "Task":
    from descend.tasks.common.asked import of_words
    from descend.tasks.common.reading import read_table
    from descend.tasks.images.pictures import has_pictures
    from descend.tasks.of_table import task_of_table

    if has_pictures(source):
        raise InputError(f"the run was trained on a table, and {source} has pictures")
    if settings.test is not None and is_passing(settings.test):
        # A folder that somebody sent is not to say what is fetched from a network.
        raise InputError(f"the run was scored on {settings.test}, which may be another one by now: train with a file "
                         "as --test")
    return task_of_table(read_table(source, of_words(settings.column)), settings)


def language_model(checkpoints: Path, begun_from: Path | None, seed: Any, **settings: Any) -> "LanguageModel":
    """The model that is trained by these settings, and saved in this folder on the way; from the weights of another
    run, if there is one."""
    from descend.neural.language import LanguageModel

    # What the settings say of those weights is which they are, for who goes on.
    return LanguageModel(**settings | {"start": begun_from}, samples=SAMPLE_TOKENS, random_state=seed,
                         checkpoint=checkpoints / "lm.safetensors")


def digest_of_model(run: Path) -> str:
    """Which model is in a run's folder.

    **Raises** `InputError` if there is none.
    """
    file = file_of(run)
    if not file.exists():
        raise InputError(f"{run} has no language model: give a folder that `descend lm` wrote, whose training ended")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _of_language(asked: dict[str, Any], folder: Path, source: Path, checkpoints: Path | None) -> Begun:
    from descend.neural.gathering import read_corpus

    whole = Facts(asked, str(folder / "run.json"))
    corpus = read_corpus([source, *map(Path, whole.texts("others") if whole.has("others") else [])])
    _refuse_other(folder, source, asked, corpus.digest)
    told = whole.inner("settings")
    settings: dict[str, Any] = {"seed": told.whole("seed")}
    settings |= {name: _if_any(told, name, told.text) for name in ("size", "tokenizer")}
    settings |= {name: _if_any(told, name, told.whole) for name in ("context", "steps")}
    settings |= {name: _if_any(told, name, told.number) for name in ("epochs", "seconds")}
    start = Path(whole.text("start")) if whole.has("start") else None
    if start is not None:
        _refuse_other_start(folder, start, digest_of_model(start), told.text("start"))
    model = language_model(checkpoints or folder / "checkpoints", start, **settings)
    return Begun(*model.begun(corpus, resume=checkpoints is not None), f"The training on {source}", str(source))


def _of_policy(asked: dict[str, Any], folder: Path, checkpoints: Path | None) -> Begun:
    from descend.rl.algorithms import ALGORITHMS

    told = Facts(asked, str(folder / "run.json"))
    settings, environment = told.inner("settings"), told.text("environment")
    if ":" in environment:
        raise InputError(f"{folder} is of an environment that a module makes, which a file may not name: a training in "
                         "it cannot be replayed")
    learner = ALGORITHMS[settings.choice("algorithm", ALGORITHMS)].tuned(environment)
    # Of several seeds side by side, the first: what it lacks is in what all of them have in common.
    steps = _if_any(settings, "steps", settings.whole)
    file = checkpoints and checkpoints / "rl.safetensors"
    trainer, judged = learner.begun(environment, steps=steps, seed=settings.whole("seed"), checkpoint=file)
    return Begun(trainer, judged, f"The training in {environment}")


def _if_any(told: Facts, name: str, ask: Callable[[str], Any]) -> Any:
    """A fact that may be none."""
    return None if told.any(name) is None else ask(name)


def _asked(folder: Path) -> dict[str, Any]:
    """What a run was asked for.

    **Raises** `InputError` if there is none, `CheckpointError` if it is damaged.
    """
    file = folder / "run.json"
    if not file.exists():
        raise InputError(f"{folder} is no run's folder: give the one that `descend fit`, `lm` or `rl` wrote")
    try:
        asked = json.loads(file.read_bytes())
        if "blocks" in asked:
            raise InputError(f"{folder} is of a table larger than memory, whose training is not replayed: train on "
                             "some of its rows")
        known = {"table", "collection", "text", "environment"} & set(asked)
        if known and isinstance(asked["settings"], dict):
            return asked
        raise ValueError("it does not say what of")
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} is damaged ({error!r}): train again") from None


def _settings(asked: dict[str, Any], folder: Path) -> "Settings":
    from descend.tasks.common.settings import Settings

    names = {field.name for field in fields(Settings)}
    try:
        # JSON has no tuples.
        told: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                                for name, value in asked["settings"].items() if name in names}
        return Settings(**told)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / 'run.json'} is damaged ({error!r}): train again") from None


def _refuse_other_start(folder: Path, start: Path, digest: str, then: object) -> None:
    if digest != then:
        raise InputError(f"{folder} was begun with the weights in {start}, which are others by now: train again")


def _refuse_other(folder: Path, source: str | Path, asked: dict[str, Any], digest: str) -> None:
    # A replay on other data would be judged all the same, and tell of a training that nobody made.
    if digest != asked.get("digest"):
        kind = next(kind for kind in ("table", "collection", "text") if kind in asked)
        raise InputError(f"{folder} was trained on another {kind} than {source}, or its content has changed since")
