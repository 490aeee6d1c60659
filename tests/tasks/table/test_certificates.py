"""What is said of a bound is a bound: figures are rounded up, and none is below the one it stands for."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.stopping import Reason
from descend.tasks.common.linear.model import Certificate, rounded_up


@settings(deadline=None)
@given(st.floats(1e-300, 1e300), st.integers(1, 4))
def test_never_less_and_by_at_most_a_unit_of_the_last_digit(bound: float, digits: int) -> None:
    told = float(rounded_up(bound, digits))
    assert bound <= told <= bound * (1 + 1.0001 * 10.0 ** (1 - digits))


@pytest.mark.parametrize(("bound", "told"), [(0.0, "0"), (1.4e-4, "0.0002"), (2e-4, "0.0002"), (9.6, "1e+01")])
def test_figures(bound: float, told: str) -> None:
    assert rounded_up(bound, 1) == told


def test_what_is_not_proved_is_not_said_to_be() -> None:
    reason = Reason("converged", "", 7)
    assert "within 0.0002 of the minimum, proved" in Certificate(reason, 1.0, 1.4e-4, "newton").brief
    for gap in (math.inf, math.nan, 2.0):
        assert "how far from the minimum is not proved" in Certificate(reason, 1.0, gap, "newton").brief
