"""Landscapes and what goes with them, on losses that are known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compiling import programs
from descend import SGD, Adam, InputError, begin, minimize
from descend.engine.curvature import Around, flat
from descend.insight import interpolation, landscape, norms, range_test
from descend.insight._directions import filter_normalized
from descend.insight._plane import PART, Plane
from descend.optimizers import LBFGS, Freeze
from descend.sources import IterableBatches
from enforced import without_types

RNG = np.random.default_rng(0)
CURVATURES = np.array([1.0, 4.0, 0.5])
ROWS = RNG.normal(size=(PART // 4, 3)).astype(np.float32)  # of three parts of such rows


def bowl(x):
    return (CURVATURES * x**2).sum() / 2


def squares(w, rows):
    """A mean over rows."""
    return ((rows @ w - 1) ** 2).mean()


@pytest.fixture(scope="module")
def descended():
    start = np.array([3.0, 1.0, -2.0])
    return minimize(bowl, start, optimizer=SGD(0.3), steps=40, stop=[], snapshots=True)


# --------------------------------------------------------------------------------------------------------- landscapes


def test_plane_of_the_descent(descended):
    seen = landscape(descended, points=9)
    path = np.stack([run.params for run in [*descended.snapshots.values(), descended.run]])
    apart = path - path[-1]
    singular = np.linalg.svd(apart, compute_uv=False) ** 2
    np.testing.assert_allclose(seen.explained, (singular / singular.sum())[:2], rtol=1e-9)
    assert seen.steps == (0, 1, 2, 4, 8, 16, 32, 40)
    np.testing.assert_array_equal(seen.path[-1], 0)
    np.testing.assert_allclose(np.square(seen.path).sum(), singular[:2].sum())
    assert (seen.path[0] >= 0).all()
    for axis, grid in ((0, seen.x), (1, seen.y)):
        assert grid[0] < seen.path[:, axis].min() < seen.path[:, axis].max() < grid[-1]
    np.testing.assert_allclose(seen.path_loss, [bowl(x) for x in path])
    # The loss is quadratic: on its plane it is so, too, and at 0 it is that of the end.
    a, b = (grid.ravel() for grid in np.meshgrid(seen.x, seen.y))
    design = np.stack([np.ones(81), a, b, a * a, a * b, b * b], axis=1)
    coefficients, misfit, *_ = np.linalg.lstsq(design, seen.loss.ravel(), rcond=None)
    assert misfit < 1e-20
    assert coefficients[0] == pytest.approx(bowl(path[-1]), abs=1e-9)
    assert f"hold {sum(seen.explained):.0%}" in seen.caption


def test_line_at_random_is_the_loss_there():
    run = begin(bowl, np.array([3.0, 0.0, 4.0]), optimizer=SGD(0.1))
    seen = landscape(run, axes=1, points=5, span=2, seed=3)
    way = filter_normalized(run.params, np.ones(3, bool), np.random.default_rng(3))
    assert np.linalg.norm(way) == pytest.approx(5)  # as long as the parameters
    np.testing.assert_allclose(seen.loss, [bowl(run.params + t * way) for t in (-2, -1, 0, 1, 2)])
    assert (seen.directions, seen.y, seen.path.tolist()) == ("random", None, [[0.0]])
    assert "One direction of 3, drawn at random" in seen.caption


@pytest.mark.parametrize("layers", ["ours", "equinox"])
def test_directions_are_as_long_as_filters(layers):
    weights = {"conv": RNG.normal(size=(3, 3, 2, 4)) * 10.0 ** np.arange(4), "bias": np.ones(4)}
    model = eqx.nn.Linear(4, 3, key=jax.random.key(0)) if layers == "equinox" else weights
    numbers = eqx.filter(model, eqx.is_array)
    way = filter_normalized(numbers, np.ones(flat(numbers).size, bool), np.random.default_rng(0))
    leaves, treedef = jax.tree.flatten(numbers)
    parts = np.split(way, np.cumsum([leaf.size for leaf in leaves])[:-1])
    drawn = treedef.unflatten([part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])
    lengths = (lambda tree: np.linalg.norm(tree.weight, axis=1)) if layers == "equinox" else (
        lambda tree: np.linalg.norm(tree["conv"].reshape(-1, 4), axis=0))  # fmt: skip
    np.testing.assert_allclose(lengths(drawn), lengths(numbers), rtol=1e-6)
    assert not np.any(drawn.bias if layers == "equinox" else drawn["bias"])


def test_a_mean_is_taken_over_parts_and_nothing_else_is():
    """The same either way; a sum, or what looks at all rows together, would not be."""
    data = ROWS[: 2 * (PART // 12) + 7]
    centred = lambda w, rows: (((rows - rows.mean(axis=0)) @ w) ** 2).mean()
    total = lambda w, rows: squares(w, rows) * len(rows)
    for loss in (squares, centred, total):
        run = begin(loss, np.array([1.0, -1.0, 0.5]), data, optimizer=SGD(0.1), batch_size=len(data))
        parts, rest = Plane(Around.looked_at(run), (np.ones(3),))._parts
        assert (len(rest), parts is not None) == ((7, True) if loss is squares else (len(data), False))
        seen = landscape(run, axes=1, points=3)
        way = filter_normalized(run.params, np.ones(3, bool), np.random.default_rng(0))
        np.testing.assert_allclose(seen.loss, [loss(run.params + t * way, data) for t in (-1, 0, 1)], rtol=2e-5)
    assert seen.rows == len(data)


def test_one_program_for_all_points_and_progress(descended):
    landscape(descended, points=3)
    told = []
    with programs() as compiled:
        landscape(descended, points=12, progress=lambda done, of: told.append((done, of)))
    assert not compiled
    assert told == [(64, 144), (128, 144), (144, 144)]


def test_batches_keys_and_state_are_those_of_the_next_step():
    def loss(w, batch, state, key=None):
        noise = 0.0 if key is None else jax.random.normal(key, ())
        return squares(w, batch) + noise + state["n"], {"n": state["n"] + 1}

    run = begin(loss, np.ones(3), ROWS[:64], state={"n": np.float32(0)}, optimizer=SGD(0.0), batch_size=8)
    run = run.advance(3)[0]
    seen = landscape(run, axes=1, points=3)
    assert seen.loss[1] == pytest.approx(run.loss(), rel=1e-6)
    assert landscape(run, ROWS[:64], axes=1, points=3).loss[1] == pytest.approx(run.loss(ROWS[:64]), rel=1e-6)
    assert "What the loss keeps is everywhere as at the run." in seen.caption


def test_sources_on_the_host_and_frozen_parameters():
    data = IterableBatches(lambda epoch: iter([ROWS[:8], ROWS[8:16]]))
    run = begin(lambda p, rows: squares(p["w"], rows) + p["b"], {"w": np.ones(3), "b": 0.0}, data,
                optimizer=Freeze(SGD(0.1), "b"))  # fmt: skip
    seen = landscape(run, axes=1, points=3)
    assert (seen.size, seen.rows) == (3, 8)
    assert seen.loss[1] == pytest.approx(run.loss())


def test_losses_that_are_not_finite_are_gaps():
    run = begin(lambda x: jnp.log(x).sum(), np.full(2, 1.0), optimizer=SGD(0.1))
    seen = landscape(run, points=11, span=3)
    assert np.isnan(seen.loss).any()
    assert np.isfinite(seen.loss).any()
    assert np.isnan(np.asarray(seen.plot().data[0].z)).sum() == np.isnan(seen.loss).sum()


def test_landscapes_are_drawn(descended):
    plane, line = landscape(descended, points=3).plot(), landscape(descended, axes=1, points=3).plot()
    assert [trace.type for trace in plane.data] == ["contour", "scatter"]
    assert plane.data[1].text[0] == "step 0, loss 7.5"
    assert "of the descent)" in line.layout.xaxis.title.text


def test_what_has_no_landscape_is_refused(descended):
    one = begin(lambda x: x**2, 1.0, optimizer=SGD(0.1))
    with pytest.raises(InputError, match=r"^axes must be 1 or 2, and there are 1 parameters that move, but it is 2$"):
        landscape(one)
    assert landscape(one, axes=1, points=3).loss.tolist() == [0, 1, 4]
    with pytest.raises(InputError, match=r"^a run alone has no trajectory: give a result of minimize with snapshots="):
        landscape(one, axes=1, along="trajectory")
    still = minimize(bowl, np.array([1.0, 0.0, 0.0]), optimizer=SGD(0.3), steps=9, stop=[], snapshots=True)
    with pytest.raises(InputError, match=r"^the snapshots, of which 6 are finite, do not span 2 directions: look"):
        landscape(still)
    assert landscape(still, axes=1, points=3).explained == pytest.approx((1.0,))
    with without_types(), pytest.raises(InputError, match=r"^a run, such as descend.begin makes, or a result of min"):
        landscape(bowl)


# ------------------------------------------------------------------------------- between solutions, rates, and lengths


def test_barrier_between_two_minima():
    wells = lambda x: (x**2 - 1) ** 2 + 0.1 * x
    ends = [minimize(wells, x, optimizer=LBFGS()) for x in (-0.8, 0.8)]
    line = interpolation(*ends, points=201)
    left, right = (float(end.params) for end in ends)
    between = np.linspace(left, right, 100_001)
    chord = wells(left) + (between - left) / (right - left) * (wells(right) - wells(left))
    assert line.barrier == pytest.approx((wells(between) - chord).max(), rel=1e-3)
    assert line.distance == pytest.approx(right - left)
    assert interpolation(ends[0], ends[0]).barrier < 1e-15
    assert len(line.plot().data) == 2
    with pytest.raises(InputError, match=r"^both must have parameters of one kind, but the first has .* and the"):
        interpolation(ends[0], begin(bowl, np.ones(3), optimizer=SGD(0.1)))


def test_barrier_on_rows_that_were_not_seen():
    ends = [begin(squares, x * np.ones(3), ROWS[:8], optimizer=SGD(0.1), batch_size=8) for x in (-1.0, 1.0)]
    line = interpolation(*ends, ROWS[8:40], points=3)
    np.testing.assert_allclose(line.loss, [squares(x * np.ones(3), ROWS[8:40]) for x in (-1, 0, 1)], rtol=1e-5)
    assert line.barrier == pytest.approx(0)  # it is convex
    assert "on 32 rows" in line.caption


def test_range_test_on_a_quadratic():
    """Of curvature 4, rates above ½ lead away; the steps are those of gradient descent at these rates."""
    run = begin(lambda x: 2 * x**2, 1.0, optimizer=SGD(0.1))
    found = range_test(run, lowest=1e-3, highest=100.0, steps=60)
    rates = np.geomspace(1e-3, 100, 60)[: len(found.rates)]
    np.testing.assert_allclose(found.loss, 2 * np.cumprod([1.0, *(1 - 4 * rates[:-1])]) ** 2, rtol=1e-6)
    assert 0.4 < found.least < 0.62
    assert found.rates[-1] < 2  # it ends where the loss has risen
    assert float(run.params) == 1.0
    assert len(found.plot().data) == 2
    with pytest.raises(InputError, match=r"^rates must rise from above 0, but lowest is 1 and highest 0.1$"):
        range_test(run, lowest=1, highest=0.1)
    with pytest.raises(InputError, match=r"^the loss is not finite, or has risen fourfold, after 2 steps at 5: "):
        range_test(run, lowest=5)
    with pytest.raises(InputError, match=r"^LBFGS has no one learning rate to change: give optimizer="):
        range_test(begin(bowl, np.ones(3)))


def test_lengths_along_the_way():
    loss = lambda p, rows: squares(p["w"], rows) + 0 * p["still"].sum()
    start = {"w": np.ones(3), "still": np.ones(2)}
    result = minimize(loss, start, ROWS[:64], optimizer=Adam(0.1), batch_size=8, steps=5, stop=[], snapshots=True)
    found = norms(result)
    runs = [*result.snapshots.values(), result.run]
    assert found.steps.tolist() == [0, 1, 2, 4, 5]
    np.testing.assert_allclose(found.length["w"], [np.linalg.norm(run.params["w"]) for run in runs], rtol=1e-6)
    np.testing.assert_allclose(found.moved["w"], [np.linalg.norm(run.params["w"] - 1) for run in runs], rtol=1e-6)
    assert found.unmoved == ("still",)
    assert "still did not move" in found.caption
    assert len(found.plot().data) == 4
