"""A formula as it is written: LaTeX, and the MathML that a browser shows."""

from functools import lru_cache

from latex2mathml.converter import convert

from descend.studio.formula import Formula, Node

# How strongly the parts of a formula hold together: what holds less is put in parentheses.
STRENGTHS = {"+": 1, "-": 1, "*": 2, "negative": 2, "/": 4, "**": 4, "exp": 4}
ATOM = 5
TEMPLATES = {"sqrt": r"\sqrt{%s}", "exp": "e^{%s}", "abs": r"\left|%s\right|", "atan": r"\arctan\left(%s\right)"}


@lru_cache(maxsize=64)
def mathml(formula: Formula) -> str:
    """The formula for a page: a `math` element."""
    return convert(latex(formula))


def latex(formula: Formula) -> str:
    r"""The formula in LaTeX.

    >>> from descend.studio.formula import read
    >>> latex(read("(1 - x)**2 + 3*y/2"))
    '\\left(1-x\\right)^{2}+\\frac{3 y}{2}'
    """
    return _written(formula.root)


def _written(node: Node) -> str:
    if node.symbol == "number":
        return _number(node.value)
    written = [_written(part) for part in node.parts]
    match node.symbol:
        case "x" | "y":
            return node.symbol
        case "+":
            return f"{written[0]}+{_held(node.parts[1], 1)}"
        case "-":
            return f"{written[0]}-{_held(node.parts[1], 2)}"
        case "*":
            left, right = (_held(part, 2) for part in node.parts)
            return f"{left} {right}" if right[0] not in "-.0123456789" else rf"{left} \cdot {right}"
        case "/":
            return rf"\frac{{{written[0]}}}{{{written[1]}}}"
        case "**":
            return f"{_held(node.parts[0], ATOM)}^{{{written[1]}}}"
        case "negative":
            return f"-{_held(node.parts[0], 3)}"
    return TEMPLATES.get(node.symbol, rf"\{node.symbol}\left(%s\right)") % ",".join(written)


def _held(node: Node, strength: int) -> str:
    """A part, in parentheses if it holds together less than its surroundings."""
    negative = node.symbol == "number" and node.value < 0
    own = 1 if negative else STRENGTHS.get(node.symbol, ATOM)
    return _written(node) if own >= strength else rf"\left({_written(node)}\right)"


def _number(value: float) -> str:
    """Whole numbers without a point, small and large ones with a power of ten."""
    if value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    digits, _, power = f"{value:.6g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
