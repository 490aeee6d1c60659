"""Linear models that need no tuning and prove that they are done: scikit-learn estimators with certified solvers.

Columns need no scaling: solvers see them centred and in units of their spread, and `coef_` and `intercept_` are given
in the units of `X` and in its precision. `X` is read where it lies, dense (either order) or sparse, in either
precision, and never copied; but for the numbers of a sparse matrix that has columns whose mean is more than thirty
times their spread.

What all estimators share (`penalty_weights` and `positive` those that have them, in `fit` alone):

| parameter | meaning |
| --- | --- |
| `tol` | a promise: how far above the minimum the objective may be, relative to it. Kept by the duality gap |
| `max_iter` | how many iterations a solver may make |
| `solver` | "auto" picks; otherwise a name that `solver_` may show, or an optimizer of `descend.optimizers` |
| `penalty_weights` | how much the penalties of each column count, a number for each; 0: it is not penalised |
| `positive` | whether no coefficient may be negative; the intercept may |
| `fit_intercept` | whether to seek an intercept; it is never penalised |
| `warm_start` | whether to begin at what was learnt before |

| attribute | meaning |
| --- | --- |
| `stop_reason_` | why it ended, a `descend.stopping.Reason`: "converged" if the promise is kept |
| `duality_gap_` | how far above the minimum the objective is, at most |
| `loss_curve_` | the objective at the start and after each iteration; of several problems, a list of these |
| `n_iter_` | how many iterations were made; of several problems, the most |
| `solver_` | what was picked, and why |

A bound counts what rounding may have added to it, and what it may have hidden of the objective. Columns depend on each
other if a combination of them, in units of their spread, is no more than the rounding in their own numbers (1e-13):
`stop_reason_` names such columns, by `feature_names_in_` or their places, and so it does those along which a loss falls
for ever ("unbounded"). Combinations that are more than that are solved for, and bounded, by the rows themselves. Where
float64 does not tell enough for the promise, or float32 not of coefficients, `fit` says so, and does not claim it.

With `tol=0` a fit goes on as long as float64 tells anything, and converges at 1e-13 of the loss at the start.

The objective is the one in the estimator's docstring, divided by the sum of the weights (and by `C`, where there is
one): a mean loss, and penalties beside it. `sample_weight` may be 0, which is the same as a row that is not there. If
the promise could not be kept, `fit` warns (`sklearn.exceptions.ConvergenceWarning`) and says why. Callbacks of
`sklearn.callback` are called after each iteration, and end the fit where they return True.

A file, `Blocks`, may stand for `X` and `y` in `score`, for `X` wherever something is predicted, and for both in `fit`,
where the loss has no corners and the penalty is l2 alone. So may collections of Dask for `X` and `y`. In `fit`, `on`
says where they are gone through: the address of a Dask scheduler, or a client; coefficients are the same, bit for bit.
"""

from descend._blocks.files import Blocks
from descend.linear._losses.loss import Kind
from descend.linear.classification import LogisticRegression, Perceptron
from descend.linear.generalized import GammaRegressor, PoissonRegressor, TweedieRegressor
from descend.linear.kernel import SVC, SVR
from descend.linear.own import LossRegressor
from descend.linear.regression import ElasticNet, Lasso, LinearRegression, Ridge
from descend.linear.robust import HuberRegressor, QuantileRegressor
from descend.linear.svm import LinearSVC, LinearSVR, OneClassSVM

__all__ = [
    "SVC",
    "SVR",
    "Blocks",
    "ElasticNet",
    "GammaRegressor",
    "HuberRegressor",
    "Kind",
    "Lasso",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "LossRegressor",
    "OneClassSVM",
    "Perceptron",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
    "TweedieRegressor",
]
