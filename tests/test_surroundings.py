"""What numbers depend on besides a run is written with it, and told where it is another one."""

import jax
import numpy as np
import pytest

from descend import Adam, begin, load, minimize
from descend.engine import identity
from descend.rl import A2C

ROWS = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)


def distance(at, batch):
    return ((batch - at) ** 2).mean()


def descent(path, steps, **settings):
    return minimize(distance, np.zeros(2), ROWS, batch_size=4, optimizer=Adam(0.1), steps=steps, checkpoint=path,
                    resume=True, **settings)  # fmt: skip


@pytest.mark.parametrize("changed", [{"cores": 7}, {"jaxlib": "9.9", "processor": "x"}])
def test_a_checkpoint_that_goes_on_elsewhere_says_so_once(tmp_path, monkeypatch, changed):
    path, here = tmp_path / "run", identity.surroundings
    whole = descent(tmp_path / "whole", 30)
    descent(path, 10)
    descent(path, 20)
    was = here(np.zeros(1))
    told = ", ".join(f"{name} was {was[name]!r} and is {now!r}" for name, now in changed.items())
    for place in ("identity", "saving"):
        monkeypatch.setattr(f"descend.engine.{place}.surroundings", lambda params: here(params) | changed)
    with pytest.warns(UserWarning, match=f"{path} was written where numbers are others \\({told}\\): "):
        fit = descent(path, 30)
    np.testing.assert_array_equal(fit.params, whole.params)  # as it is the same machine after all
    descent(path, 40)


def test_a_run_that_is_loaded_elsewhere_says_so(tmp_path, monkeypatch):
    run = begin(distance, np.zeros(2), ROWS, batch_size=4, optimizer=Adam(0.1))
    run.save(tmp_path / "run")
    load(tmp_path / "run", distance, ROWS)
    monkeypatch.setenv("PJRT_NPROC", "77")
    with pytest.warns(UserWarning, match="cores was [0-9]+ and is 77"):
        load(tmp_path / "run", distance, ROWS)


def test_settings_of_jax_are_told_of_where_they_matter(tmp_path):
    """In 32 bits; a descent in 64 bits asks for them itself."""
    for dtype, told in ((np.float32, True), (np.float64, False)):
        path = tmp_path / np.dtype(dtype).name
        run = begin(distance, np.zeros(2), ROWS, batch_size=4, optimizer=Adam(0.1), dtype=dtype)
        run.save(path)
        with jax.enable_x64(True):
            if told:
                with pytest.warns(UserWarning, match="jax_enable_x64 was False and is True"):
                    load(path, distance, ROWS)
            else:
                load(path, distance, ROWS)


def test_policies_are_the_same_with_64_bits():
    train = lambda: A2C(num_envs=4).train("CartPole-v1", steps=100, stop=None)
    usual = train()
    with jax.enable_x64(True):
        wide = train()
    for a, b in zip(*(jax.tree.leaves(result.run.state.params) for result in (usual, wide)), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(usual.returns, wide.returns)
