"""Many descents in one process: equal programs are compiled once, different ones never mixed up, and all of them go."""

import gc
import os
import weakref
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amounts import times
from compiling import programs
from descend import SGD, Adam, begin, minimize
from descend.engine.programs import forget

MEMORY = Path("/proc/self/statm")
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X @ np.arange(3.0)).astype(np.float32)


def fitted(scale):
    """A descent on a lambda of its own, and a weak reference to that."""
    loss = lambda w, batch: scale * ((batch[0] @ w - batch[1]) ** 2).mean()
    fit = minimize(loss, np.zeros(3), (X, Y), optimizer=Adam(0.1), batch_size=8, steps=5)
    return np.asarray(fit.params), weakref.ref(loss)


def test_lambdas_of_one_code_share_a_program():
    first, _ = fitted(2.0)
    with programs() as compiled:
        again, _ = fitted(2.0)
    assert not compiled
    np.testing.assert_array_equal(first, again)


def test_what_is_bound_in_a_lambda_tells_it_from_others():
    found = []
    for target in (1.0, 2.0, 3.0):
        bound = np.full(4, target, np.float32)  # an array, whose values are constants of the program
        found.append(float(minimize(lambda x, bound=bound: ((x - bound) ** 2).sum(), 0.0).params))
    np.testing.assert_allclose(found, [1.0, 2.0, 3.0], rtol=1e-5)


def test_functions_that_are_called_back_are_told_apart():
    slopes = []
    for slope in (1.0, 2.0):
        called = lambda x, slope=slope: np.float32(slope) + 0 * x
        loss = lambda x, called=called: x * jax.lax.stop_gradient(
            jax.pure_callback(called, jax.ShapeDtypeStruct((), jnp.float32), jax.lax.stop_gradient(x))
        )
        slopes.append(-float(begin(loss, 0.0, optimizer=SGD(1.0), dtype=np.float32).advance(1)[0].params))
    assert slopes == [1.0, 2.0]


@pytest.mark.parametrize("settings", [{"optimizer": Adam(0.1)}, {}], ids=["Adam", "auto"])
def test_a_loss_is_let_go_when_its_descent_is(settings):
    def alive():
        loss = lambda w, batch: ((batch[0] @ w - batch[1]) ** 2).mean()
        fit = minimize(loss, np.zeros(3), (X, Y), batch_size=8, steps=12, validation=(X, Y), **settings)
        fit.run.loss(), fit.run.loss_and_grad((X, Y)), fit.run.hvp(fit.params)
        return weakref.ref(loss)

    references = [alive() for _ in range(3)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_what_is_forgotten_is_compiled_anew():
    fitted(3.0)
    forget()
    with programs() as compiled:
        fitted(3.0)
    assert len(compiled) == 1


def resident():
    """The memory that this process has, in MiB."""
    return int(MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not MEMORY.exists(), reason="this system does not tell how much memory is in use")
def test_many_different_lambdas_take_no_more_memory():
    """A program that is not let go takes more than 1 MiB."""
    for number in range(40 + times(40)):  # the first fill what is kept
        if number == 40:
            before = resident()
        loss = lambda w, batch, number=number: ((batch[0] @ w - batch[1] - number) ** 2).mean()
        minimize(loss, np.zeros(3), (X, Y), optimizer=Adam(0.1), batch_size=8, steps=5)
    assert resident() - before < 25
