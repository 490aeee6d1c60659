"""Where a loss is looked at: a run's parameters, on several of its batches, or on rows that are drawn again."""

from collections.abc import Iterator
from dataclasses import replace
from operator import index
from typing import Any

import jax
import numpy as np

from descend._arrays import precision
from descend._tree import Tree
from descend.engine.curvature import Around
from descend.engine.evaluating import past_the_next_batch
from descend.engine.run import Run
from descend.errors import InputError
from descend.sources import Empty, WholeSet, as_data
from descend.training import Result


def run_of(given: Run | Result) -> Run:
    """The run that is looked at: of a result, the one it ended with.

    **Raises** `InputError` for what is neither.
    """
    run = getattr(given, "run", given)
    if not isinstance(run, Run):
        raise InputError(f"a run, such as descend.begin makes, or a result of minimize is looked into, but not a "
                         f"{type(given).__name__}")
    return run


def along(result: Result) -> dict[int, Run]:
    """The runs that a result has kept on its way, by their step, and the last.

    **Raises** `InputError` if none were kept.
    """
    if not result.snapshots:
        raise InputError("there are no snapshots to look along: give minimize snapshots=True, or look at result.run")
    return dict(sorted({**result.snapshots, result.run.step: result.run}.items()))


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least so many.

    **Raises** `InputError` if it is none.
    """
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise InputError(f"{name} must be a whole number of at least {least}, but is {value!r}")
    return number


def rows_of(run: Run, data: Any) -> Tree | None:
    """The rows that there are, where all of them are looked at; `None` where the run's batches are, or no data."""
    if data is not None:
        return as_data(data)[0]
    return run.descent.source.data if isinstance(run.descent.source, WholeSet) else None


def size_of(batch: Any) -> int:
    """How many rows a batch has."""
    return len(jax.tree.leaves(batch)[0])


def over_batches(run: Run, data: Any, number: int, rng: np.random.Generator) -> Iterator[Around]:
    """The loss so often: on the run's next batches; of data, or where each step sees all, on all of them, then on as
    many rows that are drawn from them with replacement; without data, on nothing again and again."""
    around, rows = Around.looked_at(run, data), rows_of(run, data)
    yield around
    for _ in range(number - 1):
        if rows is not None:
            yield _on(around, rng.integers(size_of(rows), size=size_of(rows)))
        else:
            run = run if isinstance(run.descent.source, Empty) else past_the_next_batch(run)
            yield Around.looked_at(run)


def over_parts(run: Run, data: Any, number: int, rng: np.random.Generator) -> Iterator[Around]:
    """The loss so often, each time on other rows: on the run's next batches, or on parts of all the rows."""
    rows = rows_of(run, data)
    if rows is None:
        yield from over_batches(run, None, number, rng)
        return
    around, order = Around.looked_at(run, data), rng.permutation(size_of(rows))
    size = len(order) // number
    for part in range(number):
        yield _on(around, order[part * size : (part + 1) * size])


def _on(around: Around, rows: np.ndarray) -> Around:
    """The same on these rows of its batch."""
    return replace(around, batch=jax.tree.map(lambda leaf: leaf[rows], around.batch))


def differentiated(around: Around, x: np.ndarray, v: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss, its gradient and a product with its Hessian.

    **Raises** `InputError` where there is a gradient, but no second derivative. What the loss itself raises on this
    batch is raised as it is.
    """
    try:
        return around.at(x, v)
    except Exception as error:  # whatever a loss raises that cannot be differentiated twice
        descent = around.run.descent.without_data
        with precision(around.numbers):
            jax.eval_shape(type(descent).value_and_grad, descent, around.numbers, around.batch, around.carried)
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"the loss cannot be differentiated twice, so its curvature cannot be had ({said})") from error
