"""Estimators as files: settings and facts as JSON, arrays as numbers. Nothing is executed when a file is read."""

from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import numpy as np

from descend._facts import MAX_COUNT, Facts, checked_array
from descend.engine.serializing import read, written
from descend.engine.storing import read_arrays, write_arrays
from descend.errors import CheckpointError, InputError, reading
from descend.stopping import Name, Reason

MODEL_FILE = "model.safetensors"
# What a file calls its kind, and the version of what is in it.
ESTIMATOR, ESTIMATOR_VERSION = "estimator", 1
# What settings may be made of: an array of another kind could take any memory.
NUMBER_TYPES = frozenset({"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
                     "float64"})  # fmt: skip
E = TypeVar("E", bound="Savable")
Arrays = dict[str, np.ndarray]


def file_of(path: str | Path) -> Path:
    """The file of a model: what ends with `.safetensors` is one, and all else a folder that has it."""
    path = Path(path)
    return path if path.suffix == ".safetensors" else path / MODEL_FILE


def read_file(path: str | Path) -> tuple[Arrays, Facts, Path]:
    """The arrays and the facts of a saved model, and its file.

    **Raises** `InputError` if there is none, `CheckpointError` if it is damaged.
    """
    file = file_of(path)
    if not file.exists():
        raise InputError(f"there is no model at {file}: give the file or the folder that `save` or `descend fit` wrote")
    arrays, facts = read_arrays(file)
    return arrays, Facts(facts, str(file)), file


def reason_of(told: Facts) -> Reason:
    """Why a training ended, as a file tells of it."""
    return Reason(told.choice("name", get_args(Name)), told.text("evidence"), told.whole("step"))


class Savable:
    """An estimator of scikit-learn's kind that can be saved as numbers and JSON.

    A concrete one says what it learnt (`_to_parts`), and takes it back (`_from_parts`). Settings, classes, the names of
    columns and why the training ended are what all have, and are kept here.
    """

    # Settings that are of a process, and not of a model.
    _unsaved: ClassVar[frozenset[str]] = frozenset({"observers", "checkpoint"})

    def _to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """What was learnt, as facts for JSON, and arrays by name."""
        raise NotImplementedError

    def _from_parts(self, told: Facts, arrays: Arrays) -> None:
        """What `_to_parts` gave, of a file that may be anybody's; settings, classes and columns are there already.

        **Raises** `CheckpointError` if it is something else.
        """
        raise NotImplementedError

    def _check_taken(self) -> None:
        """Refuse settings that mean nothing."""

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator: to this file, if its name ends with `.safetensors`, else into this folder.

        The file has its settings, but for observers and checkpoints, and what it predicts by, as JSON and numbers:
        there is no pickle in it. `load`, or `descend.load_model`, reads it.

        **Raises** `InputError` for a setting that no file can hold, such as a function, and where nothing can be
        written.
        """
        facts, arrays = self._whole()
        self._write(path, arrays, facts)

    def _whole(self) -> tuple[dict[str, Any], Arrays]:
        """What the file has."""
        # scikit-learn takes half a second to import.
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        facts, arrays = self._to_parts()
        told, more = self._told()
        return {"kind": ESTIMATOR, "version": ESTIMATOR_VERSION, ESTIMATOR: told, "learnt": facts}, arrays | more

    def _write(self, path: str | Path, arrays: Arrays, facts: dict[str, Any]) -> None:
        file = file_of(path)
        try:
            write_arrays(file, arrays, facts)
        except OSError as error:
            raise InputError(f"cannot write {file}: {error.strerror or error}") from None

    @classmethod
    def load(cls: type[E], path: str | Path) -> E:
        """The estimator that `save` wrote. Nothing in the file is executed.

        **Raises** `InputError` if there is none, or one of another class; `CheckpointError` if it is damaged.
        """
        arrays, told, _ = read_file(path)
        return cls._loaded(told, arrays)

    @classmethod
    def _loaded(cls: type[E], told: Facts, arrays: Arrays) -> E:
        if not told.has("kind") or told.any("kind") != ESTIMATOR:
            raise InputError(f"{told.where} has no {cls.__name__}: load it by descend.load_model, or descend.load")
        if told.any("version") != ESTIMATOR_VERSION:
            raise CheckpointError(f"{told.where} was written by another version of descend: train again")
        estimator = cls._restored(told, arrays)
        # Numbers that fit each other may still be none that anything can be made of.
        with reading(f"{told.where} has a {cls.__name__} that cannot be made", CheckpointError):
            estimator._from_parts(told.inner("learnt"), arrays)
        return estimator

    @classmethod
    def _restored(cls: type[E], told: Facts, arrays: Arrays) -> E:
        """An estimator with the settings, classes and columns of a file."""
        mine = told.inner(ESTIMATOR)
        if (found := mine.text("class")) != cls.__name__:
            raise InputError(f"{told.where} has a {found:.40}, and no {cls.__name__}: load it by descend.load_model")
        estimator = cls()
        try:
            with reading(f"{told.where} has settings that mean nothing", CheckpointError):
                estimator.set_params(**_settings_in(mine, told.where))  # type: ignore[attr-defined]  # scikit-learn's
                estimator._check_taken()
        except InputError as error:
            raise CheckpointError(f"{told.where} has settings that mean nothing: {error}") from None
        estimator._take_common(mine, arrays)
        return estimator

    def _told(self) -> tuple[dict[str, Any], Arrays]:
        """What all estimators have."""
        settings = {name: written(value) for name, value in self.get_params(deep=False).items()  # type: ignore[attr-defined]
                    if name not in self._unsaved}
        for name, value in settings.items():
            if _has_other(value):
                raise InputError(f"{name} is {getattr(self, name)!r:.80}, which no file can hold: set it to what can "
                                 f"be written first, by set_params({name}=…)")
        told: dict[str, Any] = {"class": type(self).__name__, "settings": settings}
        if hasattr(self, "n_features_in_"):
            told["columns"] = int(self.n_features_in_)
        if hasattr(self, "feature_names_in_"):
            told["names"] = [str(name) for name in self.feature_names_in_]
        if hasattr(self, "stop_reason_"):
            told["reason"] = vars(self.stop_reason_)
        facts, arrays = _labels(self.classes_) if hasattr(self, "classes_") else ({}, {})
        return told | facts, arrays

    def _take_common(self, mine: Facts, arrays: Arrays) -> None:
        if mine.has("columns"):
            self.n_features_in_ = mine.whole("columns", 1, MAX_COUNT)
        if mine.has("names"):
            self.feature_names_in_ = np.array(mine.texts("names"), dtype=object)
            if len(self.feature_names_in_) != getattr(self, "n_features_in_", None):
                mine.refuse("names", "as many as there are columns", len(self.feature_names_in_))
        if mine.has("reason"):
            self.stop_reason_ = reason_of(mine.inner("reason"))
        if mine.has("labels") or "labels" in arrays:
            self.classes_ = _labels_in(mine, arrays)


def parts_of(estimator: Savable) -> tuple[dict[str, Any], Arrays]:
    """The facts and the arrays of the file that `save` writes, to be part of another one.

    **Raises** as `save` does.
    """
    return estimator._whole()


def from_parts(kind: type[E], told: Facts, arrays: Arrays) -> E:
    """The estimator of a class that `parts_of` gave.

    **Raises** as `load` does.
    """
    return kind._loaded(told, arrays)


def _labels(classes: np.ndarray) -> tuple[dict[str, Any], Arrays]:
    """Classes: texts as JSON, and numbers as an array."""
    if classes.dtype.kind in "biuf":
        return {}, {"labels": classes}
    if not all(isinstance(label, str) for label in classes.tolist()):
        raise InputError(f"the classes are {classes.tolist()!r:.80}, which are no texts and no numbers: fit to such")
    return {"labels": classes.tolist(), "of objects": classes.dtype.kind == "O"}, {}


def _labels_in(mine: Facts, arrays: Arrays) -> np.ndarray:
    if mine.has("labels"):
        return np.array(mine.texts("labels"), dtype=object if mine.truth("of objects") else None)
    labels = arrays["labels"]
    if labels.ndim != 1 or labels.dtype.kind not in "biuf" or not (labels[1:] > labels[:-1]).all():
        mine.refuse("labels", "different numbers in order", labels)
    return labels


def _settings_in(mine: Facts, where: str) -> dict[str, Any]:
    """The settings of a file, by name."""
    found = mine.any("settings")
    if not isinstance(found, dict) or not _is_plain(found):
        mine.refuse("settings", "named settings", found)
    return {name: read(value, f"{name} in {where}") for name, value in found.items()}


def _has_other(value: Any) -> bool:
    """Whether something in what was written stands for what could not be."""
    if isinstance(value, dict):
        return "other" in value or any(map(_has_other, value.values()))
    return isinstance(value, list) and any(map(_has_other, value))


def _is_plain(value: Any) -> bool:
    """Whether all arrays in what was written are of numbers."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if not isinstance(value, dict):
        return True
    number = value.get("number")
    if number is not None and (not isinstance(number, list) or len(number) != 2 or number[1] not in NUMBER_TYPES):
        return False
    return all(map(_is_plain, value.values()))


def array_in(arrays: Arrays, name: str, where: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of fractions, of this shape, all of them finite.

    **Raises** `CheckpointError` if it is something else.
    """
    array = checked_array(arrays, name, where, shape, "f")
    if not np.isfinite(array).all():
        raise CheckpointError(f"{where}: {name} must be finite, but is not: the file is damaged")
    return array
