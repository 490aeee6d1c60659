"""`python trained_all.py FOLDER`: trainings of all kinds, each in a child of a process with surroundings of its own.

With `--dies`, each child dies as soon as it has written a checkpoint, where it writes one; the next time it goes on.
With `--one-core`, all of them have a single one.
"""

import os
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import numpy as np

from forked import IMPORTED, saves_all_the_time
from trainings import KINDS, training


def distance(params, batch):
    return ((batch @ params["w"] - 1.0) ** 2).mean()


def descend_here() -> None:
    """A descent of `minimize`, which finds a rate first."""
    import jax

    from descend import minimize

    jax.config.update("jax_enable_x64", False)  # of descents in 32 bits, the numbers depend on it
    rows = np.random.default_rng(0).normal(size=(500, 40)).astype(np.float32)
    fit = minimize(distance, {"w": np.zeros(40)}, rows, batch_size=32, steps=200, checkpoint="minimize", resume=True)
    np.savez("minimize.npz", w=fit.params["w"], **fit.history.columns)


def dies_after_a_checkpoint() -> None:
    from descend.engine.train_state import TrainState

    save = TrainState.save

    def saved(self, path, over=False):
        save(self, path, over)
        if not over:
            os._exit(0)

    TrainState.save = saved  # type: ignore[method-assign]


def child(kind: str, dies: bool) -> None:
    saves_all_the_time()
    if dies:
        dies_after_a_checkpoint()
    if kind == "minimize":
        descend_here()
        os._exit(0)
    sys.argv = ["descend", *training(kind, Path()), "--out", "run", "--resume"]
    from descend.cli import main

    main()


def train(folder: Path, kinds: list[str], dies: bool, one_core: bool) -> None:
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for name in IMPORTED:
        import_module(name)
    for kind in kinds:
        if (process := os.fork()) == 0:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            os.chdir(folder / kind)
            child(kind, dies)
        _, status = os.waitpid(process, 0)
        assert status == 0, (kind, status)


if __name__ == "__main__":
    asked = ArgumentParser()
    asked.add_argument("folder", type=Path)
    asked.add_argument("--kinds", nargs="*", default=[*KINDS, "minimize"])
    asked.add_argument("--dies", action="store_true")
    asked.add_argument("--one-core", action="store_true")
    train(**vars(asked.parse_args()))
