"""What is recorded of the parameters besides the loss."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import descend
from descend import SGD, Adam, CheckpointError, InputError, Trainer, Watch, minimize
from descend.optimizers import LBFGS, Freeze
from descend.sources import HostArrays

DATA = np.random.default_rng(0).normal(1, 2, (37, 2)).astype(np.float32)
START = {"layers": [{"w": np.float32([1.0, -2.0]), "b": 0.5}, {"w": np.float32([[3.0], [4.0]])}], "scale": 2.0}
GROUPS = {"first": "layers/0/*", "others": ("layers/1/w", "scale")}


def loss(p, batch):
    first, second = p["layers"]
    inner = jnp.tanh(batch * first["w"] + first["b"])
    return ((inner @ second["w"] * p["scale"] - batch[:, :1]) ** 2).mean()


def settings(**changes):
    return {"optimizer": Adam(0.05), "batch_size": 5, "steps": 12, "stop": [], **changes}


def fit(**changes):
    return minimize(loss, START, DATA, **settings(**changes))


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def norm(leaves):
    return float(np.sqrt(sum(np.square(np.asarray(leaf, np.float64)).sum() for leaf in leaves)))


def chosen(tree):
    first, second = tree["layers"]
    return {"first": [first["w"], first["b"]], "others": [second["w"], tree["scale"]]}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_of_groups(dtype):
    """As the run tells them itself: of its next batch, of what it steps, of where it is."""
    history = fit(watch=GROUPS, dtype=dtype).history
    run = descend.begin(loss, START, DATA, optimizer=Adam(0.05), batch_size=5, dtype=dtype)
    for step in range(2):
        grads, before = run.loss_and_grad()[1], run.params
        run, _ = run.advance(1)
        moved = jax.tree.map(lambda a, b: np.asarray(a) - np.asarray(b), run.params, before)
        for kind, tree in (("gradient", grads), ("update", moved), ("parameter", before)):
            for name, leaves in chosen(tree).items():
                column = history[f"{kind}_norm/{name}"]
                assert column.dtype == dtype
                assert column[step] == pytest.approx(norm(leaves), rel=2e-4)


@pytest.mark.parametrize("stepwise", [False, True])
def test_a_host_source_and_single_dispatches(stepwise):
    run = descend.begin(loss, START, HostArrays(DATA, 5), optimizer=Adam(0.05), watch=GROUPS)
    run = dataclasses.replace(run, descent=dataclasses.replace(run.descent, stepwise=stepwise))
    column = run.advance(12)[1].columns["gradient_norm/first"]
    np.testing.assert_allclose(column, fit(watch=GROUPS).history["gradient_norm/first"], rtol=1e-4)


def test_nothing_else_changes():
    watched, plain = fit(watch=Watch(GROUPS, positions=True)), fit()
    assert bits(watched.run.state) == bits(plain.run.state)
    for name, column in plain.history.columns.items():
        assert bits(watched.history[name]) == bits(column)
    assert plain.history.columns.keys() == {"step", "loss", "learning_rate", "gradient_norm", "update_norm"}


def test_a_pattern_is_called_as_it_is_written():
    columns = fit(watch="layers/*").history.columns
    assert "gradient_norm/layers/*" in columns
    assert "update_norm/layers/0/*,scale" in fit(watch=("layers/0/*", "scale")).history.columns
    every = fit(watch="*").history
    np.testing.assert_allclose(every["gradient_norm/*"], every["gradient_norm"], rtol=1e-5)


def test_positions():
    watched = fit(watch=Watch(positions=True))
    run = descend.begin(loss, START, DATA, optimizer=Adam(0.05), batch_size=5)
    flat = lambda params: np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    assert watched.history["params"].shape == (12, 6)
    for step in (0, 1, 7):
        assert watched.history["params"][step].tolist() == flat(run.advance(step)[0].params).tolist()


def test_the_path_of_a_line_search_is_where_it_stands():
    start = np.float32([-1.2, 1.0])
    rosenbrock = lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    history = minimize(rosenbrock, start, optimizer=LBFGS(), steps=30, watch=Watch(positions=True)).history
    np.testing.assert_allclose([rosenbrock(np.float64(x)) for x in history["params"]], history["loss"], rtol=1e-4)


def test_frozen_parameters_do_not_count():
    history = fit(optimizer=Freeze(SGD(0.1), "layers/0/*"), watch=GROUPS).history
    assert set(history["gradient_norm/first"]) == set(history["update_norm/first"]) == {0.0}
    assert (history["gradient_norm/others"] > 0).all()


def test_it_is_carried_by_forks_and_resumed(tmp_path):
    watch = Watch(GROUPS, positions=True)
    with Trainer.begin(loss, START, DATA, **settings(watch=watch), checkpoint=tmp_path / "run") as trainer:
        trainer.advance(steps=6)
    whole, forked = fit(watch=watch), trainer.fork().to_the_end()
    resumed = fit(watch=watch, checkpoint=tmp_path / "run", resume=True)
    assert bits(resumed.history.columns) == bits(whole.history.columns) == bits(forked.history.columns)
    with pytest.raises(CheckpointError, match=r"watch was Watch.*, and is None"):
        fit(checkpoint=tmp_path / "run", resume=True)


def test_stacked_runs_are_watched():
    begun = descend.begin(lambda x: (x**2).sum(), [1.0, 2.0], optimizer=SGD(0.1), watch="*")
    runs = [begun.fork(learning_rate=rate) for rate in np.linspace(0.01, 0.2, 20)]
    for run, (_, trace) in zip(runs, descend.advance_many(runs, 5), strict=True):
        alone = run.advance(5)[1].columns["parameter_norm/*"]
        np.testing.assert_allclose(trace.columns["parameter_norm/*"], alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("watch", "message"),
    [
        ("layer/*", "Watch: the pattern 'layer/[*]' fits no parameter; there are 4, such as"),
        (Watch, "nothing is watched: give patterns of paths, or positions=True"),
        ({}, "nothing is watched"),
    ],
)
def test_what_cannot_be_watched(watch, message):
    with pytest.raises(InputError, match=message):
        fit(watch=watch() if callable(watch) else watch)


def test_too_many_positions():
    with pytest.raises(InputError, match="positions are recorded of at most 100 numbers, but the parameters have 101"):
        minimize(lambda x: (x**2).sum(), np.ones(101), watch=Watch(positions=True))
