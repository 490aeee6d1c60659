"""What may not mean what it says: numbers that stand for gaps, and words that differ in their case alone."""

import re

import numpy as np
import pandas as pd

# Written where nothing was measured: all nines, or all zeros behind a minus that is none.
_NINES = re.compile(r"-?9{2,}(\.0*)?|-?9{2,}\.9+|-1|-9")
# Words of two letters that are the same whatever their case.
_SHORT = frozenset(("no", "ja", "si", "da", "ne"))


def suspected_gap(numbers: pd.Series) -> str:
    """A number that looks like the sign of a gap, such as -999, or "".

    It is made of nines, or is -1; it lies at an end, is there more than once, and is further from the next value than
    all others are from each other.
    """
    found = numbers.to_numpy("float64")
    # Most columns end in other numbers, and need not be sorted; both ends are numbers, where there is one at all.
    if not any(_NINES.fullmatch(f"{end.reduce(found, initial=np.nan):.15g}") for end in (np.fmin, np.fmax)):
        return ""
    values, counts = np.unique(found[~np.isnan(found)], return_counts=True)
    if len(values) < 5:
        return ""
    for end, others in ((0, values[1:]), (-1, values[:-1])):
        spread = others[-1] - others[0]
        beyond = min(abs(others - values[end]))
        told = f"{values[end]:.15g}"
        alone = counts[end] > 1 and beyond > (spread if told != "-1" else 0)
        # -1 is little; it is odd only where all others are none below 0, and are not next to it by chance.
        if alone and _NINES.fullmatch(told) and (told not in ("-1", "-9") or (others[0] >= 0 and beyond > spread / 2)):
            return told
    return ""


def spellings(counts: pd.Series, every: bool = False) -> tuple[str, ...]:
    """Of words that differ in their case alone, the commonest spelling of each, if there are such.

    `counts`: in how many rows each word is, the commonest first. Words of one or two letters may be names of different
    things, so that of these only those are taken for the same that are in common use; or, if so asked, `every` one.

    >>> spellings(pd.Series({"Yes": 3, "no": 2, "yes": 1, "A": 1, "a": 1}))
    ('Yes',)
    """
    words = [str(word) for word in counts.index]
    first: dict[str, str] = {}
    several = set()
    for word in words:
        folded = word.casefold()
        if folded in first and (every or len(folded) > 2 or folded in _SHORT):
            several.add(first[folded])
        first.setdefault(folded, word)
    return tuple(sorted(several))


def spelt(texts: pd.Series, common: tuple[str, ...]) -> pd.Series:
    """Texts in the spellings that were found to be the commonest.

    >>> spelt(pd.Series(["YES", "a"]), ("Yes",)).tolist()
    ['Yes', 'a']
    """
    if not common:
        return texts
    as_common = {word.casefold(): word for word in common}
    return texts.map({text: as_common.get(text.casefold(), text) for text in texts.dropna().unique()}).where(
        texts.notna(), None
    )
