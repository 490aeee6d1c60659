"""Of a file that has several tables, which one is meant: `book.xlsx#Prices`."""

from difflib import get_close_matches

from descend.errors import InputError


def chosen_part(names: list[str], part: str, where: str, kind: str) -> str:
    """The name of the part that is asked for, or of the only one.

    **Raises** `InputError` if there are several and none is asked for, or none of that name.
    """
    if part in names:
        return part
    listed = ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")
    if not names:
        raise InputError(f"{where} has no {kind} with rows in it")
    if part:
        close = get_close_matches(part, names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(f"{where} has no {kind} {part!r}: {hint}it has {listed}")
    if len(names) > 1:
        raise InputError(f"{where} has {len(names):,} {kind}s, {listed}: say which behind a #, as in "
                         f"{where.strip(chr(39))}#{names[0]}")
    return names[0]
