"""Every number that the lessons tell is that of a computation in plain NumPy, and of `test_d2l`, digit by digit."""

import math
from functools import cache

import numpy as np
import pytest

import test_d2l
from descend.studio.lessons.numbers import NUMBERS

C = 0.15 * np.pi
BOWL, VALLEY = np.array([2.0, 4.0]), np.array([0.2, 4.0])


def wave(x, derivative):
    sin, cos = np.sin(C * x), np.cos(C * x)
    return (x * cos, cos - C * x * sin, -2 * C * sin - C**2 * x * cos)[derivative]


def newton(rate):
    x = 10.0
    for _ in range(10):
        x -= rate * wave(x, 1) / wave(x, 2)
    return x


def slopes(x, function, rate, steps):
    for _ in range(steps):
        x -= rate * function(x)
    return x


def twenty(curvatures, step, *memory):
    """Twenty steps of a rule on a quadratic, from the start of the book."""
    x, kept = np.array([-5.0, -2.0]), [np.zeros(2) for _ in range(2)]
    for _ in range(20):
        x = step(x, curvatures * x, kept, *memory)
    return x


def heavy(x, g, kept, rate, beta):
    kept[0] = beta * kept[0] + g
    return x - rate * kept[0]


def adagrad(x, g, kept, rate):
    kept[0] = kept[0] + g**2
    return x - rate * g / np.sqrt(kept[0] + 1e-6)


def rmsprop(x, g, kept, rate):
    kept[0] = 0.9 * kept[0] + 0.1 * g**2
    return x - rate * g / np.sqrt(kept[0] + 1e-6)


def line():
    u, v = np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 5.0])
    return 0.1 * 2 * (u * v).mean(), 0.1 * 2 * v.mean()


def left_of_exponential():
    rates = 0.1 * np.exp(-0.2 - 0.1 * np.arange(1000))
    return -5 * np.prod(1 - 2 * rates)


@cache
def airfoil():
    table = np.loadtxt(test_d2l.AIRFOIL, dtype=np.float32)
    table = ((table - table.mean(axis=0)) / table.std(axis=0))[:1500].astype(np.float64)
    return np.column_stack([table[:, :5], np.ones(1500)]), table[:, 5]


def airfoil_loss(steps):
    """Of a whole batch at a rate of 1, from the small weights of the first seed."""
    X, y = airfoil()
    w = np.append(np.random.default_rng(0).normal(0, 0.01, 5), 0.0)
    for _ in range(steps):
        w = w - X.T @ (X @ w - y) / len(y)
    return 0.5 * np.mean((X @ w - y) ** 2)


def airfoil_floor():
    X, y = airfoil()
    return 0.5 * np.mean((X @ np.linalg.lstsq(X, y)[0] - y) ** 2)


def airfoil_sharpness():
    X, _ = airfoil()
    return np.linalg.eigvalsh(X.T @ X / len(X))[-1]


def spread(curvature, rate=0.1):
    return rate / math.sqrt(1 - (1 - rate * curvature) ** 2)


ORACLES = {
    "line_m": lambda: line()[0],
    "line_b": lambda: line()[1],
    "tanh_slope": lambda: 1 - math.tanh(4) ** 2,
    "descent_good": lambda: slopes(10.0, lambda x: 2 * x, 0.2, 10),
    "descent_slow": lambda: slopes(10.0, lambda x: 2 * x, 0.05, 10),
    "descent_wild": lambda: slopes(10.0, lambda x: 2 * x, 1.1, 10),
    "descent_local": lambda: slopes(10.0, lambda x: wave(x, 1), 2.0, 10),
    "bowl_x": lambda: twenty(BOWL, heavy, 0.1, 0.0)[0],
    "bowl_y": lambda: twenty(BOWL, heavy, 0.1, 0.0)[1],
    "newton_x": lambda: newton(1.0),
    "newton_loss": lambda: wave(newton(1.0), 0),
    "newton_curvature": lambda: wave(newton(1.0), 2),
    "newton_half": lambda: newton(0.5),
    "newton_half_curvature": lambda: wave(newton(0.5), 2),
    "spread_x": lambda: spread(2.0),
    "spread_y": lambda: spread(4.0),
    "exponential_x": left_of_exponential,
    "airfoil_floor": airfoil_floor,
    "airfoil_sharpness": airfoil_sharpness,
    "airfoil_limit": lambda: 2 / airfoil_sharpness(),
    "airfoil_step_6": lambda: airfoil_loss(6),
    "airfoil_step_100": lambda: airfoil_loss(100),
    "plain_x": lambda: twenty(VALLEY, heavy, 0.4, 0.0)[0],
    "plain_y": lambda: twenty(VALLEY, heavy, 0.4, 0.0)[1],
    "wild_x": lambda: twenty(VALLEY, heavy, 0.6, 0.0)[0],
    "wild_y": lambda: twenty(VALLEY, heavy, 0.6, 0.0)[1],
    "heavy_x": lambda: twenty(VALLEY, heavy, 0.6, 0.5)[0],
    "heavy_y": lambda: twenty(VALLEY, heavy, 0.6, 0.5)[1],
    "light_x": lambda: twenty(VALLEY, heavy, 0.6, 0.25)[0],
    "light_y": lambda: twenty(VALLEY, heavy, 0.6, 0.25)[1],
    "light_product": lambda: 0.6 * VALLEY.max(),
    "light_limit": lambda: 2 * (1 + 0.25),
    # Of the two roots of z² − (1 + β − ηλ) z + β, the larger in size, which both are real.
    "light_factor": lambda: min(np.roots([1, -(1 + 0.25 - 2.4), 0.25]).real),
    "adagrad_x": lambda: twenty(VALLEY, adagrad, 0.4)[0],
    "adagrad_y": lambda: twenty(VALLEY, adagrad, 0.4)[1],
    "adagrad_large_x": lambda: twenty(VALLEY, adagrad, 2.0)[0],
    "rmsprop_x": lambda: twenty(VALLEY, rmsprop, 0.4)[0],
}


def cases():
    for name in NUMBERS:
        yield pytest.param(name, marks=[pytest.mark.data] if name.startswith("airfoil") else [])


@pytest.mark.parametrize("name", list(cases()))
def test_a_number_is_that_of_a_computation(name):
    if name.startswith("airfoil") and not test_d2l.AIRFOIL.exists():
        pytest.skip(f"set DESCEND_DATA to the folder that holds {test_d2l.AIRFOIL.name}, the book's table")
    digits = len(NUMBERS[name].partition(".")[2])
    assert f"{ORACLES[name]():.{digits}f}" == NUMBERS[name]


def test_each_has_a_computation():
    assert ORACLES.keys() == NUMBERS.keys()


def test_those_that_the_book_prints_are_those_of_its_table():
    """What `test_d2l` holds the engine to."""
    tables = [test_d2l.test_one_dimension, test_d2l.test_two_dimensions, test_d2l.test_newton]
    printed = " ".join(case[-1] for test in tables for case in test.pytestmark[0].args[1]).split()
    of_the_book = ("descent_", "bowl_", "plain_", "wild_", "heavy_", "adagrad_", "rmsprop_")
    told = {name: text for name, text in NUMBERS.items() if name.startswith(of_the_book)}
    told |= {name: NUMBERS[name] for name in ("newton_x", "newton_half", "light_x", "light_y")}
    assert {name: text for name, text in told.items() if text not in printed} == {}
    assert float(NUMBERS["airfoil_floor"]) == test_d2l.FLOOR
