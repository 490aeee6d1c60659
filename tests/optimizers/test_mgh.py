"""L-BFGS beside SciPy's on Moré, Garbow and Hillstrom's problems: it solves as many, in about as many evaluations.

How both run, and what counts as solved, is in `benchmarks/searches.py`; `python -m benchmarks searches` is the table.
"""

from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.peers


def test_solves_as_many_problems_in_as_few_evaluations():
    if find_spec("sif2jax") is None:  # to import it takes a minute
        pytest.skip("the problems are sif2jax's: pip install 'descend[peers]'")
    from benchmarks import searches  # found where tests are run as `python -m pytest`, in the root

    problems = list(searches.compared())
    assert len(problems) == 35
    solved, by_scipy = searches.solved(problems)
    assert solved >= max(by_scipy, 33), [p.name for p in problems if not p.solved(p.ours)]
    evaluations, of_scipy = searches.evaluations(problems)
    assert evaluations <= 1.2 * of_scipy
