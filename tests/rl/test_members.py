"""Policies side by side: each as if it were alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_worlds import Walk

from descend import Adam, InputError
from descend.optimizers import ClipByNorm
from descend.rl import PPO, ActorCritic
from descend.rl._losses import PolicyLoss
from descend.rl._members import EachMember, SumOverMembers
from descend.rl._rollouts import Rollouts

SEEDS = (5, 1, 7)
QUICK = PPO(num_envs=4, num_steps=16, epochs=4, minibatches=2, learning_rate=3e-3)


def stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def batches():
    """A network and a batch of each member, as a member alone would have them."""
    environment = Walk()
    parts = {"num_envs": 4, "num_steps": 8, "epochs": 1, "minibatches": 1}
    source = Rollouts(environment=environment, gamma=0.9, gae_lambda=0.9, **parts)
    networks = [ActorCritic.drawn(environment.observation_shape, environment.actions, seed) for seed in SEEDS]
    cursors = [source.init(jax.random.key(seed)) for seed in SEEDS]
    draw = jax.jit(source.draw)
    drawn = [draw(cursor, network)[0] for cursor, network in zip(cursors, networks, strict=True)]
    return networks, drawn


def test_the_gradient_of_the_sum_is_each_members_own():
    networks, drawn = batches()
    loss = PolicyLoss(clip=0.2, entropy=0.01)
    together = jax.jit(jax.grad(SumOverMembers(loss), has_aux=True))(stacked(networks), stacked(drawn))
    gradient = jax.jit(jax.grad(loss, has_aux=True))
    alone = [gradient(network, batch) for network, batch in zip(networks, drawn, strict=True)]
    for mine, theirs in zip(jax.tree.leaves(together), jax.tree.leaves(stacked(alone)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-6)


def test_each_is_stepped_by_the_norm_of_its_own_gradient():
    rule = ClipByNorm(Adam(0.1), 1.0)
    grads = [{"w": jnp.array([3.0, 4.0]) * scale} for scale in (0.01, 1.0, 100.0)]
    params = [{"w": jnp.zeros(2)} for _ in grads]
    together, both = EachMember(rule), stacked(params)
    state, alone = together.init(both), [rule.init(p) for p in params]
    for _ in range(3):
        updates, state = together.update(stacked(grads), state, both, aux={})
        steps = [rule.update(g, s, p) for g, s, p in zip(grads, alone, params, strict=True)]
        alone = [after for _, after in steps]
        for i, (update, _) in enumerate(steps):
            np.testing.assert_allclose(updates["w"][i], update["w"], rtol=1e-6)
    assert together.readings(state)["learning_rate"].shape == ()


def test_seeds_learn_side_by_side():
    result = QUICK.train(Walk(), steps=20_000, seeds=range(4))
    assert result.reason.name == "reached"
    assert result.returns.shape == (4, 100)
    assert len(result.policies) == 4
    assert result.median == -3
    assert result.spread[0] <= result.median <= result.spread[1]
    assert {"return", "return_0", "return_3"} <= set(result.history.validation)
    assert set(result.history.validation["episodes"]) == {100}  # of each
    assert result.history["approx_kl"].shape[1] == 4
    weights = [np.asarray(policy.network.weights) for policy in result.policies]
    assert not any(np.array_equal(weights[0], other) for other in weights[1:])


def test_they_begin_with_the_network_that_each_seed_alone_begins_with():
    run = QUICK.train(Walk(), steps=1, seeds=SEEDS, stop=None).run
    first = QUICK.train(Walk(), steps=1, seed=SEEDS[1], stop=None).run
    moved = np.abs(np.asarray(run.params.weights[1] - first.params.weights)).max()
    assert moved < 0.1  # they differ by some steps on other episodes, and not by where they began


@pytest.mark.parametrize(("seeds", "settings", "match"), [
    ([], {}, "at least one"), ([1, 1], {}, "different from each other"),
    ([1, 2], {"network": len}, "one after the other"),
])  # fmt: skip
def test_refused(seeds, settings, match):
    with pytest.raises(InputError, match=match):
        QUICK.train(Walk(), steps=64, seeds=seeds, **settings)
