"""A run that takes over from a checkpoint what it has under the same path, and says what that was."""

import jax
import numpy as np
import pytest

from descend import SGD, Adam, CheckpointError, Match, advance, minimize, restore
from descend.engine.storing import match_arrays, tree_to_arrays
from descend.optimizers import EMA


def distance(params):
    """A loss of whatever parameters there are."""
    return sum((i + 1) * ((leaf - i) ** 2).sum() for i, leaf in enumerate(jax.tree.leaves(params)))


def model(**changes):
    parts = {"body": {"weight": np.ones((2, 3)), "bias": np.ones(3)}, "head": np.ones(3), **changes}
    return {name: part for name, part in parts.items() if part is not None}


RULE = Adam(0.1)


def run_of(params, optimizer=RULE, **settings):
    return minimize(distance, params, optimizer=optimizer, steps=4, stop=[], **settings).run


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint of four steps of Adam, and its run."""
    path = tmp_path_factory.mktemp("saved") / "run"
    return path, run_of(model(), checkpoint=path)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


SLOTS = ("optimizer/count", "optimizer/slots/mean/", "optimizer/slots/mean_square/", "params/")


def test_the_same_model_is_taken_over_whole(saved):
    path, old = saved
    other = run_of(jax.tree.map(lambda p: p + 5, model()))
    run, match = restore(path, other)
    assert bits((run.state.params, run.state.optimizer)) == bits((old.state.params, old.state.optimizer))
    assert (len(match.matched), match.missing, match.unexpected, match.differing) == (10, (), (), {})
    assert repr(match) == "10 of 10 arrays were taken over"
    assert run.step == 4
    assert bits(advance(run, 3)[0].state.params) == bits(advance(old, 3)[0].state.params)


def test_a_new_layer_stays_and_the_others_go_on(saved):
    path, old = saved
    new = run_of(model(extra=np.full(2, 7.0)))
    run, match = restore(path, new)
    assert bits({**run.state.params, "extra": 0}) == bits({**old.state.params, "extra": 0})
    assert bits(run.state.params["extra"]) == bits(new.state.params["extra"])
    assert bits(run.state.optimizer.slots["mean"]["body"]) == bits(old.state.optimizer.slots["mean"]["body"])
    assert bits(run.state.optimizer.slots["mean"]["extra"]) == bits(new.state.optimizer.slots["mean"]["extra"])
    assert set(match.missing) == {f"{slot}extra" for slot in SLOTS[1:]}
    assert advance(run, 1)[0].step == 5


def test_a_layer_that_is_gone_or_of_another_size_is_told(saved):
    path, old = saved
    run, match = restore(path, run_of(model(head=None)))
    assert bits(run.state.params) == bits(old.state.params["body"])
    assert set(match.unexpected) == {f"{slot}head" for slot in SLOTS[1:]}
    larger = run_of(model(head=np.ones(5)))
    run, match = restore(path, larger)
    assert bits(run.state.params["head"]) == bits(larger.state.params["head"])
    assert match.differing == {f"{slot}head": "float64[5] here, but float64[3] in the checkpoint" for slot in SLOTS[1:]}
    assert bits(run.state.params["body"]) == bits(old.state.params["body"])


def test_a_layer_with_another_name_is_told(saved):
    path, _ = saved
    _, match = restore(path, run_of(model(head=None, top=np.ones(3))))
    assert "params/top" in match.missing
    assert "params/head" in match.unexpected
    assert sorted(repr(match).splitlines()) == sorted([
        "7 of 10 arrays were taken over",
        *(f"  missing in the file: {slot}top" for slot in SLOTS[1:]),
        *(f"  only in the file: {slot}head" for slot in SLOTS[1:]),
    ])  # fmt: skip


def test_long_lists_are_cut():
    lines = repr(Match((), tuple(f"layer/{i}" for i in range(25)), (), {})).splitlines()
    assert (len(lines), lines[-1]) == (12, "  missing in the file: 15 more")


def test_order_does_not_matter_but_places_in_a_list_do(tmp_path):
    """By its path alone `0` is `0`: what was the second layer is of another shape."""
    path, ordered = tmp_path / "run", {"b": np.ones(2), "a": np.zeros(3)}
    old = run_of(ordered, SGD(0.1), checkpoint=path)
    run, match = restore(path, run_of(dict(reversed(ordered.items())), SGD(0.1)))
    assert (bits(run.state.params), match.missing) == (bits(old.state.params), ())
    layers = [np.ones(2), np.zeros(3), np.zeros(())]
    run_of(layers, SGD(0.1), checkpoint=path)
    _, match = restore(path, run_of([layers[1], layers[0], layers[2]], SGD(0.1)))
    assert set(match.differing) == {"params/0", "params/1"}


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), SGD(0.1), EMA(Adam(0.1))], ids=repr)
def test_the_state_of_another_rule_is_left_alone(saved, optimizer):
    """Adam's step count without its averages would leave them uncorrected, and so on."""
    path, old = saved
    new = run_of(model(), optimizer)
    run, match = restore(path, new)
    assert bits(run.state.params) == bits(old.state.params)
    assert bits(run.state.optimizer) == bits(new.state.optimizer)
    assert match.differing == {"optimizer": "that of another rule in the checkpoint"}
    assert len(match.matched) == 3


def test_what_was_given_stays_as_it_was(saved):
    path, _ = saved
    new = run_of(model())
    before = bits(new.state)
    run, _ = restore(path, new)
    advance(run, 2)
    assert bits(new.state) == before


def test_a_file_without_any_of_the_parameters_is_refused(saved, tmp_path):
    path, _ = saved
    with pytest.raises(CheckpointError, match=r"has none of these parameters: missing in the file: params/x; only in"):
        restore(path, run_of({"x": np.ones(2)}))
    with pytest.raises(CheckpointError, match="there is no file"):
        restore(tmp_path / "none", run_of(model()))


def test_dtypes_are_not_changed_silently(saved):
    path, _ = saved
    wide = run_of(model(head=None, more=np.ones(3)), dtype=np.float32)
    with pytest.raises(CheckpointError, match="has none of these parameters"):
        restore(path, wide)


def test_a_tree_is_matched_by_path():
    stored = tree_to_arrays({"a": np.ones(2), "b": np.ones(3), "c": np.ones(1)}, "tree")
    like = {"a": np.zeros(2), "b": np.zeros(3, np.float32), "d": np.zeros(1)}
    tree, match = match_arrays(like, stored, "tree")
    assert bits(tree) == bits({"a": np.ones(2), "b": like["b"], "d": like["d"]})
    assert match == Match(("a",), ("d",), ("c",), {"b": "float32[3] here, but float64[3] in the checkpoint"})
    assert repr(match) == (
        "1 of 3 arrays were taken over\n  missing in the file: d\n  only in the file: c\n"
        "  differing: b is float32[3] here, but float64[3] in the checkpoint"
    )
