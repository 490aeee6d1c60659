"""Fitted scikit-learn objects as JSON and arrays, and back, without pickle: reading can never run code.

Such objects are their attributes, so those are written, recursively. Objects that were read are what the file says,
and to be used only after `genuine` has looked at them. In the JSON, plain values and lists stand
for themselves, and a dict with one key says what else there is: `{"tuple": [...]}`, `{"array": "a3"}`, ….
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from descend.errors import CheckpointError

Arrays = dict[str, np.ndarray]

_TYPES = {
    kind.__name__: kind for kind in (np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.float32, np.float64)
}


_DTYPES = {np.dtype(kind).str: np.dtype(kind) for kind in _TYPES.values()}


def pack(value: Any, arrays: Arrays) -> Any:
    """A value as JSON; its arrays of numbers go into `arrays`, under new names."""
    # By exact type: a NumPy float64 is a Python float too, and computes in another precision.
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is list:
        return [pack(item, arrays) for item in value]
    for tag, form in _FORMS.items():
        if form.fits(value):
            return {tag: form.write(value, arrays)}
    raise CheckpointError(f"an encoder that holds a {type(value).__module__}.{type(value).__name__} cannot be saved")


def unpack(value: Any, arrays: Arrays) -> Any:
    """The value that `pack` wrote."""
    if isinstance(value, list):
        return [unpack(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag not in _FORMS:
        raise CheckpointError(f"the saved encoder holds {tag!r}, which is none of {', '.join(_FORMS)}")
    return _FORMS[tag].read(content, arrays)


class _Form(NamedTuple):
    fits: Callable[[Any], bool]
    write: Callable[[Any, Arrays], Any]
    read: Callable[[Any, Arrays], Any]


def _class_named(name: str) -> Any:
    """The class called `name` if an encoder may be made of it, or `None`; skrub is imported only where it is meant."""
    if name == "DateParts":
        # skrub takes seconds to import.
        from descend.tasks.table.dates import DateParts

        return DateParts
    if name == "LevelMeans":
        from descend.tasks.table.level_means import LevelMeans

        return LevelMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = (HashingVectorizer, TfidfTransformer, TruncatedSVD)
    allowed = (ColumnTransformer, OneHotEncoder, Pipeline, SimpleImputer, StandardScaler, *words)
    return next((kind for kind in allowed if kind.__name__ == name), None)


def _write_object(value: Any, arrays: Arrays) -> dict[str, Any]:
    return {"class": type(value).__name__, "attributes": {key: pack(item, arrays) for key, item in vars(value).items()}}


def _read_object(content: dict[str, Any], arrays: Arrays) -> Any:
    kind = _class_named(content["class"])
    if kind is None:
        raise CheckpointError(f"the saved encoder holds a {content['class']!r}, which no encoder is made of")
    # Without `__init__`: settings are attributes like what was learnt, and `genuine` looks at all of them.
    value = kind.__new__(kind)
    vars(value).update({key: unpack(item, arrays) for key, item in content["attributes"].items()})
    return value


def _write_array(value: np.ndarray, arrays: Arrays) -> str:
    name = f"a{len(arrays)}"
    arrays[name] = np.ascontiguousarray(value).reshape(value.shape)
    return name


def _write_words(value: np.ndarray, arrays: Arrays) -> dict[str, Any]:
    return {"dtype": value.dtype.str, "shape": list(value.shape), "items": pack(value.ravel().tolist(), arrays)}


def _read_words(content: dict[str, Any], arrays: Arrays) -> np.ndarray:
    items = unpack(content["items"], arrays)
    if content["dtype"] != "|O" or not isinstance(items, list):
        raise CheckpointError(f"the saved encoder is damaged (words of type {content['dtype']!r}): train again")
    words = np.empty(len(items), object)
    words[:] = items
    return words.reshape(content["shape"])


def _is_array(value: Any, kinds: str) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in kinds


_FORMS = {
    "float": _Form(lambda v: type(v) is float, lambda v, _: repr(v), lambda c, _: float(c)),
    "tuple": _Form(
        lambda v: type(v) is tuple,
        lambda v, arrays: pack(list(v), arrays),
        lambda c, arrays: tuple(unpack(c, arrays)),
    ),
    "dict": _Form(
        lambda v: type(v) is dict,
        lambda v, arrays: [[pack(key, arrays), pack(item, arrays)] for key, item in v.items()],
        lambda c, arrays: {unpack(key, arrays): unpack(item, arrays) for key, item in c},
    ),
    "slice": _Form(lambda v: type(v) is slice, lambda v, _: [v.start, v.stop, v.step], lambda c, _: slice(*c)),
    "type": _Form(
        lambda v: isinstance(v, type) and v in _TYPES.values(), lambda v, _: v.__name__, lambda c, _: _TYPES[c]
    ),
    "dtype": _Form(
        lambda v: isinstance(v, np.dtype) and v.str in _DTYPES, lambda v, _: v.str, lambda c, _: _DTYPES[c]
    ),
    "scalar": _Form(
        lambda v: isinstance(v, tuple(_TYPES.values())),
        lambda v, arrays: [type(v).__name__, pack(v.item(), arrays)],
        lambda c, arrays: _TYPES[c[0]](unpack(c[1], arrays)),
    ),
    "words": _Form(lambda v: _is_array(v, "O"), _write_words, _read_words),
    "array": _Form(lambda v: _is_array(v, "bif"), _write_array, lambda c, arrays: arrays[c]),
    "object": _Form(lambda v: type(v) is _class_named(type(v).__name__), _write_object, _read_object),
}
