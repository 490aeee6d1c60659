"""The tables of the program Orange: tab-separated, with two more lines below the header."""

from itertools import pairwise

TYPES = frozenset({"", "c", "continuous", "d", "discrete", "s", "string", "t", "time"})
ROLES = frozenset({"", "c", "class", "m", "meta", "i", "ignore", "w", "weight"})


def without_types(text: bytes) -> bytes:
    """A text table without Orange's lines of types and roles, if it has them: both are told from the values here.

    Reference: "Orange data mining library", the page "Loading and saving data".

    >>> without_types(b"kind\\ttext\\nd\\tstring\\nclass\\t\\nspam\\tbuy now\\n")
    b'kind\\ttext\\nspam\\tbuy now\\n'
    """
    ends = [-1]
    # Ends of lines are looked for one by one, so that a large text is not copied to look at its first lines.
    while len(ends) < 4:
        ends.append(text.find(b"\n", ends[-1] + 1))
        if ends[-1] < 0:
            return text
    names, *below = (text[begin + 1 : end] for begin, end in pairwise(ends))
    if b"\t" not in names:
        return text
    types, roles = (line.decode(errors="replace").strip("\r").split("\t") for line in below)
    is_orange = any(types) and TYPES.issuperset(types) and ROLES.issuperset(role.split(" ")[0] for role in roles)
    return names + text[ends[-1]:] if is_orange else text
