"""The gradient noise scale, where theory gives it."""

import numpy as np
import pytest

from descend import SGD, InputError, begin
from descend.insight import noise_scale
from descend.insight.noise import noise_to_signal
from descend.sources import MiniBatches

RNG = np.random.default_rng(0)
SPREAD = np.array([1.0, 2.0, 0.5, 3.0])
ROWS = (np.array([1.0, 0.0, -1.0, 0.5]) + SPREAD * RNG.normal(size=(3200, 4))).astype(np.float32)


def distance(x, rows):
    """A loss whose gradient for a row is `x − row`."""
    return ((x - rows) ** 2).sum(axis=1).mean() / 2


def begun(batch_size=None, x=(0.0, 0.0, 0.0, 0.0)):
    return begin(distance, np.array(x), ROWS, optimizer=SGD(0.1), batch_size=batch_size or len(ROWS))


@pytest.mark.parametrize("batch_size", [20, None])
def test_is_the_variance_over_the_square_of_the_mean(batch_size):
    true = np.var(ROWS, axis=0).sum() / (ROWS.mean(axis=0) ** 2).sum()
    found = noise_scale(begun(batch_size), batches=160 if batch_size else 40)
    assert found.low < true < found.high < 2 * found.low
    assert found.rows == (20 if batch_size else 80)
    assert "rows [" in found.caption


def test_the_interval_covers_as_often_as_it_says():
    """Also where the mean can hardly be told from 0, and there is no upper end."""
    rng, held, open_ended = np.random.default_rng(1), {}, {}
    for length in (3.0, 0.7):
        signal = length * np.ones(20) / np.sqrt(20)
        draws = signal + rng.normal(size=(400, 12, 20)) / np.sqrt(5)
        told = [noise_to_signal(draw @ draw.T) for draw in draws]
        held[length] = np.mean([low <= 4 / length**2 <= high for _, low, high in told])
        open_ended[length] = np.mean([np.isinf(high) for _, _, high in told])
    assert min(held.values()) > 0.9
    assert open_ended[3.0] < 0.01 < open_ended[0.7]


def test_at_a_minimum_there_is_nothing_but_noise():
    assert noise_scale(begun(x=ROWS.mean(axis=0)), batches=16).low == np.inf
    drawn = noise_scale(begun(20, x=ROWS.mean(axis=0)), batches=16)
    assert (drawn.low > 50, drawn.high) == (True, np.inf)


def test_what_has_no_noise_is_refused():
    with pytest.raises(InputError, match=r"^the loss takes no data, so its gradient has no noise: give data=$"):
        noise_scale(begin(lambda x: x**2, 1.0, optimizer=SGD(0.1)))
    with pytest.raises(InputError, match=r"^16 batches of at least 2 rows need 32, but there are 20: ask for fewer"):
        noise_scale(begun(), ROWS[:20])
    lost = begin(lambda x, rows: (x / rows).mean(), np.ones(4), MiniBatches(0 * ROWS, 8), optimizer=SGD(0.1))
    with pytest.raises(InputError, match=r"^the loss's gradient is not finite after 0 steps: look at a run before"):
        noise_scale(lost)
