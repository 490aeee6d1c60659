"""What `docs/extending.md` shows must run, and do what it says."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import begin, load
from descend.errors import CheckpointError
from descend.optimizers import WeightDecay

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
TRUE = np.array([1.0, -2.0, 0.5])


@pytest.fixture(scope="module")
def names():
    shown = {}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(snippet, str(PAGE), "exec"), shown)
    return shown


@pytest.mark.parametrize("fit", ["fit", "streamed", "halved"])
def test_the_line_is_found(names, fit):
    np.testing.assert_allclose(names[fit].params, TRUE, atol=1e-3)


def test_steps_of_one_length_come_as_near_as_they_are_long(names):
    np.testing.assert_allclose(names["signed"].params, TRUE, atol=0.05)


def test_what_a_loss_returns_besides_is_recorded(names):
    assert names["largest"].shape == (300,)
    assert names["largest"][-1] < 1e-3 < names["largest"][0]


def test_the_rate_is_halved(names):
    assert names["rates"][[0, 99, 100, 299]].tolist() == pytest.approx([0.1, 0.1, 0.05, 0.025])


def test_a_rule_is_an_optimizer_like_all_others(names, tmp_path):
    """Modifiers, forks, and a file that has to be given the code again."""
    data, rule = (names["X"], names["y"]), WeightDecay(names["Signed"](0.01), 0.1)
    run = begin(names["loss"], np.zeros(3, np.float32), data, optimizer=rule, batch_size=20)
    ahead = run.fork(learning_rate=0.02).advance(1)[0]
    np.testing.assert_allclose(np.abs(ahead.params), 0.02, rtol=1e-6)
    ahead.save(tmp_path / "run")
    with pytest.raises(CheckpointError, match="give optimizer="):
        load(tmp_path / "run", loss=names["loss"], data=data)
    again = load(tmp_path / "run", loss=names["loss"], data=data, optimizer=rule)
    np.testing.assert_array_equal(again.params, ahead.params)


def test_a_walk_ends_at_five(names):
    assert names["walks"]
    world, state = names["Walk"](), jnp.zeros(())
    for _ in range(5):
        state, reward, ended = world.step(state, 1, jax.random.key(0))
        assert bool(ended) == (float(state) == 5)
    assert ended
    assert reward == -1
