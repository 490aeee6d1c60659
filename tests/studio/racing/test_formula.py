"""Formulas: what they mean, by Python's own grammar and by hand; and that none does harm, whatever it says."""

import math
import random
import time
import xml.etree.ElementTree as ET

import jax
import numpy as np
import pytest

from descend.studio.racing.formula import MAX_CHARACTERS, MAX_DEPTH, MAX_EXPONENT, MAX_TOKENS, FormulaError, read
from descend.studio.racing.gallery import BY_NAME, GALLERY
from descend.studio.racing.notation import latex, mathml

# What Python calls the functions, by the names of a formula.
OF_MATH = ("sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "pi", "e")
PYTHON = {"abs": abs, "min": min, "max": max} | {name: getattr(math, name) for name in OF_MATH}
# Where a formula is looked at.
X, Y = 0.7, -1.3
SECONDS_FOR_ONE = 0.5


def grown(rng, depth=0):
    """A formula by chance, in the grammar that Python shares."""
    inner = lambda: grown(rng, depth + 1)
    kinds = {
        "leaf": lambda: rng.choice(["x", "y", "pi", "e", "2", "0.5", "3.", ".25", "1e-1"]),
        "sum": lambda: f"{inner()} {rng.choice('+-')} {inner()}",
        "product": lambda: f"{inner()}{rng.choice('*/')}{inner()}",
        "power": lambda: f"{rng.choice(['x', 'y', '(x + y)', '2'])}**{rng.choice(['2', '3', '-1', 'x', '2**2'])}",
        "sign": lambda: f"-{rng.choice(['x', 'y', 'x**2', '(x - 3)'])}",
        "call": lambda: f"{rng.choice(['sin', 'cos', 'tanh', 'exp', 'atan', 'abs'])}({inner()})",
        "pair": lambda: f"{rng.choice(['min', 'max'])}({inner()}, {inner()})",
    }
    return kinds[rng.choice([*kinds, "sum"]) if depth < 5 else "leaf"]()


def attempted(text):
    """A formula and nothing, or nothing and why there is none."""
    try:
        return read(text), ""
    except FormulaError as error:
        return None, str(error)


def python_value(text):
    """The value by Python's own grammar and functions where x and y are above 0, as powers of less may be complex; or
    `None` where there is none that is finite."""
    try:
        value = eval(text, {"__builtins__": {}}, PYTHON | {"x": X, "y": -Y})
    except ArithmeticError:
        return None
    return value if math.isfinite(value) else None


def test_formulas_mean_what_python_means_by_them():
    rng, compared = random.Random(0), 0
    for _ in range(500):
        text = grown(rng)
        formula, says = attempted(text)
        if formula is None:
            # A number alone, what is too long, or a part without a value.
            assert any(words in says for words in ("neither x nor y", "shorten", "no finite number", "exponent")), text
            continue
        expected = python_value(text)
        if expected is None or abs(expected) > 1e100:
            continue
        with np.errstate(all="ignore"):
            assert float(formula(np.float64(X), np.float64(-Y))) == pytest.approx(expected, rel=1e-9), text
        compared += 1
    assert compared > 250


def test_jax_and_numpy_agree_and_derivatives_are_those_of_calculus():
    formula = read("sin(x)*y^2 + exp(-x^2)/2 + max(x, y) + x^0.5")
    x, y = np.linspace(0.1, 2, 5), np.linspace(-2, 0.05, 5)
    with jax.enable_x64(True):
        value = jax.jit(formula)(x, y)
        slope = jax.jit(jax.vmap(jax.grad(formula)))(x, y)
    np.testing.assert_allclose(value, formula(x, y), rtol=1e-13)
    expected = np.cos(x) * y**2 - x * np.exp(-(x**2)) + 1.0 + 0.5 / np.sqrt(x)  # x > y everywhere
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-x^2", -0.49),
        ("x^2^3", 0.7**8),
        ("2^-x", 2**-0.7),
        ("x - y - 1", 1.0),
        ("x/y/2", 0.7 / -1.3 / 2),
        ("x**2 + y^2", 2.18),
        ("y^3", -2.197),
        ("2*pi*x", 1.4 * math.pi),
        ("+x", 0.7),
        ("- - x", 0.7),
        ("abs(y)", 1.3),
    ],
)
def test_signs_and_powers(text, value):
    assert float(read(text)(X, Y)) == pytest.approx(value, rel=1e-14)


REFUSED = [
    ("", 1, "ends where"),
    ("x +", 4, "ends where"),
    ("2x", 2, "write an operation between '2' and 'x'"),
    ("(x", 3, "a ) is missing"),
    ("x)", 2, "no ( before"),
    ("x,y", 2, "no ( before"),
    ("sin x", 5, "write sin(...)"),
    ("max(x)", 6, "takes two numbers"),
    ("sin(x, y)", 6, "takes no more"),
    ("x + foo", 5, "'foo' is not known"),
    ("x.y", 2, "'.' is no part"),
    ("x.__class__", 2, "'.' is no part"),
    ("lambda: x", 7, "':'"),
    ("lambda x", 1, "'lambda' is not known"),
    ("[x for x in y]", 1, "'['"),
    ("f'{x}'", 2, "no part"),
    ("x if y else 1", 3, "write an operation"),
    ("(x := 3)", 4, "':'"),
    ("x == y", 3, "'='"),
    ("x @ y", 3, "'@'"),
    ("x; y", 2, "';'"),
    ("x # y", 3, "'#'"),
    ("__import__('os')", 12, "no part"),
    ("__import__(x)", 1, "'__import__' is not known"),
    ("x * * y", 5, "and not *"),
    ("x\x00y", 2, r"'\x00'"),
    ("ｘ + y", 1, r"'\uff58'"),
    ("x·y", 2, r"'\xb7'"),
    ("\ud800", 1, r"'\ud800'"),
    ("x\u202e", 2, r"'\u202e'"),
    ("3 + 4", 1, "neither x nor y"),
    ("nan*x", 1, "'nan' is not known"),
    ("inf*x", 1, "'inf' is not known"),
    ("1e999*x", 1, "no finite number"),
    ("9**9**9**9", 5, "exponent 3.8742e+08 is too large"),
    ("x^1e9", 2, "too large"),
    ("x + 1/(1 - 1)", 6, "no finite number"),
    ("sqrt(-1) + x", 1, "no finite number"),
    ("0x10*x", 2, "write an operation"),
    ("1_000*x", 2, "write an operation"),
    ("2j*x", 2, "write an operation"),
    ("True*x", 1, "'True' is not known"),
    ("x" * MAX_CHARACTERS + "x", MAX_CHARACTERS + 1, "401 characters"),
    ("a" * 300, 1, "'aaaaaaaaaaaaaaaaaaaa…'"),
]


@pytest.mark.parametrize(("text", "column", "says"), REFUSED, ids=ascii)
def test_what_is_refused_is_told_with_its_column(text, column, says):
    with pytest.raises(FormulaError) as refused:
        read(text)
    message = str(refused.value)
    assert message.startswith(f"the formula, column {column}: ")
    assert says in message
    assert message.isprintable()  # on one line, and commands no terminal


def test_size_depth_and_exponents_have_their_bounds():
    deep = lambda n: "(" * n + "x" + ")" * n
    long = lambda n: "+".join(["x"] * ((n + 1) // 2))
    for within, beyond in [
        (deep(MAX_DEPTH - 1), deep(MAX_DEPTH)),
        (long(MAX_TOKENS - 1), long(MAX_TOKENS + 1)),
        ("-" * (MAX_DEPTH - 1) + "x", "-" * MAX_DEPTH + "x"),
        ("^".join("x" * MAX_DEPTH), "^".join("x" * (MAX_DEPTH + 1))),
        (f"x^{MAX_EXPONENT}", f"x^{MAX_EXPONENT + 1}"),
        (f"x^(-{MAX_EXPONENT})", f"x^(-{MAX_EXPONENT + 1})"),
    ]:
        assert np.isfinite(read(within)(1.0, 1.0))
        assert mathml(read(within))
        with pytest.raises(FormulaError):
            read(beyond)


SCRAPS = [
    "x",
    "y",
    "pi",
    "e",
    "1",
    "2.5",
    "1e308",
    "1e-320",
    ".",
    "..",
    "+",
    "-",
    "*",
    "/",
    "**",
    "^",
    "(",
    ")",
    "()",
    ",",
    "sin(",
    "log(",
    "sqrt(",
    "exp(exp(exp(",
    "max(",
    "min(x,",
    "9**9**9**9",
    "0/0",
    "1/0",
    "--",
    "**-",
    "~",
    "!",
    "%",
    "//",
    "<<",
    "@",
    "=",
    ":=",
    "==",
    "[",
    "]",
    "{",
    "}",
    "lambda x:",
    " for x in ",
    " if ",
    " else ",
    "not ",
    " and ",
    "None",
    "True",
    "nan",
    "inf",
    "j",
    "0x",
    "0b1",
    "1_0",
    "__",
    ".__class__.__mro__",
    "().__class__",
    "__import__",
    "('os').system('id')",
    "eval(",
    "exec(",
    "open(",
    "globals()",
    "f'{x}'",
    "b''",
    "'",
    '"',
    '"""',
    "\\",
    "\n",
    "\r",
    "\t",
    "\0",
    "\x1b[2J",
    "é",
    "ｘ",
    "π",
    "−",
    "²",
    "𝑥",
    "\u200b",
    "\u202e",
    "\ud800",
    "🙂",
    ";",
    "#",
    "$",
    "`",
    "&&",
    "<script>",
    "</math>",
    "{{7*7}}",
    "%s",
    "..;",
    "x" * 50,
    "(" * 60,
    "-" * 60,
    "**2" * 20,
    "9" * 100,
    "+x" * 90,
]


def test_thousand_hostile_formulas_are_refused_on_one_line_or_are_functions():
    rng, kept = random.Random(20), 0
    for _ in range(1000):
        text = "".join(rng.choices(SCRAPS, k=rng.randint(1, 12)))
        if rng.random() < 0.5:
            # One that could be read, with a scrap somewhere in it.
            within, place = grown(rng), rng.randint(0, 30)
            text = within[:place] + rng.choice(SCRAPS) + within[place:]
        begin = time.process_time()
        formula, says = attempted(text)
        if formula is None:
            assert says.startswith("the formula, column ")
            assert says.isprintable()
            assert len(says) < 300
        else:
            with np.errstate(all="ignore"):
                assert np.shape(formula(np.ones(3), np.ones(3))) == (3,)
            assert ET.fromstring(mathml(formula)).tag.endswith("math")
            kept += 1
        assert time.process_time() - begin < SECONDS_FOR_ONE, text
    assert 5 < kept < 500


@pytest.mark.parametrize("text", ["3*x/2 - (x - y)^2", "-20*exp(-0.2*sqrt(x))", "2*3*x", "1e-7*x + 1234567.5*y"])
def test_latex_means_the_same(text):
    """Read back as a formula, by undoing its notation."""
    written = latex(read(text))
    for mark, plain in [
        (r"\left", ""),
        (r"\right", ""),
        (r"\frac{3 x}{2}", "3*x/2"),
        (r" \cdot ", "*"),
        (r"\sqrt{", "sqrt("),
        ("e^{", "exp("),
        ("}", ")"),
        ("{", "("),
        (" ", "*"),
    ]:
        written = written.replace(mark, plain)
    assert float(read(written)(X, Y)) == pytest.approx(float(read(text)(X, Y)), rel=1e-5)


# Values that papers and textbooks give, away from the minima.
PUBLISHED = {
    "rosenbrock": (-1.2, 1.0, 24.2),
    "beale": (1.0, 1.0, 14.203125),
    "himmelblau": (0.0, 0.0, 170.0),
    "monkey": (1.0, 1.0, -2.0),
    "d2l_steep": (-5.0, -2.0, 33.0),
    "d2l_flat": (-5.0, -2.0, 10.5),
    "rastrigin": (1.0, 1.0, 2.0),
    "ackley": (1.0, 1.0, 3.6253849384403622),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_gallery_has_the_functions_of_the_literature(name):
    x, y, value = PUBLISHED[name]
    assert float(read(BY_NAME[name].formula)(x, y)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("example", GALLERY, ids=lambda example: example.name)
def test_minima_are_minima_and_starts_are_in_the_window(example):
    formula = read(example.formula)
    x0, x1, y0, y1 = example.window
    assert x0 < example.start[0] < x1
    assert y0 < example.start[1] < y1
    around = np.linspace(0, 2 * np.pi, 40)
    for x, y in example.minima:
        here = float(formula(x, y))
        assert here == pytest.approx(0.0, abs=1e-12)
        assert (formula(x + 0.01 * np.cos(around), y + 0.01 * np.sin(around)) > here).all()
    # There are no others in the window that are as low.
    grid = formula(*np.meshgrid(np.linspace(x0, x1, 301), np.linspace(y0, y1, 301)))
    assert np.nanmin(grid) >= -1e-9 or not example.minima
