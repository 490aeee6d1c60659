"""What a person says of the columns of a table, where it would be guessed otherwise."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pandas as pd

from descend.errors import InputError
from descend.tasks.common.columns import Column, Kind, listing, numeric_column, with_gaps
from descend.tasks.common.numerals import CLOCK_FORMS, NUMBER_FORMS, how_written
from descend.tasks.common.parsing import DATE_FORMATS, as_dates, as_text, date_format, first_row, is_numeric

# By what a person calls them. An identifier tells nothing, and is ignored.
KIND_NAMES = {"number": Kind.number, "category": Kind.category, "text": Kind.text, "date": Kind.date,
              "id": Kind.ignored, "ignore": Kind.ignored}


@dataclass(frozen=True)
class Asked:
    """What somebody said that a column is: a kind, by its name in `KIND_NAMES`, and the form of its values, if any."""

    kind: str
    form: str = ""


def asked_of(told: Iterable[str], names: Iterable[str], table: str) -> Mapping[str, Asked]:
    """What was said of columns, each as "NAME=KIND" or "NAME=KIND:FORM", by their names.

    **Raises** `InputError` for a name that no column has, and for what is no kind or no form.
    """
    found: dict[str, Asked] = {}
    known = list(names)
    for each in told:
        name, equals, what = each.rpartition("=")
        # A form of dates has no "=", and a name may.
        kind, _, form = what.partition(":")
        if not equals or kind not in KIND_NAMES:
            raise InputError(f"--column {each}: say NAME=KIND, with one of the kinds {', '.join(KIND_NAMES)}")
        forms = {"number": (*NUMBER_FORMS, *CLOCK_FORMS), "date": DATE_FORMATS}.get(kind, ())
        if form and form not in forms:
            which = f"one of {', '.join(forms)}" if forms else "no form"
            raise InputError(f"--column {each}: after {kind} there may be {which}")
        refuse_unknown_column(name, known, table)
        found[name] = Asked(kind, form)
    return found


def of_words(told: Iterable[str]) -> frozenset[str]:
    """The columns of which somebody said that they are categories, text or dates: what is written there is meant."""
    parts = [each.rpartition("=") for each in told]
    return frozenset(name for name, _, what in parts if what.partition(":")[0] in ("category", "text", "date"))


def words_of(name: str, value: Any) -> tuple[str, ...]:
    """What somebody gave in Python where the command takes words: a list, or of columns a mapping to their kinds.

    **Raises** `InputError` for a text, which may have been meant as a list of one.
    """
    if isinstance(value, str):
        raise InputError(f"{name} must be a list, but is {value!r}: write [{value!r}]")
    if isinstance(value, Mapping):
        return tuple(f"{column}={kind}" for column, kind in value.items())
    return tuple(map(str, value or ()))


def refuse_unknown_column(name: str, names: list[str], table: str) -> None:
    """Raises `InputError` for a column that there is none of, with those whose names are much like it."""
    if name in names:
        return
    raise InputError(f"{table} has no column {name!r}: {close_names(name, names)}its columns are {listing(names)}")


def close_names(name: str, names: Iterable[str]) -> str:
    """Asks whether one of those names was meant that are much like one."""
    folded = {other.strip().casefold(): other for other in names}
    close = [folded[each] for each in get_close_matches(name.strip().casefold(), folded, n=3)]
    return f"did you mean {' or '.join(map(repr, close))}? " if close else ""


def column_as_asked(name: str, series: pd.Series, asked: Asked) -> Column:
    """The column that somebody says it is.

    **Raises** `InputError` if most of its values are nothing of that kind, or some are no dates.
    """
    kind = KIND_NAMES[asked.kind]
    if kind is Kind.number:
        return _number(name, series, asked)
    if kind is Kind.date:
        return _date(name, series, asked)
    if kind is Kind.ignored:
        return Column(name, kind, "an identifier, as was said" if asked.kind == "id" else "as was said")
    levels = as_text(series).nunique()
    return Column(name, kind, f"a {asked.kind}, as was said, of {levels:,} different values")


def _number(name: str, series: pd.Series, asked: Asked) -> Column:
    if is_numeric(series):
        return Column(name, Kind.number, "numbers, as was said")
    texts = as_text(series)
    counts = {str(text): int(count) for text, count in texts.value_counts().items()}
    # Told that they are numbers, those that could be read say how; the rest are gaps.
    written = how_written(counts, least=0.5)
    form = asked.form or (written.form if written else "")
    if not form:
        sample = texts.dropna().iloc[0] if texts.notna().any() else "missing"
        raise InputError(f"--column {name}=number: most of its values, such as {sample!r}, read as no numbers")
    column = Column(name, Kind.number, f"numbers ({form}), as was said", form, unit=written.unit if written else "")
    numbers = column.numbers(texts)
    gaps = tuple(sorted(texts[texts.notna() & numbers.isna()].unique()))
    if gaps and numbers.notna().sum() == 0:
        raise InputError(f"--column {name}=number:{form}: none of its values, such as {gaps[0]!r}, reads so")
    made = with_gaps(column, gaps)
    checked = numeric_column(made, numbers)
    return made if checked.kind is not Kind.number else checked


def _date(name: str, series: pd.Series, asked: Asked) -> Column:
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return Column(name, Kind.date, "dates, as was said")
    texts = as_text(series)
    form = asked.form or date_format(pd.Series(texts.dropna().unique()))
    if form is None:
        raise InputError(f"--column {name}=date: no format reads all of its values; say which, as in "
                         f"--column {name}=date:%d/%m/%Y, or mend those that are no dates")
    unread = as_dates(texts, form).isna() & texts.notna()
    if unread.any():
        row = first_row(unread)
        raise InputError(f"--column {name}=date: {texts.iloc[row - 1]!r} in row {row:,} is no date of the format "
                         f"{form}: mend that value, or leave the cell empty")
    return Column(name, Kind.date, f"dates ({form}), as was said", form)
