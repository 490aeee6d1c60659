"""Muon, Shampoo and SOAP: Muon against its algorithm box, all three against their peers, and what is theirs alone."""

from functools import partial
from importlib import import_module
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from boxes_matrix import muon as box
from case import RATES, SCHEDULE, STEPS, TOLERANCE
from decayed import DECAY, coupled
from references import QUICK, actual, assert_close, compiled_run, in_a_loop, problem, run

import descend
from descend.errors import InputError
from descend.optimizers import SGD, SOAP, AdamW, External, Muon, Shampoo, _linalg, muon
from descend.schedules import Cosine

peers = pytest.mark.peers
RMS = {"weight_decay": 0.5, "nesterov": False, "momentum": 0.8, "outputs_last": True}
SETTINGS = {  # of the rule, and of its algorithm box
    "default": ({}, {}),
    "rms": (RMS | {"scale": "match_rms_adamw"}, RMS | {"scale": "rms"}),
    "none": ({"scale": "none", "steps": 7, "eps": 0.1}, {"scale": "none", "steps": 7, "eps": 0.1}),
}
TINY = 1e-30  # an ε that makes no difference, for peers that add it elsewhere


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")


def in_torch(torch, make, start, gradients, rates=RATES):
    """The parameters after every step of an optimizer of PyTorch's, stacked; `make` takes a list of parameters."""
    leaves, treedef = jax.tree.flatten(start)
    params = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    optimizer, seen = make(params), []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rates[step]
        for p, g in zip(params, jax.tree.leaves(gradients), strict=True):
            p.grad = torch.tensor(g[step])
        optimizer.step()
        seen.append([p.detach().numpy().copy() for p in params])
    return treedef.unflatten([np.stack(steps) for steps in zip(*seen, strict=True)])


def without_scalars(tree):
    """A tree like that of `problem` without its scalar."""
    return {name: part for name, part in tree.items() if name != "scale"}


def gaussian(*shape, seed=3):
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


# ---------------------------------------------------------------------------------------------- Muon: the mathematics


@pytest.mark.parametrize("world", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", SETTINGS)
def test_muon_follows_the_algorithm_box(name, dtype, world):
    settings, of_the_box = SETTINGS[name]
    wanted = jax.tree.map(lambda x, g: np.stack(list(box(x, g, RATES, **of_the_box))), *problem())
    with jax.enable_x64(dtype == "float64"):
        got = (compiled_run if world == "jax" else run)(Muon(SCHEDULE, **settings), *problem(dtype))
    assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {np.dtype(dtype)}
    assert_close(got, wanted, TOLERANCE[dtype])


@peers
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_muon_steps_tensors_of_pytorch(torch, dtype):
    got, wanted = (run(Muon(SCHEDULE), *problem(dtype), array) for array in (torch.tensor, np.asarray))
    assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {np.dtype(dtype)}
    assert_close(got, wanted, TOLERANCE[dtype])


@peers
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    ("settings", "theirs"),
    [({"eps": TINY}, {}), ({"eps": TINY, "scale": "match_rms_adamw"}, {"adjust_lr_fn": "match_rms_adamw"}),
     ({"eps": TINY, "nesterov": False, "momentum": 0.8}, {"nesterov": False, "momentum": 0.8})],
    ids=["original", "match_rms_adamw", "heavy_ball"],
)
def test_muon_steps_as_pytorch(torch, monkeypatch, settings, theirs, dtype):
    """PyTorch iterates in bfloat16; it is made to do so in the array's dtype. It takes arrays of two axes only."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    flat = jax.tree.map(lambda x: x.reshape(x.shape[0], -1), problem(dtype)[0]["filters"])
    start = {"filters": flat, "weight": problem(dtype)[0]["layers"][0]["weight"]}
    gradients = {"filters": [problem(dtype)[1]["filters"][0].reshape(STEPS, *flat[0].shape)],
                 "weight": problem(dtype)[1]["layers"][0]["weight"]}
    wanted = in_torch(torch, partial(torch.optim.Muon, **theirs, weight_decay=DECAY, lr=1.0), start, gradients)
    assert_close(run(Muon(SCHEDULE, **settings, weight_decay=DECAY), start, gradients), wanted, TOLERANCE[dtype])


@peers
@pytest.mark.parametrize("tall", [False, True])
def test_muon_in_bfloat16_is_pytorchs(torch, tall):
    """As published. A bfloat16 has 8 bits, and five steps of the iteration magnify their rounding."""
    g = np.float32(gaussian(48, 32) if tall else gaussian(32, 48))
    params = [torch.zeros(g.shape, requires_grad=True)]
    params[0].grad = torch.tensor(g)
    torch.optim.Muon(params, lr=1.0, weight_decay=0.0).step()
    wanted = params[0].detach().numpy()
    for array in (torch.tensor, jnp.asarray):
        x = array(g)
        rough, exact = (Muon(1.0, iterate_in=kind).update(x, Muon().init(x), x)[0] for kind in ("bfloat16", None))
        assert rough.dtype == x.dtype
        for update, tolerance in ((rough, 0.08), (exact, 0.03)):
            assert 0 < np.linalg.norm(np.asarray(update) - wanted) < tolerance * np.linalg.norm(wanted)


@peers
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rms", [False, True])
def test_muon_and_its_companion_step_as_pytorch_optimizer(torch, monkeypatch, rms, dtype):
    """That package iterates in bfloat16; it is made to do so in the array's dtype."""
    package = pytest.importorskip("pytorch_optimizer", reason="a peer: pip install 'descend[peers]'")
    base = import_module("pytorch_optimizer.optimizer.muon.base")
    iteration = partial(base.zero_power_via_newton_schulz_5, dtype=getattr(torch, dtype))
    monkeypatch.setattr(base, "zero_power_via_newton_schulz_5", iteration)

    def make(params):
        groups = [{"params": [p for p in params if (p.ndim > 1) == use_muon], "use_muon": use_muon}
                  for use_muon in (True, False)]
        settings = {"adamw_lr": 0.01, "adamw_wd": DECAY, "weight_decay": DECAY, "use_adjusted_lr": rms}
        return package.Muon(groups, **settings)

    companion = AdamW(0.01, beta2=0.95, eps=1e-10, weight_decay=DECAY)
    scale = "match_rms_adamw" if rms else "original"
    ours = Muon(SCHEDULE, scale=scale, weight_decay=DECAY, eps=TINY, companion=companion)
    assert_close(run(ours, *problem(dtype)), in_torch(torch, make, *problem(dtype)), TOLERANCE[dtype])


@peers
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rms", [None, 0.2])
def test_muon_and_its_companion_step_as_optax(rms, dtype):
    """Optax has a layer's outputs last. It corrects the momentum for its start at zero, which makes no difference once
    it is orthogonal, but to Nesterov's form."""
    contrib = pytest.importorskip("optax.contrib", reason="compares with Optax: pip install 'descend[peers]'")
    filters = contrib.MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    numbers = {"scale": None, "filters": [filters],
               "layers": ({"weight": contrib.MuonDimensionNumbers(), "bias": None},)}
    peer = contrib.muon(lambda step: 0.1 / (1 + 0.05 * step), nesterov=False, weight_decay=DECAY, eps=TINY,
                        adam_learning_rate=0.01, adam_weight_decay=DECAY, consistent_rms=rms,
                        muon_weight_dimension_numbers=lambda _: numbers)
    ours = Muon(SCHEDULE, nesterov=False, weight_decay=DECAY, eps=TINY, outputs_last=True,
                scale="original" if rms is None else "match_rms_adamw",
                companion=AdamW(0.01, eps=TINY, weight_decay=DECAY))
    with jax.enable_x64(dtype == "float64"):
        wanted = jax.jit(lambda *given: in_a_loop(peer, *given), compiler_options=QUICK)(*problem(dtype))
    assert_close(run(ours, *problem(dtype)), jax.tree.map(np.asarray, wanted), TOLERANCE[dtype])


@pytest.mark.parametrize("xp", [np, jnp])
@pytest.mark.parametrize("shape", [(5, 5), (3, 40), (40, 3)])
def test_muon_steps_are_nearly_orthogonal(shape, xp):
    """Singular values between .68 and 1.13 are where the authors' quintic settles."""
    g = xp.asarray(gaussian(*shape), dtype=xp.float32)
    update, _ = Muon(1.0, scale="none").update(g, Muon().init(g), g)
    values = np.linalg.svd(np.asarray(update), compute_uv=False)
    assert values.min() > 0.65
    assert values.max() < 1.15


def test_muon_steps_many_matrices_as_it_steps_each(monkeypatch):
    shapes = [(3, 4), (4, 3), (3, 4), (2, 2), (4, 3), (3, 4), (3, 2, 2)]
    grads = [gaussian(*shape, seed=i) for i, shape in enumerate(shapes)]
    rule = Muon(0.1)
    singly = [rule.update(g, rule.init(g), g)[0] for g in grads]
    for together in (muon.MAX_STACKED_NUMBERS, 24, 1):
        monkeypatch.setattr(muon, "MAX_STACKED_NUMBERS", together)
        assert_close(rule.update(grads, rule.init(grads), grads)[0], singly, 1e-12)


# ---------------------------------------------------------------------------------------------- Muon: the partition


MODEL = {"embedding": (5, 2), "block": {"weight": (4, 3), "bias": (3,)}, "multihead_attention": (3, 3),
         "lm_head": {"kernel": (2, 5)}, "head": (2, 2), "scale": ()}


def model():
    return jax.tree.map(lambda shape: gaussian(*shape), MODEL, is_leaf=lambda leaf: isinstance(leaf, tuple))


def test_muon_leaves_vectors_embeddings_and_heads_to_its_companion():
    rule, params = Muon(0.1, companion=SGD(0.5)), model()
    updates, state = rule.update(params, rule.init(params), params)
    plain = jax.tree.map(lambda u, g: bool(np.allclose(u, -0.5 * g)), updates, params)
    assert plain == {"embedding": True, "block": {"weight": False, "bias": True}, "multihead_attention": False,
                     "lm_head": {"kernel": True}, "head": True, "scale": True}
    assert rule.metrics(state)["learning_rate"] == 0.1
    assert rule.metrics(state)["learning_rate/matrices"] == 0.1
    assert rule.metrics(state)["learning_rate/companion"] == 0.5
    assert Muon(0.1, companion=SGD(0.5), vectors="block/*").part_of("head", params["head"]) == "matrices"


def test_muons_rates_are_leaves_and_fill_in_their_schedules():
    rule = Muon(Cosine(0.1), companion=AdamW(Cosine(0.2)))
    assert rule.over(40) == Muon(Cosine(0.1, steps=40), companion=AdamW(Cosine(0.2, steps=40)))
    assert {0.1, 0.5} <= set(jax.tree.leaves(Muon(0.1, companion=SGD(0.5))))
    assert eval(repr(rule), vars(descend.optimizers) | vars(descend.schedules)) == rule


def test_muon_refuses_patterns_that_fit_nothing():
    with pytest.raises(InputError, match=r"^Muon: the pattern 'blocks/[*]' fits no parameter"):
        Muon(vectors="blocks/*").init(model())


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"scale": "rms"}, "Muon: scale must be one of 'original', 'match_rms_adamw', 'none', but is 'rms'"),
     ({"iterate_in": "float8"}, "Muon: iterate_in must be one of 'bfloat16', 'float32', but is 'float8'"),
     ({"steps": 0}, "Muon: steps must be a whole number of at least 1, but is 0"),
     ({"momentum": 1.0}, "Muon: momentum must be at least 0 and below 1, but is 1.0")],
)
def test_muon_refuses_settings(settings, message):
    with pytest.raises(InputError) as error:
        Muon(**settings)
    assert str(error.value) == message


def test_muon_needs_the_parameters():
    params = model()
    with pytest.raises(InputError, match="needs the parameters"):
        Muon().update(params, Muon().init(params))


def test_muon_refuses_a_foreign_companion():
    with pytest.raises(InputError, match="Muon takes an optimizer of descend's"):
        Muon(companion=SimpleNamespace(init=None, update=None))
    assert Muon(companion=External(SimpleNamespace(init=None, update=None)))


# ---------------------------------------------------------------------------------------------- Shampoo and its peers


@peers
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_shampoo_steps_as_pytorch_optimizer(torch, dtype):
    """That package steps scalars as SGD does."""
    package = pytest.importorskip("pytorch_optimizer", reason="a peer: pip install 'descend[peers]'")
    start, gradients = map(without_scalars, problem(dtype))
    make = partial(package.Shampoo, weight_decay=DECAY, matrix_eps=1e-4)
    got = run(coupled(Shampoo)(SCHEDULE), start, gradients)
    assert_close(got, in_torch(torch, make, start, gradients), TOLERANCE[dtype])


@peers
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_averaging_shampoo_steps_as_pytorch_optimizer(torch, dtype):
    """That package does not correct the average for its start at zero, which the rates can make up for, lets ε decay,
    and leaves vectors and scalars to grafting."""
    package = pytest.importorskip("pytorch_optimizer", reason="a peer: pip install 'descend[peers]'")
    make = partial(
        package.ScalableShampoo, betas=(0.0, 0.9), matrix_eps=0.0, use_svd=True, graft_type=0, nesterov=False,
        start_preconditioning_step=1, preconditioning_compute_steps=1, shape_interpretation=False,
    )
    start, gradients = (tree["layers"][0]["weight"][..., :3, :] for tree in problem(dtype))
    rates = [rate * np.sqrt(1 - 0.9**t) for t, rate in enumerate(RATES, start=1)]
    got = run(Shampoo(SCHEDULE, beta=0.9, eps=0.0), start, gradients)
    assert_close(got, in_torch(torch, make, start, gradients, rates), TOLERANCE[dtype])


def test_shampoo_of_a_vector_is_full_matrix_adagrad():
    g = gaussian(4, 3)
    got, state, total = Shampoo(1.0, eps=0.5), Shampoo().init(g[0]), 0.5 * np.eye(3)
    for row in g:
        update, state = got.update(row, state)
        total = total + np.outer(row, row)
        values, vectors = np.linalg.eigh(total)
        np.testing.assert_allclose(update, -vectors @ np.diag(values**-0.5) @ vectors.T @ row, rtol=1e-12)


# ---------------------------------------------------------------------------------------------- SOAP and its peers


@peers
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["soap", "soap_often"])
def test_soap_steps_as_pytorch_optimizer(torch, monkeypatch, name, dtype):
    """That package decomposes in float32; it is made to do so in float64 for arrays of float64."""
    package = pytest.importorskip("pytorch_optimizer", reason="a peer: pip install 'descend[peers]'")
    module = import_module("pytorch_optimizer.optimizer.soap")
    monkeypatch.setattr(module, "torch", SimpleNamespace(**vars(torch) | {"float32": getattr(torch, dtype)}))
    often = {"betas": (0.9, 0.99), "shampoo_beta": 0.9, "precondition_frequency": 1, "max_precondition_dim": 3,
             "weight_decay": 0.5, "eps": 1e-4}
    wanted = in_torch(torch, partial(package.SOAP, **often if name == "soap_often" else {}), *problem(dtype))
    assert_close(actual(name, dtype, "numpy"), wanted, TOLERANCE[dtype])


@peers
def test_soap_steps_tall_matrices_alike_in_all_worlds(torch):
    """The correlations of a tall matrix have a null space at first, of whose eigenvectors each library has others."""
    start, gradients = gaussian(12, 3), gaussian(STEPS, 12, 3, seed=4)
    rule = SOAP(SCHEDULE, every=4)
    in_numpy, tensors = (run(rule, start, gradients, array) for array in (np.asarray, torch.tensor))
    with jax.enable_x64(True):
        assert_close(compiled_run(rule, start, gradients), in_numpy, 1e-9)
    assert_close(tensors, in_numpy, 1e-9)


@pytest.mark.parametrize("xp", [np, jnp])
def test_soaps_bases_stay_orthogonal_and_find_the_eigenvectors(xp):
    """The same gradients again and again have the eigenvectors of their sum, to which power iteration converges."""
    gs = [xp.asarray(g, dtype=xp.float32) for g in gaussian(3, 4, 3)]
    rule, state = SOAP(0.1, every=1), SOAP().init(gs[0])
    for step in range(120):
        _, state = rule.update(gs[step % 3], state, gs[0])
    for q, correlation in zip(state.slots["basis"], state.slots["correlations"], strict=True):
        np.testing.assert_allclose(q.T @ q, np.eye(len(q)), atol=1e-5)
        seen = np.asarray(q @ correlation @ q.T)  # eigenvectors are rows
        assert np.abs(seen - np.diag(np.diag(seen))).max() < 0.02 * np.abs(seen).max()


# ---------------------------------------------------------------------------------------------- both, all three


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("rule", [Muon(0.1), Shampoo(0.1), SOAP(0.1, every=1)], ids=lambda rule: type(rule).__name__)
def test_steps_half_precision_with_matrices_of_full_precision(rule, kind):
    x = jnp.asarray(gaussian(4, 3), dtype=kind)
    state = rule.init(x)
    for _ in range(3):
        update, state = rule.update(x, state, x)
    assert update.dtype == x.dtype
    assert np.isfinite(np.float32(update)).all()
    square = [leaf for leaf in jax.tree.leaves(state) if leaf.shape in {(4, 4), (3, 3)}]
    assert {leaf.dtype for leaf in square} <= {np.dtype("float32")}


@pytest.mark.parametrize("rule", [Muon(0.05, companion=AdamW(0.05)), Shampoo(0.5, every=5, eps=0.01), SOAP(0.05)],
                         ids=lambda rule: type(rule).__name__)
def test_fits_a_linear_map(rule):
    features, true = gaussian(64, 6), gaussian(6, 4)
    loss = lambda params, batch: jnp.mean((batch @ params["weight"] + params["bias"] - batch @ true - 1.0) ** 2)
    start = {"weight": np.zeros((6, 4)), "bias": np.zeros(4)}
    fit = descend.minimize(loss, start, features, optimizer=rule, batch_size=64, steps=300, stop=[])
    assert loss(fit.params, features) < 1e-2 * loss(start, features)
    assert "learning_rate" in fit.history.to_pandas()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_matrices_along_an_axis(axis):
    x, letters = gaussian(2, 3, 4), "abc"
    matrix = gaussian(x.shape[axis], x.shape[axis])
    new = letters.replace(letters[axis], "z")
    np.testing.assert_allclose(_linalg.applied(matrix, x, axis), np.einsum(f"z{letters[axis]},abc->{new}", matrix, x))
    np.testing.assert_allclose(_linalg.gram_along(x, axis), np.einsum(f"abc,{new}->{letters[axis]}z", x, x))
