"""The run's verbs: each says what it does, and the numbers are those of theory, of `minimize`, or of a run alone."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import descend
from compiling import programs
from descend import SGD, Adam, AdamW, CheckpointError, GradientTolerance, InputError, advance_many, begin, minimize
from descend.engine.advancing import count
from descend.engine.forking import with_rate
from descend.engine.many import refuse_others
from descend.optimizers import EMA, LBFGS, SAM, ClipByNorm, Muon, PerGroup, Prodigy, ScheduleFreeAdamW
from descend.schedules import Cosine, Exponential
from descend.sources import HostArrays, IterableBatches, MiniBatches, WholeSet

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5]) + 0.1).astype(np.float32)
START = {"w": np.zeros((3, 2)), "v": np.full(2, 0.5), "b": 0.0}


def loss(params, batch):
    """Of a small network."""
    rows, targets = batch
    return ((jnp.tanh(rows @ params["w"]) @ params["v"] + params["b"] - targets) ** 2).mean()


def keyed(params, batch, key=None):
    """The same, with noise."""
    noise = 0.0 if key is None else 0.1 * jax.random.normal(key, batch[0].shape)
    return loss(params, (batch[0] + noise, batch[1]))


def stateful(params, batch, state):
    """The same, which counts."""
    return loss(params, batch) + 0 * state["mean"], {"mean": 0.9 * state["mean"] + 0.1 * batch[0].mean()}


def bowl(x):
    return 0.5 * (np.array([1.0, 4.0], np.float32) * x**2).sum()


def bits(tree):
    raw = lambda leaf: jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    return [np.asarray(raw(leaf)).tobytes() for leaf in jax.tree.leaves(tree)]


@pytest.fixture(scope="module")
def run():
    """A run on batches, after some steps."""
    return begin(loss, START, (X, Y), optimizer=Adam(0.05), batch_size=8).advance(10)[0]


# ------------------------------------------------------------------------------------------------ begin and advance


def test_begin_is_what_minimize_starts_from():
    begun = begin(loss, START, (X, Y), optimizer=Adam(0.05), batch_size=8, seed=3).advance(20)[0]
    fit = minimize(loss, START, (X, Y), optimizer=Adam(0.05), batch_size=8, seed=3, steps=20)
    assert bits(begun.state) == bits(fit.run.state)


def test_functions_need_no_rule_and_batches_do():
    assert isinstance(begin(bowl, [1.0, 1.0]).descent.optimizer, LBFGS)
    with pytest.raises(InputError, match=r"batches need a rule: give optimizer="):
        begin(loss, START, (X, Y), batch_size=8)


def test_a_run_is_left_alone_by_changes_of_what_it_was_given():
    """Also where JAX could share an array's memory, which it can if that begins at a multiple of 64 bytes."""
    raw = np.ones(64 * 8 + 32, np.float32)
    begins = (-raw.ctypes.data) % 64 // 4
    rows, kept = raw[begins : begins + 64 * 8].reshape(64, 8), np.ones(1, np.float32)
    keeping = lambda w, batch, state: (((batch @ w) ** 2).mean() + state["a"].sum(), state)
    run = begin(keeping, np.ones(8), rows, optimizer=SGD(0.01), batch_size=8, state={"a": kept})
    rows[:], kept[:] = 5.0, 5.0
    assert run.loss() == 65.0


@pytest.mark.parametrize("n", [2.5, -1, "3", None])
def test_steps_are_whole(n):
    with pytest.raises(InputError, match=r"the number of steps must be a whole one, of at least 0, but is"):
        count(n)


def test_more_steps_than_a_dispatch_has_room_for():
    run, trace = begin(bowl, [1.0, 1.0], optimizer=SGD(1e-6)).advance(40_000)
    assert (run.step, len(trace), trace.start) == (40_000, 40_000, 0)
    assert (np.diff(trace.columns["loss"]) <= 0).all()


def test_a_run_that_has_converged_is_halted():
    run, trace = begin(bowl, [1.0, 1.0], optimizer=SGD(0.2), stop=GradientTolerance(relative=1e-3)).advance(500)
    assert run.is_halted
    assert len(trace) == run.step + 1 < 500


# ------------------------------------------------------------------------------------------------------------ forks


def test_a_fork_with_half_the_rate_is_minimize_with_it_from_there():
    run, _ = begin(bowl, [1.0, -1.0], optimizer=SGD(0.2)).advance(3)
    forked, _ = run.fork(learning_rate=0.1).advance(5)
    fit = minimize(bowl, run.params, optimizer=SGD(0.1), steps=5, stop=[])
    assert bits(forked.params) == bits(fit.params)
    np.testing.assert_allclose(forked.params, [0.8**3 * 0.9**5, -(0.2**3) * 0.6**5], rtol=1e-5)
    assert run.step == 3


def test_another_rate_or_other_data_of_one_shape_compile_nothing(run):
    run.advance(2)
    with programs() as compiled:
        run.fork(learning_rate=0.01).advance(2)
        run.fork(data=(X + 1, Y)).advance(2)
        run.fork(seed=4).advance(2)
    assert not compiled


def test_a_rate_within_modifiers(run):
    with pytest.warns(UserWarning, match="begins anew"):
        wrapped = run.fork(optimizer=ClipByNorm(EMA(SGD(0.1), 0.9), 1.0))
    assert wrapped.fork(learning_rate=0.2).descent.optimizer.rule.rule == SGD(0.2)
    with pytest.raises(InputError, match=r"PerGroup has no one learning rate to change: give optimizer="):
        with_rate(PerGroup(SGD(0.1), {"b": Adam(0.1)}), 0.2)


def test_memory_is_kept_where_it_fits_and_else_the_fork_says_so(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = run.fork(optimizer=AdamW(0.05))
    assert bits(kept.state.optimizer) == bits(run.state.optimizer)
    with pytest.warns(UserWarning, match=r"memory of the fork's SGD begins anew"):
        anew = run.fork(optimizer=SGD(0.05, momentum=0.9))
    assert int(anew.state.optimizer.count) == 0
    assert (anew.step, bits(anew.params)) == (10, bits(run.params))


def test_a_fork_of_parameters_data_and_batches(run):
    moved = run.fork(params={**START, "b": 7.0})
    assert float(moved.params["b"]) == 7.0
    assert bits(moved.state.optimizer) == bits(run.state.optimizer)
    assert bits(run.fork(data=(X[::-1], Y)).state.cursor) == bits(run.state.cursor)  # as many: the same place
    fewer = run.fork(data=(X[:20], Y[:20]))
    assert (int(fewer.state.cursor.position), fewer.batch()[0].shape) == (0, (8, 3))
    assert run.fork(batch_size=5).batch()[0].shape == (5, 3)
    assert isinstance(run.fork(batch_size=50).descent.source, WholeSet)
    with pytest.raises(InputError, match=r"fork takes optimizer= or learning_rate="):
        run.fork(optimizer=SGD(0.1), learning_rate=0.1)


def test_nothing_is_compiled_before_the_first_step():
    with programs() as compiled:
        run = begin(keyed, START, (X, Y), optimizer=Adam(0.1), batch_size=8, seed=7)
        run.fork(seed=8)
    assert not compiled


def test_a_seed_is_another_order_and_other_noise():
    run, _ = begin(keyed, START, (X, Y), optimizer=SGD(0.1), batch_size=8, seed=1).advance(4)
    again = run.fork(seed=1, params=START).advance(4)[0]
    assert bits(again.params) == bits(run.params)
    other = run.fork(seed=2, params=START).advance(4)[0]
    assert bits(other.params) != bits(run.params)


# ---------------------------------------------------------------------------------------------------------- looking


@pytest.mark.parametrize("source", [None, "memory", "host", "whole"])
def test_the_batch_and_the_loss_are_those_of_the_next_step(source):
    sources = {"memory": MiniBatches((X, Y), 8), "host": HostArrays((X, Y), 8), "whole": WholeSet((X, Y))}
    if source is None:
        run = begin(bowl, [1.0, 2.0], optimizer=SGD(0.1))
        assert run.batch() == ()
    else:
        seeing = lambda p, batch: (loss(p, batch), {"seen": batch[1][:8]})
        run = begin(seeing, START, sources[source], optimizer=SGD(0.1))
    ahead, trace = run.advance(2)
    for at in (run, run.advance(1)[0]):
        np.testing.assert_allclose(at.loss(), trace.columns["loss"][at.step], rtol=1e-6)
        if source is not None:
            np.testing.assert_array_equal(at.batch()[1][:8], trace.columns["seen"][at.step])
    assert ahead.step == 2


def test_a_random_loss_looks_with_the_numbers_of_the_next_step():
    run = begin(keyed, START, (X, Y), optimizer=SGD(0.1), batch_size=8)
    value, grads = run.loss_and_grad()
    after, trace = run.advance(1)
    np.testing.assert_allclose(value, trace.columns["loss"][0], rtol=1e-6)
    np.testing.assert_allclose(after.params["w"], run.params["w"] - 0.1 * grads["w"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(run.loss((X, Y)), loss(run.params, (X, Y)), rtol=1e-6)  # on data, without noise


def test_hessian_products_are_those_of_the_dense_hessian(run):
    flat, unravel = jax.flatten_util.ravel_pytree(run.params)
    dense = jax.hessian(lambda x: loss(unravel(x), (X, Y)))(flat)
    for _ in range(3):
        v = RNG.normal(size=flat.size).astype(np.float32)
        product = jax.flatten_util.ravel_pytree(run.hvp(unravel(jnp.asarray(v)), (X, Y)))[0]
        np.testing.assert_allclose(product, dense @ v, rtol=2e-4, atol=2e-5)
    with pytest.raises(InputError, match=r"the direction must be like the parameters"):
        run.hvp({**run.params, "b": np.zeros(3)})


# ---------------------------------------------------------------------------------------------------- save and load

RULES = [SGD(0.05), SGD(0.05, momentum=0.9), Adam(Exponential(0.05, 0.9)), ClipByNorm(EMA(Adam(0.05), 0.9), 1.0),
         ScheduleFreeAdamW(0.05), Prodigy(), Muon(0.01), SAM(SGD(0.05)), PerGroup(SGD(0.05), {"b": Adam(0.1)})]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_saved_and_loaded_is_never_having_stopped(rule, tmp_path):
    run, _ = begin(loss, START, (X, Y), optimizer=rule, batch_size=8).advance(7)
    run.save(tmp_path / "run")
    again = descend.load(tmp_path / "run", loss, (X, Y))
    assert (again.step, again.descent.optimizer) == (7, rule)
    assert bits(again.state) == bits(run.state)
    assert bits(again.advance(9)[0].state) == bits(run.advance(9)[0].state)


@pytest.mark.parametrize(("function", "settings"), [
    (bowl, {"params": [1.0, 2.0]}), (loss, {"data": WholeSet((X, Y))}), (loss, {"data": HostArrays((X, Y), 8)}),
    (loss, {"data": MiniBatches((X, Y), 8, shuffle=False)}), (keyed, {"data": MiniBatches((X, Y), 8)}),
    (stateful, {"data": MiniBatches((X, Y), 8), "state": {"mean": 0.0}}),
    (loss, {"data": MiniBatches((X, Y), 8), "dtype": np.float64}),
    (loss, {"data": MiniBatches((X.astype(float), Y.astype(float)), 8)}),
    (loss, {"data": IterableBatches(lambda epoch: ((X[i : i + 8], Y[i : i + 8]) for i in range(epoch, 40, 8)))}),
], ids=["function", "whole", "host", "in order", "keyed", "stateful", "float64", "wider data", "iterable"])  # fmt: skip
def test_every_source_and_every_loss_goes_on(function, settings, tmp_path):
    data = settings.get("data")
    rule = LBFGS() if isinstance(data, WholeSet) else Adam(0.05)
    run, _ = begin(function, **{"params": START, "optimizer": rule, **settings}).advance(6)
    run.save(tmp_path / "run")
    raw = data if isinstance(data, IterableBatches) or data is None else data.data
    again = descend.load(tmp_path / "run", function, raw)
    assert bits(again.advance(5)[0].state) == bits(run.advance(5)[0].state)


def test_a_module_is_loaded_into_one_of_its_kind(tmp_path):
    model = eqx.nn.MLP(3, 1, 4, 1, key=jax.random.key(0))
    of_model = lambda model, batch: ((jax.vmap(model)(batch[0])[:, 0] - batch[1]) ** 2).mean()
    run, _ = begin(of_model, model, (X, Y), optimizer=Adam(0.01), batch_size=8).advance(3)
    run.save(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"the params of the file are a MLP, which has to be given: params="):
        descend.load(tmp_path / "run", of_model, (X, Y))
    other = eqx.nn.MLP(3, 1, 4, 1, key=jax.random.key(1))
    again = descend.load(tmp_path / "run", of_model, (X, Y), params=other)
    assert bits(again.state) == bits(run.state)


def test_what_is_watched_is_loaded_too(tmp_path):
    run = begin(bowl, [1.0, 2.0], optimizer=SGD(0.1), watch=descend.Watch({"all": "*"}, positions=True))
    run.save(tmp_path / "run")
    assert descend.load(tmp_path / "run", bowl).advance(2)[1].columns["params"].shape == (2, 2)


def test_other_data_and_other_rules_are_refused(run, tmp_path):
    run.save(tmp_path / "run")
    with pytest.raises(CheckpointError, match="of a run with other data"):
        descend.load(tmp_path / "run", loss, (X + 1, Y))
    with pytest.raises(CheckpointError, match="of a run with data: give data="):
        descend.load(tmp_path / "run", loss)
    optax = pytest.importorskip("optax")
    foreign, _ = begin(bowl, [1.0, 2.0], optimizer=optax.adam(0.1)).advance(2)
    foreign.save(tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="give optimizer="):
        descend.load(tmp_path / "foreign", bowl)
    again = descend.load(tmp_path / "foreign", bowl, optimizer=foreign.descent.optimizer)
    assert bits(again.state) == bits(foreign.state)


@pytest.mark.parametrize("rule", [Adam(Cosine(0.05)), "auto"], ids=["schedule", "auto"])
def test_a_checkpoint_of_minimize_holds_its_run(rule, tmp_path):
    file = tmp_path / "run"
    fit = minimize(loss, START, (X, Y), optimizer=rule, batch_size=8, steps=12, checkpoint=file)
    again = descend.load(tmp_path / "run", loss, (X, Y))
    assert bits(again.state) == bits(fit.run.state)


# -------------------------------------------------------------------------------------------------------- many runs


def many(kind, count):
    rates = [float(rate) for rate in np.geomspace(1e-3, 0.3, count)]
    if kind == "little":
        run = begin(lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, [-1.2, 1.0], optimizer=SGD(0.1))
        return [run.fork(learning_rate=rate) for rate in rates]  # of which the large ones diverge
    run = begin(loss, START, (X, Y), optimizer=Adam(0.1), batch_size=8)
    return [run.fork(learning_rate=rate, seed=seed) for seed, rate in enumerate(rates)]


@pytest.mark.parametrize(("kind", "count"), [("little", 20), ("little", 3), ("network", 5)])
def test_each_member_is_the_run_advanced_alone(kind, count):
    runs = many(kind, count)
    alone = [run.advance(60) for run in runs]
    for (run, trace), (lonely, expected) in zip(advance_many(runs, 60), alone, strict=True):
        # Stacked, a product and a sum may be rounded once instead of twice, which sixty steps of a valley amplify.
        near = 1e-3 if kind == "little" and count >= 16 else 0
        for mine, expected_leaf in zip(jax.tree.leaves(run.params), jax.tree.leaves(lonely.params), strict=True):
            np.testing.assert_allclose(mine, expected_leaf, rtol=near)
        assert (run.step, run.is_halted) == (lonely.step, lonely.is_halted)
        assert trace.columns.keys() == expected.columns.keys()
        for name, column in expected.columns.items():
            np.testing.assert_allclose(trace.columns[name], column, rtol=near)
    assert kind != "little" or len({run.is_halted for run, _ in alone}) == 2


def test_within_a_context_members_are_still_the_runs_alone(monkeypatch):
    monkeypatch.setattr("descend.engine.many.THREAD_SECONDS", 0.0)  # as if threads were worth it
    run = begin(lambda p, batch: 3.0 * loss(p, batch), START, (X, Y), optimizer=SGD(0.01), batch_size=8)
    forks = [run.fork(seed=seed) for seed in range(5)]
    with jax.default_matmul_precision("highest"), programs() as compiled:
        together = advance_many(forks, 16)
        alone = [fork.advance(16) for fork in forks]
    assert len(compiled) == 1  # a thread without the context would have compiled one for outside of it
    assert all(bits(a.state) == bits(b.state) for (a, _), (b, _) in zip(together, alone, strict=True))


def test_what_is_no_run_is_refused(run):
    with pytest.raises(InputError, match=r"advance_many takes runs, such as descend.begin makes, but not a int"):
        refuse_others([run, 3])
    assert advance_many([], 2) == []


# ------------------------------------------------------------------------------------------------- transformations


@pytest.mark.parametrize("transformed", [
    jax.jit(lambda run: descend.advance(run, 5)[0]),
    lambda run: jax.vmap(lambda run: descend.advance(run, 5)[0])(jax.tree.map(lambda x: jnp.stack([x, x]), run)),
    lambda run: jax.jit(lambda x: begin(bowl, x, optimizer=SGD(0.1)).params)(jnp.ones(2)),
], ids=["jit", "vmap", "begin"])  # fmt: skip
def test_within_a_transformation_it_says_what_to_use(transformed):
    run = begin(bowl, [1.0, 1.0], optimizer=SGD(0.1))
    with pytest.raises(InputError, match=r"cannot be called within jax.jit, vmap or grad.*descend.advance_many"):
        transformed(run)
