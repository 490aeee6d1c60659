"""A fitted encoder as a dict for JSON and arrays for safetensors, and back."""

from dataclasses import asdict
from typing import Any

import numpy as np

from descend._facts import Facts, refuse, shown
from descend.errors import CheckpointError
from descend.tasks.common.columns import Column, Kind
from descend.tasks.common.numerals import CLOCK_FORMS, NUMBER_FORMS
from descend.tasks.common.parsing import DATE_FORMATS
from descend.tasks.table.blocks import FLAG
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.genuine import ENCODER, refuse_strange
from descend.tasks.table.packing import pack, unpack

_FORMAT = 1


def encoder_to_parts(encoder: Encoder) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A fitted encoder as a dict for JSON, and the arrays that it names."""
    arrays: dict[str, np.ndarray] = {}
    parts = {
        "format": _FORMAT,
        "scikit-learn": _version(),
        "columns": [_facts_of(column) for column in encoder.columns],
        "flagged": list(encoder.flagged),
        "crowded": list(encoder.crowded),
        "transformer": pack(encoder.transformer, arrays),
    }
    return parts, arrays


def encoder_from_parts(parts: Any, arrays: dict[str, np.ndarray]) -> Encoder:
    """The encoder that `encoder_to_parts` took apart; its `transform` gives the same bits.

    Raises `CheckpointError` where the parts are damaged, are not such as descend makes of the columns, or were
    written with another scikit-learn, whose fitted attributes may mean something else.
    """
    told, installed = Facts(parts, ENCODER), _version()
    written = told.text("scikit-learn")
    if told.any("format") != _FORMAT:
        raise CheckpointError("the saved encoder is damaged, or from another version of descend: train again")
    if written != installed:
        raise CheckpointError(
            f"the encoder was saved with scikit-learn {written:.9}, and {installed} is installed: "
            f"install scikit-learn=={written:.9}.*, or train again"
        )
    encoder = Encoder()
    try:
        encoder.columns = tuple(map(_column, parts["columns"]))
        encoder.flagged = told.texts("flagged")
        # Models that were stored before knew nothing of their levels but which they are.
        encoder.crowded = told.texts("crowded") if told.has("crowded") else ()
        encoder.transformer = unpack(parts["transformer"], arrays)
        _refuse_misnamed(encoder)
        refuse_strange(encoder.transformer, encoder.used, encoder.flagged, encoder.crowded)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise CheckpointError(f"the saved encoder is damaged ({shown(error)}): train again") from error
    return encoder


def _facts_of(column: Column) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(column).items()}


def _column(fields: Any) -> Column:
    told = Facts(fields, ENCODER)
    kind = Kind(told.choice("kind", Kind))
    # A format of somebody's own may take as long to read dates by as its author likes.
    forms = (*NUMBER_FORMS, *CLOCK_FORMS, *DATE_FORMATS[:1]) if kind is Kind.number else DATE_FORMATS
    # What models that were stored before do not tell of is none.
    words = {name: told.texts(name) for name in ("kept", "spellings") if told.has(name)}
    more = {name: told.text(name) for name in ("unit", "note") if told.has(name)}
    return Column(told.text("name"), kind, told.text("reason"), told.choice("form", forms), told.texts("gaps"),
                  **words, **more)  # type: ignore[arg-type]


def _refuse_misnamed(encoder: Encoder) -> None:
    """Refuse columns that share a name, gaps in columns that are not used, and levels of what is no category."""
    names = [column.name for column in encoder.columns]
    if len(set(names)) != len(names):
        refuse(ENCODER, "columns", "named differently", names)
    used = [column.name for column in encoder.used]
    if not used or not set(encoder.flagged) <= set(used) or any(name.startswith(FLAG) for name in names):
        refuse(ENCODER, "flagged", "names of columns", encoder.flagged)
    words = {column.name for column in encoder.used if column.kind is Kind.category}
    if not set(encoder.crowded) <= words or len(set(encoder.crowded)) != len(encoder.crowded):
        refuse(ENCODER, "crowded", "different names of categories", encoder.crowded)


def _version() -> str:
    """scikit-learn's version, up to the part whose change may change what attributes mean."""
    # scikit-learn takes half a second to import.
    import sklearn

    return ".".join(sklearn.__version__.split(".")[:2])
