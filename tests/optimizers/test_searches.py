"""Searches along a line: what they accept, where they go from there, how they end, and what they refuse."""

import itertools
import math
import operator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import QUICK

import descend
from descend.errors import InputError
from descend.optimizers._line_search import ACCEPTED, GOING_ON, StrongWolfe
from descend.optimizers._optimizer import Iterate
from descend.optimizers.backtracking import Backtracking
from descend.optimizers.conjugate import NonlinearCG
from descend.optimizers.quasi_newton import LBFGS

RULES = {"LBFGS": LBFGS(), "NonlinearCG": NonlinearCG(), "Backtracking": Backtracking()}
each = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
NOISE = np.finfo(float).eps ** (2 / 3)  # of two losses that the searches hold for equal, relatively


class Trial(NamedTuple):
    """An evaluation, and the optimizer's state after it."""

    x: np.ndarray
    loss: float
    gradient: np.ndarray
    update: np.ndarray
    state: object


def trials(step, rule, x, most):
    """The evaluations of a search; `step` is told the rule, the parameters and the state."""
    state, seen = rule.init(x), []
    for _ in range(most):
        loss, gradient, update, state = step(rule, x, state)
        seen.append(Trial(x, loss, gradient, update, state))
        if state.stalled:
            break
        x = jax.tree.map(operator.add, x, update)
    return seen


def stepping(function):
    """A step in NumPy on a function that gives loss and gradient."""

    def step(rule, x, state):
        loss, gradient = function(x)
        return (loss, gradient, *rule.update(gradient, state, x, value=loss))

    return step


def accepted(seen):
    """The trials that were accepted."""
    counts = [0, *(int(trial.state.accepted) for trial in seen)]
    return [trial for trial, before, after in zip(seen, counts, counts[1:], strict=False) if after > before]


def quadratic(curvature, center=0.0, offset=0.0):
    def function(x):
        slope = np.asarray(curvature, x.dtype) * (x - np.asarray(center, x.dtype))
        return (x - np.asarray(center, x.dtype)) @ slope / 2 + np.asarray(offset, x.dtype), slope

    return function


def rosenbrock(x):
    a, b = x[1] - x[0] ** 2, 1 - x[0]
    return 100 * a**2 + b**2, np.array([-400 * x[0] * a - 2 * b, 200 * a], x.dtype)


# ------------------------------------------------------------------------------------------- what is accepted


def waves(x, curvature, slants, heights, phases):
    """A bowl with waves on it."""
    return (curvature * x**2).sum() / 2 + heights @ jnp.sin(slants @ x + phases)


@partial(jax.jit, compiler_options=QUICK)
def step_on_waves(rule, x, state, *shape):
    loss, gradient = jax.value_and_grad(waves)(x, *shape)
    return loss, gradient, *rule.update(gradient, state, x, value=loss)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), roughness=st.floats(0.0, 3.0))
def test_fulfils_its_conditions_at_every_accepted_point(name, seed, roughness):
    rng = np.random.default_rng(seed)
    shape = 10.0 ** rng.uniform(-1, 1, 4), rng.normal(size=(3, 4)), roughness * rng.uniform(size=3), rng.normal(size=3)
    rule = RULES[name]
    with jax.enable_x64(True):
        seen = trials(lambda *now: step_on_waves(*now, *shape), rule, jnp.asarray(rng.normal(size=4)), 50)
    points = jax.tree.map(np.asarray, accepted(seen))
    known = [np.abs(point.gradient).max() > 1e-8 for point in points]  # those whose gradient is no rounding error
    points = points[: known.index(False)] if False in known else points
    assert len(points) > 5
    lowest = math.inf
    for before, after in itertools.pairwise(points):
        s = after.x - before.x
        slope, slope_after = before.gradient @ s, after.gradient @ s
        lowest = min(lowest, before.loss)
        rounding = 1e-14 * float(np.abs(after.gradient) @ np.abs(after.x))  # of the step, which is not α d exactly
        assert slope < 0
        falls = after.loss <= before.loss + rule.decrease * slope
        assert falls or after.loss <= lowest + NOISE * abs(lowest)
        if name != "Backtracking":
            assert abs(slope_after) <= rule.curvature * abs(slope) + rounding


@each
def test_stands_where_it_was_accepted(rule):
    seen = trials(stepping(rosenbrock), rule, np.array([-1.2, 1.0]), 40)
    points = accepted(seen)
    assert 10 < len(points) < len(seen)
    for trial in seen:
        last = points[int(trial.state.accepted) - 1]
        stand = rule.accepted_iterate(trial.state, Iterate(trial.x, np.float64(0), trial.x))
        np.testing.assert_array_equal(stand.params, last.x)
        np.testing.assert_array_equal(stand.grads, last.gradient)
        np.testing.assert_array_equal(rule.eval_params(trial.state, trial.x), last.x)
        assert stand.value == last.loss
    for before, after in itertools.pairwise(points):
        step = rule.metrics(after.state)["effective_step"]
        np.testing.assert_allclose(after.x, before.x + step * before.state.direction, rtol=1e-12)


def test_before_the_first_evaluation_it_stands_where_it_is():
    x = np.ones(2)
    here = Iterate(x + 1, np.float64(3.0), x)
    assert LBFGS().accepted_iterate(LBFGS().init(x), here) == here
    assert LBFGS().eval_params(LBFGS().init(x), x) is x


def yanai(a, b):
    """Functions 4 to 6 of Moré and Thuente."""
    weight = lambda c: math.sqrt(1 + c**2) - c

    def phi(t):
        left, right = math.hypot(1 - t, b), math.hypot(t, a)
        return weight(a) * left + weight(b) * right, weight(a) * (t - 1) / left + weight(b) * t / right

    return phi


def rippled(t, b=0.01, ripples=39):
    """Function 3."""
    ends = abs(1 - t) >= b
    flat, slope = (abs(1 - t), math.copysign(1, t - 1)) if ends else ((t - 1) ** 2 / (2 * b) + b / 2, (t - 1) / b)
    wave = ripples * math.pi / 2
    return flat + (1 - b) / wave * math.sin(wave * t), slope + (1 - b) * math.cos(wave * t)


# The function, c₁, c₂, and the evaluations in tables I to VI of the paper, from first lengths of .001, .1, 10, 1000.
MORE_THUENTE = [
    (lambda t: (-t / (t**2 + 2), (t**2 - 2) / (t**2 + 2) ** 2), 1e-3, 0.1, (6, 3, 1, 4)),
    (lambda t: ((t + 0.004) ** 5 - 2 * (t + 0.004) ** 4, 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3), 0.1, 0.1,
     (12, 8, 8, 11)),
    (rippled, 0.1, 0.1, (12, 12, 10, 13)),
    (yanai(0.001, 0.001), 1e-3, 1e-3, (4, 1, 3, 4)),
    (yanai(0.01, 0.001), 1e-3, 1e-3, (6, 3, 7, 8)),
    (yanai(0.001, 0.01), 1e-3, 1e-3, (13, 11, 8, 11)),
]


@pytest.mark.parametrize("number", range(1, 7))
def test_the_line_search_on_its_papers_functions(number):
    phi, c1, c2, published = MORE_THUENTE[number - 1]
    search, needed = StrongWolfe(c1, c2), []
    value, slope = map(np.float64, phi(0.0))
    for first in (1e-3, 1e-1, 1e1, 1e3):
        line, verdict = search.begin(slope, first, np.float64(1e10)), None
        while verdict != ACCEPTED:
            here, there = float(line.trial), phi(float(line.trial))
            with np.errstate(invalid="ignore"):
                verdict, line = search.judge(line, there[0] - value, np.float64(there[1]), np.inf, np.float64(0))
        needed.append(int(line.trials))
        assert there[0] <= value + c1 * here * slope
        assert abs(there[1]) <= c2 * abs(slope)
    assert sum(needed) <= 1.1 * sum(published), needed


def test_a_search_that_finds_nothing_flat_goes_back_to_the_lowest():
    phi = lambda t: (abs(t - 1), math.copysign(1, t - 1))
    search = StrongWolfe(1e-4, 0.9)
    line, verdict, seen = search.begin(np.float64(-1), 3.0, np.float64(1e10)), GOING_ON, []
    while verdict == GOING_ON:
        seen.append(float(line.trial))
        value, slope = phi(seen[-1])
        with np.errstate(all="ignore"):
            verdict, line = search.judge(line, value - 1, np.float64(slope), np.inf, np.float64(0))
    assert verdict == ACCEPTED
    assert len(seen) <= search.trials + 1
    assert phi(seen[-1])[0] == min(phi(t)[0] for t in seen) < 1e-3


@pytest.mark.parametrize("steep", [10.0, 1e3, 1e5])
def test_a_bracket_is_narrowed_by_a_third_in_three_trials(steep):
    """Also if an adversary chooses the slopes so that interpolation stays at its end."""
    search, widths = StrongWolfe(1e-4, 1e-3), []
    line = search.begin(np.float64(-1), 1.0, np.float64(1e10))
    for number in range(1, 15):
        slope = steep if line.trial > line.low.step else -1.0
        with np.errstate(invalid="ignore"):
            _, line = search.judge(line, np.float64(-0.01 * number), np.float64(slope), np.inf, np.float64(0))
        widths.append(abs(line.high.step - line.low.step))
    assert all(later <= 0.66 * width for width, later in zip(widths, widths[3:], strict=False))


# ------------------------------------------------------------------------------------------- where it goes


def dense_inverse_hessian(points, history):
    """BFGS's formula for a whole matrix, from the last pairs of accepted points."""
    size = len(points[0].x)
    pairs = [(b.x - a.x, b.gradient - a.gradient) for a, b in itertools.pairwise(points)][-history:]
    s, y = pairs[-1]
    inverse = np.eye(size) * (s @ y) / (y @ y)
    for s, y in pairs:
        left = np.eye(size) - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    return inverse


@pytest.mark.parametrize("history", [1, 3, 20])
def test_lbfgs_goes_where_the_dense_formula_says(history):
    seen = accepted(trials(stepping(rosenbrock), LBFGS(history=history), np.array([-1.2, 1.0]), 30))
    assert len(seen) > 15
    assert seen[0].state.steepest
    for number, point in enumerate(seen[1:], 2):
        inverse = dense_inverse_hessian(seen[:number], history)
        np.testing.assert_allclose(point.state.direction, -inverse @ point.gradient, rtol=1e-6)


def test_conjugate_gradients_by_hager_and_zhangs_formula():
    seen = accepted(trials(stepping(rosenbrock), NonlinearCG(), np.array([-1.2, 1.0]), 60))
    truncated = 0
    for before, after in itertools.pairwise(seen):
        d, old, new = before.state.direction, before.gradient, after.gradient
        y = new - old
        beta = (y - 2 * d * (y @ y) / (d @ y)) @ new / (d @ y)
        bound = 0.4 * (d @ old) / (d @ d)
        truncated += beta < bound
        np.testing.assert_allclose(after.state.direction, -new + max(beta, bound) * d, rtol=1e-9)
    assert truncated < len(seen) - 5


def test_conjugate_gradients_are_the_linear_ones_on_a_quadratic():
    curvature, x = np.array([1.0, 3.0, 10.0, 30.0, 100.0]), np.array([1.0, -1.0, 2.0, 0.5, 1.0])
    exact = NonlinearCG(decrease=1e-12, curvature=1e-9)
    seen = accepted(trials(stepping(quadratic(curvature)), exact, x, 16))
    d = r = -curvature * x
    for point in seen[:6]:
        np.testing.assert_allclose(point.x, x, atol=1e-6)
        x = x + (r @ r) / (d @ (curvature * d)) * d
        r, before = -curvature * x, r
        d = r + (r @ r) / (before @ before) * d
    first, last = (np.abs(seen[number].gradient).max() for number in (0, 5))
    assert last < 1e-6 * first, "it ends after as many steps as there are dimensions"


def test_backtracking_by_armijos_rule():
    seen = trials(stepping(quadratic([1.0, 30.0])), Backtracking(decrease=0.1, shrink=0.25, grow=3.0),
                  np.array([1.0, 1.0]), 40)
    f, x = quadratic([1.0, 30.0]), np.array([1.0, 1.0])
    rate, visited = 1 / np.linalg.norm(f(x)[1]) / 3, [x]
    while len(visited) < len(seen):
        loss, g = f(x)
        rate *= 3.0
        visited.append(x - rate * g)
        while f(visited[-1])[0] > loss - 0.1 * rate * g @ g:
            rate *= 0.25
            visited.append(x - rate * g)
        x = visited[-1]
    np.testing.assert_allclose([trial.x for trial in seen], visited[: len(seen)], rtol=1e-9, atol=1e-12)


@each
@pytest.mark.parametrize("power", [-83, 83])
def test_a_loss_in_other_units_is_descended_on_just_the_same(rule, power):
    """Of about 1e±25, where the squares of float32 numbers are out of range; a power of 2, so that none is rounded."""
    scale, f, x = np.float32(2.0**power), quadratic([1.0, 3.0, 10.0]), np.ones(3, np.float32)
    in_units = lambda x: tuple(scale * part for part in f(x))
    one, other = (trials(stepping(function), rule, x, 12) for function in (f, in_units))
    np.testing.assert_array_equal([trial.x for trial in other], [trial.x for trial in one])


def tree_loss(tree):
    """Smooth and convex, and its gradient, by operators that all worlds know."""
    a, b = tree["a"], tree["b"]["c"]
    loss = 5 * ((a - 3) ** 2).sum() + (b**4).sum() / 4 + (a * b).sum() + ((1 + a**2) ** 0.5).sum()
    return loss, {"a": 10 * (a - 3) + b + a / (1 + a**2) ** 0.5, "b": {"c": b**3 + a.sum(1, keepdims=True)}}


def tree_start(array, dtype=np.float64):
    return {"a": array(np.asarray([[1.0, 2.0], [3.0, -4.0]], dtype)), "b": {"c": array(np.asarray([[1], [2]], dtype))}}


def trajectory(seen):
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *[trial.x for trial in seen])


@partial(jax.jit, compiler_options=QUICK)
def compiled_trajectory(rule, start):
    def step(carry, _):
        x, state = carry
        loss, gradient = tree_loss(x)
        update, state = rule.update(gradient, state, x, value=loss)
        return (jax.tree.map(operator.add, x, update), state), x

    return jax.lax.scan(step, (start, rule.init(start)), length=30)[1]


batched_trajectories = jax.jit(jax.vmap(compiled_trajectory.__wrapped__, (None, 0)), compiler_options=QUICK)


@each
def test_worlds_agree(rule):
    with jax.enable_x64(True):
        compiled = compiled_trajectory(rule, tree_start(jnp.asarray))
        many = batched_trajectories(rule, jax.tree.map(lambda x: jnp.stack([x, x + 1]), tree_start(jnp.asarray)))
    seen = trajectory(trials(stepping(tree_loss), rule, tree_start(np.asarray), 30))
    for other in (compiled, jax.tree.map(lambda x: x[0], many)):
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), other, seen)


@pytest.mark.peers
@each
def test_the_world_of_pytorch_agrees(rule):
    torch = pytest.importorskip("torch", reason="steps PyTorch's tensors: pip install 'descend[peers]'")
    seen = trajectory(trials(stepping(tree_loss), rule, tree_start(np.asarray), 30))
    tensors = trajectory(trials(stepping(tree_loss), rule, tree_start(torch.tensor), 30))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), tensors, seen)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtypes(rule, dtype):
    x = tree_start(np.asarray, dtype)
    before = jax.tree.map(lambda leaf: (leaf.dtype, leaf.shape), rule.init(x))
    for trial in trials(stepping(tree_loss), rule, x, 12):
        assert jax.tree.map(lambda leaf: (leaf.dtype, leaf.shape), trial.state) == before
        assert {leaf.dtype for leaf in jax.tree.leaves(trial.update)} == {np.dtype(dtype)}


@each
def test_parameters_may_be_moved_in_place(rule):
    wanted = trials(stepping(rosenbrock), rule, np.array([-1.2, 1.0]), 30)
    x, gradient = np.array([-1.2, 1.0]), np.empty(2)
    state = rule.init(x)
    for trial in wanted:
        np.testing.assert_array_equal(x, trial.x)
        loss, gradient[:] = rosenbrock(x)
        update, state = rule.update(gradient, state, x, value=loss)
        x += update


# ------------------------------------------------------------------------------------------- how it ends


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends_where_rounding_does(rule, dtype):
    """Far from zero, a loss is known to few digits; gradients are to more."""
    f = quadratic([1.0, 5.0], center=[0.1, 0.3], offset=1000.0)
    seen = trials(stepping(f), rule, np.asarray([1.0, -1.0], dtype), 300)
    assert seen[-1].state.stalled
    np.testing.assert_allclose(seen[-1].state.here.params, [0.1, 0.3], atol=10 * np.finfo(dtype).eps)
    np.testing.assert_allclose(seen[-1].x + seen[-1].update, seen[-1].state.here.params, rtol=1e-5)


def test_a_kink_is_where_it_stalls():
    f = lambda x: (np.abs(x - 0.1).sum(), np.sign(x - 0.1))
    last = trials(stepping(f), LBFGS(), np.array([1.0, 2.7]), 300)[-1].state
    assert last.stalled
    assert last.here.value < 1e-6


@each
def test_comes_back_from_where_there_is_no_loss(rule):
    def barrier(x):
        with np.errstate(all="ignore"):
            return (100 * x - np.log(x)).sum(), 100 - 1 / x

    seen = trials(stepping(barrier), rule, np.array([0.5, 0.8]), 100)
    assert not all(np.isfinite(trial.loss) for trial in seen)
    assert all(np.isfinite(trial.update).all() for trial in seen)
    np.testing.assert_allclose(seen[-1].state.here.params, 0.01, rtol=1e-3)


@each
def test_a_loss_without_a_minimum_gives_finite_steps(rule):
    slide = lambda x: (-x.sum(), -np.ones_like(x))
    seen = trials(stepping(slide), rule, np.ones(2, np.float32), 150)
    assert all(np.linalg.norm(trial.update.astype(float)) < 1e19 for trial in seen), "its square is a float32"
    assert seen[-1].state.here.value < -1e20
    assert seen[-1].state.accepted - seen[-41].state.accepted > 30, "as far as it may go, it goes at once"


@each
def test_a_flat_start_stalls_at_once(rule):
    seen = trials(stepping(lambda x: (np.float64(3.0), np.zeros(2))), rule, np.ones(2), 5)
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0].update, 0)


# ------------------------------------------------------------------------------------------- in a descent


MATRIX = np.eye(4) + 0.3 * np.random.default_rng(0).normal(size=(3, 4, 4))


def mixed(tree):
    """‖A X B − C‖², and a scale and an offset that have nothing to do with it."""
    a, b, c = jnp.asarray(MATRIX, tree["x"].dtype)
    left = a @ tree["x"] @ b - c
    scale, offset = tree["rest"]
    return (left**2).sum() / 10 + jnp.cosh(scale - 2) + ((offset - 1) ** 2).sum()


def mixed_start():
    return {"x": np.ones((4, 4)), "rest": (0.5, np.zeros((2, 1, 2)))}


def assert_is_the_minimum(tree, tolerance):
    a, b, c = MATRIX
    np.testing.assert_allclose(tree["x"], np.linalg.solve(a, c) @ np.linalg.inv(b), atol=tolerance)
    np.testing.assert_allclose(tree["rest"][0], 2, atol=tolerance)
    np.testing.assert_allclose(tree["rest"][1], 1, atol=tolerance)


def test_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    settings = {"optimizer": LBFGS(), "dtype": np.float64}
    whole = descend.minimize(mixed, mixed_start(), steps=40, **settings)
    saved = {"checkpoint": tmp_path / "run", "resume": True, **settings}
    for steps in (20, 40):
        parts = descend.minimize(mixed, mixed_start(), steps=steps, **saved)
    for one, other in zip(jax.tree.leaves(whole.run.state), jax.tree.leaves(parts.run.state), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.reason.name == "budget"
    np.testing.assert_array_equal(whole.history["loss"], parts.history["loss"])

    fit = descend.minimize(mixed, mixed_start(), **settings)
    assert fit.reason.name == "converged"
    assert_is_the_minimum(fit.params, 1e-5)
    assert (np.diff(fit.history["loss"]) <= NOISE * fit.history["loss"][1:]).all(), "of accepted points alone"
    assert (fit.history["effective_step"] > 0)[1:].all()


@pytest.mark.parametrize("rule", [NonlinearCG(), Backtracking()], ids=repr)
def test_all_the_data_at_each_step(rule):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 3)).astype(np.float32)
    y = X @ np.float32([1.0, -2.0, 0.5]) + 3 + rng.normal(size=50).astype(np.float32)

    def loss(params, batch):
        X, y = batch
        return ((X @ params["w"] + params["b"] - y) ** 2).mean()

    start = {"w": np.zeros(3), "b": 0.0}
    fit = descend.minimize(loss, start, (X, y), batch_size=50, optimizer=rule)
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(50)]), y)[0]
    assert fit.reason.name == "converged"
    np.testing.assert_allclose([*fit.params["w"], fit.params["b"]], solution, atol=2e-5)


# Of √2 there is no number: where rounding left no loss at all, it would have converged. With 1 besides, the search
# knows that no way leads down, before it has tried in vain.
@pytest.mark.parametrize("least", [0.0, 1.0])
def test_a_descent_that_stalls_says_so(least):
    fit = descend.minimize(lambda x: least + jnp.abs(x * x - 2).sum(), [1.0, 2.7], optimizer=LBFGS())
    assert fit.reason.name == "stalled"
    assert "the gradient's norm is 4" in fit.reason.evidence
    assert fit.reason.step < 2000
    np.testing.assert_allclose(fit.params, np.sqrt(2), atol=1e-5)


# ------------------------------------------------------------------------------------------- what is refused


ONE = np.ones(2)


def refusal(function, *args, **kwargs):
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    return str(error.value)


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [
        (LBFGS, {"history": 0}, "LBFGS: history must be a whole number of at least 1, but is 0"),
        (LBFGS, {"decrease": 0.5}, "LBFGS: decrease must be at least 0 and below 0.5, but is 0.5"),
        (LBFGS, {"decrease": 0.2, "curvature": 0.1}, "LBFGS: curvature must be at least 0.2 and below 1, but is 0.1"),
        (NonlinearCG, {"curvature": 1.0}, "NonlinearCG: curvature must be at least 0.0001 and below 1, but is 1.0"),
        (NonlinearCG, {"decrease": math.nan}, "NonlinearCG: decrease must be at least 0 and below 0.5, but is nan"),
        (Backtracking, {"decrease": -1.0}, "Backtracking: decrease must be at least 0 and below 0.5, but is -1.0"),
        (Backtracking, {"shrink": 1.0}, "Backtracking: shrink must be at least 0.01 and below 1, but is 1.0"),
        (Backtracking, {"grow": 0.5}, "Backtracking: grow must be at least 1 and below inf, but is 0.5"),
    ],
)
def test_settings_out_of_range(kind, setting, message):
    assert refusal(kind, **setting) == message


@each
def test_what_update_needs(rule):
    state = rule.init(ONE)
    name = type(rule).__name__
    assert f"{name} needs the loss: update(grads, state, params, value=...)" in refusal(rule.update, ONE, state, ONE)
    assert f"{name} needs the parameters, too" in refusal(rule.update, ONE, state, value=1.0)


@each
def test_what_does_not_belong_together(rule):
    state = rule.init(ONE)
    foreign = (descend.Adam().init(ONE), (LBFGS() if rule is not RULES["LBFGS"] else NonlinearCG()).init(ONE))
    for other in foreign:
        assert "it belongs to another optimizer" in refusal(rule.update, ONE, other, ONE, value=1.0)
    assert "differ in structure" in refusal(rule.update, {"a": ONE}, state, {"a": ONE}, value=1.0)
    assert "it belongs to other parameters" in refusal(rule.update, np.ones(3), state, np.ones(3), value=1.0)
    assert "the gradient of 'params' is" in refusal(rule.update, np.ones(3), state, ONE, value=1.0)


def test_a_memory_of_another_length():
    assert refusal(LBFGS(history=5).update, ONE, LBFGS().init(ONE), ONE, value=1.0) == (
        "LBFGS remembers 5 pairs, but this state has 10: it belongs to another"
    )
