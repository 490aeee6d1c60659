"""What every column of a table is, decided from all of its values, with the reason in words."""

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from pandas.api import types

from descend.errors import InputError
from descend.tasks.common.numerals import CLOCK_FORMS, NEARLY_ALL, NUMBER_FORMS, Written, how_written, units_of
from descend.tasks.common.parsing import (
    COMPACT,
    MAY_BE_MEANT,
    TRUE_AND_FALSE,
    are_dates,
    as_dates,
    as_numbers,
    as_text,
    date_format,
    day_first,
    first_row,
    forms_of_dates,
    is_numeric,
    without,
)
from descend.tasks.common.suspects import spellings, spelt, suspected_gap

MAX_LEVELS = 40
"""How many categories of one column are told apart; of more, one less, and the rest share a feature."""

UNTOLD = "ISO8601"
"""The form of numbers that were numbers already, and of dates by the standard."""

_FEW_ROWS = 10
# More names than these are counted.
_NAMED = 20
_IDENTIFIER = re.compile(r"|[Rr]ow.*|(?i:id|index|unnamed: 0)|.*[_ .][Ii][Dd]|.*[a-z]I[dD]")
_CODE = r"0\d+"
# Of dates without marks between their parts.
_FIRST_DAY, _LAST_DAY = 19_000_101, 21_001_231


class Kind(StrEnum):
    """How a column is encoded."""

    number = "number"
    boolean = "boolean"
    category = "category"
    date = "date"
    text = "text"
    ignored = "ignored"


@dataclass(frozen=True)
class Column:
    """What a column was taken for.

    - `name`: its name, as text.
    - `kind`: how it is encoded.
    - `reason`: why, for the report.
    - `form`: for dates that were text, the format that read all of them; for numbers that were, a form of `numerals`.
    - `gaps`: the words, or numbers, that were found among its values and count as missing.
    - `unit`: what stands beside its numbers.
    - `kept`: words, in small letters, that mean "missing" elsewhere, and are levels here.
    - `spellings`: the commonest of those spellings of a word that differ in their case alone; all others count as it.
    - `note`: what a person may want to know, as it was cut, or guessed with little evidence.
    """

    name: str
    kind: Kind
    reason: str
    form: str = UNTOLD
    gaps: tuple[str, ...] = ()
    unit: str = ""
    kept: tuple[str, ...] = ()
    spellings: tuple[str, ...] = ()
    note: str = ""

    def numbers(self, series: pd.Series) -> pd.Series:
        """Values of such a column as float64, its numbers read by its form."""
        values = without(series, self.gaps)
        if self.form in NUMBER_FORMS or self.form in CLOCK_FORMS:
            return as_numbers(values, self.form, (self.unit,))
        # Models that were stored before columns had forms, and columns that were numbers already: as their marks tell.
        written = None if is_numeric(values) else how_written(_rows_of(as_text(values).value_counts()))
        return as_numbers(values, written.form) if written and written.evident else as_numbers(values)

    def words(self, series: pd.Series) -> pd.Series:
        """Values of such a column as text, `None` where missing, in its spellings."""
        return spelt(as_text(without(series, self.gaps), self.kept), self.spellings)

    @property
    def told(self) -> str:
        """What is to be said of it at the end: that it is ignored, or its note."""
        return f"ignored: {self.reason}" if self.kind is Kind.ignored else self.note


@dataclass(frozen=True)
class _Guess:
    """A column, and what tells of others: `other`, a form that reads it as well, to other values; `shows`, the mark of
    decimals, or the order of day and month, that it shows beyond doubt."""

    column: Column
    other: str = ""
    shows: str = ""

    def settled(self, shown: Mapping[str, str]) -> Column:
        """The column, its form as that of others where it shows none itself."""
        if not self.other:
            return self.column
        column, what = self.column, _mark(self.other)
        if _mark(column.form) != what and shown.get(_family(what)) in (_mark(column.form), what):
            form = column.form if shown[_family(what)] == _mark(column.form) else self.other
            reason = column.reason if column.gaps else _reason(column.kind, form)
            return replace(column, form=form, reason=f"{reason}, as in other columns")
        kind = f"--column {column.name}={column.kind}:{self.other}"
        note = f"read as {column.form}, and {self.other} would read it, too: if so, {kind}"
        return replace(column, note="; ".join(filter(None, [column.note, note])))


def describe_columns(frame: pd.DataFrame, gap_words: Collection[str] = MAY_BE_MEANT) -> tuple[Column, ...]:
    """Says of every column what it is, and why.

    `gap_words`: of the words that may be meant, those that stand for gaps in this table, in small letters.

    Raises `InputError` where two columns share a name, or numbers are infinite.
    """
    refuse_duplicates(frame.columns)
    kept = MAY_BE_MEANT.difference(gap_words)
    guesses = [_guess(str(name), frame[name], kept) for name in frame.columns]
    shown: dict[str, str] = {}
    for family in ("decimals", "days"):
        counts = Counter(guess.shows for guess in guesses if guess.shows and _family(guess.shows) == family)
        shown |= {family: counts.most_common(1)[0][0]} if len(counts) == 1 else {}
    return tuple(guess.settled(shown) for guess in guesses)


def refuse_duplicates(names: pd.Index) -> None:
    """Raises `InputError` where two columns have the same name: a model could not tell them apart."""
    counts = pd.Index(names.map(str)).value_counts()
    twice = ", ".join(repr(name) for name in counts.index[counts > 1])
    if twice:
        raise InputError(f"the table has more than one column named {twice}: give every column its own name")


def refuse_infinities(name: str, numbers: pd.Series) -> None:
    """Raises `InputError` where a column holds numbers that are infinite as float32, as a model sees them."""
    limit = float(np.finfo(np.float32).max)
    # Of pandas, each operation takes a tenth of a millisecond, and tables have thousands of columns.
    with np.errstate(invalid="ignore"):
        if not (np.abs(numbers.to_numpy()) > limit).any():
            return
    infinite = numbers.abs() > limit
    count = int(infinite.sum())
    if count:
        values = "an infinite value" if count == 1 else f"{count:,} infinite values, the first"
        raise InputError(
            f"column {name!r} has {values} in row {first_row(infinite):,} "
            f"(beyond ±{limit:.1e}): put a finite number there, or leave the cell empty"
        )


def is_flat(series: pd.Series) -> bool:
    """Whether every value is a single one: not a list, an array, a dict or bytes."""
    return series.dtype != object or all(
        isinstance(value, Hashable) and not isinstance(value, bytes | tuple) for value in series
    )


def _guess(name: str, series: pd.Series, kept: frozenset[str]) -> _Guess:
    is_complex = types.is_complex_dtype(series.dtype)
    if is_complex or not is_flat(series):
        found = "complex numbers, not real ones" if is_complex else f"{_type_names(series)}, not single values"
        return _Guess(Column(name, Kind.ignored, f"holds {found}"))
    if not types.is_datetime64_any_dtype(series.dtype) and not is_numeric(series):
        return _of_text(name, series, kept)
    if series.dtype == np.float64 and _varies(series.to_numpy()):
        return _of_numbers(name, series)
    present = series.dropna()
    if present.empty:
        return _Guess(_useless(name))
    if len(present) == len(series) and (present == present.iloc[0]).all():
        return _Guess(_useless(name, as_text(present.head(1)).iloc[0]))
    return _of_numbers(name, series) if is_numeric(series) else _Guess(Column(name, Kind.date, "dates"))


def _varies(values: np.ndarray) -> bool:
    """Whether two numbers differ: of pandas, each question takes half a millisecond, and tables have thousands of
    columns."""
    return bool(np.fmin.reduce(values, initial=np.nan) < np.fmax.reduce(values, initial=np.nan))


def _useless(name: str, only: str | None = None) -> Column:
    return Column(name, Kind.ignored, "every value is missing" if only is None else f"every value is {only!r}")


def _type_names(series: pd.Series) -> str:
    return "/".join(sorted({type(value).__name__ for value in series.dropna()}))


def _of_numbers(name: str, series: pd.Series) -> _Guess:
    """A column whose values are numbers already."""
    numbers = as_numbers(series)
    if types.is_bool_dtype(series.dtype):
        return _Guess(Column(name, Kind.boolean, "true and false"))
    if _are_compact_dates(numbers):
        note = f"whole numbers that all read as dates: if they are none, --column {name}=number"
        return _Guess(Column(name, Kind.date, f"every value reads as a date ({COMPACT})", form=COMPACT, note=note))
    return _Guess(numeric_column(Column(name, Kind.number, "numbers"), numbers),
                  shows="." if types.is_float_dtype(series.dtype) and not _are_whole(numbers) else "")


def numeric_column(column: Column, numbers: pd.Series) -> Column:
    """What a column of numbers is by its values: true and false, an identifier, or what it was told to be.

    **Raises** `InputError` for infinite numbers.
    """
    refuse_infinities(column.name, numbers)
    found = numbers.to_numpy()
    # Most columns have other numbers, and need not be counted.
    is_flag = not column.gaps and bool(((found == 0) | (found == 1) | np.isnan(found)).all())
    if is_flag and numbers.nunique() == 2:
        return replace(column, kind=Kind.boolean, reason="0 and 1", form=UNTOLD)
    if _IDENTIFIER.fullmatch(column.name.strip()) and numbers.is_unique and (numbers % 1 == 0).all():
        # The name is asked for too: any measurement, such as a year, may differ in every row.
        return Column(column.name, Kind.ignored, "a different whole number in every row, like an identifier")
    gap = suspected_gap(numbers)
    if not gap:
        return column
    rows = int((numbers == float(gap)).sum())
    note = f"{gap} in {rows:,} rows may stand for a gap: if so, --missing {gap}"
    return replace(column, note="; ".join(filter(None, [column.note, note])))


def _of_text(name: str, series: pd.Series, kept: frozenset[str]) -> _Guess:
    words = as_text(series, kept)
    # In how many rows each is; whatever there is to tell, these tell it.
    every = words.value_counts(sort=False)
    meant = [word for word in every.index if word.lower() in kept]
    counts = every.drop(meant)
    rows = _rows_of(counts)
    if counts.empty or counts.iloc[0] == len(series):
        return _Guess(_useless(name, *counts.index[:1]))
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _Guess(_category(name, counts))
    lowered = set(counts.index.str.lower()) if len(counts) <= 6 else set()
    for pair in TRUE_AND_FALSE:
        if lowered and lowered <= set(pair):
            return _Guess(Column(name, Kind.boolean, f"{pair[0]} and {pair[1]}"))
    levels = pd.Series(counts.index, dtype=object)
    is_code = bool(levels.str.fullmatch(_CODE).any()) and bool(levels.str.fullmatch(r"\d+").all())
    # Nearly all: a table of measurements with a few "n.d." is one of numbers to whoever made it.
    written = None if is_code else how_written(rows)
    if written is not None:
        return _of_written(name, words.mask(words.isin(meant), None) if meant else words, written)
    form = None if is_code else date_format(levels)
    if form is not None:
        return _of_dates(name, levels, form)
    column = _words(name, every, sorted({word.lower() for word in meant}))
    if is_code:
        column = replace(column, reason=f"{column.reason}; codes with leading zeros",
                         note=column.note or f"codes with leading zeros: if they are numbers, --column {name}=number")
    return _Guess(column) if is_code else _of_nearly_dates(column, levels, rows)


def _rows_of(counts: pd.Series) -> dict[str, int]:
    return {str(word): int(count) for word, count in counts.items()}


def _of_written(name: str, texts: pd.Series, written: Written) -> _Guess:
    """A column of numbers that are written as text."""
    reason = _reason(Kind.number, written.form, written.unit)
    column = Column(name, Kind.number, reason, written.form, unit=written.unit)
    numbers = as_numbers(texts, written.form, (written.unit,))
    gaps = tuple(sorted(texts[texts.notna() & numbers.isna()].unique()))
    return _Guess(numeric_column(with_gaps(column, gaps), numbers), written.other,
                  NUMBER_FORMS[written.form][1] if written.evident else "")


def _reason(kind: Kind, form: str, unit: str = "") -> str:
    if kind is Kind.date:
        return f"every value reads as a date ({form})"
    return f"numbers written as text ({form}{f', in {unit}' if unit else ''})"


def with_gaps(column: Column, gaps: tuple[str, ...]) -> Column:
    """A column of numbers or dates with the words that count as missing."""
    if not gaps:
        return column
    quoted = ", ".join(repr(gap) for gap in gaps[:3]) + (", …" if len(gaps) > 3 else "")
    what = "dates" if column.kind is Kind.date else "numbers"
    return replace(column, reason=f"nearly all {what}; {quoted} count as missing", gaps=gaps,
                   note=f"{quoted} among its {what} count as missing")


def _of_dates(name: str, levels: pd.Series, form: str) -> _Guess:
    column = Column(name, Kind.date, _reason(Kind.date, form), form=form)
    other = day_first(form)
    if _mark(form) and _mark(form) != _mark(other):
        if are_dates(levels, other):
            return _Guess(column, other)
        return _Guess(column, shows=_mark(form))
    return _Guess(column)


def _of_nearly_dates(column: Column, levels: pd.Series, rows: Mapping[str, int]) -> _Guess:
    """A column of words, or of dates in which a few words are none; what is to be told where it nearly is one of
    dates, or of numbers."""
    forms, enough = forms_of_dates(rows), NEARLY_ALL * sum(rows.values())
    form = next(iter(forms), UNTOLD)
    if forms and forms[form] >= enough:
        read = as_dates(levels, form).notna()
        guess = _of_dates(column.name, levels[read], form)
        return replace(guess, column=with_gaps(guess.column, tuple(sorted(levels[~read]))))
    if units := units_of(rows):
        note = f"numbers in several units, {', '.join(units[:5])}: they are not comparable, and are taken for words"
        return _Guess(replace(column, note=note))
    if sum(forms.values()) >= enough and column.kind is not Kind.ignored:
        note = f"dates in several forms, {', '.join(forms)}: write them in one, as they are taken for words"
        return _Guess(replace(column, note=note))
    return _Guess(column)


def _mark(form: str) -> str:
    """Which of two ways a form is: the mark of decimals, or the first part of a date, if that is in doubt."""
    if form in NUMBER_FORMS:
        return NUMBER_FORMS[form][1]
    # With dots, the day comes first everywhere.
    return form[1] if re.match(r"%[md][/-]%[md]", form) else ""


def _family(mark: str) -> str:
    return "days" if mark in ("m", "d") else "decimals"


def _are_whole(numbers: pd.Series) -> bool:
    """Whether all are whole numbers, and none is missing."""
    values = numbers.to_numpy()
    with np.errstate(invalid="ignore"):
        return bool((values % 1 == 0).all())


def _are_compact_dates(numbers: pd.Series) -> bool:
    values = numbers.to_numpy()
    if not ((values >= _FIRST_DAY) & (values <= _LAST_DAY) | np.isnan(values)).all():
        return False
    present = numbers.dropna()
    if present.nunique() < 3 or not _are_whole(present):
        return False
    return are_dates(as_text(present.drop_duplicates()), COMPACT)


def _words(name: str, counts: pd.Series, kept: Iterable[str]) -> Column:
    rows, count = int(counts.sum()), len(counts)
    # A thousand levels tell how many words they have on average.
    words = float(counts.index[:1000].str.count(r"\S+").to_numpy().mean())
    if count == rows >= _FEW_ROWS and words < 1.5:
        return Column(name, Kind.ignored, "a different word in every row, like an identifier")
    if words >= 2.5 and (count > MAX_LEVELS or (count > rows / 2 and rows >= _FEW_ROWS)):
        return Column(name, Kind.text, f"{count:,} different texts of {words:.0f} words")
    return _category(name, counts, kept)


def _category(name: str, counts: pd.Series, kept: Iterable[str] = ()) -> Column:
    common = spellings(counts.sort_values(ascending=False, kind="stable"))
    count = spelt(pd.Series(counts.index, dtype=object), common).nunique() if common else len(counts)
    notes = [f"{', '.join(map(repr, common[:5]))} in other cases of letters are the same"] if common else []
    if count > MAX_LEVELS:
        notes.append(f"the {MAX_LEVELS - 1} commonest of its {count:,} levels are told apart")
    return Column(name, Kind.category, _count_levels(count), kept=tuple(kept), spellings=common, note="; ".join(notes))


def _count_levels(count: int) -> str:
    if count > MAX_LEVELS:
        return f"{count:,} levels, the {MAX_LEVELS - 1} commonest told apart"
    return "one level, and gaps" if count == 1 else f"{count} levels"


def as_written(columns: Iterable[Column]) -> frozenset[str]:
    """The columns of which a text file's cells are to be left as they are written, for them to be read as these were:
    all but those of plain numbers."""
    plain = (Kind.number, Kind.boolean)
    return frozenset(one.name for one in columns if one.kind not in plain or one.form != UNTOLD)


def told_of(columns: Iterable[Column]) -> list[str]:
    """What is to be told of columns at the end: which are ignored, cut or guessed; those of which it is the same,
    together."""
    names: dict[str, list[str]] = {}
    for column in columns:
        if column.told:
            names.setdefault(column.told.replace(f"--column {column.name}=", "--column NAME="), []).append(column.name)
    return [f"{listing(some)}: {told}" for told, some in names.items()]


def listing(names: Iterable[str]) -> str:
    """Names, of which there may be many."""
    every = list(names)
    shown = ", ".join(every[:_NAMED])
    return shown if len(every) <= _NAMED else f"{shown} and {len(every) - _NAMED:,} more"
