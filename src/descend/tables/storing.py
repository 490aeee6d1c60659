"""A fitted encoder as a dict for JSON and arrays for safetensors, and back."""

from dataclasses import asdict
from typing import Any

import numpy as np

from descend.errors import CheckpointError
from descend.tables.columns import Column, Kind
from descend.tables.encoding import Encoder
from descend.tables.packing import pack, unpack

_FORMAT = 1


def to_parts(encoder: Encoder) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A fitted encoder as a dict for JSON, and the arrays that it names."""
    arrays: dict[str, np.ndarray] = {}
    parts = {
        "format": _FORMAT,
        "scikit-learn": _version(),
        "columns": [asdict(column) | {"gaps": list(column.gaps)} for column in encoder.columns],
        "flagged": list(encoder.flagged),
        "transformer": pack(encoder.transformer, arrays),
    }
    return parts, arrays


def from_parts(parts: dict[str, Any], arrays: dict[str, np.ndarray]) -> Encoder:
    """The encoder that `to_parts` took apart; its `transform` gives the same bits.

    Raises `CheckpointError` where the parts are damaged, name a class that no encoder is made of, or were
    written with another scikit-learn, whose fitted attributes may mean something else.
    """
    written, installed = parts.get("scikit-learn"), _version()
    if parts.get("format") != _FORMAT:
        raise CheckpointError("the saved encoder is damaged, or from another version of descend: train again")
    if written != installed:
        raise CheckpointError(
            f"the encoder was saved with scikit-learn {written}, and {installed} is installed: "
            f"install scikit-learn=={written}.*, or train again"
        )
    encoder = Encoder()
    try:
        encoder.columns = tuple(_column(**fields) for fields in parts["columns"])
        encoder.flagged = tuple(parts["flagged"])
        encoder.transformer = unpack(parts["transformer"], arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"the saved encoder is damaged ({error!r}): train again") from error
    return encoder


def _column(name: str, kind: str, reason: str, form: str, gaps: list[str]) -> Column:
    return Column(name, Kind(kind), reason, form, tuple(gaps))


def _version() -> str:
    """scikit-learn's version, up to the part whose change may change what attributes mean."""
    import sklearn  # takes half a second to import

    return ".".join(sklearn.__version__.split(".")[:2])
