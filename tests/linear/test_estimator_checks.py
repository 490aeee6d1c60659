from contextlib import nullcontext

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import descend.linear
from enforced import without_types

# One check wants rows of weight k and rows that are there k times to give the same to 1e-7. Both are the same problem,
# but a method that follows a path through the inside of the slopes' range goes there on different ways.
TIGHT = {"LinearSVR": 1e-14, "QuantileRegressor": 1e-13, "SVR": 1e-14}
ESTIMATORS = [getattr(descend.linear, name)(**({"tol": TIGHT[name]} if name in TIGHT else {}))
              for name in descend.linear.__all__ if name not in ("Blocks", "Kind")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # some checks' data are made of noise
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_contract_is_kept(estimator, check):
    # One gives each parameter values of all types: what they must be is not looked at before a fit.
    given_anything = check.func.__name__ == "check_do_not_raise_errors_in_init_or_set_params"
    with without_types() if given_anything else nullcontext():
        check(estimator)
