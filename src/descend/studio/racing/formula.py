"""Formulas of x and y, as people type them: read into a tree by a grammar of its own, and never executed.

    sum    = term (("+" | "-") term)*
    term   = factor (("*" | "/") factor)*
    factor = ("-" | "+") factor | atom (("**" | "^") factor)?
    atom   = number | name | name "(" sum ("," sum)* ")" | "(" sum ")"
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np

from descend._arrays import Scalar, namespace
from descend.errors import InputError

# A formula is read in an instant and compiled in about a second, whatever it is, because it has no more than these.
MAX_CHARACTERS, MAX_TOKENS, MAX_DEPTH = 400, 160, 24
MAX_EXPONENT = 100
# Of a name of anybody's, in a message.
SHOWN_CHARACTERS = 20

TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<symbol>\*\*|[-+*/^(),])", re.ASCII
)
CONSTANTS = {"pi": np.pi, "e": np.e}
VARIABLES = ("x", "y")
# The functions of one number, and those of two, by what NumPy and JAX call them.
FUNCTIONS = {"sin": "sin", "cos": "cos", "tan": "tan", "atan": "arctan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
             "exp": "exp", "log": "log", "sqrt": "sqrt", "abs": "abs"}
PAIRED = {"min": "minimum", "max": "maximum"}
NAMES = ", ".join([*VARIABLES, *CONSTANTS, *FUNCTIONS, *PAIRED])


class FormulaError(InputError):
    """A formula that cannot be read: what is wrong, and in which column."""

    def __init__(self, column: int, says: str) -> None:
        super().__init__(f"the formula, column {column + 1}: {says}")


class Token(NamedTuple):
    """A number, a name, a symbol, or the end; `column` counts from 0."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True)
class Node:
    """A part of a formula: `symbol` is a variable, a constant, "number", or an operation or a function of `parts`;
    `value`: of what depends on neither x nor y."""

    symbol: str
    parts: tuple["Node", ...] = ()
    value: float | None = None

    def at(self, x: Scalar, y: Scalar) -> Any:
        """The value there, of numbers or arrays, NumPy's or JAX's."""
        if self.value is not None:
            return self.value
        if self.symbol in VARIABLES:
            return x if self.symbol == "x" else y
        return OPERATIONS[self.symbol](*(part.at(x, y) for part in self.parts))


@dataclass(frozen=True)
class Formula:
    """A function of x and y, and the text that it was read from."""

    text: str
    root: Node

    def __call__(self, x: Scalar, y: Scalar) -> Any:
        """The value at numbers or arrays, NumPy's or JAX's."""
        return self.root.at(x, y)


def read(text: str) -> Formula:
    """The function that a formula stands for.

    >>> formula = read("(1 - x)^2 + 100*(y - x^2)^2")
    >>> formula(-1.0, 2.0)
    104.0

    **Raises** `FormulaError` for what is no formula, names that are not known, and what is too long or too deep.
    """
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(MAX_CHARACTERS, f"it has {len(text)} characters, more than {MAX_CHARACTERS}: shorten it")
    formula = Formula(text.strip(), Reader(_tokens(text)).whole())
    if formula.root.value is not None:
        raise FormulaError(0, "it has neither x nor y: write a function of them")
    return formula


def _tokens(text: str) -> list[Token]:
    """The formula in pieces, and its end."""
    tokens, column = [], 0
    while column < len(text):
        if text[column].isspace():
            column += 1
            continue
        found = TOKEN.match(text, column)
        if found is None:
            raise FormulaError(column, f"{text[column]!a} is no part of a formula: there are numbers, + - * / ^ ( ) , "
                               f"and {NAMES}")
        tokens.append(Token(str(found.lastgroup), found[0], column))
        column = found.end()
    if len(tokens) > MAX_TOKENS:
        raise FormulaError(tokens[MAX_TOKENS].column, f"it has {len(tokens)} parts, more than {MAX_TOKENS}: shorten it")
    return [*tokens, Token("end", "", len(text))]


class Reader:
    """Reads tokens by recursive descent: a method for each line of the grammar."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0

    @property
    def ahead(self) -> Token:
        """The next token."""
        return self.tokens[self.place]

    def whole(self) -> Node:
        """The formula from its beginning to its end."""
        root = self._sum()
        if self.ahead.kind == "end":
            return root
        if self.ahead.text in (")", ","):
            self._refuse(f"there is no ( before this {self.ahead.text}")
        before = self.tokens[self.place - 1].text
        self._refuse(f"write an operation between {_shown(before)} and {_shown(self.ahead.text)}, such as *")

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._factor))

    def _chain(self, symbols: tuple[str, str], part: Callable[[], Node]) -> Node:
        """Parts with operations between them, which are taken from the left."""
        node = part()
        while self.ahead.text in symbols:
            operation = self._next()
            node = self._made(operation, operation.text, node, part())
        return node

    def _factor(self) -> Node:
        """A sign, or a power, or neither."""
        # Whatever nests comes through here: parentheses, functions, and without any - - x and x^x^x.
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(f"this is more than {MAX_DEPTH} deep: write it with fewer parentheses, signs and powers")
        node = self._signed() if self.ahead.text in ("-", "+") else self._powered()
        self.depth -= 1
        return node

    def _signed(self) -> Node:
        sign = self._next()
        node = self._factor()
        return self._made(sign, "negative", node) if sign.text == "-" else node

    def _powered(self) -> Node:
        base = self._atom()
        if self.ahead.text not in ("**", "^"):
            return base
        operation = self._next()
        exponent = self._factor()
        if exponent.value is not None and abs(exponent.value) > MAX_EXPONENT:
            raise FormulaError(operation.column, f"the exponent {exponent.value:g} is too large: take one from "
                               f"-{MAX_EXPONENT} to {MAX_EXPONENT}")
        return self._made(operation, "**", base, exponent)

    def _atom(self) -> Node:
        if self.ahead.kind == "end":
            self._refuse("the formula ends where a number, x, y or ( should follow")
        token = self._next()
        if token.kind == "number":
            return self._constant(token, Node("number", value=float(token.text)))
        if token.kind == "name":
            return self._named(token)
        if token.text != "(":
            raise FormulaError(token.column, f"a number, x, y or ( should stand here, and not {token.text}")
        node = self._sum()
        self._expect(")")
        return node

    def _named(self, token: Token) -> Node:
        name = token.text
        if name in CONSTANTS:
            return Node(name, value=CONSTANTS[name])
        if name in VARIABLES:
            return Node(name)
        if name not in FUNCTIONS and name not in PAIRED:
            raise FormulaError(token.column, f"{_shown(name)} is not known: there are {NAMES}")
        self._expect("(", f"write {name}(...)")
        given = [self._sum()]
        if name in PAIRED:
            self._expect(",", f"{name} takes two numbers, as in {name}(x, y)")
            given.append(self._sum())
        self._expect(")", "" if self.ahead.text != "," else f"{name} takes no more numbers")
        return self._made(token, name, *given)

    def _made(self, token: Token, symbol: str, *parts: Node) -> Node:
        """An operation or a function; of constants, with the value that it has."""
        if any(part.value is None for part in parts):
            return Node(symbol, parts)
        with np.errstate(all="ignore"):
            value = float(OPERATIONS[symbol](*(np.float64(part.value) for part in parts)))
        return self._constant(token, Node(symbol, parts, value))

    def _constant(self, token: Token, node: Node) -> Node:
        if node.value is None or not np.isfinite(node.value):
            raise FormulaError(token.column, f"what {_shown(token.text)} gives here is no finite number")
        return node

    def _next(self) -> Token:
        self.place += 1
        return self.tokens[self.place - 1]

    def _expect(self, symbol: str, hint: str = "") -> None:
        if self.ahead.text != symbol:
            self._refuse(hint or f"a {symbol} is missing here")
        self._next()

    def _refuse(self, says: str) -> NoReturn:
        raise FormulaError(self.ahead.column, says)


def _shown(text: str) -> str:
    return f"'{text}'" if len(text) <= SHOWN_CHARACTERS else f"'{text[:SHOWN_CHARACTERS]}…'"


def _power(base: Scalar, exponent: Scalar) -> Any:
    # A whole power is a product, which has derivatives at 0 and where the base is negative.
    if isinstance(exponent, float) and exponent.is_integer():
        return base ** int(exponent)
    return _by_name("power")(base, exponent)


def _by_name(name: str) -> Callable[..., Any]:
    """A function of one's world: JAX's if any of the arguments is."""

    def call(*given: Scalar) -> Any:
        world = next((namespace(one) for one in given if namespace(one) is not np), np)
        return getattr(world, name)(*given)

    return call


OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _by_name("divide"),
    "**": _power,
    "negative": lambda a: -a,
    **{name: _by_name(called) for name, called in (FUNCTIONS | PAIRED).items()},
}
