"""Columns of Arrow tables as what their types say that they are: Parquet and Feather have far more types than CSV."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pyarrow
from pyarrow import compute, types

from descend.errors import InputError

Column: TypeAlias = pyarrow.Array | pyarrow.ChunkedArray

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_NUMBERS = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
_TIMES = (types.is_date, types.is_time, types.is_timestamp, types.is_duration)
_WORDS = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
_BYTES = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
# Room for time zones.
_DAY = timedelta(1)
_DATES = tuple(int(end.replace(tzinfo=UTC).timestamp()) for end in (datetime.min + _DAY, datetime.max - _DAY))


def refuse_far_dates(field: pyarrow.Field, column: Column) -> None:
    """Raises `InputError` for dates that Python has not: before the year 1, or after 9999."""
    if not (types.is_date(field.type) or types.is_timestamp(field.type)):
        return
    days = types.is_date(field.type)
    seconds = compute.multiply(as_numbers(column), 86_400.0) if days else as_seconds(column)
    if compute.any(compute.or_(compute.less(seconds, _DATES[0]), compute.greater(seconds, _DATES[1]))).as_py():
        raise InputError(f"column {field.name!r} has dates before the year 1 or after 9999: mend those values, or "
                         "leave them empty")


def refuse_compound(field: pyarrow.Field) -> None:
    """Raises `InputError` for a column of no numbers, times or words: lists, structs, maps, unions, intervals."""
    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    if not _is(kind, _NUMBERS, _TIMES, _WORDS, _BYTES):
        raise InputError(f"column {field.name!r} holds {field.type}, which is not read: write the file without it, or "
                         "with a column of numbers, times or words for each part")


def refuse_other_columns(told: str, schema: Any, first: Any) -> None:
    """Raises `InputError` for a file whose columns are not those of the first: others, or words where that has numbers.

    A column without any value is of no type.
    """
    for name in set(first.names) ^ set(schema.names):
        lacks = "has no" if name in first.names else "alone has a"
        raise InputError(f"{told} {lacks} column {name!r}: the first file has {', '.join(first.names)}, which all must")
    for field in first:
        here, there = schema.field(field.name).type, field.type
        if holds_numbers(here) != holds_numbers(there) and not types.is_null(here):
            raise InputError(f"column {field.name!r} holds {here} in {told}, and {there} in the first file: write it "
                             "alike in all")


def holds_numbers(kind: pyarrow.DataType) -> bool:
    """Whether a column of this type is made numbers of."""
    return _is(kind, _NUMBERS, _TIMES)


def as_numbers(column: Column) -> Any | None:
    """A column as float64, missing values kept; None for one of words.

    Numbers, truth values and decimals are what they are; durations are in seconds and times of day in seconds since
    midnight; dates are days since 1970, with the time of day as their fraction.
    """
    kind = column.type
    if types.is_date(kind):
        return as_numbers(compute.cast(column, pyarrow.timestamp("ms")))
    if _is(kind, _TIMES):
        seconds = as_seconds(column)
        return compute.divide(seconds, 86_400.0) if types.is_timestamp(kind) else seconds
    return compute.cast(column, pyarrow.float64(), safe=False) if _is(kind, _NUMBERS) else None


def as_seconds(column: Column) -> Any:
    """Times of day, durations and timestamps as float64: seconds since midnight, of their length, since 1970."""
    whole = pyarrow.int32() if types.is_time32(column.type) else pyarrow.int64()
    # Beyond 2⁵³ counts are rounded, which is not unsafe here.
    counts = compute.cast(compute.cast(column, whole), pyarrow.float64(), safe=False)
    return compute.divide(counts, float(PER_SECOND[column.type.unit]))


def as_words(name: str, column: Column) -> Any:
    """A column of words as text; bytes must be text in UTF-8."""
    try:
        return compute.cast(column, pyarrow.string())
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        raise InputError(f"column {name!r} holds {column.type} that is not text in UTF-8: write the file without it, "
                         "or its text") from None


def _is(kind: pyarrow.DataType, *groups: tuple[Callable[[pyarrow.DataType], bool], ...]) -> bool:
    return any(is_one(kind) for group in groups for is_one in group)
