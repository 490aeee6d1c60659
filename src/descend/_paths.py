"""Choosing parameters by the pattern of their path: `encoder/*`, `*/bias`."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from descend.errors import InputError

# As in a shell: `*` stands for anything, also for `/`, and `?` for one character.
Patterns = str | tuple[str, ...]


def matches(patterns: Patterns, path: str) -> bool:
    """Whether a path fits one of the patterns.

    >>> matches("*/bias", "layers/0/bias"), matches(("embedding", "head/*"), "layers/0/bias")
    (True, False)
    """
    return any(fnmatchcase(path, pattern) for pattern in as_tuple(patterns))


def as_tuple(patterns: Patterns) -> tuple[str, ...]:
    """One pattern or several, as several."""
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


def refuse_unmatched(name: str, patterns: Patterns, paths: Iterable[str]) -> None:
    """Refuse a pattern that fits no parameter: what it was meant to do would silently not be done."""
    known = list(paths)
    for pattern in as_tuple(patterns):
        if not any(fnmatchcase(path, pattern) for path in known):
            near = get_close_matches(pattern, known, n=3, cutoff=0.3) or known[:3]
            raise InputError(f"{name}: the pattern '{pattern}' fits no parameter; there are {len(known)}, "
                             f"such as {', '.join(near)}")
