"""Settings by groups of parameters, and parameters that are frozen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import GetAttrKey
from references import RATES, SCHEDULE, STEPS, assert_close, compiled_run, problem, run
from walks import assert_same_bits

from descend.errors import InputError
from descend.optimizers import EMA, SGD, Adam, External, Freeze, Iterate, Optimizer, PerGroup, WeightDecay
from descend.optimizers.quasi_newton import LBFGS
from descend.schedules import Cosine, InverseTime

RULE = PerGroup(SGD(SCHEDULE), {"*/bias": SGD(0.1), ("filters/*", "scale"): Adam(SCHEDULE)})


# ---------------------------------------------------------------------------------------------------- groups


def test_each_group_is_stepped_by_its_own_rule():
    start, gradients = problem()
    seen = run(RULE, start, gradients)
    layer = {name: part[0] for name, part in (("start", start["layers"]), ("gradients", gradients["layers"]))}
    wanted = {
        "scale": run(Adam(SCHEDULE), start["scale"], gradients["scale"]),
        "filters": run(Adam(SCHEDULE), start["filters"], gradients["filters"]),
        "layers": ({"weight": run(SGD(SCHEDULE), layer["start"]["weight"], layer["gradients"]["weight"]),
                    "bias": run(SGD(0.1), layer["start"]["bias"], layer["gradients"]["bias"])},),
    }  # fmt: skip
    assert_same_bits(seen, wanted)


def test_the_first_group_that_fits_has_a_parameter():
    params = {"a": {"bias": np.ones(1), "weight": np.ones(1)}, "b": {"bias": np.ones(1)}}
    rule = PerGroup(SGD(1.0), {"a/*": SGD(0.1), "*bias": SGD(0.01)})
    updates, _ = rule.update(params, rule.init(params), params)
    moved = {"a": {"bias": -0.1, "weight": -0.1}, "b": {"bias": -0.01}}
    assert jax.tree.map(float, jax.tree.map(np.squeeze, updates)) == moved


def test_a_default_may_have_nothing_to_do():
    rule, params = PerGroup(SGD(1.0), {"*": SGD(0.1)}), {"a": np.ones(1)}
    assert rule.update(params, rule.init(params), params)[0]["a"] == -0.1


def test_within_a_group_paths_are_whole():
    params = {"a": {"bias": np.ones(1), "weight": np.ones(1)}, "b": np.ones(1)}
    rule = PerGroup(SGD(0.0), {"a/*": WeightDecay(SGD(1.0), 0.5, where="a/weight")})
    updates, _ = rule.update(jax.tree.map(np.zeros_like, params), rule.init(params), params)
    assert (updates["a"]["bias"], updates["a"]["weight"], updates["b"]) == (0, -0.5, 0)


def test_what_is_read_out_has_the_groups_name():
    start, _ = problem()
    read = RULE.metrics(RULE.init(start))
    assert {name: float(value) for name, value in read.items()} == {
        "learning_rate": 0.1, "learning_rate/default": 0.1, "learning_rate/*/bias": 0.1,
        "learning_rate/filters/*,scale": 0.1,
    }  # fmt: skip


def test_it_evaluates_the_average_of_the_group_that_has_one():
    params = {"a": np.zeros(1), "b": np.zeros(1)}
    rule = PerGroup(SGD(1.0), {"a": EMA(SGD(1.0), 0.5)})
    state = rule.init(params)
    for _ in range(2):
        updates, state = rule.update({"a": np.ones(1), "b": np.ones(1)}, state, params)
        params = jax.tree.map(np.add, params, updates)
    evaluated = rule.eval_params(state, params)
    assert (evaluated["a"], evaluated["b"]) == (pytest.approx(-(0.25 + 1) / 0.75), -2)


def test_is_a_value_whose_rates_are_leaves():
    assert eval(repr(RULE), {"InverseTime": InverseTime, **globals()}) == RULE
    assert repr(RULE).count("learning_rate=") == 3
    leaves = jax.tree_util.tree_leaves_with_path(RULE)
    assert [leaf for path, leaf in leaves if GetAttrKey("learning_rate") in path] == [0.1, 0.05, 0.1, 0.1, 0.05]
    assert list(RULE.groups.patterns) == ["*/bias", ("filters/*", "scale")]
    assert PerGroup(SGD(Cosine(0.1)), {"*": SGD(Cosine(0.2))}).over(9) == PerGroup(
        SGD(Cosine(0.1, steps=9)), {"*": SGD(Cosine(0.2, steps=9))}
    )


def test_there_is_no_one_limit_of_stability():
    assert RULE.stability_limit() is None


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"*/bais": SGD()}, r"PerGroup: the pattern '\*/bais' fits no parameter; there are 4, such as layers/0/bias"),
        ({("scale", "head/*"): SGD()}, r"PerGroup: the pattern 'head/\*' fits no parameter; there are 4"),
        ({"layers/*": SGD(), "*bias": SGD()}, r"PerGroup: all parameters that fit '\*bias' belong to groups before it"),
    ],
)
def test_refuses_a_group_without_parameters(groups, message):
    with pytest.raises(InputError, match=message):
        PerGroup(SGD(), groups).init(problem()[0])


def test_refuses_groups_that_cannot_be_told_apart():
    with pytest.raises(InputError, match="two groups have the name 'a'"):
        PerGroup(SGD(), {"a": SGD(), ("a",): Adam()})
    with pytest.raises(InputError, match="two groups have the name 'default'"):
        PerGroup(SGD(), {"default": SGD()})


def test_refuses_the_state_of_other_groups():
    start, _ = problem()
    with pytest.raises(InputError, match=r"Freeze has the parts .*, but this state is of type PartitionState"):
        Freeze(SGD(), "scale").update(start, RULE.init(start), start)


@pytest.mark.peers
def test_steps_as_parameter_groups_of_pytorch():
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")
    start, gradients = problem()
    leaves, treedef = jax.tree.flatten(start)
    filters, bias, weight, scale = (torch.tensor(leaf, requires_grad=True) for leaf in leaves)
    optimizer = torch.optim.Adam([{"params": [filters, scale]}, {"params": [bias], "betas": (0.5, 0.9)},
                                  {"params": [weight], "lr": 0.01}], lr=RATES[0])  # fmt: skip
    seen = []
    for step in range(STEPS):
        for group in optimizer.param_groups[:2]:
            group["lr"] = RATES[step]
        for p, g in zip((filters, bias, weight, scale), jax.tree.leaves(gradients), strict=True):
            p.grad = torch.tensor(g[step])
        optimizer.step()
        seen.append([p.detach().numpy().copy() for p in (filters, bias, weight, scale)])
    wanted = treedef.unflatten([np.stack(steps) for steps in zip(*seen, strict=True)])
    rule = PerGroup(Adam(SCHEDULE), {"*/bias": Adam(SCHEDULE, 0.5, 0.9), "*/weight": Adam(0.01)})
    assert_close(run(rule, start, gradients), wanted, 1e-9)
    assert_close(run(rule, start, gradients, torch.tensor), wanted, 1e-9)


@pytest.mark.peers
def test_steps_as_partitions_of_optax():
    optax = pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    start, gradients = problem()
    labels = {"scale": "b", "layers": ({"weight": "c", "bias": "a"},), "filters": ["b"]}
    rate = lambda t: 0.1 / (1 + 0.05 * t)
    rules = {"a": optax.sgd(0.1, momentum=0.9), "b": optax.adam(rate), "c": optax.set_to_zero()}
    peer = External(optax.partition(rules, labels))
    ours = Freeze(PerGroup(Adam(SCHEDULE), {"*/bias": SGD(0.1, momentum=0.9)}), "*weight")
    with jax.enable_x64(True):
        wanted = jax.tree.map(np.asarray, compiled_run(peer, *jax.tree.map(jnp.asarray, (start, gradients))))
        compiled = jax.tree.map(np.asarray, compiled_run(ours, *jax.tree.map(jnp.asarray, (start, gradients))))
    assert_close(compiled, wanted, 1e-9)
    assert_close(run(ours, start, gradients), wanted, 1e-9)


# ---------------------------------------------------------------------------------------------------- frozen


@pytest.mark.parametrize("rule", [SGD(0.1, momentum=0.9), Adam(0.1), EMA(Adam(0.1))], ids=repr)
@pytest.mark.parametrize("xp", [np, jnp])
def test_frozen_parameters_stay_bit_for_bit_and_are_not_remembered(xp, rule):
    values = np.array([-0.0, 0.0, 1e-45, np.nan, np.inf, -np.inf, 3.3], np.float32)
    params = {"a": xp.asarray(values), "b": xp.ones(1, dtype=xp.float32)}
    frozen = Freeze(rule, "a")
    state = frozen.init(params)
    assert {leaf.shape for leaf in jax.tree.leaves(state)} <= {(), (1,)}

    def step(params, state):
        updates, state = frozen.update({"a": xp.full_like(params["a"], xp.nan), "b": params["b"]}, state, params)
        return jax.tree.map(lambda p, u: p + u, params, updates), state

    for _ in range(3):
        params, state = (jax.jit(step) if xp is jnp else step)(params, state)
    assert_same_bits((params["a"], frozen.eval_params(state, params)["a"]), (values, values))
    assert params["b"] < 1


@pytest.mark.peers
def test_frozen_tensors_stay_bit_for_bit():
    torch = pytest.importorskip("torch", reason="steps PyTorch's tensors: pip install 'descend[peers]'")
    params = {"a": torch.tensor([-0.0, 1.5]), "b": torch.ones(1), "count": torch.tensor([3, 4])}
    rule = Freeze(Adam(0.1), ("a", "count"))
    updates, _ = rule.update({**params, "count": None}, rule.init(params), params)
    moved = jax.tree.map(lambda p, u: p + u, params, updates)
    assert_same_bits((moved["a"], moved["count"]), (params["a"], params["count"]))
    assert moved["b"].item() == pytest.approx(0.9)


@pytest.mark.parametrize("gradient", [None, np.zeros(2, np.int32), np.zeros(2, jax.dtypes.float0)], ids=str)
def test_integers_may_be_frozen_whatever_their_gradient_is(gradient):
    params = {"counts": np.array([3, 4]), "flags": np.array([True, False]), "w": np.ones(1)}
    rule = Freeze(SGD(1.0), ("counts", "flags"))
    state = rule.init(params)
    updates, _ = rule.update({"counts": gradient, "flags": None, "w": np.ones(1)}, state, params)
    moved = jax.tree.map(np.add, params, updates)
    assert_same_bits(moved, {**params, "w": np.zeros(1)})
    with pytest.raises(InputError, match="cannot move parameter 'counts' of dtype int64: freeze it, or make it float"):
        Freeze(SGD(1.0), "flags").init(params)


def test_what_is_frozen_does_not_count_for_a_test_of_convergence():
    params, grads = {"a": np.ones(2), "b": np.ones(1)}, {"a": np.full(2, np.nan), "b": np.full(1, 0.5)}
    rule = EMA(Freeze(SGD(), "a"))
    stand = rule.accepted_iterate(rule.init(params), Iterate(params, 1.0, grads))
    assert_same_bits(stand.grads, {"a": np.zeros(2), "b": np.full(1, 0.5)})
    assert (stand.params, stand.value) == (params, 1.0)


def test_reads_out_what_its_rule_does():
    params = {"a": np.ones(1), "b": np.ones(1)}
    assert Freeze(SGD(0.3, momentum=0.5), "a").metrics(Freeze(SGD(), "a").init(params)) == {"learning_rate": 0.3}
    assert Freeze(SGD(0.3, momentum=0.5), "a").stability_limit() == 3


def test_a_line_search_along_some_parameters():
    """As if the others were constants."""

    def rosenbrock(x, y):
        value = (100 * (y - x**2) ** 2 + (1 - x) ** 2).sum()
        return value, {"x": -400 * x * (y - x**2) - 2 * (1 - x), "y": 200 * (y - x**2)}

    def run(rule: Optimizer, params):
        state, seen, y = rule.init(params), [], np.array([2.0])
        for _ in range(20):
            value, grads = rosenbrock(params["x"], params.get("y", y))
            grads = {name: grads[name] for name in params}
            stand = rule.accepted_iterate(state, Iterate(params, value, grads))
            seen.append((stand.value, stand.params["x"], stand.grads["x"], rule.stalled(state)))
            updates, state = rule.update(grads, state, params, value=value)
            params = jax.tree.map(np.add, params, updates)
        return [*seen, rule.eval_params(state, params)["x"]]

    x, y = np.array([-1.2]), np.array([2.0])
    got = run(Freeze(LBFGS(), "y"), {"x": x, "y": y})
    assert_same_bits(got, run(LBFGS(), {"x": x}))
    assert abs(got[-2][2]) < 1e-6 * abs(got[0][2])


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("encodr/*", r"Freeze: the pattern 'encodr/\*' fits no parameter; there are 2, such as encoder/w"),
        (("encoder/*", "decoder/*"), r"Freeze: the pattern 'decoder/\*' fits no parameter"),
        ("*", "Freeze leaves every parameter as it is: there is nothing to step"),
    ],
)
def test_refuses_to_freeze_nothing_or_all(where, message):
    with pytest.raises(InputError, match=message):
        Freeze(SGD(), where).init({"encoder": {"w": np.ones(1)}, "head": np.ones(1)})


def test_an_empty_tree_has_nothing_to_step():
    with pytest.raises(InputError, match="has nothing to step: the parameters are an empty tree"):
        PerGroup(SGD(), {}).init({})
