"""Every number of an optimizer may change under a compiled program, or be one of many side by side."""

import dataclasses
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import QUICK

from descend.errors import InputError
from descend.optimizers import (
    EMA,
    LARS,
    SGD,
    AdaDelta,
    Adam,
    AdamW,
    AdaptiveClip,
    ClipByValue,
    Lion,
    ReduceOnPlateau,
    family,
)
from descend.optimizers._rule import bias_correction
from descend.schedules import has
from enforced import without_types

STEPS = 8
TWO = {  # values of a setting, by its name
    "learning_rate": (0.1, 0.05), "momentum": (0.9, 0.5), "beta": (0.9, 0.7), "beta1": (0.9, 0.8), "beta2": (0.95, 0.7),
    "beta3": (0.95, 0.8), "shampoo_beta": (0.9, 0.8), "decay": (0.9, 0.7), "eps": (1e-3, 1e-2), "eps_root": (0.01, 0.1),
    "weight_decay": (0.1, 0.3), "momentum_decay": (0.5, 1.0), "initial_accumulator": (0.1, 1.0),
    "threshold": (0.9, 0.1), "power": (0.8, 0.5), "min_scale": (0.01, 2.0), "clip": (0.5, 0.1),
    "trust_coefficient": (0.1, 0.3), "f_star": (-1.0, -2.0), "max_rate": (0.1, 0.02), "c": (0.5, 2.0),
    "d0": (1e-3, 1e-2), "d_coef": (1.0, 2.0), "growth_rate": (1.5, 1.2), "reps_rel": (1e-3, 1e-2),
    "exponent": (0.25, 0.3), "decrease": (1e-4, 0.05),
    "curvature": (0.1, 0.6), "shrink": (0.5, 0.3), "grow": (2.0, 1.5), "limit": (0.5, 0.1), "fraction": (0.5, 0.3),
    "gamma": (1.0, 3.0), "radius": (0.3, 0.1), "factor": (0.5, 0.3), "floor": (0.01, 0.02),
    ("RAdam", "threshold"): (4.0, 5.0), "lower": (-0.5, -0.4), "upper": (0.5, 0.4),
}  # fmt: skip
MAY_BE_NONE = {"beta3", "growth_rate", "max_rate", "exponent", "shampoo_beta", ("Shampoo", "beta")}
WITHOUT = {"Accumulate", "Freeze", "PerGroup", "SkipNonfinite"}  # which have patterns and counts, but no numbers
MORE = {"ReduceOnPlateau": {"patience": 0}, "ClipByValue": {"limit": 0.5}, "ClipByNorm": {"limit": 0.5}}
JAX_ALONE = {"LevenbergMarquardt", "Newton", "NewtonCG"}  # which take derivatives themselves
MEMBERS = {member.name: member for member in family() if member.kind != "schedule" and member.name not in WITHOUT}
rng = np.random.default_rng(5)
X, Y = rng.normal(size=(6, 3)), 3 * rng.normal(size=(6, 2))
START = {"weight": rng.normal(size=(3, 2)), "bias": rng.normal(size=2)}


def numbers(name):
    """The settings that are numbers: whose default is one, that may be none, or that must be given."""
    fields = dataclasses.fields(MEMBERS[name].cls)
    return [f.name for f in fields if isinstance(f.default, float) or f.name == "limit"
            or not MAY_BE_NONE.isdisjoint({f.name, (name, f.name)})]


def made(name, values):
    around = (SGD(0.1),) if MEMBERS[name].kind == "modifier" else ()
    return MEMBERS[name].cls(*around, **MORE.get(name, {}) | values)


def value_and_grad(params):
    residual = X @ params["weight"] + params["bias"] - Y
    grads = {"weight": X.T @ residual / len(X), "bias": residual.sum(0) / len(X)}
    return 0.5 * (residual * residual).sum() / len(X), grads


def residuals(params):
    return (X @ params["weight"] + params["bias"] - Y).reshape(-1) / len(X) ** 0.5


def step(rule, params, state):
    value, grads = value_and_grad(params)
    updates, state = rule.update(grads, state, params, value=value, value_fn=lambda p: value_and_grad(p)[0],
                                 value_and_grad=value_and_grad, residual_fn=residuals)
    return jax.tree.map(operator.add, params, updates), state


def walk(rule, start, made_step=step):
    """The parameters at the end, and those to evaluate."""
    params, state = start, rule.init(start)
    for _ in range(STEPS):
        params, state = made_step(rule, params, state)
    return params, rule.eval_params(state, params)


def assert_close(got, want, tolerance=1e-9):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), got, want)


# ------------------------------------------------------------------------------------- under a compiled program


@pytest.mark.parametrize("name", MEMBERS)
def test_other_numbers_do_not_compile_again(name):
    """Each number changed by itself, and all together: the path is that of NumPy, where nothing is compiled."""
    values = {number: TWO.get((name, number), TWO.get(number)) for number in numbers(name)}
    first = {number: one for number, (one, _) in values.items()}
    changed = [first | {number: other} for number, (_, other) in values.items()]
    changed.append({number: other for number, (_, other) in values.items()})
    compiled = jax.jit(lambda *args: step(*args), compiler_options=QUICK)  # noqa: PLW0108  # with a cache of its own
    with jax.enable_x64(True), without_types():
        start = jax.tree.map(jnp.asarray, START)
        for settings in [first, *changed]:
            rule = made(name, settings)
            got = walk(rule, start, compiled)
            if name not in JAX_ALONE:
                assert_close(got, walk(rule, START))
        if name in JAX_ALONE:  # the last path again, with constants
            of_constants = jax.jit(lambda params, state: step(rule, params, state), compiler_options=QUICK)
            assert_close(got, walk(rule, start, lambda _, *args: of_constants(*args)))
    assert compiled._cache_size() == 1
    assert len(changed) > 1


def test_those_without_numbers_are_known():
    """Settings that are left fixed are choices, counts, patterns and optimizers."""
    kinds = {type(field.default) for member in family() if member.name in WITHOUT
             for field in dataclasses.fields(member.cls) if field.default is not dataclasses.MISSING}
    assert float not in kinds


@pytest.mark.parametrize("whole", [1, np.int64(1), np.float32(1)])
def test_whole_numbers_and_numpys_do_not_compile_again(whole):
    compiled = jax.jit(lambda rule, g: rule.update(g, rule.init(g), g)[0])
    g = jnp.ones(2)
    for decay in (0.5, whole):
        np.testing.assert_allclose(compiled(AdamW(0.1, weight_decay=decay), g), -0.1 - 0.1 * decay, rtol=1e-6)
    assert compiled._cache_size() == 1


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9, 0.999, 0.99999])
def test_bias_correction_keeps_float32(beta):
    t = np.asarray([1, 2, 3, 10, 1000], np.float32)
    exact = 1 - np.longdouble(np.float32(beta)) ** t
    np.testing.assert_allclose(jax.jit(bias_correction)(beta, t), exact.astype(float), rtol=1e-6)


# --------------------------------------------------------------------------------------------- many side by side


@pytest.mark.parametrize(
    ("make", "name", "values"),
    [(SGD, "momentum", (0.0, 0.5, 0.9)), (Adam, "beta1", (0.0, 0.9)), (Adam, "eps", (1e-8, 0.1)),
     (AdamW, "weight_decay", (0.0, 0.5)), (AdamW, "learning_rate", (0.1, 0.01))],
    ids=lambda part: part if isinstance(part, str) else None,
)
def test_vmap_over_a_number_is_many_runs(make, name, values):
    def loop(rule):
        begin = jax.tree.map(jnp.asarray, START)
        carry = begin, rule.init(begin)
        return jax.lax.scan(lambda carry, _: (step(rule, *carry), None), carry, length=STEPS)[0][0]

    settings = {"learning_rate": 0.1, "momentum": 0.9} if make is SGD else {"learning_rate": 0.1}
    with jax.enable_x64(True):
        rule = make(**settings | {name: jnp.asarray(values)})
        many = jax.tree.map(lambda number: 0 if np.ndim(number) else None, rule)
        together = jax.jit(jax.vmap(loop, in_axes=(many,)), compiler_options=QUICK)(rule)
    singly = [walk(make(**settings | {name: value}), START)[0] for value in values]
    assert_close(together, jax.tree.map(lambda *each: np.stack(each), *singly))


ARRAYS = [
    SGD(0.1, momentum=np.asarray(0.9)), Adam(0.1, beta1=np.asarray(0.9), eps_root=np.asarray(0.1)),
    LARS(0.1, weight_decay=np.asarray(0.1)), EMA(SGD(0.1), decay=np.asarray(0.9)),
    ClipByValue(SGD(0.1), np.asarray(0.1)), AdaptiveClip(SGD(0.1), np.asarray(0.1), eps=np.asarray(0.1)),
    ReduceOnPlateau(SGD(0.1), factor=np.asarray(0.5), floor=np.asarray(0.01)),
]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("rule", ARRAYS, ids=lambda rule: type(rule).__name__)
def test_numbers_that_are_arrays_keep_the_dtype(rule, dtype):
    """Those of NumPy are of 64 bits, and could promote; looked at as a compiled loop would look."""
    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: jnp.asarray(x, dtype), START)
        state = jax.eval_shape(rule.init, params)
        updates, after = jax.eval_shape(lambda *args: rule.update(*args, value=1.0), params, state, params)
        changed = jax.eval_shape(lambda rule: rule.update(params, rule.init(params), params, value=1.0), rule)
    kinds = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
    assert kinds((updates, after)) == kinds(changed) == kinds((params, state))


@pytest.mark.parametrize("rule", ARRAYS, ids=lambda rule: type(rule).__name__)
def test_numbers_that_are_arrays_keep_float32_in_numpy(rule):
    params = jax.tree.map(np.float32, START)
    updates, _ = rule.update(params, rule.init(params), params, value=1.0)
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {np.dtype(np.float32)}


# ------------------------------------------------------------------------------------------------ switched off


@pytest.mark.parametrize("zero", [0.0, 0, np.float32(0)])
def test_a_number_that_is_off_is_structure(zero):
    off, on = SGD(0.1, momentum=zero), SGD(0.1, momentum=0.9)
    assert not has(off, "momentum")
    assert off.slots == ()
    assert jax.tree.leaves(off) == [0.1]
    assert jax.tree.leaves(on) == [0.1, 0.9]
    assert jax.tree.structure(off) == jax.tree.structure(SGD(0.2)) != jax.tree.structure(on)
    with pytest.raises(ValueError, match="different pytree metadata"):
        jax.tree.map(lambda *numbers: jnp.stack(numbers), off, on)


@pytest.mark.parametrize("rule", [SGD(0.1), SGD(0.1, momentum=0.9)], ids=repr)
def test_structure_does_not_depend_on_the_leaves(rule):
    """A tree of zeros, such as `vmap` is told its axes by, is one of the same kind."""
    axes = jax.tree.map(lambda _: 0, rule)
    assert jax.tree.structure(axes) == jax.tree.structure(rule)
    assert axes.slots == rule.slots
    assert jax.tree.unflatten(jax.tree.structure(rule), jax.tree.leaves(rule)) == rule


@pytest.mark.parametrize(("make", "name"), [(AdaDelta, "decay"), (Lion, "beta2")])
def test_refuses_arrays_with_a_zero_that_takes_another_formula(make, name):
    made = make(**{name: jnp.asarray([0.5, 0.9])})
    assert has(made, name)
    message = f"^{make.__name__}: {name} is 0 in an array of numbers, but .*: give 0 by itself, as a number$"
    for zeros in (np.asarray(0.0), jnp.asarray([0.0, 0.9])):
        with pytest.raises(InputError, match=message):
            make(**{name: zeros})


def test_an_array_is_on():
    assert SGD(0.1, momentum=jnp.zeros(())).slots == ("velocity",)
    assert SGD(0.1, momentum=jnp.zeros(3)).slots == ("velocity",)
