"""What `docs/two-players.md` shows must run, and do what it says."""

import jax
import numpy as np
import pytest


@pytest.fixture
def names(shown):
    return shown("two-players.md")


def test_the_generator_makes_such_numbers(names):
    drawn = np.asarray(names["drawn"])
    assert abs(drawn.mean() - 3.0) < 0.25
    assert 0.2 < drawn.std() < 0.8


def test_each_player_saw_where_the_other_stood(names):
    seen, stands = names["making"].state.carried.state, names["telling"].params
    assert [a.tolist() for a in jax.tree.leaves(seen)] == [b.tolist() for b in jax.tree.leaves(stands)]
    assert names["told"].columns["loss"][0] < 2 * np.log(2) + 0.1  # of a critic that can tell nothing
    assert names["telling"].step == names["making"].step == 400


def test_a_probe_learns_beside_an_encoder_that_does_not_know_of_it(names):
    settings = {"optimizer": names["Adam"](0.02), "batch_size": 50}
    run = names["begin"](names["encoder_loss"], names["start"], (names["X"], names["targets"]), **settings)
    alone = run.advance(600)[0]
    for name, array in alone.params.items():
        np.testing.assert_allclose(names["encoder"].params[name], array, rtol=1e-6)
    assert names["encoded"].columns["loss"][-1] < 1e-2
    assert names["probed"].columns["loss"][-1] < 0.9 * np.var(names["others"])
