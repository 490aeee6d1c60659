"""The boxes of docstrings, which are mathematics in Unicode, as MathML."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from html import escape

# What separates an equation from the next one, or from a remark, on the same line.
APART = re.compile(r"(?<=\S) {3,}")
RELATION = re.compile("[=←≤<{]")
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₐₑᵢₙₖₜₘ∞", "0123456789+−aeinktm∞", strict=True))
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀᵗⁱⁿᵏ", "0123456789+−Ttink", strict=True))
ACCENTS = {"\u0302": "^", "\u0304": "¯"}
CLOSING = {"(": ")", "⌊": "⌋", "{": "}", "⟨": "⟩", "[": "]"}
FENCES = "|‖"
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d*\.?\d+)|(?P<text>`[^`]*`|\"[^\"]*\"|\w's\b)|(?P<product>[A-Z][a-z](?![\w(]))"
    r"|(?P<name>[A-Za-z]{2,}(?:_[A-Za-z]+)*)"
    r"|(?P<letter>[^\W\d_][\u0302\u0304]?'*(?:_[A-Za-z]+)?)|(?P<other>.)"
)
# Names that are mathematics wherever they stand; others are, where a parenthesis follows.
FUNCTIONS = frozenset({"min", "max", "sign", "cos", "mean"})
CONNECTIVES = frozenset({"and", "as", "at", "for", "if", "in", "of", "or", "then", "until", "while", "with"})
Token = tuple[str, str]


def box(text: str) -> str:
    """A box of equations as a `math` element: a row for each line, a column for each part of it.

    >>> box("v ← β v + g")
    '<math display="block"><mtable class="box"><mtr><mtd><mi>v</mi><mo>←</mo>...</mtd></mtr></mtable></math>'
    """
    lines = text.splitlines()
    rows = "".join(f"<mtr>{_row(line, lines[:i])}</mtr>" for i, line in enumerate(lines) if line.strip())
    return f'<math display="block"><mtable class="box">{rows}</mtable></math>'


def inline(text: str) -> str:
    """A piece of mathematics between words."""
    return f"<math>{_Parser(text).parsed()}</math>"


def _row(line: str, above: list[str]) -> str:
    indent = len(line) - len(line.lstrip())
    # What is indented goes on where the line above, which began further left, was at that place.
    parent = next((one for one in reversed(above) if len(one) - len(one.lstrip()) < indent), "")[:indent]
    hidden = f"<mphantom>{_Parser(parent).parsed()}</mphantom>" if parent else ""
    first, *others = APART.split(line.strip())
    cells = [hidden + _led(first), *map(_remark, others)]
    return "".join(f"<mtd>{cell}</mtd>" for cell in cells)


def _remark(text: str) -> str:
    """What stands behind an equation: another one, or words."""
    is_words = not RELATION.search(text) and re.search("[a-z]{2,}", text)
    return f"<mtext>{escape(text)}</mtext>" if is_words else _led(text)


def _led(text: str) -> str:
    """An equation, and the words that lead to it: `every n steps: …`."""
    words, colon, rest = text.partition(":")
    if colon and " " in words.strip() and not RELATION.search(words):
        return f"<mtext>{escape(words)}:&#160;</mtext>{_Parser(rest.strip()).parsed()}"
    return _Parser(text).parsed()


class _Parser:
    """Reads a line of mathematics from left to right."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0

    def parsed(self) -> str:
        """All of it."""
        found = ""
        while self.at < len(self.tokens):
            found += self._sequence("")
            if self.at < len(self.tokens):  # closed without having been opened, as in "f(x)₊)"
                found += _operator(self._next()[1])
        return found

    def _next(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def _peek(self, ahead: int = 0) -> Token:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ("end", "")

    def _sequence(self, end: str) -> str:
        """Atoms, up to what closes a bracket."""
        found = ""
        while self.at < len(self.tokens) and self._peek()[1] not in (end or ")⌋}⟩]"):
            found += self._scripted(self._atom())
        return found

    def _atom(self) -> str:
        kind, text = self._next()
        read: dict[str, Callable[[str], str]] = {
            "space": lambda text: '<mspace width=".9em"/>' if len(text) > 1 else "",
            "number": lambda text: f"<mn>{text}</mn>",
            "text": lambda text: f"<mtext>{escape(text.strip('`'))}&#160;</mtext>",
            "product": lambda text: "".join(map(_letter, text)),
            "name": self._name,
            "letter": _letter,
            "other": self._bracketed if text in CLOSING else self._sign,
        }
        return read[kind](text)

    def _name(self, text: str) -> str:
        is_called = text in FUNCTIONS or self._peek()[1] == "("
        if not is_called and (text in CONNECTIVES or self._is_between_words()):
            return f"<mtext>&#160;{escape(text)}&#160;</mtext>"
        return f"<mi>{escape(text)}</mi>"

    def _is_between_words(self) -> bool:
        """Whether the name that was read has another one as its neighbour, and so is a word of a sentence."""
        near = [self.tokens[i] for i in (self.at - 3, self.at + 1) if 0 <= i < len(self.tokens)]
        return any(kind == "name" and text not in FUNCTIONS for kind, text in near)

    def _bracketed(self, opening: str) -> str:
        inside = self._sequence(CLOSING[opening])
        closing = self._next()[1] if self.at < len(self.tokens) else ""
        return f"<mrow>{_operator(opening)}{inside}{_operator(closing)}</mrow>"

    def _sign(self, text: str) -> str:
        if text == "√":
            return f"<msqrt>{self._bare()}</msqrt>"
        return _operator(text) if text not in "½" else "<mn>½</mn>"

    def _bare(self) -> str:
        """An atom, without the parentheses that only hold it together."""
        while self._peek()[0] == "space":
            self.at += 1
        opening = self._peek()[1]
        if opening == "(":
            self.at += 1
            inside = self._sequence(")")
            self.at += 1
            return inside
        return self._scripted(self._atom())

    def _scripted(self, base: str) -> str:
        """An atom with what is written below and above it."""
        below = self._run(SUBSCRIPTS)
        above = self._run(SUPERSCRIPTS)
        if self._peek()[1] == "^":
            self.at += 1
            above = self._bare()
        if self._peek()[1] == "*" and base.startswith("<mi>"):
            self.at += 1
            above = "<mo>*</mo>"
        if below and above:
            return f"<msubsup>{base}<mrow>{below}</mrow><mrow>{above}</mrow></msubsup>"
        if above:
            return f"<msup>{base}<mrow>{above}</mrow></msup>"
        return f"<msub>{base}<mrow>{below}</mrow></msub>" if below else base

    def _run(self, known: dict[str, str]) -> str:
        found = ""
        while self._peek()[1] in known:
            sign = known[self._next()[1]]
            kind = "mn" if sign.isdigit() else "mi" if sign.isalpha() else "mo"
            found += f"<{kind}>{sign}</{kind}>"
        return found


def _tokens(text: str) -> Iterator[Token]:
    # Letters that have their accent built in are taken apart; the signs of scripts must stay as they are.
    apart = "".join(unicodedata.normalize("NFD", sign) for sign in text)
    for match in TOKEN.finditer(apart):
        sign = match.group()
        # To Python, some signs of scripts are letters.
        is_script = sign in SUBSCRIPTS or sign in SUPERSCRIPTS
        yield ("other" if is_script else match.lastgroup or "other"), sign


def _letter(text: str) -> str:
    name, _, below = text.partition("_")
    primes = name.count("'")
    base = name.rstrip("'")
    found = f"<mi>{base[0]}</mi>"
    for accent in base[1:]:
        found = f'<mover accent="true">{found}<mo>{ACCENTS[accent]}</mo></mover>'
    if primes:
        found = f'<mrow>{found}<mo lspace="0" rspace="0">{"′" * primes}</mo></mrow>'
    return f"<msub>{found}<mi>{below}</mi></msub>" if below else found


def _operator(sign: str) -> str:
    # Bars do not tell by themselves whether they open or close.
    how = ' stretchy="false" lspace="0" rspace="0"' if sign in FENCES else ' stretchy="false"' if sign in "(){}" else ""
    return f"<mo{how}>{escape(sign)}</mo>" if sign else ""
