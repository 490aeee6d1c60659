"""The tables of the program Orange: tab-separated, with two more lines below the header."""

TYPES = frozenset({"", "c", "continuous", "d", "discrete", "s", "string", "t", "time"})
ROLES = frozenset({"", "c", "class", "m", "meta", "i", "ignore", "w", "weight"})


def without_types(text: bytes) -> bytes:
    """A text table without Orange's lines of types and roles, if it has them: both are told from the values here.

    Reference: "Orange data mining library", the page "Loading and saving data".

    >>> without_types(b"kind\\ttext\\nd\\tstring\\nclass\\t\\nspam\\tbuy now\\n")
    b'kind\\ttext\\nspam\\tbuy now\\n'
    """
    names, *below = text.split(b"\n", 3)
    if len(below) < 3 or b"\t" not in names:
        return text
    types, roles = (line.decode(errors="replace").strip("\r\n").split("\t") for line in below[:2])
    is_orange = any(types) and TYPES.issuperset(types) and ROLES.issuperset(role.split(" ")[0] for role in roles)
    return names + b"\n" + below[2] if is_orange else text
