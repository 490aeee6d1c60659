"""Ctrl-C ends a fit with what it has come to, as it ends every other descent."""

import signal
import warnings

import numpy as np
import pytest
from scipy import sparse

from descend.engine.interruption import interrupts
from descend.linear import HuberRegressor, LinearSVC, LogisticRegression, QuantileRegressor
from descend.linear.solvers.convergence import ConvergenceMonitor

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 6)) * [1, 3, 1, 10, 1, 1]
SCORE = X @ rng.normal(size=6) + rng.normal(size=120)
Y, THREE = SCORE > 0, np.digitize(SCORE, [-3, 3])


@pytest.fixture
def ctrl_c(monkeypatch):
    """Ctrl-C after the first iteration of a fit."""
    see, left = ConvergenceMonitor.observe, [signal.SIGINT]

    def pressed(self, point):
        if left and len(self.curve) == 1:
            signal.raise_signal(left.pop())
        return see(self, point)

    monkeypatch.setattr(ConvergenceMonitor, "observe", pressed)


MODELS = {
    "newton": (LogisticRegression(C=1e3, tol=1e-12, solver="newton"), X, Y),
    "lbfgs": (LogisticRegression(C=1e3, tol=1e-12, solver="lbfgs"), X, Y),
    "multinomial": (LogisticRegression(C=1e3, tol=1e-12, solver="lbfgs"), X, THREE),
    "accelerated": (LogisticRegression(C=1e3, tol=1e-12, solver="accelerated"), X, Y),
    "one against the others": (LogisticRegression(C=1e3, tol=1e-12, solver="lbfgs", multi_class="ovr"), X, THREE),
    "interior": (QuantileRegressor(alpha=1e-3), X, SCORE),
    "huber": (HuberRegressor(tol=1e-12), X, SCORE),
    "dual, side by side": (LinearSVC(C=10, tol=1e-12, solver="dual"), sparse.csr_array(X), THREE),
    "epochs": (LogisticRegression(C=1e3, tol=1e-12, solver="sgd"), X, Y),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_keeps_what_it_has_come_to(name, ctrl_c):
    model, rows, targets = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it was asked for, and is nothing to warn of
        model.fit(rows, targets)
    assert model.stop_reason_.name == "interrupted"
    assert model.stop_reason_.evidence.startswith("Ctrl-C after 1 iterations")
    assert np.isfinite(model.coef_).all()
    assert np.abs(model.coef_).max() > 0
    assert len(model.predict(rows)) == len(targets)


def test_it_is_what_so_many_iterations_come_to(ctrl_c, monkeypatch):
    interrupted = LogisticRegression(C=1e3, tol=1e-12, solver="lbfgs").fit(X, Y)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="1 iterations were made"):
        whole = LogisticRegression(C=1e3, tol=1e-12, solver="lbfgs", max_iter=1).fit(X, Y)
    np.testing.assert_array_equal(interrupted.coef_, whole.coef_)


@pytest.fixture
def listening():
    """A process that hears Ctrl-C, as one that a shell has begun in the background does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
def test_it_ends_at_once_the_second_time(monkeypatch):
    def pressed_twice(self, point):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ConvergenceMonitor, "observe", pressed_twice)
    with pytest.raises(KeyboardInterrupt):
        LogisticRegression().fit(X, Y)
    with pytest.raises(KeyboardInterrupt):  # and is heard by others afterwards
        signal.raise_signal(signal.SIGINT)


def test_what_is_made_of_several_descents_ends_as_one():
    with interrupts() as whole:
        with interrupts() as part:
            signal.raise_signal(signal.SIGINT)
            assert part.is_set()
        assert whole.is_set()
    with interrupts() as other:
        assert not other.is_set()
