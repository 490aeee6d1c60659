"""Playing a policy: in environments of one's own, and in those of a module that is named."""

import sys
import types

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from toy_worlds import Walk

from descend import InputError
from descend.rl import PPO, Policy
from descend.rl.playing import play

QUICK = PPO(num_envs=2, num_steps=8, epochs=1, minibatches=1)


class Short(gymnasium.Env):
    """Three steps, each of which earns 1."""

    observation_space, action_space = spaces.Box(-9, 9, (1,)), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.count = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.count += 1
        return np.full(1, self.count, np.float32), 1.0, self.count == 3, False, {}


@pytest.mark.parametrize(("environment", "earned"), [(Short, 3.0), (Walk(goal=1), None)])
def test_a_policy_of_ones_own_environment_can_be_played(tmp_path, environment, earned):
    policy = QUICK.train(environment, steps=32, stop=None).policy
    first, second = play(policy, 2)
    assert {first.earned, second.earned} == {earned or -float(first.length)}
    policy.save(tmp_path / "policy")
    loaded = Policy.load(tmp_path / "policy")
    assert play(loaded, 1, environment=environment) == [first]
    with pytest.raises(InputError, match="no environment is called"):
        play(loaded)


@pytest.fixture
def module(monkeypatch):
    """A module that registers an environment as it is imported, and is not imported yet."""

    class Finder:
        def find_spec(self, name, path=None, target=None):
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, self) if name == "strange_worlds" else None

        def create_module(self, spec):
            return types.ModuleType(spec.name)

        def exec_module(self, module):
            gymnasium.register("Strange-v0", Short)

    finder = Finder()
    sys.meta_path.insert(0, finder)
    yield "strange_worlds"
    sys.meta_path.remove(finder)
    sys.modules.pop("strange_worlds", None)
    gymnasium.registry.pop("Strange-v0", None)


def test_an_id_of_a_module(module):
    result = QUICK.train("strange_worlds:Strange-v0", steps=32, stop=None)
    assert set(result.returns.tolist()) == {3.0}
    assert [episode.earned for episode in play(result.policy, 2)] == [3.0, 3.0]


@pytest.mark.parametrize(("name", "said"), [
    ("no_such_module:Env-v0", r"the module cannot be imported \(No module named 'no_such_module'\): check its name"),
    ("strange_worlds:Other-v0", "the module was imported, but registers no environment 'Other-v0'"),
])  # fmt: skip
def test_an_id_of_a_module_without_it(module, name, said):
    with pytest.raises(InputError, match=said):
        QUICK.train(name, steps=32)


def test_an_environment_that_needs_what_is_not_there():
    def broken(**settings):
        raise ImportError("needs\nan old package")

    gymnasium.register("Old-v2", broken)
    try:
        with pytest.raises(InputError, match=r"^Old-v2 cannot be made: needs an old package$"):
            QUICK.train("Old-v2", steps=32)
    finally:
        gymnasium.registry.pop("Old-v2")
