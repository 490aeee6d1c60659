"""A descent ends when its validation is good enough, and a source may settle draws ahead by what the parameters are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, InputError, Target, advance, minimize
from descend.schedules import setting
from descend.sources import Plan, Planned, draw_ahead


def square(x):
    return (x**2).sum()


def descended(**settings):
    return minimize(square, [8.0], optimizer=SGD(0.25), validate_every=1, **{"steps": 50, **settings})  # x halves


@pytest.mark.parametrize(("target", "steps"), [
    (Target("loss", at_most=1.0), 3), (Target("size", at_most=0.5), 4), (Target("negative", at_least=-2.0), 2),
])  # fmt: skip
def test_ends_with_the_first_validation_that_reaches_it(target, steps):
    validation = lambda x: (square(x), {"size": x[0], "negative": -x[0]})
    fit = descended(validation=validation, stop=target)
    assert (fit.reason.name, fit.reason.step) == ("reached", steps)
    assert f"the validation's {target.name} was" in fit.reason.evidence


def test_an_end_by_other_means_is_not_reached():
    fit = descended(validation=square, stop=Target("loss", at_most=1e-30))
    assert fit.reason.name == "budget"


def test_reached_is_kept_by_a_checkpoint(tmp_path):
    settings = {"validation": square, "stop": Target("loss", at_most=1.0), "checkpoint": tmp_path / "run"}
    first, second = descended(**settings), descended(**settings, resume=True)
    assert first.reason == second.reason


def test_refused():
    with pytest.raises(InputError, match=r"Target\('loss'\) takes either at_least= or at_most="):
        Target("loss")
    with pytest.raises(InputError, match=r"Target\('loss'\) looks at the validation: give validation="):
        minimize(square, [1.0], stop=Target("loss", at_most=1.0))
    with pytest.raises(InputError, match=r"Target\('accuracy'\) looks at what the validation does not give: loss"):
        descended(validation=square, stop=Target("accuracy", at_least=1.0))


@setting
class Looking:
    """Batches of three draws, all of which are the parameters at the first of them."""

    def init(self, key):
        return {"position": jnp.int32(3), "seen": jnp.zeros(2)}

    def plan(self, cursor, params):
        new = {"position": jnp.int32(0), "seen": params["x"]}
        cursor = jax.lax.cond(cursor["position"] >= 3, lambda: new, lambda: cursor)
        return Plan(cursor["position"] + jnp.arange(3), 3 - cursor["position"], cursor)

    def take(self, draw, cursor, params):
        return {"seen": cursor["seen"], "now": params["x"], "number": draw, "name": params["name"] == "x"}, cursor

    def after(self, cursor, draws):
        return cursor | {"position": cursor["position"] + draws}

    def draw(self, cursor, params):
        plan = self.plan(cursor, params)
        batch, cursor = self.take(plan.draws[0], plan.cursor, params)
        return batch, self.after(cursor, jnp.int32(1))


def recording(params, batch):
    return (params["x"] ** 2).sum(), {name: batch[name] for name in ("seen", "now", "number", "name")}


@pytest.mark.parametrize("sizes", [[12], [1] * 12, [2, 5, 1, 4]])
@pytest.mark.parametrize("stepwise", [False, True])
def test_a_plan_by_the_parameters_outlives_the_dispatch(sizes, stepwise):
    params = {"x": np.array([8.0, 4.0], np.float32), "name": "x"}
    start = minimize(recording, params, Looking(), optimizer=SGD(0.25), steps=1).run
    assert isinstance(Looking(), Planned)
    run = dataclasses.replace(start, descent=dataclasses.replace(start.descent, stepwise=stepwise))
    traces = []
    for size in sizes:
        left = size
        while left:
            run, trace = advance(run, left)
            traces.append(trace.columns)
            left -= len(trace)
    columns = {name: np.concatenate([trace[name] for trace in traces]) for name in traces[0]}
    now = np.array([8.0, 4.0]) / 2.0 ** np.arange(1, 13)[:, None]
    assert np.array_equal(columns["now"], now)
    assert columns["number"].tolist() == [1, 2, *[0, 1, 2] * 3, 0]
    first = [0, 0, *(i // 3 * 3 + 2 for i in range(10))]
    expected = np.array([[8.0, 4.0], [8.0, 4.0], *(now[i] for i in first[2:])])
    assert np.array_equal(columns["seen"], expected)
    assert columns["name"].all()


class LookingHost:
    """The same on the host, two draws for each look."""

    on_host, ahead = True, 2

    def init(self, key):
        return {"number": np.int32(0), "seen": np.zeros(1, np.float32)}

    def looks(self, cursor):
        return cursor["number"] % 2 == 0

    def draw(self, cursor, params):
        seen = np.asarray(params) if self.looks(cursor) else cursor["seen"]
        return seen, {"number": cursor["number"] + 1, "seen": seen}


def test_a_host_source_that_looks_is_not_drawn_from_beyond_it():
    feed = draw_ahead(LookingHost(), LookingHost().init(None), np.float32([3.0]), 10)
    assert feed.draws.shape == (2, 1)
    assert [feed.after(made)["number"] for made in range(feed.size + 1)] == [0, 1, 2]
    fit = minimize(lambda x, batch: (square(x), {"seen": batch[0]}), [8.0], LookingHost(), optimizer=SGD(0.25), steps=6)
    assert fit.history["seen"].tolist() == [8.0, 8.0, 2.0, 2.0, 0.5, 0.5]
