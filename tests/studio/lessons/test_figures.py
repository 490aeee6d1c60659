"""Figures show what the pages tell: each comes out at the numbers of `numbers.py`, which others computed."""

import numpy as np
import pytest

import compiling
from descend.studio.lessons.catalogue import LESSON_BY_NAME, LESSONS
from descend.studio.lessons.descents import Roller
from descend.studio.lessons.figures import Begun, Setup
from descend.studio.lessons.numbers import NUMBERS
from descend.studio.lessons.regression import body_mass

FIGURES = [(lesson.name, figure.name) for lesson in LESSONS for figure in lesson.figures]


@pytest.fixture(scope="module")
def begun():
    return Begun()


def figure(lesson, name):
    return next(one for one in LESSON_BY_NAME[lesson].figures if one.name == name)


def moved(begun, lesson, name, **changes):
    """What moves in a figure, as it is at first but for some changes."""
    shown, seed = figure(lesson, name), changes.pop("seed", 0)
    start = changes.pop("start", getattr(shown, "start", (0.0, 0.0)))
    settings = {slider.name: slider.default for slider in shown.sliders}
    assert changes.keys() <= settings.keys()
    return list(shown.balls(Setup(settings | changes, start, seed), begun))


@pytest.mark.parametrize(
    ("lesson", "name", "changes", "ball", "told"),
    [
        ("one-dimension", "square", {}, 0, ["descent_good"]),
        ("one-dimension", "square", {"rate": 0.05}, 0, ["descent_slow"]),
        ("one-dimension", "square", {"rate": 1.1}, 0, ["descent_wild"]),
        ("one-dimension", "wave", {}, 0, ["descent_local"]),
        ("two-dimensions", "bowl", {}, 0, ["bowl_x", "bowl_y"]),
        ("two-dimensions", "valley", {}, 0, ["plain_x", "plain_y"]),
        ("two-dimensions", "valley", {"rate": 0.6}, 0, ["wild_x", "wild_y"]),
        ("newton", "wave", {}, 0, ["newton_x"]),
        ("newton", "wave", {"step": 0.5}, 0, ["newton_half"]),
        ("momentum", "valley", {}, 0, ["heavy_x", "heavy_y"]),
        ("momentum", "valley", {"momentum": 0.25}, 0, ["light_x", "light_y"]),
        ("momentum", "valley", {}, 1, ["wild_x", "wild_y"]),
        ("adagrad", "valley", {}, 0, ["adagrad_x", "adagrad_y"]),
        ("adagrad", "valley", {"rate": 2.0}, 0, ["adagrad_large_x"]),
        ("rmsprop", "valley", {}, 0, ["rmsprop_x"]),
    ],
)
def test_a_figure_comes_out_at_what_its_page_tells(begun, lesson, name, changes, ball, told):
    last = moved(begun, lesson, name, **changes)[ball].numbers[-1]
    for value, key in zip(last, told, strict=False):
        digits = len(NUMBERS[key].partition(".")[2])
        # Pages are told in single precision.
        assert value == pytest.approx(float(NUMBERS[key]), rel=1e-6, abs=0.5 * 10.0**-digits)


def test_the_curvature_where_newton_climbed_is_told(begun):
    _, _, loss, curvature = moved(begun, "newton", "wave")[0].numbers[-1]
    assert f"{curvature:.1f}" == NUMBERS["newton_curvature"]
    assert f"{loss:.4f}" == NUMBERS["newton_loss"]


def test_limits_are_those_of_theory(begun):
    heavy, plain = moved(begun, "momentum", "valley", momentum=0.25)
    assert heavy.head["limit"] == float(NUMBERS["light_limit"])
    assert heavy.head["limit"] / heavy.numbers[0, 3] == pytest.approx(0.625)
    assert plain.head["limit"] == 2.0
    (newton,) = moved(begun, "newton", "cosh")
    assert newton.head["limit"] is None
    assert "below 2" in newton.head["says"]


def test_whole_data_is_stable_below_its_limit_and_batches_are_not_whole(begun):
    X, y = (part.astype(np.float64) for part in begun.regression.data)
    sharpness = np.linalg.eigvalsh(X.T @ X / len(X)).max()
    losses = {}
    for rate in (1.9 / sharpness, 2.1 / sharpness):
        whole, *batches = moved(begun, "mini-batches", "epochs", whole=rate)
        losses[rate] = whole.numbers[:, 2]
        assert whole.head["limit"] == 2.0
        assert whole.numbers[0, 3] == pytest.approx(sharpness, rel=1e-6)
        assert all(ball.head["limit"] is None for ball in batches)
    stable, wild = losses.values()
    assert stable[-1] < stable[100] < stable[0]
    # The direction of λmax grows by 1.1 a step, beneath all others that shrink.
    w = np.zeros(X.shape[1])
    for _ in range(10):
        w -= 2.1 / sharpness * X.T @ (X @ w - y) / len(y)
    assert wild[-1] == pytest.approx(0.5 * np.mean((X @ w - y) ** 2), rel=1e-4)


def test_of_learning_the_first_and_the_last_loss_are_those_of_all_data(begun):
    X, y = (part.astype(np.float64) for part in begun.regression.data)
    floor = 0.5 * np.mean((X @ np.linalg.lstsq(X, y)[0] - y) ** 2)
    for ball in moved(begun, "mini-batches", "epochs"):
        epochs, seconds, losses, _ = ball.numbers.T
        assert (epochs[0], epochs[-1], seconds[0]) == (0.0, 10.0, 0.0)
        assert np.all(np.diff(seconds) >= 0)
        assert losses[0] == pytest.approx(0.5 * np.mean(y**2), rel=1e-6)
        assert floor < losses[-1] < 1.05 * floor
        assert ball.head["floor"] == pytest.approx(floor)


def test_a_slider_a_start_and_a_seed_compile_nothing(begun):
    for lesson, name in (("momentum", "valley"), ("momentum", "data"), ("newton", "wave")):
        moved(begun, lesson, name)
    with compiling.programs() as compiled:
        for momentum in (0.0, 0.3, 0.9):
            moved(begun, "momentum", "valley", momentum=momentum, start=(momentum, 1.0))
            moved(begun, "momentum", "data", momentum=momentum, seed=3)
            moved(begun, "newton", "wave", step=1 - momentum, start=(5.0, 0.0))
    assert compiled == []


def test_noise_is_that_of_its_seed(begun):
    first, again, other = (moved(begun, "stochastic", "bowl", seed=seed)[0].numbers for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other)[1:, 0].min() > 0


@pytest.mark.parametrize(("lesson", "name"), FIGURES)
def test_a_figure_is_told_and_has_a_ground(lesson, name):
    shown = figure(lesson, name)
    told = shown.told()
    assert told["name"] == name
    assert all(slider["low"] <= slider["default"] <= slider["high"] for slider in told["sliders"])
    names = {slider["name"] for slider in told["sliders"]}
    assert all(ball["rate"] in names | {""} for ball in told.get("balls", []))
    ground = shown.ground().numbers
    assert ground.size == 0 or np.isfinite(ground).all()


def test_a_name_of_a_ball_stands_for_one_rule_wherever_it_rolls():
    """Runs are known by it: another structure would be another program, or none."""
    made = {}
    for lesson, name in FIGURES:
        shown = figure(lesson, name)
        settings = {slider.name: slider.default for slider in shown.sliders}
        for one in (*getattr(shown, "rollers", ()), *getattr(shown, "learners", ())):
            assert isinstance(one, Roller)
            kind = type(one.made(settings)), getattr(one, "batch", None)
            made.setdefault((shown.kind, one.name), set()).add(kind)
    assert all(len(kinds) == 1 for kinds in made.values())


@pytest.mark.parametrize(
    ("name", "a", "b", "above"),
    [("square", -1.5, 1.0, True), ("cosine", -1.0, 1.0, False), ("exponential", -2.0, 2.0, True)],
)
def test_a_chord_is_where_jensen_says(begun, name, a, b, above):
    (drawn,) = moved(begun, "convexity", name, a=a, b=b, part=0.25)
    f = {"square": lambda x: x**2 / 2, "cosine": lambda x: np.cos(np.pi * x), "exponential": lambda x: np.exp(x / 2)}
    x = 0.25 * a + 0.75 * b
    chord, curve = 0.25 * f[name](a) + 0.75 * f[name](b), f[name](x)
    np.testing.assert_allclose(drawn.numbers, [[a, f[name](a)], [b, f[name](b)], [x, chord], [x, curve]], rtol=1e-6)
    assert ("above" in drawn.head["says"]) == above == (chord > curve)


def test_the_cost_of_a_line_is_that_of_the_points(begun):
    u, v = body_mass().T
    fit = figure("gradient", "fit")
    for m, b in ((0.0, 0.0), (1.5, -2.0)):
        assert fit.function(m, b) == pytest.approx(np.mean((m * u + b - v) ** 2), rel=1e-6)
    (way,) = moved(begun, "gradient", "fit")
    best = np.polyfit(u, v, 1)
    np.testing.assert_allclose(way.numbers[-1, :2], best, rtol=2e-2)
