"""Generalised advantages against sums that are written out, as the paper's definition has them."""

import numpy as np
import pytest

from descend.rl._advantages import advantages

rng = np.random.default_rng(0)
T, N = 40, 3
REWARDS, VALUES, NEXT = (rng.normal(size=(T, N)) for _ in range(3))
TERMINATED = rng.random((T, N)) < 0.1
TRUNCATED = (rng.random((T, N)) < 0.1) & ~TERMINATED
DONE = TERMINATED | TRUNCATED


def found(gamma, lam):
    arrays = (REWARDS, VALUES, NEXT)
    return np.asarray(advantages(*map(np.float32, arrays), TERMINATED, DONE, gamma, lam))


def of_one_episode(t, n, gamma, lam):
    """The sum of the definition: Σ (γλ)ˡ δₜ₊ₗ to the end of the episode, or of the rollout."""
    total, factor = 0.0, 1.0
    while t < T:
        beyond = 0.0 if TERMINATED[t, n] else NEXT[t, n]
        total += factor * (REWARDS[t, n] + gamma * beyond - VALUES[t, n])
        factor *= gamma * lam
        if DONE[t, n]:
            break
        t += 1
    return total


@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (0.9, 1.0), (1.0, 0.0), (0.5, 0.5)])
def test_are_the_sums_of_the_definition(gamma, lam):
    expected = [[of_one_episode(t, n, gamma, lam) for n in range(N)] for t in range(T)]
    np.testing.assert_allclose(found(gamma, lam), expected, rtol=1e-4, atol=1e-5)


def test_with_lambda_of_one_are_returns_minus_values():
    """Of an episode that terminates, the discounted rewards; of one that is cut off, with the value of where it was."""
    gamma = 0.9
    following = np.where(DONE, NEXT, np.concatenate([VALUES[1:], NEXT[-1:]]))  # as a critic has it, but at the ends
    arrays = map(np.float32, (REWARDS, VALUES, following))
    found = np.asarray(advantages(*arrays, TERMINATED, DONE, gamma, 1.0))
    for n in range(N):
        for t in range(T):
            end = next((s for s in range(t, T) if DONE[s, n]), T - 1)
            rewards = sum(gamma ** (s - t) * REWARDS[s, n] for s in range(t, end + 1))
            beyond = 0.0 if TERMINATED[end, n] else gamma ** (end + 1 - t) * following[end, n]
            np.testing.assert_allclose(found[t, n], rewards + beyond - VALUES[t, n], rtol=1e-4, atol=1e-4)


def test_an_end_for_the_time_is_not_an_end_of_the_value():
    one = lambda terminated, done: float(advantages(
        np.zeros((1, 1)), np.zeros((1, 1)), np.ones((1, 1)), np.array([[terminated]]), np.array([[done]]), 0.9, 0.95
    )[0, 0])  # fmt: skip
    assert one(False, True) == one(False, False) == pytest.approx(0.9)
    assert one(True, True) == 0.0
