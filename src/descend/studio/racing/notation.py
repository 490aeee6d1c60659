"""A formula as it is written: LaTeX, and the MathML that a browser shows."""

from functools import lru_cache

from latex2mathml.converter import convert

from descend.studio.racing.formula import Formula, Node

# How strongly the parts of a formula hold together: what holds less than its place asks for is put in parentheses.
STRENGTHS = {"+": 1, "-": 1, "negative": 2, "*": 3, "/": 4, "**": 4, "exp": 4}
ATOM = 5
# How each is written around its parts, and how strongly those must hold; functions that are not here, by their names.
TEMPLATES: dict[str, tuple[str, tuple[int, ...]]] = {
    "+": ("%s+%s", (1, 3)), "-": ("%s-%s", (1, 3)), "negative": ("-%s", (3,)), "/": (r"\frac{%s}{%s}", (1, 1)),
    "**": ("%s^{%s}", (ATOM, 1)), "exp": ("e^{%s}", (1,)), "sqrt": (r"\sqrt{%s}", (1,)),
    "abs": (r"\left|%s\right|", (1,)), "atan": (r"\arctan\left(%s\right)", (1,)),
    "min": (r"\min\left(%s,%s\right)", (1, 1)), "max": (r"\max\left(%s,%s\right)", (1, 1)),
}


@lru_cache(maxsize=64)
def mathml(formula: Formula) -> str:
    """The formula for a page: a `math` element."""
    return convert(latex(formula))


def latex(formula: Formula) -> str:
    r"""The formula in LaTeX.

    >>> from descend.studio.racing.formula import read
    >>> latex(read("(1 - x)**2 + 3*y/2"))
    '\\left(1-x\\right)^{2}+\\frac{3 y}{2}'
    """
    return _written(formula.root)


def _written(node: Node) -> str:
    if node.symbol == "number":
        return _number(node.value or 0.0)
    if not node.parts:
        return r"\pi" if node.symbol == "pi" else node.symbol
    if node.symbol == "*":
        left, right = _held(node.parts[0], 2), _held(node.parts[1], 3)
        # Two numbers side by side would read as one.
        return rf"{left} \cdot {right}" if right[0].isdigit() else f"{left} {right}"
    template, strengths = TEMPLATES.get(node.symbol, (rf"\{node.symbol}\left(%s\right)", (1,)))
    return template % tuple(map(_held, node.parts, strengths))


def _held(node: Node, strength: int) -> str:
    """A part, in parentheses if it holds together less than its surroundings."""
    is_held = STRENGTHS.get(node.symbol, ATOM) >= strength
    return _written(node) if is_held else rf"\left({_written(node)}\right)"


def _number(value: float) -> str:
    """Whole numbers without a point, small and large ones with a power of ten."""
    if value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    digits, _, power = f"{value:.6g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
