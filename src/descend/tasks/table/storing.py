"""A table's model in a run's folder, as safetensors with JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from descend._facts import MAX_COUNT, Facts, refuse_nonfinite
from descend.engine.storing import write_arrays
from descend.errors import CheckpointError
from descend.tasks.common.folder import FILE, RunFolder, read_model
from descend.tasks.common.target import Task, TaskKind
from descend.tasks.table.encoder_storing import from_parts, to_parts
from descend.tasks.table.linear.model import Linear
from descend.tasks.table.networks.training import Networks
from descend.tasks.table.preparing import Scale
from descend.tasks.table.training import Model

VERSION = 3  # of the model's file
PREDICTORS: dict[str, Any] = {"networks": Networks, "linear": Linear}


def save_model(folder: RunFolder, model: Model) -> None:
    """Write the model: arrays, and the facts that give them a meaning."""
    encoder, encoding = to_parts(model.encoder)
    predictor, weights = model.predictor.to_parts()
    facts = {
        "version": VERSION,
        "encoder": encoder,
        "kind": next(kind for kind, made in PREDICTORS.items() if isinstance(model.predictor, made)),
        "predictor": predictor,
        "task": asdict(model.task),
        "scale": asdict(model.scale),
    }
    named = {"encoder": encoding, "predictor": weights}
    arrays = {f"{owner}/{name}": array for owner, some in named.items() for name, array in some.items()}
    write_arrays(folder.path / FILE, arrays, facts)


def load_model(path: Path) -> Model:
    """The model of a run's folder.

    **Raises** what `read_model` does, and `CheckpointError` for another kind of model.
    """
    file, (arrays, facts) = path / FILE, read_model(path)
    if facts.get("version") != VERSION:
        raise CheckpointError(f"{file} is no model of descend's, or was written by another version of it: train again "
                              "with `descend fit`")
    of = lambda owner: {name.removeprefix(owner): a for name, a in arrays.items() if name.startswith(owner)}
    told, weights = Facts(facts, str(file)), of("predictor/")
    refuse_nonfinite(weights, str(file))
    kind, task, scale = told.choice("kind", PREDICTORS), _task(told.inner("task")), told.inner("scale")
    encoder = from_parts(told.any("encoder"), of("encoder/"))
    outputs = len(task.classes) if task.kind == "multiclass" else 1
    predictor = PREDICTORS[kind].from_parts(told.any("predictor"), weights, len(encoder.features), outputs)
    if predictor.task != task.kind:
        told.refuse("task", f"the predictor's, {predictor.task!r}", task.kind)
    return Model(encoder, predictor, task, Scale(scale.number("centre"), scale.number("unit")))


def _task(told: Facts) -> Task:
    """What the file says that is to be predicted."""
    kind, classes = told.choice("kind", get_args(TaskKind)), told.texts("classes")
    least, most = {"regression": (0, 0), "binary": (2, 2), "multiclass": (3, MAX_COUNT)}[kind]
    if not least <= len(classes) <= most:
        told.refuse("classes", f"as many as there are of a {kind} task", classes)
    return Task(kind, classes, told.text("reason"))
