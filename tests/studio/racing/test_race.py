"""Races: balls are runs of the engine, where theory says they are; a slider compiles nothing."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest

import compiling
from descend import begin
from descend.errors import InputError
from descend.optimizers import Adam, RMSprop
from descend.studio.racing.course import MAX_FUNCTIONS, Ball, Courses, Race
from descend.studio.racing.formula import read
from descend.studio.racing.objective import CURVATURE_POINTS, Objective
from descend.studio.racing.rules import BY_NAME, OFFERED

# ½ θᵀ H θ, turned against the axes; its eigenvalues are 3 ± √5.
TURNED = read("x^2 + 2*y^2 + x*y*2")
HESSIAN = np.array([[2.0, 2.0], [2.0, 4.0]])
START = (-1.5, 2.0)


@pytest.fixture(scope="module")
def courses():
    return Courses()


def rolled(courses, rule, settings=None, formula=TURNED, **changes):
    """The path of one ball."""
    ball = Ball(BY_NAME[rule], settings or {})
    race = Race(formula, (ball,), **({"start": START, "steps": 300} | changes))
    return courses.of(formula).path(ball, race)


def test_plain_descent_is_where_linear_algebra_says(courses):
    rows = rolled(courses, "sgd", {"learning_rate": 0.1}, steps=40).rows
    expected = np.array([np.linalg.matrix_power(np.eye(2) - 0.1 * HESSIAN, k) @ START for k in range(41)])
    np.testing.assert_allclose(rows[:, :2], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(rows[:, 2], 0.5 * np.einsum("ki,ij,kj->k", expected, HESSIAN, expected), rtol=1e-5)
    np.testing.assert_allclose(rows[:, 3], np.linalg.eigvalsh(HESSIAN)[-1], rtol=1e-6)


@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov"])
def test_the_limit_is_where_descent_turns_from_falling_to_growing(courses, rule):
    told = rolled(courses, rule)
    limit = told.limit / float(told.rows[0, 3])
    below, above = (
        rolled(courses, rule, {"learning_rate": limit * factor}, steps=2000).rows for factor in (0.99, 1.01)
    )
    assert below[-1, 2] < 1e-3 * below[0, 2]
    assert not above[-1, 2] < 1e3 * above[0, 2]


@pytest.mark.parametrize(("name", "rule"), [("adam", Adam(0.1)), ("rmsprop", RMSprop(0.02))])
def test_sharpness_is_of_the_curvature_that_the_rule_sees(courses, name, rule):
    """The rule stepped in NumPy, its divisor read from its own memory, and the eigenvalues LAPACK's."""
    rows = rolled(courses, name).rows
    point, state = np.array(START), rule.init(np.array(START))
    for row in rows[:20]:
        update, state = rule.update(HESSIAN @ point, state, point)
        root = np.sqrt(rule.preconditioner(state, point))
        expected = np.linalg.eigvalsh(HESSIAN / np.outer(root, root))[-1]
        np.testing.assert_allclose(row, [*point, 0.5 * point @ HESSIAN @ point, expected], rtol=1e-4)
        point = point + update


def test_curvature_is_that_of_the_engines_runs_however_many_points_there_are():
    objective = Objective(read("sin(x)*y^3 + exp(x - y)"))
    points = np.random.default_rng(0).normal(size=(CURVATURE_POINTS + 3, 2))
    with compiling.programs() as compiled:
        found = objective.sharpness(points, np.ones_like(points))
        objective.sharpness(points[:7], np.ones((7, 2)))
    assert len(compiled) == 1
    assert found.shape == (len(points),)
    start = begin(objective.loss, points[0], optimizer=Adam(0.1))
    for i in (0, 1, -1):
        run = start.fork(params=points[i])
        hessian = np.column_stack([run.hvp(np.eye(2)[0]), run.hvp(np.eye(2)[1])])
        assert found[i] == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-10)


def test_a_slider_compiles_nothing(courses):
    six = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
    for rule in six:
        rolled(courses, rule)
    with compiling.programs() as compiled:
        for rule in six:
            for slider in BY_NAME[rule].sliders:
                for value in (slider.low, slider.high):
                    rolled(courses, rule, {slider.name: value})
            rolled(courses, rule, start=(0.3, 0.4), steps=77)
    assert not compiled
    with compiling.programs() as compiled:
        rolled(courses, "sgd", formula=read("x^2 + 7*y^2"))
    assert compiled  # what is counted


def test_noise_and_its_seed_compile_nothing_and_are_of_the_deviation_that_is_asked_for(courses):
    flat = read("0*x + 0*y")

    def walk(**changes):
        path = rolled(courses, "sgd", {"learning_rate": 1.0}, flat, steps=2000, **changes)
        return np.diff(path.rows[:, :2], axis=0)

    first = walk(noise=0.5, seed=1)
    with compiling.programs() as compiled:
        louder, again, other = walk(noise=2.0, seed=1), walk(noise=0.5, seed=1), walk(noise=0.5, seed=2)
    assert not compiled
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 4 / 2000**0.5
    for steps, deviation in [(first, 0.5), (louder, 2.0)]:
        # Four standard errors of 2000 numbers: of a mean, of a deviation, of a correlation.
        assert abs(steps.mean(axis=0)).max() < 4 * deviation / 2000**0.5
        np.testing.assert_allclose(steps.std(axis=0), deviation, rtol=4 / 4000**0.5)
        assert abs(np.corrcoef(np.vstack([steps[1:].T, steps[:-1].T]))[np.triu_indices(4, 1)]).max() < 4 / 2000**0.5
        # Of a normal distribution, whose fourth moment is 3.
        np.testing.assert_allclose((steps**4).mean(axis=0) / deviation**4, 3, rtol=0.35)


@pytest.mark.parametrize("rule", OFFERED, ids=lambda rule: rule.name)
def test_each_rule_descends_and_a_slider_leaves_no_trace_of_what_was_before(rule):
    """A ball whose settings were changed rolls as one that began with them, bit for bit."""
    formula, ball = read("x^2 + 2*y^2"), Ball(rule, {slider.name: slider.default * 0.9 for slider in rule.sliders})
    race = Race(formula, (ball,), START, 150)
    fresh, used = (Courses().of(formula) for _ in range(2))
    used.path(Ball(rule, {}), dataclasses.replace(race, start=(1.0, 0.5)))
    used.path(Ball(rule, {}), race)
    expected, found = fresh.path(ball, race), used.path(ball, race)
    np.testing.assert_array_equal(found.rows, expected.rows)
    assert found.limit == expected.limit
    np.testing.assert_array_equal(found.rows[0, :2], np.float32(START))
    assert found.rows[-1, 2] < found.rows[0, 2]
    assert rule.paper
    assert rule.says()


def test_a_ball_that_leaves_the_numbers_has_nothing_from_there_on(courses):
    rows = rolled(courses, "sgd", {"learning_rate": 4.0}).rows
    # Each step multiplies the part along the steepest direction by this, until float32 cannot hold the loss.
    factor, along = np.linalg.eigvalsh(np.eye(2) - 4.0 * HESSIAN)[0], np.linalg.eigh(HESSIAN)[1][:, 1] @ START
    losses = 0.5 * np.linalg.eigvalsh(HESSIAN)[1] * (along * factor ** np.minimum(np.arange(301.0), 100)) ** 2
    assert (np.isfinite(rows).all(axis=1) == (losses < np.finfo(np.float32).max)).all()
    assert np.isnan(rows[-1]).all()


def test_settings_that_a_rule_does_not_have_or_refuses():
    for settings, says in [
        ({"beta7": 0.5}, "no setting 'beta7'"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"learning_rate": -1.0}, "at least 0"),
        ({"beta1": 1.0}, "below 1"),
    ]:
        with pytest.raises(InputError, match=says):
            BY_NAME["adam"].made(settings)


def test_few_functions_are_kept():
    courses = Courses()
    formulas = [read(f"x^2 + {i}*y^2") for i in range(MAX_FUNCTIONS + 2)]
    first = courses.of(formulas[0])
    for formula in formulas[1:]:
        assert courses.of(formulas[0]) is first  # used last, so it stays
        courses.of(formula)
    assert courses.of(formulas[0]) is first
    kept = [courses.of(formula) for formula in formulas[-2:]]
    assert [courses.of(formula) for formula in formulas[-2:]] == kept
    assert len(courses._known) == MAX_FUNCTIONS


def test_what_was_compiled_for_a_function_goes_with_it():
    courses = Courses()
    rolled(courses, "sgd", formula=read("x^2 + 5*y^2"), steps=3)
    ((_, run),) = courses.of(read("x^2 + 5*y^2")).begun.values()
    programs = weakref.ref(run.descent.programs)
    del run
    gc.collect()
    # As good as on the command line, where Python looks for cycles after very many objects.
    gc.disable()
    try:
        for i in range(2 * MAX_FUNCTIONS):
            courses.of(read(f"x^2 + {i}.5*y^2"))
    finally:
        gc.enable()
    assert programs() is None


def test_a_surface_has_its_rows_from_the_lowest_on():
    surface = Objective(read("x + 10*y + 1/x")).surface((-1.0, 1.0, 0.0, 2.0), (5, 3))
    assert surface.shape == (3, 5)
    np.testing.assert_allclose(surface[:, -1], [2.0, 12.0, 22.0])
    assert np.isinf(surface[0, 2])
