"""The curves of a policy's report say how many episodes each evaluation was of."""

import numpy as np
import pytest

from descend.cli.rl.report import _curves
from descend.engine.advancing import Trace
from descend.engine.history import History


@pytest.mark.parametrize(("counts", "name"), [((10, 10), "10 episodes"), ((10, 100, 30), "10 to 100 episodes")])
def test_an_evaluation_is_of_as_many_episodes_as_were_played(counts, name):
    history = History()
    history.extend(Trace(0, {"environment_steps": np.arange(4), "episode_return": np.ones(4)}))
    for step, count in enumerate(counts):
        history.validated(step, {"return": 1.0, "episodes": float(count)})
    (judged,) = [curve for curve in _curves(history.validation, [history], None, 1.0).data if curve.text is not None]
    assert judged.name == f"evaluated: {name}"
    assert judged.text == tuple(f"of {count} episodes" for count in counts)
