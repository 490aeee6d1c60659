"""Spectra by products, against dense Hessians in double precision and matrices whose eigenvalues are known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compiling import programs
from descend import SGD, Adam, InputError, begin
from descend.engine.curvature import flat
from descend.engine.evaluating import past_the_next_batch
from descend.engine.lanczos import lanczos
from descend.insight import spectrum
from descend.optimizers import Freeze, Lion
from descend.sources import HostArrays, IterableBatches

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(48, 5)).astype(np.float32)
TARGETS = np.sin(ROWS @ RNG.normal(size=5)).astype(np.float32)
START = {"w": RNG.normal(size=(5, 8)).astype(np.float32), "v": RNG.normal(size=8).astype(np.float32)}


def loss(params, batch):
    """Of a small network."""
    rows, targets = batch
    return ((jnp.tanh(rows @ params["w"]) @ params["v"] - targets) ** 2).mean()


def keyed(params, batch, key=None, state=None):
    """The same, with noise, and something that is kept."""
    noise = 0.0 if key is None else 0.5 * jax.random.normal(key, batch[0].shape, jnp.float32)
    return loss(params, (batch[0] * state["scale"] + noise, batch[1])), {"scale": 0.9 * state["scale"]}


def dense(function, params, *args):
    """The Hessian of a loss, in double precision."""
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (params, args))
        vector, unravel = jax.flatten_util.ravel_pytree(wide[0])
        return np.asarray(jax.jit(jax.hessian(lambda x: function(unravel(x), *wide[1])))(vector))


@pytest.fixture(scope="module")
def run():
    """After some steps of Adam, each on all rows."""
    return begin(loss, START, (ROWS, TARGETS), optimizer=Adam(0.01), batch_size=48).advance(5)[0]


@pytest.fixture(scope="module")
def hessian(run):
    return dense(loss, run.params, (ROWS, TARGETS))


def reflected(eigenvalues):
    """A loss whose Hessian has these eigenvalues, in no parameter's direction."""
    u = np.random.default_rng(1).normal(size=len(eigenvalues))
    u = u / np.linalg.norm(u)
    return lambda x: (eigenvalues * (x - 2 * u * (u @ x)) ** 2).sum() / 2


# ---------------------------------------------------------------------------------------------------------- the method


def test_lanczos_on_a_matrix_by_its_residuals():
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.normal(size=(300, 300)))
    eigenvalues = np.sort(np.concatenate([rng.normal(size=297), [-9.0, 20.0, 20.5]]))
    found = lanczos(lambda v: rotation @ (eigenvalues * (rotation.T @ v)), rng.normal(size=300), 40, 1e-16)
    assert found.values[[0, -1]] == pytest.approx([-9.0, 20.5], rel=1e-9)
    nearest = np.abs(eigenvalues[:, None] - found.values).min(axis=0)
    assert (nearest <= found.residuals + 1e-12).all()
    assert 1e-6 < found.residuals.max() < 2  # neither all nor none of them has come to an eigenvalue
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(40), atol=1e-12)


def test_lanczos_ends_where_the_space_is_whole():
    found = lanczos(lambda v: np.array([2.0, 2.0, 5.0]) * v, np.ones(3), 10, 1e-16)
    np.testing.assert_allclose(found.values, [2, 5])
    np.testing.assert_allclose(found.weights, [2 / 3, 1 / 3])
    assert found.residuals.max() == 0
    assert lanczos(lambda v: v * np.nan, np.ones(3), 10, 1e-16) is None


# ------------------------------------------------------------------------------------------------ eigenvalues and trace


@pytest.mark.parametrize("products", [6, 12, 48])
def test_ends_are_the_dense_hessians_to_the_stated_residual(run, hessian, products):
    eigenvalues = np.linalg.eigvalsh(hessian)
    found = spectrum(run, products=products, batches=1)
    for end in (found.largest, found.smallest):
        assert np.abs(eigenvalues - end.value).min() <= end.residual
        v = flat(end.direction)
        assert np.linalg.norm(hessian @ v - end.value * v) <= end.residual
    if products == 48:
        assert [found.smallest.value, found.largest.value] == pytest.approx(eigenvalues[[0, -1]], rel=1e-4)
        assert found.largest.residual < 1e-4


@pytest.mark.optimized
@pytest.mark.slow
def test_ends_of_two_thousand_parameters():
    """A network of 1,994 parameters after some steps, against all 1,994 eigenvalues in double precision."""
    rng = np.random.default_rng(0)
    rows, drawn = rng.normal(size=(256, 60)).astype(np.float32), lambda m, n: rng.normal(size=(m, n)) / np.sqrt(m)
    targets = np.sin(rows @ drawn(60, 1))[:, 0]
    start = {"a": drawn(60, 29), "b": np.zeros(29), "c": drawn(29, 7), "d": drawn(7, 1)[:, 0], "e": 0.1 * np.ones(15)}

    def deep(p, batch):
        hidden = jnp.tanh(batch[0] @ p["a"] + p["b"]) @ p["c"]
        return ((jnp.tanh(hidden) @ p["d"] - batch[1]) ** 2).mean() + (jnp.cos(p["e"]) ** 2).sum() * 0.01

    trained = begin(deep, start, (rows, targets), optimizer=SGD(0.1), batch_size=256).advance(200)[0]
    eigenvalues = np.linalg.eigvalsh(dense(deep, trained.params, (rows, targets)))
    for products, within in ((10, 1e-2), (40, 1e-5), (80, 1e-5)):
        found = spectrum(trained, products=products, batches=4)
        assert found.size == len(eigenvalues) == 1994
        for end in (found.largest, found.smallest):
            assert np.abs(eigenvalues - end.value).min() <= end.residual
        assert found.largest.value == pytest.approx(eigenvalues[-1], rel=within)
    assert found.smallest.value == pytest.approx(eigenvalues[0], rel=1e-3)
    assert abs(found.trace - eigenvalues.sum()) < 5 * found.trace_error < eigenvalues.sum()


def test_preconditioned_by_adams_own_root(run):
    v_hat = flat(run.state.optimizer.slots["mean_square"]) / (1 - 0.999**5)
    by = (np.sqrt(v_hat) + 1e-8) ** -0.5
    hessian = by[:, None] * dense(loss, run.params, (ROWS, TARGETS)) * by
    found = spectrum(run, products=48, batches=1, preconditioned=True)
    assert found.largest.value == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-3)
    y = flat(found.largest.direction) / by
    y = y / np.linalg.norm(y)
    assert y @ hessian @ y == pytest.approx(found.largest.value, rel=1e-3)
    assert "preconditioned" in found.caption


def test_rows_are_drawn_again_for_the_spread(run, hessian):
    found = spectrum(run, products=40, batches=5)
    assert found.largest.value == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-4)
    assert 0.02 < found.largest.spread / found.largest.value < 1
    assert found.rows == 48
    given = spectrum(run, (ROWS, TARGETS), products=40, batches=5)
    assert given.largest.value == found.largest.value
    assert given.largest.spread == found.largest.spread


def test_batches_are_those_of_the_next_steps():
    begun = begin(loss, START, (ROWS, TARGETS), optimizer=SGD(0.01), batch_size=12)
    each = []
    for ahead in (begun, begun.advance(1)[0], begun.advance(2)[0]):
        each.append(np.linalg.eigvalsh(dense(loss, begun.params, ahead.batch()))[-1])
    found = spectrum(begun, products=48, batches=3)
    assert found.largest.value == pytest.approx(np.mean(each), rel=1e-3)
    assert found.largest.spread == pytest.approx(np.std(each, ddof=1), rel=1e-2)
    assert found.rows == 12


def test_trace_and_density_of_known_eigenvalues():
    eigenvalues = np.concatenate([np.random.default_rng(2).uniform(-1, 1, 290), np.full(10, 8.0)])
    found = spectrum(begin(reflected(eigenvalues), np.zeros(300), optimizer=SGD(0.1)), products=25, batches=8)
    assert abs(found.trace - eigenvalues.sum()) < 4 * found.trace_error < 80
    at = np.linspace(-3, 10, 60)
    mean, error = found.density(at)
    apart = (at[:, None] - eigenvalues) / found.width
    true = np.exp(-(apart**2) / 2).mean(axis=1) / (found.width * np.sqrt(2 * np.pi))
    assert np.abs(mean - true).max() < 0.15 * true.max()
    # Where there are eigenvalues, seven in eight lie within 2 standard errors of an estimate by eight.
    assert np.mean(np.abs(mean - true)[true > 0.1] <= 2.5 * error[true > 0.1]) > 0.8
    assert found.largest.spread == 0  # there are no data to draw again


def test_frozen_parameters_are_constants(hessian):
    begun = begin(loss, START, (ROWS, TARGETS), optimizer=Freeze(SGD(0.01), "v"), batch_size=48)
    found = spectrum(begun, products=48, batches=1)
    moving = dense(loss, START, (ROWS, TARGETS))[8:, 8:]  # after "v" comes "w"
    assert found.size == 40
    assert found.largest.value == pytest.approx(np.linalg.eigvalsh(moving)[-1], rel=1e-3)
    np.testing.assert_array_equal(found.largest.direction["v"], 0)


# --------------------------------------------------------------------------------- what losses keep, and where rows are


def test_keyed_and_stateful_losses_are_those_of_the_next_step():
    begun = begin(keyed, START, (ROWS, TARGETS), state={"scale": np.float32(1)}, optimizer=SGD(0.01), batch_size=12)
    begun = begun.advance(2)[0]
    key = begun.state.carried.for_a_step()[0].key
    of_step = lambda params, batch: keyed(params, batch, key, begun.state.carried.state)[0]
    found = spectrum(begun, products=48, batches=1).largest.value
    assert found == pytest.approx(np.linalg.eigvalsh(dense(of_step, begun.params, begun.batch()))[-1], rel=1e-2)
    given = spectrum(begun, (ROWS, TARGETS), products=48, batches=1).largest.value
    without = lambda params, batch: keyed(params, batch, None, begun.state.carried.state)[0]
    assert given == pytest.approx(np.linalg.eigvalsh(dense(without, begun.params, (ROWS, TARGETS)))[-1], rel=1e-3)


@pytest.mark.parametrize("kind", ["shuffled", "on the host", "a loader"])
def test_past_the_next_batch_is_where_a_step_leads(kind):
    loader = IterableBatches(lambda epoch: ((ROWS[i : i + 12], TARGETS[i : i + 12]) for i in range(0, 48, 12)))
    data = {"shuffled": (ROWS, TARGETS), "on the host": HostArrays((ROWS, TARGETS), 12), "a loader": loader}[kind]
    size = 12 if kind == "shuffled" else None
    begun = begin(keyed, START, data, state={"scale": np.float32(1)}, optimizer=SGD(0.01), batch_size=size)
    past, ahead = past_the_next_batch(past_the_next_batch(begun)), begun.advance(2)[0]
    jax.tree.map(np.testing.assert_array_equal, past.batch(), ahead.batch())
    keys = [jax.random.key_data(run.state.carried.key) for run in (past, ahead)]
    np.testing.assert_array_equal(*keys)
    jax.tree.map(np.testing.assert_array_equal, past.params, begun.params)


# ------------------------------------------------------------------------------------------------------------- programs


def test_one_program_for_all_products():
    begun = begin(loss, START, (ROWS, TARGETS), optimizer=SGD(0.01), batch_size=12)
    spectrum(begun, products=3, batches=2)
    with programs() as compiled:
        spectrum(begun.fork(learning_rate=0.02), products=20, batches=4)
    assert not compiled


def test_is_drawn(run):
    found = spectrum(run, products=20, batches=3)
    figure = found.plot()
    assert [trace.name for trace in figure.data] == ["± 2 standard errors", "density"]
    assert {line.x0 for line in figure.layout.shapes} == {found.smallest.value, found.largest.value}
    assert "48 parameters after 5 steps, on batches of 48 rows" in found.caption


# -------------------------------------------------------------------------------------------------------------- refused


@jax.custom_vjp
def by_hand(x):
    return (x**2).sum()


by_hand.defvjp(
    lambda x: (by_hand(x), x),
    lambda x, g: (g * jax.pure_callback(lambda x: 2 * x, jax.ShapeDtypeStruct(x.shape, x.dtype), x),),
)


def test_losses_without_second_derivatives_are_refused():
    with pytest.raises(InputError, match=r"^the loss cannot be differentiated twice, so its curvature cannot be had"):
        spectrum(begin(by_hand, np.ones(2), optimizer=SGD(0.1)))
    kink = begin(lambda x: jnp.sqrt(x[0] - 1) + (x**2).sum(), np.ones(2), optimizer=SGD(0.1))
    with pytest.raises(InputError, match=r"^the loss's second derivatives are not finite after 0 steps: look at a run"):
        spectrum(kink)


def test_what_a_loss_itself_raises_is_raised(run):
    with pytest.raises(TypeError, match="dot_general requires contracting"):
        spectrum(run, (ROWS[:, :3], TARGETS))


def test_what_cannot_be_told_is_refused(run):
    with pytest.raises(InputError, match=r"^Lion does not divide its steps by a number for each parameter: "):
        spectrum(begin(loss, START, (ROWS, TARGETS), optimizer=Lion(0.1)), preconditioned=True)
    with pytest.raises(InputError, match=r"^Adam divides its steps by nothing yet, or by zero, after 0 steps: advance"):
        spectrum(begin(loss, START, (ROWS, TARGETS), optimizer=Adam(0.1)), preconditioned=True)
    with pytest.raises(InputError, match=r"^products must be a whole number of at least 1, but is 0$"):
        spectrum(run, products=0)


def test_one_parameter():
    found = spectrum(begin(lambda x: 3 * x**2, 1.0, optimizer=SGD(0.1)))
    assert found.largest.value == found.smallest.value == pytest.approx(6)
    assert found.trace == pytest.approx(6)
    assert np.isfinite(found.density(np.array([6.0]))[0]).all()
    assert found.plot() is not None


def test_a_loss_that_does_not_curve():
    found = spectrum(begin(lambda x: x.sum(), np.ones(3), optimizer=SGD(0.1)))
    assert (found.largest.value, found.smallest.value, found.trace) == (0, 0, 0)
    assert found.plot() is not None


def test_an_equinox_module_has_directions_of_its_kind():
    model = eqx.nn.Linear(5, 1, key=jax.random.key(0))
    squares = lambda model, batch: ((jax.vmap(model)(batch[0])[:, 0] - batch[1]) ** 2).mean()
    begun = begin(squares, model, (ROWS, TARGETS), optimizer=SGD(0.1), batch_size=48)
    found = spectrum(begun, products=6, batches=1)
    along = begun.hvp(found.largest.direction)
    np.testing.assert_allclose(along.weight, found.largest.value * found.largest.direction.weight, atol=1e-4)
