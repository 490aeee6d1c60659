"""Modules of PyTorch, trained by the contract of `minimize`: the steps of a plain loop, and all that goes on around."""

import os
import signal

import numpy as np
import pytest

import descend
from descend import SGD, Adam, AdamW, Plateau, Target
from descend.engine.trainer import Checkpoint
from descend.errors import CheckpointError, InputError
from descend.insight import what_if
from descend.optimizers import EMA
from descend.optimizers.quasi_newton import LBFGS
from descend.schedules import Cosine

torch = pytest.importorskip("torch", reason="trains PyTorch's modules: pip install 'descend[peers]'")

from torch.utils.data import DataLoader, Dataset, TensorDataset  # noqa: E402

from descend.torch import ModuleTrainer, TorchOptimizer, minimize  # noqa: E402

pytestmark = pytest.mark.peers

X = torch.randn(96, 2, generator=torch.Generator().manual_seed(1))
Y = X.prod(1, keepdim=True)
HELD_OUT = (X[:32], Y[:32])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """One thread, as tensors are small, and several would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(seed=0):
    """One with running means and with dropout, so that all that a step changes is there."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1)
    )


def squared(module, batch):
    return (module(batch[0]) - batch[1]).square().mean()


def begun(data=(X, Y), seed=0, loss=squared, **settings):
    settings = {"optimizer": Adam(0.01), "steps": 17, "stop": []} | settings
    return ModuleTrainer.begin(network(seed), loss, data, **settings)


def same(one, other):
    """Whether parameters and buffers are the same to the bit."""
    pairs = [(one.params, other.params), (one.state, other.state)]
    return all(a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in pairs)


# ---------------------------------------------------------------------------------------------------------- the steps


def test_steps_are_those_of_a_plain_loop():
    """The same batches, the same random numbers, the same optimizer: the same bits as a loop that anybody writes."""
    result = minimize(network(), squared, (X, Y), optimizer=AdamW(0.01), batch_size=24, epochs=3)
    module = network()
    optimizer = TorchOptimizer(module.named_parameters(), AdamW(0.01))
    order = descend.sources.MiniBatches(np.arange(96), 24)
    place = order.init(descend.engine.checks.random_key(0))
    torch.manual_seed(0)
    losses = []
    for _ in range(12):
        index = np.asarray(order.feed(place, None, 1).draws[0]).astype(int)
        place = order.feed(place, None, 1).after(1)
        optimizer.zero_grad()
        loss = squared(module, (X[index], Y[index]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert result.history["loss"].tolist() == losses
    assert all(torch.equal(result.params[name], p) for name, p in module.named_parameters())
    assert all(torch.equal(result.state[name], buffer) for name, buffer in module.named_buffers())
    assert result.reason.evidence == "3 epochs (12 steps) were made"


def test_gradient_norm_and_rate_are_recorded():
    module = torch.nn.Linear(2, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[3.0, 0.0]]))
        module.bias.fill_(4.0)
    loss = lambda module, _: (0.5 * (module.weight.square().sum() + module.bias.square().sum()), {"seen": 7})
    rule = SGD(Cosine(0.5, steps=4))
    history = minimize(module, loss, X, optimizer=rule, steps=3).history
    assert history["gradient_norm"][0] == 5.0
    assert history["learning_rate"] == pytest.approx([Cosine(0.5, steps=4)(i) for i in range(3)])
    assert history["seen"].tolist() == [7, 7, 7]


def test_the_same_steps_however_they_are_divided():
    run = begun().run
    whole, trace = run.advance(11)
    parts, _ = run.advance(4)
    run.advance(2)
    parts, _ = parts.advance(7)
    assert same_runs(whole, parts)
    assert len(trace) == 11


def same_runs(one, other):
    return all(torch.equal(p, other.params[name]) for name, p in one.params.items())


def test_a_run_is_a_value():
    trainer = begun()
    run = trainer.run
    ahead, _ = run.advance(5)
    kept = {name: p.clone() for name, p in ahead.params.items()}
    further, _ = ahead.advance(3)
    slower, _ = ahead.fork(learning_rate=0.005).advance(3)
    assert all(torch.equal(kept[name], p) for name, p in ahead.params.items())
    assert run.step == 0
    assert not same_runs(further, slower)
    # Whoever writes to the module changes no run.
    with torch.no_grad():
        run.descent.bench.module[0].weight.fill_(9.0)
    assert same_runs(ahead.advance(3)[0], further)


def test_the_rest_of_the_process_has_its_own_random_numbers():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    trainer = begun()
    torch.manual_seed(5)
    trainer.to_the_end()
    assert torch.equal(torch.rand(3), wanted)
    torch.manual_seed(99)
    assert same(begun().to_the_end(), begun(seed=0).to_the_end())


def test_layers_keep_their_modes():
    module = network()
    module[1].eval()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    minimize(module, squared, (X, Y), optimizer=Adam(0.01), steps=3, validation=HELD_OUT, validate_every=1)
    assert module.training
    assert not module[1].training
    assert all(torch.equal(before[name], buffer) for name, buffer in module.named_buffers())


def test_rules_that_look_at_the_loss_are_given_it():
    result = minimize(torch.nn.Linear(2, 1), squared, (X, X @ torch.tensor([[1.0], [2.0]])), optimizer=LBFGS(),
                      batch_size=96, steps=20)
    assert torch.allclose(result.params["weight"], torch.tensor([[1.0, 2.0]]), atol=1e-4)


def test_half_precision_within_the_loss():
    def loss(module, batch):
        with torch.autocast("cpu", torch.bfloat16):
            return squared(module, batch).float()

    result = begun(loss=loss).to_the_end()
    assert np.isfinite(result.loss)
    assert all(p.dtype == torch.float32 for p in result.params.values())


def test_modules_of_half_precision_resume(tmp_path):
    module = lambda: network().to(torch.bfloat16)
    data = X.to(torch.bfloat16), Y.to(torch.bfloat16)
    whole = minimize(module(), squared, data, optimizer=Adam(0.01), steps=8)
    minimize(module(), squared, data, optimizer=Adam(0.01), steps=4, checkpoint=tmp_path / "run")
    resumed = minimize(module(), squared, data, optimizer=Adam(0.01), steps=8, checkpoint=tmp_path / "run", resume=True)
    assert same(whole, resumed)


def test_a_compiled_module_stays_compiled():
    module = torch.compile(network(), backend="eager")
    result = minimize(module, squared, (X, Y), optimizer=Adam(0.01), steps=6)
    assert result.params.keys() == dict(network().named_parameters()).keys()
    plain = begun(steps=6).to_the_end()
    assert all(torch.equal(p, plain.params[name]) for name, p in result.params.items())


# ----------------------------------------------------------------------------------------------------- why it ends


def test_a_diverged_run_keeps_its_last_finite_numbers():
    """Neither parameters nor running means have seen the batch that was not finite."""
    bad = X.clone()
    bad[40] = torch.inf
    result = minimize(network(), squared, (bad, Y), optimizer=SGD(0.01), batch_size=8, steps=12, snapshots=True)
    assert result.reason.name == "diverged"
    stopped = result.reason.step
    assert 0 < stopped < 12
    until, _ = result.snapshots[0].advance(stopped)
    assert same_runs(until, result.run)
    assert all(tensor.isfinite().all() for tensor in (*result.params.values(), *result.state.values()))


def test_an_update_that_overflows_is_not_made():
    result = minimize(network(), squared, (X, Y), optimizer=SGD(1e38), batch_size=8, steps=12)
    assert result.reason.name == "diverged"
    assert all(p.isfinite().all() for p in result.params.values())


def test_what_is_not_finite_is_skipped_if_asked_for():
    bad = X.clone()
    bad[40] = torch.inf
    result = minimize(network(), squared, (bad, Y), optimizer=SGD(0.01), batch_size=8, epochs=2, on_nonfinite="skip")
    assert result.reason.name == "budget"
    assert np.isnan(result.history["loss"]).sum() == 2
    assert int(result.run.state.guard.skipped) == 2
    assert all(tensor.isfinite().all() for tensor in (*result.params.values(), *result.state.values()))


def test_a_loss_that_is_not_finite_at_the_start_is_refused():
    with pytest.raises(InputError, match="at the starting parameters"):
        minimize(network(), lambda module, batch: squared(module, batch) * torch.nan, (X, Y), optimizer=SGD(0.1))


def test_early_stopping_returns_the_best():
    result = minimize(network(), squared, (X, Y), optimizer=SGD(0.3), epochs=200, validation=HELD_OUT,
                      stop=Plateau(patience=2))
    assert result.reason.name == "plateau"
    values = result.history.validation["loss"]
    assert result.best.value == min(values)
    module = result.run.descent.bench.module.eval()
    assert squared(module, HELD_OUT).item() == pytest.approx(result.best.value)
    assert all(torch.equal(result.params[name], p) for name, p in module.named_parameters())


def test_ends_at_a_target():
    def validation(module):
        assert not module.training
        return squared(module, HELD_OUT), {"accuracy": 0.9}

    result = minimize(network(), squared, (X, Y), optimizer=Adam(0.01), epochs=9, validation=validation,
                      stop=Target("accuracy", at_least=0.8))
    assert result.reason.name == "reached"


def test_a_loader_validates_by_its_mean():
    loader = DataLoader(TensorDataset(*HELD_OUT), batch_size=20)
    module = network()
    result = minimize(module, squared, (X, Y), optimizer=Adam(0.01), steps=3, validation=loader, validate_every=3)
    assert result.history.validation["loss"][-1] == pytest.approx(squared(module.eval(), HELD_OUT).item(), rel=1e-5)


def test_seconds_are_a_budget():
    result = minimize(network(), squared, (X, Y), optimizer=Adam(0.01), seconds=0.3)
    assert result.reason.evidence.startswith("the 0.3 seconds were used up")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_by_a_signal(number):
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        asked = lambda progress: progress.step >= 3 and progress.reason is None and os.kill(os.getpid(), number)
        result = minimize(network(), squared, (X, Y), optimizer=Adam(0.01), steps=10**6, observers=[asked])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert result.reason.name == "interrupted"


def test_an_average_is_validated_and_returned():
    trainer = begun(optimizer=Adam(0.05), ema=0.5, steps=6)
    result = trainer.to_the_end()
    params, average = begun(optimizer=Adam(0.05)).run, None
    for _ in range(6):
        params, _ = params.advance(1)
        average = params.params if average is None else average
    assert isinstance(result.run.descent.optimizer, EMA)
    assert all(torch.equal(p, params.params[name]) for name, p in result.run.params.items())
    assert any(not torch.equal(p, result.run.params[name]) for name, p in result.params.items())


def test_auto_finds_a_rate():
    result = minimize(network(), squared, (X, Y), batch_size=24, steps=60)
    assert result.search.seen
    assert result.search.rate in [trial.rate for trial in result.search.trials]
    assert result.history["learning_rate"].max() <= result.search.rate


# ------------------------------------------------------------------------------------------------------------ resuming

RULES = {
    "Adam": Adam(0.01),
    "schedule": SGD(Cosine(0.05, steps=17), momentum=0.9),
    "ScheduleFree": descend.optimizers.ScheduleFreeAdamW(0.01),
    "SAM": descend.optimizers.SAM(SGD(0.05)),
    "LBFGS": LBFGS(),
    "EMA": EMA(AdamW(0.01), decay=0.9),
    "Muon": descend.optimizers.Muon(),
    "PerGroup": descend.optimizers.PerGroup(Adam(0.01), {"*/bias": SGD(0.1, momentum=0.9)}),
    "auto": "auto",
}


@pytest.mark.parametrize("rule", RULES)
def test_resumes_bit_for_bit(rule, tmp_path):
    settings = {"optimizer": RULES[rule], "batch_size": 20, "validation": HELD_OUT}
    whole = begun(**settings).to_the_end()
    trainer = begun(**settings, checkpoint=tmp_path / "run", snapshots=True)
    trainer.advance(steps=7)
    trainer.close()
    resumed = begun(**settings, checkpoint=tmp_path / "run", snapshots=True, seed=5, resume=True)
    assert resumed.run.step == 7
    assert list(resumed.snapshots.runs) == [0, 1, 2, 4]
    result = resumed.to_the_end()
    assert same(whole, result)
    assert whole.history["loss"].tolist() == result.history["loss"].tolist()
    assert whole.history.validation == result.history.validation


class Noisy(Dataset):
    """Examples that are changed at random each time."""

    def __init__(self, noise):
        self.noise = noise

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return X[i] + 0.1 * self.noise(), Y[i]


def loaded(noise=lambda: torch.randn(2), **settings):
    return DataLoader(Noisy(noise), batch_size=7, shuffle=True, **settings)


@pytest.mark.parametrize("generator", [None, 3])
@pytest.mark.parametrize("at", [3, 6, 8])  # within the first epoch, at its end, and within the second
def test_loaders_resume_where_they_were(generator, at, tmp_path):
    data = lambda: loaded(generator=generator and torch.Generator().manual_seed(generator))
    torch.manual_seed(4)
    whole = begun(data()).to_the_end()
    trainer = begun_seeded(data(), checkpoint=tmp_path / "run")
    trainer.advance(steps=at)
    trainer.close()
    assert same(begun_seeded(data(), checkpoint=tmp_path / "run", resume=True).to_the_end(), whole)


def begun_seeded(data, **settings):
    torch.manual_seed(0)  # as a script does at its beginning
    return begun(data, **settings)


def test_loaders_whose_batches_are_others_are_told(tmp_path):
    rng = np.random.default_rng(0)
    data = loaded(lambda: torch.from_numpy(rng.normal(size=2)).float())
    trainer = begun_seeded(data, checkpoint=tmp_path / "run")
    trainer.advance(steps=3)
    trainer.close()
    with pytest.raises(InputError, match="began with other batches before"):
        begun_seeded(data, checkpoint=tmp_path / "run", resume=True).to_the_end()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"data": (X + 1, Y)}, "data was"),
        ({"optimizer": SGD(0.1)}, "optimizer was"),
        ({"batch_size": 5}, "batch size was 20, and is 5"),
    ],
)
def test_other_trainings_are_refused(changed, told, tmp_path):
    settings = {"optimizer": Adam(0.01), "batch_size": 20}
    begun(**settings, checkpoint=tmp_path / "run").to_the_end()
    with pytest.raises(CheckpointError, match=told):
        begun(**(settings | changed), checkpoint=tmp_path / "run", resume=True)


def test_frozen_parameters_must_be_the_same(tmp_path):
    def module(seed):
        made = network(seed)
        made[0].requires_grad_(False)
        return made

    settings = {"optimizer": Adam(0.01), "steps": 3, "checkpoint": tmp_path / "run"}
    result = minimize(module(0), squared, (X, Y), **settings)
    assert "0.weight" not in result.params
    with pytest.raises(CheckpointError, match="frozen parameters was"):
        minimize(module(1), squared, (X, Y), **settings, resume=True)


def test_a_checkpoint_is_written_on_the_way(tmp_path):
    seen = []
    look = lambda progress: seen.append((tmp_path / "run").exists())
    begun(checkpoint=Checkpoint(tmp_path / "run", every=0.0), observers=[look], steps=200).to_the_end()
    assert seen[-1]


# ------------------------------------------------------------------------------------------------------- looking into


def test_looks_into_a_run():
    """Gradient and curvature of a quadratic, whose Hessian is known."""
    module = torch.nn.Linear(2, 1, bias=False)
    loss = lambda module, batch: 0.5 * (module(batch) ** 2).mean()
    run = ModuleTrainer.begin(module, loss, X, optimizer=SGD(0.1), steps=1).run
    hessian = X.T @ X / len(X)
    value, gradient = run.loss_and_grad(X)
    w = run.params["weight"]
    assert torch.allclose(gradient["weight"], w @ hessian, atol=1e-6)
    assert value == pytest.approx(float(0.5 * w @ hessian @ w.T), rel=1e-5)
    v = torch.tensor([[1.0, -2.0]])
    assert torch.allclose(run.hvp({"weight": v}, X)["weight"], v @ hessian, atol=1e-6)
    assert run.loss() == pytest.approx(loss(module, run.batch()).item())


def test_a_fork_with_half_the_rate():
    run = begun(optimizer=SGD(0.2)).run
    ahead, _ = run.advance(1)
    half, _ = run.fork(learning_rate=0.1).advance(1)
    for name, start in run.params.items():
        moved, less = ahead.params[name] - start, half.params[name] - start
        assert torch.allclose(less, moved / 2, atol=1e-6)


def test_forks_with_other_things():
    run, _ = begun().run.advance(2)
    assert run.fork(batch_size=5).batch()[0].shape == (5, 2)
    assert not torch.equal(run.fork(seed=8).batch()[0], run.batch()[0])
    zero = {"4.bias": torch.zeros(1)}
    assert run.fork(params=zero).params["4.bias"].item() == 0
    with pytest.warns(UserWarning, match="memory of the fork's SGD begins anew"):
        run.fork(optimizer=SGD(0.1))
    with pytest.raises(InputError, match=r"no parameter '9.bias'"):
        run.fork(params={"9.bias": torch.zeros(1)})


@pytest.mark.parametrize("data", ["tensors", "loader"])
def test_a_cause_is_proved_by_replay(data):
    """Draws differ from each other also where a loader's order is its own, or their interval would prove anything."""
    given = (X, Y) if data == "tensors" else DataLoader(TensorDataset(X, Y), batch_size=32)
    run = begun(given, optimizer=SGD(1e-5)).run
    replay = what_if(run, steps=25, draws=3, data=HELD_OUT, learning_rate=0.1)
    assert replay.verdict == "proved"
    assert len(set(replay.after)) == 3


# ------------------------------------------------------------------------------------------------------------ refusals


def test_a_module_in_the_other_door_is_shown_this_one():
    for arguments in [(squared, network(), (X, Y)), (network(), squared, (X, Y)), (squared, {"a": X})]:
        with pytest.raises(InputError, match=r"descend.torch.minimize\(module, loss, data\)"):
            descend.minimize(*arguments)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"module": squared}, "trains a torch.nn.Module, but this is a function"),
        ({"module": torch.nn.Tanh()}, "no parameter that requires a gradient"),
        ({"module": torch.nn.LazyLinear(3)}, "lazy layers"),
        ({"module": torch.nn.Linear(2, 1, dtype=torch.complex64)}, "real and imaginary"),
        ({"loss": torch.nn.MSELoss()}, r"write lambda module, batch: criterion\(module\(batch\[0\]\), batch\[1\]\)"),
        ({"loss": torch.nn.functional.mse_loss}, "mse_loss compares outputs with targets"),
        ({"loss": 3}, "must be a function"),
        ({"loss": lambda module, batch: module(batch[0])}, r"a real scalar.* of shape \[64, 1\]"),
        ({"loss": lambda module, batch: batch[0].sum()}, "does not depend on any parameter"),
        ({"loss": lambda module, batch: (squared(module, batch), 3)}, "a dict of what to record"),
        ({"data": None}, "a module is trained on data"),
        ({"data": (X, Y[:3])}, "differ in their number of examples"),
        ({"data": ()}, "no examples"),
        ({"data": Noisy(lambda: 0)}, "DataLoader"),
        ({"data": iter([X])}, "only once"),
        ({"data": "abc"}, "must be tensors"),
        ({"data": loaded(), "batch_size": 3}, "which has its own"),
        ({"batch_size": 97}, "between 1 and the 96"),
        ({"optimizer": torch.optim.SGD(network().parameters(), 0.1)}, "rule of descend's"),
        ({"optimizer": descend.optimizers.LevenbergMarquardt()}, "cannot step PyTorch's tensors"),
        ({"stop": descend.Convergence()}, "looks at a loss without noise"),
        ({"stop": Plateau()}, "give validation="),
        ({"resume": True}, "needs checkpoint="),
        ({"validate_every": 0}, "at least 1 step"),
        ({"on_nonfinite": "wait"}, "must be 'stop' or 'skip'"),
        ({"steps": -1}, "at least 0"),
    ],
)
def test_refuses(given, told):
    settings = {"module": network(), "loss": squared, "data": (X, Y), "optimizer": SGD(0.1), "steps": 2} | given
    with pytest.raises(InputError, match=told) as refused:
        minimize(**settings)
    assert "\n" not in str(refused.value)
